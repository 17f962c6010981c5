"""Files of the atlas stage, and what its rule takes."""

import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from workflow_scripts.common.files import File, Files
from workflow_scripts.common.stage import Figure, Stage
from workflow_scripts.common.titles import task_titles
from workflow_scripts.data.files import task_file
from workflow_scripts.dynamics.pairs import every_pair, pair_titles
from workflow_scripts.finetune.files import score_files, scored
from workflow_scripts.landscape.files import surface_files, trajectory_file
from workflow_scripts.landscape.surfaces import (
    Surface,
    group_surfaces,
    measured_runs,
    plane,
    planes,
)
from workflow_scripts.model.files import model_file
from workflow_scripts.report.files import ledger_files, ledger_names

ROOT = Path(__file__).resolve().parents[2]


def atlas_file(model: str = "{model}") -> File:
    """The page of a model."""
    return File(f"results/report/{model}/atlas.html")


def drawn(stages: Iterable[Stage], settings: Any) -> list[tuple[Stage, Figure]]:
    """Figures that the experiment has, each with its stage."""
    return [(s, figure) for s in stages for figure in s.figures if figure.drawn(settings)]


def _surfaces(settings: Any, model: str) -> list[Surface]:
    return [*planes(settings, model), *group_surfaces(settings, model)]


def _traced(settings: Any, model: str) -> list[tuple[Surface, str]]:
    """Planes and the runs of which figures 3 and 4 show trajectories on them."""
    figures = settings.figures
    traced = [(one, "target") for one in planes(settings, model, figures.trajectory_tasks)]
    if figures.overfitting_task is None:
        return traced
    continued = plane(settings, model, figures.overfitting_task, "pretrained")
    more = [(continued, run) for run in ("target", figures.overfitting_recipe)]
    return list(dict.fromkeys([*traced, *more]))


def atlas_inputs(settings: Any, stages: Iterable[Stage], model: str = "{model}") -> Files:
    """What ``write_atlas`` takes: all that the experiment has made for a model."""
    figures = [figure.outputs(model) for _, figure in drawn(stages, settings)]
    surfaces, runs = _surfaces(settings, model), measured_runs(settings, model)
    return {
        "card": model_file(model, "card.json"),
        "cards": [task_file(task, "card.json") for task in settings.experiment.tasks],
        "scores": score_files(runs),
        "ledgers": [ledger_files(name, model)["ledger"] for name in ledger_names(settings)],
        "surfaces": surface_files(surfaces, "surface.parquet"),
        "geometries": surface_files(surfaces, "geometry.json"),
        "trajectories": [trajectory_file(settings, *one) for one in _traced(settings, model)],
        "images": [files["png"] for files in figures],
        "numbers": [files["csv"] for files in figures],
    }


def atlas_spec(settings: Any, stages: Iterable[Stage]) -> dict[str, Any]:
    """Settings of ``write_atlas``: what its files are, and how the page names them."""
    stages, model = list(stages), "{model}"
    tasks = settings.experiment.tasks
    others = [task for task in (settings.probing.tasks or []) if task not in tasks]
    return {
        "experiment": settings.experiment.name,
        "tasks": task_titles(settings, [*tasks, *others]),
        "pairs": pair_titles(settings, every_pair(settings, model)),
        "scored": scored((run.task, run) for run in measured_runs(settings, model)),
        "ledger_names": ledger_names(settings),
        "shown_surfaces": [
            {"name": one.name, "task": one.run.task, "start": one.run.start, "group": one.group}
            for one in _surfaces(settings, model)
        ],
        "traced": [
            {"surface": surface.name, "run": run} for surface, run in _traced(settings, model)
        ],
        "sections": [
            {"name": stage.name, "title": stage.title} for stage in stages if stage.figures
        ],
        "figures": [
            {
                "name": figure.name,
                "title": figure.title,
                "section": stage.name,
                "claims": list(figure.claims),
                "caption": caption(figure.name),
            }
            for stage, figure in drawn(stages, settings)
        ],
        "left_out": [line for stage in stages for line in stage.left_out(settings)],
        "settings": settings.model_dump(mode="json", exclude={"compute", "rebuild"}),
        "deviations": deviations(),
        "docs": docs(),
    }


def docs() -> str:
    """Path from a page to the documentation, where the run lies in the checkout; else empty."""
    page = Path(atlas_file("MODEL")).resolve()
    return os.path.relpath(ROOT / "docs", page.parent) if ROOT in page.parents else ""


def caption(figure: str) -> str:
    """What ``rules/captions`` says of a figure, in one line; empty without a caption."""
    path = ROOT / "rules" / "captions" / f"{figure}.rst"
    return " ".join(path.read_text(encoding="utf-8").split()) if path.is_file() else ""


def deviations() -> list[list[str]]:
    """Rows of the table in the methods that says where this differs from the papers."""
    text = (ROOT / "docs" / "explanation" / "methods.md").read_text(encoding="utf-8")
    _, _, after = text.partition("## Where this differs from the paper")
    rows = [line for line in after.partition("\n## ")[0].splitlines() if line.startswith("| ")]
    return [re.split(r" *(?<!\\)\| *", row.strip().strip("|").strip()) for row in rows[1:]]
