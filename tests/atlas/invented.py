"""Invented results of every stage, and the page of them."""

import contextlib
import itertools
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from workflow_scripts.atlas.views import VIEWS
from workflow_scripts.atlas.write_atlas import write_atlas
from workflow_scripts.common.tables import write_json, write_table
from workflow_scripts.report.ledger import COLUMNS

MARKUP = '<img src=x onerror="document.title=1"> & Entailment'
TASKS = {"first": "Sentiment", "second": MARKUP}
SECTIONS = {
    "landscape": "Loss landscapes",
    "dynamics": "Learning dynamics",
    "rollback": "Layers rolled back",
    "stability": "Stability over seeds",
    "probing": "Probing",
}
VALUES: dict[str, list[Any]] = {
    "task": list(TASKS),
    "start": ["pretrained", "scratch"],
    "rows": ["trajectory"],
    "run": ["target", "continued"],
    "pair": ["change_first", "change_second"],
    "measure": ["svcca", "cka_unbiased"],
    "layer": [-1, 0, 1],
    "first": [-1, 0, 1],
    "second": [-1, 0, 1],
    "head": [0, 1],
    "epoch": [0, 1, 2],
    "step": [1, 2, 3, 4],
    "group": ["none", "low", "high"],
    "direction": ["random", "onward"],
    "sweep": ["devlin", "strong"],
    "failed": [True, False],
    "outcome": ["failed", "successful"],
    "part": ["layer00", "head"],
    "init": [0, 1],
    "order": [0],
    "layers_reset": [0, 1, 2],
    "alpha": [-1.0, 0.0, 1.0],
    "beta": [-1.0, 0.0, 1.0],
    "line": [None],
    "corner": [None],
    "label": [f"label {number}" for number in range(77)],
    "name": [f"label {number}" for number in range(77)],
    "kind": ["training"],
    "seeds": ["init0_order0"],
    "tuned": ["first"],
    "split": ["train", "dev"],
    "state": ["original", "fine-tuned"],
}


def section_of(figure: str) -> str:
    """Section of a figure of ``VIEWS`` or one that has none."""
    if figure in ("table1", "dynamics3"):
        return "rollback"
    return next((name for name in SECTIONS if figure.startswith(name)), "landscape")


def numbers_of(figure: str, seed: int = 0) -> pd.DataFrame:
    """Numbers with the columns that a figure's views need."""
    views = VIEWS.get(figure, ())
    columns = [
        column
        for view in views
        for column in (
            *(view.x, view.y, view.value, view.low, view.high, view.reference),
            *(*view.series, *(c for _, c in view.choices), *(c for c, _ in view.where)),
        )
        if column
    ]
    named = [column for column in dict.fromkeys(columns) if column in VALUES]
    table = pd.DataFrame(itertools.product(*(VALUES[name] for name in named)), columns=named)
    rng = np.random.default_rng(seed)
    for column in dict.fromkeys(columns):
        if column not in VALUES:
            table[column] = rng.uniform(0.1, 0.9, len(table))
    for low, high, middle in {(v.low, v.high, v.y) for v in views if v.low}:
        table[low], table[high] = table[middle] - 0.05, table[middle] + 0.05
    return table if views else pd.DataFrame({"task": list(TASKS), "value": [0.1, np.nan]})


def surface_of(points: int, seed: int, ends: tuple[str, str]) -> pd.DataFrame:
    """Points of a surface: a bowl around the end, with a corner that is not finite."""
    axis = np.linspace(-2, 2, points)
    beta, alpha = (grid.ravel() for grid in np.meshgrid(axis, axis, indexing="ij"))
    places = {"start": (0, 0), "end": (1, 0), "fine_tuned": (0, 0), "rollback": (-1, 0)}
    extra = np.array([places[name] for name in ends], dtype=float)
    alpha, beta = np.append(alpha, extra[:, 0]), np.append(beta, extra[:, 1])
    rng = np.random.default_rng(seed)
    loss = 0.1 + (alpha - 1) ** 2 + 0.7 * beta**2 + rng.uniform(0, 0.05, len(alpha))
    loss[(alpha < -1.5) & (beta > 1.5)] = np.inf
    return pd.DataFrame(
        {
            "alpha": alpha,
            "beta": beta,
            "on_grid": np.arange(len(alpha)) < points**2,
            "anchor": [None] * points**2 + list(ends),
            "train_loss": loss,
            "train_error": np.clip(loss / 8, 0, 0.9),
            "dev_error": np.clip(0.05 + loss / 8, 0, 0.9),
            "precision": "float32",
            "precision_error": 0.0,
        }
    )


def trajectory_of(epochs: int) -> pd.DataFrame:
    """A trajectory from (0, 0) to (1, 0)."""
    way = np.linspace(0, 1, epochs + 1)
    return pd.DataFrame(
        {
            "run": "target",
            "epoch": range(epochs + 1),
            "ls_alpha": way,
            "ls_beta": 0.3 * way * (1 - way),
            "plane_train_loss": 1.2 - way,
            "plane_dev_error": 0.5 - 0.4 * way,
            "true_train_loss": 1.1 - way,
        }
    )


def ledger_of(name: str) -> pd.DataFrame:
    """A ledger with two claims on two tasks."""
    verdicts = [("supported", ""), ("inconclusive", "the interval holds the bound")]
    rows = [
        {
            "claim": f"{name}_{claim}",
            "text": f"Claim {claim} of {name} (section 5.{claim})",
            **dict.fromkeys(COLUMNS, ""),
            "task": TASKS[task],
            "synthetic": True,
            "measure": "a number, nats",
            "value": 1 / 3 + claim,
            "low": 0.1 if claim else -np.inf,
            "high": 0.9,
            "claimed": "above",
            "bound": 0.0,
            "runs": 3,
            "verdict": word,
            "reason": reason,
            "conclusion": word,
            "why": reason,
        }
        for claim in range(2)
        for task, (word, reason) in zip(TASKS, verdicts, strict=True)
    ]
    return pd.DataFrame(rows, columns=["claim", "text", *COLUMNS])


@dataclass
class Invented:
    """Arguments of ``write_atlas``, and its files below a folder."""

    folder: Path
    points: int = 7
    surfaces: int = 0  # more of them, for sizes
    arguments: dict[str, Any] = field(default_factory=dict)

    def file(self, *parts: str) -> Path:
        """A path relative to the folder, as a job takes it."""
        path = Path("results", *parts)
        (self.folder / path).parent.mkdir(parents=True, exist_ok=True)
        return path

    def make(self) -> "Invented":
        """Write all files."""
        with contextlib.chdir(self.folder):
            return self._make()

    def _make(self) -> "Invented":
        names = [*VIEWS, "figure1", "figure6", "figure7", "stability_table"]
        shown = [
            {"name": f"{task}_{start}", "task": task, "start": start, "group": None}
            for task in TASKS
            for start in ("scratch", "pretrained")
        ]
        shown += [
            {"name": f"first_pretrained_{g}", "task": "first", "start": "pretrained", "group": g}
            for g in ("low", "high", *(f"more{i}" for i in range(self.surfaces)))
        ]
        traced = [{"surface": "first_pretrained", "run": run} for run in ("target", "continued")]
        scored = [
            {"name": task, "task": task, "start": start, "seeds": "init0_order0"}
            for task in TASKS
            for start in ("scratch", "pretrained")
        ]
        titles = [
            {"name": name, "title": title, "synthetic": True, "place": place}
            for place, (name, title) in enumerate(TASKS.items())
        ]
        self.arguments = {
            "card": self.json(
                "model/tiny/card.json",
                name="tiny",
                architecture="bert",
                layers=3,
                hidden=32,
                parameters=58848,
                random=True,
                source="random:bert",
            ),
            "cards": [
                self.json(
                    f"data/{task}/card.json",
                    name=task,
                    source=f"synthetic:{task}",
                    train=64,
                    dev=32,
                )
                for task in TASKS
            ],
            "scores": [
                self.table(
                    f"finetune/{one['task']}_{one['start']}.parquet",
                    pd.DataFrame({"accuracy": [0.5, 0.9], "majority": 0.5, "failed": False}),
                )
                for one in scored
            ],
            "ledgers": [
                self.table(f"report/{name}.parquet", ledger_of(name))
                for name in ("claims", "dynamics_claims")
            ],
            "surfaces": [
                self.table(
                    f"landscape/{one['name']}.parquet",
                    surface_of(
                        self.points,
                        seed,
                        ("fine_tuned", "rollback") if one["group"] else ("start", "end"),
                    ),
                )
                for seed, one in enumerate(shown)
            ],
            "geometries": [
                self.json(
                    f"landscape/{one['name']}.json", labels=2, task=one["task"], start=one["start"]
                )
                for one in shown
            ],
            "trajectories": [
                self.table(f"landscape/{run}.parquet", trajectory_of(4))
                for run in ("target", "continued")
            ],
            "images": [self.image(f"figures/{name}.png") for name in names],
            "numbers": [self.csv(f"figures/{name}.csv", numbers_of(name)) for name in names],
            "tasks": titles,
            "pairs": [
                {**one, "name": f"change_{one['name']}", "comparison": "change"} for one in titles
            ],
            "scored": scored,
            "ledger_names": ["claims", "dynamics_claims"],
            "shown_surfaces": shown,
            "traced": traced,
            "sections": [{"name": name, "title": title} for name, title in SECTIONS.items()],
            "figures": [
                {
                    "name": name,
                    "title": f"shows {name}",
                    "section": section_of(name),
                    "claims": ["claims_0"],
                    "caption": f"Caption of {name}.",
                }
                for name in names
            ],
            "left_out": [],
            "deviations": [["BERT", "MiniLM", "speed"]],
            "context": {
                "experiment": "invented",
                "settings": {"experiment": {"name": "invented"}, "title": MARKUP},
                "docs": "",
            },
        }
        return self

    def write(self, name: str = "atlas.html", **changed: Any) -> Path:
        """The page; ``changed`` replaces arguments."""
        page = self.file("report", "tiny", name)
        with contextlib.chdir(self.folder):
            write_atlas(**{**self.arguments, **changed, "atlas": page})
        return self.folder / page

    def table(self, name: str, table: pd.DataFrame) -> Path:
        write_table(table, self.file(name))
        return self.file(name)

    def json(self, file: str, /, **content: Any) -> Path:
        write_json(content, self.file(file))
        return self.file(file)

    def csv(self, name: str, table: pd.DataFrame) -> Path:
        table.to_csv(self.file(name), index=False, na_rep="NaN")
        return self.file(name)

    def image(self, name: str) -> Path:
        pixels = np.full((350, 630, 3), 255, dtype=np.uint8)
        pixels[40:300, 60:600:9] = (0, 114, 178)
        Image.fromarray(pixels).save(self.file(name))
        return self.file(name)
