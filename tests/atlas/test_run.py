"""The page that the workflow writes of a real, small run."""

import numpy as np
import pandas as pd
import pytest

from workflow_scripts.atlas.views import VIEWS
from workflow_scripts.common.tables import read_table
from workflow_scripts.report.embedded import as_table, embedded


@pytest.fixture(scope="module")
def text(smoke_run) -> str:
    return (smoke_run / "results/report/tiny/atlas.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def data(text):
    return embedded(text)


def test_nothing_is_missing_or_damaged(text):
    assert 'id="warned"' not in text


def test_every_figure_of_the_run_has_the_views_that_are_declared_for_it(data):
    # In a run of a few steps no run succeeds, and the plane through it has no points.
    shown = [name for name in data["views"] if name in VIEWS and any(data["tables"][name].values())]
    assert set(VIEWS) - set(shown) <= {"stability6"}
    assert {name: len(data["views"][name]) for name in shown} == {
        name: len(VIEWS[name]) for name in shown
    }
    assert len(data["views"]) > 25


def test_ledgers_and_surfaces_are_the_files(data, smoke_run):
    results = smoke_run / "results"
    for name, columns in data["ledgers"].items():
        table = read_table(results / f"report/tiny/{name}.parquet")
        got = as_table(columns)
        for column in ("value", "low", "high", "runs"):
            np.testing.assert_array_equal(got[column], table[column].astype(float))
        assert list(got["conclusion"]) == list(table["conclusion"])
    assert len(data["ledgers"]) == 4
    for surface in data["surfaces"]:
        points = read_table(results / f"landscape/tiny/{surface['name']}/surface.parquet")
        grid = points[points["on_grid"]].sort_values(["beta", "alpha"])
        for column in ("train_loss", "train_error", "dev_error"):
            np.testing.assert_allclose(surface[column], grid[column], rtol=5.1e-5)


def test_numbers_of_figures_are_those_of_their_files(data, smoke_run):
    for name, columns in data["tables"].items():
        if any(columns.values()) and not any(view.where for view in VIEWS.get(name, ())):
            written = pd.read_csv(smoke_run / f"results/figures/tiny/{name}.csv")
            assert len(next(iter(columns.values()))) == len(written)
            for column in set(columns) & set(written.select_dtypes("float")):
                got = as_table({"": columns[column]})[""].to_numpy(float)
                np.testing.assert_allclose(got, written[column], rtol=5.1e-5)
