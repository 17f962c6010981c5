"""Pairs of models that the learning dynamics compare, by the settings of an experiment."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from workflow_scripts.common.titles import PairTitle, is_synthetic, title_of
from workflow_scripts.finetune.runs import Checkpoint, Run, run_of


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
        Whose dev examples are read.
    first, second : Checkpoint
        The models.
    """

    name: str
    comparison: str
    tasks: tuple[str, ...]
    first: Checkpoint
    second: Checkpoint


def compared_run(settings: Any, model: str, task: str, seeds: int = 0) -> Run:
    """A fine-tuned model of a task; by its own recipe where ``dynamics.recipes`` names one."""
    recipe = settings.dynamics.recipes.get(task)
    return run_of(settings, model, task, "pretrained", recipe, seeds)


def model_pairs(settings: Any, model: str) -> dict[str, Pair]:
    """Pairs of models by name; of those of two tasks the most alike first."""
    pairs = []
    for task in settings.experiment.tasks:
        run = compared_run(settings, model, task)
        pairs.append(Pair(f"change_{task}", "change", (task,), run.first, run.last))
        if task in settings.dynamics.seed_tasks:
            other = compared_run(settings, model, task, seeds=1)
            pairs.append(Pair(f"seeds_{task}", "seeds", (task,), run.last, other.last))
    for tasks in settings.dynamics.task_pairs:
        first, second = (compared_run(settings, model, task).last for task in tasks)
        # No name of a task holds a "+".
        pairs.append(Pair("tasks_" + "+".join(tasks), "tasks", tuple(tasks), first, second))
    return {pair.name: pair for pair in pairs}


def pairs_of(settings: Any, model: str, *comparisons: str) -> list[Pair]:
    """All pairs of these kinds of comparison; of all kinds if none is named."""
    pairs = model_pairs(settings, model).values()
    return [pair for pair in pairs if not comparisons or pair.comparison in comparisons]


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
            synthetic=is_synthetic(settings, *pair.tasks),
            comparison=pair.comparison,
            first=first,
            second=second,
        )
        shown.append(title.as_spec())
    return shown
