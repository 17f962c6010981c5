"""Radii of optima: crossings by bisection, and their errors over examples."""

import numpy as np
import pytest

from workflow_scripts.common.thresholds import WIDTH_LEVEL
from workflow_scripts.landscape.radii import (
    Bound,
    Measured,
    crossing,
    radius_error,
    width_level,
)

LN2 = float(np.log(2))


@pytest.mark.parametrize("curvature", [0.05, 1, 5, 50, 1000])
def test_widths_of_bowls_are_right_within_a_thousandth(curvature):
    result = crossing(lambda x: 0.1 + curvature * x**2, 0.2, longest=2.5)
    assert result.distance.bound is Bound.NONE
    assert result.distance.value == pytest.approx((0.1 / curvature) ** 0.5, rel=2e-3)
    assert result.evaluations <= 11


def test_a_narrow_bowl_costs_a_few_more_losses():
    result = crossing(lambda x: 1e5 * x**2, 0.1, longest=2.5)
    assert result.distance.value == pytest.approx(1e-3, rel=2e-3)
    assert result.evaluations <= 14


def test_a_loss_that_stays_low_gives_a_bound():
    result = crossing(lambda x: 0.001 * x**2, 0.2, longest=2.5)
    assert result.distance == Measured(2.5, Bound.AT_LEAST)


def test_a_loss_that_is_not_a_number_is_high():
    result = crossing(lambda x: 0.0 if x < 0.6 else np.nan, 0.2, longest=2.5)
    assert result.distance.value == pytest.approx(0.6, rel=0.03)
    at_once = crossing(lambda x: np.inf, 0.2, longest=2.5)
    assert 0 < at_once.distance.value < 1e-6


def test_the_first_of_two_crossings_counts():
    def loss(x: float) -> float:
        return 0.3 if 0.5 < x < 1.0 else (1.0 if x > 2 else 0.0)

    result = crossing(loss, 0.2, longest=2.5, first=0.2)
    assert result.distance.value == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize("end", [0.0, 0.2, 0.6])
def test_the_level_of_a_width_is_below_the_loss_of_a_constant_answer(end):
    level = width_level(end, LN2, WIDTH_LEVEL)
    assert end < level < LN2
    assert level == pytest.approx(0.8 * end + 0.2 * LN2)


def test_the_error_of_a_radius_is_its_spread_over_samples_of_examples():
    """Bowls whose curvature and lowest loss vary over the examples."""
    rng = np.random.default_rng(0)

    def measure(examples: int) -> tuple[float, float]:
        curvature, lowest = rng.gamma(8, 1 / 8, examples), rng.gamma(4, 0.02, examples)

        def losses(x: float) -> np.ndarray:
            return lowest + curvature * x**2

        level = width_level(float(lowest.mean()), LN2, WIDTH_LEVEL)
        crossed = crossing(lambda x: float(losses(x).mean()), level, 8.0)
        at = losses(crossed.distance.value)
        return crossed.distance.value, radius_error(lowest, at, WIDTH_LEVEL, crossed)

    radii, errors = zip(*(measure(50) for _ in range(400)), strict=True)
    assert np.mean(errors) == pytest.approx(np.std(np.log(radii)), rel=0.1)


def test_a_radius_that_was_cut_off_has_no_error():
    crossed = crossing(lambda x: 0.0, 0.2, 8.0)
    assert radius_error(np.zeros(3), np.zeros(3), WIDTH_LEVEL, crossed) == 0
