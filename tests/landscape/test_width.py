import numpy as np
import pytest
import torch

from workflow_scripts.landscape.width import (
    Region,
    filter_distance,
    interval,
    line_widths,
    plane_areas,
    region,
)

ALPHA = np.linspace(-4, 4, 801)


def test_the_interval_of_a_parabola_is_twice_the_root_of_the_tolerance():
    for tolerance in (0.25, 4.0):
        found = interval(ALPHA, (ALPHA - 1) ** 2, tolerance)
        assert found.width == pytest.approx(2 * tolerance**0.5, abs=1e-3)
        assert not found.censored


def test_the_interval_is_the_connected_one():
    loss = np.where(np.abs(ALPHA - 1) < 0.5, 0.0, 1.0)
    loss[ALPHA < -2] = 0.0  # as low, but behind a wall
    found = interval(ALPHA, loss, 0.5)
    assert (found.left, found.right) == pytest.approx((0.5, 1.5), abs=0.02)


def test_a_low_end_of_the_grid_is_censored_and_nan_is_high():
    assert interval(ALPHA, np.zeros_like(ALPHA), 0.1).censored
    loss = (ALPHA - 1) ** 2
    loss[ALPHA > 1.5] = np.nan
    found = interval(ALPHA, loss, 4.0)
    assert found.right == pytest.approx(1.5)
    assert not found.censored
    assert found.left == pytest.approx(-1, abs=1e-3)


@pytest.mark.parametrize(("points", "error"), [(41, 0.04), (81, 0.02)])
def test_the_area_of_a_bowl_is_that_of_its_circle(points, error):
    axis = np.linspace(-4, 4, points)
    loss = (axis[None, :] - 1) ** 2 + axis[:, None] ** 2
    for radius in (0.7, 1.5):
        found = region(axis, axis, loss, radius**2)
        assert found.area == pytest.approx(np.pi * radius**2, rel=error)
        assert not found.censored


def test_the_area_counts_only_the_region_around_the_end():
    axis = np.linspace(-4, 4, 41)
    bowl = np.minimum(
        (axis[None, :] - 1) ** 2 + axis[:, None] ** 2,
        (axis[None, :] + 3) ** 2 + (axis[:, None] - 3) ** 2,
    )
    assert region(axis, axis, bowl, 0.5).area == pytest.approx(np.pi * 0.5, rel=0.05)
    everywhere = region(axis, axis, bowl * 0, 0.5)
    assert everywhere == Region(pytest.approx(64), True, True, pytest.approx(64))


@pytest.mark.parametrize("points", [11, 40, 41])
@pytest.mark.parametrize("curvature", [0.5, 1, 2, 5, 10, 50])
def test_an_area_is_right_within_a_tenth_or_said_to_be_unresolved(points, curvature):
    """Bowls of known area, also where (1, 0) is no point of the grid."""
    axis = np.linspace(-2.5, 2.5, points) if points == 11 else np.linspace(-4, 4, points)
    loss = 0.1 + curvature * ((axis[None, :] - 1) ** 2 + axis[:, None] ** 2)
    truth = np.pi * 0.5 / curvature
    found = region(axis, axis, loss, 0.5, end=0.1)
    if found.resolved:
        assert found.area == pytest.approx(truth, rel=0.1)
    assert found.bound > truth
    cells = truth / (axis[1] - axis[0]) ** 2
    if not 24 < cells < 36:
        assert found.resolved == (cells > 30)


def test_the_bootstrap_interval_covers_the_true_width():
    rng = np.random.default_rng(0)
    alpha = np.linspace(-4, 4, 81)
    hits = 0
    for trial in range(60):
        curvature = rng.gamma(4, 0.25, size=60)  # mean 1
        losses = (alpha[:, None] - 1) ** 2 * curvature
        table = line_widths(alpha, losses, [1.0], resamples=200, seed=trial)
        hits += bool((table["low"] <= 2.0).item() and (table["high"] >= 2.0).item())
    assert 50 <= hits <= 60


def test_areas_have_intervals_around_their_value():
    axis = np.linspace(-4, 4, 41)
    scale = np.random.default_rng(0).gamma(8, 1 / 8, size=40)
    losses = ((axis[None, :] - 1) ** 2 + axis[:, None] ** 2)[..., None] * scale
    table = plane_areas(axis, axis, losses, np.zeros(40), [1.5], resamples=100)
    assert table["low"].item() < table["value"].item() < table["high"].item()
    assert table["resolved"].all()
    narrow = plane_areas(axis, axis, 50 * losses, np.zeros(40), [1.5], resamples=100)
    assert not narrow["resolved"].any()
    assert narrow["low"].isna().all()
    assert narrow["value"].item() > np.pi * 1.5 / 50


def test_a_line_without_the_end_point_is_refused():
    with pytest.raises(ValueError, match=r"alpha = 1 is not a point of the line \[-4, 0\]"):
        line_widths(np.linspace(-4, 0, 41), np.zeros((41, 3)), [0.1], resamples=100)


def test_filter_distance_is_the_share_by_which_every_filter_moves():
    end = {
        "encoder.layer.0.weight": torch.tensor([[3.0, 4.0], [0.0, 10.0]]),
        "encoder.layer.0.bias": torch.ones(2),
        "embeddings.word_embeddings.weight": torch.ones(5, 2),
    }
    delta = {
        "encoder.layer.0.weight": torch.tensor([[0.5, 0.0], [3.0, 0.0]]),
        "encoder.layer.0.bias": torch.full((2,), 100.0),
        "embeddings.word_embeddings.weight": torch.full((5, 2), 100.0),
    }
    assert filter_distance(delta, end) == pytest.approx(np.sqrt((0.1**2 + 0.3**2) / 2))
