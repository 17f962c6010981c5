"""The ledger of Mosbach et al. (2021) from invented sweeps."""

import numpy as np
import pandas as pd

from tests.report.test_stability_claims import sweep
from workflow_scripts.common.tables import read_table, write_json, write_table
from workflow_scripts.report.evaluate_stability_claims import evaluate_stability_claims
from workflow_scripts.report.stability_claims import CLAIMS


def written(folder, name, failures, seed=0, runs=15):
    """Tables of a sweep; their paths."""
    made = sweep(name, runs, failures, seed)
    table = pd.DataFrame(
        {
            "init": range(runs),
            "order": range(runs),
            "score": made.scores,
            "accuracy": made.scores,
            "majority": 0.5,
            "failed": made.failed,
            "train_loss": made.train_losses,
            "early_norm": made.early_norms,
            "late_norm": made.late_norms,
        }
    )
    paths = folder / f"{name}_runs.parquet", folder / f"{name}_predictions.parquet"
    write_table(table, paths[0])
    write_table(pd.DataFrame({"correct": made.correct.ravel()}), paths[1])
    return paths


def ledger(folder, failures):
    names = ["devlin", "strong", "devlin_same_epochs", "devlin_same_steps"]
    files = [
        written(folder, name, count, seed)
        for seed, (name, count) in enumerate(zip(names, failures, strict=True))
    ]
    write_json({"labels": ["no", "yes"]}, folder / "card.json")
    runs, predictions = map(list, zip(*files, strict=True))
    outputs = [folder / f"stability_claims.{kind}" for kind in ("parquet", "csv", "md")]
    title = {"name": "rte", "title": "RTE", "synthetic": False}
    task = {"task": title, "sweeps": names, "recipes": names[:2], "small": names[2:]}
    evaluate_stability_claims(runs, predictions, [folder / "card.json"], *outputs, [task])
    return read_table(outputs[0]), outputs[2].read_text()


def decided(table):
    said = table["conclusion"] + np.where(table["why"] == "", "", ": ") + table["why"]
    return said.groupby(table["claim"], sort=False).first()


def test_sweeps_as_the_paper_has_them_support_its_claims(tmp_path):
    table, page = ledger(tmp_path, [7, 0, 12, 1])
    verdicts = decided(table)
    for claim in (
        "spread_between_seeds",
        "failed_runs_removed",
        "small_data",
        "vanishing_gradients",
        "same_loss_different_score",
    ):
        assert verdicts[claim] == "supported", claim
    assert list(verdicts.index) == [claim for claim in CLAIMS if claim in verdicts.index]
    assert "7 of 15 failed" in page
    assert "has failed: this ledger is about such runs." in page
    assert set(table["task"]) == {"RTE"}
    assert set(table["runs"]) >= {15, 7}
    assert "15 seeds per recipe detect a failure rate of" in page
    tests = table["p_value"].dropna()
    assert (tests < 0.05).all()


def test_sweeps_that_fail_equally_support_nothing_about_failed_runs(tmp_path):
    table, _ = ledger(tmp_path, [0, 7, 5, 5])
    verdicts = decided(table)
    assert verdicts["spread_between_seeds"] == "contradicted"
    assert verdicts["failed_runs_removed"] == "contradicted"
    assert verdicts["small_data"].startswith("inconclusive: p =")
    assert verdicts["vanishing_gradients"] == "not applicable: no run of devlin failed"


def test_the_tests_of_all_tasks_are_adjusted_once(tmp_path):
    table, _ = ledger(tmp_path, [7, 0, 12, 1])
    rows = table[table["p_value"].notna()].set_index("claim")
    from scipy import stats

    raw = stats.boschloo_exact([[12, 1], [3, 14]]).pvalue
    others = [
        stats.boschloo_exact([[7, 0], [8, 15]]).pvalue,
        float(rows.loc["spread_between_seeds", "p_value"]),
    ]
    assert rows.loc["small_data", "p_value"] >= raw
    assert np.isclose(rows.loc["small_data", "p_value"], 3 * raw) or raw > min(others)
