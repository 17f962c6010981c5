"""Limits of memory and time that jobs ask a cluster for, from the costs that the stages declare.

They are planned before anything is downloaded or read: sizes that are not known then are assumed
from above, and a rule's own numbers are the least that it asks for.
"""

from collections.abc import Callable
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np

from workflow_scripts.common.costs import RUNTIME, Cost, Job, Lengths, Machine
from workflow_scripts.common.errors import UserError
from workflow_scripts.experiment.products import all_tasks
from workflow_scripts.model.pricing import Pricing
from workflow_scripts.model.sizes import shape_of
from workflow_scripts.plan.jobs import cost_of
from workflow_scripts.plan.machine import assumed
from workflow_scripts.plan.sizes import drawn_lengths, known_examples

HEADROOM = 1.5  # over the planned cost: its error, and what else a node does
CUDA_BYTES = 3e9  # of the host's memory, for PyTorch's CUDA libraries and a context
HELD = 4  # weights that a job with a GPU holds in the host's memory: reading, writing, Adam's state
EXAMPLES = 20_000  # of a split whose size is not known
Limit = Callable[..., int]


class Limits:
    """What the jobs of an experiment ask for.

    Parameters
    ----------
    settings : Config
    gpus : int
        Of a job that runs a model.
    run : Path
        Folder of the run, which may have fetched models and prepared tasks already.
    """

    def __init__(self, settings: Any, gpus: int, run: Path = Path()):
        self.settings, self.run = settings, run
        self.machine: Machine = assumed(bool(gpus), settings.compute.threads)
        self._pricing = cache(self._pricing)
        self._cost = cache(self._cost)

    def megabytes(self, rule: str, least: int | Limit, gpus: int = 0) -> Limit:
        """``mem_mb`` of a rule: as planned, with head-room, and as much again after a failure.

        Parameters
        ----------
        rule : str
            Its name.
        least : int or callable
            Megabytes at the first attempt; a callable takes what Snakemake gives it.
        gpus : int
            Of a job: the memory of a GPU then holds most of what the plan counts.
        """

        def planned(wildcards: Any) -> int:
            cost = self._cost(rule, tuple(wildcards.items()))
            if cost is None:
                return 0
            weights = self._pricing(wildcards["model"]).weights
            on_host = RUNTIME["model"] + CUDA_BYTES + HELD * weights
            held = min(cost.memory, on_host + cost.host) if gpus else cost.memory
            return round(HEADROOM * held / 1e6)

        if callable(least):
            return lambda wildcards, input, attempt: max(
                least(wildcards, input, attempt), planned(wildcards) * attempt
            )
        return lambda wildcards, attempt: max(least, planned(wildcards)) * attempt

    def minutes(self, rule: str, least: int) -> Limit:
        """``runtime`` of a rule, see ``megabytes``; the least where a task's size is not known."""

        def planned(wildcards: Any) -> int:
            cost = self._cost(rule, tuple(wildcards.items())) if self._tasks_are_known else None
            return 0 if cost is None else round(HEADROOM * cost.seconds / 60)

        return lambda wildcards, attempt: max(least, planned(wildcards)) * attempt

    @cached_property
    def _tasks_are_known(self) -> bool:
        tasks = all_tasks(self.settings)
        return all(known_examples(self.settings, task, self.run) for task in tasks)

    def _cost(self, rule: str, wildcards: tuple[tuple[str, str], ...]) -> Cost | None:
        of_job = dict(wildcards)
        pricing = self._pricing(of_job["model"])
        return pricing and cost_of(rule)[1](pricing, Job(rule, rule, of_job))

    def _pricing(self, model: str) -> Pricing | None:
        """What a model's costs follow from; None where its sizes are not known yet.

        A random model is small, and to know its vocabulary takes a library that is slow to import.
        """
        source = self.settings.models[model].source
        if source.startswith("random:"):
            return None
        try:
            shape, _ = shape_of(model, source, self.run)
        except UserError:
            return None
        return Pricing(self.settings, shape, _Bounds(self.settings, self.run), self.machine)


class _Bounds(dict):
    """Lengths of a task's examples, from above, by its name; looked up when they are needed."""

    def __init__(self, settings: Any, run: Path):
        super().__init__()
        self.settings, self.run = settings, run

    def __missing__(self, task: str) -> Lengths:
        self[task] = bounded_lengths(self.settings, task, self.run)
        return self[task]


def bounded_lengths(settings: Any, task: str, run: Path) -> Lengths:
    """Lengths of a task's examples without a look at them: known, or the longest that there can be.

    Parameters
    ----------
    settings : Config
    task : str
        Its name.
    run : Path
        Folder of the run, which may have prepared the task already.
    """
    longest = settings.finetune.max_length
    splits = known_examples(settings, task, run)
    if splits is None:
        return Lengths(*(np.full(EXAMPLES, longest) for _ in range(2)), "assumed from above")
    lengths = [
        np.full(split.examples, longest)
        if split.mean is None
        else drawn_lengths(split.examples, split.mean, split.spread, longest)
        for split in splits
    ]
    return Lengths(*lengths, "known sizes, lengths from above")
