"""The stability stage: one recipe with many seeds, and why some of the runs fail."""

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import Field

from workflow_scripts.common.errors import UserError
from workflow_scripts.common.settings import Count, Name, Number, Section, Seed
from workflow_scripts.common.stage import Reference, Stage, duplicates
from workflow_scripts.data.synthetic import GRAMMARS
from workflow_scripts.stability import costs
from workflow_scripts.stability.failed_runs import check_metric
from workflow_scripts.stability.figures import FIGURES
from workflow_scripts.stability.products import PRODUCTS
from workflow_scripts.stability.statistics import power_statement
from workflow_scripts.stability.sweeps import recipes_of, seeds, small_sweeps, sweeps_of

LEAST_SEEDS = 10  # below, claims on spread and failure rates are inconclusive


class Forgetting(Section):
    """What fine-tuned encoders have forgotten of masked language modelling."""

    runs: Annotated[int, Field(ge=0)] = Field(
        3, description="failed, and successful, runs of the first recipe; 0 leaves forgetting out"
    )
    text: str | None = Field(
        None,
        description="text file, a sentence or paragraph a line; `~` and `$VARIABLES` are expanded; "
        "sentences of the grammars if null",
    )
    sentences: Annotated[int, Field(ge=8)] = Field(
        200,
        description="lines for the perplexity, at most; a model without a masked-LM head gets one, "
        "trained on up to four times as many others",
    )


class LossPlane(Section):
    """The loss plane through the pre-trained, a failed and a successful encoder."""

    range: list[Number] = Field(
        [-1.5, 1.5], min_length=2, max_length=2, description="ends of both axes"
    )
    points: Annotated[int, Field(ge=3)] | None = Field(
        13, description="points per axis; null leaves the plane out"
    )
    line_points: Annotated[int, Field(ge=41)] = Field(
        41, description="points of each line from corner to corner"
    )


class Stability(Section):
    """Sweeps over seeds."""

    tasks: list[Name] | None = Field(
        None, description="tasks on which recipes are trained with many seeds; null for none"
    )
    recipes: list[Name] = Field(
        ["devlin", "strong"],
        min_length=1,
        description="recipes of the sweeps, the usual one first: the others are compared with it, "
        "the second for the claims",
    )
    ablation: dict[Name, list[Name]] = Field(
        default_factory=dict, description="task: recipes that are swept on it besides `recipes`"
    )
    inits: Count = Field(10, description="seeds of the head")
    orders: Count | None = Field(
        None,
        description="seeds of the order and of dropout, each with every seed of the head; if null "
        "a run's two seeds are equal",
    )
    block: Count = Field(5, description="runs that one job trains; never makes a result stale")
    metrics: dict[Name, Literal["accuracy", "f1", "mcc"]] = Field(
        default_factory=dict, description="task: metric of its scores, `accuracy` by default"
    )
    small_examples: Count | None = Field(
        None,
        description="size of the random training sets on which the first recipe is swept too, with "
        "the same epochs and with the same steps; null leaves that out",
    )
    small_tasks: list[Name] | None = Field(
        None, description="tasks of which small training sets are drawn; all if null"
    )
    small_only: list[Name] = Field(
        default_factory=list,
        description="tasks of `tasks` that are swept on small training sets only",
    )
    seed: Seed = Field(0, description="seed of the small training sets")
    forgetting: Forgetting = Field(
        default_factory=Forgetting,
        description="what fine-tuned encoders have forgotten of masked language modelling",
    )
    plane: LossPlane = Field(
        default_factory=LossPlane,
        description="loss plane through the pre-trained, a failed and a successful encoder",
    )
    paper_values: dict[Name, Literal["RTE", "MRPC", "CoLA"]] = Field(
        default_factory=dict,
        description="task: the column of the paper's table 1 to compare with; only where the "
        "recipes are the paper's, by their names",
    )


def _references(settings: Any) -> Iterator[Reference]:
    stability, recipes = settings.stability, settings.finetune.recipes
    yield Reference("stability.tasks", stability.tasks, settings.experiment.tasks)
    yield Reference("stability.recipes", stability.recipes, recipes)
    yield Reference("stability.ablation", stability.ablation, settings.tasks)
    for task, names in stability.ablation.items():
        yield Reference(f"stability.ablation.{task}", names, recipes)
    yield Reference("stability.metrics", stability.metrics, settings.tasks)
    yield Reference("stability.paper_values", stability.paper_values, settings.tasks)
    yield Reference("stability.small_only", stability.small_only, stability.tasks)
    yield Reference("stability.small_tasks", stability.small_tasks or [], stability.tasks)


def _problems(settings: Any) -> Iterator[str]:
    stability, recipes = settings.stability, settings.finetune.recipes
    for key in ("tasks", "recipes", "small_tasks"):
        yield from duplicates(f"stability.{key}", getattr(stability, key) or ())
    if not stability.tasks:
        return
    low, high = stability.plane.range
    if not low <= 0 < 1 <= high:
        yield f"stability.plane.range: got [{low:g}, {high:g}], it must hold 0 and 1, the corners"
    if len(seeds(settings)) < 2:
        yield "stability.inits: got 1 run of each recipe, expected 2 or more: one run has no spread"
    for task in stability.tasks:
        if not sweeps_of(settings, task):
            yield (
                f"stability.small_only: got {task!r}, which has no small training set "
                "(stability.small_examples, stability.small_tasks)"
            )
        for name in recipes_of(settings, task):
            if recipes[name].continues:
                yield (
                    f"stability.recipes: got {name!r}, which continues another recipe; expected "
                    "one that starts from the pre-trained model"
                )
        for sweep in small_sweeps(settings, task):
            if sweep.name in recipes:
                yield f"finetune.recipes: got the name {sweep.name!r}, which is that of a sweep"
        available = settings.tasks[task].train
        if small_sweeps(settings, task) and available and stability.small_examples > available:
            yield (
                f"stability.small_examples: got {stability.small_examples}, "
                f"tasks.{task}.train allows {available}"
            )
        scheme, _, name = settings.tasks[task].source.partition(":")
        if scheme == "synthetic" and name in GRAMMARS and task in stability.metrics:
            try:
                check_metric(stability.metrics[task], len(GRAMMARS[name].labels))
            except UserError as error:
                yield f"stability.metrics.{task}: {str(error).removeprefix('metric: ')}"


def _left_out(settings: Any) -> Iterator[str]:
    stability = settings.stability
    if not stability.tasks:
        yield "sweeps over seeds (stability.tasks)"
        return
    if stability.small_examples is None:
        yield "small training sets (stability.small_examples)"
    if not stability.forgetting.runs:
        yield "forgetting (stability.forgetting.runs)"
    if stability.plane.points is None:
        yield "the loss plane of failed and successful runs (stability.plane.points)"


def _planned(settings: Any) -> Iterator[str]:
    """Runs of the sweeps, and what their number can decide."""
    tasks = settings.stability.tasks
    if not tasks:
        return
    count = len(seeds(settings))
    runs = count * sum(len(sweeps_of(settings, task)) for task in tasks)
    yield (
        f"stability: {runs:,} runs, {count} of each recipe on {', '.join(tasks)}; "
        f"{power_statement(count)}"
    )
    if count < LEAST_SEEDS:
        yield (
            f"warning: stability: {count} seeds per recipe, {LEAST_SEEDS} needed: claims on spread "
            "and failure rates will be inconclusive (stability.inits)"
        )


STAGE = Stage(
    "stability",
    title="Stability over seeds",
    sections={
        "stability": (
            Stability,
            Field(default_factory=Stability, description="sweeps over seeds"),
        )
    },
    derived={"stability.tasks": lambda settings: settings.stability.tasks or []},
    left_out=_left_out,
    planned=_planned,
    references=_references,
    problems=_problems,
    figures=FIGURES,
    products=PRODUCTS,
    costs={
        "sweep": costs.sweeping,
        "merge_sweep": costs.merging,
        "measure_stability": costs.measuring,
        "train_again": costs.training_again,
        "prepare_masked_lm": costs.preparing_masked_lm,
        "measure_forgetting": costs.measuring_forgetting,
        "measure_plane": costs.measuring_plane,
    },
    local=("merge_sweep", "measure_stability"),
    numbered=("sweep",),
)
