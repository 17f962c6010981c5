"""The finetune stage: training runs with a checkpoint after each epoch."""

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import Field

from workflow_scripts.common.errors import listed
from workflow_scripts.common.settings import (
    BelowOne,
    Count,
    Name,
    Number,
    Positive,
    Section,
    Seed,
    Share,
)
from workflow_scripts.common.stage import Reference, Stage, duplicates
from workflow_scripts.finetune.costs import importing, training
from workflow_scripts.finetune.imported import ImportedRun
from workflow_scripts.finetune.products import PRODUCTS
from workflow_scripts.finetune.runs import imported_runs, starts_of


class Seeds(Section):
    """Seeds of a run."""

    init: Seed = Field(description="seed of the head, and of the encoder where it is random")
    order: Seed = Field(description="seed of the order of the examples and of dropout")


class Recipe(Section):
    """Hyper-parameters of a run."""

    optimizer: Literal["adamw", "adam", "sgd"] = Field("adamw", description="optimizer")
    learning_rate: Positive = Field(description="highest learning rate of the schedule")
    batch_size: Count = Field(32, description="examples per step")
    epochs: Count = Field(description="passes over the training set; one checkpoint each")
    max_steps: Count | None = Field(
        None, description="stop after this many steps, in the middle of an epoch if need be"
    )
    schedule: Literal["linear", "linear_from_start", "constant", "cosine", "slanted_triangular"] = (
        Field(
            "linear",
            description="learning rate after the warm-up; linear_from_start: 1 - step / steps, "
            "as in Devlin et al.'s code",
        )
    )
    warmup: Share = Field(0.1, description="share of the steps with a rising learning rate")
    bias_correction: bool = Field(True, description="Adam's bias correction")
    eps: Positive = Field(1e-8, description="Adam's epsilon")
    eps_placement: Literal["after", "before"] = Field(
        "after",
        description="epsilon is added `after` the bias correction of the root (PyTorch) or "
        "`before` it (BERT)",
    )
    betas: list[BelowOne] = Field(
        [0.9, 0.999], min_length=2, max_length=2, description="Adam's betas"
    )
    weight_decay: Annotated[Number, Field(ge=0)] = Field(
        0.01,
        description="weight decay, not on biases and LayerNorm weights; decoupled with adamw, "
        "else part of the gradient",
    )
    gradient_clip: Positive | None = Field(
        1.0, description="largest Euclidean norm of the whole gradient; null for no clipping"
    )
    dropout: BelowOne | None = Field(
        None, description="dropout everywhere; the model's own if null"
    )
    autocast: Literal["none", "bfloat16"] = Field(
        "none", description="precision of the matrix products in training"
    )
    bucket_batches: Count = Field(
        16, description="batches drawn together and sorted by length, against padding; 1 for none"
    )
    continues: Name | None = Field(
        None, description="recipe whose last checkpoint (head too) this one starts from"
    )


class Exceptions(Section):
    """A task's recipes and seeds, where they differ."""

    pretrained: Name | None = Field(None, description="recipe for pre-trained starts")
    scratch: Name | None = Field(None, description="recipe for random starts")
    seeds: list[Seeds] | None = Field(
        None, min_length=1, description="seeds of its runs, in place of `finetune.seeds`"
    )


class DefaultRuns(Section):
    """Recipes by start."""

    pretrained: Name = Field(description="recipe for pre-trained starts")
    scratch: Name = Field(description="recipe for random starts")


class Finetune(Section):
    """Training runs."""

    max_length: Annotated[int, Field(ge=8)] = Field(
        description="longest input in tokens; longer ones are cut"
    )
    seeds: list[Seeds] = Field(
        min_length=1,
        description="seeds of the runs of every task; surfaces are drawn for the first, claims "
        "rest on all: 3 or more support a claim or contradict it (`exceptions.TASK.seeds` for more "
        "runs of one task)",
    )
    recipes: dict[Name, Recipe] = Field(description="hyper-parameters by name")
    runs: DefaultRuns = Field(description="the recipe of each start")
    exceptions: dict[Name, Exceptions] = Field(
        default_factory=dict, description="task: its recipes and seeds, where they differ"
    )
    scratch_weights: Literal["normal", "truncated_normal"] = Field(
        "normal",
        description="distribution of the weights that runs from scratch start from: that of the "
        "architecture in transformers, or the same within two standard deviations, as in Devlin "
        "et al.'s code",
    )
    keep: Literal["all", "ends"] = Field(
        "all",
        description="checkpoints that stay: `all`, or the first and last (`ends`) of each run; the "
        "others are then deleted as soon as no planned job needs them, and trained again where a "
        "trajectory is made again",
    )


def _references(settings: Any) -> Iterator[Reference]:
    finetune = settings.finetune
    recipes = list(finetune.recipes)
    runs = [finetune.runs, *finetune.exceptions.values()]
    named = [name for run in runs for name in (run.pretrained, run.scratch) if name is not None]
    continued = [recipe.continues for recipe in finetune.recipes.values() if recipe.continues]
    yield Reference("finetune.exceptions", finetune.exceptions, settings.tasks)
    yield Reference("finetune.runs", named, recipes)
    yield Reference("finetune.recipes.*.continues", continued, recipes)
    for name in settings.experiment.runs:
        yield Reference(f"runs.{name}.task", [settings.runs[name].task], settings.experiment.tasks)


def _problems(settings: Any) -> Iterator[str]:
    yield from _problems_of_imports(settings)
    recipes = settings.finetune.recipes
    for name, recipe in recipes.items():
        base, seen = recipe.continues, [name]
        while base is not None:
            if base in seen:
                yield (
                    f"finetune.recipes.{name}.continues: forms a cycle "
                    f"({' -> '.join([*seen, base])})"
                )
                return  # nothing that follows a chain of recipes would end
            seen.append(base)
            base = recipes[base].continues
    given = {"finetune.seeds": settings.finetune.seeds}
    for task, exception in settings.finetune.exceptions.items():
        given[f"finetune.exceptions.{task}.seeds"] = exception.seeds or []
    for key, seeds in given.items():
        yield from duplicates(key, [f"init {one.init}, order {one.order}" for one in seeds])


def _problems_of_imports(settings: Any) -> Iterator[str]:
    experiment, recipes = settings.experiment, settings.finetune.recipes
    for name in experiment.runs:
        run = settings.runs[name]
        if name in recipes:
            yield f"runs: got the name {name!r}, which is that of a recipe (finetune.recipes)"
        if experiment.models != [run.model]:
            yield (
                f"experiment.models: got {listed(experiment.models)}, but run {name} is of model "
                f"{run.model}; expected [{run.model}], the base model of all runs of an experiment"
            )
        if settings.tasks[run.task].unit != "sentence":
            yield (
                f"runs.{name}.task: got {run.task!r}, whose labels belong to words; expected a "
                "task of sentences or pairs of them"
            )
    for task in experiment.tasks:
        exception = settings.finetune.exceptions.get(task)
        if not imported_runs(settings, task):
            continue
        if "scratch" in starts_of(settings) and not (exception and exception.scratch):
            yield (
                f"experiment.starts: got 'scratch', but the run of {task} is imported: name the "
                f"recipe of its runs from scratch with finetune.exceptions.{task}.scratch"
            )
        for key in ("pretrained", "seeds"):
            if exception and getattr(exception, key):
                yield (
                    f"finetune.exceptions.{task}.{key}: the run of {task} is imported "
                    "(experiment.runs)"
                )


def _planned(settings: Any) -> Iterator[str]:
    for name in settings.experiment.runs:
        run = settings.runs[name]
        start = "its own step 0" if run.found.start else f"step 0 is {run.model}"
        yield (
            f"note: run {name} of {run.task}: {len(run.found.checkpoints)} checkpoints, steps "
            f"{listed(run.found.steps[1:])}; {start}"
        )


def _left_out(settings: Any) -> Iterator[str]:
    for name in settings.experiment.runs:
        if len(settings.runs[name].found.checkpoints) == 1:
            yield f"points between start and end of run {name}, for it has one checkpoint"


STAGE = Stage(
    "finetune",
    sections={
        "runs": (
            dict[Name, ImportedRun],
            Field(default_factory=dict, description="runs that were trained elsewhere, by name"),
        ),
        "finetune": (Finetune, Field(description="training runs")),
    },
    left_out=_left_out,
    planned=_planned,
    references=_references,
    problems=_problems,
    products=PRODUCTS,
    costs={"finetune": training, "import_run": importing},
)
