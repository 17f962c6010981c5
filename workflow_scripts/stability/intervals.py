"""Confidence intervals for few runs; their coverage is tested by simulation. Needs no PyTorch.

``benchmarks/coverage.py`` prints the coverage of each beside that of the usual alternative.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf, isnan, nan

import numpy as np

# scipy.special instead of scipy.stats, whose import takes half a second of every job.
from scipy.special import chdtri, ndtri, stdtrit


@dataclass(frozen=True)
class Interval:
    """A number with its confidence limits.

    Parameters
    ----------
    value : float
        The estimate.
    low, high : float
        Limits, in the unit of the value; NaN where there is no interval, infinite where the
        interval is one-sided.
    """

    value: float
    low: float
    high: float

    @property
    def known(self) -> bool:
        """Whether there is an interval, one-sided or not."""
        return not (isnan(self.low) or isnan(self.high))

    def map(self, function: Callable[[float], float]) -> "Interval":
        """The interval of an increasing function of the number."""
        return Interval(function(self.value), function(self.low), function(self.high))

    def clipped(self, lowest: float = -inf, highest: float = inf) -> "Interval":
        """The interval with its limits moved into the range of the quantity; the value stays."""
        if not self.known:
            return self
        low, high = (min(max(limit, lowest), highest) for limit in (self.low, self.high))
        return Interval(self.value, low, high)


def student_t(
    value: float, error: float, freedom: float, level: float = 0.95, log: bool = False
) -> Interval:
    """Interval of an estimate with a standard error, by Student's t.

    Parameters
    ----------
    value : float
        The estimate.
    error : float
        Its standard error.
    freedom : float
        Degrees of freedom of the standard error; below 1 there is no interval.
    level : float
        Nominal coverage, 0 to 1.
    log : bool
        Compute on the log scale, so that the limits of a positive quantity are positive. A value
        of 0 then has no interval.
    """
    if not freedom >= 1 or isnan(error) or (log and not value > 0):
        return Interval(value, nan, nan)
    half = float(stdtrit(freedom, (1 + level) / 2)) * error
    if log:
        factor = float(np.exp(half / value))
        return Interval(value, value / factor, value * factor)
    return Interval(value, value - half, value + half)


def of_mean(values: np.ndarray, level: float = 0.95) -> Interval:
    """Student's t interval of a mean over runs.

    Parameters
    ----------
    values : ndarray of shape (runs,)
        One number per run. A single run has no interval.
    level : float
        Nominal coverage, 0 to 1.
    """
    values = np.asarray(values, dtype=float)
    n = len(values)
    error = values.std(ddof=1) / n**0.5 if n > 1 else nan
    return student_t(float(values.mean()), float(error), n - 1, level)


def of_standard_deviation(values: np.ndarray, level: float = 0.95) -> Interval:
    """Chi-square interval of a standard deviation.

    It is exact for normal values and conservative for the bimodal scores of a recipe of which
    a fifth of the runs or more fail. Where fewer do, most experiments see few of them or none, and
    no interval of the spread can know of them (``benchmarks/coverage.py``): the failure rate says
    more then. The percentile bootstrap is far too narrow for the usual number of runs.

    Parameters
    ----------
    values : ndarray of shape (runs,)
        Finite; fewer than 2 have no standard deviation.
    level : float
        Nominal coverage, 0 to 1.

    Returns
    -------
    Interval
        Its value has the denominator n - 1.
    """
    n = len(values)
    if n < 2:
        return Interval(nan, nan, nan)
    value = float(np.std(values, ddof=1))
    # chdtri inverts the upper tail.
    low, high = (
        value * float(((n - 1) / chdtri(n - 1, tail)) ** 0.5)
        for tail in ((1 - level) / 2, (1 + level) / 2)
    )
    return Interval(value, low, high)


def of_rate(count: int, total: int, level: float = 0.95) -> Interval:
    """Wilson score interval of a rate.

    Parameters
    ----------
    count, total : int
        ``count`` of ``total`` (more than 0) runs or examples.
    level : float
        Nominal coverage, 0 to 1.

    References
    ----------
    Wilson (1927); Newcombe (1998), Statistics in Medicine 17, 857-872, method 3.
    """
    if not 0 <= count <= total or total == 0:
        raise ValueError(f"count, total: got {count} of {total}")
    z = float(ndtri((1 + level) / 2))
    p = count / total
    centre = (p + z**2 / (2 * total)) / (1 + z**2 / total)
    half = z / (1 + z**2 / total) * (p * (1 - p) / total + z**2 / (4 * total**2)) ** 0.5
    # Rounding must not move the limits off 0 and 1, nor across the rate.
    low = 0.0 if count == 0 else max(0.0, centre - half)
    high = 1.0 if count == total else min(1.0, centre + half)
    return Interval(p, low, high)


def of_rate_difference(
    count1: int, total1: int, count2: int, total2: int, level: float = 0.95
) -> Interval:
    """Newcombe's interval of the difference of two independent rates, first minus second.

    Parameters
    ----------
    count1, total1, count2, total2 : int
        Counts and totals of the two samples.
    level : float
        Nominal coverage, 0 to 1.

    References
    ----------
    Newcombe (1998), Statistics in Medicine 17, 873-890, method 10.
    """
    first, second = of_rate(count1, total1, level), of_rate(count2, total2, level)
    return difference_of(first, second, lowest=-1.0)


def of_paired_rate_difference(first: np.ndarray, second: np.ndarray, level: float = 0.95):
    """Newcombe's interval of the difference of two paired rates, first minus second.

    The limits do not collapse where no pair differs.

    Parameters
    ----------
    first, second : ndarray of bool of shape (n,)
        Of the same examples (or seeds), in the same order.
    level : float
        Nominal coverage, 0 to 1.

    Returns
    -------
    Interval
        Difference of the rates, -1 to 1.

    References
    ----------
    Newcombe (1998), Statistics in Medicine 17, 2635-2650, method 10.
    """
    first, second = np.asarray(first, dtype=bool), np.asarray(second, dtype=bool)
    n = len(first)
    if len(second) != n or n == 0:
        raise ValueError(f"first, second: got {n} and {len(second)} values")
    both, neither = int((first & second).sum()), int((~first & ~second).sum())
    one, other = int((first & ~second).sum()), int((~first & second).sum())
    margins = (both + one) * (other + neither) * (both + other) * (one + neither)
    covered = both * neither - one * other
    if covered > 0:  # the continuity correction of the correlation
        covered = max(covered - n / 2, 0)
    correlation = covered / margins**0.5 if margins else 0.0
    rates = of_rate(both + one, n, level), of_rate(both + other, n, level)
    return difference_of(*rates, correlation, lowest=-1.0)


def difference_of(
    first: Interval, second: Interval, correlation: float = 0.0, lowest: float = -inf
) -> Interval:
    """Interval of a difference from the intervals of its terms, first minus second (MOVER).

    Parameters
    ----------
    first, second : Interval
        Of the terms, perhaps lopsided.
    correlation : float
        Of the two estimates, -1 to 1.
    lowest : float
        Least possible difference; minus it is the largest.

    References
    ----------
    Zou and Donner (2008), Statistics in Medicine 27, 1693-1702, equation 9.
    """
    value = first.value - second.value
    if not (first.known and second.known):
        return Interval(value, nan, nan)

    def half(a: float, b: float) -> float:
        return max(0.0, a * a - 2 * correlation * a * b + b * b) ** 0.5

    down = half(first.value - first.low, second.high - second.value)
    up = half(first.high - first.value, second.value - second.low)
    return Interval(value, value - down, value + up).clipped(lowest, -lowest)


def of_mean_difference(first: np.ndarray, second: np.ndarray, level: float = 0.95) -> Interval:
    """Welch's interval of the difference of the means of two samples, first minus second.

    Parameters
    ----------
    first, second : ndarray of shape (n,), (m,)
        Independent runs; with fewer than 2 in one of them there is no interval.
    level : float
        Nominal coverage, 0 to 1.
    """
    parts = [np.asarray(values, dtype=float) for values in (first, second)]
    value = float(parts[0].mean() - parts[1].mean())
    if min(map(len, parts)) < 2:
        return Interval(value, nan, nan)
    return combined(value, [(float(p.var(ddof=1)) / len(p), len(p) - 1) for p in parts], level)


def combined(
    value: float, variances: Sequence[tuple[float, float]], level: float = 0.95
) -> Interval:
    """Interval of an estimate whose variance is a sum of independent estimates.

    Parameters
    ----------
    value : float
        The estimate.
    variances : sequence of (variance, degrees of freedom)
        Of the estimate, from each source.
    level : float
        Nominal coverage, 0 to 1.

    References
    ----------
    Welch (1938), Satterthwaite (1946).
    """
    total = sum(variance for variance, _ in variances)
    scale = sum(variance**2 / freedom for variance, freedom in variances)
    freedom = total**2 / scale if scale > 0 else min(freedom for _, freedom in variances)
    return student_t(value, total**0.5, freedom, level)


def over_runs(intervals: Sequence[Interval], level: float = 0.95) -> Interval:
    """Mean over runs of a number that each run has with an interval over examples.

    The runs share their examples, so that the examples' part of the error does not shrink with
    the number of runs: its mean is added, in quadrature, to Student's t half width over runs.

    Parameters
    ----------
    intervals : sequence of Interval
        One per run. A single run keeps its own.
    level : float
        Nominal coverage of the part over runs; that of the others is their own.

    References
    ----------
    Zou and Donner (2008), Statistics in Medicine 27, 1693-1702, for limits of a sum from the
    limits of its terms.
    """
    if len(intervals) == 1:
        return intervals[0]
    mean = of_mean(np.array([i.value for i in intervals]), level)
    half = mean.high - mean.value
    down = np.mean([i.value - i.low for i in intervals])
    up = np.mean([i.high - i.value for i in intervals])
    return Interval(
        mean.value, float(mean.value - np.hypot(half, down)), float(mean.value + np.hypot(half, up))
    )


def jackknife(
    function: Callable[[np.ndarray], np.ndarray | float], units: int
) -> tuple[np.ndarray, np.ndarray]:
    """Value of a function of a set of units, and its variance by leaving out one at a time.

    Parameters
    ----------
    function : callable
        From indices of the units (ndarray of int) to a number or an array.
    units : int
        Their number, 2 or more.

    Returns
    -------
    value, variance : ndarray
        Of the shape that the function gives.

    References
    ----------
    Efron and Tibshirani (1993), An Introduction to the Bootstrap, equation 11.5.
    """
    everything = np.arange(units)
    left_out = np.array([function(np.delete(everything, i)) for i in range(units)], dtype=float)
    value = np.asarray(function(everything), dtype=float)
    return value, (units - 1) * left_out.var(axis=0)


def of_auc(auc: float, positives: int, negatives: int, level: float = 0.95) -> Interval:
    """Score interval of an area under the ROC curve; it does not collapse at 0 and 1.

    Parameters
    ----------
    auc : float
        Share of the pairs of a positive and a negative in which the positive is the higher.
    positives, negatives : int
        Their numbers; with none of one kind there is no interval.
    level : float
        Nominal coverage, 0 to 1.

    References
    ----------
    Newcombe (2006), Statistics in Medicine 25, 559-573, method 5; Hanley and McNeil (1982) for
    the variance.
    """
    if min(positives, negatives) < 1:
        return Interval(auc, nan, nan)
    z = float(ndtri((1 + level) / 2))
    mean = (positives + negatives) / 2 - 1

    def outside(area: float) -> bool:
        extra = mean * ((1 - area) / (2 - area) + area / (1 + area))
        return (area - auc) ** 2 > z**2 * area * (1 - area) * (1 + extra) / (positives * negatives)

    def limit(far: float) -> float:
        near = auc
        for _ in range(60):
            middle = (near + far) / 2
            near, far = (near, middle) if outside(middle) else (middle, far)
        return near

    return Interval(auc, limit(0.0), limit(1.0))
