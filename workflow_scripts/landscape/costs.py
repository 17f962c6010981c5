"""Costs of the landscape stage's jobs."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from workflow_scripts.common.costs import RUNTIME, START, Cost, Job, table_cost
from workflow_scripts.common.thresholds import PATH_POINTS, RAY_POINTS
from workflow_scripts.finetune.runs import run_of
from workflow_scripts.landscape.surfaces import (
    Surface,
    axis_points,
    layer_groups,
    surfaces,
    trajectory_run,
)

if TYPE_CHECKING:
    from workflow_scripts.model.pricing import Pricing

CALIBRATED = 26  # points that are evaluated in both precisions
CROSSING = 11  # points of a radius


def surface_lengths(pricing: Pricing, task: str) -> np.ndarray:
    """Of the examples on which a task's surfaces are evaluated."""
    landscape, lengths = pricing.settings.landscape, pricing.lengths[task]
    random = np.random.default_rng(0)
    parts = [
        split if count is None else random.permutation(split)[:count]
        for split, count in (
            (lengths.train, landscape.train_examples),
            (lengths.dev, landscape.dev_examples),
        )
    ]
    return np.concatenate(parts)


def choosing(pricing: Pricing, job: Job) -> Cost:
    """Costs of the choice of a task's examples."""
    return table_cost()


def encoding(pricing: Pricing, job: Job) -> Cost:
    """Costs of the tokens of a task's surfaces."""
    lengths = surface_lengths(pricing, job.wildcards["task"])
    return table_cost(1e-4 * len(lengths), disk=3.0 * lengths.sum())


def _surface(pricing: Pricing, job: Job) -> Surface:
    return surfaces(pricing.settings, job.wildcards["model"])[job.wildcards["surface"]]


def _first_layer(pricing: Pricing, group: str) -> int:
    """Lowest layer of a layer group."""
    if pricing.settings.landscape.groups:
        return pricing.settings.landscape.groups[group][0]
    thirds = ("low", "middle", "high").index(group)
    return thirds * pricing.shape.layers // 3


def _read(surface: Surface) -> float:
    """Checkpoints that span a surface, in threes."""
    return max(1, (surface.run.epochs + 1) / 3) if surface.computed == "pca" else 1


def _between(surface: Surface) -> int:
    """Checkpoints between start and end that a surface's second direction is made of."""
    return max(0, surface.run.epochs - 1) if surface.computed == "pca" else 0


def _half(pricing: Pricing) -> bool:
    """Whether surfaces are computed in bfloat16, as far as that is known before."""
    precision, machine = pricing.settings.landscape.precision, pricing.machine
    faster = machine.half_flops > 1.3 * machine.flops
    return precision == "bfloat16" or (precision == "auto" and faster)


def _points(pricing: Pricing, surface: Surface, count: int) -> tuple[float, float]:
    """Seconds of ``count`` points of a surface in one job, and the bytes that they take."""
    fixed = _first_layer(pricing, surface.group) if surface.group else 0
    lengths, half = surface_lengths(pricing, surface.run.task), _half(pricing)
    flops = count * pricing.engine_flops(lengths, fixed) + pricing.layer_flops(
        float(lengths.sum()), float(np.square(lengths).sum()), fixed
    )
    moved = (12 + 6 * half) * pricing.shape.moving * count
    seconds = pricing.engine_start + pricing.compute(flops, "engine", half) + pricing.move(moved)
    return seconds + pricing.read_checkpoints(_read(surface)), count * len(lengths) * 6


@cache
def _points_by_row(kind: str, low: float, high: float, points: int) -> dict[int, int]:
    from workflow_scripts.landscape.grid import surface_points

    return surface_points(kind, low, high, points).groupby("row").size().to_dict()


def _row_sizes(pricing: Pricing, surface: Surface) -> dict[int, int]:
    """Points of each row of a surface."""
    settings = pricing.settings
    points = axis_points(settings, surface.kind)
    return _points_by_row(surface.kind, *settings.landscape.range, points)


def evaluating(pricing: Pricing, job: Job) -> Cost:
    """Costs of some rows of a surface."""
    surface = _surface(pricing, job)
    first, last = map(int, job.rule.rsplit("_", 2)[1:])
    sizes = _row_sizes(pricing, surface)
    count = sum(sizes[row] for row in range(first, last + 1))
    seconds, disk = _points(pricing, surface, count)
    return pricing.model_cost(seconds, 8, disk=disk, on_host=_between(surface))


def calibrating(pricing: Pricing, job: Job) -> Cost:
    """Costs of measuring how far bfloat16 moves a surface."""
    surface = _surface(pricing, job)
    lengths = surface_lengths(pricing, surface.run.task)
    exact = pricing.compute(CALIBRATED * pricing.engine_flops(lengths), "engine")
    seconds, _ = _points(pricing, surface, CALIBRATED)
    return pricing.model_cost(seconds + exact, 8, disk=4e3, on_host=_between(surface))


def _merged_bytes(pricing: Pricing, surface: Surface) -> float:
    count = sum(_row_sizes(pricing, surface).values())
    return count * len(surface_lengths(pricing, surface.run.task)) * 6.0


def merging(pricing: Pricing, job: Job) -> Cost:
    """Costs of merging the rows of a surface."""
    size = _merged_bytes(pricing, _surface(pricing, job))
    return table_cost(size / 5e7, memory=RUNTIME["table"] + 6 * size, disk=size)


def measuring_directions(pricing: Pricing, job: Job) -> Cost:
    """Costs of measuring a surface's directions."""
    surface = _surface(pricing, job)
    seconds = START["engine"] + pricing.read_checkpoints(_read(surface))
    return pricing.model_cost(seconds, 7, disk=2e3, on_host=_between(surface))


def projecting(pricing: Pricing, job: Job) -> Cost:
    """Costs of four evaluations of each checkpoint of a run."""
    surface = _surface(pricing, job)
    run = trajectory_run(pricing.settings, surface, job.wildcards["run"])
    checkpoints = run.epochs + 1
    flops = 4 * checkpoints * pricing.engine_flops(surface_lengths(pricing, run.task))
    seconds = pricing.engine_start + pricing.compute(flops, "engine")
    seconds += pricing.read_checkpoints(checkpoints)
    return pricing.model_cost(seconds, 16, on_host=_between(surface))


def measuring_run(pricing: Pricing, job: Job) -> Cost:
    """Costs of the losses along a run, and of the crossings that give its radii."""
    settings, wildcards = pricing.settings, job.wildcards
    run = run_of(settings, wildcards["model"], wildcards["task"], wildcards["start"])
    parts = 2 * len(layer_groups(settings)) if wildcards["start"] == "pretrained" else 0
    points = run.epochs + 1 + PATH_POINTS + RAY_POINTS
    points += CROSSING * (settings.landscape.width.directions + 1 + parts)
    lengths = surface_lengths(pricing, run.task)
    train = lengths[: len(lengths) - _dev_count(pricing, run.task)]
    seconds = pricing.engine_start + pricing.compute(points * pricing.engine_flops(train), "engine")
    return pricing.model_cost(seconds + pricing.read_checkpoints((run.epochs + 3) / 3), 16)


def _dev_count(pricing: Pricing, task: str) -> int:
    count = pricing.settings.landscape.dev_examples
    return len(pricing.lengths[task].dev) if count is None else count


def measuring_width(pricing: Pricing, job: Job) -> Cost:
    """Costs of the widths of an optimum: mostly the bootstrap."""
    surface = _surface(pricing, job)
    points = sum(_row_sizes(pricing, surface).values())
    work = pricing.settings.landscape.width.resamples * points * 1e-5
    return table_cost(work, memory=RUNTIME["table"] + 6 * _merged_bytes(pricing, surface))
