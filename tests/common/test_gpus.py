"""GPUs that a job may use, and that each job has one of its own; with stand-ins."""

import os
import subprocess
import sys
import uuid
from contextlib import ExitStack
from pathlib import Path

import pytest

from workflow_scripts.common.device import reproducible
from workflow_scripts.common.gpus import VISIBLE, one_gpu, visible_gpus

STAND_INS = Path(__file__).parents[1] / "stand_ins"


@pytest.fixture
def two(monkeypatch) -> list[str]:
    """Two stand-ins that ``nvidia-smi`` lists; of other names each time, as other tests may run."""
    names = [f"GPU-{uuid.uuid4()}" for _ in range(2)]
    monkeypatch.setenv("PATH", f"{STAND_INS}:/usr/bin:/bin")
    monkeypatch.setenv("STAND_IN_GPUS", " ".join(names))
    monkeypatch.delenv(VISIBLE, raising=False)
    return names


@pytest.mark.parametrize(
    ("visible", "gpus"),
    [("0,1", ["0", "1"]), (" 3 , GPU-a", ["3", "GPU-a"]), ("", []), ("-1", []), ("0,-1,1", ["0"])],
)
def test_gpus_listed_as_visible_count(monkeypatch, two, visible, gpus):
    monkeypatch.setenv(VISIBLE, visible)
    assert visible_gpus() == gpus


def test_nvidia_smi_is_queried_if_no_list_is_set(monkeypatch, two):
    assert visible_gpus() == two
    monkeypatch.setenv("STAND_IN_GPUS", "")
    assert visible_gpus() == []
    monkeypatch.setenv("PATH", "/nowhere")
    assert visible_gpus() == []


@pytest.mark.parametrize("visible", ["0", "MIG-1", "-1", ""])
def test_fewer_than_two_gpus_change_nothing(monkeypatch, two, visible):
    monkeypatch.setenv(VISIBLE, visible)
    with one_gpu() as gpu:
        assert gpu is None
        assert os.environ[VISIBLE] == visible


HOLDER = """
import os, sys
from workflow_scripts.common.gpus import VISIBLE, one_gpu
with one_gpu() as gpu:
    print(gpu, os.environ[VISIBLE], flush=True)
    sys.stdin.read()
"""


def hold() -> subprocess.Popen:
    """A process that holds a GPU until its input ends."""
    return subprocess.Popen(
        [sys.executable, "-c", HOLDER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def held(process: subprocess.Popen) -> str:
    gpu, visible = process.stdout.readline().split()
    assert gpu == visible
    return gpu


def end(process: subprocess.Popen) -> None:
    process.stdin.close()
    process.wait()
    process.stdout.close()


def test_processes_side_by_side_have_a_gpu_each_and_more_of_them_share_evenly(two):
    processes = [hold() for _ in range(4)]
    found = [held(process) for process in processes]
    assert sorted(found) == sorted([*two, *two])
    for process in processes:
        end(process)


def test_the_gpu_of_a_process_that_was_killed_is_free_again(two):
    first, second = hold(), hold()
    gpus = [held(first), held(second)]
    assert sorted(gpus) == sorted(two)
    first.kill()
    first.wait()
    third = hold()
    assert held(third) == gpus[0]
    for process in (second, third):
        end(process)
    first.stdin.close()
    first.stdout.close()


def test_in_a_slurm_job_the_choice_is_among_its_own_gpus(monkeypatch, two):
    # Two jobs with two GPUs each: both may number theirs 0 and 1.
    monkeypatch.setenv(VISIBLE, "0,1")
    with ExitStack() as stack:
        found = {}
        for job in (uuid.uuid4().hex, uuid.uuid4().hex):
            monkeypatch.setenv("SLURM_JOB_ID", job)
            found[job] = []
            for _ in range(2):
                monkeypatch.setenv(VISIBLE, "0,1")
                found[job].append(stack.enter_context(one_gpu()))
    assert list(found.values()) == [["0", "1"], ["0", "1"]]


def test_a_job_on_the_cpu_takes_none(monkeypatch, two):
    with reproducible({"device": "cpu"}):
        assert VISIBLE not in os.environ
    with reproducible({"device": "auto"}):
        assert os.environ[VISIBLE] in two
    assert VISIBLE not in os.environ
