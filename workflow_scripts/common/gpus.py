"""GPUs of this machine, and one of them for a job. Does not import PyTorch."""

import fcntl
import logging
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count, takewhile
from pathlib import Path

log = logging.getLogger("tunescape")

VISIBLE = "CUDA_VISIBLE_DEVICES"


def visible_gpus() -> list[str]:
    """GPUs that a process started here may use, as ``CUDA_VISIBLE_DEVICES`` names them.

    If that variable is not set, these are the UUIDs that ``nvidia-smi`` lists, since CUDA need not
    number the devices in the same order. Empty without a GPU.
    """
    named = os.environ.get(VISIBLE)
    if named is None:
        if shutil.which("nvidia-smi") is None:
            return []
        listed = subprocess.run(
            ["nvidia-smi", "--query-gpu=uuid", "--format=csv,noheader"],
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        return listed.stdout.split() if listed.returncode == 0 else []
    # CUDA reads the names up to the first invalid one, such as -1.
    names = (name.strip() for name in named.split(","))
    return list(takewhile(lambda name: name and name != "-1", names))


@contextmanager
def one_gpu() -> Iterator[str | None]:
    """Make one of several GPUs the only one that this process sees, while the block runs.

    It is the GPU that the fewest blocks hold, among this user's processes on this machine or, in a
    SLURM job, among the job's own processes: with at most as many blocks at a time as GPUs each
    has its own, with more they share evenly. Must be entered before CUDA starts.

    Yields
    ------
    str or None
        The GPU's name; None if fewer than two are visible, and nothing is changed.
    """
    gpus = visible_gpus()
    if len(gpus) < 2:
        yield None
        return
    with _least_held(gpus) as gpu:
        before = os.environ.get(VISIBLE)
        os.environ[VISIBLE] = gpu
        log.info("GPU %s of %s", gpu, ", ".join(gpus))
        try:
            yield gpu
        finally:
            if before is None:
                del os.environ[VISIBLE]
            else:
                os.environ[VISIBLE] = before


@contextmanager
def _least_held(gpus: list[str]) -> Iterator[str]:
    # The system releases a lock when its process ends, however it ends. Not in TMPDIR: a job may
    # have its own. In another SLURM job the same number may be another GPU.
    folder = Path(f"/tmp/tunescape-gpus-{os.getuid()}")
    folder.mkdir(mode=0o700, exist_ok=True)
    scope = os.environ.get("SLURM_JOB_ID", "here")
    for turn in count():
        for gpu in gpus:
            name = gpu.replace("/", "_")
            with (folder / f"{scope}-{name}-{turn}").open("w") as file:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    continue
                yield gpu
                return


def gpus_of_a_job(device: str) -> int:
    """GPUs of one job that runs a model; device ``auto`` takes one where this machine has any."""
    return int(device == "cuda" or (device == "auto" and shutil.which("nvidia-smi") is not None))
