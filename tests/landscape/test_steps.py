"""The steps between the engine and the figures: examples, merged shards, widths on disk."""

import numpy as np
import pandas as pd
import pytest

from workflow_scripts.common.tables import read_table, write_json, write_table
from workflow_scripts.landscape.choose_examples import choose
from workflow_scripts.landscape.grid import surface_points
from workflow_scripts.landscape.measure_width import measure_width
from workflow_scripts.landscape.merge_surface import merge, merge_surface, summarise


def test_a_subset_is_seeded_without_replacement_and_in_the_tasks_order():
    table = pd.DataFrame({"sentence": [f"s{i}" for i in range(50)], "label": range(50)})
    first = choose(table, "t", "train", 20, seed=1)
    assert first.equals(choose(table, "t", "train", 20, seed=1))
    assert not first["row"].equals(choose(table, "t", "train", 20, seed=2)["row"])
    assert first["row"].is_monotonic_increasing
    assert first["row"].is_unique
    assert (first["label"] == first["row"]).all()
    assert len(choose(table, "t", "dev", None, seed=1)) == 50


def test_a_subset_has_the_classes_in_their_shares():
    table = pd.DataFrame({"label": [0] * 150 + [1] * 90 + [2] * 60})
    chosen = choose(table.sample(frac=1, random_state=0), "t", "dev", 20, seed=0)
    assert chosen["label"].value_counts().to_dict() == {0: 10, 1: 6, 2: 4}
    few = choose(table, "t", "dev", 2, seed=0)
    assert len(few) == 2


def test_more_examples_than_the_task_has_is_an_error():
    with pytest.raises(ValueError, match=r"^landscape.dev_examples: got 9, t has 3 dev examples$"):
        choose(pd.DataFrame({"label": [0, 1, 0]}), "t", "dev", 9, seed=0)


def evaluated(points: pd.DataFrame, n: int = 6) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    columns = {}
    for split in ("train", "dev"):
        columns[f"{split}_loss"] = list(rng.gamma(2, size=(len(points), n)).astype(np.float32))
        columns[f"{split}_prediction"] = list(rng.integers(0, 2, size=(len(points), n)))
    return points.assign(**columns)


def examples(n: int = 6) -> pd.DataFrame:
    return pd.DataFrame({"split": ["train"] * n + ["dev"] * n, "label": [0, 1] * n})


def test_shards_in_any_order_make_the_whole_surface():
    points = surface_points("plane", -4, 4, 6)  # misses both checkpoints: a row of its own
    whole = evaluated(points)
    parts = [whole[whole["row"].between(a, b)] for a, b in ((3, 4), (5, 6), (0, 2))]
    pd.testing.assert_frame_equal(merge(parts, points), whole)


@pytest.mark.parametrize("shards", [[(0, 2), (4, 5)], [(0, 3), (3, 5)], [(0, 4)]])
def test_a_missing_or_doubled_row_is_an_error(shards):
    points = surface_points("line", -4, 4, 6)
    points["row"] = np.arange(len(points))
    whole = evaluated(points)
    parts = [whole[whole["row"].between(a, b)] for a, b in shards]
    with pytest.raises(ValueError, match="are not the surface's"):
        merge(parts, points)


@pytest.mark.parametrize(
    ("facts", "used", "error"),
    [
        (None, "float32", 0.0),
        ({"precision": "float32", "largest_difference": 0.5}, "float32", 0.0),
        ({"precision": "bfloat16", "largest_difference": 3e-4}, "bfloat16", 3e-4),
        ({"precision": "bfloat16", "largest_difference": None}, "bfloat16", np.nan),
    ],
)
def test_a_surface_states_its_precision_and_its_error(tmp_path, facts, used, error):
    whole = evaluated(surface_points("line", -1, 1, 5))
    write_table(whole, tmp_path / "000.parquet")
    write_table(examples(), tmp_path / "examples.parquet")
    if facts:
        write_json(facts, tmp_path / "precision.json")
    merge_surface(
        [tmp_path / "000.parquet"],
        tmp_path / "examples.parquet",
        tmp_path / "surface.parquet",
        tmp_path / "points.parquet",
        "line",
        [-1, 1],
        5,
        tmp_path / "precision.json" if facts else None,
    )
    table = read_table(tmp_path / "surface.parquet")
    assert set(table["precision"]) == {used}
    assert table["precision_error"].to_numpy() == pytest.approx(np.full(5, error), nan_ok=True)
    assert table.drop(columns=["precision", "precision_error"]).equals(summarise(whole, examples()))


def test_means_and_standard_errors_are_the_textbooks():
    points = evaluated(surface_points("line", -4, 4, 9))
    table = summarise(points, examples())
    loss = np.stack(points["dev_loss"]).astype(float)
    assert table["dev_loss"].to_numpy() == pytest.approx(loss.mean(axis=1))
    assert table["dev_loss_se"].to_numpy() == pytest.approx(loss.std(axis=1, ddof=1) / 6**0.5)
    wrong = np.stack(points["train_prediction"]) != [0, 1] * 3
    assert table["train_error"].to_numpy() == pytest.approx(wrong.mean(axis=1))
    assert (table["train_examples"] == 6).all()


def test_a_broken_example_breaks_its_point_and_no_other():
    points = evaluated(surface_points("line", -4, 4, 9))
    points.at[3, "train_loss"] = np.array([1, 1, np.nan, 1, 1, 1], dtype=np.float32)
    points.at[3, "train_prediction"] = np.array([0, 1, -1, 1, 0, 1])
    table = summarise(points, examples())
    assert table["train_loss"].isna().tolist() == [i == 3 for i in range(9)]
    assert table.loc[3, "train_error"] == pytest.approx(1 / 6)


@pytest.mark.parametrize("points", [21, 40, 41])
def test_widths_on_disk_also_where_the_grid_misses_the_end(tmp_path, points):
    """A bowl of radius 1 at one nat, whose examples differ a little."""
    scale = np.random.default_rng(0).gamma(400, 1 / 400, size=30)
    for kind, name in (("line", "line"), ("plane", "plane")):
        table = surface_points(kind, -4, 4, points)
        bowl = (table["alpha"] - 1) ** 2 + table["beta"] ** 2
        write_table(table.assign(train_loss=list(np.outer(bowl, scale))), tmp_path / name)
    facts = {"chance_loss": 2.0, "filter_distance": 0.1, "filter_distance_2": 0.2}
    write_json(facts, tmp_path / "geometry.json")
    measure_width(
        tmp_path / "line",
        tmp_path / "plane",
        tmp_path / "geometry.json",
        tmp_path / "width.parquet",
        tolerances=[1.0],
        relative=[0.5],
        resamples=100,
    )
    width = read_table(tmp_path / "width.parquet")
    assert width["relative"].unique() == pytest.approx([0.5])
    found = width.drop_duplicates(["measure", "unit"]).set_index(["measure", "unit"])["value"]
    assert found["line", "alpha"] == pytest.approx(2, rel=0.06)
    resolved = width.loc[width["measure"] == "area", "resolved"]
    assert resolved.all() == (points != 21)  # a cell has 0.16 then, the area less than 30 of them
    if points == 21:
        assert found["area", "alpha"] > np.pi
    else:
        assert found["area", "alpha"] == pytest.approx(np.pi, rel=0.1)
    assert found["line", "filter"] == pytest.approx(0.1 * found["line", "alpha"])
    assert found["area", "filter"] == pytest.approx(0.02 * found["area", "alpha"])
    assert not width["censored"].any()
