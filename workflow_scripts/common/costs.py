"""What a job costs, and what a machine does in a second."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np


# Measured on 2 cores of an AMD EPYC (AVX-512, 2 jobs at a time), with MiniLM and four GLUE tasks;
# those of a GPU are assumed.
SHARES = {  # of the rate of large products that a kind of work reaches
    "cpu": {"engine": 0.78, "forward": 0.7, "training": 0.67},
    "gpu": {"engine": 0.6, "forward": 0.5, "training": 0.5},
}
# Seconds: Python, libraries, records. Where the engine computes, nothing of transformers is needed.
START = {"model": 6.0, "engine": 2.5, "table": 0.7, "figure": 2.5}
BETWEEN = 0.3  # seconds that Snakemake takes between two jobs
WRITING, HASHING = 0.5e9, 1e9  # bytes per second: disk, SHA-256
RUNTIME = {"model": 450e6, "table": 180e6, "figure": 230e6}  # bytes of memory before any work
FLOAT = 4  # bytes
HOST_BYTES = 20e9
# Padded tokens in one forward pass: a CPU is fastest where a pass stays in its cache; a GPU takes
# as many as its memory allows, and no more than these (common/device.py).
CPU_TOKENS, GPU_TOKENS = 2048, 65536


@dataclass(frozen=True)
class Cost:
    """Of one job.

    Parameters
    ----------
    seconds : float
        On the clock.
    memory : float
        Bytes.
    disk : float
        Bytes of its outputs.
    host : float
        Bytes of ``memory`` that stay in the host's where a GPU holds most of it.
    """

    seconds: float
    memory: float = RUNTIME["table"]
    disk: float = 2e4
    host: float = 0.0


def table_cost(work: float = 0.0, **changed: float) -> Cost:
    """Of a job that reads tables and writes one.

    Parameters
    ----------
    work : float
        Seconds besides its start.
    **changed : float
        ``memory`` or ``disk``, bytes, where they are not those of a small table.
    """
    return Cost(START["table"] + work, **changed)


def figure_cost() -> Cost:
    """Of drawing a figure."""
    return Cost(START["figure"], memory=RUNTIME["figure"], disk=4e5)


@dataclass(frozen=True)
class Machine:
    """Rates of one job that runs a model, and how many of them there is room for.

    Parameters
    ----------
    name : str
        For people.
    flops, half_flops : float
        Products of matrices per second in float32 and bfloat16, counted as 2 operations for a
        multiplication and an addition.
    bytes : float
        Of memory read and written per second.
    gpu : bool
        Whether such a job takes a GPU.
    cores, gpus : int
        How many there are.
    """

    name: str
    flops: float
    half_flops: float
    bytes: float
    gpu: bool
    cores: int
    gpus: int = 0

    @property
    def host_bytes(self) -> float:
        """Of the memory of the machine itself, per second; assumed where there is a GPU."""
        return HOST_BYTES if self.gpu else self.bytes


@dataclass(frozen=True)
class Lengths:
    """Tokens of every example of a task.

    Parameters
    ----------
    train, dev : ndarray of shape (n,), int64
        Of both splits.
    source : str
        Where that is known from.
    """

    train: np.ndarray
    dev: np.ndarray
    source: str


@dataclass(frozen=True)
class Job:
    """A job of Snakemake's own plan.

    Parameters
    ----------
    name : str
        The job's first output, which no other job writes.
    rule : str
        Name of the rule.
    wildcards : mapping of str to str
        Value of each wildcard.
    outputs : tuple of str
        Paths of the files that it writes.
    needs : tuple of str
        Names of the jobs whose outputs it reads.
    threads : int
        Threads that it reserves.
    gpu : bool
        Whether it uses a GPU.
    local : bool
        Whether it runs on Snakemake's own machine even with a cluster.
    """

    name: str
    rule: str
    wildcards: Mapping[str, str]
    outputs: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    threads: int = 1
    gpu: bool = False
    local: bool = True
