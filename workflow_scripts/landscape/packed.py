"""A forward pass without padding, for BERT, RoBERTa and ELECTRA classifiers.

The tokens of all examples lie in one matrix, sorted by length; attention runs once per length;
the last layer answers for the first token only, since nothing else reaches the head. The model's
own modules do the rest, so the weights are wherever the model has them. Equal to the plain
forward within 1e-5 in logits (float32, other order of sums).
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from transformers import (
    BertForSequenceClassification,
    ElectraForSequenceClassification,
    RobertaForSequenceClassification,
)

from workflow_scripts.model.text import Encoded

_FAMILIES = (
    BertForSequenceClassification,
    ElectraForSequenceClassification,
    RobertaForSequenceClassification,
)


def can_pack(module: nn.Module) -> bool:
    """Whether a classifier's architecture is one that this module computes."""
    return type(module) in _FAMILIES and not module.config.is_decoder


@dataclass(frozen=True)
class Packed:
    """Examples of one pass: T tokens of N examples, sorted by length.

    ``tokens``, ``positions``, ``types`` : shape [1, T], as the embeddings take them.
    ``lengths`` : runs of examples of one length, as (examples, length).
    ``firsts`` : place of every example's first token [N].
    ``order`` : which examples, by their place in the split [N].
    """

    tokens: Tensor
    positions: Tensor
    types: Tensor
    lengths: list[tuple[int, int]]
    firsts: Tensor
    order: np.ndarray


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
    base = getattr(module, module.base_model_prefix)
    offset = getattr(base.embeddings, "padding_idx", -1) + 1
    types = (
        [encoded.token_type_ids[i] for i in indices]
        if encoded.token_type_ids is not None and module.config.type_vocab_size > 1
        else [[0] * len(row) for row in rows]
    )
    lengths = encoded.lengths[indices]
    sizes, counts = np.unique(lengths, return_counts=True)

    def line(values: list[list[int]]) -> Tensor:
        return torch.tensor([[v for row in values for v in row]], device=device)

    return Packed(
        tokens=line(rows),
        positions=line([list(range(offset, offset + len(row))) for row in rows]),
        types=line(types),
        lengths=list(zip(counts.tolist(), sizes.tolist(), strict=True)),
        firsts=torch.from_numpy(np.cumsum(lengths) - lengths).to(device),
        order=indices,
    )


def embed(module: nn.Module, packed: Packed) -> Tensor:
    """Hidden states below the first layer, shape [T, H].

    The module must be in ``eval()`` mode (no dropout) and on the device of ``packed``, as for
    ``layers_from`` and ``head``.
    """
    base = getattr(module, module.base_model_prefix)
    states = base.embeddings(
        input_ids=packed.tokens, token_type_ids=packed.types, position_ids=packed.positions
    )
    if hasattr(base, "embeddings_project"):
        states = base.embeddings_project(states)
    return states[0]


def layers_from(module: nn.Module, packed: Packed, states: Tensor, first: int, last: int) -> Tensor:
    """Hidden states behind layer ``last - 1``, given those before layer ``first``.

    Parameters
    ----------
    states : hidden states of all tokens [T, H], from ``embed`` or an earlier call.
    first, last : 0 <= first <= last <= number of layers; nothing happens where they are equal.

    Returns
    -------
    Shape [T, H]; behind the model's last layer the first token's alone, [N, H].
    """
    layers = getattr(module, module.base_model_prefix).encoder.layer
    for index in range(first, last):
        layer = layers[index]
        asking = states[packed.firsts] if index == len(layers) - 1 else states
        context = _attend(layer.attention.self, packed, asking, states)
        states = layer.attention.output(context, asking)
        states = layer.output(layer.intermediate(states), states)
    return states


def head(module: nn.Module, states: Tensor) -> Tensor:
    """Logits [N, K] of the first tokens' hidden states [N, H] behind the last layer."""
    pooler = getattr(getattr(module, module.base_model_prefix), "pooler", None)
    if pooler is not None:
        return module.classifier(pooler(states[:, None]))
    return module.classifier(states[:, None])


def _attend(attention: nn.Module, packed: Packed, asking: Tensor, states: Tensor) -> Tensor:
    """Attention of ``asking`` (all tokens, or each example's first) over its own example."""
    heads = attention.num_attention_heads
    query, key, value = attention.query(asking), attention.key(states), attention.value(states)
    context = torch.empty_like(query)
    token = row = 0
    for examples, length in packed.lengths:
        asked = 1 if len(asking) < len(states) else length
        tokens, rows = examples * length, examples * asked
        q = query[row : row + rows].view(examples, asked, heads, -1)
        k = key[token : token + tokens].view(examples, length, heads, -1)
        v = value[token : token + tokens].view(examples, length, heads, -1)
        out = nn.functional.scaled_dot_product_attention(
            q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2), scale=attention.scaling
        )
        context[row : row + rows] = out.transpose(1, 2).reshape(rows, -1)
        token, row = token + tokens, row + rows
    return context
