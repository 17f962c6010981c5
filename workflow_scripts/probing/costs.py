"""Costs of probing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workflow_scripts.common.costs import FLOAT, START, Cost, Job, table_cost
from workflow_scripts.probing.files import Probed, all_probed

if TYPE_CHECKING:
    import numpy as np

    from workflow_scripts.model.pricing import Pricing

# Measured with MiniLM on 2,600 words of 12 labels; seconds of a vector of width 384.
DISTANCES, SHUFFLE, CLUSTERS, PROBES = 3.5e-4, 3e-3, 1e-3, 1.5e-2
WIDTH = 384


def _probed(pricing: Pricing, job: Job) -> Probed:
    wildcards = job.wildcards
    seeds = f"init{wildcards['init']}_order{wildcards['order']}"
    key = (wildcards["task"], wildcards["tuned"], seeds)
    probed = all_probed(pricing.settings, wildcards["model"])
    return next(one for one in probed if (one.task, one.run.task, one.run.seeds) == key)


def read_lengths(pricing: Pricing, task: str) -> list[np.ndarray]:
    """Tokens of the training and dev sentences of a task that are read."""
    lengths, most = pricing.lengths[task], pricing.settings.probing.examples
    return [split[:most] for split in (lengths.train, lengths.dev)]


def _sizes(pricing: Pricing, probed: Probed) -> tuple[float, int, int]:
    """Vectors of a layer (words: of every token at most), layers, and numbers of a vector."""
    definition = pricing.settings.tasks[probed.task]
    splits = read_lengths(pricing, probed.task)
    of_words = definition.unit != "sentence"
    count = sum(float(split.sum()) if of_words else len(split) for split in splits)
    last_only = probed.crosses or pricing.settings.probing.layers == "last"
    depth = 1 if last_only else pricing.shape.layers + 1
    return count, depth, pricing.shape.hidden * (1 + (definition.unit == "pair"))


def _vector_bytes(pricing: Pricing, probed: Probed) -> float:
    count, depth, width = _sizes(pricing, probed)
    return FLOAT * count * width * depth * len(probed.checkpoints)


def extracting(pricing: Pricing, job: Job) -> Cost:
    """Costs of keeping the vectors of a task in the models of a run."""
    probed = _probed(pricing, job)
    flops = sum(map(pricing.reading_flops, read_lengths(pricing, probed.task)))
    seconds = pricing.engine_start + pricing.compute(len(probed.checkpoints) * flops, "forward")
    disk = _vector_bytes(pricing, probed)
    return pricing.model_cost(seconds + pricing.move(3 * disk), 2, 2e8, disk)


def measuring(pricing: Pricing, job: Job) -> Cost:
    """Costs of measuring the geometry of a task in the models of a run."""
    probed = _probed(pricing, job)
    count, depth, width = _sizes(pricing, probed)
    ends = 0 if probed.crosses else min(2, len(probed.checkpoints))
    each = DISTANCES * depth * len(probed.checkpoints)
    each += ends * (SHUFFLE * pricing.settings.probing.shuffles + CLUSTERS)
    seconds = START["table"] + each * count * width / WIDTH
    return table_cost(seconds, memory=4e8 + 60 * count * width)


def training(pricing: Pricing, job: Job) -> Cost:
    """Costs of training probes on the last layer, before and after."""
    probed = _probed(pricing, job)
    count, _, width = _sizes(pricing, probed)
    many = 30 if pricing.settings.probing.grid == "paper" else 1
    seconds = 1 + 2 * many * PROBES * count * width / WIDTH
    return table_cost(seconds, memory=4e8 + 60 * count * width)


def comparing(pricing: Pricing, job: Job) -> Cost:
    """Costs of comparing the geometry of all tasks."""
    return table_cost(1 + 0.3 * len(all_probed(pricing.settings, job.wildcards["model"])))
