"""Figures of the loss landscapes: Hao et al. (2019), figures 1 to 7, and radii of optima."""

from typing import Any

from workflow_scripts.common.files import Files
from workflow_scripts.common.stage import Figure
from workflow_scripts.common.titles import task_titles
from workflow_scripts.data.files import task_file
from workflow_scripts.finetune.files import outcome_files, run_table, scored
from workflow_scripts.finetune.runs import Run, recipe_difference, starts_of
from workflow_scripts.landscape.files import along_file, surface_files, trajectory_file
from workflow_scripts.landscape.surfaces import (
    Surface,
    continued_run,
    group_surfaces,
    layer_groups,
    lines,
    measured_runs,
    plane,
    planes,
)

MODEL = "{model}"


def _drawn(surfaces: list[Surface], geometries: list[Surface] | None = None) -> Files:
    """Points of surfaces, with their geometry (a line has its plane's)."""
    return {
        "surfaces": surface_files(surfaces, "surface.parquet"),
        "geometries": surface_files(geometries or surfaces, "geometry.json"),
        "scores": outcome_files(_runs_of(surfaces)),
    }


def _runs_of(surfaces: list[Surface]) -> list[Run]:
    return list(dict.fromkeys(surface.run for surface in surfaces))


def _scored(surfaces: list[Surface]) -> dict[str, Any]:
    return {"scored": scored((run.task, run) for run in _runs_of(surfaces))}


def _every_start(settings: Any) -> dict[str, Any]:
    return {
        "tasks": task_titles(settings),
        "starts": starts_of(settings),
        **_scored(planes(settings, MODEL)),
    }


def _histories(settings: Any) -> Files:
    runs = [surface.run for surface in planes(settings, MODEL)]
    return {
        "histories": [run_table(run, "history.parquet") for run in runs],
        "scores": outcome_files(runs),
        "cards": [task_file(task, "card.json") for task in settings.experiment.tasks],
    }


def _runs(settings: Any) -> dict[str, Any]:
    runs = [surface.run for surface in planes(settings, MODEL)]
    named = [{"task": run.task, "start": run.start} for run in runs]
    tasks = settings.experiment.tasks
    differences = dict.fromkeys(recipe_difference(settings, task) for task in tasks)
    note = "; ".join(filter(None, differences))
    return {**_every_start(settings), "runs": named, **({"note": note} if note else {})}


def _trajectories(settings: Any) -> Files:
    surfaces = planes(settings, MODEL, settings.figures.trajectory_tasks)
    projected = [trajectory_file(settings, surface) for surface in surfaces]
    return {**_drawn(surfaces), "trajectories": projected}


def _overfitting(settings: Any) -> Files:
    figures = settings.figures
    surface = plane(settings, MODEL, figures.overfitting_task, "pretrained")
    runs = "target", figures.overfitting_recipe
    return {
        "surface": surface_files([surface], "surface.parquet")[0],
        "geometry": surface_files([surface], "geometry.json")[0],
        "trajectories": [trajectory_file(settings, surface, run) for run in runs],
        "scores": outcome_files([surface.run, continued_run(settings, MODEL)]),
    }


def _overfitting_spec(settings: Any) -> dict[str, Any]:
    recipe = settings.finetune.recipes[settings.figures.overfitting_recipe]
    schedule = recipe.schedule.replace("_", " ")
    continued = continued_run(settings, MODEL)
    return {
        "scored": scored((run.task, run) for run in continued.chain[-2:]),
        "task": task_titles(settings, [settings.figures.overfitting_task])[0],
        "note": f"{recipe.epochs} more epochs with a fresh {schedule} schedule, learning rate "
        f"{recipe.learning_rate:g}",
    }


def _lines(settings: Any) -> Files:
    drawn = _drawn(lines(settings, MODEL), planes(settings, MODEL))
    return {"lines": drawn.pop("surfaces"), **drawn}


_POINTS = "`task`, `start`, `synthetic`, `second`, `alpha`, `beta`, `on_grid`, `anchor`"
_LOSS = "`train_loss`, `train_loss_se`"

FIGURES = (
    Figure(
        "figure1",
        "training-loss surfaces",
        "figures/draw_surfaces",
        inputs=lambda settings: _drawn(planes(settings, MODEL)),
        spec=lambda settings: {**_every_start(settings), "quantity": "loss"},
        numbers=f"points of all planes | {_POINTS}, {_LOSS}",
        claims=("wider_optimum",),
    ),
    Figure(
        "figure2",
        "training loss over steps",
        "figures/draw_loss_curves",
        inputs=_histories,
        spec=_runs,
        numbers="steps of all runs | `task`, `start`, `synthetic`, `labels` (K), `step`, `epoch`, "
        "`loss`, `smoothed` (centred mean over a quarter of an epoch)",
        claims=("easier_optimisation", "scratch_ends_higher"),
    ),
    Figure(
        "figure3",
        "trajectories on training-loss surfaces",
        "figures/draw_trajectories",
        inputs=_trajectories,
        spec=lambda settings: {
            "tasks": task_titles(settings, settings.figures.trajectory_tasks),
            "starts": starts_of(settings),
            **_scored(planes(settings, MODEL, settings.figures.trajectory_tasks)),
        },
        numbers="`rows` = `trajectory`: checkpoints; `surface`: points | `task`, `start`, "
        f"`synthetic`, `rows`; the columns of the trajectory; `alpha`, `beta`, `on_grid`, "
        f"`anchor`, {_LOSS}",
        claims=("first_epoch_direction",),
    ),
    Figure(
        "figure4",
        "continued training on the generalisation-error surface",
        "figures/draw_overfitting",
        inputs=_overfitting,
        spec=_overfitting_spec,
        numbers="as figure 3; the continuing run without its epoch 0, which is the end of the "
        "first | as figure 3, with `dev_error`, `dev_error_se`",
        drawn=lambda settings: settings.figures.overfitting_task is not None,
        claims=("robust_to_overfitting",),
    ),
    Figure(
        "figure5",
        "training loss along the optimisation direction",
        "figures/draw_lines",
        inputs=_lines,
        spec=_every_start,
        numbers="points of all lines | `task`, `start`, `synthetic`, `filter_distance`, `alpha`, "
        f"`on_grid`, `anchor`, {_LOSS}, `distance` (from theta_1, filter-normalised), `low`, "
        "`high` (nats)",
        claims=("no_loss_barrier",),
    ),
    Figure(
        "figure6",
        "generalisation-error surfaces",
        "figures/draw_surfaces",
        inputs=lambda settings: _drawn(planes(settings, MODEL)),
        spec=lambda settings: {**_every_start(settings), "quantity": "error"},
        numbers="points of all planes | as figure 1, with `dev_error`, `dev_error_se`",
        claims=("consistent_surfaces", "more_consistent_surfaces"),
    ),
    Figure(
        "figure7",
        "training-loss surfaces of layer groups",
        "figures/draw_group_surfaces",
        inputs=lambda settings: _drawn(group_surfaces(settings, MODEL)),
        spec=lambda settings: {
            "tasks": task_titles(settings, settings.figures.group_tasks),
            "groups": layer_groups(settings),
            **_scored(group_surfaces(settings, MODEL)),
        },
        numbers="points of all group planes | `task`, `group`, `synthetic`, `second`, `alpha`, "
        f"`beta`, `on_grid`, `anchor`, {_LOSS}",
        drawn=lambda settings: bool(settings.figures.group_tasks),
        claims=("wider_low_layers",),
    ),
    Figure(
        "radii",
        "radii of optima",
        "figures/draw_radii",
        inputs=lambda settings: {
            "radii": [along_file(run, "radii") for run in measured_runs(settings, MODEL)],
            "scores": outcome_files(measured_runs(settings, MODEL)),
        },
        spec=lambda settings: {
            "tasks": task_titles(settings),
            "scored": scored((run.task, run) for run in measured_runs(settings, MODEL)),
        },
        numbers="runs and directions | `task`, `start`, `seeds`, `synthetic`, `optimum` (the loss "
        "at the end is at most 0.3 ln K); the columns of `radii.parquet`",
        claims=("wider_optimum",),
    ),
)
