"""Evaluates per-example losses and predictions of a classifier at many points of a plane.

One point is one pass over all examples of all splits, sorted by length, without dropout, in
float32. BERT, RoBERTa and ELECTRA classifiers take the path without padding of
``landscape/packed.py``; every other encoder its own Hugging Face forward, in batches of similar
length. Both equal a plain forward of one example at a time within 1e-5 in logits.
"""

import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch

from workflow_scripts.landscape import packed
from workflow_scripts.landscape.plane import Plane
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
    module : a sequence classifier; put into evaluation mode.
    splits : name of a split -> its encoded examples with labels.
    pad_id : token that fills up short examples, where there is padding.
    token_budget : most (padded) tokens in one forward pass.
    fixed_below : a promise that the embeddings and all layers below this one keep their
        weights: their hidden states are then computed once. None promises nothing.
    """

    def __init__(
        self,
        module: torch.nn.Module,
        splits: dict[str, Encoded],
        pad_id: int,
        token_budget: int,
        fixed_below: int | None = None,
    ):
        self.module = module.eval()
        self.device = next(module.parameters()).device
        self._sizes = {name: len(split) for name, split in splits.items()}
        examples = joined(list(splits.values()))
        self._labels = torch.from_numpy(examples.labels)
        batches = token_batches(examples.lengths, token_budget)
        self._order = np.concatenate(batches)
        if packed.can_pack(module):
            log.info("%s: without padding", type(module).__name__)
            self._forward = self._packed_forward(examples, batches, fixed_below)
        else:
            log.info("%s: through its own forward, padded", type(module).__name__)
            inputs = [collate(examples, batch, pad_id, self.device) for batch in batches]
            self._forward = lambda: [module(**batch).logits.float() for batch in inputs]

    def _packed_forward(
        self, examples: Encoded, batches: list[np.ndarray], fixed_below: int | None
    ) -> Callable[[], list[torch.Tensor]]:
        module = self.module
        passes = [packed.pack(module, examples, batch, self.device) for batch in batches]
        total = module.config.num_hidden_layers
        prefixes: list[torch.Tensor] = []

        def forward() -> list[torch.Tensor]:
            if fixed_below is not None and not prefixes:
                for one in passes:
                    states = packed.embed(module, one)
                    prefixes.append(packed.layers_from(module, one, states, 0, fixed_below))
            logits = []
            for i, one in enumerate(passes):
                states = prefixes[i] if prefixes else packed.embed(module, one)
                states = packed.layers_from(module, one, states, fixed_below or 0, total)
                logits.append(packed.head(module, states).float())
            return logits

        return forward

    @torch.inference_mode()
    def logits(self) -> torch.Tensor:
        """Logits of all examples, split after split, float32 of shape [N, K], on the CPU."""
        logits = torch.cat(self._forward()).cpu()
        ordered = torch.empty_like(logits)
        ordered[self._order] = logits
        return ordered

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
