"""A forward pass without padding, for BERT, RoBERTa, ELECTRA and ALBERT classifiers.

The tokens of all examples lie in one matrix, sorted by length; attention runs once per length;
the last layer answers for the first token only, since nothing else reaches the head, and needs
no keys and values for it. The weights are the model's own, wherever they lie. Equal to the plain
forward within 1e-5 in logits (float32, other order of sums).
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from workflow_scripts.model.architecture import ACTIVATIONS, Architecture
from workflow_scripts.model.packing import Packed, has_onednn

Weights = Mapping[str, Tensor]  # a classifier's parameters by full name


def word_embeddings(architecture: Architecture) -> str:
    """Name of the parameter whose rows are looked up by tokens, and used for nothing else."""
    return f"{architecture.embeddings}.word_embeddings.weight"


Matrix = tuple[Tensor, Tensor]  # weight [out, in] and bias [out]; of a LayerNorm both [H]


@dataclass(frozen=True)
class Layer:
    """Weights of one layer. ``qkv`` holds query, key and value one below the other, [3H, H]."""

    qkv: Matrix
    mix: Matrix
    mix_norm: Matrix
    up: Matrix
    down: Matrix
    down_norm: Matrix


def read_layers(
    architecture: Architecture, weights: Weights, dtype: torch.dtype = torch.float32
) -> list[Layer]:
    """Weights of all layers as they are now, for matrix products in ``dtype``.

    In float32 they are the model's own, not copies, wherever query, key and value lie one behind
    the other in memory, as a ``Plane`` lays them. LayerNorms stay float32, and so does ``qkv`` of
    the last layer, which has little to compute.
    """
    layers, names = [], architecture.layers()
    for index, parts in enumerate(names):
        found = {part: _matrix(weights, name) for part, name in parts.items()}
        three = [found.pop(part) for part in ("query", "key", "value")]
        first = torch.float32 if index == len(names) - 1 else dtype
        qkv = tuple(_stacked(*tensors).to(first) for tensors in zip(*three, strict=True))
        rest = {
            part: pair if part.endswith("norm") else tuple(tensor.to(dtype) for tensor in pair)
            for part, pair in found.items()
        }
        layers.append(Layer(qkv=qkv, **rest))
    return layers


def _matrix(weights: Weights, name: str) -> Matrix:
    return weights[f"{name}.weight"], weights[f"{name}.bias"]


def _stacked(*tensors: Tensor) -> Tensor:
    """Tensors of equal shape below each other: a view if they lie so in memory, else a copy."""
    first = tensors[0].detach()
    step = first.numel() * first.element_size()
    for place, tensor in enumerate(tensors):
        same = tensor.untyped_storage().data_ptr() == first.untyped_storage().data_ptr()
        if not same or tensor.data_ptr() != first.data_ptr() + place * step:
            return torch.cat(tensors)
    return first.as_strided((len(tensors) * len(first), *first.shape[1:]), first.stride())


def embed(architecture: Architecture, weights: Weights, packed: Packed) -> Tensor:
    """Hidden states below the first layer, float32 of shape [T, H].

    The weights must be on the device of ``packed``.
    """

    def looked_up(table: str, rows: Tensor) -> Tensor:
        return weights[f"{architecture.embeddings}.{table}_embeddings.weight"][rows]

    states = looked_up("word", packed.tokens) + looked_up("token_type", packed.types)
    states = states + looked_up("position", packed.positions)
    scale = _matrix(weights, f"{architecture.embeddings}.LayerNorm")
    states = _norm(architecture, states, scale)
    if architecture.between:
        states = functional.linear(states, *_matrix(weights, architecture.between))
    return states


def _norm(architecture: Architecture, states: Tensor, weights: Matrix) -> Tensor:
    return functional.layer_norm(states, states.shape[1:], *weights, architecture.layer_norm_eps)


def run_layer(
    architecture: Architecture, layer: Layer, packed: Packed, states: Tensor, last: bool
) -> Tensor:
    """Hidden states behind a layer, float32.

    Parameters
    ----------
    architecture : of ``architecture_of``.
    layer : of ``read_layers``.
    states : hidden states of all tokens before the layer, float32 of shape [T, H].
    last : whether the layer is the model's last.

    Returns
    -------
    Shape [T, H]; behind the last layer the first token's alone, [N, H].
    """
    heads = architecture.num_attention_heads
    if last:
        context = _attend_first(heads, layer, packed, states)
        states = states[packed.firsts]
    else:
        context = _attend(heads, layer, packed, states)
    states = _norm(architecture, states + _linear(context, layer.mix), layer.mix_norm)
    inner = _linear(states, layer.up, architecture.hidden_act)
    return _norm(architecture, states + _linear(inner, layer.down), layer.down_norm)


def attention_weights(
    architecture: Architecture, layer: Layer, packed: Packed, states: Tensor
) -> list[Tensor]:
    """What a layer's tokens attend to: after the softmax, [n, heads, length, length] by length.

    Parameters
    ----------
    states : hidden states before the layer, as in ``run_layer``.

    Returns
    -------
    Query, then key; a tensor for each of ``packed.groups``, of the n examples of one length.
    """
    heads = architecture.num_attention_heads
    asking = 2 * states.shape[1]  # the rows of queries and keys
    found = _linear(states, (layer.qkv[0][:asking], layer.qkv[1][:asking]))
    found, weights = found.view(len(states), 2, heads, -1), []
    for _, token, examples, length in packed.groups:
        tokens = slice(token, token + examples * length)
        query, key = found[tokens].unflatten(0, (examples, length)).permute(2, 0, 3, 1, 4)
        query = query * query.shape[-1] ** -0.5
        weights.append((query @ key.transpose(-1, -2)).softmax(-1))
    return weights


def head(architecture: Architecture, weights: Weights, states: Tensor) -> Tensor:
    """Logits [N, K] of the first tokens' hidden states [N, H] behind the last layer."""
    dense, activation, out = architecture.head
    inner = ACTIVATIONS[activation](functional.linear(states, *_matrix(weights, dense)))
    return functional.linear(inner, *_matrix(weights, out))


def _attend(heads: int, layer: Layer, packed: Packed, states: Tensor) -> Tensor:
    """What every token takes from its own example, [T, H]."""
    qkv = _linear(states, layer.qkv).view(len(states), 3, heads, -1)
    context = qkv.new_empty(len(states), heads, qkv.shape[-1])
    for _, token, examples, length in packed.groups:
        tokens = slice(token, token + examples * length)
        query, key, value = qkv[tokens].unflatten(0, (examples, length)).permute(2, 0, 3, 1, 4)
        out = functional.scaled_dot_product_attention(query, key, value)
        context[tokens].unflatten(0, (examples, length)).copy_(out.transpose(1, 2))
    return context.flatten(1)


def _attend_first(heads: int, layer: Layer, packed: Packed, states: Tensor) -> Tensor:
    """What every example's first token takes from its example, [N, H], without keys and values.

    Since q.(K h + k) = (K'q).h + q.k, where q.k is the same for all tokens and leaves the softmax
    as it is, and the weights p sum to 1, so that sum p (V h + v) = V (sum p h) + v.
    """
    weight, bias = layer.qkv
    query, key, value = weight.view(3, heads, -1, weight.shape[1])  # [heads, H / heads, H]
    asking = states[packed.firsts]
    query = torch.einsum("nx,hdx->nhd", asking, query) + bias.view(3, heads, -1)[0]
    asking = torch.einsum("nhd,hdx->nhx", query * query.shape[-1] ** -0.5, key)
    taken = torch.empty_like(asking)
    for first, token, examples, length in packed.groups:
        chosen = slice(first, first + examples)
        own = states[token : token + examples * length].view(examples, length, -1)
        taken[chosen] = (asking[chosen] @ own.transpose(1, 2)).softmax(-1) @ own
    context = torch.einsum("nhx,hdx->nhd", taken, value) + bias.view(3, heads, -1)[2]
    return context.flatten(1)


# The two forms of GELU that oneDNN computes as part of a product.
_GELU = {"gelu": "none", "gelu_new": "tanh", "gelu_pytorch_tanh": "tanh"}


def _linear(states: Tensor, weights: Matrix, activation: str | None = None) -> Tensor:
    """``activation(states weight' + bias)``, computed and returned in the weights' type.

    On a CPU by oneDNN, whose float32 products take a sixth less time on AMD's processors than
    those of MKL, which PyTorch's own linear layer calls, and about as much on Intel's.
    """
    weight, bias = weights
    states = states.to(weight.dtype)
    if weight.device.type == "cpu" and has_onednn(weight.dtype):
        fused = ("gelu", [], _GELU[activation]) if activation in _GELU else ("none", [], "")
        out = torch.ops.mkldnn._linear_pointwise(states, weight, bias, *fused)
        return out if activation is None or activation in _GELU else ACTIVATIONS[activation](out)
    out = functional.linear(states, weight, bias)
    return out if activation is None else ACTIVATIONS[activation](out)
