"""From a tokenizer's pieces to words: which pieces a word has, and their mean."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from workflow_scripts.common.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, eq=False)
class Pieces:
    """Pieces of the words of one sentence.

    Attributes
    ----------
    first, stop : ndarray of shape (W,), int64
        A word's pieces are those from ``first`` to ``stop`` − 1; none if both are equal.
    cut : ndarray of shape (W,), bool
        A piece of the word is beyond the longest input: the word is left out.
    empty : ndarray of shape (W,), bool
        The tokenizer makes no piece of the word (a control character, for instance).
    """

    first: np.ndarray
    stop: np.ndarray
    cut: np.ndarray
    empty: np.ndarray

    @property
    def whole(self) -> np.ndarray:
        """Words (W,) that have all their pieces."""
        return ~(self.cut | self.empty)


def pieces_of_words(offsets: np.ndarray, spans: np.ndarray, kept: int) -> Pieces:
    """Which pieces belong to which word: those that share a character with it.

    Parameters
    ----------
    offsets : ndarray of shape (T, 2), integers
        First character of each piece and the one after its last, as the tokenizer gives them for
        the text that is not cut; special tokens have no characters (0, 0).
    spans : ndarray of shape (W, 2), integers
        The same of the words, ascending, none of them overlapping.
    kept : int
        Pieces that the model reads: the first ``kept``.

    Raises
    ------
    UserError
        If pieces are not in the order of the text.
    """
    offsets = np.asarray(offsets, dtype=np.int64).reshape(-1, 2)
    spans = np.asarray(spans, dtype=np.int64).reshape(-1, 2)
    real = np.flatnonzero(offsets[:, 1] > offsets[:, 0])
    starts, stops = offsets[real].T
    if (np.diff(starts) < 0).any() or (np.diff(stops) < 0).any():
        raise UserError("pieces: got offsets that go back in the text, expected its order")
    # Pieces that end after the word's start, up to those that start before its end.
    low = np.searchsorted(stops, spans[:, 0], side="right")
    high = np.searchsorted(starts, spans[:, 1], side="left")
    empty = high <= low
    if len(real):
        first = np.where(empty, 0, real[np.minimum(low, len(real) - 1)])
        stop = np.where(empty, 0, real[np.maximum(high, 1) - 1] + 1)
    else:
        first = stop = np.zeros(len(spans), dtype=np.int64)
    return Pieces(first, stop, ~empty & (stop > kept), empty)


def target_rows(
    first: np.ndarray, stop: np.ndarray, offsets: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Rows of the words' pieces in a matrix that holds the tokens of several sentences.

    Parameters
    ----------
    first, stop : ndarray of shape (m, k), int64
        Pieces of each target's words in their sentence.
    offsets : ndarray of shape (m,), int64
        Row of the first token of each target's sentence.

    Returns
    -------
    rows : ndarray of shape (P,), int64
        All pieces of the first target's first word, of its second, of the second target's first, …
    word : ndarray of shape (P,), int64
        Which of the m k words each belongs to.
    """
    counts = (stop - first).ravel()
    begins = (first + offsets[:, None]).ravel()
    skipped = np.cumsum(counts) - counts
    rows = np.repeat(begins - skipped, counts) + np.arange(counts.sum())
    return rows, np.repeat(np.arange(len(counts)), counts)


def target_means(states: Tensor, rows: np.ndarray, word: np.ndarray, shape: tuple[int, int]):
    """Vectors of targets: means of their words' pieces, those of a pair side by side.

    Parameters
    ----------
    states : Tensor of shape [T, d]
        Vectors of all tokens; gradients flow through it.
    rows, word : ndarray of shape (P,)
        From ``target_rows``.
    shape : tuple of (int, int)
        Number of targets m, and of words of each k.

    Returns
    -------
    Tensor of shape [m, k d], of the states' type.
    """
    import torch

    count, each = shape
    index, owner = (torch.from_numpy(part).to(states.device) for part in (rows, word))
    sums = states.new_zeros((count * each, states.shape[1]))
    sums = sums.index_add(0, owner, states.index_select(0, index))
    sizes = torch.bincount(owner, minlength=count * each).to(states.dtype)
    return (sums / sizes[:, None]).view(count, each * states.shape[1])
