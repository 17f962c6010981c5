"""A forward pass without padding, for BERT, RoBERTa, ELECTRA and ALBERT classifiers.

The tokens of all examples lie in one matrix, sorted by length; attention runs once per length;
the last layer answers for the first token only, since nothing else reaches the head, and needs
no keys and values for it. The weights are the model's own, wherever they lie. Equal to the plain
forward within 1e-5 in logits (float32, other order of sums).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from workflow_scripts.landscape.classifier import (
    ACTIVATIONS,
    Architecture,
    Classifier,
    known_architecture,
)
from workflow_scripts.model.text import Encoded

Weights = Mapping[str, Tensor]  # a classifier's parameters by full name


def architecture_of(module: nn.Module) -> Architecture | None:
    """A classifier's architecture, if this module computes it.

    Parameters
    ----------
    module : a ``Classifier``, or a Hugging Face module with its configuration.
    """
    if isinstance(module, Classifier):
        return module.config
    found = known_architecture(module.config.to_dict())
    named = {name for name, _ in module.named_parameters()}
    return found if found and found.shapes(labels=2).keys() == named else None


def word_embeddings(architecture: Architecture) -> str:
    """Name of the parameter whose rows are looked up by tokens, and used for nothing else."""
    return f"{architecture.embeddings}.word_embeddings.weight"


@dataclass(frozen=True)
class Packed:
    """Examples of one pass: T tokens of N examples, sorted by length.

    ``tokens``, ``positions``, ``types`` : shape [T].
    ``groups`` : examples of one length, as (first example, first token, examples, length).
    ``firsts`` : place of every example's first token [N].
    """

    tokens: Tensor
    positions: Tensor
    types: Tensor
    groups: list[tuple[int, int, int, int]]
    firsts: Tensor


def pack(architecture: Architecture, encoded: Encoded, indices: np.ndarray, device) -> Packed:
    """Lay out the examples of one pass in a line, without padding.

    Parameters
    ----------
    architecture : of ``architecture_of``.
    encoded : the split's examples.
    indices : places in ``encoded`` [N], by increasing length.
    device : where the weights are.
    """
    rows = [encoded.input_ids[i] for i in indices]
    offset = architecture.first_position
    types = (
        [encoded.token_type_ids[i] for i in indices]
        if encoded.token_type_ids is not None and architecture.type_vocab_size > 1
        else [[0] * len(row) for row in rows]
    )
    lengths = encoded.lengths[indices]
    firsts = np.cumsum(lengths) - lengths
    sizes, places, counts = np.unique(lengths, return_index=True, return_counts=True)

    def line(values: list[list[int]]) -> Tensor:
        return torch.tensor([v for row in values for v in row], device=device)

    return Packed(
        tokens=line(rows),
        positions=line([list(range(offset, offset + len(row))) for row in rows]),
        types=line(types),
        groups=list(
            zip(*(array.tolist() for array in (places, firsts[places], counts, sizes)), strict=True)
        ),
        firsts=torch.from_numpy(firsts).to(device),
    )


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


@cache
def has_onednn(dtype: torch.dtype) -> bool:
    """Whether PyTorch's build has oneDNN's products, and this processor those of the type."""
    there = torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_linear_pointwise")
    return there and (dtype == torch.float32 or torch.ops.mkldnn._is_mkldnn_bf16_supported())


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
