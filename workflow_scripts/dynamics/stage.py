"""The dynamics stage: attention and representations before and after, across seeds and tasks."""

from collections.abc import Iterator
from contextlib import suppress
from itertools import pairwise
from typing import Annotated, Any, Literal

from pydantic import Field

from workflow_scripts.common.errors import UserError
from workflow_scripts.common.settings import Count, Name, Number, Section, Seed
from workflow_scripts.common.stage import Reference, Stage, duplicates
from workflow_scripts.dynamics import costs
from workflow_scripts.dynamics.figures import FIGURES
from workflow_scripts.dynamics.pairs import every_pair
from workflow_scripts.dynamics.products import PRODUCTS
from workflow_scripts.finetune.runs import Run, seeds_of
from workflow_scripts.model.checks import shares_layers


class Dynamics(Section):
    """Attention and representations, before against after."""

    recipes: dict[Name, Name] = Field(
        default_factory=dict,
        description="task: recipe of its runs here, where it is not that of the landscapes "
        "(pre-trained start)",
    )
    seed_tasks: list[Name] | None = Field(
        None,
        description="tasks of which models are compared that differ in their seeds; all with two "
        "runs or more if null",
    )
    task_pairs: list[Annotated[list[Name], Field(min_length=2, max_length=2)]] | None = Field(
        None,
        description="tasks whose models are compared, the most similar pair first (a claim is "
        "about that order); all pairs of neighbours in `experiment.tasks` if null, [] for none",
    )
    runs: Count | None = Field(
        None, description="runs of a task that are compared, the first of its seeds; all if null"
    )
    examples: Annotated[int, Field(ge=3)] | None = Field(
        None, description="dev examples of a task: all if null, else a seeded subset"
    )
    pair_examples: Annotated[int, Field(ge=3)] | None = Field(
        200,
        description="dev examples of each task of `task_pairs`, likewise; the models of every pair "
        "read those of all these tasks, so that pairs can be compared",
    )
    seed: Seed = Field(0, description="seed of the subsets and of the groups")
    tokens: Literal["all", "cls"] = Field(
        "all", description="hidden states that are compared: of `all` tokens or of the first"
    )
    keep: Annotated[Number, Field(gt=0, le=1)] = Field(
        0.99, description="share of the variance that SVCCA keeps"
    )
    groups: Annotated[int, Field(ge=3)] = Field(
        20, description="groups of examples that the jackknife leaves out in turn"
    )
    resamples: Annotated[int, Field(ge=100)] = Field(
        1000, description="bootstrap samples of the examples, for the intervals of attention"
    )
    attention: bool = Field(
        True, description="whether attention is compared (dynamics1, 4 and 6, dynamics_heads)"
    )
    rollback: bool = Field(
        True,
        description="whether layers are rolled back one by one (dynamics3); not for ALBERT, whose "
        "layers share their weights",
    )


def _seed_tasks(settings: Any) -> list[str]:
    tasks, chosen = settings.experiment.tasks, settings.dynamics.seed_tasks
    chosen = tasks if chosen is None else chosen
    return [task for task in chosen if task not in tasks or _compared(settings, task) > 1]


def _compared(settings: Any, task: str) -> int:
    """Runs of a task that are compared."""
    return len(seeds_of(settings, task)[: settings.dynamics.runs])


def _task_pairs(settings: Any) -> list[list[str]]:
    chosen = settings.dynamics.task_pairs
    return (
        [list(pair) for pair in pairwise(settings.experiment.tasks)] if chosen is None else chosen
    )


def _rollback(settings: Any) -> bool:
    return settings.dynamics.rollback and not _sharing_layers(settings)


def _sharing_layers(settings: Any) -> str:
    """A model none of whose layers can be rolled back alone, as far as that is known; or empty."""
    for name in settings.experiment.models:
        # A source that cannot work is reported by the checks of inputs.
        with suppress(UserError):
            if shares_layers(settings.models[name].model_dump()):
                return name
    return ""


def _left_out(settings: Any) -> Iterator[str]:
    if all(_compared(settings, task) == 1 for task in settings.experiment.tasks):
        yield "pairs of models with different seeds, for there is one (finetune.seeds)"
    elif not settings.dynamics.seed_tasks:
        yield "pairs of models with different seeds (dynamics.seed_tasks)"
    if len(settings.experiment.tasks) == 1:
        yield "pairs of models of different tasks, for there is one (experiment.tasks)"
    elif not settings.dynamics.task_pairs:
        yield "pairs of models of different tasks (dynamics.task_pairs)"
    if not settings.dynamics.attention:
        yield "attention (dynamics.attention)"
    if not settings.dynamics.rollback:
        model = _sharing_layers(settings)
        why = f"model {model}: its layers share one set of weights" if model else ""
        yield f"single layers rolled back ({why or 'dynamics.rollback'})"


def _references(settings: Any) -> Iterator[Reference]:
    dynamics, tasks = settings.dynamics, settings.experiment.tasks
    yield Reference("dynamics.recipes", dynamics.recipes, settings.tasks)
    yield Reference("dynamics.recipes", dynamics.recipes.values(), settings.finetune.recipes)
    yield Reference("dynamics.seed_tasks", dynamics.seed_tasks, tasks)
    yield Reference("dynamics.task_pairs", [t for pair in dynamics.task_pairs for t in pair], tasks)


def _problems(settings: Any) -> Iterator[str]:
    dynamics = settings.dynamics
    for pair in dynamics.task_pairs:
        if pair[0] == pair[1]:
            yield f"dynamics.task_pairs: got {pair}, two different tasks make a pair"
    for task, name in dynamics.recipes.items():
        if settings.finetune.recipes[name].continues:
            yield (
                f"dynamics.recipes.{task}: got {name!r}, which continues another recipe; "
                "it must start from the pre-trained model"
            )
    yield from duplicates("dynamics.seed_tasks", dynamics.seed_tasks)
    yield from duplicates("dynamics.task_pairs", map(str, map(sorted, dynamics.task_pairs)))
    in_pairs = sorted({task for pair in dynamics.task_pairs for task in pair})
    for key, tasks in (("examples", settings.experiment.tasks), ("pair_examples", in_pairs)):
        for task in tasks:
            requested, available = getattr(dynamics, key), settings.tasks[task].dev
            if requested is not None and available is not None and requested > available:
                yield f"dynamics.{key}: got {requested}, tasks.{task}.dev allows {available}"


def _runs(settings: Any, model: str) -> list[Run]:
    pairs = every_pair(settings, model)
    return [checkpoint.run for pair in pairs for checkpoint in (pair.first, pair.second)]


STAGE = Stage(
    "dynamics",
    title="Learning dynamics",
    sections={
        "dynamics": (
            Dynamics,
            Field(
                description="attention and representations before and after, and across seeds "
                "and tasks"
            ),
        )
    },
    derived={
        "dynamics.seed_tasks": _seed_tasks,
        "dynamics.task_pairs": _task_pairs,
        "dynamics.rollback": _rollback,
    },
    left_out=_left_out,
    references=_references,
    problems=_problems,
    figures=FIGURES,
    runs=_runs,
    products=PRODUCTS,
    costs={
        "compare_attention": costs.attention,
        "compare_representations": costs.representations,
    },
)
