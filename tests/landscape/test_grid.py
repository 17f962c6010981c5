import numpy as np
import pytest

from workflow_scripts.landscape.grid import (
    CELLS,
    Point,
    SurfaceSpec,
    axis,
    cell_centres,
    points_in,
    points_of,
    shards,
    surface_points,
)


def test_the_papers_grid_misses_both_checkpoints_and_gets_them_as_extra_points():
    points = surface_points("plane", -4, 4, 40)
    assert len(points) == 40 * 40 + 2 + CELLS
    assert not points["on_grid"].iloc[1600:].any()
    assert points["on_grid"].iloc[:1600].all()
    extra = points.iloc[1600:1602]
    assert list(zip(extra["alpha"], extra["beta"], strict=True)) == [(0, 0), (1, 0)]
    assert list(extra["anchor"]) == ["start", "end"]
    assert np.abs(axis(-4, 4, 40)).min() == pytest.approx(0.1026, abs=1e-4)


@pytest.mark.parametrize("points", [17, 41])
def test_a_grid_that_holds_the_checkpoints_gets_them_once(points):
    table = surface_points("plane", -4, 4, points)
    assert table["on_grid"].sum() == points**2
    assert sorted(table.loc[table["anchor"] != "", "anchor"]) == ["end", "start"]
    assert table.loc[table["anchor"] != "", "on_grid"].all()


@pytest.mark.parametrize("points", [2, 3, 4, 11, 40])
def test_cell_centres_are_centres_of_cells_of_their_own_all_over_the_grid(points):
    alphas = axis(-2.5, 2.5, points)
    cells = [
        (np.searchsorted(alphas, a), np.searchsorted(alphas, b)) for a, b in cell_centres(alphas)
    ]
    assert len(set(cells)) == len(cells) <= CELLS
    for center, (across, along) in zip(cell_centres(alphas), cells, strict=True):
        assert center.alpha == pytest.approx(alphas[across - 1 : across + 1].mean())
        assert center.beta == pytest.approx(alphas[along - 1 : along + 1].mean())
    if points > 10:
        quarters = {(a > 0, b > 0) for a, b in cell_centres(alphas)}
        assert len(cells) == CELLS
        assert len(quarters) == 4


def test_a_checkpoint_at_the_centre_of_a_cell_stays_one_point():
    table = surface_points("plane", -1.5, 2.5, 5)  # 0 and 1 lie between points
    assert not table.duplicated(["alpha", "beta"]).any()
    assert sorted(table.loc[table["anchor"] != "", "anchor"]) == ["end", "start"]


def test_rows_run_along_beta_and_points_along_alpha():
    table = surface_points("group", -2, 2, 5)
    assert table.loc[table["on_grid"], "beta"].is_monotonic_increasing
    rows = table[table["on_grid"]].groupby("row")["alpha"]
    assert rows.apply(lambda alphas: alphas.is_monotonic_increasing).all()
    rollback = table[table["anchor"] == "rollback"]
    assert (rollback["alpha"].item(), rollback["beta"].item()) == (-1, 0)


def test_a_line_is_one_row():
    table = surface_points("line", -4, 4, 41)
    assert len(table) == 41
    assert (table["beta"] == 0).all()


@pytest.mark.parametrize("kind", ["plane", "line", "group"])
@pytest.mark.parametrize("points", [3, 9, 10, 17, 40])
@pytest.mark.parametrize("size", [1, 4, 1000])
def test_shards_cover_every_row_once(kind, points, size):
    table = surface_points(kind, -4, 4, points)
    rows = [row for a, b in shards(kind, -4, 4, points, size) for row in range(a, b + 1)]
    assert rows == sorted(set(table["row"]))


RULE = {"kind": "group", "range": [-2, 2], "points": 5, "group": "low", "groups": {"low": [0, 1]}}


def test_a_rules_surface_is_read_whole_and_other_keys_are_ignored():
    spec = SurfaceSpec.from_dict(RULE | {"start": "scratch"})
    assert (spec.kind, spec.low, spec.high, spec.points) == ("group", -2, 2, 5)
    assert (spec.group, spec.groups) == ("low", {"low": [0, 1]})
    assert points_in(spec).equals(surface_points("group", -2, 2, 5))
    for key in RULE:
        with pytest.raises(KeyError, match=key):
            SurfaceSpec.from_dict({k: v for k, v in RULE.items() if k != key})


def test_points_are_pairs_of_alpha_and_beta_in_the_tables_order():
    table = surface_points("plane", -1, 1, 2)
    points = points_of(table)
    # The centre of the only cell is the start.
    assert points == [(-1, -1), (1, -1), (-1, 1), (1, 1), (0, 0), (1, 0)]
    assert points[-1] == Point(alpha=1.0, beta=0.0)
