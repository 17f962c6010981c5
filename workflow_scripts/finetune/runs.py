"""Runs and checkpoints of an experiment, by its settings."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

STARTS = ("scratch", "pretrained")


@dataclass(frozen=True)
class Run:
    """One training, here or elsewhere. A name in braces is a wildcard of Snakemake.

    Parameters
    ----------
    model, task, start, recipe : str
        Names in the configuration; ``start`` is ``scratch`` or ``pretrained``. The recipe of a run
        that was trained elsewhere is its name in ``runs``.
    init, order : int or str
        Seeds of the weights that are drawn, and of the order of the examples.
    epochs : int
        The last one; its checkpoint is the end. Of a run that was trained elsewhere the number of
        its last checkpoint.
    base : Run, optional
        The run that this one continues.
    """

    model: str
    task: str
    start: str
    recipe: str
    init: int | str
    order: int | str
    epochs: int
    base: "Run | None" = None

    @property
    def seeds(self) -> str:
        """Folder of the runs with these seeds."""
        return f"init{self.init}_order{self.order}"

    @property
    def first(self) -> "Checkpoint":
        """Checkpoint before the first step."""
        return Checkpoint(self, 0)

    @property
    def last(self) -> "Checkpoint":
        """Checkpoint after the last epoch."""
        return Checkpoint(self, self.epochs)

    @property
    def checkpoints(self) -> list["Checkpoint"]:
        """All of them, epoch 0 first."""
        return [Checkpoint(self, epoch) for epoch in range(self.epochs + 1)]

    @property
    def chain(self) -> list["Run"]:
        """The runs that this one continues, the first one first, and itself."""
        return [*(self.base.chain if self.base else []), self]


@dataclass(frozen=True)
class SeedPair:
    """Seeds of an imported run, which are not known: its place among those of its task.

    Parameters
    ----------
    init, order : int
        In place of the seeds of ``finetune.seeds``.
    """

    init: int
    order: int


@dataclass(frozen=True)
class Checkpoint:
    """Weights of a run after an epoch; epoch 0 is its start."""

    run: Run
    epoch: int


def starts_of(settings: Any) -> list[str]:
    """Starts of the experiment's runs, in the order of the figures."""
    return [start for start in STARTS if start in settings.experiment.starts]


def imported_runs(settings: Any, task: str) -> list[str]:
    """Names of the runs of a task that were trained elsewhere (``experiment.runs``)."""
    return [name for name in settings.experiment.runs if settings.runs[name].task == task]


def recipe_of(settings: Any, task: str, start: str) -> str:
    """Name of the recipe that a task's run with this start follows, or of the imported run."""
    if start == "pretrained" and (imported := imported_runs(settings, task)):
        return imported[0]
    exception = settings.finetune.exceptions.get(task)
    return (exception and getattr(exception, start)) or getattr(settings.finetune.runs, start)


def recipe_difference(settings: Any, task: str) -> str:
    """What differs between the recipes of a task's two starts, besides their length; in words.

    The pre-trained one's value comes first; empty if nothing differs or there is one start.
    """
    if len(starts_of(settings)) < 2:
        return ""
    if imported := imported_runs(settings, task):
        return f"imported run {imported[0]} / recipe {recipe_of(settings, task, 'scratch')}"
    recipes = settings.finetune.recipes
    scratch, tuned = (recipes[recipe_of(settings, task, start)] for start in STARTS)
    names = ("learning_rate", "batch_size", "dropout", "schedule", "optimizer", "weight_decay")
    words = {None: "the model's own"}
    return ", ".join(
        f"{name.replace('_', ' ')} {words.get(first, first)} / {words.get(second, second)}"
        for name in names
        if (first := getattr(tuned, name)) != (second := getattr(scratch, name))
    )


def seeds_of(settings: Any, task: str) -> list[Any]:
    """Seeds of a task's runs, the first those of the surfaces; of imported runs, their places."""
    if imported := imported_runs(settings, task):
        return [SeedPair(place, place) for place in range(len(imported))]
    exception = settings.finetune.exceptions.get(task)
    return (exception and exception.seeds) or settings.finetune.seeds


def runs_of(
    settings: Any, model: str, task: str, start: str, recipe: str | None = None
) -> list[Run]:
    """Runs of a task and start with each of its seeds; see ``run_of``."""
    places = range(len(seeds_of(settings, task)))
    return [run_of(settings, model, task, start, recipe, place) for place in places]


def run_of(
    settings: Any,
    model: str,
    task: str,
    start: str,
    recipe: str | None = None,
    seeds: int = 0,
) -> Run:
    """A run of the experiment.

    Parameters
    ----------
    settings : Config
    model, task, start : str
        Of the run.
    recipe : str, optional
        That of the task and start by default.
    seeds : int
        Place in ``seeds_of`` the task.
    """
    chosen = seeds_of(settings, task)[seeds]
    if recipe is None and start == "pretrained" and (imported := imported_runs(settings, task)):
        recipe = imported[seeds]
    recipe = recipe or recipe_of(settings, task, start)
    return _run(settings, model, task, start, recipe, chosen.init, chosen.order)


def run_pattern(settings: Any, recipe: str, **known: str) -> Run:
    """Any run of a recipe, its wildcards open; ``known`` fills some in."""
    parts = {name: known.get(name, f"{{{name}}}") for name in _WILDCARDS}
    return _run(settings, recipe=recipe, **parts)


_WILDCARDS = ("model", "task", "start", "init", "order")


def _run(
    settings: Any,
    model: str,
    task: str,
    start: str,
    recipe: str,
    init: int | str,
    order: int | str,
) -> Run:
    if recipe in settings.experiment.runs:
        points = settings.runs[recipe].found.steps
        return Run(model, task, start, recipe, init, order, len(points) - 1)
    followed = settings.finetune.recipes[recipe]
    base = followed.continues
    base = base and _run(settings, model, task, start, base, init, order)
    return Run(model, task, start, recipe, init, order, followed.epochs, base)


def with_bases(runs: Iterable[Run]) -> list[Run]:
    """These runs once each, every one after those that it continues."""
    return list(dict.fromkeys(one for run in runs for one in run.chain))
