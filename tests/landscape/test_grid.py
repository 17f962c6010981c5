import numpy as np
import pytest

from workflow_scripts.landscape.grid import (
    Point,
    SurfaceSpec,
    axis,
    points_in,
    points_of,
    shards,
    surface_points,
)


def test_the_papers_grid_misses_both_checkpoints_and_gets_them_as_extra_points():
    points = surface_points("plane", -4, 4, 40)
    assert len(points) == 40 * 40 + 2
    assert not points["on_grid"].iloc[-2:].any()
    assert points["on_grid"].iloc[:-2].all()
    extra = points.iloc[-2:]
    assert list(zip(extra["alpha"], extra["beta"], strict=True)) == [(0, 0), (1, 0)]
    assert list(extra["anchor"]) == ["start", "end"]
    assert np.abs(axis(-4, 4, 40)).min() == pytest.approx(0.1026, abs=1e-4)


@pytest.mark.parametrize("points", [17, 41])
def test_a_grid_that_holds_the_checkpoints_gets_no_extra_points(points):
    table = surface_points("plane", -4, 4, points)
    assert len(table) == points**2
    assert table["on_grid"].all()
    assert sorted(table.loc[table["anchor"] != "", "anchor"]) == ["end", "start"]


def test_rows_run_along_beta_and_points_along_alpha():
    table = surface_points("group", -2, 2, 5)
    assert table["beta"].is_monotonic_increasing
    assert table.groupby("row")["alpha"].apply(lambda a: a.is_monotonic_increasing).all()
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
    assert points == [(-1, -1), (1, -1), (-1, 1), (1, 1), (0, 0), (1, 0)]
    assert points[-1] == Point(alpha=1.0, beta=0.0)
