"""Invented experiments: ledgers, the tables behind them, and their records."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from workflow_scripts.common.tables import set_record, write_table
from workflow_scripts.common.titles import PairTitle, TaskTitle
from workflow_scripts.rebuilds.records import write_output_record
from workflow_scripts.report.embedded import compressed
from workflow_scripts.report.files import ledger_files
from workflow_scripts.report.ledger import COLUMNS

STARTS = ("pretrained", "scratch")


def row(claim: str, task: str, value: float, claimed: str = "above", **more) -> dict:
    """A row of a ledger."""
    usual = {
        "claim": claim,
        "text": f"{claim} is so (section 1)",
        "task": task,
        "synthetic": True,
        "measure": "ratio",
        "value": value,
        "low": value - 0.5,
        "high": value + 0.5,
        "limit": "",
        "claimed": claimed,
        "bound": 1.0,
        "runs": 3,
        "verdict": "supported",
        "reason": "",
        "conclusion": "supported",
        "why": "",
    }
    return {**usual, **more}


class Made:
    """Writes the results of an experiment into the working directory."""

    def __init__(self, model: str, tasks: list[str], level: float):
        self.model, self.tasks, self.level = model, tasks, level
        self.claims: dict[str, list[str]] = {
            "scores": [],
            "paths": [],
            "radii": [],
            "rollbacks": [],
        }
        self.scored: list[dict] = []

    def write(self, name: str, **columns) -> str:
        path = f"results/{name}.parquet"
        write_table(pd.DataFrame(columns), Path(path))
        return path

    def runs(self) -> None:
        for task in self.tasks:
            for start in STARTS:
                for seed in range(2):
                    self._run(task, start, f"init{seed}_order{seed}", seed)

    def _run(self, task: str, start: str, seeds: str, seed: int) -> None:
        folder = f"{self.model}/{task}/{start}/{seeds}"
        self.scored.append({"name": task, "task": task, "start": start, "seeds": seeds})
        accuracy = [0.5, 0.6 + self.level, 0.7 + self.level + seed / 100]
        ends = {"epoch": [0, 1, 2], "accuracy": accuracy, "majority": 0.5}
        failed = start == "scratch" and seed == 1
        self.claims["scores"].append(self.write(f"{folder}/scores", **ends, failed=failed))
        losses = [list(np.full(4, loss)) for loss in (0.7, 0.4, 0.1 + self.level)]
        path = self.write(f"{folder}/path", position=[0.0, 0.5, 1.0], train_loss=losses)
        self.claims["paths"].append(path)
        directions = ["random", "random", "onward", "low"]
        radii = {"direction": directions, "radius": [1.0, 3.0, 5.0, 9.0], "censored": False}
        self.claims["radii"].append(self.write(f"{folder}/radii", **radii))
        if start == "pretrained":
            correct = [[True] * 4, [True, True, True, False], [True, False, False, False]]
            groups = {"group": ["none", "low", "high"], "correct": correct}
            self.claims["rollbacks"].append(self.write(f"{folder}/groups", **groups))

    def ledger(self, name: str, rows: list[dict], inputs: dict, spec: dict) -> None:
        extra = ["p_value"] if name == "stability_claims" else []
        table = pd.DataFrame([{"p_value": np.nan, **row} for row in rows])
        file = ledger_files(name, self.model)["ledger"]
        write_table(table[["claim", "text", *COLUMNS, *extra]], Path(file))
        write_output_record(file, {"named_inputs": inputs, "spec": spec})


@pytest.fixture
def experiment(tmp_path, monkeypatch) -> Callable[..., Path]:
    """Makes the folder of a finished experiment, below the working directory."""
    monkeypatch.chdir(tmp_path)

    def make(
        name: str,
        tasks: tuple[str, ...] = ("nli", "sentiment"),
        models: tuple[str, ...] = ("tiny",),
        level: float = 0.0,
        settings: dict | None = None,
        sweeps: bool = True,
    ) -> Path:
        folder = tmp_path / "runs" / name
        folder.mkdir(parents=True)
        with monkeypatch.context() as inside:
            inside.chdir(folder)
            set_record({"experiment": name})
            for model in models:
                _results(Made(model, list(tasks), level), settings, sweeps)
            set_record({})
        return Path("runs", name)

    return make


def _results(made: Made, settings: dict | None, sweeps: bool) -> None:
    made.runs()
    titles = [
        TaskTitle(name=task, title=task.upper(), synthetic=True).as_spec() for task in made.tasks
    ]
    ends = [task for task in made.tasks for _ in range(2)]
    spec = {"tasks": titles, "scored": made.scored, "rolled_back": ends}
    rows = [row("wider", task.upper(), 2 + made.level) for task in made.tasks]
    rows.append(row("wider", made.tasks[0].upper(), 7.0, claimed="", verdict="reported only"))
    made.ledger("claims", rows, made.claims, spec)
    pairs, tables = [], {"representations": [], "attention": []}
    for task in made.tasks:
        title = PairTitle(
            name=f"change_{task}", title=task.upper(), synthetic=True, comparison="change",
            first="before", second="after",
        )  # fmt: skip
        pairs.append(title.as_spec())
        measures = {
            "measure": ["svcca", "cka_unbiased_distance"] * 3,
            "layer": [-1, -1, 0, 0, 1, 1],
        }
        values = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6 + made.level]
        path = made.write(f"{made.model}/{task}/representations", **measures, value=values)
        tables["representations"].append(path)
        js = {"example": [0, 1] * 2, "layer": [0, 0, 1, 1], "js": [0.1, 0.3, 0.2, 0.4]}
        tables["attention"].append(made.write(f"{made.model}/{task}/attention", **js))
    spec = {
        "pairs": pairs,
        "drawn": [pair["name"] for pair in pairs],
        "models": [["", "init0_order0"]] * len(pairs),
    }
    made.ledger("dynamics_claims", [row("low_layers", made.tasks[0].upper(), 0.4)], tables, spec)
    if sweeps:
        runs = made.write(f"{made.model}/runs", failed=[True, False, False, False])
        spec = {"tasks": [{"task": titles[0], "sweeps": ["devlin"]}]}
        rows = [row("failed_runs", made.tasks[0].upper(), 0.2, conclusion="inconclusive")]
        made.ledger("stability_claims", rows, {"runs": [runs]}, spec)
    if settings:
        page = f"results/report/{made.model}/atlas.html"
        data = compressed(json.dumps({"settings": settings}))
        Path(page).write_text(f'<script id="data" type="text/plain">{data}</script>')
