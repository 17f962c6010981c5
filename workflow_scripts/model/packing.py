"""Packing: the tokens of many examples in one sequence, sorted by length, without padding."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import accumulate

import numpy as np
import torch
from torch import Tensor

from workflow_scripts.model.families import Architecture
from workflow_scripts.model.text import Encoded


@dataclass(frozen=True)
class Packed:
    """Examples of one pass: T tokens of N examples, sorted by length.

    Attributes
    ----------
    tokens, positions, types : Tensor of shape [T]
        Id, position and token type of each token, int64.
    groups : list of tuple of int
        Examples of one length: first example, first token, number of examples, length.
    firsts : Tensor of shape [N]
        Index of every example's first token.
    """

    tokens: Tensor
    positions: Tensor
    types: Tensor
    groups: list[tuple[int, int, int, int]]
    firsts: Tensor

    def spans(self) -> Iterator[tuple[slice, int, int]]:
        """Slice of the tokens of each group, its number of examples and their length."""
        for _, token, examples, length in self.groups:
            yield slice(token, token + examples * length), examples, length


def pack(architecture: Architecture, encoded: Encoded, indices: np.ndarray, device) -> Packed:
    """Pack the examples of one pass.

    Parameters
    ----------
    architecture : Architecture
    encoded : Encoded
    indices : ndarray of shape (N,)
        Indices in ``encoded``, by increasing length.
    device : torch.device
        Where the weights are.
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

    def flat(values: list[list[int]]) -> Tensor:
        return torch.tensor([v for row in values for v in row], device=device)

    return Packed(
        tokens=flat(rows),
        positions=flat([positions_of(architecture, row) for row in rows]),
        types=flat(types),
        groups=list(
            zip(*(array.tolist() for array in (places, firsts[places], counts, sizes)), strict=True)
        ),
        firsts=torch.from_numpy(firsts).to(device),
    )


def pack_batch(architecture: Architecture, batch: Mapping[str, Tensor]) -> Packed:
    """A batch of ``text.collate`` without padding, all of whose examples have one length.

    Raises
    ------
    ValueError
        If the batch is padded.
    """
    ids = batch["input_ids"]
    if not batch["attention_mask"].all():
        raise ValueError("a batch of examples of one length is expected, this one is padded")
    examples, length = ids.shape
    positions = torch.tensor(
        [positions_of(architecture, row) for row in ids.tolist()], device=ids.device
    )
    types = batch.get("token_type_ids")
    if types is None or architecture.type_vocab_size <= 1:
        types = torch.zeros_like(ids)
    return Packed(
        tokens=ids.flatten(),
        positions=positions.flatten(),
        types=types.flatten(),
        groups=[(0, 0, examples, length)],
        firsts=torch.arange(examples, device=ids.device) * length,
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
    built = torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_linear_pointwise")
    return built and (dtype == torch.float32 or torch.ops.mkldnn._is_mkldnn_bf16_supported())
