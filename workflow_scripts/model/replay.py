"""A pass over the examples as a CUDA graph: launched as a whole instead of kernel by kernel.

A large GPU computes a small model's kernels faster than a CPU launches them. The graph is used
only where this is the case, and where it gives the same bits.
"""

import logging
import time
from collections.abc import Callable, Mapping

import torch
from torch import Tensor

log = logging.getLogger("tunescape")

Pass = Callable[[], Tensor]
# A pass waits for its launches where they take more of its time than this.
_LAUNCHING = 0.7


class Replay:
    """A pass that is called many times, as a CUDA graph where that is faster.

    Parameters
    ----------
    run : callable
        The pass; it must compute from the same tensors at every call, and not branch on their
        values. Its result on a GPU may be overwritten by the next call.
    weights : mapping of str to Tensor
        All weights that may change between calls. If one moves to another address, the graph is
        captured again.
    capture : callable, optional
        Makes a graph of ``run`` and returns a function that launches it, or None if a graph is not
        worth it; ``captured`` by default.
    """

    def __init__(
        self,
        run: Pass,
        weights: Mapping[str, Tensor],
        capture: Callable[[Pass], Pass | None] | None = None,
    ) -> None:
        self._run, self._weights = run, weights
        self._capture = capture or captured
        self._places: list[int] = []
        self._replay: Pass | None = None

    def __call__(self) -> Tensor:
        places = [weight.data_ptr() for weight in self._weights.values()]
        if places != self._places:
            self._replay = self._checked()
            self._places = places
        return (self._replay or self._run)()

    def _checked(self) -> Pass | None:
        self._replay = None  # frees the memory of an earlier graph
        try:
            replay = self._capture(self._run)
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:
            log.info("no CUDA graph of a pass: %s", str(error).partition("\n")[0])
            return None
        if replay is None:
            return None
        same = torch.allclose(replay(), self._run(), rtol=0, atol=0, equal_nan=True)
        log.info("a CUDA graph of a pass: %s", "used" if same else "not used, its bits differ")
        return replay if same else None


def captured(run: Pass) -> Pass | None:
    """A function that launches a pass as a CUDA graph; None where launches are not the bottleneck.

    Raises
    ------
    RuntimeError
        If the pass cannot be captured.
    """
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        run()  # starts libraries and fills caches
        torch.cuda.synchronize()
        began = time.perf_counter()
        run()
        launched = time.perf_counter()
        torch.cuda.synchronize()
    if launched - began < _LAUNCHING * (time.perf_counter() - began):
        return None
    torch.cuda.empty_cache()  # the graph allocates its own memory
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        output = run()

    def replay() -> Tensor:
        graph.replay()
        return output

    return replay
