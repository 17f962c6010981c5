"""Invented result files of two tasks, one of them with two runs, for the ledger of Hao (2019)."""

import numpy as np
import pandas as pd
import pytest

from workflow_scripts.common.tables import write_json, write_table

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
SETTINGS = {
    "tasks": [{"name": task, "title": task.title(), "synthetic": True} for task in TASKS],
    "starts": STARTS,
    "overfitting_task": "nli",
    "differences": dict.fromkeys(TASKS, "dropout 0.1 / 0.0"),
}


@pytest.fixture
def files(tmp_path):
    """Inputs of the script. From scratch the optimum is narrower and the loss falls later."""
    rng = np.random.default_rng(0)
    results = tmp_path / "results"

    def write(name, table):
        write_table(pd.DataFrame(table), results / name)
        return results / name

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
            geometry = results / f"{task}_{start}.json"
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
        write_json({"train": 24}, results / f"{task}_card.json")
        inputs["cards"].append(results / f"{task}_card.json")
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
