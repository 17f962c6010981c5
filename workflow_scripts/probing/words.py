"""From a tokenizer's pieces to words: which pieces a word has, and their mean."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from workflow_scripts.common.errors import UserError


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


def joined(words: Sequence[str]) -> tuple[str, np.ndarray]:
    """A sentence's text, single spaces between its words, and where each word is.

    Parameters
    ----------
    words : sequence of W str
        Words in the order of the sentence.

    Returns
    -------
    text : str
    spans : ndarray of shape (W, 2), int64
        First character of each word, and the one after its last.
    """
    lengths = np.array([len(word) for word in words], dtype=np.int64)
    stop = np.cumsum(lengths + 1) - 1
    return " ".join(words), np.stack([stop - lengths, stop], axis=1).reshape(-1, 2)


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


def word_means(hidden: np.ndarray, pieces: Pieces) -> np.ndarray:
    """Mean of the vectors of each word's pieces, float64 of shape (W, d); NaN if it is not whole.

    Parameters
    ----------
    hidden : ndarray of shape (T, d)
        Vectors of one sentence's pieces, those that the model read.
    pieces : Pieces
        From ``pieces_of_words``.
    """
    means = np.full((len(pieces.first), hidden.shape[1]), np.nan)
    for word in np.flatnonzero(pieces.whole):
        means[word] = hidden[pieces.first[word] : pieces.stop[word]].mean(axis=0, dtype=np.float64)
    return means


def target_vectors(means: np.ndarray, places: Sequence[Sequence[int]]) -> np.ndarray:
    """Vectors of targets, (targets, d) or (targets, 2 d): those of their words, side by side.

    Parameters
    ----------
    means : ndarray of shape (W, d)
        From ``word_means``. A target of a word that is not whole becomes NaN.
    places : sequence of sequences of int
        Places of each target's words: equally many of each.
    """
    return np.stack([means[list(words)].reshape(-1) for words in places])
