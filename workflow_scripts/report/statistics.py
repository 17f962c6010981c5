"""Statistics that decide the claims: plain functions of arrays, and the verdict. Needs no PyTorch.

Intervals are over runs, or over runs and examples where both are sampled. Their coverage is tested
by simulation; ``benchmarks/coverage.py`` prints it beside that of the usual alternatives.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf, isfinite, nan, sqrt

import numpy as np
from scipy.special import stdtrit

from workflow_scripts.common.thresholds import LEAST_RUNS, LEVEL, OPTIMUM
from workflow_scripts.landscape.radii import Bound, Measured
from workflow_scripts.stability.intervals import Interval, combined, of_mean, over_runs, student_t

# --- verdicts ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Verdict:
    """What a number says about a claim.

    Parameters
    ----------
    word : str
        ``supported``, ``contradicted``, ``inconclusive``, ``not applicable``, ``agrees``,
        ``disagrees`` or ``reported only``.
    reason : str
        Number of runs, or what prevents a verdict; empty if there is nothing to add.
    """

    word: str
    reason: str = ""

    def __str__(self) -> str:
        if not self.reason:
            return self.word
        if self.word in ("agrees", "disagrees"):
            return f"{self.word} ({self.reason})"
        return f"{self.word}: {self.reason}"


def verdict(
    number: Interval,
    claimed: str,
    bound: float,
    runs: int,
    unmet: str = "",
    one_model: bool = False,
    least_runs: int = LEAST_RUNS,
) -> Verdict:
    """Verdict of a number's interval against the side of a bound that is claimed.

    Parameters
    ----------
    number : Interval
        One-sided (an infinite limit) where a value behind it is only a bound; it then decides the
        side that the bound allows and no other.
    claimed : str
        ``above`` or ``below``; empty if the paper claims nothing about the number.
    bound : float
        In the unit of the number.
    runs : int
        Runs behind the number.
    unmet : str
        A precondition that does not hold, in words; empty if all hold.
    one_model : bool
        Whether the claim is about one given model, which its examples may decide.
    least_runs : int
        Runs that ``supported`` and ``contradicted`` need. With one or two runs, and no more of
        them needed than ``thresholds.LEAST_RUNS``, the number ``agrees`` or ``disagrees``.
    """
    if claimed not in ("above", "below", ""):
        raise ValueError(f"claimed: got {claimed!r}, expected 'above', 'below' or ''")
    if not claimed:
        return Verdict("reported only")
    if unmet:
        return Verdict("not applicable", unmet)
    if not number.known:
        return Verdict("inconclusive", "no interval")
    above, below = number.low > bound, number.high < bound
    if not (above or below):
        return Verdict("inconclusive")
    agrees = above if claimed == "above" else below
    if one_model:
        return Verdict("supported" if agrees else "contradicted", "this model")
    if runs >= least_runs:
        return Verdict("supported" if agrees else "contradicted")
    if least_runs > LEAST_RUNS:
        return Verdict("inconclusive", f"{least_runs} runs needed, got {runs}")
    return Verdict("agrees" if agrees else "disagrees", f"{runs} run{'s' if runs > 1 else ''}")


def agreed(verdicts: Mapping[str, Verdict]) -> Verdict:
    """One verdict of several reasonable measures of the same claim: given only if all agree.

    Parameters
    ----------
    verdicts : mapping of str to Verdict
        By the name of the measure.
    """
    words = {v.word for v in verdicts.values()}
    if len(words) == 1:
        return next(iter(verdicts.values()))
    for word in ("not applicable", "inconclusive"):
        for name, one in verdicts.items():
            if one.word == word:
                return Verdict(word, f"{name}: {one.reason}" if one.reason else f"by {name}")
    return Verdict("inconclusive", f"{' and '.join(verdicts)} disagree")


def unmet_optimum(losses: Mapping[str, float], chance: float, share: float = OPTIMUM) -> str:
    """Why a statistic about an optimum does not apply; empty if it does.

    Parameters
    ----------
    losses : mapping of str to float
        Loss of each run at its end, nats, on the same examples, by name.
    chance : float
        ln K, nats.
    share : float
        Of ``chance`` that an optimum may have.
    """
    for name, loss in losses.items():
        if not isfinite(loss):
            return f"{name} diverged"
        if loss > share * chance:
            return f"{name} ended at {loss / chance:.2f} ln K"
    return ""


# --- runs and examples --------------------------------------------------------------------------


def across_runs(intervals: Sequence[Interval], level: float = LEVEL) -> Interval:
    """Mean over runs of a number that each run has with an interval over examples.

    From 3 runs on the interval is over runs and examples (``intervals.over_runs``), else it is the
    mean of the runs' own: of examples alone, on which ``verdict`` may only ``agree``.

    Parameters
    ----------
    intervals : sequence of Interval
        One per run.
    level : float
        Nominal coverage, 0 to 1.
    """
    if len(intervals) >= LEAST_RUNS:
        return over_runs(intervals, level)
    return _mean_interval(intervals)


def _mean_interval(intervals: Sequence[Interval]) -> Interval:
    """Means of the values and of the limits."""
    parts = [(one.value, one.low, one.high) for one in intervals]
    return Interval(*(float(part) for part in np.mean(parts, axis=0)))


def across_pairs(
    intervals: Sequence[Interval], members: Sequence[tuple[int, int]], level: float = LEVEL
) -> Interval:
    """The same of a number of pairs of runs, in which every run takes part several times.

    The variance over runs is the jackknife's: pairs that share a run are not independent.

    Parameters
    ----------
    intervals : sequence of Interval
        One per pair of two runs, each over examples.
    members : sequence of (int, int)
        The runs of each pair.
    level : float
        Nominal coverage, 0 to 1.

    References
    ----------
    Arvesen (1969), Annals of Mathematical Statistics 40, 2076-2100, for U-statistics.
    """
    runs = sorted({run for pair in members for run in pair})
    examples = _mean_interval(intervals)
    if len(runs) < LEAST_RUNS:
        return examples
    values = np.array([one.value for one in intervals])
    without = [
        np.mean([v for v, m in zip(values, members, strict=True) if r not in m]) for r in runs
    ]
    error = sqrt((len(runs) - 1) * float(np.var(without)))
    half = student_t(0.0, error, len(runs) - 1, level).high
    mean = float(values.mean())
    low, high = (np.hypot(half, end - mean) for end in (examples.low, examples.high))
    return Interval(mean, float(mean - low), float(mean + high))


# --- values that are only bounds ----------------------------------------------------------------


def ratio(first: Measured, second: Measured) -> Measured:
    """``first / second``, a bound where one of them is; NaN where the second is 0."""
    flipped = {Bound.AT_LEAST: Bound.AT_MOST, Bound.AT_MOST: Bound.AT_LEAST}
    kinds = {first.bound, flipped.get(second.bound, second.bound)} - {Bound.NONE}
    value = first.value / second.value if second.value > 0 else nan
    return Measured(value, _joined(kinds))


def _joined(kinds: set[Bound]) -> Bound:
    """What can be said of a sum or product of which some terms are bounds."""
    if not kinds:
        return Bound.NONE
    return next(iter(kinds)) if len(kinds) == 1 else Bound.BOTH


def median(values: Sequence[Measured]) -> Measured:
    """Median of values some of which are lower bounds.

    It is itself exact while fewer than half of them are, if they are above it.

    Parameters
    ----------
    values : sequence of Measured
        Exact, or ``AT_LEAST``; at least one.
    """
    if any(v.bound not in (Bound.NONE, Bound.AT_LEAST) for v in values):
        raise ValueError("values: expected exact values and lower bounds")
    middle = float(np.median([v.value for v in values]))
    # With every bound at infinity the median may only rise: if it does, it was a bound.
    highest = np.median([v.value if v.bound is Bound.NONE else inf for v in values])
    return Measured(middle, Bound.NONE if highest == middle else Bound.AT_LEAST)


# Degrees of freedom of an error over examples: of the fewest on which a surface is computed.
_EXAMPLES = 19


def ratio_over_runs(
    first: Sequence[Sequence[Measured]], second: Sequence[Sequence[Measured]], level: float = LEVEL
) -> tuple[Measured, Interval]:
    """Ratio of two starts' widths over directions and paired runs, with its interval.

    Each run's width is the median over its directions; the ratio is the geometric mean over pairs
    of runs. From 3 pairs on the interval is Student's t over the pairs' log ratios, else over all
    directions (Welch's), or over the examples where there is one direction. A limit on the side on
    which a bound may move the ratio is 0 or infinite.

    Parameters
    ----------
    first, second : sequence (runs) of sequence (directions) of Measured
        Widths or radii, exact or lower bounds, of as many runs; more than 0.
    level : float
        Nominal coverage, 0 to 1.

    Returns
    -------
    Measured
        The ratio, a bound where it is one.
    Interval
        Of it, one-sided where it is a bound.
    """
    pairs = [ratio(median(a), median(b)) for a, b in zip(first, second, strict=True)]
    if not all(isfinite(p.value) and p.value > 0 for p in pairs):
        return Measured(nan), Interval(nan, nan, nan)
    bound = _joined({p.bound for p in pairs} - {Bound.NONE})
    logs = np.log([p.value for p in pairs])
    if len(pairs) >= LEAST_RUNS:
        interval = of_mean(logs, level)
    else:
        spread = []
        for runs in (first, second):
            widths = [[np.log(m.value) for m in run] for run in runs]
            # pi / 2: the variance of a median of normal values over that of their mean.
            if max(map(len, runs)) == 1:
                error = np.mean([run[0].error ** 2 for run in runs])
                spread.append((float(error) / len(runs), _EXAMPLES if error > 0 else 0))
                continue
            variance = np.mean([np.var(w, ddof=min(1, len(w) - 1)) / len(w) for w in widths])
            variance *= np.pi / 2
            spread.append((float(variance) / len(runs), sum(len(w) - 1 for w in widths)))
        known = min(freedom for _, freedom in spread) > 0
        missing = Interval(float(logs.mean()), nan, nan)
        interval = combined(float(logs.mean()), spread, level) if known else missing
    value, low, high = (float(np.exp(x)) for x in (interval.value, interval.low, interval.high))
    if bound in (Bound.AT_LEAST, Bound.BOTH) and interval.known:
        high = inf
    if bound in (Bound.AT_MOST, Bound.BOTH) and interval.known:
        low = 0.0
    return Measured(value, bound), Interval(value, low, high)


# --- the way from start to end ------------------------------------------------------------------


def barrier(losses: np.ndarray) -> float:
    """Largest rise of a loss on a line: max of f(t) - f(s) over s < t, 0 if it never rises.

    Parameters
    ----------
    losses : ndarray of shape (points,)
        From the start to the end, nats; infinite if one is not finite.

    References
    ----------
    Frankle et al. (2020), section 2, measure the rise over the mean of the ends; this one also
    finds a barrier below the start's loss.
    """
    losses = np.asarray(losses, dtype=float)
    if not np.isfinite(losses).all():
        return inf
    return float((losses - np.minimum.accumulate(losses)).max())


def barrier_interval(
    losses: np.ndarray, resamples: int = 500, seed: int = 0, level: float = LEVEL
) -> Interval:
    """Barrier of the mean loss of the examples, with its interval over examples.

    The largest of many differences is biased upwards, and the percentiles of a bootstrap more so.
    Here the differences of all pairs of points get simultaneous limits (sup-t); the largest lower
    and the largest upper limit hold the barrier whenever all of them hold.

    Parameters
    ----------
    losses : ndarray of shape (points, examples)
        From the start to the end, nats.
    resamples, seed : int
        Bootstrap samples of the examples, and their seed.
    level : float
        Nominal coverage, 0 to 1.

    References
    ----------
    Montiel Olea and Plagborg-Møller (2019), Journal of Applied Econometrics 34, 1-17, for sup-t.
    """
    losses = np.asarray(losses, dtype=float)
    value = barrier(losses.mean(axis=1))
    points, examples = losses.shape
    if not isfinite(value) or examples < 2:
        return Interval(value, nan, nan)
    before, after = np.triu_indices(points, 1)
    mean = losses.mean(axis=1)
    covariance = np.cov(losses) / examples
    variance = np.diag(covariance)
    error = np.sqrt(
        np.maximum(0, variance[before] + variance[after] - 2 * covariance[before, after])
    )
    rise = mean[after] - mean[before]
    rng = np.random.default_rng(seed)
    counts = rng.multinomial(examples, np.full(examples, 1 / examples), size=resamples)
    drawn = counts @ losses.T / examples - mean
    moved = error > 1e-12 * max(1.0, float(np.abs(mean).max()))
    largest = np.zeros(resamples)
    if moved.any():
        for i, one in enumerate(drawn):
            largest[i] = (np.abs(one[after] - one[before])[moved] / error[moved]).max()
    # The bootstrap's normal quantile, widened to Student's t of the examples.
    critical = float(np.quantile(largest, level))
    critical *= float(stdtrit(examples - 1, (1 + level) / 2) / stdtrit(1e9, (1 + level) / 2))
    low, high = (max(0.0, float((rise + s * critical * error).max())) for s in (-1, 1))
    return Interval(value, low, high)


def walk_cosine(step_norms: Sequence[float]) -> float:
    """Cosine of the first step of a random walk with the whole walk, in many dimensions.

    Parameters
    ----------
    step_norms : sequence of float
        Length of each step (epoch), the first one's more than 0; 1 / sqrt(n) for n equal steps.
    """
    norms = np.asarray(step_norms, dtype=float)
    return float(norms[0] / sqrt((norms**2).sum()))


def share_closed(start: float, end: float, best: float) -> float:
    """Share of the fall of the loss from start to end that a point reaches; NaN if it never fell.

    Parameters
    ----------
    start, end, best : float
        Losses, nats; ``best``: the lowest on the ray along the first epoch's direction.
    """
    return (start - best) / (start - end) if start > end else nan


def share_beyond_walk(share: float, step_norms: Sequence[float]) -> float:
    """Share of the gap closed on the first epoch's ray, less what a random walk would close.

    In a round bowl around the end, the lowest point of a ray at cosine c closes c² of the gap; a
    walk of n equal steps has c² = 1 / n. Runs of different length can be compared by what is left.

    Parameters
    ----------
    share : float
        From ``share_closed``.
    step_norms : sequence of float
        Length of each epoch's step, as for ``walk_cosine``.
    """
    return share - walk_cosine(step_norms) ** 2


# --- training curves ----------------------------------------------------------------------------


def loss_area(examples_seen: np.ndarray, losses: np.ndarray, until: float) -> float:
    """Mean of a loss curve over the examples seen, by the trapezoidal rule, nats.

    Parameters
    ----------
    examples_seen : ndarray of shape (checkpoints,)
        Increasing, from 0.
    losses : ndarray of shape (checkpoints,)
        Without dropout, on fixed examples, nats.
    until : float
        Examples seen up to which the curve counts, for both starts the same; in the range of
        ``examples_seen``.
    """
    seen, losses = np.asarray(examples_seen, dtype=float), np.asarray(losses, dtype=float)
    if not seen[0] < until <= seen[-1]:
        raise ValueError(
            f"until: got {until:g}, expected more than {seen[0]:g}, up to {seen[-1]:g}"
        )
    inside = seen < until
    x = np.append(seen[inside], until)
    y = np.append(losses[inside], np.interp(until, seen, losses))
    return float(np.trapezoid(y, x) / (until - seen[0]))


def first_below(examples_seen: np.ndarray, losses: np.ndarray, level: float) -> Measured:
    """Examples seen when a loss curve first falls below a level, linear between checkpoints.

    Parameters
    ----------
    examples_seen, losses : ndarray of shape (checkpoints,)
        As for ``loss_area``.
    level : float
        Nats.

    Returns
    -------
    Measured
        ``AT_LEAST`` the last checkpoint if the curve never does.
    """
    seen, losses = np.asarray(examples_seen, dtype=float), np.asarray(losses, dtype=float)
    below = np.flatnonzero(losses < level)
    if len(below) == 0:
        return Measured(float(seen[-1]), Bound.AT_LEAST)
    i = int(below[0])
    if i == 0:
        return Measured(float(seen[0]))
    before, after = losses[i - 1], losses[i]
    share = (before - level) / (before - after) if isfinite(before) else 1.0
    return Measured(float(seen[i - 1] + share * (seen[i] - seen[i - 1])))


def paired_difference(
    first: Sequence[float], second: Sequence[float], level: float = LEVEL
) -> Interval:
    """Mean difference over paired runs, first minus second, with Student's t interval.

    Parameters
    ----------
    first, second : sequence of float
        A number per run, of the same seeds in the same order. There is no interval for fewer
        than 3 pairs: one curve does not say how another seed's would differ.
    level : float
        Nominal coverage, 0 to 1.
    """
    gaps = np.asarray(first, dtype=float) - np.asarray(second, dtype=float)
    if len(gaps) < LEAST_RUNS:
        return Interval(float(gaps.mean()), nan, nan)
    return of_mean(gaps, level)


# --- consistency of two surfaces ------------------------------------------------------------------


def region_below(losses: np.ndarray, level: float, at: tuple[int, int]) -> np.ndarray:
    """The connected region of a surface around a point on which the loss is below a level.

    Parameters
    ----------
    losses : ndarray of shape (B, A)
        Nats; NaN counts as high.
    level : float
        Nats, ln K for instance: beyond it the loss says nothing of the optimum.
    at : (row, column)
        The point of the grid next to the end.

    Returns
    -------
    ndarray of bool of shape (B, A)
        Neighbours share a side; nothing is chosen if the loss at the point is not below the level.
    """
    from scipy.ndimage import label

    regions, _ = label(np.asarray(losses) < level)
    return (regions == regions[at]) & (regions > 0)


@dataclass(frozen=True)
class SurfaceCorrelation:
    """Rank correlation over the points of a surface of two means over examples.

    Parameters
    ----------
    corrected : Interval
        What it would be without the noise of few examples, -1 to 1; its interval is over the
        examples of both.
    raw : float
        As measured.
    reliability1, reliability2 : float
        Share of each mean surface's variation over the points that other examples would repeat.
    """

    corrected: Interval
    raw: float
    reliability1: float
    reliability2: float


_SPLITS = 8
_GROUPS = 10
_UNRELIABLE = 0.1


def surface_correlation(
    losses: np.ndarray, errors: np.ndarray, kind: str = "spearman", level: float = LEVEL
) -> SurfaceCorrelation:
    """Rank correlation of a loss and an error surface, corrected for attenuation.

    The points of a grid are no sample: neighbours are alike, and more points are no more evidence.
    The examples are the sample. The noise of their means lowers any correlation, so it is divided
    by the root of the two reliabilities (halves of the examples, Spearman and Brown); tau-b is
    taken through Greiner's relation, sin(pi tau / 2), and back. The interval is Fisher's z of the
    raw correlation with the jackknife variances over 10 groups of either set of examples; its
    limits are divided like the value. (Correcting each jackknife value on its own covers no better
    and is twice as wide where the correlation is close to 1.)

    Parameters
    ----------
    losses : ndarray of shape (points, N)
        Per-example losses at the points of a region (below ln K around the end).
    errors : ndarray of shape (points, M)
        Per-example errors, 0 or 1, at the same points.
    kind : str
        ``spearman`` or ``kendall`` (tau-b).
    level : float
        Nominal coverage, 0 to 1.

    Returns
    -------
    SurfaceCorrelation
        ``corrected`` is NaN for fewer than 20 examples in either set, fewer than 5 points, or a
        surface that hardly repeats itself (a reliability of 0.1 or less).

    References
    ----------
    Spearman (1904), Brown (1910) and Spearman (1910) for reliability and correction; Kendall and
    Gibbons (1990), section 9.3, for Greiner's relation.
    """
    correlations = _correlations(losses, errors, kind)
    corrected = Interval(nan, nan, nan)
    scale = _from_greiner if kind == "kendall" else float
    if correlations.usable:
        error = sqrt(sum((_GROUPS - 1) * np.var(_fisher(raw)) for raw in correlations.left_out))
        on_z = student_t(float(_fisher(correlations.raw)), error, _GROUPS - 1, level)
        corrected = on_z.map(lambda z: scale(correlations.corrected(float(np.tanh(z)))))
    return SurfaceCorrelation(corrected, scale(correlations.raw), *correlations.reliabilities)


def correlation_difference(
    first: tuple[np.ndarray, np.ndarray],
    second: tuple[np.ndarray, np.ndarray],
    kind: str = "spearman",
    level: float = LEVEL,
) -> Interval:
    """Difference of the corrected correlations of two planes over the same examples.

    Parameters
    ----------
    first, second : (losses, errors)
        As for ``surface_correlation``, with the same examples in both; points may differ.
    kind, level
        Likewise.
    """
    both = [_correlations(*plane, kind) for plane in (first, second)]
    if not all(f.usable for f in both):
        return Interval(nan, nan, nan)
    scale = np.vectorize(_from_greiner) if kind == "kendall" else np.asarray
    values = [float(scale(one.corrected(one.raw))) for one in both]
    without = [[scale(one.corrected(raw)) for raw in one.left_out] for one in both]
    value = values[0] - values[1]
    gaps = [a - b for a, b in zip(*without, strict=True)]
    error = sqrt(sum((_GROUPS - 1) * np.var(gap) for gap in gaps))
    return student_t(value, error, _GROUPS - 1, level).clipped(-2, 2)


@dataclass(frozen=True)
class _Correlations:
    """Raw, and without each group of losses and of errors; on Greiner's scale."""

    raw: float
    left_out: list[np.ndarray]
    reliabilities: tuple[float, float]
    usable: bool

    def corrected(self, raw: float | np.ndarray) -> float | np.ndarray:
        """A raw correlation, corrected for attenuation."""
        root = sqrt(np.prod(np.maximum(_UNRELIABLE, self.reliabilities)))
        return np.clip(np.asarray(raw) / root, -1, 1)[()]


def _correlations(losses: np.ndarray, errors: np.ndarray, kind: str) -> _Correlations:
    features = {"spearman": _centred_ranks, "kendall": _signs}.get(kind)
    if features is None:
        raise ValueError(f"kind: got {kind!r}, expected 'spearman' or 'kendall'")
    surfaces = [np.asarray(s, dtype=float) for s in (losses, errors)]
    if surfaces[0].shape[0] != surfaces[1].shape[0]:
        raise ValueError(f"points: got {surfaces[0].shape[0]} and {surfaces[1].shape[0]}")
    finite = np.isfinite(surfaces[0]).all(1) & np.isfinite(surfaces[1]).all(1)
    surfaces = [s[finite] for s in surfaces]

    def correlation(x: np.ndarray, y: np.ndarray) -> float:
        cosine = float(features(x) @ features(y))
        return float(np.sin(np.pi / 2 * cosine)) if kind == "kendall" else cosine

    def reliability(surface: np.ndarray, seed: int) -> float:
        rng = np.random.default_rng(seed)
        half = surface.shape[1] // 2
        agreements = []
        for _ in range(_SPLITS):
            order = rng.permutation(surface.shape[1])
            halves = surface[:, order[:half]], surface[:, order[half : 2 * half]]
            agreements.append(correlation(*(part.mean(1) for part in halves)))
        mean = float(np.mean(agreements))
        return 2 * mean / (1 + mean) if mean > -1 else -inf

    if finite.sum() < 5 or min(s.shape[1] for s in surfaces) < 2 * _GROUPS:
        return _Correlations(nan, [], (nan, nan), False)
    means = [s.mean(1) for s in surfaces]
    raw = correlation(*means)
    reliabilities = [reliability(s, i) for i, s in enumerate(surfaces)]
    left_out = []
    for i, surface in enumerate(surfaces):
        without = []
        for group in range(_GROUPS):
            kept = surface[:, np.arange(surface.shape[1]) % _GROUPS != group]
            pair = list(means)
            pair[i] = kept.mean(1)
            without.append(correlation(*pair))
        left_out.append(np.array(without))
    return _Correlations(
        raw,
        left_out,
        (reliabilities[0], reliabilities[1]),
        min(reliabilities) > _UNRELIABLE,
    )


def _centred_ranks(values: np.ndarray) -> np.ndarray:
    """Ranks, ties averaged, centred and of length 1: their inner product is Spearman's rho."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    return _unit(ranks - ranks.mean())


def _signs(values: np.ndarray) -> np.ndarray:
    """Signs of all differences, of length 1: their inner product is Kendall's tau-b."""
    first, second = np.triu_indices(len(values), 1)
    return _unit(np.sign(values[first] - values[second]))


def _unit(values: np.ndarray) -> np.ndarray:
    length = np.linalg.norm(values)
    return values / length if length > 0 else values


def _fisher(correlation: float | np.ndarray) -> np.ndarray:
    """Fisher's z, finite at 1."""
    return np.arctanh(np.clip(correlation, -0.9999, 0.9999))


def _from_greiner(value: float) -> float:
    """Tau from sin(pi tau / 2)."""
    return float(2 / np.pi * np.arcsin(np.clip(value, -1, 1)))


# --- summaries ----------------------------------------------------------------------------------


def summary(verdicts: Sequence[Verdict], runs: int) -> str:
    """One line on a claim over all tasks: how many of them say what, and from how many runs.

    Parameters
    ----------
    verdicts : sequence of Verdict
        One per task; ``reported only`` does not count.
    runs : int
        Runs behind them, in all.
    """
    words = [v.word for v in verdicts if v.word != "reported only"]
    counts = {word: words.count(word) for word in dict.fromkeys(words)}
    if not counts:
        return "reported only"
    of = len(words)
    said = ", ".join(f"{word} on {count} of {of}" for word, count in counts.items())
    return f"{said} task{'s' if of > 1 else ''}; {runs} run{'s' if runs != 1 else ''}"
