"""Surfaces and lines of an experiment, by its settings."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from workflow_scripts.finetune.runs import Run, run_of, runs_of, starts_of
from workflow_scripts.landscape.grid import shards

# A run of any recipe, its wildcards open.
ANY_RUN = Run("{model}", "{task}", "{start}", "", "{init}", "{order}", 0)
# Second directions that come from no other task's run.
COMPUTED = ("random", "pca")


@dataclass(frozen=True)
class Surface:
    """A surface or line of a model.

    Parameters
    ----------
    name : str
        Name of its folder.
    run : Run
        The run that it is drawn for.
    kind : {"plane", "line", "group"}
        Plane of two directions, line of one, or line within one layer group.
    second : Run, optional
        The run that gives the second direction, if one does; a line has none.
    computed : {"random", "pca"}, optional
        What gives it otherwise: chance, or the trajectory of the run itself.
    group : str, optional
        Layer group, of a surface of that kind.
    """

    name: str
    run: Run
    kind: str
    second: Run | None = None
    computed: str | None = None
    group: str | None = None

    @property
    def runs(self) -> list[Run]:
        """Runs whose checkpoints span it."""
        return [self.run, *([self.second] if self.second else [])]


def layer_groups(settings: Any) -> list[str]:
    """Names of the layer groups, the lowest first."""
    return list(settings.landscape.groups or ("low", "middle", "high"))


def plane(settings: Any, model: str, task: str, start: str) -> Surface:
    """The plane of a task and start."""
    name, run = f"{task}_{start}", run_of(settings, model, task, start)
    second = settings.landscape.second[task]
    if second in COMPUTED:
        return Surface(name, run, "plane", computed=second)
    # The other task's run has the same start: the same model or, from scratch, the same seed.
    return Surface(name, run, "plane", run_of(settings, model, second, start))


def line(settings: Any, model: str, task: str, start: str) -> Surface:
    """The line of a task and start, along its run's direction."""
    return Surface(f"{task}_{start}_line", run_of(settings, model, task, start), "line")


def planes(settings: Any, model: str, tasks: Iterable[str] | None = None) -> list[Surface]:
    """Planes of these tasks (default: all), from scratch first."""
    tasks = settings.experiment.tasks if tasks is None else tasks
    return [plane(settings, model, task, start) for task in tasks for start in starts_of(settings)]


def lines(settings: Any, model: str) -> list[Surface]:
    """Lines of all tasks, from scratch first."""
    tasks = settings.experiment.tasks
    return [line(settings, model, task, start) for task in tasks for start in starts_of(settings)]


def group_surfaces(settings: Any, model: str) -> list[Surface]:
    """Layer-group surfaces, the lowest group first."""
    found = []
    for task in settings.figures.group_tasks:
        whole = plane(settings, model, task, "pretrained")
        for group in layer_groups(settings):
            name = f"{task}_pretrained_{group}"
            found.append(replace(whole, name=name, kind="group", group=group))
    return found


def surfaces(settings: Any, model: str) -> dict[str, Surface]:
    """Every surface and line of a model, by name."""
    every = [*planes(settings, model), *lines(settings, model), *group_surfaces(settings, model)]
    return {surface.name: surface for surface in every}


def axis_points(settings: Any, kind: str) -> int:
    """Points per axis of a kind of surface."""
    return settings.landscape.line_points if kind == "line" else settings.landscape.points


def rows_of(settings: Any, kind: str, size: int) -> list[tuple[int, int]]:
    """First and last row of every block of ``size`` rows of a kind of surface."""
    return shards(kind, *settings.landscape.range, axis_points(settings, kind), size)


def row_blocks(settings: Any) -> list[tuple[str, int, int]]:
    """Kind of surface, first and last row of every block of rows that one job evaluates."""
    kinds = dict.fromkeys(surface.kind for surface in surfaces(settings, "{model}").values())
    size = settings.landscape.rows_per_shard
    return [(kind, *block) for kind in kinds for block in rows_of(settings, kind, size)]


def measured_runs(settings: Any, model: str) -> list[Run]:
    """Runs of all tasks, from scratch first, with all their seeds: claims rest on them."""
    tasks, starts = settings.experiment.tasks, starts_of(settings)
    return [
        run for task in tasks for start in starts for run in runs_of(settings, model, task, start)
    ]


def continued_run(settings: Any, model: str) -> Run:
    """The run of figure 4 that trains on, where the experiment has one."""
    return continued_runs(settings, model)[0]


def continued_runs(settings: Any, model: str) -> list[Run]:
    """The runs that train on, with all seeds of the task; the first is that of figure 4.

    There are none where all runs are imported.
    """
    figures = settings.figures
    if figures.overfitting_task is None:
        return []
    return runs_of(
        settings, model, figures.overfitting_task, "pretrained", figures.overfitting_recipe
    )


def trajectory_run(settings: Any, surface: Surface, name: str) -> Run:
    """A surface's own run (``target``), or the run by the recipe ``name`` that continues it."""
    run = surface.run
    recipe = None if name == "target" else name
    return run_of(settings, run.model, run.task, run.start, recipe)
