"""Coverage of the confidence intervals, by simulation, and that of the usual alternatives.

    make bench BENCH=coverage
    python -m benchmarks.coverage --trials 200      # a small trial

Every case draws an experiment with a known answer, with few runs and scores like those of the
papers (bimodal where some runs fail), and asks whether the 95 % interval holds it. The tests
run the same cases with fewer trials; an interval of ours covers 90 % at least. The last rows show
where it cannot: hardly any run of a recipe fails, so that most experiments know nothing of it.
"""

import argparse
from collections.abc import Callable
from functools import cache, partial
from itertools import combinations

import numpy as np

from workflow_scripts.landscape.radii import Bound, Measured
from workflow_scripts.report import statistics as claims
from workflow_scripts.stability import intervals, statistics
from workflow_scripts.stability.intervals import Interval

Draw = Callable[[np.random.Generator], tuple[Interval, float]]
TRIALS = 2000


def scores(rng: np.random.Generator, n: int, kind: str) -> np.ndarray:
    """Dev scores: ``normal``, ``skewed``, or ``bimodal`` (40 % failed, as the paper's RTE)."""
    good = rng.normal(0.70, 0.024, n)
    if kind == "normal":
        return good
    if kind == "skewed":
        return 0.75 - rng.gamma(2, 0.02, n)
    return np.where(rng.random(n) < 0.4, rng.choice([0.473, 0.527], n), good)


@cache
def population(kind: str) -> np.ndarray:
    """A million scores, for the truth."""
    return scores(np.random.default_rng(10**6), 10**6, kind)


def percentile(values: np.ndarray, statistic, rng: np.random.Generator) -> Interval:
    """The usual percentile bootstrap over runs."""
    draws = [statistic(values[rng.integers(0, len(values), len(values))]) for _ in range(200)]
    return Interval(statistic(values), *np.percentile(draws, [2.5, 97.5]))


def standard_deviation(n: int, kind: str, usual: bool, rng) -> tuple[Interval, float]:
    drawn = scores(rng, n, kind)
    truth = std_truth(kind)
    if usual:
        return percentile(drawn, lambda x: x.std(ddof=1), rng), truth
    return intervals.of_standard_deviation(drawn), truth


@cache
def std_truth(kind: str) -> float:
    return float(population(kind).std())


def rate(n: int, p: float, rng) -> tuple[Interval, float]:
    return intervals.of_rate(int(rng.binomial(n, p)), n), p


def rate_difference(n: int, p: float, q: float, rng) -> tuple[Interval, float]:
    counts = int(rng.binomial(n, p)), n, int(rng.binomial(n, q)), n
    return intervals.of_rate_difference(*counts), p - q


def paired_rates(n: int, p: float, rng) -> tuple[Interval, float]:
    """Errors of two models on the same examples: four in five of them the same."""
    hard = rng.random(n) < p
    first, second = (np.where(rng.random(n) < 0.8, hard, rng.random(n) < p) for _ in range(2))
    return intervals.of_paired_rate_difference(first, second), 0.0


@cache
def best_truth(k: int, kind: str) -> float:
    drawn = population(kind)
    return float(drawn[: len(drawn) // k * k].reshape(-1, k).max(1).mean())


def best_of(n: int, k: int, kind: str, usual: bool, rng) -> tuple[Interval, float]:
    drawn = scores(rng, n, kind)
    truth = best_truth(k, kind)
    if usual:
        return percentile(drawn, lambda x: statistics.expected_best(x, k).value, rng), truth
    return statistics.expected_best(drawn, k), truth


def spread_difference(n: int, failed: float, rng) -> tuple[Interval, float]:
    """A recipe of which some runs fail, against one of which none does."""
    good = population("normal").std()
    between = failed * (1 - failed) * (0.70 - 0.50) ** 2 + failed * 0.027**2
    truth = (between + (1 - failed) * good**2) ** 0.5 - good
    first = np.where(
        rng.random(n) < failed, rng.choice([0.473, 0.527], n), scores(rng, n, "normal")
    )
    return statistics.compare_spread(first, scores(rng, n, "normal")).difference, float(truth)


def agreement(runs: int, examples: int, which: str, rng) -> tuple[Interval, float]:
    """Runs and examples are drawn: each example has its own chance to be label 1, each run a bias.

    Two runs agree on an example with p p' + (1 - p)(1 - p').
    """
    truth = agreement_truth()[which]
    bias, ease = rng.normal(0, 0.5, (runs, 1)), rng.normal(0.3, 2, examples)
    chance = 1 / (1 + np.exp(-(ease + bias)))
    runs_agree = statistics.consistency((rng.random((runs, examples)) < chance).astype(int))
    return getattr(runs_agree, which), truth


@cache
def agreement_truth() -> dict[str, float]:
    rng = np.random.default_rng(3)
    ease, one, other = rng.normal(0.3, 2, 10**6), *rng.normal(0, 0.5, (2, 10**6))
    p, q = (1 / (1 + np.exp(-(ease + bias))) for bias in (one, other))
    agree = float((p * q + (1 - p) * (1 - q)).mean())
    chance = p.mean() ** 2 + (1 - p.mean()) ** 2
    return {"agreement": agree, "kappa": float((agree - chance) / (1 - chance))}


def auc(positives: int, negatives: int, shift: float, rng) -> tuple[Interval, float]:
    from scipy.special import ndtr

    norms = np.concatenate([rng.normal(0, 1, positives), rng.normal(shift, 1, negatives)])
    failed = np.arange(positives + negatives) < positives
    return statistics.early_sign(np.exp(norms), failed), float(ndtr(shift / 2**0.5))


def same_loss(runs: int, examples: int, std: float, rng) -> tuple[Interval, float]:
    """Runs whose accuracy differs by ``std`` and goes with the log of the training loss."""
    x = rng.normal(0, 1, runs)
    ease = rng.beta(4, 1, examples)
    level = 0.01 * x + std * rng.normal(0, 1, runs)
    spread = ease * (1 - ease)
    chance = np.clip(ease + level[:, None] * spread / spread.mean(), 0, 1)
    spread_left = statistics.same_loss_spread(np.exp(x - 4), rng.random((runs, examples)) < chance)
    return spread_left.std, std


def crossed_share(size: int, rng) -> tuple[Interval, float]:
    init, order = rng.normal(0, 1, (size, 1)), rng.normal(0, 0.7, size)
    drawn = init + order + rng.normal(0, 1, (size, size))
    return statistics.crossed_variance(drawn, draws=2000).init, 1 / 2.49


def over_runs(runs: int, rng) -> tuple[Interval, float]:
    """A number that each run has with an interval over the same 100 examples."""
    values = rng.normal(0, 0.05, (runs, 1)) + rng.normal(0, 0.4, 100)
    return intervals.over_runs([intervals.of_mean(v) for v in values]), 0.0


def barrier(true: float, examples: int, rng) -> tuple[Interval, float]:
    """A falling line with a hill; every example has its own height, slope and hill."""
    t = np.linspace(0, 1, 41)[:, None]
    slope, hill = rng.gamma(4, 0.25, examples), rng.gamma(2, 0.5, examples)
    fall = 1.2 * (1 - np.minimum(1, 2 * t)) * slope
    bump = true * np.maximum(0, 1 - np.abs(t - 0.75) / 0.25) * hill
    return claims.barrier_interval(fall + bump + rng.gamma(1, 0.3, examples), 200), true


def width_ratio(runs: int, directions: int, rng) -> tuple[Interval, float]:
    """Radii of two starts, log normal over runs and directions; the true ratio is 1.5."""

    def starts(middle: float) -> list[list[Measured]]:
        logs = np.log(middle) + rng.normal(0, 0.2 * (runs > 1), (runs, 1))
        return [[Measured(float(r)) for r in run] for run in np.exp(logs + noise(directions))]

    def noise(count: int) -> np.ndarray:
        return rng.normal(0, 0.1, (runs, count))

    return claims.ratio_over_runs(starts(1.5), starts(1.0))[1], 1.5


def cut_width_ratio(runs: int, rng) -> tuple[Interval, float]:
    """The same with the second start cut off at 1: the interval must stay open below."""
    first = np.exp(np.log(0.6) + rng.normal(0, 0.2, (runs, 4)))
    second = np.exp(rng.normal(0, 0.2, (runs, 4)))
    cut = [
        [Measured(min(1.0, r), Bound.AT_LEAST if r > 1 else Bound.NONE) for r in run]
        for run in second.tolist()
    ]
    whole = [[Measured(r) for r in run] for run in first.tolist()]
    return claims.ratio_over_runs(whole, cut)[1], 0.6


GRID = np.meshgrid(np.linspace(-1.5, 3.5, 11), np.linspace(-2.5, 2.5, 11))


@cache
def waves() -> np.ndarray:
    """Smooth functions on the grid, by which examples and the two sets differ [points, 8]."""
    parameters = np.random.default_rng(9).uniform(0.5, 2, (8, 4))
    x, y = GRID
    waves = [np.sin(x * w + s) * np.cos(y * v + t) for w, v, s, t in parameters]
    return np.stack(waves, -1).reshape(x.size, 8)


def surface(rng, examples: int, dev: bool, unlike: float) -> np.ndarray:
    """Per-example losses, or dev errors, around an optimum, alike in neighbouring points."""
    x, y = GRID
    away = ((x - 1) ** 2 + y**2).ravel()[:, None]
    margin = rng.normal(1 if dev else 2, 1, examples) - rng.gamma(3, 0.25, examples) * away
    margin = margin + waves() @ rng.normal(0, 1, (8, examples))
    if not dev:
        return np.log1p(np.exp(-margin))
    shift = waves() @ np.random.default_rng(5).normal(size=8)
    return (margin + unlike * shift[:, None] < 0).astype(float)


@cache
def surface_truth(unlike: float, kind: str) -> float:
    from scipy.stats import kendalltau, spearmanr

    rng = np.random.default_rng(77)
    means = [surface(rng, 20_000, dev, unlike).mean(1) for dev in (False, True)]
    function = spearmanr if kind == "spearman" else kendalltau
    return float(function(*means).statistic)


def rank_correlation(n: int, unlike: float, kind: str, usual: bool, rng):
    from scipy.stats import spearmanr

    losses, errors = surface(rng, n, False, unlike), surface(rng, n, True, unlike)
    truth = surface_truth(unlike, kind)
    if not usual:
        return claims.surface_correlation(losses, errors, kind).corrected, truth
    draws = [
        spearmanr(*(s[:, rng.integers(0, n, n)].mean(1) for s in (losses, errors))).statistic
        for _ in range(100)
    ]
    return Interval(np.nan, *np.percentile(draws, [2.5, 97.5])), truth


def correlation_gap(n: int, rng) -> tuple[Interval, float]:
    """Two planes, of which one has the more consistent surfaces."""
    planes = [(surface(rng, n, False, u), surface(rng, n, True, u)) for u in (0.3, 1.2)]
    truth = surface_truth(0.3, "spearman") - surface_truth(1.2, "spearman")
    return claims.correlation_difference(*planes), truth


def paired_areas(runs: int, rng) -> tuple[Interval, float]:
    """Two starts of one process, whose pace varies by 40 % between seeds: no difference."""
    seen = np.linspace(0, 1, 13)

    def areas() -> list[float]:
        paces = 5 * np.exp(rng.normal(0, 0.4, runs))
        return [claims.loss_area(seen, 0.7 * np.exp(-pace * seen), 1.0) for pace in paces]

    return claims.paired_difference(areas(), areas()), 0.0


def walk_share(runs: int, rng) -> tuple[Interval, float]:
    """Random walks of 4 and of 6 epochs: the first step says nothing of the end."""

    def share(epochs: int) -> float:
        steps = rng.normal(0, 1, (epochs, 2000)) * rng.uniform(0.5, 1.5, (epochs, 1))
        whole = steps.sum(0)
        norms = np.linalg.norm(steps, axis=1)
        cosine = float(steps[0] @ whole / norms[0] / np.linalg.norm(whole))
        return claims.share_beyond_walk(cosine**2, norms)

    return claims.paired_difference(*([share(e) for _ in range(runs)] for e in (4, 6))), 0.0


def pairs_of_runs(runs: int, between: float, rng) -> tuple[Interval, float]:
    """Distances of all pairs of runs, each run with an effect of its own, on shared examples."""
    own, shared = rng.normal(0, between, runs), rng.normal(0, 0.3, 60)
    members = list(combinations(range(runs), 2))
    values = [1 + own[a] + own[b] + shared + rng.normal(0, 0.3, 60) for a, b in members]
    return claims.across_pairs([intervals.of_mean(v) for v in values], members), 1.0


CASES: dict[str, Draw] = {
    "standard deviation, 5 normal": partial(standard_deviation, 5, "normal", False),
    "standard deviation, 10 bimodal": partial(standard_deviation, 10, "bimodal", False),
    "standard deviation, 25 normal": partial(standard_deviation, 25, "normal", False),
    "failure rate of 0.2, 10 runs": partial(rate, 10, 0.2),
    "failure rate of 0.33, 25 runs": partial(rate, 25, 0.33),
    "difference of failure rates, 10 + 10": partial(rate_difference, 10, 0.4, 0.05),
    "difference of failure rates, 25 + 25": partial(rate_difference, 25, 0.4, 0.05),
    "paired errors, 300 examples": partial(paired_rates, 300, 0.1),
    "paired errors, 40 examples": partial(paired_rates, 40, 0.1),
    "difference of spread, 10 + 10": partial(spread_difference, 10, 0.4),
    "difference of spread, 25 + 25": partial(spread_difference, 25, 0.4),
    "expected best of 2, 10 bimodal": partial(best_of, 10, 2, "bimodal", False),
    "expected best of 5, 10 normal": partial(best_of, 10, 5, "normal", False),
    "expected best of 5, 25 bimodal": partial(best_of, 25, 5, "bimodal", False),
    "expected best of 10, 25 skewed": partial(best_of, 25, 10, "skewed", False),
    "agreement, 5 runs, 60 examples": partial(agreement, 5, 60, "agreement"),
    "kappa, 5 runs, 60 examples": partial(agreement, 5, 60, "kappa"),
    "kappa, 10 runs, 200 examples": partial(agreement, 10, 200, "kappa"),
    "early sign, 5 + 5, no sign": partial(auc, 5, 5, 0.0),
    "early sign, 4 + 6, a good one": partial(auc, 4, 6, 2.0),
    "spread at equal loss, 10 runs": partial(same_loss, 10, 300, 0.02),
    "spread at equal loss, 20 runs, none": partial(same_loss, 20, 300, 0.0),
    "share of the initialisation, 5 x 5": partial(crossed_share, 5),
    "mean over 3 runs of intervals": partial(over_runs, 3),
    "all pairs of 3 runs": partial(pairs_of_runs, 3, 0.2),
    "all pairs of 5 runs": partial(pairs_of_runs, 5, 0.2),
    "all pairs of 3 runs that hardly differ": partial(pairs_of_runs, 3, 0.01),
    "barrier of 0.15 nats, 40 examples": partial(barrier, 0.15, 40),
    "no barrier, 40 examples": partial(barrier, 0.0, 40),
    "ratio of widths, 3 runs": partial(width_ratio, 3, 4),
    "ratio of widths, 1 run, 4 directions": partial(width_ratio, 1, 4),
    "ratio of widths, cut off, 3 runs": partial(cut_width_ratio, 3),
    "rank correlation, 20 + 20 examples": partial(rank_correlation, 20, 0.3, "spearman", False),
    "rank correlation, 48 + 48 examples": partial(rank_correlation, 48, 1.2, "spearman", False),
    "tau-b, 48 + 48 examples": partial(rank_correlation, 48, 1.2, "kendall", False),
    "difference of rank correlations, 48 + 48": partial(correlation_gap, 48),
    "area under the loss, 3 pairs, no difference": partial(paired_areas, 3),
    "first epoch of random walks, 3 pairs": partial(walk_share, 3),
}
# Where no interval of this kind can cover: printed, not tested.
LIMITS: dict[str, Draw] = {
    "difference of spread, 10 + 10, 10 % fail": partial(spread_difference, 10, 0.1),
    "difference of spread, 25 + 25, 10 % fail": partial(spread_difference, 25, 0.1),
    "difference of spread, 25 + 25, 20 % fail": partial(spread_difference, 25, 0.2),
}
USUAL: dict[str, Draw] = {
    "standard deviation, 5 normal": partial(standard_deviation, 5, "normal", True),
    "standard deviation, 10 bimodal": partial(standard_deviation, 10, "bimodal", True),
    "standard deviation, 25 normal": partial(standard_deviation, 25, "normal", True),
    "expected best of 2, 10 bimodal": partial(best_of, 10, 2, "bimodal", True),
    "expected best of 5, 10 normal": partial(best_of, 10, 5, "normal", True),
    "expected best of 5, 25 bimodal": partial(best_of, 25, 5, "bimodal", True),
    "expected best of 10, 25 skewed": partial(best_of, 25, 10, "skewed", True),
    "rank correlation, 20 + 20 examples": partial(rank_correlation, 20, 0.3, "spearman", True),
    "rank correlation, 48 + 48 examples": partial(rank_correlation, 48, 1.2, "spearman", True),
}


def coverage(draw: Draw, trials: int) -> float:
    """Share of the trials, each with a seed of its own, whose interval holds the truth."""
    held = 0
    for seed in range(trials):
        interval, truth = draw(np.random.default_rng(seed))
        held += interval.low <= truth <= interval.high
    return held / trials


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--trials", type=int, default=TRIALS)
    trials = parser.parse_args().trials
    print(f"coverage of 95 % intervals, {trials} trials each, in %")
    print(f"{'number':<46}{'here':>7}{'percentile bootstrap':>23}")
    for name, draw in (CASES | LIMITS).items():
        usual = USUAL.get(name)
        beside = f"{100 * coverage(usual, min(trials, 400)):.1f}" if usual else ""
        print(f"{name:<46}{100 * coverage(draw, trials):>7.1f}{beside:>23}", flush=True)


if __name__ == "__main__":
    main()
