"""Tasks and pairs of models as figures and ledgers name them, made from a rule's ``spec``."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from workflow_scripts.common.errors import UserError, nearest

# What the two models of a pair are, in the order in which figures show the pairs.
COMPARISONS = {
    "change": "a pre-trained model and the same model fine-tuned",
    "seeds": "two models fine-tuned on one task with different seeds",
    "tasks": "two models fine-tuned on different tasks, on examples of both",
}


@dataclass(frozen=True, kw_only=True)
class RunOutcome:
    """How a run that a figure or report rests on ended.

    Attributes
    ----------
    words : str
        Which run it is.
    start : str
        ``pretrained`` or ``scratch``.
    accuracy, majority : float
        On the dev set: of the run, and of always answering with the most frequent label, 0 to 1.
    failed : bool
        Whether the run is no better than that, or diverged.
    seen : tuple of str
        Data sets of sentence pairs for inference (NLI) that the model had been trained on before
        this run, if the task is of pairs too.
    """

    words: str
    start: str
    accuracy: float
    majority: float
    failed: bool
    seen: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class TaskTitle:
    """A task as figures name it.

    Attributes
    ----------
    name : str
        Of the task in the configuration.
    title : str
        What figures show.
    synthetic : bool
        Whether the sentences were generated.
    place : int, optional
        Place in the experiment, which gives it the same colour and marker in all figures.
    outcomes : tuple of RunOutcome
        Of the runs that are shown, as far as they are known.
    imported : str
        Of a task whose first run was trained elsewhere, its checkpoints in words; see
        ``checkpoint_words``.
    """

    name: str
    title: str
    synthetic: bool = False
    place: int | None = None
    outcomes: tuple[RunOutcome, ...] = ()
    imported: str = ""

    @property
    def heading(self) -> str:
        """The title; further lines say where the sentences were generated, or a run failed."""
        failed = any(outcome.failed for outcome in self.outcomes)
        return (
            self.title
            + ("\n(synthetic)" if self.synthetic else "")
            + ("\n(failed run)" if failed else "")
        )

    @property
    def columns(self) -> dict[str, str | bool]:
        """Columns that say in a figure's numbers whose they are; the first is the name."""
        return {"task": self.name, "synthetic": self.synthetic}

    def as_spec(self) -> dict[str, Any]:
        """Fields as a rule's ``spec`` has them: without outcomes, which files give."""
        fields = asdict(self)
        del fields["outcomes"]
        if not self.imported:
            del fields["imported"]
        return fields


@dataclass(frozen=True, kw_only=True)
class PairTitle(TaskTitle):
    """A pair of models as figures name it.

    Attributes
    ----------
    comparison : str
        Key of ``COMPARISONS``: what the two models are.
    first, second : str
        Names of the two models.

    Raises
    ------
    UserError
        If the comparison is unknown.
    """

    comparison: str
    first: str
    second: str

    def __post_init__(self) -> None:
        if self.comparison not in COMPARISONS:
            raise UserError(
                f"comparison of pair {self.name!r}: got {self.comparison!r}, allowed are "
                f"{', '.join(COMPARISONS)}{nearest(self.comparison, COMPARISONS)}"
            )

    @property
    def columns(self) -> dict[str, str | bool]:
        """Columns that say in a figure's numbers whose they are; the first is the name."""
        return {
            "pair": self.name,
            "comparison": self.comparison,
            "first_model": self.first,
            "second_model": self.second,
            "synthetic": self.synthetic,
        }


def title_of(settings: Any, task: str) -> str:
    """A task's title, or its name."""
    return settings.tasks[task].title or task


def is_synthetic(settings: Any, *tasks: str) -> bool:
    """Whether the examples of one of these tasks are generated."""
    return any(settings.tasks[task].source.startswith("synthetic:") for task in tasks)


def _imported(settings: Any, task: str) -> dict[str, Any]:
    """What titles say of the first run of a task, if it was trained elsewhere."""
    runs = (settings.runs[name] for name in settings.experiment.runs)
    found = next((run.found for run in runs if run.task == task), None)
    if found is None:
        return {}
    return {"imported": checkpoint_words(found.steps, found.start is not None)}


def checkpoint_words(steps: Sequence[int], own_start: bool) -> str:
    """Checkpoints of a run that was trained elsewhere, in words for captions.

    Parameters
    ----------
    steps : sequence of int
        Steps of the checkpoints, from 0.
    own_start : bool
        Whether step 0 has a head of its own; else it has that of the last checkpoint.
    """
    shown = [f"{step:,}" for step in steps[1:]]
    if len(shown) > 8:
        shown = [*shown[:6], "…", shown[-1]]
    words = "checkpoint 1 is at step" if len(steps) == 2 else "checkpoints from 1 are at steps"
    start = "its own step 0" if own_start else "the base model with the last head"
    return f"{words} {', '.join(shown)}; θ₀ is {start}"


def place_of(settings: Any, task: str) -> int:
    """Place of a task among those of the experiment; after them for another."""
    tasks = list(settings.experiment.tasks)
    return tasks.index(task) if task in tasks else len(tasks)


def task_titles(settings: Any, tasks: Iterable[str] | None = None) -> list[dict[str, Any]]:
    """Tasks (default: all) as the figures' scripts take them."""
    return [
        TaskTitle(
            name=task,
            title=title_of(settings, task),
            synthetic=is_synthetic(settings, task),
            place=place_of(settings, task),
            **_imported(settings, task),
        ).as_spec()
        for task in (settings.experiment.tasks if tasks is None else tasks)
    ]
