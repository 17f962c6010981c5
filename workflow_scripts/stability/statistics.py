"""What many runs of one recipe say: spread, failed runs, consistency, and the power of the tests.

Every function takes plain arrays and needs no PyTorch. A run is a row; a run that diverged has the
score NaN, counts as failed, and takes no part in the spread.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, isfinite, nan

import numpy as np
from scipy.special import chdtri, comb, fdtrc, xlog1py, xlogy

from workflow_scripts.stability.intervals import (
    Interval,
    combined,
    difference_of,
    jackknife,
    of_auc,
    of_mean,
    of_mean_difference,
    of_paired_rate_difference,
    of_rate,
    of_rate_difference,
    of_standard_deviation,
    student_t,
)


@dataclass(frozen=True)
class Spread:
    """The scores of one recipe over its seeds.

    Parameters
    ----------
    runs, diverged : int
        All runs, and those among them without a score.
    failed : Interval
        Share of failed runs, 0 to 1, diverged ones included.
    std : Interval
        Standard deviation of the scores, denominator n - 1.
    std_population : float
        The same with the denominator n.
    std_successful : Interval
        Standard deviation (n - 1) of the runs that did not fail. Without it the spread of an
        unstable recipe only repeats its failure rate.
    mean : Interval
        Mean score.
    median, largest, smallest : float
        Of the scores.
    """

    runs: int
    diverged: int
    failed: Interval
    std: Interval
    std_population: float
    std_successful: Interval
    mean: Interval
    median: float
    largest: float
    smallest: float


def spread(scores: np.ndarray, failed: np.ndarray, level: float = 0.95) -> Spread:
    """Spread of a recipe's scores and its failure rate.

    Parameters
    ----------
    scores : ndarray of shape (runs,)
        At the end of training; NaN for a run that diverged.
    failed : ndarray of bool of shape (runs,)
        From ``failed_runs.is_failed``.
    level : float
        Nominal coverage of the intervals, 0 to 1.

    References
    ----------
    Mosbach et al. (2021), table 1.
    """
    scores, failed = _runs(scores, failed)
    scored = np.isfinite(scores)
    known = scores[scored]
    empty = Interval(nan, nan, nan)
    return Spread(
        runs=len(scores),
        diverged=int((~scored).sum()),
        failed=of_rate(int(failed.sum()), len(failed), level),
        std=of_standard_deviation(known, level),
        std_population=float(known.std()) if len(known) else nan,
        std_successful=of_standard_deviation(scores[scored & ~failed], level),
        mean=of_mean(known, level) if len(known) else empty,
        median=float(np.median(known)) if len(known) else nan,
        largest=float(known.max()) if len(known) else nan,
        smallest=float(known.min()) if len(known) else nan,
    )


def _runs(scores: np.ndarray, failed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    scores, failed = np.asarray(scores, dtype=float), np.asarray(failed, dtype=bool)
    if scores.shape != failed.shape or scores.ndim != 1 or len(scores) == 0:
        raise ValueError(f"scores, failed: got shapes {scores.shape} and {failed.shape}")
    if (~np.isfinite(scores) & ~failed).any():
        raise ValueError("failed: a run without a score is a failed run")
    return scores, failed


@dataclass(frozen=True)
class SpreadComparison:
    """Two recipes' spread, compared.

    Parameters
    ----------
    brown_forsythe, levene : float
        p values of equal spread around the median and around the mean; NaN where a recipe has
        fewer than 2 scores or none of the scores differ.
    difference : Interval
        Of the standard deviations (denominator n - 1), first minus second, in the unit of the
        score.
    """

    brown_forsythe: float
    levene: float
    difference: Interval


def compare_spread(first: np.ndarray, second: np.ndarray, level: float = 0.95) -> SpreadComparison:
    """Tests of equal spread of two recipes' scores.

    Parameters
    ----------
    first, second : ndarray of shape (runs,)
        Scores; NaN is left out.
    level : float
        Nominal coverage of the interval, 0 to 1.

    References
    ----------
    Levene (1960); Brown and Forsythe (1974). Mosbach et al. (2021), section 6, use Levene's,
    which rejects too often for skewed scores.
    """
    from scipy import stats  # half a second to import

    both = [np.asarray(scores, dtype=float) for scores in (first, second)]
    both = [scores[np.isfinite(scores)] for scores in both]
    if min(map(len, both)) < 2 or all(np.ptp(scores) == 0 for scores in both):
        return SpreadComparison(nan, nan, Interval(nan, nan, nan))
    return SpreadComparison(
        *(float(stats.levene(*both, center=center).pvalue) for center in ("median", "mean")),
        difference_of(*(of_standard_deviation(scores, level) for scores in both)),
    )


@dataclass(frozen=True)
class FailureComparison:
    """Two recipes' failure rates, compared.

    Parameters
    ----------
    difference : Interval
        First minus second, -1 to 1.
    boschloo, fisher : float
        p values of equal rates, two-sided.
    """

    difference: Interval
    boschloo: float
    fisher: float


def compare_failures(
    first: np.ndarray, second: np.ndarray, paired: bool = False, level: float = 0.95
) -> FailureComparison:
    """Difference of two failure rates, with Boschloo's exact test and Fisher's beside it.

    Parameters
    ----------
    first, second : ndarray of bool of shape (runs,)
        Whether each run failed.
    paired : bool
        Whether both recipes ran with the same seeds, in the same order: for the interval. The
        tests take the runs for independent.
    level : float
        Nominal coverage of the interval, 0 to 1.

    References
    ----------
    Boschloo (1970), Statistica Neerlandica 24, 1-9.
    """
    from scipy import stats

    first, second = np.asarray(first, dtype=bool), np.asarray(second, dtype=bool)
    counts = [int(first.sum()), len(first), int(second.sum()), len(second)]
    if paired:
        difference = of_paired_rate_difference(first, second, level)
    else:
        difference = of_rate_difference(*counts, level)
    table = [counts[0::2], [counts[1] - counts[0], counts[3] - counts[2]]]
    if sum(table[0]) == 0 or sum(table[1]) == 0:  # nothing to compare: scipy gives NaN
        return FailureComparison(difference, 1.0, 1.0)
    boschloo = float(stats.boschloo_exact(table).pvalue)
    return FailureComparison(difference, boschloo, float(stats.fisher_exact(table).pvalue))


def holm(p_values: Sequence[float]) -> np.ndarray:
    """P values adjusted for their number, by Holm's step-down method; NaN stays and counts not.

    Parameters
    ----------
    p_values : sequence of float
        Of the claims of one ledger.

    References
    ----------
    Holm (1979), Scandinavian Journal of Statistics 6, 65-70.
    """
    p_values = np.asarray(p_values, dtype=float)
    adjusted = np.full(len(p_values), nan)
    order = np.argsort(p_values, kind="stable")[: int(np.isfinite(p_values).sum())]
    factors = np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(1, np.maximum.accumulate(factors * p_values[order]))
    return adjusted


def expected_best(scores: np.ndarray, best_of: int, level: float = 0.95) -> Interval:
    """Expected largest score of ``best_of`` runs, without bias, from N runs.

    The mean, over all subsets of ``best_of`` runs, of the largest score. Its interval is Student's
    t with the jackknife error and N / best_of - 1 degrees of freedom, as of so many separate
    blocks of runs; there is none for ``best_of`` above N / 2. The percentile bootstrap of this
    number covers far less than its level.

    Parameters
    ----------
    scores : ndarray of shape (N,)
        Finite; best dev scores, or scores at the end of training: never a mixture of both.
    best_of : int
        From 1 to N.
    level : float
        Nominal coverage of the interval, 0 to 1.

    References
    ----------
    Dodge et al. (2019), section 3.1, for the curve (a V statistic, biased downwards); Tang et al.
    (2020), equation 7, for this estimator.
    """
    scores = np.asarray(scores, dtype=float)
    n = len(scores)
    if not 1 <= best_of <= n:
        raise ValueError(f"best_of: got {best_of}, expected 1 to {n} (the runs)")
    freedom = n / best_of - 1
    if freedom < 1:
        return Interval(_mean_of_best(scores, best_of), nan, nan)
    value, variance = jackknife(lambda runs: _mean_of_best(scores[runs], best_of), n)
    return student_t(float(value), float(variance**0.5), freedom, level)


def _mean_of_best(scores: np.ndarray, best_of: int) -> float:
    below = np.arange(len(scores))  # number of scores below each, in order
    weights = comb(below, best_of - 1) / comb(len(scores), best_of)
    return float(weights @ np.sort(scores))


@dataclass(frozen=True)
class Consistency:
    """How far runs give the same predictions.

    Parameters
    ----------
    agreement : Interval
        Share of the examples on which two runs agree, mean over pairs of runs.
    kappa : Interval
        The same corrected for chance (Fleiss), 1 at most; NaN if all predictions are the same.
    flips : ndarray of shape (examples,)
        Share of the pairs of runs that disagree on each example.
    by_pair : ndarray of shape (runs, runs)
        Agreement of each pair.
    """

    agreement: Interval
    kappa: Interval
    flips: np.ndarray
    by_pair: np.ndarray


def consistency(predictions: np.ndarray, level: float = 0.95) -> Consistency:
    """Agreement of runs on their predictions.

    The intervals are over runs and examples: the jackknife variances of both are added (of the
    examples alone where there are two runs). Runs are not drawn with replacement, since a run
    agrees with itself.

    Parameters
    ----------
    predictions : ndarray of int of shape (runs, examples)
        Label ids of 2 runs or more on 2 examples or more; leave out diverged runs.
    level : float
        Nominal coverage of the intervals, 0 to 1.

    References
    ----------
    Fleiss (1971), Psychological Bulletin 76, 378-382.
    """
    predictions = np.asarray(predictions)
    runs, examples = predictions.shape
    if min(runs, examples) < 2 or (predictions < 0).any():
        raise ValueError(
            f"predictions: got {runs} runs on {examples} examples, expected 2 or more of each and "
            "no diverged run"
        )
    one_hot = predictions[..., None] == np.unique(predictions)  # [R, N, K]

    def statistics(counts: np.ndarray) -> np.ndarray:
        """Agreement and kappa from the number of runs per example and class [N, K]."""
        number = counts[0].sum()
        agreement = ((counts**2).sum(1) - number).mean() / (number * (number - 1))
        chance = (counts.sum(0) / counts.sum()) ** 2
        rest = 1 - chance.sum()
        return np.array([agreement, (agreement - chance.sum()) / rest if rest > 0 else nan])

    everywhere = one_hot.sum(0)
    value, by_example = jackknife(lambda chosen: statistics(everywhere[chosen]), examples)
    parts = [(by_example, examples - 1)]
    if runs > 2:
        _, by_run = jackknife(lambda chosen: statistics(one_hot[chosen].sum(0)), runs)
        parts.append((by_run, runs - 1))
    agreement, kappa = (
        combined(float(value[i]), [(float(v[i]), f) for v, f in parts], level).clipped(highest=1)
        for i in range(2)
    )
    pairs = runs * (runs - 1)
    return Consistency(
        agreement.clipped(lowest=0),
        kappa,
        1 - ((everywhere**2).sum(1) - runs) / pairs,
        (predictions[:, None] == predictions[None]).mean(2),
    )


@dataclass(frozen=True)
class Generalisation:
    """How far runs of the same training loss differ on the dev set.

    Parameters
    ----------
    std : Interval
        Standard deviation of the dev accuracy among runs of the same training loss, 0 to 1,
        without the part that flips of single examples explain.
    noise : float
        Standard deviation that those flips alone would give.
    explained : float
        Share of the variance of the accuracy that goes with the training loss, 0 to 1.
    p_value : float
        Of no difference beyond the flips.
    """

    std: Interval
    noise: float
    explained: float
    p_value: float


def same_loss_spread(
    losses: np.ndarray, correct: np.ndarray, level: float = 0.95
) -> Generalisation:
    """Spread of the dev accuracy that the training loss does not explain.

    The accuracy is regressed on the logarithm of the training loss. The variance that is left is
    compared with what it would be if every example were right with the same probability in all
    runs: the interaction of a two-way analysis of variance of runs and examples.

    Parameters
    ----------
    losses : ndarray of shape (runs,)
        Final training losses, positive, of runs that did not fail; 4 runs or more.
    correct : ndarray of bool of shape (runs, examples)
        Whether each run is right on each dev example.
    level : float
        Nominal coverage of the interval, 0 to 1.

    References
    ----------
    Mosbach et al. (2021), section 5.2, for the claim. Scheffé (1959), chapter 4, for
    the analysis of variance; Cochran's Q (1950) is its case without the training loss.
    """
    x, correct = np.log(np.asarray(losses, dtype=float)), np.asarray(correct, dtype=float)
    runs, examples = correct.shape
    if runs < 4 or len(x) != runs or not np.isfinite(x).all():
        raise ValueError(f"losses: got {len(x)} for {runs} runs, expected 4 or more, all positive")
    scores = correct.mean(1)
    x, y = x - x.mean(), scores - scores.mean()
    residual, used = y, 1
    if x @ x > 0:
        residual, used = y - (x @ y) / (x @ x) * x, 2
    freedom = runs - used
    variance = float(residual @ residual) / freedom
    interaction = correct - scores[:, None] - correct.mean(0) + scores.mean()
    noise = float((interaction**2).sum()) / ((runs - 1) * (examples - 1)) / examples
    low, high = (
        variance * freedom / float(chdtri(freedom, tail))
        for tail in ((1 - level) / 2, (1 + level) / 2)
    )
    p_value = 1.0
    if variance > 0:
        ratio = variance / noise if noise > 0 else inf
        p_value = float(fdtrc(freedom, (runs - 1) * (examples - 1), ratio)) if noise > 0 else 0.0
    return Generalisation(
        Interval(*(max(0.0, v - noise) ** 0.5 for v in (variance, low, high))),
        noise**0.5,
        1 - float(residual @ residual) / float(y @ y) if y @ y > 0 else nan,
        p_value,
    )


def early_sign(norms: np.ndarray, failed: np.ndarray, level: float = 0.95) -> Interval:
    """How well small early gradients announce a failed run: the area under the ROC curve.

    The share of the pairs of a failed and a successful run in which the failed one has the
    smaller norm; ties count half. 0.5 is chance.

    Parameters
    ----------
    norms : ndarray of shape (runs,)
        Gradient norm of each run early on (``failed_runs.early_norm``); a NaN, of a run that had
        diverged by then, counts as the smallest.
    failed : ndarray of bool of shape (runs,)
        Whether each run failed.
    level : float
        Nominal coverage of the interval, 0 to 1.

    Returns
    -------
    Interval
        NaN where no run or every run failed.

    References
    ----------
    Hanley and McNeil (1982), Radiology 143, 29-36.
    """
    norms, failed = np.asarray(norms, dtype=float), np.asarray(failed, dtype=bool)
    norms = np.where(np.isnan(norms), -inf, norms)
    low, high = norms[failed], norms[~failed]
    if len(low) == 0 or len(high) == 0:
        return Interval(nan, nan, nan)
    smaller = (low[:, None] < high).mean() + (low[:, None] == high).mean() / 2
    return of_auc(float(smaller), len(low), len(high), level)


def gradient_gap(norms: np.ndarray, failed: np.ndarray, level: float = 0.95) -> Interval:
    """Orders of magnitude between the gradients of successful and of failed runs.

    Parameters
    ----------
    norms : ndarray of shape (runs,)
        Gradient norm of each run late in training (``failed_runs.late_norm``), positive; runs
        with another value are left out.
    failed : ndarray of bool of shape (runs,)
        Whether each run failed.
    level : float
        Nominal coverage of the interval, 0 to 1.

    Returns
    -------
    Interval
        Difference of the mean log10 norms, successful minus failed: 2 is a factor of 100. NaN
        where no run or every run failed.

    References
    ----------
    Mosbach et al. (2021), section 5.1.
    """
    norms, failed = np.asarray(norms, dtype=float), np.asarray(failed, dtype=bool)
    usable = np.isfinite(norms) & (norms > 0)
    groups = [np.log10(norms[usable & chosen]) for chosen in (~failed, failed)]
    if min(map(len, groups)) == 0:
        return Interval(nan, nan, nan)
    return of_mean_difference(*groups, level)


def layers_to_recover(losses: np.ndarray, tolerance: float) -> int:
    """Fewest top layers to reset until the masked-LM loss is back near the pre-trained model's.

    Parameters
    ----------
    losses : ndarray of shape (layers + 1,)
        Masked-LM loss, nats (the logarithm of the perplexity), with the top 0, 1, ... layers reset;
        the last value is that of the pre-trained encoder's layers.
    tolerance : float
        Nats above the last value.

    Returns
    -------
    int
        The smallest k from which on every loss is within the tolerance.

    References
    ----------
    Mosbach et al. (2021), section 4.1.
    """
    losses = np.asarray(losses, dtype=float)
    outside = np.flatnonzero(~(losses <= losses[-1] + tolerance))
    return int(outside[-1]) + 1 if len(outside) else 0


@dataclass(frozen=True)
class CrossedVariance:
    """Variance of the scores of a crossed design of initialisations and data orders.

    Parameters
    ----------
    init, order, rest : Interval
        Shares of the variance, 0 to 1, of the initialisation, of the order, and of what neither
        explains (their interaction, and chance). NaN where all scores are the same or one is
        missing.
    p_init, p_order : float
        p values of no effect of each.
    """

    init: Interval
    order: Interval
    rest: Interval
    p_init: float
    p_order: float


def crossed_variance(
    scores: np.ndarray, level: float = 0.95, draws: int = 20_000
) -> CrossedVariance:
    """Shares of variance of the initialisation and of the order.

    A two-way random model without replication. The limits are generalised confidence intervals:
    the sums of squares are divided by draws of their chi-square distributions.

    Parameters
    ----------
    scores : ndarray of shape (inits, orders)
        One run each; 2 or more of both.
    level : float
        Nominal coverage, 0 to 1.
    draws : int
        For the limits; the generator's seed is fixed.

    References
    ----------
    Dodge et al. (2020), section 4, for the design; Weerahandi (1993), Journal of the American
    Statistical Association 88, 899-905, for the limits; Scheffé (1959), section 7.4.
    """
    scores = np.asarray(scores, dtype=float)
    inits, orders = scores.shape
    if min(inits, orders) < 2:
        raise ValueError(f"scores: got {inits} by {orders}, expected 2 or more of both")
    nothing = Interval(nan, nan, nan)
    if not np.isfinite(scores).all() or np.ptp(scores) == 0:
        return CrossedVariance(nothing, nothing, nothing, nan, nan)
    by_init, by_order = scores.mean(1) - scores.mean(), scores.mean(0) - scores.mean()
    left = scores - scores.mean() - by_init[:, None] - by_order
    sums = orders * (by_init**2).sum(), inits * (by_order**2).sum(), (left**2).sum()
    freedom = inits - 1, orders - 1, (inits - 1) * (orders - 1)

    def shares(squares: Sequence[np.ndarray]) -> np.ndarray:
        init = np.maximum(0, (squares[0] - squares[2]) / orders)
        order = np.maximum(0, (squares[1] - squares[2]) / inits)
        return np.array([init, order, squares[2]]) / (init + order + squares[2])

    rng = np.random.default_rng(0)
    drawn = shares([s / rng.chisquare(f, draws) for s, f in zip(sums, freedom, strict=True)])
    tails = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2], axis=1)
    squares = [s / f for s, f in zip(sums, freedom, strict=True)]
    limits = [Interval(*map(float, three)) for three in zip(shares(squares), *tails, strict=True)]
    p_values = [
        float(fdtrc(freedom[i], freedom[2], squares[i] / squares[2])) if squares[2] > 0 else 0.0
        for i in range(2)
    ]
    return CrossedVariance(*limits, *p_values)


def failure_power(
    runs: int, rate1: float, rate2: float, alpha: float = 0.05, other_runs: int | None = None
) -> float:
    """Power of Boschloo's test: the probability that it rejects equal failure rates.

    Exact: the sum over all pairs of counts.

    Parameters
    ----------
    runs : int
        Of the first recipe, and of the second unless ``other_runs`` says otherwise.
    rate1, rate2 : float
        True failure rates, 0 to 1.
    alpha : float
        Level of the two-sided test.
    other_runs : int, optional
        Of the second recipe.
    """
    rejected = boschloo_p_values(runs, runs if other_runs is None else other_runs) <= alpha
    first, second = (
        np.exp(_log_binomial(n, np.array([rate]))[0])
        for n, rate in zip((len(rejected) - 1, rejected.shape[1] - 1), (rate1, rate2), strict=True)
    )
    return float(first @ rejected @ second)


def boschloo_p_values(runs1: int, runs2: int, points: int = 999) -> np.ndarray:
    """Two-sided p values of Boschloo's test for every pair of counts.

    Parameters
    ----------
    runs1, runs2 : int
        Sizes of the two samples.
    points : int
        Values of the unknown common rate, between 0 and 1, over which the largest probability is
        sought.

    Returns
    -------
    ndarray of shape (runs1 + 1, runs2 + 1)
        Twice the smaller one-sided p value, 1 at most.

    References
    ----------
    Boschloo (1970).
    """
    from scipy.stats import hypergeom

    rates = np.arange(1, points + 1) / (points + 1)
    first, second = (np.exp(_log_binomial(n, rates)) for n in (runs1, runs2))
    probability = (first[:, :, None] * second[:, None, :]).reshape(points, -1)
    one, other = np.meshgrid(np.arange(runs1 + 1), np.arange(runs2 + 1), indexing="ij")
    smaller = np.full(one.size, inf)
    for counts, total in ((one, runs1), (other, runs2)):  # either sample has the higher rate
        fisher = hypergeom.sf(counts - 1, runs1 + runs2, one + other, total).ravel()
        order = np.argsort(fisher, kind="stable")
        # Tables of equal p value belong to one another, whatever rounding says.
        steps = np.diff(fisher[order]) > 1e-9 * fisher[order][1:]
        last = np.append(np.flatnonzero(steps), len(order) - 1)
        size = np.cumsum(probability[:, order], axis=1)[:, last].max(axis=0)
        which = np.concatenate([[0], np.cumsum(steps)])
        p_values = np.empty(len(order))
        p_values[order] = size[which]
        smaller = np.minimum(smaller, p_values)
    return np.minimum(1, 2 * smaller).reshape(one.shape)


def _log_binomial(n: int, rates: np.ndarray) -> np.ndarray:
    """Log probabilities of 0 to n at each rate [rates, n + 1]."""
    k = np.arange(n + 1)
    return np.log(comb(n, k)) + xlogy(k, rates[:, None]) + xlog1py(n - k, -rates[:, None])


def smallest_difference(runs: int, power: float = 0.8, alpha: float = 0.05) -> float:
    """Smallest failure rate that Boschloo's test can distinguish from a rate of 0.

    Parameters
    ----------
    runs : int
        Seeds of each recipe.
    power : float
        Probability of a rejection, 0 to 1.
    alpha : float
        Level of the two-sided test.

    Returns
    -------
    float
        A rate, to a thousandth, rounded up; NaN if the test never rejects with so few runs.
    """
    rejected = boschloo_p_values(runs, runs)[:, 0] <= alpha
    rates = np.arange(1, 1001) / 1000
    powers = np.exp(_log_binomial(runs, rates)) @ rejected
    enough = np.flatnonzero(powers >= power)
    return float(rates[enough[0]]) if len(enough) else nan


def power_statement(runs: int, power: float = 0.8) -> str:
    """What a number of seeds can decide, in a sentence, for the plan and beside a verdict.

    Parameters
    ----------
    runs : int
        Seeds of each recipe.
    power : float
        Probability with which a difference is to be detected, 0 to 1.
    """
    smallest = smallest_difference(runs, power)
    if not isfinite(smallest):
        return f"{runs} seeds per recipe cannot decide any difference of failure rates"
    return (
        f"{runs} seeds per recipe detect a failure rate of {100 * smallest:.0f} % against 0 % "
        f"with a probability of {100 * power:.0f} %"
    )
