"""Costs of comparing the attention and hidden states of two models."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from workflow_scripts.common.costs import Cost, Job
from workflow_scripts.dynamics.files import moment_bytes, pair_examples
from workflow_scripts.dynamics.pairs import model_pairs

if TYPE_CHECKING:
    from workflow_scripts.model.pricing import Pricing

JS_BYTES = 1000  # memory traffic, bytes per pair of attention weights
DOUBLE = 0.3  # rate of sums of products in float64, of that of products in float32
DISTANCES = 300  # operations per cube of the hidden size for all distances of two layers
CELL = 35  # the same for a cell of the matrix of layers, which shares the eigenvalues
MOST_DECOMPOSED = 1e12  # operations per second: eigenvalues gain little from a GPU


def pair_lengths(pricing: Pricing, job: Job) -> np.ndarray:
    """Of the dev examples that a job's pair of models reads."""
    pair = model_pairs(pricing.settings, job.wildcards["model"])[job.wildcards["pair"]]
    count = pair_examples(pricing.settings, pair.comparison)
    return np.concatenate([pricing.lengths[task].dev[:count] for task in pair.read])


def attention(pricing: Pricing, job: Job) -> Cost:
    """Costs of comparing the attention of two models."""
    lengths, shape = pair_lengths(pricing, job), pricing.shape
    seconds = pricing.compute(2 * pricing.reading_flops(lengths), "forward")
    entries = shape.layers * shape.heads * float(np.square(lengths).sum())
    rows = len(lengths) * shape.layers
    seconds += pricing.engine_start + pricing.move(JS_BYTES * entries) + 1e-4 * rows
    memory = 40 * shape.heads * lengths.max() ** 2 * 16
    return pricing.model_cost(seconds, 4, memory, disk=rows * 8 * (shape.heads + 4))


def representations(pricing: Pricing, job: Job) -> Cost:
    """Costs of comparing the hidden states of two models."""
    lengths, depth = pair_lengths(pricing, job), pricing.shape.layers + 1
    # Of each group and of all, with three lags; of all pairs of layers; of each layer itself.
    products = depth * (1 + 4 + 6) + depth**2
    distances = depth * (pricing.settings.dynamics.groups + 1 + 3)
    seconds = pricing.compute(2 * pricing.reading_flops(lengths), "forward")
    seconds += pricing.engine_start + similarity(pricing, lengths, products, distances, depth**2)
    return pricing.model_cost(seconds, 4, moments(pricing), disk=1e5 + 700 * depth**2)


def similarity(
    pricing: Pricing, lengths: np.ndarray, products: int, distances: int, cells: int = 0
) -> float:
    """Seconds of sums of products, of distances, and of cells of a matrix of layers."""
    settings, hidden, machine = pricing.settings, pricing.shape.hidden, pricing.machine
    rows = len(lengths) if settings.dynamics.tokens == "cls" else float(lengths.sum())
    sums = 2 * rows * hidden**2 * products / (DOUBLE * machine.flops)
    decomposed = hidden**3 * (DISTANCES * distances + CELL * cells)
    return sums + decomposed / min(machine.flops, MOST_DECOMPOSED)


def moments(pricing: Pricing) -> float:
    """Bytes of the moments of all layers."""
    depth, groups = pricing.shape.layers + 1, pricing.settings.dynamics.groups
    return float(moment_bytes(pricing.shape.hidden, depth, groups))
