import numpy as np
import pytest
from scipy import stats

from workflow_scripts.stability import intervals
from workflow_scripts.stability.intervals import Interval


@pytest.mark.parametrize("count", [0, 1, 4, 9, 10])
def test_a_rates_interval_is_wilsons(count):
    result = intervals.of_rate(count, 10)
    expected = stats.binomtest(count, 10).proportion_ci(method="wilson")
    assert result.value == count / 10
    assert (result.low, result.high) == pytest.approx((expected.low, expected.high), abs=1e-12)


@pytest.mark.parametrize(("count", "total"), [(1, 0), (-1, 5), (6, 5)])
def test_a_rate_of_impossible_counts_is_refused(count, total):
    with pytest.raises(ValueError, match="count, total"):
        intervals.of_rate(count, total)


def test_differences_of_rates_are_those_of_newcombes_tables():
    # Newcombe (1998), Statistics in Medicine 17, 873-890, table II, method 10.
    result = intervals.of_rate_difference(56, 70, 48, 80)
    assert (result.low, result.high) == pytest.approx((0.0524, 0.3339), abs=5e-5)
    result = intervals.of_rate_difference(10, 10, 0, 10)
    assert (result.low, result.high) == pytest.approx((0.6075, 1.0), abs=5e-5)


def test_paired_differences_are_those_of_newcombes_tables():
    # Newcombe (1998), Statistics in Medicine 17, 2635-2650, table III, method 10.
    def pairs(both: int, one: int, other: int, neither: int):
        first = np.repeat([True, True, False, False], [both, one, other, neither])
        second = np.repeat([True, False, True, False], [both, one, other, neither])
        return intervals.of_paired_rate_difference(first, second)

    result = pairs(36, 12, 2, 0)
    assert (result.low, result.high) == pytest.approx((0.0569, 0.3404), abs=5e-5)
    result = pairs(97, 3, 0, 0)
    assert result.value == pytest.approx(0.03)
    assert result.low <= 0 < result.high


def test_a_positive_correlation_of_pairs_is_corrected_for_continuity():
    both, one, other, neither = 40, 12, 4, 44
    first = np.repeat([True, True, False, False], [both, one, other, neither])
    second = np.repeat([True, False, True, False], [both, one, other, neither])
    limits = [stats.binomtest(k, 100).proportion_ci(method="wilson") for k in (52, 44)]
    phi = (both * neither - one * other - 50) / (52 * 48 * 44 * 56) ** 0.5
    down, up = 0.52 - limits[0].low, limits[1].high - 0.44
    expected = 0.08 - (down**2 - 2 * phi * down * up + up**2) ** 0.5
    assert intervals.of_paired_rate_difference(first, second).low == pytest.approx(expected)


def test_no_errors_twice_still_leave_room_for_a_point_each_way():
    right = np.zeros(300, dtype=bool)
    result = intervals.of_paired_rate_difference(right, right)
    assert result.value == 0
    assert 0.01 < result.high < 0.02
    assert result.low == pytest.approx(-result.high)


def test_a_standard_deviations_interval_inverts_the_chi_square_test():
    values = np.random.default_rng(0).normal(size=9)
    result = intervals.of_standard_deviation(values)
    assert result.value == pytest.approx(values.std(ddof=1))
    for limit, tail in ((result.low, 0.975), (result.high, 0.025)):
        assert stats.chi2.cdf(8 * result.value**2 / limit**2, 8) == pytest.approx(tail)
    assert np.isnan(intervals.of_standard_deviation(values[:1]).value)


def test_means_and_their_differences_have_students_and_welchs_intervals():
    rng = np.random.default_rng(1)
    first, second = rng.normal(size=7), rng.normal(1, 3, size=12)
    mean = intervals.of_mean(first)
    expected = stats.ttest_1samp(first, 0).confidence_interval()
    assert (mean.low, mean.high) == pytest.approx((expected.low, expected.high))
    gap = intervals.of_mean_difference(first, second)
    expected = stats.ttest_ind(first, second, equal_var=False).confidence_interval()
    assert (gap.low, gap.high) == pytest.approx((expected.low, expected.high))
    assert not intervals.of_mean(first[:1]).known
    assert not intervals.of_mean_difference(first[:1], second).known


def test_the_limits_of_a_positive_quantity_are_positive_on_the_log_scale():
    result = intervals.student_t(0.01, 0.02, 5, log=True)
    half = stats.t.ppf(0.975, 5) * 2
    assert (result.low, result.high) == pytest.approx((0.01 / np.exp(half), 0.01 * np.exp(half)))
    assert not intervals.student_t(0.0, 0.02, 5, log=True).known


def test_the_jackknife_of_a_mean_is_its_usual_error():
    values = np.random.default_rng(2).normal(size=15)
    value, variance = intervals.jackknife(lambda i: values[i].mean(), 15)
    assert value == pytest.approx(values.mean())
    assert variance == pytest.approx(values.var(ddof=1) / 15)


def test_a_difference_of_symmetric_intervals_adds_their_halves_in_quadrature():
    result = intervals.difference_of(Interval(5, 2, 8), Interval(1, -3, 5))
    assert result == Interval(4, -1, 9)
    same = intervals.difference_of(Interval(5, 2, 8), Interval(1, -2, 4), correlation=1.0)
    assert (same.low, same.high) == (4, 4)
    assert not intervals.difference_of(Interval(1, np.nan, np.nan), Interval(1, 0, 2)).known


def test_runs_of_one_number_widen_its_interval_by_their_spread():
    one = Interval(2.0, 1.0, 4.0)
    assert intervals.over_runs([one]) is one
    exact = [Interval(v, v, v) for v in (1.0, 2.0, 4.0)]
    expected = intervals.of_mean(np.array([1.0, 2.0, 4.0]))
    result = intervals.over_runs(exact)
    assert (result.low, result.high) == pytest.approx((expected.low, expected.high))
    alike = intervals.over_runs([one] * 3)  # the examples' error is shared: it does not shrink
    assert (alike.low, alike.high) == (one.low, one.high)


def test_an_areas_limits_are_where_the_score_test_just_rejects():
    result = intervals.of_auc(0.8, 6, 9)
    z = stats.norm.ppf(0.975)
    for limit in (result.low, result.high):
        extra = 6.5 * ((1 - limit) / (2 - limit) + limit / (1 + limit))
        error = (limit * (1 - limit) * (1 + extra) / 54) ** 0.5
        assert abs(limit - 0.8) / error == pytest.approx(z)
    whole = intervals.of_auc(1.0, 6, 9)
    assert whole.high == 1
    assert 0.6 < whole.low < 0.9
    assert not intervals.of_auc(0.5, 0, 9).known
