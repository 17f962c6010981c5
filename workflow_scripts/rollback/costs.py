"""Costs of rolling layers back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from workflow_scripts.common.costs import Cost, Job
from workflow_scripts.dynamics.costs import moments, similarity
from workflow_scripts.landscape.surfaces import layer_groups

if TYPE_CHECKING:
    from workflow_scripts.model.pricing import Pricing


def _dev_lengths(pricing: Pricing, job: Job) -> np.ndarray:
    return pricing.lengths[job.wildcards["task"]].dev


def rolling_back_groups(pricing: Pricing, job: Job) -> Cost:
    """Costs of scoring a model with each layer group rolled back."""
    passes = 1 + len(layer_groups(pricing.settings))
    flops = passes * pricing.engine_flops(_dev_lengths(pricing, job))
    return pricing.model_cost(pricing.engine_start + pricing.compute(flops, "engine"), 4)


def rolling_back_layers(pricing: Pricing, job: Job) -> Cost:
    """Costs of rolling a model's layers back one by one."""
    dynamics, layers = pricing.settings.dynamics, pricing.shape.layers
    lengths = _dev_lengths(pricing, job)[: dynamics.examples]
    flops = (1 + (layers + 1) / 2) * pricing.reading_flops(lengths)
    distances = layers * (dynamics.groups + 1 + 3)
    seconds = pricing.engine_start + pricing.compute(flops, "forward")
    seconds += similarity(pricing, lengths, layers * 5 + 2 * (layers + 1), distances)
    return pricing.model_cost(seconds, 4, moments(pricing), disk=1e5)
