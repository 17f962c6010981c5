"""The figures stage: draws what the other stages declare."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from math import inf
from typing import Any, Literal

from pydantic import Field

from workflow_scripts.common.errors import UserError
from workflow_scripts.common.settings import Name, Section
from workflow_scripts.common.stage import Reference, Stage, duplicates
from workflow_scripts.finetune.runs import imported_runs, recipe_of
from workflow_scripts.model.checks import NoGroups, check_groups


class Figures(Section):
    """What the figures show."""

    trajectory_tasks: list[Name] | None = Field(
        None, min_length=1, description="tasks of figure 3; all if null"
    )
    overfitting_task: Name | None = Field(
        None,
        description="task of figure 4; if null the one with the smallest `tasks.NAME.train`, or "
        "the first if all take all examples, out of those that are trained here; without such a "
        "task figure 4 is left out",
    )
    overfitting_recipe: Name = Field(
        description="recipe of figure 4 that continues the task's training"
    )
    group_tasks: list[Name] | None = Field(
        None,
        description="tasks of figure 7; if null all, or none where a model has too few layers of "
        "its own for `landscape.groups`; empty leaves out figure 7 and table 1 (layer groups)",
    )
    paper_values: dict[Name, Literal["MNLI", "RTE", "SST-2", "MRPC"]] = Field(
        default_factory=dict,
        description="task: the row of the paper's table 1 to compare with; only where the "
        "experiment is the paper's",
    )


def _tasks(key: str) -> Callable[[Any], list[str]]:
    """The tasks of a key, all of the experiment by default."""

    def chosen(settings: Any) -> list[str]:
        tasks = getattr(settings.figures, key)
        return list(settings.experiment.tasks) if tasks is None else tasks

    return chosen


def _group_tasks(settings: Any) -> list[str]:
    """The tasks of figure 7: all by default, none if a model has no thirds of its layers."""
    tasks = settings.figures.group_tasks
    if tasks is not None:
        return tasks
    return [] if _no_thirds(settings) else list(settings.experiment.tasks)


def _no_thirds(settings: Any) -> str:
    """Why there are no layer groups by default, as far as that is known; else empty."""
    if settings.landscape.groups is not None:
        return ""
    for name in settings.experiment.models:
        # A source that cannot work is reported by the checks of inputs.
        with suppress(UserError):
            try:
                check_groups(name, settings.models[name].model_dump(), None)
            except NoGroups as error:
                return str(error)
    return ""


def _overfitting_task(settings: Any) -> str | None:
    def size(task: str) -> float:
        train = settings.tasks[task].train
        return inf if train is None else train

    tasks = [task for task in settings.experiment.tasks if not imported_runs(settings, task)]
    return settings.figures.overfitting_task or min(tasks, key=size, default=None)


def _left_out(settings: Any) -> Iterator[str]:
    if settings.figures.overfitting_task is None:
        yield "training on (figure 4), for the runs are imported (experiment.runs)"
    if not settings.figures.group_tasks:
        why = _no_thirds(settings) or "figures.group_tasks"
        yield f"layer groups, in surfaces and rolled back ({why})"


def _references(settings: Any) -> Iterator[Reference]:
    figures, tasks = settings.figures, settings.experiment.tasks
    recipes = settings.finetune.recipes
    yield Reference("figures.trajectory_tasks", figures.trajectory_tasks, tasks)
    if figures.overfitting_task is not None:
        yield Reference("figures.overfitting_task", [figures.overfitting_task], tasks)
    yield Reference("figures.overfitting_recipe", [figures.overfitting_recipe], recipes)
    yield Reference("figures.group_tasks", figures.group_tasks, tasks)
    yield Reference("figures.paper_values", figures.paper_values, settings.tasks)


def _problems(settings: Any) -> Iterator[str]:
    figures = settings.figures
    for key in ("trajectory_tasks", "group_tasks"):
        yield from duplicates(f"figures.{key}", getattr(figures, key))
    recipe, task = figures.overfitting_recipe, figures.overfitting_task
    if task is None:
        return
    if imported_runs(settings, task):
        yield f"figures.overfitting_task: got {task!r}, whose run is imported; it cannot train on"
        return
    base = recipe_of(settings, task, "pretrained")
    continues = settings.finetune.recipes[recipe].continues
    if continues != base:
        yield (
            f"figures.overfitting_recipe: got {recipe!r}, which continues {continues!r}; it must "
            f"continue {base!r}, the recipe of {task} with a pre-trained start"
        )


STAGE = Stage(
    "figures",
    sections={"figures": (Figures, Field(description="what the figures show"))},
    derived={
        "figures.trajectory_tasks": _tasks("trajectory_tasks"),
        "figures.overfitting_task": _overfitting_task,
        "figures.group_tasks": _group_tasks,
    },
    left_out=_left_out,
    references=_references,
    problems=_problems,
)
