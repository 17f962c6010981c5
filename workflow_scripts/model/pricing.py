"""Operations, seconds and bytes of running a model: what every stage's costs are made of.

The time of a job is that of its start, of its products of matrices (counted as operations, over
the machine's rate and the share of it that such work reaches) and of the memory that it moves.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from workflow_scripts.common.costs import (
    CPU_TOKENS,
    FLOAT,
    GPU_TOKENS,
    RUNTIME,
    SHARES,
    START,
    Cost,
    Lengths,
    Machine,
)
from workflow_scripts.model.sizes import Shape
from workflow_scripts.model.text import token_batches

SPAN_BYTES = 1500  # that a parameter costs where three checkpoints are read


@dataclass(frozen=True)
class Pricing:
    """What the costs of one model's jobs follow from.

    Parameters
    ----------
    settings : Config
    shape : Shape
        Of the model.
    lengths : mapping of str to Lengths
        Of each task's examples, in the model's tokens.
    machine : Machine
        That runs the jobs.
    """

    settings: Any
    shape: Shape
    lengths: Mapping[str, Lengths]
    machine: Machine

    # Operations

    def engine_flops(self, lengths: np.ndarray, fixed: int = 0) -> float:
        """Of one evaluation of examples, the layers below ``fixed`` kept from before."""
        if not self.shape.packed:
            return self.forward_flops(lengths)  # nothing is kept, and there is padding
        tokens, squares = float(lengths.sum()), float(np.square(lengths).sum())
        below = self.layer_flops(tokens, squares, self.shape.layers - 1 - fixed)
        # The last layer answers for the first token only.
        reads = 4 * self.shape.heads * self.shape.hidden * tokens
        return below + 2 * self.shape.layer_weights * len(lengths) + reads

    def forward_flops(self, lengths: np.ndarray) -> float:
        """Of a plain forward pass over examples, in batches of similar length."""
        default = GPU_TOKENS if self.machine.gpu else CPU_TOKENS
        budget = self.settings.compute.token_budget or default
        return self.layer_flops(*padded(lengths, token_batches(lengths, budget)), self.shape.layers)

    def reading_flops(self, lengths: np.ndarray) -> float:
        """Of a pass through all layers for all tokens, without padding where that is known."""
        if not self.shape.packed:
            return self.forward_flops(lengths)
        squares = float(np.square(lengths).sum())
        return self.layer_flops(float(lengths.sum()), squares, self.shape.layers)

    def layer_flops(self, tokens: float, squares: float, layers: float) -> float:
        """Products with weights, 2 per weight and token; scores and sums of attention.

        Parameters
        ----------
        tokens : float
            With their padding.
        squares : float
            Sum of the squared lengths of the examples, with padding.
        layers : float
            How many.
        """
        weights = 2 * self.shape.layer_weights * tokens
        return layers * (weights + 4 * self.shape.hidden * squares)

    # Seconds

    def compute(self, flops: float, kind: str, half: bool = False) -> float:
        """Seconds of products; ``kind`` of work is engine, forward or training."""
        rate = self.machine.half_flops if half else self.machine.flops
        return flops / (rate * SHARES["gpu" if self.machine.gpu else "cpu"][kind])

    def move(self, count: float) -> float:
        """Seconds of moving so many bytes of memory."""
        return count / self.machine.bytes

    @property
    def engine_start(self) -> float:
        """Seconds that a job takes to start which runs a model and does not train it."""
        return START["engine" if self.shape.packed else "model"]

    def read_checkpoints(self, triples: float = 1) -> float:
        """Seconds of reading checkpoints, three at a time."""
        return triples * SPAN_BYTES * self.shape.parameters / self.machine.host_bytes

    # Bytes

    @property
    def weights(self) -> float:
        """Bytes of a checkpoint."""
        return FLOAT * self.shape.parameters

    def model_cost(
        self,
        seconds: float,
        checkpoints: float,
        memory: float = 0,
        disk: float = 1e4,
        on_host: float = 0,
    ) -> Cost:
        """Cost of a job that runs a model.

        Parameters
        ----------
        seconds : float
            With its start.
        checkpoints : float
            Held in memory at a time, as multiples of the model's bytes.
        memory, disk : float
            Bytes besides.
        on_host : float
            Further checkpoints, held by the host even if a GPU runs the model.
        """
        host = on_host * self.weights
        memory += RUNTIME["model"] + checkpoints * self.weights + host
        return Cost(seconds, memory, disk, host)


def padded(lengths: np.ndarray, batches: list[np.ndarray]) -> tuple[float, float]:
    """Tokens with padding, and the sum over tokens of their example's padded length."""
    widths = [(len(batch), float(lengths[batch].max())) for batch in batches]
    return sum(n * width for n, width in widths), sum(n * width**2 for n, width in widths)
