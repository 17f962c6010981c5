"""Intervals from leaving out one group of examples at a time. Needs no PyTorch."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Estimate:
    """A number with its jackknife interval: ``value``, ``low``, ``high``, standard ``error``.

    Floats, or arrays of one shape if the measure gives arrays. ``left_out`` [G, ...]: the measure
    without each group, from which intervals of differences follow.
    """

    value: float | np.ndarray
    low: float | np.ndarray
    high: float | np.ndarray
    error: float | np.ndarray
    left_out: np.ndarray


def estimate(value: float | np.ndarray, left_out: np.ndarray, level: float = 0.95) -> Estimate:
    """The interval of a number from its values without each of G groups, as in ``jackknife``.

    Parameters
    ----------
    value : of all rows, a float or an array.
    left_out : without each group [G, ...].
    level : of the interval, 0 to 1.
    """
    from scipy.special import stdtrit  # of Student's t; scipy.stats takes half a second to import

    value, left_out = np.asarray(value, dtype=float), np.asarray(left_out, dtype=float)
    groups = len(left_out)
    error = np.sqrt((groups - 1) * left_out.var(axis=0))
    half = stdtrit(groups - 1, (1 + level) / 2) * error
    found = (value, value - half, value + half, error)
    return Estimate(*(number if number.ndim else float(number) for number in found), left_out)
