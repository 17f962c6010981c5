"""Jobs on a machine with two GPUs, by stand-ins: side by side, each with a GPU of its own."""

import re
import shutil
import uuid
from datetime import datetime
from pathlib import Path

import pytest

from tests.workflow.conftest import ROOT, run_snakemake
from workflow_scripts.rebuilds.records import content_digest

pytestmark = pytest.mark.slow

TASKS = "entailment", "sentiment"


def tables(folder: Path) -> list[Path]:
    return [folder / f"results/rollback/tiny/{task}/init0_order0/groups.parquet" for task in TASKS]


def held(log: str) -> tuple[str, datetime, datetime]:
    """Which GPU a job had, from when and until when."""
    times = [datetime.fromisoformat(line[:19]) for line in log.splitlines()]
    (gpu,) = re.findall(r"GPU (\S+) of ", log)
    return gpu, times[0], times[-1]


def at_a_time(said: str) -> int:
    """How many jobs with a GPU may run at a time, as Snakemake says."""
    return int(re.search(r"Provided resources: gpu=\D*(\d+)", said)[1])


def test_each_job_has_a_gpu_of_its_own(smoke_run, tmp_path, monkeypatch):
    gpus = [f"GPU-{uuid.uuid4()}" for _ in range(2)]
    monkeypatch.setenv("PATH", str(ROOT / "tests/stand_ins"), prepend=":")
    monkeypatch.setenv("STAND_IN_GPUS", " ".join(gpus))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    folder = tmp_path / "run"
    shutil.copytree(smoke_run, folder)
    for table in tables(folder):
        table.unlink()
    targets = [str(table.relative_to(folder)) for table in tables(folder)]
    done = run_snakemake(folder, *targets)
    assert done.returncode == 0, done.stderr[-3000:]
    assert at_a_time(done.stderr) == 2
    logs = [
        folder / f"results/logs/rollback/roll_back_groups/tiny_{task}_init0_order0.log"
        for task in TASKS
    ]
    (first, *_, end), (second, begin, _) = sorted(
        (held(log.read_text()) for log in logs), key=lambda job: job[1]
    )
    assert {first, second} <= set(gpus)
    assert first != second or end <= begin  # one after the other, if the machine was that busy
    for table in tables(folder):
        assert content_digest(table) == content_digest(smoke_run / table.relative_to(folder))


def test_the_command_line_says_how_many_at_a_time(smoke_run, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(ROOT / "tests/stand_ins"), prepend=":")
    monkeypatch.setenv("STAND_IN_GPUS", "GPU-0 GPU-1")
    folder = tmp_path / "run"
    shutil.copytree(smoke_run, folder)
    target = "results/figures/tiny/figure2.pdf"
    (folder / target).unlink()
    done = run_snakemake(folder, target, "--resources", "gpu=5")
    assert at_a_time(done.stderr) == 5


def test_results_of_this_machine_are_not_stale_on_a_cluster(smoke_run):
    profile = ("--workflow-profile", str(ROOT / "profiles/slurm"), "--dry-run")
    done = run_snakemake(smoke_run, "results/figures/all", *profile)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "Nothing to be done" in done.stdout + done.stderr
