"""The data stage: labelled tasks, from files, a hub or a grammar."""

from typing import Any, Literal

from pydantic import Field

from workflow_scripts.common.costs import Cost, Job, table_cost
from workflow_scripts.common.settings import Count, Name, Section, Seed
from workflow_scripts.common.stage import Stage, duplicates
from workflow_scripts.data.products import PRODUCTS


class Task(Section):
    """A labelled classification data set."""

    source: str = Field(
        description="`synthetic:NAME`, `hub:OWNER/NAME[/CONFIG]@COMMIT`, `dir:/FOLDER` or "
        "`dir:/FOLDER/TRAIN,DEV`; of words also `dir:/FOLDER/FILE.conllu`, four fifths of whose "
        "sentences are for training"
    )
    title: str | None = Field(None, description="name in figures; the task's own name if null")
    unit: Literal["sentence", "word", "pair"] = Field(
        "sentence",
        description="what a label belongs to: a sentence (or two of them), a word, or a pair of "
        "words; tasks of words are for `probing.tasks` only",
    )
    label: str = Field(
        "label",
        description="column that holds the label; of a CoNLL-U file `upos`, `xpos` or `deprel`",
    )
    text: list[str] | None = Field(
        None,
        min_length=1,
        max_length=2,
        description="columns that hold the text, one or two; identified by their usual names if "
        "null",
    )
    train: Count | None = Field(
        None,
        description="training examples (sentences): all if null, else a seeded subset of this size",
    )
    dev: Count | None = Field(None, description="dev examples: all if null, else a seeded subset")
    dev_split: str | None = Field(
        None, description="split that serves as dev set; identified by its usual names if null"
    )
    unlabeled: Literal["refuse", "drop"] = Field(
        "refuse",
        description="rows without a label: `drop` leaves them out, and those with the label -1 or "
        "`-`, which are classes otherwise",
    )
    seed: Seed = Field(0, description="seed of the subset, or of a synthetic task's sentences")


def _problems(settings: Any):
    for name, task in settings.tasks.items():
        yield from duplicates(f"tasks.{name}.text", task.text or ())
        if task.label in (task.text or ()):
            yield f"tasks.{name}.text: {task.label!r} is the column of the label"
        if task.unit != "sentence" and name in settings.experiment.tasks:
            yield (
                f"experiment.tasks: {name!r} labels words (tasks.{name}.unit); such tasks are "
                "allowed in probing.tasks only"
            )


def _preparing(pricing: Any, job: Job) -> Cost:
    lengths = pricing.lengths[job.wildcards["task"]]
    examples = len(lengths.train) + len(lengths.dev)
    return table_cost(2e-4 * examples, disk=80.0 * examples)


STAGE = Stage(
    "data",
    sections={
        "tasks": (
            dict[Name, Task],
            Field(description="labelled classification data sets by name"),
        )
    },
    problems=_problems,
    products=PRODUCTS,
    costs={"prepare_task": _preparing},
    local=("prepare_task",),
)
