"""How far a run is, and the time that it has left by the plan and by what its jobs took so far."""

import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from workflow_scripts.common.costs import Lengths
from workflow_scripts.common.errors import UserError, one_line
from workflow_scripts.experiment.products import all_tasks
from workflow_scripts.model.pricing import Pricing
from workflow_scripts.model.sizes import shape_of
from workflow_scripts.plan.jobs import PricedJob, in_order, jobs_in, priced, schedule
from workflow_scripts.plan.limits import bounded_lengths
from workflow_scripts.plan.machine import assumed
from workflow_scripts.plan.report import duration
from workflow_scripts.plan.sizes import lengths_of
from workflow_scripts.stages import STAGES

TRUST = 5.0  # planned seconds that jobs must have before their own rate counts for half
_MOST = 4096  # jobs at a time, where Snakemake knows no limit


class Progress:
    """Jobs of a run, and which have started, ended and failed.

    Parameters
    ----------
    jobs : list of PricedJob
        That are to be run, each after those that it needs.
    cores, gpus : int
        For the jobs that run at a time.
    """

    def __init__(self, jobs: list[PricedJob], cores: int, gpus: int):
        self.jobs = {one.job.name: one for one in jobs}
        self.cores, self.gpus = cores, gpus
        self.dropped = 0  # jobs that turned out to be up to date
        self._names = {_key(one.job.rule, one.job.wildcards): one.job.name for one in jobs}
        self._began: dict[str, float] = {}
        self._took: dict[str, float] = {}
        self._failed: set[str] = set()

    def start(self, rule: str, wildcards: Mapping[str, str], now: float) -> None:
        """Note that a job starts, perhaps again."""
        if name := self._names.get(_key(rule, wildcards)):
            self._began[name] = now
            self._failed.discard(name)

    def end(self, rule: str, wildcards: Mapping[str, str], now: float) -> None:
        """Note that a job has made its outputs."""
        name = self._names.get(_key(rule, wildcards))
        if name in self._began:
            self._took[name] = now - self._began.pop(name)

    def fail(self, rule: str, wildcards: Mapping[str, str]) -> None:
        """Note that a job has failed; it may start again."""
        if name := self._names.get(_key(rule, wildcards)):
            self._began.pop(name, None)
            self._failed.add(name)

    def count(self) -> str:
        """Jobs done of all."""
        text = f"{len(self._took)} of {len(self.jobs) - self.dropped} jobs done"
        return f"{text}, {len(self._failed)} failed" if self._failed else text

    def line(self, now: float) -> str:
        """Jobs done of all, the stages at work, and the time left."""
        all_of, done_of = (
            Counter(self.jobs[name].stage for name in names) for names in (self.jobs, self._took)
        )
        at_work = {self.jobs[name].stage for name in self._began}
        shown = [
            f"{stage.name} {done_of[stage.name]} of {all_of[stage.name]}"
            for stage in STAGES
            if stage.name in at_work
        ]
        text = self.count() + (f" ({', '.join(shown)})" if shown else "")
        left = self.seconds_left(now)
        return f"{text}, {duration(left)} left" if left else text

    def seconds_left(self, now: float) -> float:
        """Until the last job ends, if each starts as soon as it can.

        Planned times are scaled by what finished jobs took over what was planned for them. What
        needs a failed job is left out.
        """
        rates = self._rates(now)
        blocked = set(self._failed)
        running, waiting = [], []
        for name, one in self.jobs.items():
            if name in self._took or name in blocked or not blocked.isdisjoint(one.job.needs):
                blocked |= set() if name in self._took else {name}
                continue
            seconds = rates[one.stage] * one.cost.seconds
            if name in self._began:
                elapsed = now - self._began[name]
                # A job that takes longer than planned takes some longer still.
                seconds = max(seconds - elapsed, elapsed / 10)
            needs = tuple(n for n in one.job.needs if n in self.jobs and n not in self._took)
            cost = replace(one.cost, seconds=seconds)
            remaining = replace(one, job=replace(one.job, needs=needs), cost=cost)
            (running if name in self._began else waiting).append(remaining)
        remaining = [*running, *waiting]
        if not remaining:
            return 0.0
        ends = schedule(remaining, max(1, self.cores), max(1, self.gpus))
        share = 1 - min(max(self.dropped, 0) / len(remaining), 1)
        return max(ends.values()) * share

    def _rates(self, now: float) -> dict[str, float]:
        """Real over planned seconds of each stage; near that of all where few have ended.

        A job that runs counts once it has taken longer than planned.
        """
        running = {name: now - began for name, began in self._began.items()}
        late = {n: t for n, t in running.items() if t > self.jobs[n].cost.seconds}
        planned, took = Counter(), Counter()
        for name, seconds in (self._took | late).items():
            one = self.jobs[name]
            planned[one.stage] += one.cost.seconds
            took[one.stage] += seconds
        of_all = (took.total() + TRUST) / (planned.total() + TRUST)
        return {
            stage.name: (took[stage.name] + TRUST * of_all) / (planned[stage.name] + TRUST)
            for stage in STAGES
        }


def _key(rule: str, wildcards: Mapping[str, str]) -> tuple:
    return rule, tuple(sorted(wildcards.items()))


def show_progress(workflow: Any, settings: Any) -> None:
    """Give the jobs of a run that is about to start to the logger that shows its progress, if any.

    Parameters
    ----------
    workflow : snakemake.workflow.Workflow
    settings : Config
    """
    from snakemake.logging import logger

    for handler in workflow.logger_manager.get_log_handlers():
        if hasattr(handler, "show_progress"):
            try:
                progress = progress_of(workflow, settings)
            except Exception as error:  # a rule without costs, say: no reason not to run
                logger.warning(f"Tunescape: the time left is not known ({one_line(error)})")
                progress = None
            handler.show_progress(progress, len(workflow.dag), workflow.nodes is not None)


def progress_of(workflow: Any, settings: Any) -> Progress | None:
    """Progress of a run; None where a model's sizes are not known.

    Parameters
    ----------
    workflow : snakemake.workflow.Workflow
        With the jobs that are to be run.
    settings : Config
    """
    gpus = workflow.global_resources.get("gpu").value  # None without a limit
    cluster = workflow.nodes is not None
    gpu = any("gpu" in rule.resources and rule.resources["gpu"].value for rule in workflow.rules)
    machine = assumed(gpu, settings.compute.threads)
    run = Path()
    pricings = {}
    for model in settings.experiment.models:
        try:
            shape, _ = shape_of(model, settings.models[model].source, run)
        except UserError:
            return None
        lengths = {task: _lengths(settings, task, model, run) for task in all_tasks(settings)}
        pricings[model] = Pricing(settings, shape, lengths, machine)
    jobs = in_order(jobs_in(workflow.dag, workflow.dag.needrun_jobs()))
    at_once = min(workflow.nodes if cluster else workflow.cores, sys.maxsize, _MOST)
    number = at_once if cluster or gpus is None else gpus
    return Progress(priced(jobs, pricings, gpu), at_once, min(number, _MOST))


def _lengths(settings: Any, task: str, model: str, run: Path) -> Lengths:
    try:
        return lengths_of(settings, task, model, run, by_words=True)
    except UserError:
        return bounded_lengths(settings, task, run)
