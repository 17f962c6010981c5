"""Files of the landscape stage, and what its rules take."""

import re
from collections.abc import Iterable
from typing import Any

from workflow_scripts.common.files import File, Files, digests_of
from workflow_scripts.common.thresholds import LONGEST, PATH_POINTS, RAY_POINTS, WIDTH_LEVEL
from workflow_scripts.data.files import task_digest, task_file
from workflow_scripts.finetune.files import checkpoint_file, checkpoint_files
from workflow_scripts.finetune.runs import Run, run_of, seeds_of
from workflow_scripts.landscape.surfaces import (
    Surface,
    axis_points,
    rows_of,
    surfaces,
    trajectory_run,
)
from workflow_scripts.model.files import architecture_files, model_digest, model_file

# Examples


def examples_file(task: str) -> File:
    """The examples at which all surfaces of a task are evaluated."""
    return File(f"results/landscape/examples_{task}.parquet", [task_digest(task)])


def tokens_file(model: str, task: str) -> File:
    """The same examples as a model's tokens."""
    path = f"results/landscape/{model}/tokens_{task}.parquet"
    return File(path, [model_digest(model), task_digest(task)])


def example_inputs(task: str = "{task}") -> Files:
    """What the choice of a task's examples takes."""
    return {
        "train": task_file(task, "train.parquet"),
        "dev": task_file(task, "dev.parquet"),
        "card": task_file(task, "card.json"),
    }


def token_inputs(model: str = "{model}", task: str = "{task}") -> Files:
    """What the encoding of a task's examples takes."""
    return {
        **architecture_files(model),
        "card": task_file(task, "card.json"),
        "examples": examples_file(task),
    }


# Surfaces


def surface_path(model: str, surface: str, name: str) -> str:
    """Path of a file of a surface, as its rule makes it."""
    return f"results/landscape/{model}/{surface}/{name}"


def surface_file(surface: Surface, name: str) -> File:
    """A file of a surface, such as ``surface.parquet`` or ``geometry.json``."""
    digests = digests_of(checkpoint_file(run.last) for run in surface.runs)
    return File(surface_path(surface.run.model, surface.name, name), digests)


def surface_files(of: Iterable[Surface], name: str) -> list[File]:
    """The same file of several surfaces."""
    return [surface_file(surface, name) for surface in of]


def trajectory_file(settings: Any, surface: Surface, run: str = "target") -> File:
    """The trajectory of a run, as ``trajectory_run`` names it, on a surface."""
    file = surface_file(surface, f"trajectory_{run}.parquet")
    projected = checkpoint_file(trajectory_run(settings, surface, run).last)
    return File(file, digests_of(file, projected))


def along_path(run: Run, name: str) -> str:
    """Path of a table of ``measure_run``, as its rule makes it."""
    return f"results/landscape/{run.model}/runs/{run.task}/{run.start}/{run.seeds}/{name}.parquet"


def along_file(run: Run, name: str) -> File:
    """A table of ``measure_run``: ``trajectory``, ``path``, ``ray`` or ``radii``."""
    return File(along_path(run, name), digests_of(checkpoint_file(run.last)))


ALONG = ("trajectory", "path", "ray", "radii")


def row_path(model: str, surface: str, row: int) -> str:
    """Path of the file of one row of a surface, as its rule makes it."""
    return surface_path(model, surface, f"rows/{row:03d}.parquet")


def _surface(settings: Any, wildcards: Any) -> Surface:
    return surfaces(settings, wildcards.model)[wildcards.surface]


def surfaces_of_kind(settings: Any, kind: str) -> str:
    """Regular expression of the names of all surfaces of a kind."""
    every = surfaces(settings, "{model}").values()
    return "|".join(re.escape(surface.name) for surface in every if surface.kind == kind)


def _spanning(surface: Surface) -> Files:
    """Checkpoints that span a surface, by the names of the scripts' parameters."""
    ends = {
        "start": checkpoint_file(surface.run.first),
        "end": checkpoint_file(surface.run.last),
    }
    if surface.second:
        return {**ends, "second": checkpoint_file(surface.second.last)}
    if surface.computed == "pca":
        return {**ends, "between": checkpoint_files(surface.run)[1:-1]}
    return ends


def _evaluated(surface: Surface) -> Files:
    """What points of a surface are evaluated with."""
    model = surface.run.model
    return {
        **_spanning(surface),
        "config": model_file(model, "config.json"),
        "tokens": tokens_file(model, surface.run.task),
    }


def _precision(settings: Any, surface: Surface) -> Files:
    """The calibration of a surface that need not be float32."""
    if settings.landscape.precision == "float32":
        return {}
    return {"precision": surface_file(surface, "precision.json")}


def direction_inputs(settings: Any, wildcards: Any) -> Files:
    """What the directions of a job's surface are measured on."""
    surface = _surface(settings, wildcards)
    return {
        **_spanning(surface),
        "encoder": model_file(surface.run.model, "model.safetensors"),
        "card": task_file(surface.run.task, "card.json"),
    }


def calibration_inputs(settings: Any, wildcards: Any) -> Files:
    """What the calibration of a job's surface takes."""
    return _evaluated(_surface(settings, wildcards))


def row_inputs(settings: Any, wildcards: Any) -> Files:
    """What rows of a job's surface are evaluated with."""
    surface = _surface(settings, wildcards)
    return {**_evaluated(surface), **_precision(settings, surface)}


def merge_inputs(settings: Any, wildcards: Any) -> Files:
    """Rows of a job's surface, and the examples that they hold."""
    surface = _surface(settings, wildcards)
    rows = [row for row, _ in rows_of(settings, surface.kind, 1)]
    return {
        "shards": [surface_file(surface, f"rows/{row:03d}.parquet") for row in rows],
        "examples": examples_file(surface.run.task),
        **_precision(settings, surface),
    }


def projection_inputs(settings: Any, wildcards: Any) -> Files:
    """Checkpoints of a run, and the surface that they are projected on."""
    surface = _surface(settings, wildcards)
    run = trajectory_run(settings, surface, wildcards.run)
    return {**_evaluated(surface), "checkpoints": checkpoint_files(run)}


def run_inputs(settings: Any, wildcards: Any) -> Files:
    """Checkpoints of a job's run, and the examples at which they are evaluated."""
    seeds = [(seeds.init, seeds.order) for seeds in seeds_of(settings, wildcards.task)]
    place = seeds.index((int(wildcards.init), int(wildcards.order)))
    run = run_of(settings, wildcards.model, wildcards.task, wildcards.start, seeds=place)
    return {
        "config": model_file(run.model, "config.json"),
        "tokens": tokens_file(run.model, run.task),
        "checkpoints": checkpoint_files(run),
    }


def width_inputs(settings: Any, wildcards: Any) -> Files:
    """Line and plane whose widths are measured."""
    surface = _surface(settings, wildcards)
    line = surfaces(settings, wildcards.model)[f"{surface.name}_line"]
    return {
        "line": surface_file(line, "examples.parquet"),
        "plane": surface_file(surface, "examples.parquet"),
        "geometry": surface_file(surface, "geometry.json"),
    }


# Settings of the rules


def surface_spec(settings: Any, surface: Surface) -> dict[str, Any]:
    """What a surface's points depend on, besides its files."""
    landscape = settings.landscape
    return {
        "kind": surface.kind,
        "range": landscape.range,
        "points": axis_points(settings, surface.kind),
        "group": surface.group,
        "groups": landscape.groups if surface.kind == "group" else None,
        **_seed_spec(settings, surface),
    }


def _seed_spec(settings: Any, surface: Surface) -> dict[str, Any]:
    return {"seed": settings.landscape.seed} if surface.computed == "random" else {}


def direction_spec(settings: Any, wildcards: Any) -> dict[str, Any]:
    """Settings of ``measure_directions``."""
    surface = _surface(settings, wildcards)
    spec = surface_spec(settings, surface)
    second = surface.computed or surface.second.task
    return {"surface": {**spec, "start": surface.run.start, "second": second}}


def calibration_spec(settings: Any, wildcards: Any) -> dict[str, Any]:
    """Settings of ``calibrate_precision``."""
    landscape = settings.landscape
    return {
        "surface": surface_spec(settings, _surface(settings, wildcards)),
        "requested": landscape.precision,
        "tolerance": landscape.precision_tolerance if landscape.precision == "auto" else None,
    }


def row_spec(settings: Any, wildcards: Any) -> dict[str, Any]:
    """Settings of ``evaluate_rows``."""
    return {"surface": surface_spec(settings, _surface(settings, wildcards))}


def merge_spec(settings: Any, wildcards: Any) -> dict[str, Any]:
    """Settings of ``merge_surface``."""
    spec = surface_spec(settings, _surface(settings, wildcards))
    return {key: spec[key] for key in ("kind", "range", "points")}


def projection_spec(settings: Any, wildcards: Any) -> dict[str, Any]:
    """Settings of ``project_trajectory``."""
    return {"run_name": wildcards.run, **_seed_spec(settings, _surface(settings, wildcards))}


def run_spec(settings: Any, wildcards: Any) -> dict[str, Any]:
    """Settings of ``measure_run``."""
    landscape = settings.landscape
    grouped = wildcards.start == "pretrained" and bool(settings.figures.group_tasks)
    return {
        "directions": landscape.width.directions,
        "seed": landscape.seed,
        "level": WIDTH_LEVEL,
        "longest": LONGEST,
        "path_points": PATH_POINTS,
        "ray_points": RAY_POINTS,
        "rolled_back": grouped,
        "groups": landscape.groups if grouped else None,
    }


def example_spec(settings: Any) -> dict[str, Any]:
    """Settings of ``choose_examples``."""
    landscape = settings.landscape
    return {
        "train_examples": landscape.train_examples,
        "dev_examples": landscape.dev_examples,
        "seed": landscape.seed,
    }
