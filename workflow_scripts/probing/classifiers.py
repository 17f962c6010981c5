"""Classifier probes: how well a small network, or logistic regression, reads labels from vectors.

The grid is searched on part of the training examples, the best network is trained again on all of
them with several initialisations, and scored on both splits.
"""

import itertools
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier

from workflow_scripts.common.errors import UserError
from workflow_scripts.probing.clustering import checked_labels


@dataclass(frozen=True)
class Grid:
    """Networks to choose from: the same before and after fine-tuning.

    Attributes
    ----------
    hidden : tuple of tuple of int
        Widths of the hidden layers of each network.
    alphas : tuple of float
        Strengths of the L2 penalty.
    max_iter : int
        Most epochs of a training.
    early_stopping : bool
        Stop when a tenth of the training examples, left out, is predicted no better for 10 epochs.
    """

    hidden: tuple[tuple[int, ...], ...]
    alphas: tuple[float, ...]
    max_iter: int
    early_stopping: bool


def paper_grid() -> Grid:
    """Two layers of 32 to 256 units, penalties 1e-7 to 1: Zhou & Srikumar (2022), appendix."""
    return Grid(
        hidden=tuple(itertools.product((32, 64, 128, 256), repeat=2)),
        alphas=tuple(10.0**k for k in range(-7, 1)),
        max_iter=1000,
        early_stopping=False,
    )


def small_grid() -> Grid:
    """Four networks that stop early."""
    return Grid(
        hidden=((32, 32), (128, 128)), alphas=(1e-4, 1e-1), max_iter=200, early_stopping=True
    )


GRIDS = {"small": small_grid, "paper": paper_grid}


@dataclass(frozen=True)
class Probe:
    """Scores of one kind of probe.

    Attributes
    ----------
    kind : str
        ``mlp`` or ``logistic``.
    train, dev : tuple of float
        Accuracy on each split, of every initialisation; logistic regression has one.
    hidden : tuple of int
        Widths of the hidden layers chosen; empty for logistic regression.
    alpha : float
        Penalty chosen; for logistic regression 1 / C.
    selection : float
        Accuracy of the best network of the grid on the examples left out; NaN without a grid.
    unfinished : int
        Trainings, those of the grid included, that reached their most epochs.
    unseen : int
        Dev examples whose label no training example has: each counts as an error.
    """

    kind: str
    train: tuple[float, ...]
    dev: tuple[float, ...]
    hidden: tuple[int, ...]
    alpha: float
    selection: float
    unfinished: int
    unseen: int

    @property
    def mean(self) -> float:
        """Mean accuracy on dev over the initialisations."""
        return float(np.mean(self.dev))

    @property
    def std(self) -> float:
        """Standard deviation (n − 1) of the accuracy on dev; NaN for one initialisation."""
        return float(np.std(self.dev, ddof=1)) if len(self.dev) > 1 else float("nan")


@dataclass(frozen=True, eq=False)
class Split:
    """Vectors and labels of one split.

    Attributes
    ----------
    x : ndarray of shape (n, d)
        Rows are examples.
    labels : ndarray of shape (n,), integers
        Label id of each row.
    """

    x: np.ndarray
    labels: np.ndarray


def mlp_probe(
    train: Split,
    dev: Split,
    grid: Grid | None = None,
    initialisations: int = 5,
    held_out: float = 0.2,
    seed: int = 0,
) -> Probe:
    """Small networks (ReLU, Adam), the best of a grid, with several initialisations.

    Parameters
    ----------
    train, dev : Split
        Dev examples choose nothing.
    grid : Grid or None
        Networks to choose from; None for the small grid.
    initialisations : int
        Trainings of the best one, on all training examples.
    held_out : float
        Share of the training examples that choose, at least one.
    seed : int
        Of the share held out and of all initialisations.

    Raises
    ------
    UserError
        If the training examples have one label only, or are fewer than two.
    """
    grid = grid or small_grid()
    if initialisations < 1 or not grid.hidden or not grid.alphas:
        raise UserError(
            f"probe: got {initialisations} initialisations of {len(grid.hidden)} × "
            f"{len(grid.alphas)} networks, expected 1 or more of each"
        )
    train, dev = _standardized(train, dev)
    order = np.random.default_rng([seed, 0]).permutation(len(train.x))
    count = min(max(1, round(held_out * len(order))), len(order) - 1)
    chosen, kept = order[:count], order[count:]
    unfinished = 0
    best: tuple[float, tuple[int, ...], float] | None = None
    for hidden, alpha in itertools.product(grid.hidden, grid.alphas):
        network, stopped = _fitted(train.x[kept], train.labels[kept], grid, hidden, alpha, seed)
        unfinished += stopped
        score = _accuracy(network, Split(train.x[chosen], train.labels[chosen]))
        if best is None or score > best[0]:  # of equals the first
            best = score, hidden, alpha
    assert best is not None
    scores: list[tuple[float, float]] = []
    for number in range(initialisations):
        network, stopped = _fitted(train.x, train.labels, grid, best[1], best[2], seed + 1 + number)
        unfinished += stopped
        scores.append((_accuracy(network, train), _accuracy(network, dev)))
    return Probe(
        kind="mlp",
        train=tuple(score for score, _ in scores),
        dev=tuple(score for _, score in scores),
        hidden=best[1],
        alpha=best[2],
        selection=best[0],
        unfinished=unfinished,
        unseen=_unseen(train, dev),
    )


def logistic_probe(train: Split, dev: Split, alpha: float = 1.0, max_iter: int = 1000) -> Probe:
    """Multinomial logistic regression: a convex problem, so that one training is enough.

    Parameters
    ----------
    train, dev : Split
    alpha : float
        Strength of the L2 penalty.
    max_iter : int
        Most iterations.
    """
    train, dev = _standardized(train, dev)
    model, unfinished = _fit(
        LogisticRegression(C=1 / alpha, max_iter=max_iter), train.x, train.labels
    )
    return Probe(
        kind="logistic",
        train=(_accuracy(model, train),),
        dev=(_accuracy(model, dev),),
        hidden=(),
        alpha=alpha,
        selection=float("nan"),
        unfinished=unfinished,
        unseen=_unseen(train, dev),
    )


def majority(train: Split, dev: Split) -> tuple[float, float]:
    """Accuracy on train and on dev of the most frequent training label, what chance would give."""
    names, counts = np.unique(train.labels, return_counts=True)
    most = names[counts.argmax()]
    return float(np.mean(train.labels == most)), float(np.mean(dev.labels == most))


def _standardized(train: Split, dev: Split) -> tuple[Split, Split]:
    """Both splits with the training mean and deviation taken out; constant features become 0."""
    x, labels = checked_labels(train.x, train.labels)
    other, other_labels = checked_labels(dev.x, dev.labels)
    if x.shape[1] != other.shape[1]:
        raise UserError(f"dev: got width {other.shape[1]}, expected {x.shape[1]} as in train")
    if len(np.unique(labels)) < 2:
        raise UserError(f"train: all {len(labels)} examples have one label, a probe needs two")
    mean, deviation = x.mean(axis=0), x.std(axis=0)
    constant = deviation <= 1e-12 * np.maximum(np.abs(mean), np.finfo(float).tiny)
    scale = np.where(constant, 0.0, 1 / np.where(constant, 1.0, deviation))
    return Split((x - mean) * scale, labels), Split((other - mean) * scale, other_labels)


def _fitted(
    x: np.ndarray, labels: np.ndarray, grid: Grid, hidden: Sequence[int], alpha: float, seed: int
) -> tuple[MLPClassifier, int]:
    # Early stopping leaves out a tenth of each label, which needs two examples of each.
    _, counts = np.unique(labels, return_counts=True)
    early = grid.early_stopping and counts.min() >= 2 and len(labels) // 10 >= len(counts)
    return _fit(
        MLPClassifier(
            hidden_layer_sizes=tuple(hidden),
            alpha=alpha,
            max_iter=grid.max_iter,
            early_stopping=early,
            random_state=seed,
        ),
        x,
        labels,
    )


def _fit(model, x: np.ndarray, labels: np.ndarray):
    """The model, fitted, and whether it was stopped before it had converged."""
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always", ConvergenceWarning)
        model.fit(x, labels)
    return model, int(any(issubclass(w.category, ConvergenceWarning) for w in seen))


def _accuracy(model, split: Split) -> float:
    return float(np.mean(model.predict(split.x) == split.labels))


def _unseen(train: Split, dev: Split) -> int:
    return int((~np.isin(dev.labels, train.labels)).sum())
