"""The probing stage: the geometry of labels in a model's vectors, before and after fine-tuning."""

from collections.abc import Iterator
from typing import Any, Literal

from pydantic import Field

from workflow_scripts.common.settings import Count, Name, Section, Seed
from workflow_scripts.common.stage import Reference, Stage, duplicates
from workflow_scripts.finetune.runs import Run
from workflow_scripts.probing import costs
from workflow_scripts.probing.figures import FIGURES
from workflow_scripts.probing.files import own_probed
from workflow_scripts.probing.products import PRODUCTS


class Probing(Section):
    """The geometry of labels, before and after fine-tuning."""

    tasks: list[Name] | None = Field(
        None,
        description="tasks that are probed, of sentences or of words; those of `experiment.tasks` "
        "if null, [] for none",
    )
    recipes: dict[Name, Name] = Field(
        default_factory=dict,
        description="task: recipe of its runs here, where it is not that of the landscapes "
        "(pre-trained start)",
    )
    seeds: Count = Field(
        1,
        description="runs of each task that are probed, the first of its seeds; figures show one",
    )
    examples: Count | None = Field(
        2000,
        description="training sentences, and dev sentences, that are read, at most: a seeded "
        "subset; all if null",
    )
    checkpoints: Literal["all", "ends"] = Field(
        "all", description="checkpoints of each run: of `all` epochs, or the first and the last"
    )
    layers: Literal["all", "last"] = Field(
        "all", description="layers of these checkpoints; clusters and probes are of the last one"
    )
    clusters: bool = Field(
        True, description="whether clusters are looked for; long where labels overlap"
    )
    predicted: Count = Field(
        200, description="dev examples whose nearest cluster is determined, at most"
    )
    shuffles: Count = Field(
        2, description="shuffles of the labels of each pair, the control of each `linear`"
    )
    grid: Literal["small", "paper", "logistic"] = Field(
        "small",
        description="networks to choose the classifier probe from; the paper's take half an hour "
        "per task; `logistic` for logistic regression alone",
    )
    initialisations: Count = Field(5, description="trainings of the network chosen")
    cross_tasks: list[Name] | None = Field(
        None,
        description="tasks whose geometry is measured in the models of all others; the first one "
        "of words if null (the first one where there is none), [] for none",
    )
    seed: Seed = Field(0, description="seed of subsets, shuffles and probes")
    paper_models: dict[Name, Literal["tiny", "mini", "small", "medium", "base"]] = Field(
        default_factory=dict, description="model: that of the paper's table 7 to compare with"
    )
    paper_values: dict[Name, Literal["POS", "DEP", "PS-fxn", "PS-role", "TREC-50"]] = Field(
        default_factory=dict, description="task: that of the paper's table 7 to compare with"
    )


def _tasks(settings: Any) -> list[str]:
    chosen = settings.probing.tasks
    return list(settings.experiment.tasks) if chosen is None else chosen


def _cross_tasks(settings: Any) -> list[str]:
    chosen, tasks = settings.probing.cross_tasks, settings.probing.tasks
    if chosen is not None or not tasks:
        return chosen or []
    of_words = [
        task for task in tasks if task in settings.tasks and settings.tasks[task].unit != "sentence"
    ]
    return (of_words or tasks)[:1]


def _left_out(settings: Any) -> Iterator[str]:
    if not settings.probing.tasks:
        yield "the geometry of labels (probing.tasks)"
    elif len(settings.probing.tasks) == 1:
        yield "geometry in models of other tasks, for there is one (probing.tasks)"
    elif not settings.probing.cross_tasks:
        yield "geometry in models of other tasks (probing.cross_tasks)"


def _references(settings: Any) -> Iterator[Reference]:
    probing = settings.probing
    yield Reference("probing.tasks", probing.tasks, settings.tasks)
    yield Reference("probing.cross_tasks", probing.cross_tasks, probing.tasks)
    yield Reference("probing.recipes", probing.recipes, settings.tasks)
    yield Reference("probing.recipes", probing.recipes.values(), settings.finetune.recipes)
    yield Reference("probing.paper_models", probing.paper_models, settings.models)
    yield Reference("probing.paper_values", probing.paper_values, settings.tasks)


def _problems(settings: Any) -> Iterator[str]:
    probing = settings.probing
    yield from duplicates("probing.tasks", probing.tasks)
    yield from duplicates("probing.cross_tasks", probing.cross_tasks)
    for task, name in probing.recipes.items():
        if settings.finetune.recipes[name].continues:
            yield (
                f"probing.recipes.{task}: got {name!r}, which continues another recipe; "
                "it must start from the pre-trained model"
            )


def _runs(settings: Any, model: str) -> list[Run]:
    return [probed.run for probed in own_probed(settings, model)]


def _whole_runs(settings: Any, model: str) -> list[Run]:
    return _runs(settings, model) if settings.probing.checkpoints == "all" else []


STAGE = Stage(
    "probing",
    title="Probing",
    sections={
        "probing": (
            Probing,
            Field(
                default_factory=Probing,
                description="the geometry of labels, before and after fine-tuning",
            ),
        )
    },
    derived={"probing.tasks": _tasks, "probing.cross_tasks": _cross_tasks},
    left_out=_left_out,
    references=_references,
    problems=_problems,
    figures=FIGURES,
    runs=_runs,
    whole_runs=_whole_runs,
    products=PRODUCTS,
    costs={
        "extract_vectors": costs.extracting,
        "measure_geometry": costs.measuring,
        "train_probes": costs.training,
        "compare_geometry": costs.comparing,
    },
)
