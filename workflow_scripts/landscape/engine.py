"""Evaluates per-example losses and predictions of a classifier at many points of a plane.

One point is one pass over all examples of all splits, sorted by length, without dropout. BERT,
RoBERTa, ELECTRA and ALBERT classifiers take the path without padding of ``model/network.py``;
every other encoder its own Hugging Face forward, in batches of similar length. In float32 both
equal a plain forward of one example at a time within 1e-5 in logits. On a GPU a pass without
padding that waits for its launches becomes a CUDA graph (``landscape/replay.py``).
"""

import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch

from workflow_scripts.common.device import chosen_token_budget
from workflow_scripts.landscape.plane import Plane
from workflow_scripts.landscape.replay import Replay
from workflow_scripts.model import network as forward
from workflow_scripts.model.architecture import architecture_of
from workflow_scripts.model.packing import Packed, pack
from workflow_scripts.model.text import Encoded, collate, joined, token_batches

log = logging.getLogger("tunescape")


@dataclass(frozen=True)
class Outcome:
    """What every example of a split got at one point: ``loss`` in nats, ``prediction`` a class.

    Both have shape [N], float32 and int16; a prediction is -1 where the logits are not finite.
    """

    loss: np.ndarray
    prediction: np.ndarray


class Evaluator:
    """Evaluates a classifier, as it stands, on the same examples again and again.

    Parameters
    ----------
    module : a sequence classifier; put into evaluation mode. Its weights may change, its parameters
        must stay the same objects.
    splits : name of a split -> its encoded examples with labels.
    pad_id : token that fills up short examples, where there is padding.
    token_budget : most (padded) tokens in one forward pass; None for what suits the device.
        Where a GPU has too little memory for them it is halved.
    fixed_below : a promise that the embeddings and all layers below this one keep their
        weights: their hidden states are then computed once. None promises nothing.
    dtype : of matrix products: float32, or bfloat16 with float32 sums. What lies between the
        products, the head and the loss are float32.

    Attributes
    ----------
    rows : name of a parameter -> its rows that the examples use (int64, increasing). A ``Plane``
        needs to move no others. Empty where that is not known.
    """

    def __init__(
        self,
        module: torch.nn.Module,
        splits: dict[str, Encoded],
        pad_id: int,
        token_budget: int | None,
        fixed_below: int | None = None,
        dtype: torch.dtype = torch.float32,
    ):
        self.module, self.dtype = module.eval(), dtype
        self.device = next(module.parameters()).device
        self.rows: dict[str, torch.Tensor] = {}
        self._pad_id, self._fixed_below = pad_id, fixed_below
        self._sizes = {name: len(split) for name, split in splits.items()}
        self._examples = joined(list(splits.values()))
        self._labels = torch.from_numpy(self._examples.labels)
        self._weights = dict(module.named_parameters())
        self._architecture = architecture_of(module)
        name = type(module).__name__
        if self._architecture is not None:
            log.info("%s %s: without padding, %s", self._architecture.model_type, name, dtype)
            used = np.unique([i for ids in self._examples.input_ids for i in ids])
            self.rows[self._architecture.word_embeddings] = torch.from_numpy(used.astype(np.int64))
            self._prepare, self._forward = self._pack, self._packed_forward
        else:
            log.info("%s: through its own forward, padded, %s", name, dtype)
            self._prepare, self._forward = self._collate, self._own_forward
        self._set_budget(chosen_token_budget(token_budget, self.device))

    def _set_budget(self, token_budget: int) -> None:
        self.token_budget = token_budget
        batches = token_batches(self._examples.lengths, token_budget)
        self._order = np.concatenate(batches)
        self._inputs = [self._prepare(batch) for batch in batches]
        self._prefixes: list[torch.Tensor] = []
        self._pass: Callable[[], torch.Tensor] = self._joined
        if self.device.type == "cuda" and self._architecture is not None:
            self._pass = Replay(self._joined, self._weights)

    def _joined(self) -> torch.Tensor:
        return torch.cat(self._forward())

    def _collate(self, batch: np.ndarray) -> dict[str, torch.Tensor]:
        return collate(self._examples, batch, self._pad_id, self.device)

    def _own_forward(self) -> list[torch.Tensor]:
        with torch.autocast(self.device.type, self.dtype, self.dtype != torch.float32):
            return [self.module(**batch).logits.float() for batch in self._inputs]

    def _pack(self, batch: np.ndarray) -> Packed:
        return pack(self._architecture, self._examples, batch, self.device)

    def _packed_forward(self) -> list[torch.Tensor]:
        architecture, weights = self._architecture, self._weights
        layers = forward.read_layers(architecture, weights, self.dtype)
        fixed = self._fixed_below or 0

        def run(one: Packed, states: torch.Tensor, some: range) -> torch.Tensor:
            for index in some:
                last = index == len(layers) - 1
                states = forward.run_layer(architecture, layers[index], one, states, last)
            return states

        def prefix(one: Packed) -> torch.Tensor:
            return run(one, forward.embed(architecture, weights, one), range(fixed))

        if self._fixed_below is not None and not self._prefixes:
            self._prefixes = [prefix(one) for one in self._inputs]
        logits = []
        for i, one in enumerate(self._inputs):
            states = self._prefixes[i] if self._prefixes else prefix(one)
            states = run(one, states, range(fixed, len(layers)))
            logits.append(forward.head(architecture, weights, states))
        return logits

    @torch.inference_mode()
    def logits(self) -> torch.Tensor:
        """Logits of all examples, split after split, float32 of shape [N, K], on the CPU.

        Raises
        ------
        torch.OutOfMemoryError : if a GPU has too little memory for the longest example alone.
        """
        while True:
            try:
                logits = self._pass().cpu()
            except torch.OutOfMemoryError:
                if self.token_budget <= self._examples.lengths.max():
                    raise
            else:
                ordered = torch.empty_like(logits)
                ordered[self._order] = logits
                return ordered
            # Out here the failed pass's tensors are free, since the exception that held them is.
            self._set_budget(self.token_budget // 2)
            log.warning("out of GPU memory: on with %d tokens in one pass", self.token_budget)

    def __call__(self) -> dict[str, Outcome]:
        """Outcome of every split, by name, under the weights that the module has now."""
        logits = self.logits()
        loss = torch.nn.functional.cross_entropy(logits, self._labels, reduction="none")
        finite = torch.isfinite(logits).all(dim=1)
        prediction = torch.where(finite, logits.argmax(dim=1), -1)
        return self._split(loss.numpy(), prediction.numpy().astype(np.int16))

    def _split(self, loss: np.ndarray, prediction: np.ndarray) -> dict[str, Outcome]:
        outcomes, first = {}, 0
        for name, size in self._sizes.items():
            part = slice(first, first + size)
            outcomes[name] = Outcome(loss[part], prediction[part])
            first += size
        return outcomes


def evaluate_points(
    plane: Plane, evaluate: Callable[[], dict[str, Outcome]], points: Iterable[tuple[float, float]]
) -> Iterator[dict[str, Outcome]]:
    """Outcome of every point, in the order given, one by one as they are asked for.

    Parameters
    ----------
    plane : moves the model; it stays at the last point.
    evaluate : an ``Evaluator`` of the same model, or any function that scores it.
    points : (alpha, beta), in units of the directions.

    Yields
    ------
    What ``evaluate`` gives at the point: outcomes by split.

    Raises
    ------
    ValueError : at a point with beta other than 0, if the plane is a line.
    """
    for alpha, beta in points:
        plane.move(alpha, beta)
        yield evaluate()
