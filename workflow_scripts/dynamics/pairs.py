"""Pairs of models that the learning dynamics compare, by the settings of an experiment."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from workflow_scripts.common.titles import PairTitle, is_synthetic, place_of, title_of
from workflow_scripts.finetune.runs import Checkpoint, Run, runs_of


@dataclass(frozen=True)
class Pair:
    """Two models that read the same examples.

    Parameters
    ----------
    name : str
        Its folder.
    comparison : {"change", "seeds", "tasks"}
        Pre-trained and fine-tuned, two seeds, or two tasks.
    tasks : tuple of str
        On which the models were fine-tuned.
    first, second : Checkpoint
        The models.
    read : tuple of str
        Tasks whose dev examples are read.
    drawn : str
        Name of the pair that figures show for all pairs that differ from it in their seeds only.
    """

    name: str
    comparison: str
    tasks: tuple[str, ...]
    first: Checkpoint
    second: Checkpoint
    read: tuple[str, ...]
    drawn: str


def compared_runs(settings: Any, model: str, task: str) -> list[Run]:
    """Fine-tuned models of a task; by its own recipe where ``dynamics.recipes`` names one."""
    recipe = settings.dynamics.recipes.get(task)
    return runs_of(settings, model, task, "pretrained", recipe)[: settings.dynamics.runs]


def model_pairs(settings: Any, model: str) -> dict[str, Pair]:
    """Pairs of models by name, those that figures show first; of two tasks the most alike first."""
    runs = {task: compared_runs(settings, model, task) for task in settings.experiment.tasks}
    pairs: dict[str, Pair] = {}

    def add(
        comparison: str, tasks: tuple[str, ...], read: tuple[str, ...], models: list[Any]
    ) -> None:
        # No name of a task holds a "+".
        drawn = f"{comparison}_{'+'.join(tasks)}"
        for place, (first, second) in enumerate(models):
            seeds = "+".join(dict.fromkeys((first.run.seeds, second.run.seeds)))
            name = f"{drawn}_{seeds}" if place else drawn
            pairs[name] = Pair(name, comparison, tasks, first, second, read, drawn)

    for task, own in runs.items():
        add("change", (task,), (task,), [(run.first, run.last) for run in own])
        if task in settings.dynamics.seed_tasks:
            add("seeds", (task,), (task,), [(a.last, b.last) for a, b in combinations(own, 2)])
    compared = settings.dynamics.task_pairs
    every = tuple(task for task in runs if any(task in pair for pair in compared))
    for tasks in compared:
        ends = [[run.last for run in runs[task]] for task in tasks]
        add("tasks", tuple(tasks), every, list(zip(*ends, strict=False)))
    return pairs


def every_pair(settings: Any, model: str, *comparisons: str) -> list[Pair]:
    """All pairs of these kinds of comparison, of all seeds; of all kinds if none is named."""
    pairs = model_pairs(settings, model).values()
    return [pair for pair in pairs if not comparisons or pair.comparison in comparisons]


def pairs_of(settings: Any, model: str, *comparisons: str) -> list[Pair]:
    """Those of ``every_pair`` that figures show."""
    pairs = every_pair(settings, model, *comparisons)
    return [pair for pair in pairs if pair.name == pair.drawn]


def trained_runs(pairs: Iterable[Pair]) -> list[tuple[str, Run]]:
    """Name of its pair, and run, for each fine-tuned model of these pairs."""
    return [
        (pair.name, checkpoint.run)
        for pair in pairs
        for checkpoint in (pair.first, pair.second)
        if checkpoint.epoch
    ]


def pair_titles(settings: Any, pairs: list[Pair]) -> list[dict[str, Any]]:
    """Pairs of models as the scripts of figures and reports take them."""
    shown = []
    compared = list(map(tuple, settings.dynamics.task_pairs))
    for pair in pairs:
        titles = [title_of(settings, task) for task in pair.tasks]
        names = {
            "change": ("pre-trained", "fine-tuned"),
            "seeds": (f"seeds {pair.first.run.seeds}", f"seeds {pair.second.run.seeds}"),
            "tasks": tuple(titles),
        }
        first, *_, second = names[pair.comparison]
        title = PairTitle(
            name=pair.name,
            title="–".join(titles),
            synthetic=is_synthetic(settings, *pair.read),
            comparison=pair.comparison,
            # Pairs of tasks have looks of their own, after those of the tasks.
            place=len(settings.experiment.tasks) + compared.index(pair.tasks)
            if pair.comparison == "tasks"
            else place_of(settings, pair.tasks[0]),
            first=first,
            second=second,
        )
        shown.append(title.as_spec())
    return shown
