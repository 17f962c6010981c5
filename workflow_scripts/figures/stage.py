"""The figures stage: draws what the other stages declare."""

from collections.abc import Iterator
from typing import Any, Literal

from pydantic import Field

from workflow_scripts.common.settings import Name, Section
from workflow_scripts.common.stage import Reference, Stage, duplicates
from workflow_scripts.finetune.runs import recipe_of


class Figures(Section):
    """What the figures show."""

    trajectory_tasks: list[Name] = Field(min_length=1, description="tasks of figure 3")
    overfitting_task: Name = Field(description="task of figure 4")
    overfitting_recipe: Name = Field(
        description="recipe of figure 4 that continues the task's training"
    )
    group_tasks: list[Name] = Field(
        description="tasks of figure 7; empty leaves out figure 7 and table 1 (layer groups)"
    )
    paper_values: dict[Name, Literal["MNLI", "RTE", "SST-2", "MRPC"]] = Field(
        default_factory=dict,
        description="task: the row of the paper's table 1 to print beside; only where the "
        "experiment is the paper's",
    )


def _references(settings: Any) -> Iterator[Reference]:
    figures, tasks = settings.figures, settings.experiment.tasks
    recipes = settings.finetune.recipes
    yield Reference("figures.trajectory_tasks", figures.trajectory_tasks, tasks)
    yield Reference("figures.overfitting_task", [figures.overfitting_task], tasks)
    yield Reference("figures.overfitting_recipe", [figures.overfitting_recipe], recipes)
    yield Reference("figures.group_tasks", figures.group_tasks, tasks)
    yield Reference("figures.paper_values", figures.paper_values, settings.tasks)


def _problems(settings: Any) -> Iterator[str]:
    figures = settings.figures
    for key in ("trajectory_tasks", "group_tasks"):
        yield from duplicates(f"figures.{key}", getattr(figures, key))
    recipe, task = figures.overfitting_recipe, figures.overfitting_task
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
    references=_references,
    problems=_problems,
)
