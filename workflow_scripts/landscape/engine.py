"""Evaluates per-example losses and predictions of a classifier at many points of a plane.

One point is one pass over all examples of all splits, sorted by length, without dropout
(``model/running.py``). In float32 logits equal those of a plain forward pass of one example at a
time within 1e-5.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch

from workflow_scripts.landscape.plane import Plane
from workflow_scripts.model.running import Runner
from workflow_scripts.model.text import Encoded, joined


@dataclass(frozen=True)
class Outcome:
    """Outcome of every example of a split at one point.

    Attributes
    ----------
    loss : ndarray of shape (N,), float32
        Cross-entropy, nats.
    prediction : ndarray of shape (N,), int16
        Class; -1 where the logits are not finite.
    """

    loss: np.ndarray
    prediction: np.ndarray


class Evaluator(Runner):
    """Evaluates a classifier, with the weights it has now, on the same splits again and again.

    Parameters
    ----------
    module, pad_id, token_budget, fixed_below, dtype
        As in ``Runner``, which also has the attribute ``rows`` for a ``Plane``.
    splits : dict of str to Encoded
        Name of a split -> its encoded examples with labels.
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
        examples = joined(list(splits.values()))
        super().__init__(module, examples, pad_id, token_budget, fixed_below, dtype)
        self._sizes = {name: len(split) for name, split in splits.items()}
        self._labels = torch.from_numpy(examples.labels)

    def __call__(self) -> dict[str, Outcome]:
        """Outcome of every split, by name, with the weights that the module has now."""
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
    """Outcome of every point, in the given order, computed as they are requested.

    Parameters
    ----------
    plane : Plane
        Moves the model, and leaves it at the last point.
    evaluate : Evaluator
        Of the same model, or any function that scores it.
    points : iterable of (alpha, beta)
        In units of the directions.

    Yields
    ------
    dict of str to Outcome, by split.

    Raises
    ------
    ValueError
        At a point with beta other than 0, if the plane is a line.
    """
    for alpha, beta in points:
        plane.move(alpha, beta)
        yield evaluate()
