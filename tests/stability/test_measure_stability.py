"""Statistics of sweeps against scipy and numpy."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from workflow_scripts.common.tables import read_table, write_table
from workflow_scripts.stability.measure_stability import (
    Runs,
    best_rows,
    measure_stability,
    variance_shares,
)


def invented(folder, sweep, failures, runs=12, examples=40, seed=0):
    """Tables of a sweep of which the first runs fail, written; their paths."""
    rng = np.random.default_rng(seed)
    labels = np.arange(examples) % 2
    failed = np.arange(runs) < failures
    right = np.where(failed[:, None], labels == 0, rng.random((runs, examples)) < 0.85)
    scores = right.mean(1)
    table = pd.DataFrame(
        {
            "init": range(runs),
            "order": range(runs),
            "failed": failed,
            "score": scores,
            "best_score": scores + 0.01,
            "majority": 0.5,
            "early_norm": np.where(failed, 0.1, 1.0),
        }
    )
    answers = pd.DataFrame(
        {
            "prediction": np.where(right, labels, 1 - labels).ravel(),
            "correct": right.ravel(),
        }
    )
    paths = folder / f"{sweep}_runs.parquet", folder / f"{sweep}_predictions.parquet"
    write_table(table, paths[0])
    write_table(answers, paths[1])
    return paths


def measured(folder, sweeps):
    files = [invented(folder, name, failures) for name, failures in sweeps]
    outputs = {name: folder / f"{name}.parquet" for name in ("spread", "tests", "best")}
    outputs["consistency"] = folder / "consistency.parquet"
    runs, predictions = map(list, zip(*files, strict=True))
    measure_stability(runs, predictions, **outputs, sweeps=[name for name, _ in sweeps])
    return {name: read_table(path) for name, path in outputs.items()}, [
        read_table(path)["score"].to_numpy() for path in runs
    ]


def test_the_tables_hold_spread_tests_and_agreement(tmp_path):
    tables, (first, second) = measured(tmp_path, [("usual", 5), ("strong", 0)])
    row = tables["spread"].set_index("sweep").loc["usual"]
    assert row["std"] == pytest.approx(first.std(ddof=1))
    assert row["std_successful"] == pytest.approx(first[5:].std(ddof=1))
    assert row["median"] == np.median(first)
    assert (row["failures"], row["runs"], row["failure_rate"]) == (5, 12, 5 / 12)
    wilson = stats.binomtest(5, 12).proportion_ci(method="wilson")
    assert (row["failure_rate_low"], row["failure_rate_high"]) == pytest.approx(wilson)
    assert row["early_sign"] == 1
    assert np.isnan(row["init_share"])  # the two seeds are equal: not crossed
    (test,) = tables["tests"].to_dict("records")
    assert (test["first"], test["second"]) == ("usual", "strong")
    brown, levene = (stats.levene(first, second, center=c).pvalue for c in ("median", "mean"))
    assert test["brown_forsythe"] == pytest.approx(brown)
    assert test["levene"] == pytest.approx(levene)
    assert test["boschloo"] == pytest.approx(stats.boschloo_exact([[5, 0], [7, 12]]).pvalue)
    assert test["failure_difference"] == pytest.approx(5 / 12)
    flips = tables["consistency"]
    agreement = 1 - flips[flips["sweep"] == "usual"]["flips"].mean()
    assert row["agreement"] == pytest.approx(agreement)
    assert flips[flips["sweep"] == "usual"]["correct"].mean() == pytest.approx(first.mean())


def test_one_recipe_has_no_tests(tmp_path):
    tables, _ = measured(tmp_path, [("usual", 5)])
    assert len(tables["tests"]) == 0
    assert list(tables["tests"]) == ["first", "second"]


def test_the_best_of_all_runs_is_the_best(tmp_path):
    table = pd.DataFrame({"score": [0.5, 0.9, np.nan, 0.7], "best_score": [0.6, 0.9, np.nan, 0.8]})
    rows = pd.DataFrame(best_rows(Runs("x", table, np.zeros((4, 1)), np.zeros((4, 1)))))
    end = rows[rows["scores"] == "end"]["value"].tolist()
    # Of two of three runs: 0.9 in two of the three pairs.
    assert end == pytest.approx([0.7, (0.9 * 2 + 0.7) / 3, 0.9])
    assert rows[rows["scores"] == "best epoch"]["value"].iloc[0] == pytest.approx(2.3 / 3)


def test_a_crossed_design_gives_the_shares_of_the_variance():
    seeds = [(init, order) for init in range(4) for order in range(5)]
    rng = np.random.default_rng(0)
    table = pd.DataFrame(seeds, columns=["init", "order"])
    table["score"] = table["init"] * 0.1 + rng.normal(0, 0.001, 20)
    init, order, rest = variance_shares(table)
    assert init.value > 0.99
    assert order.value < 0.01
    assert rest.value < 0.01
