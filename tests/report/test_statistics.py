import numpy as np
import pytest
from scipy import stats

from workflow_scripts.common import thresholds
from workflow_scripts.landscape.radii import Bound, Measured
from workflow_scripts.report import statistics
from workflow_scripts.report.statistics import Verdict, verdict
from workflow_scripts.stability.intervals import (
    Interval,
    of_mean,
    of_mean_difference,
    of_paired_rate_difference,
)

LN2 = np.log(2)
ABOVE, BELOW, ACROSS = Interval(2, 1.5, 2.5), Interval(0.5, 0.2, 0.8), Interval(1, 0.5, 1.5)


# --- verdicts ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "claimed", "runs", "expected"),
    [
        (ABOVE, "above", 3, "supported"),
        (BELOW, "above", 3, "contradicted"),
        (BELOW, "below", 5, "supported"),
        (ACROSS, "above", 30, "inconclusive"),
        (ABOVE, "above", 2, "agrees (2 runs)"),
        (BELOW, "above", 1, "disagrees (1 run)"),
        (ACROSS, "above", 1, "inconclusive"),
        (Interval(2, np.nan, np.nan), "above", 9, "inconclusive: no interval"),
        (ABOVE, "", 3, "reported only"),
    ],
)
def test_a_verdict_follows_from_interval_bound_and_number_of_runs(number, claimed, runs, expected):
    assert str(verdict(number, claimed, 1, runs)) == expected


def test_a_claim_about_one_model_is_decided_by_its_examples():
    assert str(verdict(ABOVE, "above", 1, 1, one_model=True)) == "supported: this model"


def test_fewer_seeds_than_a_claim_needs_leave_it_inconclusive():
    result = verdict(ABOVE, "above", 1, 5, least_runs=thresholds.LEAST_SEEDS)
    assert str(result) == "inconclusive: 10 runs needed, got 5"
    assert verdict(ABOVE, "above", 1, 10, least_runs=10).word == "supported"


def test_a_side_other_than_above_and_below_is_refused():
    with pytest.raises(ValueError, match="expected 'above', 'below'"):
        verdict(ABOVE, "right", 1, 3)


def test_measures_that_disagree_give_no_verdict():
    yes, no, open_ = Verdict("supported"), Verdict("contradicted"), Verdict("inconclusive")
    assert str(statistics.agreed({"SVCCA": yes, "CKA": yes})) == "supported"
    result = statistics.agreed({"SVCCA": no, "CKA": yes})
    assert str(result) == "inconclusive: SVCCA and CKA disagree"
    assert str(statistics.agreed({"SVCCA": yes, "CKA": open_})) == "inconclusive: by CKA"
    unmet = Verdict("not applicable", "scratch ended at 0.74 ln K")
    result = statistics.agreed({"radius": unmet, "along the line": yes})
    assert str(result) == "not applicable: radius: scratch ended at 0.74 ln K"


def test_a_plateau_is_not_an_optimum():
    # A counter-example: a network that learnt nothing against a proper bowl.
    unmet = statistics.unmet_optimum({"scratch": LN2 + 0.001, "pre-trained": 0.05}, LN2)
    result = verdict(Interval(0.055, 0.053, 0.056), "above", 1, 5, unmet)
    assert str(result) == "not applicable: scratch ended at 1.00 ln K"
    # The default's scratch runs: nli, entailment, sentiment, paraphrase.
    for loss, chance in ((0.816, np.log(3)), (0.216, LN2), (0.425, LN2), (0.409, LN2)):
        assert statistics.unmet_optimum({"scratch": loss}, chance)
    assert statistics.unmet_optimum({"scratch": 0.816}, np.log(3)) == "scratch ended at 0.74 ln K"
    assert statistics.unmet_optimum({"scratch": 0.001, "pre-trained": 0.3 * LN2}, LN2) == ""
    assert statistics.unmet_optimum({"scratch": np.nan}, LN2) == "scratch diverged"


def test_a_summary_counts_tasks_by_verdict():
    verdicts = [Verdict("supported"), Verdict("reported only"), Verdict("inconclusive")]
    result = statistics.summary([*verdicts, Verdict("supported")], 12)
    assert result == "supported on 2 of 3, inconclusive on 1 of 3 tasks; 12 runs"
    assert statistics.summary([Verdict("reported only")], 1) == "reported only"


# --- runs and examples --------------------------------------------------------------------------


def test_second_seeds_that_lie_outside_the_firsts_interval_do_not_decide():
    # 16.8 half widths apart, as measured for one task: examples alone would have decided.
    rng = np.random.default_rng(0)
    runs = np.array([[0.02], [-0.03], [0.05]]) + rng.normal(0, 0.005, (3, 300))
    alone = statistics.across_runs([of_mean(runs[0])])
    assert alone.low > 0
    assert verdict(alone, "above", 0, 1).word == "agrees"
    together = statistics.across_runs([of_mean(run) for run in runs])
    assert verdict(together, "above", 0, 3).word == "inconclusive"


def test_welchs_interval_decides_a_comparison_of_independent_runs():
    first, second = np.array([0.70, 0.71, 0.72]), np.array([0.50, 0.52, 0.51])
    assert verdict(of_mean_difference(first, second), "above", 0, 3).word == "supported"


# --- values that are only bounds ----------------------------------------------------------------


def test_a_ratio_with_a_bound_in_it_is_a_bound():
    exact, cut = Measured(2.0), Measured(4.0, Bound.AT_LEAST)
    assert statistics.ratio(exact, Measured(4.0)) == Measured(0.5)
    assert statistics.ratio(cut, exact) == Measured(2.0, Bound.AT_LEAST)
    assert statistics.ratio(exact, cut) == Measured(0.5, Bound.AT_MOST)
    assert statistics.ratio(cut, cut).bound is Bound.BOTH
    assert str(statistics.ratio(exact, cut)) == "≤ 0.5"
    assert np.isnan(statistics.ratio(exact, Measured(0.0)).value)


def test_a_median_is_exact_while_the_bounds_are_above_it():
    def values(*cut: bool) -> list[Measured]:
        kinds = [Bound.AT_LEAST if c else Bound.NONE for c in cut]
        return [Measured(float(i), k) for i, k in enumerate(kinds)]

    assert statistics.median(values(False, False, False, True, True)) == Measured(2.0)
    assert statistics.median(values(True, False, False, False)).bound is Bound.AT_LEAST
    assert statistics.median(values(False, False, True, True)).bound is Bound.AT_LEAST
    with pytest.raises(ValueError, match="lower bounds"):
        statistics.median([Measured(1.0, Bound.AT_MOST)])


def test_a_ratio_with_a_cut_off_denominator_cannot_support_a_larger_numerator():
    # True widths 4 x 0.15 and 20 x 0.05; with the line cut off at 5 the ratio would be 2.1.
    first = [[Measured(0.525 * f) for f in (0.99, 1.0, 1.01)] for _ in range(3)]
    second = [
        [Measured(0.25, Bound.AT_LEAST), Measured(0.25, Bound.AT_LEAST), Measured(0.25)]
        for _ in range(3)
    ]
    value, interval = statistics.ratio_over_runs(first, second)
    assert value.value == pytest.approx(2.1)
    assert value.bound is Bound.AT_MOST
    assert interval.low == 0
    assert verdict(interval, "above", 1, 3).word == "inconclusive"
    # The side that the bound does allow is decided.
    value, interval = statistics.ratio_over_runs(second, first)
    assert value.bound is Bound.AT_LEAST
    assert interval.high == np.inf
    narrow = [[Measured(m.value / 10) for m in run] for run in first]
    assert verdict(statistics.ratio_over_runs(second, narrow)[1], "above", 1, 3).word == "supported"
    both = statistics.ratio_over_runs(second, second)
    assert (both[1].low, both[1].high) == (0, np.inf)


def test_a_ratio_over_three_runs_has_students_interval_of_its_log():
    rng = np.random.default_rng(0)
    radii = np.exp(rng.normal(size=(2, 4, 5)))
    first, second = ([[Measured(r) for r in run] for run in start] for start in radii.tolist())
    value, interval = statistics.ratio_over_runs(first, second)
    logs = np.log(np.median(radii[0], axis=1) / np.median(radii[1], axis=1))
    expected = stats.ttest_1samp(logs, 0).confidence_interval()
    assert value.value == pytest.approx(np.exp(logs.mean()))
    assert (interval.low, interval.high) == pytest.approx(
        (np.exp(expected.low), np.exp(expected.high))
    )


def test_a_ratio_of_one_run_has_an_interval_over_its_directions():
    logs = np.random.default_rng(1).normal(size=(2, 5)) * np.array([[0.1], [0.3]])
    first, second = ([[Measured(r) for r in run]] for run in np.exp(logs).tolist())
    value, interval = statistics.ratio_over_runs(first, second)
    parts = np.pi / 2 * logs.var(axis=1, ddof=1) / 5  # of medians
    half = stats.t.ppf(0.975, parts.sum() ** 2 / (parts**2 / 4).sum()) * parts.sum() ** 0.5
    middle = np.median(logs[0]) - np.median(logs[1])
    assert value.value == pytest.approx(np.exp(middle))
    assert interval.low == pytest.approx(np.exp(middle - half))
    assert interval.high == pytest.approx(np.exp(middle + half))


def test_one_run_of_one_direction_has_a_ratio_without_an_interval():
    value, interval = statistics.ratio_over_runs([[Measured(2.0)]], [[Measured(1.0)]])
    assert value == Measured(2.0)
    assert not interval.known
    cut = statistics.ratio_over_runs([[Measured(2.0, Bound.AT_LEAST)]], [[Measured(1.0)]])
    assert not cut[1].known
    broken = statistics.ratio_over_runs([[Measured(2.0)]], [[Measured(0.0)]])
    assert np.isnan(broken[0].value)


# --- the way from start to end ------------------------------------------------------------------


def test_a_barrier_below_the_starts_loss_is_found():
    # A barrier of 1.2 nats that "the largest rise over the start" misses.
    line = np.interp(np.linspace(0, 1, 41), [0, 0.3, 0.6, 1], [2.0, 0.4, 1.6, 0.05])
    assert statistics.barrier(line) == pytest.approx(1.2, abs=0.05)
    examples = line[:, None] + np.random.default_rng(0).normal(0, 0.3, 30)
    result = statistics.barrier_interval(examples)
    assert result.low > 1.1
    assert verdict(result, "below", thresholds.BARRIER * LN2, 1).word == "disagrees"


def test_a_falling_loss_has_no_barrier():
    assert statistics.barrier(np.linspace(2, 0, 20)) == 0
    assert statistics.barrier(np.array([2.0, np.nan, 0.0])) == np.inf
    slopes = np.random.default_rng(0).gamma(4, 0.25, 40)
    result = statistics.barrier_interval(np.linspace(2, 0, 41)[:, None] * slopes)
    assert (result.value, result.low, result.high) == (0, 0, 0)
    assert verdict(result, "below", thresholds.BARRIER * LN2, 1).word == "agrees"


@pytest.mark.parametrize("examples", [10, 20, 80])
def test_fewer_examples_do_not_make_a_barrier_disappear(examples):
    rng = np.random.default_rng(examples)
    line = np.interp(np.linspace(0, 1, 41), [0, 0.5, 0.75, 1], [0.7, 0.05, 0.2, 0.0])
    result = statistics.barrier_interval(line[:, None] * rng.gamma(2, 0.5, examples))
    assert result.high > 0.1
    assert verdict(result, "below", thresholds.BARRIER * LN2, 3).word != "supported"


def test_one_example_has_a_barrier_without_an_interval():
    assert not statistics.barrier_interval(np.array([[1.0], [2.0]])).known


@pytest.mark.parametrize("epochs", [3, 4, 6, 16])
def test_the_first_step_of_a_random_walk_has_the_cosine_of_chance(epochs):
    assert statistics.walk_cosine([0.3] * epochs) == pytest.approx(epochs**-0.5)
    rng = np.random.default_rng(epochs)
    steps = rng.normal(size=(epochs, 20_000)) * rng.uniform(0.5, 2, (epochs, 1))
    norms, whole = np.linalg.norm(steps, axis=1), steps.sum(0)
    cosine = steps[0] @ whole / norms[0] / np.linalg.norm(whole)
    assert statistics.walk_cosine(norms) == pytest.approx(cosine, abs=0.03)


@pytest.mark.parametrize(("short", "long"), [(4, 6), (5, 16), (3, 16)])
def test_random_walks_of_different_length_decide_nothing(short, long):
    rng = np.random.default_rng(short * long)

    def share(epochs: int) -> float:
        """In a bowl around the end, of the lowest point of the first epoch's ray."""
        steps = rng.normal(size=(epochs, 500))
        end, norms = steps.sum(0), np.linalg.norm(steps, axis=1)
        unit = steps[0] / norms[0]

        def loss(t: float) -> float:
            return float(((t * unit - end) ** 2).sum())

        best = min(loss(float(t)) for t in 4 * norms[0] * np.arange(1, 41) / 40)
        closed = statistics.share_closed(float(end @ end), 0.0, best)
        return statistics.share_beyond_walk(closed, norms)

    decided = 0
    for _ in range(200):
        gap = statistics.paired_difference(*([share(n) for _ in range(3)] for n in (short, long)))
        decided += verdict(gap, "above", 0, 3).word != "inconclusive"
    assert decided <= 20  # 5 % of 200 are 10; the 97.5 % point of the binomial is 16


def test_a_run_that_goes_straight_is_distinguished_from_a_walk():
    # Every epoch continues in the direction of the first: the ray reaches the end.
    assert statistics.share_beyond_walk(1.0, [1.0] * 6) == pytest.approx(5 / 6)
    assert statistics.share_closed(0.7, 0.1, 0.4) == pytest.approx(0.5)
    assert np.isnan(statistics.share_closed(0.1, 0.7, 0.4))


# --- training curves ----------------------------------------------------------------------------


def test_the_area_under_a_line_is_its_middle_and_counts_equal_examples():
    seen = np.array([0.0, 100, 200, 400])
    assert statistics.loss_area(seen, 1 - seen / 400, 400) == pytest.approx(0.5)
    assert statistics.loss_area(seen, 1 - seen / 400, 150) == pytest.approx(1 - 75 / 400)
    with pytest.raises(ValueError, match="until"):
        statistics.loss_area(seen, seen, 500)


def test_a_level_that_a_run_never_reaches_is_a_bound_and_not_zero():
    seen = np.array([0.0, 100, 200])
    fast = statistics.first_below(seen, np.array([0.7, 0.3, 0.1]), 0.35)
    assert fast == Measured(pytest.approx(87.5))
    never = statistics.first_below(seen, np.array([0.7, 0.69, 0.68]), 0.35)
    assert never == Measured(200.0, Bound.AT_LEAST)
    assert str(statistics.ratio(fast, never)) == "≤ 0.438"
    assert statistics.first_below(seen, np.array([0.1, 0.1, 0.1]), 0.35) == Measured(0.0)


def test_two_starts_of_one_process_are_rarely_distinguished_and_one_or_two_runs_never():
    decided = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        seen = np.linspace(0, 1, 13)
        areas = [
            [
                statistics.loss_area(seen, LN2 * np.exp(-pace * seen), 1.0)
                for pace in 5 * np.exp(rng.normal(0, 0.4, 3))
            ]
            for _ in range(2)
        ]
        gap = statistics.paired_difference(*areas)
        decided += verdict(gap, "below", 0, 3).word != "inconclusive"
        for runs in (1, 2):
            few = statistics.paired_difference(areas[0][:runs], areas[1][:runs])
            assert not few.known
            assert verdict(few, "below", 0, runs).word == "inconclusive"
    assert decided <= 10


def test_training_on_without_any_change_is_robust():
    # MRPC: 408 dev examples, 40 errors. Taken for independent they need a gain of 3 points.
    wrong = np.arange(408) < 40
    result = of_paired_rate_difference(wrong, wrong)
    margin = thresholds.OVERFITTING_POINTS / 100
    assert verdict(result, "below", margin, 1, one_model=True).word == "supported"
    worse = of_paired_rate_difference(np.arange(408) < 60, wrong)
    assert verdict(worse, "below", margin, 1, one_model=True).word == "contradicted"


# --- consistency of two surfaces ------------------------------------------------------------------


def surfaces(examples: int, noise: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Losses and errors that rise with the distance from the middle of a grid of 49 points."""
    rng = np.random.default_rng(seed)
    x, y = np.meshgrid(np.linspace(-1, 1, 7), np.linspace(-1, 1, 7))
    away = (x**2 + y**2).ravel()[:, None]
    losses = away + noise * rng.normal(size=(49, examples))
    errors = rng.random((49, examples)) < 0.1 + 0.3 * away
    return losses, errors.astype(float)


def test_the_region_of_an_optimum_is_connected_and_below_the_level():
    losses = np.array([[0.1, 0.9, 0.1], [0.2, 0.9, np.nan], [0.3, 0.4, 0.8]])
    result = statistics.region_below(losses, 0.7, (0, 0))
    assert result.tolist() == [[True, False, False], [True, False, False], [True, True, False]]
    assert not statistics.region_below(losses, 0.7, (1, 1)).any()


@pytest.mark.parametrize("kind", ["spearman", "kendall"])
def test_the_raw_rank_correlation_is_scipys_ties_and_all(kind):
    losses, errors = surfaces(30, 1.0)
    result = statistics.surface_correlation(losses, errors, kind)
    function = stats.spearmanr if kind == "spearman" else stats.kendalltau
    expected = function(losses.mean(1), errors.mean(1)).statistic
    assert result.raw == pytest.approx(expected)


def test_the_correction_takes_the_noise_of_few_examples_out():
    few = statistics.surface_correlation(*surfaces(24, 3.0))
    assert few.raw < 0.75
    assert few.corrected.low < 1 < few.corrected.high + 0.01
    assert few.corrected.low < few.corrected.value <= few.corrected.high
    assert few.corrected.value > few.raw
    many = statistics.surface_correlation(*surfaces(2000, 1.0))
    assert many.corrected.value - many.raw < 0.05
    assert min(many.reliability1, many.reliability2) > 0.9


def test_the_interval_holds_its_own_estimate():
    # The percentile bootstrap's did not in 4 of 40 trials.
    for seed in range(40):
        result = statistics.surface_correlation(*surfaces(20, 1.0, seed)).corrected
        assert not result.known or result.low <= result.value <= result.high


def test_surfaces_of_noise_and_of_few_examples_are_not_decided():
    rng = np.random.default_rng(0)
    noise = statistics.surface_correlation(rng.normal(size=(49, 40)), rng.normal(size=(49, 40)))
    assert not noise.corrected.known
    assert not statistics.surface_correlation(*surfaces(19, 0.1)).corrected.known
    flat = statistics.surface_correlation(np.ones((49, 40)), surfaces(40, 1.0)[1])
    assert not flat.corrected.known
    with pytest.raises(ValueError, match="'spearman' or 'kendall'"):
        statistics.surface_correlation(*surfaces(40, 1.0), kind="pearson")


def test_points_whose_loss_is_not_finite_do_not_count():
    losses, errors = surfaces(40, 1.0)
    losses[3, 5] = np.nan
    result = statistics.surface_correlation(losses, errors)
    kept = np.arange(49) != 3
    assert result == statistics.surface_correlation(losses[kept], errors[kept])


def test_a_plane_does_not_differ_from_itself_and_does_from_a_worse_one():
    good, other = surfaces(60, 1.0), surfaces(60, 1.0, seed=1)
    assert statistics.correlation_difference(good, good) == Interval(0, 0, 0)
    same = statistics.correlation_difference(good, other)
    assert same.low < 0 < same.high
    worse = good[0], np.roll(good[1], 20, axis=0)
    for kind in ("spearman", "kendall"):
        assert statistics.correlation_difference(good, worse, kind).low > 0
