"""The tokens of many examples in one line, sorted by length: a pass without padding."""

from dataclasses import dataclass
from functools import cache
from itertools import accumulate

import numpy as np
import torch
from torch import Tensor

from workflow_scripts.model.architecture import Architecture
from workflow_scripts.model.text import Encoded


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
        positions=line([positions_of(architecture, row) for row in rows]),
        types=line(types),
        groups=list(
            zip(*(array.tolist() for array in (places, firsts[places], counts, sizes)), strict=True)
        ),
        firsts=torch.from_numpy(firsts).to(device),
    )


def positions_of(architecture: Architecture, ids: list[int]) -> list[int]:
    """Position of each token of an example.

    RoBERTa does not count a padding token, even within a text: its position is its own id.
    """
    first, padding = architecture.first_position, architecture.pad_token_id
    if first == 0 or padding not in ids:
        return list(range(first, first + len(ids)))
    counted = accumulate(token != padding for token in ids)
    return [
        padding if token == padding else padding + count
        for token, count in zip(ids, counted, strict=True)
    ]


@cache
def has_onednn(dtype: torch.dtype) -> bool:
    """Whether PyTorch's build has oneDNN's products, and this processor those of the type."""
    there = torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_linear_pointwise")
    return there and (dtype == torch.float32 or torch.ops.mkldnn._is_mkldnn_bf16_supported())
