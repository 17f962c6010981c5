"""The landscape stage: loss surfaces and lines, trajectories on them, widths of optima."""

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import Field

from workflow_scripts.common.settings import Count, Name, Number, Positive, Section, Seed
from workflow_scripts.common.stage import Reference, Stage
from workflow_scripts.common.thresholds import LEAST_DIRECTIONS
from workflow_scripts.finetune.runs import Run, run_of, starts_of
from workflow_scripts.landscape import costs
from workflow_scripts.landscape.figures import FIGURES
from workflow_scripts.landscape.files import surface_files
from workflow_scripts.landscape.products import PRODUCTS
from workflow_scripts.landscape.surfaces import (
    COMPUTED,
    continued_runs,
    measured_runs,
    planes,
    surfaces,
)


class Width(Section):
    """How the width of an optimum is measured."""

    tolerances: list[Positive] = Field(
        min_length=1, description="nats above the loss at the end point"
    )
    relative: list[Positive] = Field(
        default_factory=list, description="the same as shares of ln K, the loss of pure chance"
    )
    resamples: Annotated[int, Field(ge=100)] = Field(
        500, description="bootstrap samples of the examples, for the intervals"
    )
    directions: Annotated[int, Field(ge=LEAST_DIRECTIONS)] = Field(
        LEAST_DIRECTIONS,
        description="random filter-normalised directions in which the radius of an optimum is "
        "measured",
    )


class Landscape(Section):
    """Loss surfaces, lines, trajectories and widths."""

    second: dict[Name, Name] | Literal["random", "pca"] | None = Field(
        None,
        description="task: the other task whose fine-tuning gives the second direction, or "
        "`random` (filter-normalised) or `pca` (of the trajectory, what is orthogonal to the "
        "first direction); one of these words for all tasks; by default the next task of the "
        "experiment, `random` where there is one task",
    )
    range: list[Number] = Field(
        min_length=2,
        max_length=2,
        description="ends of both axes, in units of the directions; the paper has [-4, 4]",
    )
    points: Annotated[int, Field(ge=3)] = Field(
        description="points per axis of a surface; the paper has 40"
    )
    line_points: Annotated[int, Field(ge=3)] = Field(description="points of a line")
    train_examples: Count | None = Field(
        description="training examples at every point: all if null, else a seeded subset"
    )
    dev_examples: Count | None = Field(description="dev examples at every point, likewise")
    seed: Seed = Field(0, description="seed of both subsets, and of random directions")
    rows_per_shard: Count = Field(description="rows of a surface in one job; 1 for one job a row")
    precision: Literal["float32", "bfloat16", "auto"] = Field(
        "float32",
        description="of the matrix products of surfaces and lines; auto: bfloat16 where it is "
        "faster and near enough to float32",
    )
    precision_tolerance: Positive = Field(
        1e-3,
        description="largest difference of a calibrated point's mean loss from float32, in nats, "
        "with which auto takes bfloat16",
    )
    groups: dict[Name, Annotated[list[int], Field(min_length=2, max_length=2)]] | None = Field(
        None, description="layer group: first and last layer; the thirds low, middle, high if null"
    )
    width: Width = Field(description="how the width of an optimum is measured")


def _references(settings: Any) -> Iterator[Reference]:
    second, tasks = settings.landscape.second, settings.tasks
    yield Reference("landscape.second", second, tasks)
    yield Reference("landscape.second", second.values(), [*tasks, *COMPUTED])


def _second(settings: Any) -> dict[str, str]:
    tasks, second = settings.experiment.tasks, settings.landscape.second
    if isinstance(second, str):
        return dict.fromkeys(tasks, second)
    following = [*tasks[1:], tasks[0]] if len(tasks) > 1 else ["random"]
    return dict(zip(tasks, following, strict=True)) | (second or {})


def _left_out(settings: Any) -> Iterator[str]:
    if settings.experiment.starts == ["pretrained"]:
        yield "runs from scratch, and what compares with them (experiment.starts)"


def _problems(settings: Any) -> Iterator[str]:
    landscape = settings.landscape
    for name in COMPUTED:
        if name in settings.tasks:
            yield f"tasks: got the name {name!r}, which is a direction (landscape.second)"
    for task in settings.experiment.tasks:
        for start in starts_of(settings):
            if landscape.second[task] == "pca" and run_of(settings, "", task, start).epochs < 2:
                yield (
                    f"landscape.second.{task}: got 'pca', which needs a run of 2 epochs or more; "
                    f"that with start {start} has 1"
                )
    for task, second in landscape.second.items():
        if task == second:
            yield (
                f"landscape.second.{task}: got {second!r}, the task itself; the second "
                "direction must come from another task"
            )
    low, high = landscape.range
    if low >= high:
        yield f"landscape.range: got [{low:g}, {high:g}], the first must be smaller"
    elif low > -1 or high < 1:
        yield (
            f"landscape.range: got [{low:g}, {high:g}], it must hold -1 (rollback), 0 and 1 (end)"
        )
    for name, (first, last) in (landscape.groups or {}).items():
        if name in ("line", "none"):
            # A surface's name would be that of the line, a row's that of no rollback.
            yield f"landscape.groups: got the name {name!r}, choose another one"
        if not 0 <= first <= last:
            yield f"landscape.groups.{name}: got [{first}, {last}], allowed: 0 <= first <= last"
    for name in settings.experiment.tasks:
        for split in ("train", "dev"):
            requested = getattr(landscape, f"{split}_examples")
            available = getattr(settings.tasks[name], split)
            if requested is not None and available is not None and requested > available:
                yield (
                    f"landscape.{split}_examples: got {requested}, "
                    f"tasks.{name}.{split} allows {available}"
                )


def _runs(settings: Any, model: str) -> list[Run]:
    spanning = [run for surface in surfaces(settings, model).values() for run in surface.runs]
    return [*spanning, *measured_runs(settings, model), *continued_runs(settings, model)]


def _projected_runs(settings: Any, model: str) -> list[Run]:
    own = [surface.run for surface in planes(settings, model)]
    return [*own, *measured_runs(settings, model), *continued_runs(settings, model)[:1]]


STAGE = Stage(
    "landscape",
    title="Loss landscapes",
    sections={
        "landscape": (
            Landscape,
            Field(description="loss surfaces, lines, trajectories and widths"),
        )
    },
    derived={"landscape.second": _second},
    left_out=_left_out,
    references=_references,
    problems=_problems,
    figures=FIGURES,
    runs=_runs,
    whole_runs=_projected_runs,
    targets=lambda settings, model: surface_files(planes(settings, model), "width.parquet"),
    products=PRODUCTS,
    costs={
        "choose_examples": costs.choosing,
        "encode_examples": costs.encoding,
        "measure_directions": costs.measuring_directions,
        "calibrate_precision": costs.calibrating,
        "evaluate_rows": costs.evaluating,
        "merge_surface": costs.merging,
        "project_trajectory": costs.projecting,
        "measure_run": costs.measuring_run,
        "measure_width": costs.measuring_width,
    },
    local=("choose_examples", "encode_examples", "merge_surface", "measure_width"),
    numbered=("evaluate_rows",),
)
