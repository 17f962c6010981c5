"""Costs of the finetune stage's jobs."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from workflow_scripts.common.costs import FLOAT, HASHING, START, WRITING, Cost, Job

if TYPE_CHECKING:
    from workflow_scripts.model.pricing import Pricing

STEP = 0.02  # seconds of a training step besides its work
STEP_BYTES = 100  # that a parameter moves in a step: gradient, its norms, clipping, Adam


def epoch_flops(pricing: Pricing, lengths: np.ndarray, recipe: Any) -> float:
    """Of an epoch of training: a forward pass, and backward twice as much."""
    if _trains_packed(pricing):
        return 3 * pricing.engine_flops(lengths)
    from workflow_scripts.finetune.batches import epoch_batches
    from workflow_scripts.model.pricing import padded

    batches = epoch_batches(lengths, recipe.batch_size, recipe.bucket_batches, 0, 1)
    return 3 * pricing.layer_flops(*padded(lengths, batches), pricing.shape.layers)


def _trains_packed(pricing: Pricing) -> bool:
    """Whether training and its scores leave out what the engine does: finetune/packed.py."""
    return pricing.shape.packed and not pricing.machine.gpu


def training(pricing: Pricing, job: Job) -> Cost:
    """Costs of a run."""
    settings, lengths = pricing.settings, pricing.lengths[job.wildcards["task"]]
    followed = settings.finetune.recipes[job.rule.removeprefix("finetune_")]
    steps_of_epoch = math.ceil(len(lengths.train) / followed.batch_size)
    steps = min(followed.epochs * steps_of_epoch, followed.max_steps or math.inf)
    flops = epoch_flops(pricing, lengths.train, followed) * steps / steps_of_epoch
    seconds = START["model"] + pricing.compute(flops, "training", followed.autocast != "none")
    # Without padding only the words of the examples are moved: few, as a rule.
    packed = _trains_packed(pricing)
    trained = pricing.shape.moving if packed else pricing.shape.parameters
    seconds += steps * (STEP + pricing.move(STEP_BYTES * trained))
    of_dev = pricing.engine_flops if packed else pricing.forward_flops
    dev = pricing.compute(of_dev(lengths.dev), "forward")
    seconds += (followed.epochs + 1) * (dev + 2 * pricing.weights / HASHING)
    # Weights and Adam's two moments.
    seconds += followed.epochs * (pricing.weights + 2 * FLOAT * trained) / WRITING
    tokens = followed.batch_size * np.percentile(lengths.train, 99)
    kept = 2 if settings.finetune.keep == "ends" else followed.epochs + 1
    activations = _activations(pricing, tokens, lengths.train.max())
    return pricing.model_cost(seconds, 5, activations, kept * pricing.weights + 60 * steps)


def importing(pricing: Pricing, job: Job) -> Cost:
    """Costs of an imported run: each checkpoint is read, evaluated on the dev set and written."""
    run = pricing.settings.runs[job.rule.removeprefix("import_run_")]
    lengths = pricing.lengths[run.task]
    of_dev = pricing.engine_flops if _trains_packed(pricing) else pricing.forward_flops
    dev = pricing.compute(of_dev(lengths.dev), "forward")
    points = len(run.found.steps)
    seconds = START["model"] + points * (dev + 4 * pricing.weights / HASHING)
    return pricing.model_cost(seconds, 5, disk=points * pricing.weights)


def _activations(pricing: Pricing, tokens: float, longest: float) -> float:
    """Bytes that a training step keeps for its backward pass.

    References
    ----------
    Korthikanti et al. (2022), section 4.1: 34 s b h + 5 a s² b bytes of each layer in 16 bits.
    """
    shape = pricing.shape
    of_token = 68 * shape.hidden + 10 * shape.heads * longest
    return 2.0 * tokens * shape.layers * of_token  # as measured, gaps and copies included
