"""The workflow on a real SLURM of two nodes on this machine: the same results, and faults."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.lab import Lab
from tests.workflow.conftest import ROOT, run_snakemake
from workflow_scripts.experiment.products import local_rules
from workflow_scripts.plan.__main__ import read_settings
from workflow_scripts.plan.jobs import planned_jobs
from workflow_scripts.rebuilds.records import content_digest
from workflow_scripts.report.embedded import embedded

pytestmark = pytest.mark.slow

# A training that continues another: one job on the cluster.
RUN = "results/finetune/tiny/entailment/pretrained/continued/init0_order0"
TRAINING = "rule_finetune_continued"
# What no run of Snakemake here takes, in seconds; the whole experiment takes about 200.
LONGEST = 900


class Snakemake:
    """``snakemake`` on the cluster, running."""

    def __init__(self, lab: Lab, folder: Path, *arguments: str, configs: tuple[Path, ...] = ()):
        self.lab, self.folder = lab, folder
        self.output = folder.with_name(f"{folder.name}.{time.time_ns()}.out")
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                [
                    *("snakemake", *arguments, "--workflow-profile", "profiles/slurm"),
                    *("--directory", str(folder)),
                    # These tests look more often than the profile does.
                    *("--slurm-init-seconds-before-status-checks", "1", "--latency-wait", "10"),
                    *("--configfile", "experiments/smoke.yaml", *map(str, configs)),
                ],
                cwd=ROOT,
                env=lab.env
                | {
                    # Makes jobs ask for a GPU, which SLURM hands out; PyTorch finds none.
                    "PATH": f"{ROOT / 'tests/stand_ins'}:{lab.env['PATH']}",
                    "STAND_IN_GPUS": "GPU-0 GPU-1",
                    "OMP_NUM_THREADS": "1",
                },
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def finish(self) -> str:
        """Wait for the end, which must be good; what was printed."""
        try:
            code = self.process.wait(LONGEST)
        except subprocess.TimeoutExpired:
            code = f"still at work after {LONGEST} s"
        text = self.output.read_text()
        assert code == 0, f"{code}: {text[-5000:]}\n{self.lab.messages()}"
        return text

    def jobs(self, form: str) -> list[str]:
        """Its SLURM jobs, of all states, in order, each as squeue's ``form`` says."""
        name = re.search(r"SLURM run ID: (\S+)", self.output.read_text())
        if name is None:
            return []
        squeue = ["squeue", "-h", "-t", "all", "-S", "i", "-o", form, f"--name={name[1]}"]
        return self.lab.run(*squeue).split()

    def training(self) -> str:
        """Number of the SLURM job that trains, as soon as its script runs."""
        end = time.monotonic() + 180
        while time.monotonic() < end:
            assert self.process.poll() is None, self.output.read_text()[-3000:]
            for job in self.jobs("%i|%T|%k"):
                number, state, comment = job.split("|")
                at_work = any(
                    f"{self.folder}/.snakemake/scripts/" in w for w in jobs_in(self.folder)
                )
                if state == "RUNNING" and comment.startswith(TRAINING) and at_work:
                    return number
            time.sleep(0.2)
        raise AssertionError("the training does not start")


@pytest.fixture
def start(lab) -> Iterator[Callable[..., Snakemake]]:
    started = []

    def call(*arguments, **named) -> Snakemake:
        started.append(Snakemake(lab, *arguments, **named))
        return started[-1]

    yield call
    for snakemake in started:
        snakemake.process.kill()
        snakemake.process.wait()
    lab.run("scancel", "--user=root")


@pytest.fixture
def nearly_done(smoke_run, tmp_path) -> Path:
    """A copy of the local run that lacks one training."""
    folder = tmp_path / "run"
    shutil.copytree(smoke_run, folder)
    shutil.rmtree(folder / RUN)
    return folder


def signal_training(folder: Path, number: signal.Signals) -> None:
    """Send a signal to the script that trains in a folder: a stopped one cannot end too early."""
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            here = entry.name.isdigit() and os.readlink(entry / "cwd") == str(folder)
            if here and f"{folder}/.snakemake/scripts/" in (entry / "cmdline").read_text():
                os.kill(int(entry.name), number)


def jobs_in(folder: Path) -> list[str]:
    """Command lines of the processes that work in a folder."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and os.readlink(entry / "cwd") == str(folder):
                found.append((entry / "cmdline").read_text().replace("\0", " "))
        except OSError:  # it has just ended
            continue
    return found


def digests(folder: Path, under: str = "results") -> dict[str, str]:
    """Digest of what each result holds; logs, records of the runs and the atlas left out.

    The atlas says how long its run took and with which settings: see ``page_data``.
    """
    own = {"logs", "benchmarks", "provenance", "code"}
    return {
        str(path.relative_to(folder)): content_digest(path)
        for path in sorted((folder / under).rglob("*"))
        if path.is_file()
        and path.suffix != ".html"
        and path.relative_to(folder).parts[1] not in own
    }


def page_data(folder: Path) -> dict[str, Any]:
    """Data of the atlas of a run, without its settings."""
    data = embedded((folder / "results/report/tiny/atlas.html").read_text(encoding="utf-8"))
    data.pop("settings")
    return data


def test_the_smoke_experiment_gives_the_same_bits_as_on_this_machine(
    lab, start, smoke_run, tmp_path
):
    overlay = tmp_path / "overlay.yaml"
    overlay.write_text("landscape: {rows_per_shard: 50}\n")
    snakemake = start(tmp_path / "run", "results/figures/all", configs=(overlay,))
    snakemake.finish()
    assert digests(tmp_path / "run") == digests(smoke_run)
    assert page_data(tmp_path / "run") == page_data(smoke_run)
    assert set(snakemake.jobs("%T")) == {"COMPLETED"}
    rules = [comment.split("_wildcards_")[0] for comment in snakemake.jobs("%k")]
    planned = planned_jobs([ROOT / "experiments/smoke.yaml", overlay])
    here = local_rules(read_settings([ROOT / "experiments/smoke.yaml", overlay]))
    submitted = [job for job in planned if job.rule not in here]
    assert 0 < len(submitted) < len(planned)
    assert Counter(rules) == Counter(f"rule_{job.rule}" for job in submitted)
    shown = [lab.run("scontrol", "show", "job", number) for number in snakemake.jobs("%i")]
    asked = sum("TresPerJob=gres:gpu:1" in job for job in shown)
    assert 0 < asked == sum(job.gpu for job in submitted) < len(submitted)
    again = run_snakemake(tmp_path / "run")
    assert "Nothing to be done" in again.stderr


def test_a_cancelled_job_runs_again(lab, start, smoke_run, nearly_done):
    snakemake = start(nearly_done, f"{RUN}/digest")
    lab.run("scancel", snakemake.training())
    text = snakemake.finish()
    assert "status is: 'CANCELLED'" in text
    assert snakemake.jobs("%T") == ["CANCELLED", "COMPLETED"]  # and no other job
    assert digests(nearly_done) == digests(smoke_run)


def test_a_job_over_its_time_runs_again_with_more(lab, start, smoke_run, nearly_done):
    snakemake = start(nearly_done, f"{RUN}/digest")
    number = snakemake.training()
    lab.run("scontrol", "update", f"JobId={number}", "EndTime=now")
    text = snakemake.finish()
    assert "status is: 'TIMEOUT'" in text
    # The second attempt may take twice the four hours of the first.
    assert snakemake.jobs("%T|%l")[-1] == "COMPLETED|8:00:00"
    assert digests(nearly_done) == digests(smoke_run)


def test_daemons_that_die_and_come_back_lose_nothing(lab, start, smoke_run, nearly_done):
    snakemake = start(nearly_done, f"{RUN}/digest")
    lab.save(snakemake.training())
    for node in ("n1", "n2"):
        lab.stop(node, signal.SIGKILL)
    lab.stop("slurmctld", signal.SIGKILL)
    time.sleep(8)
    lab.start_controller()
    for node in ("n1", "n2"):
        lab.start_node(node)
    lab.wait_for_nodes()
    snakemake.finish()
    assert snakemake.jobs("%T") == ["COMPLETED"]
    assert digests(nearly_done) == digests(smoke_run)


def test_after_a_kill_of_snakemake_recover_ends_its_jobs_before_it_starts_again(
    lab, start, smoke_run, nearly_done
):
    def recover(**named) -> subprocess.CompletedProcess:
        return subprocess.run(
            [sys.executable, "-m", "workflow_scripts.rebuilds.recover", "--directory", nearly_done],
            cwd=ROOT,
            env=lab.env,
            capture_output=True,
            text=True,
            check=False,
            **named,
        )

    snakemake = start(nearly_done, f"{RUN}/digest")
    number = snakemake.training()
    signal_training(nearly_done, signal.SIGSTOP)
    refused = recover()
    assert refused.returncode == 1
    assert "still at work" in refused.stderr
    snakemake.process.kill()
    snakemake.process.wait()
    assert f"{number}|RUNNING" in snakemake.jobs("%i|%T")  # the job has not noticed
    locked = start(nearly_done, f"{RUN}/digest")
    assert locked.process.wait(LONGEST) == 1
    assert "Directory cannot be locked" in locked.output.read_text()
    signal_training(nearly_done, signal.SIGCONT)
    done = recover()
    assert done.returncode == 0, done.stderr
    assert "1 SLURM job cancelled" in done.stdout
    assert "unlocked" in done.stdout
    assert f"cd {ROOT} && snakemake {RUN}/digest --workflow-profile" in done.stdout
    assert snakemake.jobs("%T") == ["CANCELLED"]
    assert not jobs_in(nearly_done)
    again = start(nearly_done, f"{RUN}/digest")
    again.finish()
    assert again.jobs("%T") == ["COMPLETED"]
    assert snakemake.jobs("%T") == ["CANCELLED"]
    assert digests(nearly_done) == digests(smoke_run)
    assert "nothing was left" in recover().stdout
