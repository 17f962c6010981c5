"""The device of a run, and settings that make its results the same to the bit."""

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import torch

from workflow_scripts.common.costs import CPU_TOKENS, GPU_TOKENS
from workflow_scripts.common.errors import UserError
from workflow_scripts.common.gpus import one_gpu


def chosen_device(name: str) -> torch.device:
    """Device by name.

    Parameters
    ----------
    name : {"auto", "cpu", "cuda"}
        ``auto`` is the GPU if there is one.

    Raises
    ------
    UserError
        If ``cuda`` is requested and PyTorch finds no GPU.
    """
    if name == "cuda" and not torch.cuda.is_available():
        raise UserError("compute.device: got 'cuda', but PyTorch finds no GPU here; allowed: cpu")
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(name)


def multiplies_bfloat16(device: torch.device) -> bool:
    """Whether a device multiplies bfloat16 matrices in hardware (of CPUs: known on Linux)."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    try:
        flags = Path("/proc/cpuinfo").read_text().split()
    except OSError:
        return False
    return bool({"avx512_bf16", "amx_bf16", "bf16"} & set(flags))


BYTES_PER_TOKEN = 2**18  # bert-large takes about a quarter of it in float32


def chosen_token_budget(requested: int | None, device: torch.device) -> int:
    """Tokens in one forward pass: ``requested``, or a number that suits the device.

    A CPU is fastest if a pass fits in its cache; a GPU gets as many as its whole memory allows, by
    ``BYTES_PER_TOKEN``, up to ``GPU_TOKENS``. Memory in use by others is not subtracted, so that
    all GPUs of a kind compute the same.
    """
    if requested is not None:
        return requested
    if device.type != "cuda":
        return CPU_TOKENS
    memory = torch.cuda.get_device_properties(device).total_memory
    return max(CPU_TOKENS, min(memory // BYTES_PER_TOKEN, GPU_TOKENS))


# Parameters of glibc's mallopt, by their numbers in malloc.h, and their values. For the second,
# 32 MiB is the largest that every version accepts; a refused value leaves it at 128 KiB.
_TRIM_THRESHOLD, _MMAP_THRESHOLD = (-1, 2**30), (-3, 2**25)


def keep_freed_memory() -> None:
    """Let this process keep freed memory for the tensors of the next step.

    By default glibc returns large blocks to the system as soon as they are freed, and the system
    clears them before their next use: 4 % of a small training step. With another C library this
    does nothing.
    """
    adjust = getattr(ctypes.CDLL(None), "mallopt", None)
    if adjust is not None:
        for parameter, value in (_TRIM_THRESHOLD, _MMAP_THRESHOLD):
            adjust(parameter, value)


# Of oneDNN, and of PyTorch's layer above it; read at a process's first product.
_KERNEL_CACHES = "ONEDNN_PRIMITIVE_CACHE_CAPACITY", "LRU_CACHE_CAPACITY"


def keep_few_kernels() -> None:
    """Let oneDNN keep the kernels of the latest 128 shapes of products, not of 1,024.

    Without padding nearly every batch has a shape of its own, which is not met again before its
    kernels are dropped. They, and the holes that they leave in memory, took 1.5 GB after 400 steps
    of MiniLM; with 128 it is 0.3 GB, and a step takes as long. Where the environment sets a number,
    that one holds.
    """
    for name in _KERNEL_CACHES:
        os.environ.setdefault(name, "128")


@contextmanager
def reproducible(context: dict[str, Any]) -> Iterator[torch.device]:
    """Give the device, with the context's threads, deterministic kernels and full fp32 products.

    Of several GPUs it is one that no other job uses (see ``gpus.one_gpu``). All settings are
    restored afterwards, as is the global random state.

    Parameters
    ----------
    context : dict
        ``device`` (see ``chosen_device``; ``auto`` by default) and ``threads`` of the CPU
        (unchanged by default); other keys are ignored.

    Yields
    ------
    torch.device
        The device to compute on.

    Raises
    ------
    UserError
        If ``cuda`` is requested and PyTorch finds no GPU.
    """
    name = context.get("device", "auto")
    # CUDA reads once, when it starts, which GPUs it may use.
    alone = nullcontext() if name == "cpu" or torch.cuda.is_initialized() else one_gpu()
    with alone, _repeatable(chosen_device(name), context.get("threads")) as device:
        yield device


@contextmanager
def _repeatable(device: torch.device, threads: int | None) -> Iterator[torch.device]:
    before = torch.get_num_threads()
    precision = torch.get_float32_matmul_precision()
    deterministic = torch.get_deterministic_debug_mode()
    filled = torch.utils.deterministic.fill_uninitialized_memory
    # cuBLAS reads this when it starts; without it deterministic mode refuses matrix products.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    try:
        torch.set_num_threads(threads or before)
        torch.set_float32_matmul_precision("highest")  # no TF32
        # As torch.use_deterministic_algorithms(True), which imports PyTorch's compiler besides.
        torch.set_deterministic_debug_mode("error")
        torch.utils.deterministic.fill_uninitialized_memory = False  # a pass over every new tensor
        with torch.random.fork_rng(devices=[0] if device.type == "cuda" else []):
            yield device
    finally:
        torch.set_num_threads(before)
        torch.set_float32_matmul_precision(precision)
        torch.set_deterministic_debug_mode(deterministic)
        torch.utils.deterministic.fill_uninitialized_memory = filled
