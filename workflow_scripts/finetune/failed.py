"""Whether a run learned: its accuracy against that of the majority class. Needs no PyTorch."""

from dataclasses import dataclass
from math import isfinite

import numpy as np


@dataclass(frozen=True)
class Majority:
    """The classifier that always answers with the most frequent label of the dev set.

    Parameters
    ----------
    correct, examples : int
        Dev examples that it gets right, and all.
    """

    correct: int
    examples: int

    @property
    def accuracy(self) -> float:
        """Its accuracy, 0 to 1."""
        return self.correct / self.examples


def majority(labels: np.ndarray) -> Majority:
    """The majority classifier of a dev set.

    Parameters
    ----------
    labels : ndarray of int of shape (examples,)
        Label ids, at least one.
    """
    counts = np.bincount(np.asarray(labels))
    return Majority(int(counts.max()), int(counts.sum()))


def is_failed(accuracy: float, baseline: Majority) -> bool:
    """Whether a run failed: its accuracy at the end is that of the majority classifier or less.

    Parameters
    ----------
    accuracy : float
        On the dev set at the end of training, 0 to 1; NaN for a run that diverged, which failed.
    baseline : Majority
        Of the same dev set.

    References
    ----------
    Mosbach et al. (2021), section 3. It is the accuracy that counts, whatever metric is reported:
    the F1 of a constant answer may be high.
    """
    if not isfinite(accuracy):
        return True
    return round(accuracy * baseline.examples) <= baseline.correct
