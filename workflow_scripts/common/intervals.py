"""Bootstrap and jackknife intervals, 95 % unless stated otherwise. Needs no PyTorch."""

from dataclasses import dataclass

import numpy as np

_PERCENTILES = [2.5, 97.5]


@dataclass(frozen=True)
class Estimate:
    """A number with its jackknife interval; floats, or arrays of one shape.

    Attributes
    ----------
    value, low, high : float or ndarray
        The number and the ends of its interval.
    error : float or ndarray
        Standard error.
    left_out : ndarray of shape (G, ...)
        The number without each of the G groups; intervals of differences follow from these.
    """

    value: float | np.ndarray
    low: float | np.ndarray
    high: float | np.ndarray
    error: float | np.ndarray
    left_out: np.ndarray


def resampled_means(values: np.ndarray, resamples: int, seed: int) -> np.ndarray:
    """Means over bootstrap samples of the examples.

    Every row is averaged over the same examples, so that differences between rows keep their
    correlation (a paired bootstrap).

    Parameters
    ----------
    values : ndarray of shape (P, N)
        A number per row (such as a point of a surface) and example.
    resamples : int
        Bootstrap samples, each of N examples drawn with replacement.
    seed : int
        The same seed and the same N draw the same examples.

    Returns
    -------
    ndarray of shape (resamples, P), float64
        NaN where a value that is not finite was drawn.

    References
    ----------
    Efron & Tibshirani (1993), chapter 6.
    """
    rng = np.random.default_rng(seed)
    n = values.shape[1]
    counts = rng.multinomial(n, np.full(n, 1 / n), size=resamples)
    finite = np.nan_to_num(values.astype(np.float64), nan=0.0, posinf=0.0, neginf=0.0)
    means = counts @ finite.T / n
    broken = ~np.isfinite(values)
    if broken.any():
        means[(counts @ broken.T.astype(np.int64)) > 0] = np.nan
    return means


def percentile_interval(
    draws: np.ndarray | list[float], axis: int | None = None
) -> tuple[np.floating | np.ndarray, np.floating | np.ndarray]:
    """The 2.5th and the 97.5th percentile of bootstrap draws.

    Parameters
    ----------
    draws : array_like
        NaN where any draw is NaN.
    axis : int, optional
        That of the draws; all of them by default.

    References
    ----------
    Efron & Tibshirani (1993), chapter 13.
    """
    low, high = np.percentile(draws, _PERCENTILES, axis=axis)
    return low, high


def jackknife_interval(
    value: float | np.ndarray, left_out: np.ndarray | list, level: float = 0.95
) -> Estimate:
    """Interval of a number from its values without each of G groups of examples.

    It is value ± t · error, with Student's t for G − 1 degrees of freedom.

    Parameters
    ----------
    value : float or ndarray
        Of all examples.
    left_out : array_like of shape (G, ...)
        Without each group; the groups are about equally large.
    level : float
        Of the interval, 0 to 1.

    References
    ----------
    Efron & Tibshirani (1993), chapter 11.
    """
    from scipy.special import stdtrit  # of Student's t; scipy.stats takes half a second to import

    value, left_out = np.asarray(value, dtype=float), np.asarray(left_out, dtype=float)
    groups = len(left_out)
    error = np.sqrt((groups - 1) * left_out.var(axis=0))
    half = stdtrit(groups - 1, (1 + level) / 2) * error
    numbers = (value, value - half, value + half, error)
    return Estimate(*(number if number.ndim else float(number) for number in numbers), left_out)
