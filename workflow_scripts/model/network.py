"""The classifiers of ``families.FAMILIES``, from tokens to logits: read it from top to bottom.

The T tokens of N examples lie in one matrix [T, H], without padding and sorted by length
(``packing.Packed``). Attention runs once per length. The last layer computes the first token of
each example only, since nothing else reaches the head; it needs no keys and values for that.

Evaluation and training share all of this. What they compute in different ways (products,
attention, dropout) is an ``Operations``: the one here is evaluation's, ``finetune/packed.py`` has
training's. The weights are the model's own, wherever they are in memory. Logits equal those of
transformers within 1e-5 (float32, other order of sums).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor
from torch.nn import functional

from workflow_scripts.model import families
from workflow_scripts.model.families import Architecture
from workflow_scripts.model.packing import Packed, has_onednn

Weights = Mapping[str, Tensor]  # a classifier's parameters by full name
Matrix = tuple[Tensor, Tensor]  # weight [out, in] and bias [out]; of a LayerNorm both [H]

_FUNCTIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "gelu": functional.gelu,
    "gelu_tanh": lambda states: functional.gelu(states, approximate="tanh"),
    "relu": functional.relu,
    "silu": functional.silu,
    "tanh": torch.tanh,
}
# The two forms of GELU that oneDNN computes as part of a product.
_FUSED = {"gelu": ("gelu", [], "none"), "gelu_tanh": ("gelu", [], "tanh")}


# Weights of a layer


@dataclass(frozen=True)
class Layer:
    """Weights of one layer, and full names of its dropout modules by place.

    ``dtype`` is that of the products of all tokens: of ``qkv``, ``attention_out``, ``up`` and
    ``down``; None leaves them as the model has them, like query, key, value and the norms.
    """

    query: Matrix
    key: Matrix
    value: Matrix
    attention_out: Matrix
    attention_norm: Matrix
    up: Matrix
    down: Matrix
    output_norm: Matrix
    dropouts: Mapping[str, str]
    dtype: torch.dtype | None
    stack: Callable[..., Tensor]

    @cached_property
    def qkv(self) -> Matrix:
        """Query, key and value below each other, [3H, H] and [3H]: one product for all three."""
        three = zip(self.query, self.key, self.value, strict=True)
        weight, bias = (_as(self.stack(*tensors), self.dtype) for tensors in three)
        return weight, bias


def read_layers(
    architecture: Architecture,
    weights: Weights,
    dtype: torch.dtype | None = None,
    operations: "Operations | None" = None,
) -> list[Layer]:
    """Weights of all layers as they are now, lowest first.

    Parameters
    ----------
    architecture : Architecture
    weights : mapping of str to Tensor
        The classifier's parameters by full name.
    dtype : torch.dtype, optional
        Of matrix products; the weights' own if None. Then nothing is copied, if query, key and
        value follow one another in memory, as a ``Plane`` arranges them.
    operations : Operations, optional
        Evaluation's if None.
    """
    family, stack = architecture.family, (operations or Operations()).stack
    layers = []
    for place in architecture.layers():
        matrices = {part: _matrix(weights, f"{place}.{n}") for part, n in family.parts.items()}
        for part in ("attention_out", "up", "down"):
            weight, bias = matrices[part]
            matrices[part] = _as(weight, dtype), _as(bias, dtype)
        dropouts = {part: f"{place}.{name}" for part, name in family.dropouts.items()}
        layers.append(Layer(**matrices, dropouts=dropouts, dtype=dtype, stack=stack))
    return layers


def _matrix(weights: Weights, name: str) -> Matrix:
    return weights[f"{name}.weight"], weights[f"{name}.bias"]


def _as(tensor: Tensor, dtype: torch.dtype | None) -> Tensor:
    return tensor if dtype is None else tensor.to(dtype)


# What evaluation and training compute in different ways


class Operations:
    """The operations of evaluation; training overrides them."""

    def lookup(self, table: str, weight: Tensor, rows: Tensor) -> Tensor:
        """Rows of an embedding table, [T, E]; ``table`` is its module's full name."""
        return weight[rows]

    def dropout(self, states: Tensor, module: str | None) -> Tensor:
        """The states with units dropped as the module of that name does; here none are."""
        return states

    def stack(self, *tensors: Tensor) -> Tensor:
        """Tensors of equal shape below each other: a view if they are so in memory, else a copy."""
        first = tensors[0].detach()
        step = first.numel() * first.element_size()
        for place, tensor in enumerate(tensors):
            same = tensor.untyped_storage().data_ptr() == first.untyped_storage().data_ptr()
            if not same or tensor.data_ptr() != first.data_ptr() + place * step:
                return torch.cat(tensors)
        return first.as_strided((len(tensors) * len(first), *first.shape[1:]), first.stride())

    def linear(self, states: Tensor, matrix: Matrix, activation: str | None = None) -> Tensor:
        """``activation(states weight' + bias)``, computed and returned in the weight's type.

        On a CPU by oneDNN, whose float32 products take a sixth less time on AMD's processors than
        those of MKL, which PyTorch's own linear layer calls, and about as much on Intel's.
        """
        weight, bias = matrix
        states = states.to(weight.dtype)
        function = families.ACTIVATIONS[activation] if activation else None
        if weight.device.type == "cpu" and has_onednn(weight.dtype):
            fused = _FUSED.get(function, ("none", [], ""))
            out = torch.ops.mkldnn._linear_pointwise(states, weight, bias, *fused)
            return out if function is None or function in _FUSED else _FUNCTIONS[function](out)
        out = functional.linear(states, weight, bias)
        return out if function is None else _FUNCTIONS[function](out)

    def attend(self, heads: int, layer: Layer, packed: Packed, states: Tensor) -> Tensor:
        """Self-attention output before its output matrix, [T, H]."""
        qkv = self.linear(states, layer.qkv).view(len(states), 3, heads, -1)
        context = qkv.new_empty(len(states), heads, qkv.shape[-1])
        for tokens, examples, length in packed.spans():
            # [examples length, 3, heads, d] -> three of [examples, heads, length, d]
            query, key, value = qkv[tokens].unflatten(0, (examples, length)).permute(2, 0, 3, 1, 4)
            out = functional.scaled_dot_product_attention(query, key, value)
            context[tokens].unflatten(0, (examples, length)).copy_(out.transpose(1, 2))
        return context.flatten(1)

    def attend_first(
        self, heads: int, layer: Layer, packed: Packed, states: Tensor, firsts: Tensor
    ) -> Tensor:
        """Self-attention output of the first tokens, [N, H], without keys and values.

        Since q.(K h + k) = (K'q).h + q.k, where q.k is the same for all tokens and leaves the
        softmax as it is, and the weights p sum to 1, so that sum p (V h + v) = V (sum p h) + v.
        """

        def by_head(tensor: Tensor) -> Tensor:
            return tensor.view(heads, -1, *tensor.shape[1:])  # [H, ...] to [heads, d, ...]

        query = torch.einsum("nx,hdx->nhd", firsts, by_head(layer.query[0]))
        query = query + by_head(layer.query[1])
        scaled = query * query.shape[-1] ** -0.5
        asking = torch.einsum("nhd,hdx->nhx", scaled, by_head(layer.key[0]))  # K'q, [N, heads, H]
        mean = torch.empty_like(asking)  # sum p h
        for first, token, examples, length in packed.groups:
            chosen = slice(first, first + examples)
            own = states[token : token + examples * length].view(examples, length, -1)
            mean[chosen] = (asking[chosen] @ own.transpose(1, 2)).softmax(-1) @ own
        context = torch.einsum("nhx,hdx->nhd", mean, by_head(layer.value[0]))
        return (context + by_head(layer.value[1])).flatten(1)


# The network


def embed(
    architecture: Architecture,
    weights: Weights,
    packed: Packed,
    operations: Operations | None = None,
) -> Tensor:
    """Hidden states below the first layer, float32 of shape [T, H].

    The weights must be on the device of ``packed``.
    """
    operations = operations or Operations()
    rows = {"word": packed.tokens, "token_type": packed.types, "position": packed.positions}
    states = None
    for table in ("word", "token_type", "position"):  # the order of transformers' sums
        if table in architecture.tables:
            name = f"{architecture.embeddings}.{table}_embeddings"
            part = operations.lookup(name, weights[f"{name}.weight"], rows[table])
            states = part if states is None else states + part
    norm = _matrix(weights, f"{architecture.embeddings}.LayerNorm")
    states = _norm(architecture, states, norm)
    states = operations.dropout(states, f"{architecture.embeddings}.dropout")
    if architecture.projection:  # [T, E] to [T, H]
        states = functional.linear(states, *_matrix(weights, architecture.projection))
    return states


def run_layer(
    architecture: Architecture,
    layer: Layer,
    packed: Packed,
    states: Tensor,
    last: bool,
    operations: Operations | None = None,
) -> Tensor:
    """Hidden states above a layer, float32.

    Parameters
    ----------
    architecture : Architecture
    layer : Layer
        Of ``read_layers``.
    packed : Packed
    states : Tensor of shape [T, H]
        Hidden states of all tokens below the layer, float32.
    last : bool
        Whether the layer is the model's last, and only the head reads what it gives.
    operations : Operations, optional
        Evaluation's if None, here and below.

    Returns
    -------
    Tensor of shape [T, H]; of the last layer the first tokens alone, [N, H].
    """
    heads, operations = architecture.num_attention_heads, operations or Operations()
    if last:
        firsts = states.index_select(0, packed.firsts)
        context = operations.attend_first(heads, layer, packed, states, firsts)
        states = firsts
    else:
        context = operations.attend(heads, layer, packed, states)
    attended = operations.linear(context, layer.attention_out)
    attended = operations.dropout(attended, layer.dropouts.get("attention_out"))
    states = _norm(architecture, states + attended, layer.attention_norm)
    inner = operations.linear(states, layer.up, architecture.hidden_act)
    outer = operations.dropout(operations.linear(inner, layer.down), layer.dropouts.get("down"))
    return _norm(architecture, states + outer, layer.output_norm)


def _norm(architecture: Architecture, states: Tensor, weights: Matrix) -> Tensor:
    return functional.layer_norm(states, states.shape[1:], *weights, architecture.layer_norm_eps)


def head(
    architecture: Architecture,
    weights: Weights,
    states: Tensor,
    operations: Operations | None = None,
) -> Tensor:
    """Logits [N, K] of the first tokens' hidden states [N, H] above the last layer."""
    parts, operations = architecture.head, operations or Operations()
    if parts.drops_input:
        states = operations.dropout(states, parts.dropout)
    inner = functional.linear(states, *_matrix(weights, parts.dense))
    inner = _FUNCTIONS[families.ACTIVATIONS[parts.activation]](inner)
    inner = operations.dropout(inner, parts.dropout)
    return functional.linear(inner, *_matrix(weights, parts.out))


def states(
    architecture: Architecture,
    weights: Weights,
    packed: Packed,
    operations: Operations | None = None,
) -> Tensor:
    """Hidden states [T, H] of all tokens above the last layer."""
    found = embed(architecture, weights, packed, operations)
    for layer in read_layers(architecture, weights, operations=operations):
        found = run_layer(architecture, layer, packed, found, last=False, operations=operations)
    return found


def logits(
    architecture: Architecture,
    weights: Weights,
    packed: Packed,
    operations: Operations | None = None,
) -> Tensor:
    """Logits [N, K] of packed examples, in their order."""
    layers = read_layers(architecture, weights, operations=operations)
    states = embed(architecture, weights, packed, operations)
    for layer in layers[:-1]:
        states = run_layer(architecture, layer, packed, states, last=False, operations=operations)
    states = run_layer(architecture, layers[-1], packed, states, last=True, operations=operations)
    return head(architecture, weights, states, operations)


def attention_weights(
    architecture: Architecture, layer: Layer, packed: Packed, states: Tensor
) -> list[Tensor]:
    """Attention weights of a layer, after the softmax.

    Parameters
    ----------
    architecture : Architecture
    layer : Layer
    packed : Packed
    states : Tensor of shape [T, H]
        Hidden states below the layer, as in ``run_layer``.

    Returns
    -------
    list of Tensor of shape [n, heads, length, length], query then key; one for each of
    ``packed.groups``, of its n examples of one length.
    """
    heads = architecture.num_attention_heads
    asking = 2 * states.shape[1]  # the rows of queries and keys
    projected = Operations().linear(states, (layer.qkv[0][:asking], layer.qkv[1][:asking]))
    projected, weights = projected.view(len(states), 2, heads, -1), []
    for tokens, examples, length in packed.spans():
        query, key = projected[tokens].unflatten(0, (examples, length)).permute(2, 0, 3, 1, 4)
        query = query * query.shape[-1] ** -0.5
        weights.append((query @ key.transpose(-1, -2)).softmax(-1))
    return weights
