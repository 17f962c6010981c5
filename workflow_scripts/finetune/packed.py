"""Training of the families of ``model/families.py`` on a CPU, without padding.

``model/network.py`` computes the logits. Here are the operations that gradients flow through:
parameters and dropouts are the module's own, and dropout acts at the same places as in its own
forward pass, though other masks are drawn.
"""

import logging
from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional
from transformers.activations import ACT2FN

from workflow_scripts.model.architecture import architecture_of
from workflow_scripts.model.network import Layer, Matrix, Operations
from workflow_scripts.model.packing import Packed, has_onednn
from workflow_scripts.model.running import Forward, packed_forward, padded_forward, word_forward

log = logging.getLogger("tunescape")


def forward_of(module: nn.Module, pad_id: int, device: torch.device) -> Forward:
    """The fastest way to a classifier's logits, as a function of examples and their indices.

    Of a module that labels words, the logits of the examples' words: ``running.word_forward``.
    Without padding where ``can_train_packed`` holds, else through the module's own forward pass;
    the log says which. The function returns logits [N, K] in the order of the indices; it follows
    the module's mode, and gradients flow through it.

    Parameters
    ----------
    module : nn.Module
        Classifier on ``device``.
    pad_id : int
        Token that fills up the shorter examples of a batch.
    """
    name, of_words = type(module).__name__, getattr(module, "labels_words", False)
    if not can_train_packed(module, device):
        log.info("%s: trained through its own forward pass, padded", name)
        if of_words:
            return word_forward(module, pad_id, device, None)
        return padded_forward(module, pad_id, device)
    log.info("%s: trained without padding", name)
    if of_words:
        return word_forward(module, pad_id, device, Trainable(module))
    return packed_forward(module, device, Trainable(module))


def can_train_packed(module: nn.Module, device: torch.device) -> bool:
    """Whether ``model/network.py`` computes the module, and faster than its own forward pass.

    On a GPU it does not: attention to many groups of few examples waits for their launches.
    """
    return device.type == "cpu" and architecture_of(module) is not None


class Trainable(Operations):
    """Operations to differentiate, with the dropout of a Hugging Face classifier.

    Under autocast in its type, with attention's softmax and the last layer's attention in float32.
    In ``eval()`` mode nothing is dropped.
    """

    def __init__(self, module: nn.Module) -> None:
        self._modules = dict(module.named_modules())
        architecture = architecture_of(module)
        self._in_layers = {
            f"{place}.{name}"
            for place in architecture.layers()
            for name in architecture.family.dropouts.values()
        }

    def lookup(self, table: str, weight: Tensor, rows: Tensor) -> Tensor:
        return self._modules[table](rows)  # whose gradient may be sparse

    def dropout(self, states: Tensor, module: str | None) -> Tensor:
        if module in self._in_layers:
            return _dropout(states, self._probability(module))
        return states if module is None else self._modules[module](states)

    def _probability(self, module: str | None) -> float:
        dropout = self._modules[module] if module else None
        return dropout.p if dropout is not None and dropout.training else 0.0

    def stack(self, *tensors: Tensor) -> Tensor:
        return torch.cat(tensors)

    def linear(self, states: Tensor, matrix: Matrix, activation: str | None = None) -> Tensor:
        if torch.is_autocast_enabled("cpu"):
            out = functional.linear(states, *matrix)
        else:
            out = _Linear.apply(states, *matrix)
        return out if activation is None else ACT2FN[activation](out)

    def attend(self, heads: int, layer: Layer, packed: Packed, states: Tensor) -> Tensor:
        dropped = self._probability(layer.dropouts.get("attention"))
        qkv = self.linear(states, layer.qkv)
        return _Attention.apply(qkv, packed.groups, heads, dropped)

    def attend_first(
        self, heads: int, layer: Layer, packed: Packed, states: Tensor, firsts: Tensor
    ) -> Tensor:
        """As evaluation's, but that dropout keeps the weights p from summing to 1.

        Since q.(K h + k) = (K'q).h + q.k, and sum p (V h + v) = V (sum p h) + (sum p) v. In
        float32 at least.
        """

        def by_head(tensor: Tensor) -> Tensor:
            return tensor.unflatten(0, (heads, -1))  # [H, ...] to [heads, d, ...]

        dropped = self._probability(layer.dropouts.get("attention"))
        sizes = [examples * length for _, examples, length in packed.spans()]
        counts = [examples for _, examples, _ in packed.spans()]
        with torch.autocast("cpu", enabled=False):
            firsts, states = (tensor.to(layer.query[0].dtype) for tensor in (firsts, states))
            query = functional.linear(firsts, *layer.query)
            query = query.unflatten(1, (heads, -1)) * (query.shape[1] // heads) ** -0.5
            asking = torch.einsum("nhd,hdx->nhx", query, by_head(layer.key[0]))
            offset = torch.einsum("nhd,hd->nh", query, by_head(layer.key[1]))[..., None]
            means, sums = [], []
            for own, asks, adds in zip(
                states.split(sizes), asking.split(counts), offset.split(counts), strict=True
            ):
                own = own.unflatten(0, (len(asks), -1))  # [examples, length, H]
                weights = (asks @ own.transpose(1, 2) + adds).softmax(-1)
                weights = _dropout(weights, dropped)
                means.append(weights @ own)
                sums.append(weights.sum(-1, keepdim=True))
            context = torch.einsum("nhx,hdx->nhd", torch.cat(means), by_head(layer.value[0]))
            return (context + torch.cat(sums) * by_head(layer.value[1])).flatten(1)


def _dropout(states: Tensor, dropped: float) -> Tensor:
    """The result of ``nn.Dropout`` with other masks, in float32 at least."""
    return states * _mask(states, dropped) if dropped else states


def _mask(like: Tensor, dropped: float) -> Tensor:
    """0 with a probability, else the factor that keeps the mean; in float32 at least.

    From 32 random bits each, two in an integer: PyTorch's own draws take three times as long.
    """
    bits = torch.empty((like.numel() + 1) // 2, dtype=torch.int64).random_(-(2**63), None)
    lots = bits.view(torch.int32)[: like.numel()].view(like.shape)
    kept = lots >= round(dropped * 2**32) - 2**31
    return kept.to(torch.promote_types(like.dtype, torch.float32)).mul_(1 / (1 - dropped))


class _Attention(torch.autograd.Function):
    """Self-attention output [T, H] from queries, keys and values [T, 3H].

    Computed in float32 at least. Outputs and gradients of all lengths are written to their places
    in one tensor each: PyTorch's own derivative would split and join them again and again.
    """

    @staticmethod
    def forward(ctx, qkv: Tensor, groups: list, heads: int, dropped: float) -> Tensor:
        outputs, saved = qkv.new_empty(len(qkv), qkv.shape[1] // 3), []
        kind = torch.promote_types(qkv.dtype, torch.float32)
        with torch.autocast("cpu", enabled=False):
            for three, (output,) in zip(
                _by_length(qkv, groups, 3, heads),
                _by_length(outputs, groups, 1, heads),
                strict=True,
            ):
                query, key, value = three.to(kind).contiguous()
                query = query * query.shape[-1] ** -0.5
                used = weights = (query @ key.transpose(-1, -2)).softmax(-1)
                mask = None
                if dropped:
                    mask = _mask(weights, dropped)
                    used = weights * mask
                output.copy_(used @ value)
                saved += [query, key, value, weights, used, mask]
        ctx.groups, ctx.heads = groups, heads
        ctx.save_for_backward(*saved)
        return outputs

    @staticmethod
    @once_differentiable
    def backward(ctx, gradient: Tensor) -> tuple:
        result = gradient.new_empty(len(gradient), 3 * gradient.shape[1])
        of_gradient = _by_length(gradient, ctx.groups, 1, ctx.heads)
        of_result = _by_length(result, ctx.groups, 3, ctx.heads)
        saved = zip(*[iter(ctx.saved_tensors)] * 6, strict=True)
        for (query, key, value, weights, used, mask), (d_output,), (d_query, d_key, d_value) in zip(
            saved, of_gradient, of_result, strict=True
        ):
            d_output = d_output.to(weights.dtype).contiguous()
            d_value.copy_(used.transpose(-1, -2) @ d_output)
            d_weights = d_output @ value.transpose(-1, -2)
            if mask is not None:
                d_weights *= mask
            d_scores = torch._softmax_backward_data(d_weights, weights, -1, weights.dtype)
            d_query.copy_(d_scores @ key * query.shape[-1] ** -0.5)
            d_key.copy_(d_scores.transpose(-1, -2) @ query)
        return result, None, None, None


def _by_length(packed: Tensor, groups: list, parts: int, heads: int) -> Iterator[Tensor]:
    """Views of [T, parts H], one per length: [parts, examples, heads, length, H / heads]."""
    for _, token, examples, length in groups:
        tokens = packed[token : token + examples * length]
        yield tokens.view(examples, length, parts, heads, -1).permute(2, 0, 3, 1, 4)


class _Linear(torch.autograd.Function):
    """``states weight' + bias``; products in float32 by oneDNN where it is the faster.

    On AMD's processors (AVX-512) its products take a sixth less time than those of MKL, which
    PyTorch's own linear layer calls. Not so for the gradient of square weights.
    """

    @staticmethod
    def forward(ctx, states: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        ctx.save_for_backward(states, weight)
        return _product(states, weight, bias)

    @staticmethod
    @once_differentiable
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        states, weight = ctx.saved_tensors
        gradient = gradient.contiguous()
        if weight.shape[0] == weight.shape[1]:
            to_weight = gradient.t() @ states
        else:
            to_weight = _product(gradient.t(), states.t())
        return _product(gradient, weight.t()), to_weight, gradient.sum(0)


def _product(left: Tensor, right: Tensor, bias: Tensor | None = None) -> Tensor:
    """``left right' + bias``."""
    if left.dtype == torch.float32 and has_onednn(left.dtype):
        return torch.ops.mkldnn._linear_pointwise(left, right, bias, "none", [], "")
    return functional.linear(left, right, bias)
