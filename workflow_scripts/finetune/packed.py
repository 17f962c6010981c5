"""A forward pass to train through, without padding, for BERT, RoBERTa, ELECTRA and ALBERT on a CPU.

The tokens of a batch lie in one matrix, sorted by length; attention runs once per length; the last
layer answers for the first tokens only, since nothing else reaches the head, and needs no keys and
values for it. Parameters, LayerNorms and dropouts are the module's own, and dropout acts at the
same places as in its own forward pass, though other masks are drawn.
"""

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional
from transformers import AlbertForSequenceClassification, BertForSequenceClassification

from workflow_scripts.model.architecture import architecture_of
from workflow_scripts.model.packing import Packed, has_onednn, pack
from workflow_scripts.model.text import Encoded, collate

log = logging.getLogger("tunescape")

Forward = Callable[[Encoded, np.ndarray], Tensor]


def forward_of(module: nn.Module, pad_id: int, device: torch.device) -> Forward:
    """The fastest way to a classifier's logits, as a function of examples and indices of them.

    Without padding where ``can_train_packed`` holds, else through the module's own forward pass;
    the log tells which. The function gives logits [N, K] in the order of the indices; it follows
    the module's mode, and gradients flow through it.

    Parameters
    ----------
    module : classifier on ``device``.
    pad_id : token that fills up the shorter examples of a batch.
    """
    name = type(module).__name__
    if not can_train_packed(module, device):
        log.info("%s: trained through its own forward pass, padded", name)
        return lambda encoded, indices: module(**collate(encoded, indices, pad_id, device)).logits
    log.info("%s: trained without padding", name)
    architecture = architecture_of(module)

    def forward(encoded: Encoded, indices: np.ndarray) -> Tensor:
        order = np.argsort(encoded.lengths[indices], kind="stable")
        found = logits(module, pack(architecture, encoded, indices[order], device))
        return found.index_select(0, torch.from_numpy(np.argsort(order)).to(device))

    return forward


def can_train_packed(module: nn.Module, device: torch.device) -> bool:
    """Whether ``logits`` knows the architecture, and pays.

    On a GPU it does not: attention to many groups of few examples waits for their launches.
    """
    return device.type == "cpu" and architecture_of(module) is not None


def logits(module: nn.Module, packed: Packed) -> Tensor:
    """Logits [N, K] of packed examples, in their order, to be differentiated.

    Equal to the module's own forward pass over the padded examples but for rounding and, in
    ``train()`` mode, the masks that dropout draws. Under autocast in its type, with attention's
    softmax and the last layer's attention in float32.

    Parameters
    ----------
    module : classifier for which ``can_train_packed`` holds.
    packed : of ``model.packing.pack``.
    """
    base, layers = module.base_model, list(_layers(module))
    states = base.embeddings(
        input_ids=packed.tokens[None],
        token_type_ids=packed.types[None],
        position_ids=packed.positions[None],
    )
    if hasattr(base, "embeddings_project"):  # ELECTRA
        states = base.embeddings_project(states)
    if hasattr(base.encoder, "embedding_hidden_mapping_in"):  # ALBERT
        states = base.encoder.embedding_hidden_mapping_in(states)
    states, heads = states[0], module.config.num_attention_heads
    for layer in layers[:-1]:
        states = _rest(layer, states, _attend(layer, packed, states, heads))
    firsts = states.index_select(0, packed.firsts)
    context = _attend_first(layers[-1], packed, states, firsts, heads)
    return _head(module, _rest(layers[-1], firsts, context))


@dataclass(frozen=True)
class Layer:
    """The modules of one layer, and probabilities of dropping a unit.

    ``dropped`` of attention, ``mix_dropped`` behind its output, ``down_dropped`` behind the outer
    matrices; 0 in ``eval()`` mode.
    """

    query: nn.Linear
    key: nn.Linear
    value: nn.Linear
    mix: nn.Linear
    mix_norm: nn.LayerNorm
    up: nn.Linear
    activation: Callable[[Tensor], Tensor]
    down: nn.Linear
    down_norm: nn.LayerNorm
    dropped: float
    mix_dropped: float
    down_dropped: float


def _layers(module: nn.Module) -> Iterator[Layer]:
    """All layers from the lowest; those of ALBERT share their modules."""
    encoder, config = module.base_model.encoder, module.config

    def probability(dropout: nn.Dropout) -> float:
        return dropout.p if dropout.training else 0.0

    if isinstance(module, AlbertForSequenceClassification):
        for index in range(config.num_hidden_layers):
            group = int(index / (config.num_hidden_layers / config.num_hidden_groups))
            for layer in encoder.albert_layer_groups[group].albert_layers:
                at = layer.attention
                yield Layer(
                    *(at.query, at.key, at.value),
                    *(at.dense, at.LayerNorm),
                    *(layer.ffn, layer.activation),
                    *(layer.ffn_output, layer.full_layer_layer_norm),
                    *(probability(at.attention_dropout), probability(at.output_dropout)),
                    0.0,  # its own forward pass has no dropout here
                )
    else:
        for layer in encoder.layer:
            at, mix, inner, out = (
                layer.attention.self,
                layer.attention.output,
                layer.intermediate,
                layer.output,
            )
            yield Layer(
                *(at.query, at.key, at.value),
                *(mix.dense, mix.LayerNorm),
                *(inner.dense, inner.intermediate_act_fn),
                *(out.dense, out.LayerNorm),
                *(probability(each.dropout) for each in (at, mix, out)),
            )


def _rest(layer: Layer, states: Tensor, context: Tensor) -> Tensor:
    """What a layer does token by token, from its input and attention's answer, both [T, H]."""
    mixed = _linear(context, layer.mix.weight, layer.mix.bias)
    states = layer.mix_norm(states + _dropout(mixed, layer.mix_dropped))
    inner = layer.activation(_linear(states, layer.up.weight, layer.up.bias))
    outer = _linear(inner, layer.down.weight, layer.down.bias)
    return layer.down_norm(states + _dropout(outer, layer.down_dropped))


def _dropout(states: Tensor, dropped: float) -> Tensor:
    """What ``nn.Dropout`` gives with other masks, in float32 at least."""
    return states * _mask(states, dropped) if dropped else states


def _mask(like: Tensor, dropped: float) -> Tensor:
    """0 with a probability, else what keeps the mean; of a tensor's shape, in float32 at least.

    From 32 random bits each, two in an integer: PyTorch's own draws take three times as long.
    """
    bits = torch.empty((like.numel() + 1) // 2, dtype=torch.int64).random_(-(2**63), None)
    lots = bits.view(torch.int32)[: like.numel()].view(like.shape)
    kept = lots >= round(dropped * 2**32) - 2**31
    return kept.to(torch.promote_types(like.dtype, torch.float32)).mul_(1 / (1 - dropped))


def _head(module: nn.Module, states: Tensor) -> Tensor:
    """Logits [N, K] of the first tokens' hidden states [N, H] behind the last layer."""
    base, states = module.base_model, states[:, None]
    if isinstance(module, AlbertForSequenceClassification):
        pooled = base.pooler_activation(base.pooler(states[:, 0]))
    elif isinstance(module, BertForSequenceClassification):
        pooled = base.pooler(states)
    else:
        return module.classifier(states)  # it has a layer and dropouts of its own
    return module.classifier(module.dropout(pooled))


def _attend(layer: Layer, packed: Packed, states: Tensor, heads: int) -> Tensor:
    """What every token takes from its own example, [T, H]."""
    three = layer.query, layer.key, layer.value
    weight = torch.cat([part.weight for part in three])  # one product costs less than three
    qkv = _linear(states, weight, torch.cat([part.bias for part in three]))
    return _Attention.apply(qkv, packed.groups, heads, layer.dropped)


class _Attention(torch.autograd.Function):
    """Attention within every example, from queries, keys and values [T, 3H] to answers [T, H].

    Computed in float32 at least. Answers and gradients of all lengths are written where they
    belong in one tensor each: PyTorch's own derivative would cut and join them again and again.
    """

    @staticmethod
    def forward(ctx, qkv: Tensor, groups: list, heads: int, dropped: float) -> Tensor:
        answers, saved = qkv.new_empty(len(qkv), qkv.shape[1] // 3), []
        kind = torch.promote_types(qkv.dtype, torch.float32)
        with torch.autocast("cpu", enabled=False):
            for three, (answer,) in zip(
                _by_length(qkv, groups, 3, heads),
                _by_length(answers, groups, 1, heads),
                strict=True,
            ):
                query, key, value = three.to(kind).contiguous()
                query = query * query.shape[-1] ** -0.5
                used = weights = (query @ key.transpose(-1, -2)).softmax(-1)
                mask = None
                if dropped:
                    mask = _mask(weights, dropped)
                    used = weights * mask
                answer.copy_(used @ value)
                saved += [query, key, value, weights, used, mask]
        ctx.groups, ctx.heads = groups, heads
        ctx.save_for_backward(*saved)
        return answers

    @staticmethod
    @once_differentiable
    def backward(ctx, gradient: Tensor) -> tuple:
        result = gradient.new_empty(len(gradient), 3 * gradient.shape[1])
        of_answers = _by_length(gradient, ctx.groups, 1, ctx.heads)
        of_three = _by_length(result, ctx.groups, 3, ctx.heads)
        saved = zip(*[iter(ctx.saved_tensors)] * 6, strict=True)
        for (query, key, value, weights, used, mask), (by,), (to_query, to_key, to_value) in zip(
            saved, of_answers, of_three, strict=True
        ):
            by = by.to(weights.dtype).contiguous()
            to_value.copy_(used.transpose(-1, -2) @ by)
            to_weights = by @ value.transpose(-1, -2)
            if mask is not None:
                to_weights *= mask
            to_scores = torch._softmax_backward_data(to_weights, weights, -1, weights.dtype)
            to_query.copy_(to_scores @ key * query.shape[-1] ** -0.5)
            to_key.copy_(to_scores.transpose(-1, -2) @ query)
        return result, None, None, None


def _by_length(line: Tensor, groups: list, parts: int, heads: int) -> Iterator[Tensor]:
    """Views of [T, parts H], one per length: [parts, examples, heads, length, H / heads]."""
    for _, token, examples, length in groups:
        tokens = line[token : token + examples * length]
        yield tokens.view(examples, length, parts, heads, -1).permute(2, 0, 3, 1, 4)


def _attend_first(
    layer: Layer, packed: Packed, states: Tensor, firsts: Tensor, heads: int
) -> Tensor:
    """What every example's first token takes from its example, [N, H], without keys and values.

    Since q.(K h + k) = (K'q).h + q.k, and sum p (V h + v) = V (sum p h) + (sum p) v, where dropout
    keeps the weights p from summing to 1. In float32 at least.
    """

    def by_head(tensor: Tensor) -> Tensor:
        return tensor.unflatten(0, (heads, -1))  # [H, ...] to [heads, H / heads, ...]

    sizes = [examples * length for _, _, examples, length in packed.groups]
    counts = [examples for _, _, examples, _ in packed.groups]
    with torch.autocast("cpu", enabled=False):
        firsts, states = (tensor.to(layer.query.weight.dtype) for tensor in (firsts, states))
        query = functional.linear(firsts, layer.query.weight, layer.query.bias)
        query = query.unflatten(1, (heads, -1)) * (query.shape[1] // heads) ** -0.5
        asking = torch.einsum("nhd,hdx->nhx", query, by_head(layer.key.weight))
        offset = torch.einsum("nhd,hd->nh", query, by_head(layer.key.bias))[..., None]
        taken, sums = [], []
        for own, asks, adds in zip(
            states.split(sizes), asking.split(counts), offset.split(counts), strict=True
        ):
            own = own.unflatten(0, (len(asks), -1))
            weights = (asks @ own.transpose(1, 2) + adds).softmax(-1)
            weights = _dropout(weights, layer.dropped)
            taken.append(weights @ own)
            sums.append(weights.sum(-1, keepdim=True))
        context = torch.einsum("nhx,hdx->nhd", torch.cat(taken), by_head(layer.value.weight))
        return (context + torch.cat(sums) * by_head(layer.value.bias)).flatten(1)


def _linear(states: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    if torch.is_autocast_enabled("cpu"):
        return functional.linear(states, weight, bias)
    return _Linear.apply(states, weight, bias)


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
