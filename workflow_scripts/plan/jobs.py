"""The jobs of Snakemake's own dry run, their costs by the stages, and when each would end."""

import heapq
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

from workflow_scripts.common.costs import BETWEEN, Cost, Job, figure_cost
from workflow_scripts.rebuilds.dag import planned_dag
from workflow_scripts.stages import STAGES

STAGE_OF = {rule: stage.name for stage in STAGES for rule in stage.costs}
_ORDER = {stage.name: place for place, stage in enumerate(STAGES)}


@dataclass(frozen=True)
class PricedJob:
    """A job with what it costs, and its stage."""

    job: Job
    stage: str
    cost: Cost


def planned_jobs(configfiles: list[Path]) -> list[Job]:
    """Jobs that make all figures and tables from nothing, each after those that it needs.

    Snakemake plans them in a folder of its own, so that none that is there counts.

    Parameters
    ----------
    configfiles : list of Path
        As of ``--configfile``.
    """
    with tempfile.TemporaryDirectory() as folder:
        dag = planned_dag("results/figures/all", Path(folder), configfiles, forceall=True)
        return in_order(jobs_in(dag, dag.jobs))


def jobs_in(dag: Any, jobs: Iterable[Any]) -> list[Job]:
    """Those of Snakemake's jobs that make files."""
    return [_job_of(dag, job) for job in jobs if job.output]


def in_order(jobs: list[Job]) -> list[Job]:
    """Jobs by stage, as data flow; within a stage what is needed first."""
    needs = {job.name: job.needs for job in jobs}
    place = {name: i for i, name in enumerate(TopologicalSorter(needs).static_order())}
    return sorted(jobs, key=lambda job: (_ORDER[cost_of(job.rule)[0]], place[job.name]))


def _name(job: Any) -> str:
    return str(job.output[0]) if job.output else job.rule.name


def _job_of(dag: Any, job: Any) -> Job:
    return Job(
        _name(job),
        job.rule.name,
        dict(job.wildcards_dict),
        tuple(map(str, job.output)),
        tuple(_name(other) for other in dag.dependencies[job]),
        int(job.threads),
        "gpu" in job.rule.resources,
        _is_local(job.rule.name),
    )


def _is_local(rule: str) -> bool:
    """Whether a rule runs where Snakemake does; see ``experiment.products.local_rules``."""
    return rule.startswith("draw_") or any(rule in stage.local for stage in STAGES)


def cost_of(rule: str) -> tuple[str, Callable[[Any, Job], Cost]]:
    """Stage of a rule, and the function that prices its jobs.

    The rules of one script that differ in a number, a recipe or the like share the function of
    their common beginning.

    Raises
    ------
    KeyError
        If no stage prices the rule.
    """
    if rule.startswith("draw_") and rule not in STAGE_OF:
        return "figures", lambda pricing, job: figure_cost()
    known = [name for name in STAGE_OF if f"{rule}_".startswith(f"{name}_")]
    name = max(known, key=len)
    stage = next(stage for stage in STAGES if stage.name == STAGE_OF[name])
    return stage.name, stage.costs[name]


def priced(
    jobs: list[Job], pricings: dict[str, Any], gpu: bool, submit: float = 0.0
) -> list[PricedJob]:
    """Jobs with their costs.

    Parameters
    ----------
    jobs : list of Job
        Of ``planned_jobs``.
    pricings : dict of str to Pricing
        By model; a job of no model is priced by the first one.
    gpu : bool
        Whether jobs that run a model take a GPU.
    submit : float
        Seconds that a cluster adds to each job it runs.
    """
    first = next(iter(pricings.values()))
    every = []
    for job in jobs:
        stage, function = cost_of(job.rule)
        cost = function(pricings.get(job.wildcards.get("model"), first), job)
        seconds = cost.seconds + BETWEEN + (0 if job.local else submit)
        # Record, log and benchmark of a job.
        cost = replace(cost, seconds=seconds, disk=cost.disk + 2e4)
        every.append(PricedJob(replace(job, gpu=gpu and job.gpu), stage, cost))
    return every


def schedule(jobs: list[PricedJob], cores: int, gpus: int) -> dict[str, float]:
    """When each job ends, seconds from the start, if each starts as soon as it can.

    Parameters
    ----------
    jobs : list of PricedJob
        Each after those that it needs.
    cores, gpus : int
        That are free, 1 core or more; with jobs that take a GPU, 1 GPU or more.

    Returns
    -------
    dict of str to float
        By the job's name.

    Raises
    ------
    KeyError
        If a job needs one that is not among them.
    """
    of_name = {priced.job.name: priced for priced in jobs}
    waiting = {name: len(set(priced.job.needs)) for name, priced in of_name.items()}
    after: dict[str, list[str]] = {name: [] for name in of_name}
    for name, priced in of_name.items():
        for needed in set(priced.job.needs):
            after[needed].append(name)
    order = {name: place for place, name in enumerate(of_name)}
    names = list(of_name)
    ready = [order[name] for name in names if not waiting[name]]
    running: list[tuple[float, int]] = []
    ends: dict[str, float] = {}
    free, all_cores, now = cores, cores, 0.0
    while ready or running:
        held = []
        while ready and free:
            place = heapq.heappop(ready)
            job = of_name[names[place]].job
            threads = min(job.threads, all_cores)
            if threads > free or job.gpu > gpus:
                held.append(place)
                continue
            free, gpus = free - threads, gpus - job.gpu
            heapq.heappush(running, (now + of_name[job.name].cost.seconds, place))
        for place in held:
            heapq.heappush(ready, place)
        now, place = heapq.heappop(running)
        job = of_name[names[place]].job
        free, gpus = free + min(job.threads, all_cores), gpus + job.gpu
        ends[job.name] = now
        for following in after[job.name]:
            waiting[following] -= 1
            if not waiting[following]:
                heapq.heappush(ready, order[following])
    return ends
