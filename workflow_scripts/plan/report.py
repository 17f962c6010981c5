"""A plan as text."""

from collections.abc import Iterable
from dataclasses import dataclass

from workflow_scripts.common.costs import BETWEEN, SHARES, START, Lengths, Machine
from workflow_scripts.experiment.config import Config
from workflow_scripts.experiment.products import left_out
from workflow_scripts.model.sizes import Shape
from workflow_scripts.plan.jobs import PricedJob
from workflow_scripts.stages import STAGES


@dataclass(frozen=True)
class Plan:
    """What a run will take, and what that rests on.

    Parameters
    ----------
    settings : Config
        Of the experiment.
    models : list of tuple
        Name of each model, its sizes, and their source.
    lengths : dict of str to dict of str to Lengths
        Lengths of the examples, by model and task.
    machine : Machine
        The machine that the times are for.
    note : str
        A line on the choice of the machine; may be empty.
    jobs : list of PricedJob
        The jobs that would run.
    ends : dict of str to float
        Time at which each job ends, seconds from the start, by the job's name.
    other_versions : dict of str to int
        Number of files that were made with another version of a library, by library and versions
        (``rebuilds.libraries``).
    submit : float
        Seconds that a cluster adds to each of its jobs, included in ``jobs``.
    """

    settings: Config
    models: list[tuple[str, Shape, str]]
    lengths: dict[str, dict[str, Lengths]]
    machine: Machine
    note: str
    jobs: list[PricedJob]
    ends: dict[str, float]
    other_versions: dict[str, int]
    submit: float = 0.0


def summary(plan: Plan) -> str:
    """Jobs, time, disk and memory in one line."""
    _, jobs, *_, after, disk, memory = totals(plan)
    return f"{jobs} jobs, {after}, {disk} of disk, {memory} of memory"


def totals(plan: Plan) -> list[str]:
    """The last row of the table: jobs, core hours, GPU hours, done after, disk, memory."""
    return _row("total", plan.jobs, plan.ends)


def text(plan: Plan) -> str:
    """The plan: a table by stage, and what it rests on."""
    settings, machine, jobs = plan.settings, plan.machine, plan.jobs
    lines = [f"plan of experiment {settings.experiment.name}, from nothing to all figures", ""]
    lines += table(jobs, plan.ends, machine)
    at_once = max(1, min(machine.gpus, machine.cores) if machine.gpu else machine.cores)
    at_once = at_once if machine.gpu else max(1, machine.cores // settings.compute.threads)
    lines += ["", "rests on"]
    lines.append(
        f"- {machine.name}: a job computes {quantity(machine.flops)}FLOP/s in float32, "
        f"{quantity(machine.half_flops)}FLOP/s in bfloat16, and moves {quantity(machine.bytes)}B/s"
    )
    lines.append(
        f"- {at_once} {'job' if at_once == 1 else 'jobs'} that run a model at a time, on "
        f"{machine.gpus} GPUs and {machine.cores} cores"
        if machine.gpu
        else f"- {at_once} {'job' if at_once == 1 else 'jobs'} at a time on {machine.cores} cores"
    )
    for name, shape, source in plan.models:
        lines.append(
            f"- model {name}: {shape.layers} layers, {shape.hidden} wide, "
            f"{shape.parameters / 1e6:,.1f} million parameters ({source})"
        )
        for task, of in plan.lengths[name].items():
            lines.append(
                f"- task {task}: {len(of.train):,} training examples of {of.train.mean():.1f} "
                f"tokens, {len(of.dev):,} dev of {of.dev.mean():.1f} ({of.source})"
            )
    shares = SHARES["gpu" if machine.gpu else "cpu"]
    reached = ", ".join(f"{kind} {share:.0%}" for kind, share in shares.items())
    known = "assumed, never measured on a GPU" if machine.gpu else "measured on one machine"
    lines.append(f"- share of the rate that is reached: {reached} ({known})")
    starts = ", ".join(f"{kind} {seconds:g} s" for kind, seconds in START.items())
    lines.append(f"- start of a job: {starts}; between jobs {BETWEEN:g} s")
    if plan.submit:
        remote = sum(not one.job.local for one in jobs)
        lines.append(
            f"- {remote:,} jobs are submitted, each {plan.submit:g} s longer than on one machine; "
            f"the other {len(jobs) - remote:,} run beside Snakemake"
        )
    lines.append("- every file is made; nothing waits in a queue or for a download")
    lines += [f"note: {plan.note}"] if plan.note else []
    lines += [f"note: left out: {what}" for what in left_out(settings)]
    lines += [line for stage in STAGES for line in stage.planned(settings)]
    for library, files in plan.other_versions.items():
        then = "made again" if settings.rebuild.on_library_change else "kept"
        lines.append(f"note: {files} results were made with {library}: {then}")
    return "\n".join(lines)


def table(jobs: list[PricedJob], ends: dict[str, float], machine: Machine) -> list[str]:
    """Lines of a table: a row per stage, and the total.

    Core hours count each job's threads, GPU hours each job that takes one; ``done after`` is when
    a stage's last job ends; ``memory`` is that of the largest job.
    """
    rows = [["stage", "jobs", "core hours", "GPU hours", "done after", "disk", "memory"]]
    for stage in STAGES:
        of_stage = [one for one in jobs if one.stage == stage.name]
        if of_stage:
            rows.append(_row(stage.name, of_stage, ends))
    rows.append(_row("total", jobs, ends))
    if not machine.gpu:
        rows = [row[:3] + row[4:] for row in rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(
            cell.ljust(width) if i == 0 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]
    rule = "-" * len(lines[0])
    return [lines[0], rule, *lines[1:-1], rule, lines[-1]]


def _row(name: str, jobs: Iterable[PricedJob], ends: dict[str, float]) -> list[str]:
    cpu = sum(one.cost.seconds * one.job.threads for one in jobs if not one.job.gpu)
    gpu = sum(one.cost.seconds for one in jobs if one.job.gpu)
    return [
        name,
        f"{len(jobs):,}",
        hours(cpu),
        hours(gpu),
        duration(max(ends[one.job.name] for one in jobs)),
        quantity(sum(one.cost.disk for one in jobs)) + "B",
        quantity(max(one.cost.memory for one in jobs)) + "B",
    ]


def hours(seconds: float) -> str:
    """Hours with as many digits as an estimate deserves."""
    value = seconds / 3600
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 1 else f"{value:.2f}"


def duration(seconds: float) -> str:
    """Time on the clock in its own unit."""
    for unit, size, most in (("s", 1, 120), ("min", 60, 7200), ("h", 3600, 172800)):
        if seconds < most:
            return f"{seconds / size:.1f} {unit}" if unit == "h" else f"{seconds / size:.0f} {unit}"
    return f"{seconds / 86400:.1f} days"


def quantity(value: float) -> str:
    """Three digits with the prefix of a unit, such as ``22.6 M``."""
    for prefix, size in (("T", 1e12), ("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if value >= size:
            return f"{value / size:.3g} {prefix}"
    return f"{value:.3g} "
