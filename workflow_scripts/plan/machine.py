"""What a machine does in a second: measured here, or given."""

import os
import time

from workflow_scripts.common.costs import Machine
from workflow_scripts.common.errors import UserError

# Peak rates that NVIDIA's data sheets state for the SXM boards: float32 without tensor cores (TF32
# is off), bfloat16 with them and without sparsity, bytes per second of memory.
# https://www.nvidia.com/en-us/data-center/h100/ and /a100/ and /v100/
GPUS = {
    "h100": (67e12, 989e12, 3.35e12),
    "a100": (19.5e12, 312e12, 2.039e12),  # 80 GB
    "v100": (15.7e12, 15.7e12, 0.9e12),  # knows no bfloat16
}
# Share of a data sheet's peak that large products reach; ours, not NVIDIA's.
REACHED = 0.7
# Of an ordinary CPU, per second: products in float32 on one thread, bytes of memory.
CPU_FLOPS, CPU_BYTES = 30e9, 10e9


def known_gpu(name: str, cores: int, gpus: int) -> Machine:
    """A machine with GPUs of a kind in ``GPUS``."""
    flops, half, memory = GPUS[name]
    rates = (REACHED * flops, REACHED * half, REACHED * memory)
    return Machine(f"{name.upper()}, {REACHED:.0%} of the data sheet", *rates, True, cores, gpus)


def assumed(gpu: bool, threads: int, cores: int = 1, gpus: int = 0) -> Machine:
    """A machine of which nothing is known but whether it has GPUs: an A100, an ordinary CPU."""
    if gpu:
        return known_gpu("a100", cores, gpus)
    flops = CPU_FLOPS * threads
    return Machine("an ordinary CPU", flops, flops, CPU_BYTES, False, cores)


def measured(
    hidden: int, intermediate: int, device: str, threads: int, cores: int, gpus: int
) -> Machine:
    """This machine's rates, in a few seconds.

    A CPU's rates are those of one thread in processor time, so that other processes hardly count,
    times the threads of a job. If more threads are planned than the machine has cores, they share
    the cores.

    Parameters
    ----------
    hidden, intermediate : int
        Widths of the model; the products that are timed are those of its largest matrices.
    device : {"cpu", "cuda"}
        Where the products are timed.
    threads : int
        Threads of one job that runs a model.
    cores, gpus : int
        Number of cores and of GPUs that the run may use.

    Raises
    ------
    UserError
        If ``device`` is ``cuda`` and PyTorch finds no GPU.
    """
    import torch

    if device == "cuda" and not torch.cuda.is_available():
        raise UserError("compute.device: got 'cuda', but PyTorch finds no GPU here")
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        rows = 1024 if device == "cpu" else 16384
        flops = 2 * rows * hidden * intermediate
        rates = []
        with torch.inference_mode():
            for dtype in (torch.float32, torch.bfloat16):
                x = torch.randn(rows, hidden, device=device, dtype=dtype)
                weight = torch.randn(intermediate, hidden, device=device, dtype=dtype)
                rates.append(flops / _seconds(_product(x, weight), device))
            start = torch.zeros(8_000_000, device=device)
            step = torch.ones_like(start)
            memory = 12 * len(start) / _seconds(lambda: start.add_(step, alpha=0.5), device)
    finally:
        torch.set_num_threads(before)
    if device == "cuda":
        return Machine(torch.cuda.get_device_name(0), *rates, memory, True, cores, gpus)
    share = threads * min(1.0, _physical_cores() / max(cores, threads))
    flops, half = (share * rate for rate in rates)
    return Machine("this machine's CPU", flops, half, memory, False, cores)


def _product(x, weight):
    import torch

    # As the engine multiplies on a CPU: model/network.py.
    if x.device.type == "cpu" and hasattr(torch.ops.mkldnn, "_linear_pointwise"):
        return lambda: torch.ops.mkldnn._linear_pointwise(x, weight, None, "none", [], "")
    return lambda: torch.nn.functional.linear(x, weight)


def _seconds(call, device: str, tries: int = 7, least: float = 0.02) -> float:
    """Least time of a call, in processor seconds, or seconds on the clock for a GPU."""
    import torch

    clock = time.process_time if device == "cpu" else time.perf_counter

    def once(times: int) -> float:
        started = clock()
        for _ in range(times):
            call()
        if device == "cuda":
            torch.cuda.synchronize()
        return (clock() - started) / times

    times = max(1, round(least / max(once(1), 1e-6)))
    return min(once(times) for _ in range(tries))


def _physical_cores() -> int:
    import psutil

    return psutil.cpu_count(logical=False) or os.cpu_count() or 1
