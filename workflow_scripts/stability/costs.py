"""Costs of the stability stage's jobs."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from workflow_scripts.common.costs import HASHING, START, WRITING, Cost, Job, table_cost
from workflow_scripts.finetune.costs import STEP, STEP_BYTES, epoch_flops
from workflow_scripts.stability.files import chosen_runs
from workflow_scripts.stability.sweeps import Sweep, every_sweep, seeds, sweeps_of

if TYPE_CHECKING:
    from workflow_scripts.model.pricing import Pricing

PROBE = 12.0  # seconds of training a masked-LM probe
SENTENCE = 20  # tokens of a line of text
HISTORY_BYTES = 250.0  # of a step: the norms of all parts


def run_steps(pricing: Pricing, task: str, sweep: Sweep) -> tuple[int, int, int]:
    """Steps and epochs of a run of a sweep, and its training examples."""
    recipe = pricing.settings.finetune.recipes[sweep.recipe]
    count = len(pricing.lengths[task].train)
    examples = min(count, sweep.examples or count)
    per_epoch = math.ceil(examples / recipe.batch_size)
    steps = recipe.epochs * (
        math.ceil(count / recipe.batch_size) if sweep.same_steps else per_epoch
    )
    steps = min(steps, recipe.max_steps or steps)
    return steps, math.ceil(steps / per_epoch), examples


def run_seconds(pricing: Pricing, task: str, sweep: Sweep) -> float:
    """Seconds of one run of a sweep, without the start of its job."""
    recipe, lengths = pricing.settings.finetune.recipes[sweep.recipe], pricing.lengths[task]
    steps, epochs, examples = run_steps(pricing, task, sweep)
    part = lengths.train[np.random.default_rng(0).permutation(len(lengths.train))[:examples]]
    per_epoch = math.ceil(examples / recipe.batch_size)
    flops = epoch_flops(pricing, part, recipe) * steps / per_epoch
    seconds = pricing.compute(flops, "training", recipe.autocast != "none")
    packed = pricing.shape.packed and not pricing.machine.gpu
    trained = pricing.shape.moving if packed else pricing.shape.parameters
    seconds += steps * (STEP + pricing.move(STEP_BYTES * trained))
    of_dev = pricing.engine_flops if packed else pricing.forward_flops
    return seconds + (epochs + 1) * pricing.compute(of_dev(lengths.dev), "forward")


def sweeping(pricing: Pricing, job: Job) -> Cost:
    """Costs of a block of a sweep's runs."""
    name, first, last = job.rule.removeprefix("sweep_").rsplit("_", 2)
    sweep, task = every_sweep(pricing.settings)[name], job.wildcards["task"]
    runs = int(last) - int(first) + 1
    steps, _, _ = run_steps(pricing, task, sweep)
    seconds = START["model"] + runs * run_seconds(pricing, task, sweep)
    return pricing.model_cost(
        seconds, 5, activation_bytes(pricing, task, sweep), runs * (HISTORY_BYTES * steps + 2e4)
    )


def activation_bytes(pricing: Pricing, task: str, sweep: Sweep) -> float:
    """Bytes that a training step keeps for its backward pass; see ``finetune.costs``."""
    recipe, lengths = pricing.settings.finetune.recipes[sweep.recipe], pricing.lengths[task].train
    tokens = recipe.batch_size * np.percentile(lengths, 99)
    shape = pricing.shape
    return 2.0 * tokens * shape.layers * (68 * shape.hidden + 10 * shape.heads * lengths.max())


def merging(pricing: Pricing, job: Job) -> Cost:
    """Costs of merging the tables of a sweep's runs."""
    settings, task = pricing.settings, job.wildcards["task"]
    sweep = every_sweep(settings)[job.wildcards["sweep"]]
    runs = len(seeds(settings))
    steps, _, _ = run_steps(pricing, task, sweep)
    size = runs * (HISTORY_BYTES * steps + 20.0 * len(pricing.lengths[task].dev))
    return table_cost(0.02 * runs + size / 5e7, memory=2.5e8 + 6 * size, disk=size)


def measuring(pricing: Pricing, job: Job) -> Cost:
    """Costs of the statistics of a task's sweeps: mostly jackknifes over examples."""
    settings, task = pricing.settings, job.wildcards["task"]
    sweeps, dev = len(sweeps_of(settings, task)), len(pricing.lengths[task].dev)
    return table_cost(1 + sweeps * (0.3 + 3e-8 * dev**2 * len(seeds(settings))))


def training_again(pricing: Pricing, job: Job) -> Cost:
    """Costs of training some runs of the first sweep again."""
    settings, task = pricing.settings, job.wildcards["task"]
    usual = settings.stability.recipes[0]
    sweep, runs = Sweep(usual, usual), 2 * chosen_runs(settings)
    seconds = START["model"] + runs * (
        run_seconds(pricing, task, sweep)
        + pricing.weights / WRITING
        + 2 * pricing.weights / HASHING
    )
    return pricing.model_cost(
        seconds, 6, activation_bytes(pricing, task, sweep), runs * pricing.weights
    )


def _text_flops(pricing: Pricing, sentences: int) -> float:
    length = min(SENTENCE, pricing.settings.finetune.max_length)
    return pricing.reading_flops(np.full(sentences, length))


def preparing_masked_lm(pricing: Pricing, job: Job) -> Cost:
    """Costs of a masked-LM probe: hidden states of its text, then the training."""
    flops = _text_flops(pricing, 12 * pricing.settings.stability.forgetting.sentences)
    seconds = START["model"] + PROBE + pricing.compute(flops, "forward")
    return pricing.model_cost(seconds, 4, disk=1e7)


def measuring_forgetting(pricing: Pricing, job: Job) -> Cost:
    """Costs of the masked-LM losses of some runs with their top layers reset."""
    forgetting = pricing.settings.stability.forgetting
    passes = 2 * forgetting.runs * (pricing.shape.layers + 1) + 1
    seconds = START["model"] + pricing.compute(
        passes * _text_flops(pricing, forgetting.sentences), "forward"
    )
    return pricing.model_cost(seconds + pricing.read_checkpoints(passes / 3), 5)


def measuring_plane(pricing: Pricing, job: Job) -> Cost:
    """Costs of the loss plane, with the heads of both runs."""
    plane = pricing.settings.stability.plane
    count = 2 * (plane.points**2 + 3 * plane.line_points)
    lengths = pricing.lengths[job.wildcards["task"]].train
    lengths = lengths[: pricing.settings.landscape.train_examples]
    seconds = pricing.engine_start + pricing.compute(
        count * pricing.engine_flops(lengths), "engine"
    )
    seconds += pricing.move(12 * pricing.shape.moving * count) + pricing.read_checkpoints(2)
    return pricing.model_cost(seconds, 9)
