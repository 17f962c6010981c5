"""What a page says of the run besides its results: time, machine, versions, code."""

import json
import os
import platform
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workflow_scripts.common.gpus import visible_gpus
from workflow_scripts.rebuilds.records import read_output_record

BENCHMARKS = Path("results", "benchmarks")


@dataclass(frozen=True)
class Duration:
    """Jobs of a stage.

    Attributes
    ----------
    stage : str
        Its name.
    jobs : int
        That ran.
    seconds : float
        Of all together.
    memory : float
        Largest resident memory of one, MB.
    """

    stage: str
    jobs: int
    seconds: float
    memory: float


def durations(folder: Path) -> list[Duration]:
    """Time of the jobs of each stage, the longest first; files that are broken are left out.

    Parameters
    ----------
    folder : Path
        Snakemake's benchmark files, ``STAGE/RULE/NAME.jsonl``.
    """
    found: dict[str, list[dict[str, Any]]] = {}
    for path in sorted(folder.rglob("*.jsonl")):
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
            job = json.loads(lines[-1])
            float(job["s"])
        except (OSError, ValueError, LookupError, TypeError):
            continue
        found.setdefault(path.relative_to(folder).parts[0], []).append(job)
    stages = [
        Duration(
            stage,
            len(jobs),
            sum(float(job["s"]) for job in jobs),
            max((m for m in map(_memory, jobs) if m is not None), default=0.0),
        )
        for stage, jobs in found.items()
    ]
    return sorted(stages, key=lambda stage: -stage.seconds)


def _memory(job: dict[str, Any]) -> float | None:
    try:
        return float(job.get("max_rss"))
    except (TypeError, ValueError):  # "-" or "NA" of a job that was too short
        return None


def in_words(seconds: float) -> str:
    """A duration for people."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def machine() -> str:
    """This machine, in a line."""
    cores = os.cpu_count() or 1
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    gpus = len(visible_gpus())
    parts = [_processor(), f"{cores} core{'s' if cores > 1 else ''}", f"{memory:.0f} GB of memory"]
    parts += [f"{gpus} GPU{'s' if gpus > 1 else ''}"] if gpus else ["no GPU"]
    return ", ".join([*parts, f"{platform.system()} {platform.machine()}"])


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor() or platform.machine())


def codes(paths: Iterable[Path]) -> dict[str, str]:
    """Code hash of each rule that made one of these files, by the files' records."""
    records = [read_output_record(path) for path in paths]
    return dict(sorted((r["rule"], r["code"]) for r in records if r.get("rule") and r.get("code")))
