"""The ledger of Hao et al. (2019) from invented files of two tasks, one of them with two runs."""

import numpy as np
import pandas as pd
import pytest

from workflow_scripts.common.tables import write_json, write_table
from workflow_scripts.report.claims import CLAIMS
from workflow_scripts.report.evaluate_claims import evaluate_claims, read_plane, read_run

TASKS = ["nli", "sentiment"]
STARTS = ["scratch", "pretrained"]
RUNS = [
    (task, start, f"init{seed}_order{seed}")
    for task in TASKS
    for start in STARTS
    for seed in range(2 if task == "sentiment" else 1)
]
LABELS = np.arange(30) % 2
LN2 = float(np.log(2))


@pytest.fixture
def files(tmp_path):
    """Inputs of the script. From scratch the optimum is narrower and the loss falls later."""
    rng = np.random.default_rng(0)

    def write(name, table):
        write_table(pd.DataFrame(table), tmp_path / name)
        return tmp_path / name

    def end(accuracy, epoch, failed=False):
        right = np.arange(30) < round(accuracy * 30)
        predictions = np.where(right, LABELS, 1 - LABELS).tolist()
        ends = {"epoch": [0, epoch], "accuracy": [0.5, accuracy], "majority": 0.5}
        return (
            ends
            | {"failed": [True, failed], "dev_loss": [0.7, 0.4]}
            | {"predictions": [predictions, predictions]}
        )

    keys = ("trajectories", "paths", "rays", "radii", "histories", "scores")
    inputs: dict = {key: [] for key in (*keys, "geometries", "planes", "examples", "cards")}
    for task, start, seeds in RUNS:
        folder = f"{task}_{start}_{seeds}"
        losses = {"scratch": [0.7, 0.5, 0.1], "pretrained": [0.7, 0.1, 0.05]}[start]
        trajectory = {"epoch": [0, 1, 2], "train_loss": losses, "norm": [0, 0.7, 1]}
        trajectory |= {"step": [0, 0.7, 0.7], "cosine": [np.nan, 0.8, 1.0]}
        path = np.linspace(0.7, losses[-1], 41)[:, None] + 0.01 * rng.normal(size=30)
        radius = {"scratch": 1.0, "pretrained": 2.0}[start]
        names = ["random"] * 4 + ["onward"] + ["low", "low", "high", "high"]
        radii = {
            "direction": names if start == "pretrained" else names[:5],
            "radius": radius * rng.uniform(0.98, 1.02, 9 if start == "pretrained" else 5),
            "censored": False,
            "error": 0.02,
            "unit": 1.0,
        }
        inputs["trajectories"].append(write(f"{folder}/trajectory.parquet", trajectory))
        inputs["paths"].append(write(f"{folder}/path.parquet", {"train_loss": list(path)}))
        inputs["rays"].append(write(f"{folder}/ray.parquet", {"train_loss": [0.5, 0.3, 0.4]}))
        inputs["radii"].append(write(f"{folder}/radii.parquet", radii))
        history = {"epoch": [1, 1, 2, 2], "examples": [16, 8, 16, 8]}
        inputs["histories"].append(write(f"{folder}/history.parquet", history))
        inputs["scores"].append(write(f"{folder}/scores.parquet", end(0.8, 2)))
    for task in TASKS:
        for start in STARTS:
            cosine = {"scratch": 0.2, "pretrained": 0.03}[start]
            other = TASKS[1 - TASKS.index(task)]
            facts = {"chance_loss": LN2, "second": other, "cosine": cosine}
            geometry = tmp_path / f"{task}_{start}.json"
            write_json(facts, geometry)
            inputs["geometries"].append(geometry)
            x = np.linspace(-2, 2, 9)
            beta, alpha = (axis.ravel() for axis in np.meshgrid(x, x, indexing="ij"))
            bowl = 0.05 + 0.3 * ((alpha - 1) ** 2 + beta**2)
            losses = bowl[:, None] * rng.uniform(0.5, 1.5, 30)
            right = rng.random((81, 30)) > np.clip(bowl, 0, 0.5)[:, None]
            plane = {
                "alpha": alpha,
                "beta": beta,
                "on_grid": np.arange(81) >= 0,
                "train_loss": list(losses),
                "dev_prediction": list(np.where(right, LABELS, -1)),
            }
            order = rng.permutation(81)
            table = pd.DataFrame(plane).iloc[order]
            off = table.iloc[:1].assign(on_grid=False, alpha=1.01)
            inputs["planes"].append(
                write(f"{task}_{start}_plane.parquet", pd.concat([table, off], ignore_index=True))
            )
        split = ["train"] * 3 + ["dev"] * 30
        examples = {"split": split, "label": np.append([9, 9, 9], LABELS)}
        inputs["examples"].append(write(f"examples_{task}.parquet", examples))
        write_json({"train": 24}, tmp_path / f"{task}_card.json")
        inputs["cards"].append(tmp_path / f"{task}_card.json")
    inputs["dev"] = write("dev.parquet", {"label": LABELS})
    inputs["continued"] = [write("continued.parquet", end(0.5, 5))]
    right = np.arange(30) < 24
    correct = {"none": right, "low": right, "high": np.arange(30) < 5}
    inputs["rollbacks"] = [
        write(f"{i}.parquet", {"group": list(correct), "correct": list(correct.values())})
        for i in range(3)
    ]
    inputs["rolled_back"] = ["nli", "sentiment", "sentiment"]
    inputs["scored"] = [
        {"name": task, "task": task, "start": start, "seeds": seeds} for task, start, seeds in RUNS
    ]
    return inputs


def ledger_of(files, folder, **more):
    paths = {
        name: folder / f"claims.{kind}"
        for name, kind in (("ledger", "parquet"), ("csv", "csv"), ("markdown", "md"))
    }
    titles = [{"name": task, "title": task.title(), "synthetic": True} for task in TASKS]
    settings = {"tasks": titles, "starts": STARTS, "overfitting_task": "nli"}
    settings |= {"differences": dict.fromkeys(TASKS, "dropout 0.1 / 0.0")}
    evaluate_claims(**{**files, **paths, **settings, **more})
    ledger = pd.read_csv(paths["csv"], keep_default_na=False)
    assert ledger["claim"].tolist() == pd.read_parquet(paths["ledger"])["claim"].tolist()
    return ledger.set_index(["claim", "task"])


def test_the_ledger_has_every_claim_with_the_numbers_of_its_files(files, tmp_path):
    ledger = ledger_of(files, tmp_path)
    assert set(ledger.index.get_level_values("claim")) == {claim.name for claim in CLAIMS}
    assert ledger["synthetic"].all()
    wider = ledger.loc["wider_optimum"].query("claimed == 'above'")
    assert wider["value"].astype(float).tolist() == pytest.approx([2] * 4, rel=0.05)
    assert wider["runs"].tolist() == [1, 1, 2, 2]
    assert set(wider["verdict"]) == {"agrees"}
    area = ledger.loc[("easier_optimisation", "Nli")].iloc[0]
    assert "dropout 0.1 / 0.0" in area["measure"]
    # Trapezoids over two epochs of 24 examples: (.7 + .1) / 2 + (.1 + .05) / 2, and from scratch.
    expected = ((0.8 + 0.15) - (1.2 + 0.6)) / 4
    assert float(area["value"]) == pytest.approx(expected)
    assert area["conclusion"] == "inconclusive"
    lost = ledger.loc[("invariant_low_layers", "Sentiment")]
    assert lost["value"].astype(float).tolist() == pytest.approx([0, 100 * 19 / 30, 100 * 19 / 30])
    cosines = ledger.loc["nearly_orthogonal"].query("claimed == 'below'")
    assert cosines["value"].astype(float).tolist() == pytest.approx([0.2, 0.03])
    assert cosines["conclusion"].tolist() == ["disagrees", "agrees"]
    (error, loss) = ledger.loc[("robust_to_overfitting", "Nli")].itertuples()
    assert float(error.value) == pytest.approx(30)
    assert (error.conclusion, float(loss.value)) == ("disagrees", 0)


def test_without_rollbacks_their_claim_is_left_out(files, tmp_path):
    ledger = ledger_of(files, tmp_path, rollbacks=None, rolled_back=None)
    expected = {claim.name for claim in CLAIMS} - {"invariant_low_layers"}
    assert set(ledger.index.get_level_values("claim")) == expected


def test_without_runs_from_scratch_only_what_needs_none_is_evaluated(files, tmp_path):
    kept = [start == "pretrained" for _, start, _ in RUNS]
    per_run = ("trajectories", "paths", "rays", "radii", "histories", "scores", "scored")
    alone = {
        name: [one for one, keep in zip(files[name], kept, strict=True) if keep] for name in per_run
    } | {name: files[name][1::2] for name in ("geometries", "planes")}
    ledger = ledger_of(files, tmp_path, starts=["pretrained"], **alone)
    whole = ledger_of(files, tmp_path)
    compared = {"wider_optimum", "easier_optimisation", "first_epoch_direction"}
    compared |= {"scratch_ends_higher", "more_consistent_surfaces"}
    assert set(ledger.index.get_level_values("claim")) == {c.name for c in CLAIMS} - compared
    assert not ledger["measure"].str.contains("scratch").any()
    for claim in set(ledger.index.get_level_values("claim")) - {"nearly_orthogonal"}:
        same = whole.loc[[claim]]
        same = same[~same["measure"].str.contains("scratch")]
        assert ledger.loc[[claim], "value"].tolist() == same["value"].tolist()


@pytest.mark.parametrize("start", STARTS)
def test_what_rests_on_a_failed_run_has_no_verdict(files, tmp_path, start):
    failed = pd.read_parquet(files["scores"][0]).assign(failed=True)
    write_table(failed, tmp_path / "failed.parquet")
    scores = list(files["scores"])
    scores[RUNS.index(("nli", start, "init0_order0"))] = tmp_path / "failed.parquet"
    whole, ledger = ledger_of(files, tmp_path), ledger_of(files, tmp_path, scores=scores)
    assert ledger["measure"].tolist() == whole["measure"].tolist()
    of_run = ledger.index.get_level_values("task") == "Nli"
    names = ledger.index.get_level_values("claim")
    alone = names.isin(["no_loss_barrier", "consistent_surfaces", "wider_low_layers"])
    alone |= names.isin(["robust_to_overfitting", "invariant_low_layers"])
    rests = of_run & (~alone | (start == "pretrained"))
    assert set(ledger["conclusion"][rests]) == {"not applicable"}
    assert ledger["conclusion"][~rests].tolist() == whole["conclusion"][~rests].tolist()
    assert (tmp_path / "claims.md").read_text().count("| failed |") == 1


def test_a_continuation_to_a_failed_run_has_no_verdict(files, tmp_path):
    failed = pd.read_parquet(files["continued"][0]).assign(failed=True)
    write_table(failed, files["continued"][0])
    ledger = ledger_of(files, tmp_path)
    assert set(ledger.loc["robust_to_overfitting", "conclusion"]) == {"not applicable"}


def test_a_missing_file_is_refused(files, tmp_path):
    with pytest.raises(ValueError, match="zip"):
        ledger_of(files, tmp_path, paths=files["paths"][1:])


def test_a_run_has_the_examples_that_it_had_seen_at_each_checkpoint(files):
    names = ("trajectories", "paths", "rays", "radii", "histories")
    run = read_run("init0_order0", *(files[name][0] for name in names), failed=False)
    assert run.seen.tolist() == [0, 24, 48]
    assert run.path.shape == (41, 30)
    assert run.end_loss == 0.1


def test_a_plane_has_the_order_of_its_coordinates_and_no_other_points(files):
    plane = read_plane(files["planes"][0], LABELS)
    assert plane.losses.shape == plane.errors.shape == (9, 9, 30)
    assert plane.end == (4, 6)
    mean = plane.losses.mean(axis=2)
    assert np.unravel_index(mean.argmin(), mean.shape) == plane.end
    assert set(np.unique(plane.errors)) == {0, 1}
