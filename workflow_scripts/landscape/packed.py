"""A forward pass without padding, for BERT, RoBERTa, ELECTRA and ALBERT classifiers.

The tokens of all examples lie in one matrix, sorted by length; attention runs once per length;
the last layer answers for the first token only, since nothing else reaches the head, and needs
no keys and values for it. The weights are the model's own, wherever they lie. Equal to the plain
forward within 1e-5 in logits (float32, other order of sums).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import (
    AlbertForSequenceClassification,
    BertForSequenceClassification,
    ElectraForSequenceClassification,
    RobertaForSequenceClassification,
)
from transformers.activations import ACT2FN

from workflow_scripts.model.text import Encoded

_FAMILIES = (
    AlbertForSequenceClassification,
    BertForSequenceClassification,
    ElectraForSequenceClassification,
    RobertaForSequenceClassification,
)


def can_pack(module: nn.Module) -> bool:
    """Whether a classifier's architecture is one that this module computes."""
    return type(module) in _FAMILIES and not getattr(module.config, "is_decoder", False)


def word_embeddings(module: nn.Module) -> str:
    """Name of the parameter whose rows are looked up by tokens, and used for nothing else."""
    return f"{module.base_model_prefix}.embeddings.word_embeddings.weight"


@dataclass(frozen=True)
class Packed:
    """Examples of one pass: T tokens of N examples, sorted by length.

    ``tokens``, ``positions``, ``types`` : shape [1, T], as the embeddings take them.
    ``groups`` : examples of one length, as (first example, first token, examples, length).
    ``firsts`` : place of every example's first token [N].
    """

    tokens: Tensor
    positions: Tensor
    types: Tensor
    groups: list[tuple[int, int, int, int]]
    firsts: Tensor


def pack(module: nn.Module, encoded: Encoded, indices: np.ndarray, device) -> Packed:
    """Lay out the examples of one pass in a line, without padding.

    Parameters
    ----------
    module : classifier for which ``can_pack`` holds.
    encoded : the split's examples.
    indices : places in ``encoded`` [N], by increasing length.
    device : where the module is.
    """
    rows = [encoded.input_ids[i] for i in indices]
    # RoBERTa counts positions from behind its padding token.
    offset = getattr(module.base_model.embeddings, "padding_idx", -1) + 1
    types = (
        [encoded.token_type_ids[i] for i in indices]
        if encoded.token_type_ids is not None and module.config.type_vocab_size > 1
        else [[0] * len(row) for row in rows]
    )
    lengths = encoded.lengths[indices]
    firsts = np.cumsum(lengths) - lengths
    sizes, places, counts = np.unique(lengths, return_index=True, return_counts=True)

    def line(values: list[list[int]]) -> Tensor:
        return torch.tensor([[v for row in values for v in row]], device=device)

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


def read_layers(module: nn.Module, dtype: torch.dtype = torch.float32) -> list[Layer]:
    """Weights of all layers as they are now, for matrix products in ``dtype``.

    In float32 they are the module's own, not copies, wherever query, key and value lie one behind
    the other in memory, as a ``Plane`` lays them. LayerNorms stay float32, and so does ``qkv`` of
    the last layer, which has little to compute.
    """
    layers, parts = [], list(_parts(module))
    for index, ((query, key, value), mix, mix_norm, up, down, down_norm) in enumerate(parts):
        first = torch.float32 if index == len(parts) - 1 else dtype
        layers.append(
            Layer(
                qkv=(
                    _stacked(query.weight, key.weight, value.weight).to(first),
                    _stacked(query.bias, key.bias, value.bias).to(first),
                ),
                mix=(mix.weight.to(dtype), mix.bias.to(dtype)),
                mix_norm=(mix_norm.weight, mix_norm.bias),
                up=(up.weight.to(dtype), up.bias.to(dtype)),
                down=(down.weight.to(dtype), down.bias.to(dtype)),
                down_norm=(down_norm.weight, down_norm.bias),
            )
        )
    return layers


def _parts(module: nn.Module) -> Iterator[tuple]:
    """The modules of every layer, in the order of the fields of ``Layer``."""
    encoder, config = module.base_model.encoder, module.config
    if isinstance(module, AlbertForSequenceClassification):
        for index in range(config.num_hidden_layers):
            group = int(index / (config.num_hidden_layers / config.num_hidden_groups))
            for layer in encoder.albert_layer_groups[group].albert_layers:
                at = layer.attention
                three = at.query, at.key, at.value
                norm = layer.full_layer_layer_norm
                yield three, at.dense, at.LayerNorm, layer.ffn, layer.ffn_output, norm
    else:
        for layer in encoder.layer:
            at, mix, out = layer.attention.self, layer.attention.output, layer.output
            three = at.query, at.key, at.value
            up = layer.intermediate.dense
            yield three, mix.dense, mix.LayerNorm, up, out.dense, out.LayerNorm


def _stacked(*tensors: Tensor) -> Tensor:
    """Tensors of equal shape below each other: a view if they lie so in memory, else a copy."""
    first = tensors[0].detach()
    step = first.numel() * first.element_size()
    for place, tensor in enumerate(tensors):
        same = tensor.untyped_storage().data_ptr() == first.untyped_storage().data_ptr()
        if not same or tensor.data_ptr() != first.data_ptr() + place * step:
            return torch.cat(tensors)
    return first.as_strided((len(tensors) * len(first), *first.shape[1:]), first.stride())


def embed(module: nn.Module, packed: Packed) -> Tensor:
    """Hidden states below the first layer, float32 of shape [T, H].

    The module must be in ``eval()`` mode (no dropout) and on the device of ``packed``.
    """
    base = module.base_model
    states = base.embeddings(
        input_ids=packed.tokens, token_type_ids=packed.types, position_ids=packed.positions
    )
    if hasattr(base, "embeddings_project"):  # ELECTRA
        states = base.embeddings_project(states)
    if hasattr(base.encoder, "embedding_hidden_mapping_in"):  # ALBERT
        states = base.encoder.embedding_hidden_mapping_in(states)
    return states[0]


def run_layer(config, layer: Layer, packed: Packed, states: Tensor, last: bool) -> Tensor:
    """Hidden states behind a layer, float32.

    Parameters
    ----------
    config : the model's configuration.
    layer : of ``read_layers``.
    states : hidden states of all tokens before the layer, float32 of shape [T, H].
    last : whether the layer is the model's last.

    Returns
    -------
    Shape [T, H]; behind the last layer the first token's alone, [N, H].
    """

    def norm(states: Tensor, weights: Matrix) -> Tensor:
        return functional.layer_norm(states, states.shape[1:], *weights, config.layer_norm_eps)

    if last:
        context = _attend_first(config.num_attention_heads, layer, packed, states)
        states = states[packed.firsts]
    else:
        context = _attend(config.num_attention_heads, layer, packed, states)
    states = norm(states + _linear(context, layer.mix), layer.mix_norm)
    inner = _linear(states, layer.up, config.hidden_act)
    return norm(states + _linear(inner, layer.down), layer.down_norm)


def head(module: nn.Module, states: Tensor) -> Tensor:
    """Logits [N, K] of the first tokens' hidden states [N, H] behind the last layer."""
    states = states[:, None]
    pooler = getattr(module.base_model, "pooler", None)
    if isinstance(module, AlbertForSequenceClassification):
        states = module.base_model.pooler_activation(pooler(states[:, 0]))
    elif pooler is not None:
        states = pooler(states)
    return module.classifier(states)


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
def _has_onednn(dtype: torch.dtype) -> bool:
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
    if weight.device.type == "cpu" and _has_onednn(weight.dtype):
        fused = ("gelu", [], _GELU[activation]) if activation in _GELU else ("none", [], "")
        out = torch.ops.mkldnn._linear_pointwise(states, weight, bias, *fused)
        return out if activation is None or activation in _GELU else ACT2FN[activation](out)
    out = functional.linear(states, weight, bias)
    return out if activation is None else ACT2FN[activation](out)
