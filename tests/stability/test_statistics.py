from itertools import combinations

import numpy as np
import pytest
from scipy import stats

from workflow_scripts.stability import intervals, statistics

BAD, GOOD = np.array([0.47, 0.53, 0.50, 0.70, 0.71]), np.array([0.70, 0.72, 0.69, 0.71, 0.73])


def test_the_spread_of_a_recipe_is_plain_arithmetic():
    result = statistics.spread(BAD, np.array([True, True, True, False, False]))
    assert (result.runs, result.diverged) == (5, 0)
    assert result.failed == intervals.of_rate(3, 5)
    assert result.std.value == pytest.approx(np.std(BAD, ddof=1))
    assert result.std_population == pytest.approx(np.std(BAD))
    assert result.std_successful.value == pytest.approx(np.std([0.70, 0.71], ddof=1))
    assert (result.median, result.largest, result.smallest) == (0.53, 0.71, 0.47)
    assert result.mean.value == pytest.approx(BAD.mean())


def test_a_run_that_diverged_counts_as_failed_and_has_no_score():
    scores, failed = np.append(GOOD, np.nan), np.append(np.zeros(5, bool), True)
    result = statistics.spread(scores, failed)
    assert (result.runs, result.diverged) == (6, 1)
    assert result.failed.value == pytest.approx(1 / 6)
    assert result.std.value == pytest.approx(np.std(GOOD, ddof=1))
    with pytest.raises(ValueError, match="without a score"):
        statistics.spread(scores, np.zeros(6, bool))


def test_a_recipe_of_which_every_run_diverged_has_a_failure_rate_and_no_more():
    result = statistics.spread(np.full(3, np.nan), np.ones(3, bool))
    assert result.failed.value == 1
    assert np.isnan([result.std.value, result.mean.value, result.median, result.largest]).all()


def anova_p(*groups: np.ndarray) -> float:
    """One-way analysis of variance, written out."""
    everything = np.concatenate(groups)
    between = sum(len(g) * (g.mean() - everything.mean()) ** 2 for g in groups)
    within = sum(((g - g.mean()) ** 2).sum() for g in groups)
    freedom = len(groups) - 1, len(everything) - len(groups)
    return stats.f.sf(between / freedom[0] / (within / freedom[1]), *freedom)


def test_tests_of_equal_spread_are_analyses_of_variance_of_distances():
    result = statistics.compare_spread(np.append(BAD, np.nan), GOOD)
    for p_value, centre in ((result.brown_forsythe, np.median), (result.levene, np.mean)):
        expected = anova_p(*(np.abs(scores - centre(scores)) for scores in (BAD, GOOD)))
        assert p_value == pytest.approx(expected)
    assert result.difference.value == pytest.approx(np.std(BAD, ddof=1) - np.std(GOOD, ddof=1))
    assert result.difference.low < result.difference.value < result.difference.high
    alone = statistics.compare_spread(BAD[:1], GOOD)
    assert np.isnan(alone.brown_forsythe)
    assert np.isnan(statistics.compare_spread(np.ones(4), np.ones(4)).levene)


def test_failure_rates_are_compared_by_exact_tests():
    first, second = np.arange(10) < 6, np.arange(10) < 1
    result = statistics.compare_failures(first, second)
    assert result.difference == intervals.of_rate_difference(6, 10, 1, 10)
    assert result.fisher == pytest.approx(2 * stats.hypergeom.sf(5, 20, 7, 10))
    assert result.boschloo == pytest.approx(stats.boschloo_exact([[6, 1], [4, 9]]).pvalue)
    assert result.boschloo < result.fisher
    paired = statistics.compare_failures(first, second, paired=True)
    assert paired.difference == intervals.of_paired_rate_difference(first, second)
    none = statistics.compare_failures(second & False, second & False)
    assert (none.boschloo, none.fisher) == (1, 1)


def test_holm_adjusts_as_its_paper_says_and_leaves_out_what_has_no_p_value():
    adjusted = statistics.holm([0.01, np.nan, 0.04, 0.03, 0.005])
    assert adjusted == pytest.approx([0.03, np.nan, 0.06, 0.06, 0.02], nan_ok=True)
    assert statistics.holm([0.6, 0.9]) == pytest.approx([1, 1])


@pytest.mark.parametrize("best_of", [1, 2, 4, 7])
def test_the_expected_best_is_the_mean_over_all_subsets(best_of):
    scores = np.random.default_rng(0).normal(size=7)
    subsets = [max(chosen) for chosen in combinations(scores, best_of)]
    result = statistics.expected_best(scores, best_of)
    assert result.value == pytest.approx(np.mean(subsets))
    assert result.known == (best_of <= 3)


def test_the_expected_best_of_one_run_is_the_mean_with_its_usual_interval():
    result = statistics.expected_best(BAD, 1)
    expected = intervals.of_mean(BAD)
    assert (result.low, result.high) == pytest.approx((expected.low, expected.high))
    with pytest.raises(ValueError, match="expected 1 to 5"):
        statistics.expected_best(BAD, 6)


def test_the_expected_best_has_no_bias():
    rng = np.random.default_rng(0)
    result = [statistics.expected_best(rng.uniform(size=8), 5).value for _ in range(4000)]
    assert np.mean(result) == pytest.approx(5 / 6, abs=4 * np.std(result) / 4000**0.5)


def test_kappa_is_that_of_fleisss_own_example():
    # Fleiss (1971), table 1 of the usual example: 10 subjects, 14 raters, 5 classes; kappa 0.210.
    counts = np.array(
        [
            [0, 0, 0, 0, 14],
            [0, 2, 6, 4, 2],
            [0, 0, 3, 5, 6],
            [0, 3, 9, 2, 0],
            [2, 2, 8, 1, 1],
            [7, 7, 0, 0, 0],
            [3, 2, 6, 3, 0],
            [2, 5, 3, 2, 2],
            [6, 5, 2, 1, 0],
            [0, 2, 2, 3, 7],
        ]
    )
    predictions = np.stack([np.repeat(np.arange(5), row) for row in counts], axis=1)
    result = statistics.consistency(predictions)
    assert result.kappa.value == pytest.approx(0.210, abs=5e-4)
    assert result.agreement.value == pytest.approx(0.378, abs=5e-4)


def test_agreement_is_the_mean_over_pairs_of_runs():
    predictions = np.random.default_rng(0).integers(3, size=(4, 30))
    result = statistics.consistency(predictions)
    pairs = [(a == b) for a, b in combinations(predictions, 2)]
    assert result.agreement.value == pytest.approx(np.mean(pairs))
    assert result.flips == pytest.approx(1 - np.mean(pairs, axis=0))
    assert result.by_pair[1, 2] == (predictions[1] == predictions[2]).mean()
    assert result.by_pair.diagonal() == pytest.approx(1)
    assert abs(result.kappa.value) < 0.2


def test_runs_that_always_agree_have_no_kappa_and_one_run_is_refused():
    result = statistics.consistency(np.ones((3, 5), int))
    assert result.agreement.value == result.agreement.high == 1
    assert np.isnan(result.kappa.value)
    for bad in (np.ones((1, 5), int), -np.ones((3, 5), int)):
        with pytest.raises(ValueError, match="expected 2 or more"):
            statistics.consistency(bad)


def test_flips_alone_make_no_difference_in_generalisation():
    rejected, losses = 0, np.full(10, 0.02)
    for seed in range(200):
        rng = np.random.default_rng(seed)
        correct = rng.random((10, 200)) < rng.beta(4, 1, 200)
        rejected += statistics.same_loss_spread(losses, correct).p_value < 0.05
    assert rejected <= 20


def test_equal_losses_give_the_f_test_of_a_two_way_analysis_of_variance():
    rng = np.random.default_rng(0)
    correct = rng.random((6, 50)) < rng.beta(3, 1, 50) * np.linspace(0.7, 1, 6)[:, None]
    result = statistics.same_loss_spread(np.full(6, 0.1), correct)
    total = ((correct - correct.mean()) ** 2).sum()
    runs = 50 * ((correct.mean(1) - correct.mean()) ** 2).sum()
    examples = 6 * ((correct.mean(0) - correct.mean()) ** 2).sum()
    rest = (total - runs - examples) / (5 * 49)
    assert result.p_value == pytest.approx(stats.f.sf(runs / 5 / rest, 5, 5 * 49))
    assert result.std.value == pytest.approx(max(0, (runs / 5 - rest) / 50) ** 0.5)
    assert result.noise == pytest.approx((rest / 50) ** 0.5)


def test_what_goes_with_the_training_loss_is_taken_out():
    rng = np.random.default_rng(1)
    losses = np.geomspace(1e-4, 1e-1, 12)
    correct = rng.random((12, 4000)) < 0.75 - 0.05 * np.log10(losses)[:, None]
    result = statistics.same_loss_spread(losses, correct)
    fit = stats.linregress(np.log(losses), correct.mean(1))
    assert result.explained == pytest.approx(fit.rvalue**2)
    assert result.explained > 0.9
    assert result.std.value < 0.01
    assert result.std.low == 0
    with pytest.raises(ValueError, match="4 or more, all positive"):
        statistics.same_loss_spread(losses[:3], correct[:3])


def test_early_sign_is_mann_and_whitneys_statistic():
    norms = np.array([1.0, 2.0, 2.0, 5.0, 3.0, 0.5, 2.0])
    failed = np.array([True, True, False, False, False, True, True])
    result = statistics.early_sign(norms, failed)
    expected = stats.mannwhitneyu(norms[~failed], norms[failed]).statistic / 12
    assert result.value == pytest.approx(expected)
    assert np.isnan(statistics.early_sign(norms, failed & False).value)
    norms[0] = np.nan  # diverged: it counts as the smallest
    assert statistics.early_sign(norms, failed).value == pytest.approx(expected)


def test_vanishing_gradients_are_counted_in_orders_of_magnitude():
    norms = np.array([1e-4, 1e-3, 1e-2, 1e-1, 1.0, np.nan, 0.0])
    failed = np.array([True, True, False, False, False, True, True])
    result = statistics.gradient_gap(norms, failed)
    assert result.value == pytest.approx(2.5)
    expected = intervals.of_mean_difference(np.array([-2.0, -1, 0]), np.array([-4.0, -3]))
    assert result.low == pytest.approx(expected.low)
    assert np.isnan(statistics.gradient_gap(norms, failed | True).value)


def test_forgetting_ends_at_the_layer_from_which_the_loss_stays_low():
    losses = np.log([7e3, 50, 9.3, 20, 9.5, 9.4, 9.37])
    assert statistics.layers_to_recover(losses, 0.1) == 4
    assert statistics.layers_to_recover(losses, 10) == 0
    losses[3] = np.nan
    assert statistics.layers_to_recover(losses, 10) == 4


def test_shares_of_variance_are_those_of_a_two_way_table():
    rng = np.random.default_rng(0)
    scores = rng.normal(size=(5, 1)) + 0.1 * rng.normal(size=(5, 4))
    result = statistics.crossed_variance(scores)
    total = result.init.value + result.order.value + result.rest.value
    assert total == pytest.approx(1)
    assert result.init.value > 0.9
    squares = 4 * scores.mean(1).var(ddof=1), 5 * scores.mean(0).var(ddof=1)
    left = scores - scores.mean(1, keepdims=True) - scores.mean(0) + scores.mean()
    rest = (left**2).sum() / 12
    assert result.p_init == pytest.approx(stats.f.sf(squares[0] / rest, 4, 12))
    assert result.p_order == pytest.approx(stats.f.sf(squares[1] / rest, 3, 12))
    between = (squares[0] - rest) / 4, max(0, (squares[1] - rest) / 5)
    assert result.init.value == pytest.approx(between[0] / (sum(between) + rest))
    scores[0, 0] = np.nan
    assert np.isnan(statistics.crossed_variance(scores).init.value)


def test_a_recipe_without_effects_of_its_seeds_shows_none():
    rng = np.random.default_rng(0)
    result = [statistics.crossed_variance(rng.normal(size=(5, 5)), draws=10) for _ in range(1000)]
    for name in ("p_init", "p_order"):
        rejected = np.mean([getattr(one, name) < 0.05 for one in result])
        assert rejected == pytest.approx(0.05, abs=0.02)


def test_the_table_of_boschloo_p_values_is_scipys():
    table = statistics.boschloo_p_values(7, 9)
    for one, other in ((0, 5), (3, 3), (6, 1), (7, 0), (2, 8)):
        expected = stats.boschloo_exact([[one, other], [7 - one, 9 - other]], n=128).pvalue
        assert table[one, other] == pytest.approx(min(1, expected), abs=1e-5)
    assert table[0, 0] == table[7, 9] == 1


def test_power_is_the_share_of_experiments_that_reject():
    rng = np.random.default_rng(0)
    rejected = [
        stats.boschloo_exact([[a, b], [8 - a, 8 - b]], n=16).pvalue <= 0.05
        for a, b in zip(rng.binomial(8, 0.7, 200), rng.binomial(8, 0.1, 200), strict=True)
    ]
    power = statistics.failure_power(8, 0.7, 0.1)
    assert np.mean(rejected) == pytest.approx(power, abs=0.1)
    assert statistics.failure_power(8, 0.3, 0.3) <= 0.05
    assert statistics.failure_power(8, 0.7, 0.1, other_runs=16) > power


def test_the_smallest_difference_is_one_that_the_test_finds():
    for runs in (5, 10, 25):
        smallest = statistics.smallest_difference(runs)
        assert statistics.failure_power(runs, smallest, 0.0) >= 0.8
        assert statistics.failure_power(runs, smallest - 0.002, 0.0) < 0.8
    assert statistics.power_statement(10) == (
        "10 seeds per recipe detect a failure rate of 48 % against 0 % with a probability of 80 %"
    )
    assert "cannot decide" in statistics.power_statement(2)
