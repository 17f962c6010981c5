"""Invented tables in the form of the workflow's own: bowls, noisy curves, winding paths.

Nothing here was measured. Bowls have a width per task and start, a surface from scratch has
ripples, and one has points without a finite value.
"""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from workflow_scripts.common.tables import write_json, write_table

TITLES = [
    "NLI",
    "Entailment",
    "Sentiment",
    "Paraphrase",
    "Questions",
    "Grammar",
    "Topic",
    "A task with a rather long name",
]
LABELS = [3, 2, 2, 2, 6, 2, 4, 2]
STARTS = ["scratch", "pretrained"]
GROUPS = {"low": [0, 1], "middle": [2, 3], "high": [4, 5]}


def task(index: int, synthetic: bool = True) -> dict:
    title = TITLES[index]
    return {"name": title.lower().replace(" ", "_"), "title": title, "synthetic": synthetic}


class Tables:
    """Writes invented tables below a folder and gives the arguments of each script."""

    def __init__(
        self, folder: Path, count: int, points: int = 17, examples: int = 64, synthetic: bool = True
    ):
        self.folder, self.points, self.examples = folder, points, examples
        self.tasks = [task(i, synthetic) for i in range(count)]
        self.rng = np.random.default_rng(5)

    def outputs(self, name: str, *more: str) -> dict[str, Path]:
        return {kind: self.folder / f"{name}.{kind}" for kind in ("pdf", "png", "csv", *more)}

    def planes(self, tasks=None, missing: bool = True) -> dict:
        surfaces, geometries = [], []
        for index, t in enumerate(tasks or self.tasks):
            for start in STARTS:
                holes = missing and start == "scratch" and index == len(tasks or self.tasks) - 1
                place = self.folder / f"{t['name']}_{start}"
                points = self._points(self._plane(index, start), (0.0, 0.0), "start", "end", holes)
                write_table(points, place / "surface.parquet")
                self._geometry(place, index, t, start, "plane")
                surfaces.append(place / "surface.parquet")
                geometries.append(place / "geometry.json")
        return {"surfaces": surfaces, "geometries": geometries}

    def lines(self) -> dict:
        lines, geometries = [], []
        for index, t in enumerate(self.tasks):
            for start in STARTS:
                place = self.folder / f"{t['name']}_{start}_line"
                points = self._points(
                    self._plane(index, start), (0.0, 0.0), "start", "end", False, line=True
                )
                write_table(points, place / "surface.parquet")
                self._geometry(place, index, t, start, "line")
                lines.append(place / "surface.parquet")
                geometries.append(place / "geometry.json")
        return {"lines": lines, "geometries": geometries}

    def groups(self, tasks: list[dict]) -> dict:
        surfaces, geometries = [], []
        for index, t in enumerate(tasks):
            for number, (group, layers) in enumerate(GROUPS.items()):
                place = self.folder / f"{t['name']}_pretrained_{group}"
                wide = (3.5, 2.4, 1.1)[number] - 0.3 * index

                def loss(a, b, wide=wide, index=index):
                    return _bowl(a + 1, b, wide, wide, 0.04, np.log(LABELS[index]), 0.03)

                points = self._points(loss, (-1.0, 0.0), "fine_tuned", "rollback", False)
                write_table(points, place / "surface.parquet")
                self._geometry(place, index, t, "pretrained", "group", group, layers)
                surfaces.append(place / "surface.parquet")
                geometries.append(place / "geometry.json")
        return {"surfaces": surfaces, "geometries": geometries}

    def trajectories(self, tasks: list[dict], more: int = 0) -> dict:
        arguments = self.planes(tasks, missing=False)
        paths = []
        for index, t in enumerate(tasks):
            for start in STARTS:
                path = self.folder / f"{t['name']}_{start}" / "trajectory.parquet"
                write_table(self._trajectory(index, start, more), path)
                paths.append(path)
        return {**arguments, "trajectories": paths}

    def scores(self, name: str, epochs: int, accuracy: float = 0.8, failed: bool = False) -> Path:
        path = self.folder / f"scores_{name}.parquet"
        epoch = np.arange(epochs + 1)
        table = {"epoch": epoch, "accuracy": np.linspace(0.4, accuracy, epochs + 1)}
        table |= {"majority": 0.34, "failed": (epoch < 1) | failed}
        write_table(pd.DataFrame(table).assign(predictions=[[0] * 50] * len(epoch)), path)
        return path

    def radii(self) -> dict:
        """Radii of three runs of the first task and one of each other, some of them bounds."""
        tables, scores, scored = [], [], []
        for index, t in enumerate(self.tasks):
            for start in STARTS:
                for seed in range(1 if index else 3):
                    name = f"{t['name']}_{start}_{seed}"
                    radius = 0.3 * np.exp(self.rng.normal(0, 0.2, 5)) * (2 + index)
                    radius[-1] = 8.0 if index == 1 else 1.0
                    path = self.folder / f"radii_{name}.parquet"
                    table = {"direction": ["random"] * 4 + ["onward"], "radius": radius}
                    table |= {"censored": radius == 8, "end": 0.5 if start == "scratch" else 0.1}
                    write_table(pd.DataFrame(table).assign(chance_loss=np.log(2)), path)
                    tables.append(path)
                    scores.append(self.scores(name, 1))
                    seeds = f"init{seed}_order{seed}"
                    which = {"name": t["name"], "task": t["name"], "start": start, "seeds": seeds}
                    scored.append(which)
        return {"radii": tables, "scores": scores, "scored": scored}

    def histories(self) -> dict:
        histories, cards, runs = [], [], []
        for index, t in enumerate(self.tasks):
            card = self.folder / t["name"] / "card.json"
            write_json({**t, "labels": [str(k) for k in range(LABELS[index])]}, card)
            cards.append(card)
            for start, epochs in (("scratch", 10), ("pretrained", 5)):
                path = self.folder / t["name"] / start / "history.parquet"
                write_table(self._history(index, start, epochs), path)
                histories.append(path)
                runs.append({"task": t["name"], "start": start})
        return {"histories": histories, "cards": cards, "runs": runs}

    def rollbacks(self) -> dict:
        paths = []
        for index, t in enumerate(self.tasks):
            accuracy = 0.92 - 0.02 * index
            rows = [("none", pd.NA, pd.NA, accuracy, 0.0, 0.0, 0.0)]
            for (group, (first, last)), drop in zip(
                GROUPS.items(), (-0.004, 0.031, 0.352), strict=True
            ):
                rows.append(
                    (
                        group,
                        first,
                        last,
                        accuracy - drop,
                        -100 * drop,
                        -100 * drop - 2.1,
                        -100 * drop + 1.9,
                    )
                )
            table = pd.DataFrame(
                rows, columns=["group", "first", "last", "accuracy", "difference", "low", "high"]
            ).assign(examples=400)
            table[["first", "last"]] = table[["first", "last"]].astype("Int64")
            path = self.folder / f"{t['name']}.parquet"
            write_table(table, path)
            paths.append(path)
        return {"tables": paths}

    def _plane(self, index: int, start: str):
        chance = np.log(LABELS[index])
        if start == "pretrained":
            wide = 2.1 - 0.18 * (index % 4)
            return lambda a, b: _bowl(a, b, 0.9 * wide, wide, 0.03 + 0.02 * index, chance, 0.02)
        narrow = 0.75 - 0.08 * (index % 4)

        def rough(a, b):
            ripple = 0.12 * np.cos(2.3 * a + index) * np.cos(1.7 * b) * np.exp(-(a**2 + b**2) / 9)
            return np.maximum(
                _bowl(a, b, narrow, 1.5 * narrow, 0.22, chance, 0.16)
                + ripple
                + 0.3 * np.exp(-((a - 0.35) ** 2 + b**2) / 0.05),
                0.01,
            )

        return rough

    def _points(self, loss, other, first, second, holes, line=False) -> pd.DataFrame:
        axis = np.linspace(-4, 4, 41 if line else self.points)
        betas = np.array([0.0]) if line else axis
        alpha, beta = np.meshgrid(axis, betas)
        table = pd.DataFrame({"alpha": alpha.ravel(), "beta": beta.ravel(), "on_grid": True})
        table["anchor"] = ""
        ends = {first: (0.0, 0.0), second: other if other != (0.0, 0.0) else (1.0, 0.0)}
        for name, (a, b) in ends.items():
            there = (table["alpha"] == a) & (table["beta"] == b)
            if there.any():
                table.loc[there, "anchor"] = name
            else:
                table.loc[len(table)] = [a, b, False, name]
        a, b = table["alpha"].to_numpy(float), table["beta"].to_numpy(float)
        train = loss(a, b)
        error = np.clip(0.53 * (1 - np.exp(-1.1 * train)) + 0.03 * train, 0.02, 0.6)
        # The same examples at every point: each has its own level at which it goes wrong.
        level = (np.arange(self.examples) + 0.5) / self.examples
        jitter = self.rng.normal(0, 0.006, (len(error), 1))
        error = (level[None] < error[:, None] + jitter).mean(axis=1)
        table["train_examples"] = table["dev_examples"] = self.examples
        table["train_loss"] = train
        table["train_loss_se"] = 0.05 + 0.04 * train
        table["train_error"] = error
        table["train_error_se"] = np.sqrt(error * (1 - error) / (self.examples - 1))
        table["dev_loss"], table["dev_loss_se"] = 1.1 * train, 0.06
        table["dev_error"] = error
        table["dev_error_se"] = table["train_error_se"]
        if holes:
            lost = ((a > 2.6) & (b > 2.9)) | ((np.abs(a + 2) < 0.11) & (np.abs(b + 2) < 0.11))
            table.loc[lost, table.columns[4:]] = np.nan
        return table.assign(precision="float32", precision_error=0.0)

    def _geometry(self, place, index, t, start, kind, group=None, layers=()) -> None:
        write_json(
            {
                "task": t["name"],
                "title": t["title"],
                "start": start,
                "kind": kind,
                "second": "other",
                "group": group,
                "layers": list(layers),
                "labels": LABELS[index],
                "norm_1": 12.0,
                "norm_2": 11.0,
                "cosine": 0.03,
                "norm_end": 300.0,
                "range": [-4, 4],
                "points": self.points,
                "filter_distance": (1.4 if start == "scratch" else 0.45) + 0.1 * index,
            },
            place / "geometry.json",
        )

    def _trajectory(self, index: int, start: str, more: int) -> pd.DataFrame:
        plane = self._plane(index, start)
        parts = []
        epochs = 10 if start == "scratch" else 5
        for run, count in (("target", epochs), ("continued", more)):
            if not count:
                continue
            i = np.arange(count + 1)
            if run == "target":
                share = (i / count) ** (0.8 if start == "pretrained" else 1.6)
                a = share
                b = (0.35 if start == "pretrained" else 0.75) * np.sin(np.pi * share**0.7)
            else:
                share = i / count
                a, b = 1 + 0.13 * share, 0.62 * np.sqrt(share)
            b[np.abs(b) < 1e-9] = 0
            ls_b = 0.3 * b * np.cos(i)
            norm = np.hypot(a, b)
            outside = np.divide(
                np.sqrt(np.maximum(b**2 - ls_b**2, 0)),
                norm,
                out=np.full(len(i), np.nan),
                where=norm > 0,
            )
            loss = plane(a, ls_b)
            true = loss * (1 - 0.4 * np.sin(np.pi * share))
            error = np.clip(0.5 * (1 - np.exp(-1.6 * true)) + 0.04 + 0.02 * np.cos(3 * i), 0, 1)
            parts.append(
                pd.DataFrame(
                    {
                        "run": run,
                        "epoch": i,
                        "d_alpha": a,
                        "d_beta": b,
                        "ls_alpha": a,
                        "ls_beta": ls_b,
                        "outside": outside,
                        "norm": norm,
                        "cosine": a / np.where(norm > 0, norm, np.nan),
                        "true_train_loss": true,
                        "true_dev_error": error,
                        "own_train_loss": 0.9 * true,
                        "own_dev_error": 0.95 * error,
                        "plane_train_loss": loss,
                        "plane_dev_error": error,
                        "paper_train_loss": plane(a, b),
                        "paper_dev_error": error,
                    }
                )
            )
        return pd.concat(parts, ignore_index=True)

    def _history(self, index: int, start: str, epochs: int) -> pd.DataFrame:
        per_epoch = (63, 38, 38, 38)[index % 4]
        step = np.arange(1, epochs * per_epoch + 1)
        chance = np.log(LABELS[index])
        if start == "pretrained":
            mean = 0.05 + (chance - 0.02) * np.exp(-step / (0.9 * per_epoch))
        else:
            mean = 0.2 + (chance - 0.2) / (1 + np.exp((step - 4 * per_epoch) / per_epoch))
        loss = mean * np.exp(self.rng.normal(0, 0.25, len(step)))
        if index == 1 and start == "scratch":
            loss[-60:-50] = np.nan
        return pd.DataFrame(
            {
                "step": step,
                "epoch": (step - 1) // per_epoch + 1,
                "loss": loss,
                "learning_rate": 1e-4,
                "examples": 16,
                "tokens": 500,
                "gradient_norm": 1.0,
            }
        )


def _bowl(a, b, wide, high, lowest, chance, rise):
    """A pit of depth ``chance`` around (1, 0) in a slowly rising plain; nats."""
    q = ((a - 1) / wide) ** 2 + (b / high) ** 2
    r = np.hypot(a - 1, b)
    return lowest + (chance - lowest) * (1 - np.exp(-q)) + rise * np.maximum(r - 0.8, 0) ** 2


@pytest.fixture
def tables(tmp_path):
    """Factory of ``Tables`` in a folder of the test."""
    return lambda count=2, **more: Tables(tmp_path, count, **more)
