"""Faults on one machine: nothing is lost, and the run continues to the same bits."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import psutil
import pytest

from tests.workflow.conftest import ROOT, run_snakemake
from tests.workflow.test_recover import in_folder
from workflow_scripts.rebuilds.records import content_digest

pytestmark = pytest.mark.slow

RUN = "results/finetune/tiny/entailment/pretrained/continued/init0_order0"
SURFACE = "results/landscape/tiny/sentiment_pretrained_line"
TRAINING = [f"{RUN}/{name}" for name in ("digest", "scores.parquet", "history.parquet")]
TRAINING += [f"{RUN}/epoch{epoch:02d}.safetensors" for epoch in range(3)]
MERGED = [f"{SURFACE}/surface.parquet", f"{SURFACE}/examples.parquet"]


@pytest.fixture
def folder(smoke_run, tmp_path) -> Path:
    """A copy of the undisturbed run."""
    shutil.copytree(smoke_run, tmp_path / "run")
    return tmp_path / "run"


def held(folder: Path) -> dict[str, str]:
    """Digest of what each result holds; logs, records and the draft of a killed job left out."""
    own = {"logs", "benchmarks", "provenance", "code"}
    return {
        str(path.relative_to(folder)): content_digest(path)
        for path in sorted((folder / "results").rglob("*"))
        if path.is_file()
        and not path.name.startswith(".")
        and path.relative_to(folder).parts[1] not in own
    }


def started(folder: Path, *targets: str) -> subprocess.Popen:
    """Snakemake in a process group of its own, as a shell starts it."""
    command = ["snakemake", *targets, "--cores", "1", "--directory", str(folder)]
    return subprocess.Popen(
        [*command, "--configfile", "experiments/smoke.yaml"],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        process_group=0,
        # Where the tests run in the background, Ctrl-C may be ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def at_work(folder: Path, seconds: float = 120) -> psutil.Process:
    """The script of the run's job, as soon as it runs."""
    end = time.monotonic() + seconds
    while not (found := in_folder(folder, f"{folder}/.snakemake/scripts/")):
        assert time.monotonic() < end
        time.sleep(0.02)
    return found[-1]


def continues_to_the_same_bits(folder: Path, target: str, smoke_run: Path) -> None:
    done = run_snakemake(folder, target)
    assert done.returncode == 0, done.stderr[-3000:]
    assert held(folder) == held(smoke_run)


@pytest.mark.parametrize("seconds", [0.0, 1.5])
@pytest.mark.parametrize(
    "outputs", [TRAINING, [f"{SURFACE}/rows/000.parquet"], MERGED], ids=["training", "row", "merge"]
)
def test_a_job_is_killed(folder, smoke_run, outputs, seconds):
    whole = held(folder)
    for output in outputs:
        (folder / output).unlink()
    master = started(folder, outputs[0])
    job = at_work(folder)
    time.sleep(seconds)  # while it imports; or about when it works, if it has not ended yet
    if job.is_running():
        job.kill()
    _, messages = master.communicate(timeout=120)
    if master.returncode == 0:  # it was faster
        assert held(folder) == whole
        return
    assert "Error in rule" in messages
    there = held(folder)
    assert not set(outputs) & set(there)
    left = {name: digest for name, digest in there.items() if "/state/" not in name}
    assert left.items() <= whole.items()
    continues_to_the_same_bits(folder, outputs[0], smoke_run)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("in_training", [False, True], ids=["importing", "training"])
def test_a_run_is_asked_to_stop(folder, smoke_run, number, in_training):
    """Ctrl-C reaches Snakemake and its job; a batch system's SIGTERM too."""
    shutil.rmtree(folder / RUN)
    master = started(folder, f"{RUN}/digest")
    at_work(folder)
    end = time.monotonic() + 120
    while in_training and not (folder / RUN / "state/state.json").exists():  # epoch 0 is kept
        assert time.monotonic() < end
        time.sleep(0.001)
    os.killpg(master.pid, number)
    master.communicate(timeout=120)
    assert master.returncode != 0
    assert not in_folder(folder)
    assert not list((folder / "results").rglob(".*.safetensors"))
    name = "tiny_entailment_pretrained_init0_order0.log"
    log = folder / "results/logs/finetune/finetune_continued" / name
    if in_training:
        assert f"stopped by {number.name} after step" in log.read_text()
    # It let go of the folder: no unlocking is needed.
    continues_to_the_same_bits(folder, f"{RUN}/digest", smoke_run)
    if in_training:
        assert "going on after step" in log.read_text()


def test_two_snakemakes_at_once(folder, smoke_run):
    shutil.rmtree(folder / RUN)
    first = started(folder, f"{RUN}/digest")
    job = at_work(folder)
    job.suspend()  # so that the first is still running while the second starts
    second = run_snakemake(folder, f"{RUN}/digest")
    assert second.returncode == 1
    assert "locked" in second.stderr.lower(), second.stderr[-2000:]
    job.resume()
    _, messages = first.communicate(timeout=120)
    assert first.returncode == 0, messages[-3000:]
    assert held(folder) == held(smoke_run)


@pytest.fixture
def small_disk(tmp_path) -> Iterator[Path]:
    """A file system of 60 MB in memory."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=60m", "tmpfs", str(place)]
    mounted = subprocess.run(mount, capture_output=True, text=True, check=False)
    if mounted.returncode:
        pytest.skip(f"no small file system without mount: {mounted.stderr.strip()}")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


@pytest.mark.parametrize("free", [4096, 20_000, 150_000])
def test_a_full_disk(small_disk, smoke_run, free):
    folder = small_disk / "run"
    shutil.copytree(smoke_run, folder)
    shutil.rmtree(folder / RUN)
    filler = small_disk / "filler"
    filler.write_bytes(bytes(shutil.disk_usage(small_disk).free - free))
    full = run_snakemake(folder, f"{RUN}/digest")
    assert full.returncode != 0
    assert "No space left on device" in full.stderr
    filler.unlink()
    assert not (folder / RUN / "digest").exists()
    continues_to_the_same_bits(folder, f"{RUN}/digest", smoke_run)


def test_a_training_diverges(folder, smoke_run):
    """NaN goes through surfaces, trajectories and figures, and is named where it counts."""
    wild = {"learning_rate": 1e30, "epochs": 2}
    config = {
        "finetune": {
            "recipes": {"wild": wild},
            "exceptions": {"sentiment": {"scratch": "wild"}},
        }
    }
    done = run_snakemake(folder, "results/figures/all", config=config)
    assert done.returncode == 0, done.stderr[-3000:]
    scores = pd.read_parquet(
        folder / "results/finetune/tiny/sentiment/scratch/wild/init0_order0/scores.parquet"
    )
    assert scores["diverged"].tolist() == [False, True, True]
    surface = pd.read_parquet(folder / "results/landscape/tiny/sentiment_scratch/surface.parquet")
    ends = surface[surface["anchor"] == "end"]
    assert ends["train_loss"].isna().all()
    claims = (folder / "results/report/tiny/claims.md").read_text()
    assert "not applicable" in claims
    # What has nothing to do with it is as it was; the other task's run from scratch has a plane
    # that goes through this one.
    before, after = held(smoke_run), held(folder)
    apart = [n for n in before if "_pretrained" in n and n.startswith("results/landscape")]
    assert len(apart) > 20
    assert all(before[name] == after[name] for name in apart)
