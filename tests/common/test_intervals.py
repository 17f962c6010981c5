"""Intervals against SciPy's, closed forms, and drawing by hand."""

import numpy as np
import pytest
from scipy import stats

from workflow_scripts.common.intervals import (
    jackknife_interval,
    percentile_interval,
    resampled_means,
)


def test_the_percentile_bootstrap_of_a_mean_is_that_of_scipy():
    values = np.random.default_rng(1).gamma(2, size=80)
    low, high = percentile_interval(resampled_means(values[None], 20_000, seed=0))
    expected = stats.bootstrap(
        (values,), np.mean, n_resamples=20_000, method="percentile", rng=np.random.default_rng(2)
    )
    # Two percentiles of 20,000 draws each: their Monte Carlo error is 1 % of the width.
    tolerance = 0.03 * (high - low)
    assert low == pytest.approx(expected.confidence_interval.low, abs=tolerance)
    assert high == pytest.approx(expected.confidence_interval.high, abs=tolerance)


def test_a_difference_of_rows_has_scipys_paired_interval():
    first = np.random.default_rng(1).normal(size=60)
    second = first + 0.1 * np.random.default_rng(2).normal(size=60)
    means = resampled_means(np.stack([first, second]), 20_000, seed=0)
    low, high = percentile_interval(means[:, 0] - means[:, 1])
    expected = stats.bootstrap(
        (first, second),
        lambda x, y, axis: np.mean(x - y, axis=axis),
        paired=True,
        n_resamples=20_000,
        method="percentile",
        rng=np.random.default_rng(3),
    ).confidence_interval
    assert (low, high) == pytest.approx((expected.low, expected.high), abs=0.03 * (high - low))


def test_resampled_means_are_means_of_examples_drawn_by_hand():
    values = np.random.default_rng(1).normal(size=(4, 7))
    means = resampled_means(values, 30, seed=5)
    counts = np.random.default_rng(5).multinomial(7, [1 / 7] * 7, size=30)
    for draw, count in enumerate(counts):
        drawn = np.repeat(np.arange(7), count)
        assert len(drawn) == 7
        assert means[draw] == pytest.approx([row[drawn].mean() for row in values], rel=1e-12)


def test_resampled_means_keep_the_rows_correlation_and_nan():
    values = np.random.default_rng(0).normal(size=(3, 50))
    values[1] = values[0] + 2
    values[2, 7] = np.nan
    means = resampled_means(values, 300, seed=1)
    assert means[:, 1] - means[:, 0] == pytest.approx(2)
    assert means[:, 0].std() == pytest.approx(values[0].std() / 50**0.5, rel=0.15)
    drawn = np.isnan(means[:, 2]).mean()
    assert drawn == pytest.approx(1 - (1 - 1 / 50) ** 50, abs=0.1)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_draw_is_nan_exactly_where_a_broken_example_was_drawn(value):
    values = np.arange(6.0)[None].repeat(2, axis=0)
    values[0, 2] = value
    means = resampled_means(values, 40, seed=3)
    counts = np.random.default_rng(3).multinomial(6, [1 / 6] * 6, size=40)
    assert (np.isnan(means[:, 0]) == (counts[:, 2] > 0)).all()
    assert np.isfinite(means[:, 1]).all()


def test_percentiles_are_those_of_the_sorted_draws():
    draws = np.random.default_rng(0).permutation(np.arange(401.0))
    assert percentile_interval(draws) == (10, 390)
    low, high = percentile_interval(np.stack([draws, 2 * draws], axis=1), axis=0)
    assert (low.tolist(), high.tolist()) == ([10, 20], [390, 780])
    assert np.isnan(percentile_interval([1.0, np.nan])).all()


def test_the_jackknife_of_a_mean_is_the_t_interval():
    values = np.random.default_rng(0).gamma(2, size=25)
    left_out = [np.delete(values, i).mean() for i in range(25)]
    for level in (0.95, 0.8):
        found = jackknife_interval(values.mean(), left_out, level)
        assert found.error == pytest.approx(stats.sem(values), rel=1e-12)
        expected = stats.ttest_1samp(values, 0).confidence_interval(level)
        assert (found.low, found.high) == pytest.approx(expected, rel=1e-12)


def test_the_jackknife_of_groups_is_the_spread_of_their_means():
    values = np.random.default_rng(0).normal(size=(8, 5))  # 8 groups of 5
    left_out = [np.delete(values, i, axis=0).mean() for i in range(8)]
    found = jackknife_interval(values.mean(), left_out)
    assert found.error == pytest.approx(stats.sem(values.mean(axis=1)), rel=1e-12)
    assert isinstance(found.value, float)
    assert found.left_out.tolist() == left_out


def test_the_jackknife_of_the_plug_in_variance_has_its_closed_form():
    """Efron & Tibshirani (1993), chapter 10: its bias correction gives the unbiased variance."""
    values = np.random.default_rng(0).normal(size=30)
    left_out = np.array([np.delete(values, i).var() for i in range(30)])
    found = jackknife_interval(values.var(), left_out)
    corrected = found.value - 29 * (left_out.mean() - found.value)
    assert corrected == pytest.approx(values.var(ddof=1), rel=1e-12)
    # Pseudo-values n θ − (n − 1) θ₋ᵢ give the same standard error.
    pseudo = 30 * found.value - 29 * left_out
    assert found.error == pytest.approx(stats.sem(pseudo), rel=1e-10)


def test_the_jackknife_takes_arrays():
    values = np.random.default_rng(0).normal(size=(12, 2, 3))
    left_out = np.stack([np.delete(values, i, axis=0).mean(axis=0) for i in range(12)])
    found = jackknife_interval(values.mean(axis=0), left_out)
    for place in np.ndindex(2, 3):
        one = jackknife_interval(found.value[place], left_out[(slice(None), *place)])
        got = (found.low[place], found.high[place], found.error[place])
        assert got == pytest.approx((one.low, one.high, one.error), rel=1e-12)
