"""The ledger of Hao et al. (2019) from invented files of two tasks."""

import numpy as np
import pandas as pd
import pytest

from workflow_scripts.common.tables import write_json, write_table
from workflow_scripts.report.claims import CLAIMS
from workflow_scripts.report.evaluate_claims import evaluate_claims, read_run

TASKS = ["nli", "sentiment"]
STARTS = ["scratch", "pretrained"]
LEARNED = {"majority": 0.4, "failed": [True, False]}
LABELS = np.array([0, 1, 1, 0, 1])


@pytest.fixture
def files(tmp_path):
    """Inputs of the script. From scratch, the bowl is narrower and the first epoch less direct."""
    rng = np.random.default_rng(0)

    def write(name, table):
        write_table(pd.DataFrame(table), tmp_path / name)
        return tmp_path / name

    inputs = {
        name: [] for name in ("geometries", "lines", "planes", "trajectories", "histories")
    } | {"examples": [], "rollbacks": []}
    for task in TASKS:
        for start in STARTS:
            curvature = {"scratch": 4.0, "pretrained": 1.0}[start]
            folder = f"{task}_{start}"
            geometry = tmp_path / folder / "geometry.json"
            write_json({"chance_loss": np.log(2), "filter_distance": 0.5}, geometry)
            alpha = rng.permutation(np.linspace(-4, 4, 81).round(12))
            losses = curvature * (alpha[:, None] - 1) ** 2 * rng.uniform(0.9, 1.1, 8)
            line = {"alpha": alpha, "train_loss": list(losses)}
            order = rng.permutation(81)
            right = rng.random((81, 5)) > np.clip(losses[order].mean(axis=1) / 100, 0, 1)[:, None]
            plane = {
                "on_grid": order != 3,
                "train_loss": list(losses[order]),
                "dev_prediction": list(np.where(right, LABELS, -1)),
            }
            cosine = [np.nan, {"scratch": 0.5, "pretrained": 0.75}[start], 1.0]
            loss = np.exp(-np.arange(40) / {"scratch": 30, "pretrained": 5}[start])
            inputs["geometries"].append(geometry)
            inputs["lines"].append(write(f"{folder}/line.parquet", line))
            inputs["planes"].append(write(f"{folder}/plane.parquet", plane))
            inputs["trajectories"].append(
                write(f"{folder}/trajectory.parquet", {"epoch": [0, 1, 2], "cosine": cosine})
            )
            inputs["histories"].append(
                write(f"{folder}/history.parquet", {"step": np.arange(1, 41), "loss": loss})
            )
        split = ["train"] * 3 + ["dev"] * 5
        examples = {"split": split, "label": np.append([9, 9, 9], LABELS)}
        inputs["examples"].append(write(f"examples_{task}.parquet", examples))
        rollback = {
            "group": ["none", "low", "high"],
            "difference": [0.0, -1.0, -30.0],
            "low": [0.0, -2.0, -32.0],
            "high": [0.0, 0.0, -28.0],
        }
        inputs["rollbacks"].append(write(f"{task}.parquet", rollback))
    for name, accuracy in (("scores", 0.8), ("continued", 0.5)):
        inputs[name] = write(
            f"{name}.parquet", {"epoch": [0, 5], "accuracy": [0.4, accuracy]} | LEARNED
        )
    inputs["run_scores"] = [write("run.parquet", {"accuracy": [0.4, 0.8]} | LEARNED)] * 4
    inputs["scored"] = [
        {"name": task, "task": task, "start": start, "seeds": "init0_order0"}
        for task in TASKS
        for start in STARTS
    ]
    inputs["card"] = tmp_path / "card.json"
    write_json({"dev": 500}, inputs["card"])
    return inputs


def ledger_of(files, folder, **more):
    paths = {
        name: folder / f"claims.{kind}"
        for name, kind in (("ledger", "parquet"), ("csv", "csv"), ("markdown", "md"))
    }
    settings = {"starts": STARTS, "tolerances": [0.1, 0.5], "resamples": 20}
    evaluate_claims(
        **{**files, **paths, "tasks": TASKS, "overfitting_task": "nli", **settings, **more}
    )
    ledger = pd.read_csv(paths["csv"], keep_default_na=False)
    assert ledger["claim"].tolist() == pd.read_parquet(paths["ledger"])["claim"].tolist()
    return ledger.set_index(["claim", "task"])


def test_the_ledger_has_every_claim_with_the_numbers_of_its_files(files, tmp_path):
    ledger = ledger_of(files, tmp_path)
    assert set(ledger.index.get_level_values("claim")) == {claim.name for claim in CLAIMS}
    for task in TASKS:
        widths = ledger.loc[[("wider_optimum", task)]]
        assert len(widths) == 2
        assert widths["value"].astype(float).tolist() == pytest.approx([2, 2], rel=0.1)
        assert set(widths["verdict"]) == {"supported"}
        cosines = ledger.loc[("straight_path", task)].squeeze()
        assert float(cosines["value"]) == 0.25
        assert set(ledger.loc[("easier_optimisation", task), "verdict"]) == {"supported"}
        lost = ledger.loc[("invariant_low_layers", task), "value"].astype(float)
        assert lost.tolist() == [1, 30, 29]
    (overfitting,) = ledger.loc["robust_to_overfitting"].itertuples()
    assert (overfitting.Index, float(overfitting.value)) == ("nli", pytest.approx(30))
    assert overfitting.verdict == "contradicted"


def test_without_rollbacks_their_claim_is_left_out(files, tmp_path):
    ledger = ledger_of(files, tmp_path, rollbacks=None)
    expected = {claim.name for claim in CLAIMS} - {"invariant_low_layers"}
    assert set(ledger.index.get_level_values("claim")) == expected


def test_without_runs_from_scratch_only_what_needs_none_is_evaluated(files, tmp_path):
    pretrained = {
        name: files[name][1::2]
        for name in (
            *("geometries", "lines", "planes", "trajectories", "histories"),
            *("run_scores", "scored"),
        )
    }
    ledger = ledger_of(files, tmp_path, starts=["pretrained"], **pretrained)
    whole = ledger_of(files, tmp_path)
    compared = {"wider_optimum", "easier_optimisation", "straight_path"}
    left = {claim.name for claim in CLAIMS} - compared
    assert set(ledger.index.get_level_values("claim")) == left
    assert not ledger["measure"].str.contains("scratch").any()
    kept = whole[~whole["measure"].str.contains("scratch")]
    assert ledger["measure"].tolist() == kept["measure"].tolist()
    assert ledger["value"].astype(float).tolist() == kept["value"].astype(float).tolist()
    assert ledger["verdict"].tolist() == kept["verdict"].tolist()


@pytest.mark.parametrize("start", STARTS)
def test_what_rests_on_a_failed_run_has_no_verdict(files, tmp_path, start):
    path = tmp_path / "failed.parquet"
    write_table(pd.DataFrame({"accuracy": [0.4], "majority": 0.4, "failed": True}), path)
    scores = list(files["run_scores"])
    scores[STARTS.index(start)] = path  # of the first task
    whole, ledger = ledger_of(files, tmp_path), ledger_of(files, tmp_path, run_scores=scores)
    assert ledger["value"].tolist() == whole["value"].tolist()
    judged = whole["verdict"] != "reported only"
    alone = (
        ledger.index.get_level_values("claim").isin(["no_loss_barrier", "consistent_surfaces"])
        & ~ledger["measure"].str.contains("scratch")
    ) | ledger.index.get_level_values("claim").isin(
        ["robust_to_overfitting", "invariant_low_layers"]
    )
    of_run = ledger.index.get_level_values("task") == TASKS[0]
    continued = ledger.index.get_level_values("claim") == "robust_to_overfitting"
    rests = of_run & judged & ~continued & (~alone | (start == "pretrained"))
    assert set(ledger["verdict"][rests]) == {"not applicable"}
    assert ledger["verdict"][~rests].tolist() == whole["verdict"][~rests].tolist()
    page = (tmp_path / "claims.md").read_text()
    assert page.count("| failed |") == 1


@pytest.mark.parametrize("name", ["scores", "continued"])
def test_a_continuation_of_or_to_a_failed_run_has_no_verdict(files, tmp_path, name):
    failed = {"epoch": [0, 5], "accuracy": [0.4, 0.4], "majority": 0.4, "failed": True}
    write_table(pd.DataFrame(failed), files[name])
    ledger = ledger_of(files, tmp_path)
    assert ledger.loc["robust_to_overfitting", "verdict"].tolist() == ["not applicable"]


def test_a_missing_file_is_refused(files, tmp_path):
    with pytest.raises(ValueError, match="zip"):
        ledger_of(files, tmp_path, lines=files["lines"][1:])


def test_a_run_has_its_line_in_order_and_the_errors_of_its_grid_points(files):
    names = ("geometries", "lines", "planes", "trajectories", "histories")
    run = read_run(*(files[name][0] for name in names), LABELS)
    np.testing.assert_array_equal(run.line.alpha, np.linspace(-4, 4, 81).round(12))
    np.testing.assert_array_equal(run.line.losses.argmin(axis=0), np.full(8, 50))
    assert run.line.filter_distance == 0.5
    plane = pd.read_parquet(files["planes"][0]).query("on_grid")
    assert run.plane.losses.shape == (80, 8)
    wrong = [
        [p != label for p, label in zip(row, LABELS, strict=True)]
        for row in plane["dev_prediction"]
    ]
    np.testing.assert_array_equal(run.plane.errors, np.array(wrong, float))
    assert 0 < run.plane.errors.mean() < 1
