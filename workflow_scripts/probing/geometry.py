"""What follows from distances of labels and their centroids, and what chance would give."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from workflow_scripts.common.errors import UserError
from workflow_scripts.probing.clustering import Clustering, checked_labels
from workflow_scripts.probing.direct_probe import LabelDistances
from workflow_scripts.probing.hulls import checked, separable


@dataclass(frozen=True)
class Similarity:
    """Pearson correlation of two vectors of label distances.

    Attributes
    ----------
    value : float or None
        −1 to 1; None where it is not defined.
    reason : str or None
        Why it is not defined.
    labels : int
        Labels that both vectors have.
    """

    value: float | None
    reason: str | None
    labels: int


def similarity(
    first: LabelDistances, second: LabelDistances, names: tuple[str, str] = ("first", "second")
) -> Similarity:
    """How similar the relative positions of labels are in two representations or sets of examples.

    Only over labels that both have, and only where these are linear in both: a hyperplane separates
    each pair.

    Parameters
    ----------
    first, second : LabelDistances
        For instance of train and test examples, or before and after fine-tuning.
    names : tuple of (str, str)
        What the two are, for the reason.

    References
    ----------
    Zhou & Srikumar (2022), section 3.2.
    """
    common = np.intersect1d(first.labels, second.labels)
    a, b = first.among(common), second.among(common)

    def undefined(reason: str) -> Similarity:
        return Similarity(None, reason, len(common))

    if len(common) < 3:
        return undefined(f"{len(common)} labels in both, at least 3 are needed")
    for name, distances in zip(names, (a, b), strict=True):
        for state in ("overlapping", "undecided"):
            if count := int((distances.state == state).sum()):
                return undefined(
                    f"{name}: {count} of {len(distances.state)} pairs of labels are {state}"
                )
    centred = [values.distance - values.distance.mean() for values in (a, b)]
    sizes = [float(np.linalg.norm(values)) for values in centred]
    for name, size, values in zip(names, sizes, (a, b), strict=True):
        if size <= 1e-12 * np.linalg.norm(values.distance):
            return undefined(f"{name}: all distances are equal")
    return Similarity(float(np.clip(centred[0] @ centred[1] / (sizes[0] * sizes[1]), -1, 1)), None,
                      len(common))  # fmt: skip


@dataclass(frozen=True, eq=False)
class Spread:
    """Distances of points of the same cluster, all clusters of a label together.

    Attributes
    ----------
    label : int
        Label id of the clusters.
    pairs : int
        Number of pairs of points in one cluster.
    mean, largest : float
        Mean and largest distance of these pairs; NaN if there is no pair.
    """

    label: int
    pairs: int
    mean: float
    largest: float


def spreads(x: np.ndarray, found: Clustering) -> tuple[Spread, ...]:
    """How far the points of each label's clusters are from each other; labels ascending.

    Parameters
    ----------
    x : ndarray of shape (n, d)
        Rows that ``found`` is of.
    found : Clustering
        From ``clustering``.
    """
    (x,) = checked(x)
    result = []
    for label in np.unique(found.labels):
        pairs, total, largest = 0, 0.0, np.nan
        for k in np.flatnonzero(found.labels == label):
            for distances in _distances(x[found.index == k]):
                pairs += len(distances)
                total += float(distances.sum())
                largest = float(np.fmax(largest, distances.max()))
        result.append(Spread(int(label), pairs, total / pairs if pairs else np.nan, largest))
    return tuple(result)


def _distances(points: np.ndarray, block: int = 256) -> Iterator[np.ndarray]:
    """Distances of all pairs of points, each pair once, some rows at a time."""
    points = points - points.mean(axis=0)
    squares = np.einsum("ij,ij->i", points, points)
    for start in range(0, len(points) - 1, block):
        rows = np.arange(start, min(start + block, len(points)))
        squared = squares[rows, None] + squares[start:] - 2 * points[rows] @ points[start:].T
        later = np.arange(start, len(points)) > rows[:, None]
        if later.any():
            yield np.sqrt(np.maximum(squared[later], 0.0))


def centroids(x: np.ndarray, labels: np.ndarray, names: np.ndarray) -> np.ndarray:
    """Mean of the points of each label, float64 of shape (L, d); NaN for a label without points.

    Parameters
    ----------
    x : ndarray of shape (n, d)
        Rows are points.
    labels : ndarray of shape (n,), integers
        Label of each row.
    names : ndarray of shape (L,), integers
        Labels in the order of the result.
    """
    x, labels = checked_labels(x, labels)
    missing = np.full(x.shape[1], np.nan)
    return np.stack(
        [x[labels == name].mean(axis=0) if (labels == name).any() else missing for name in names]
    )


@dataclass(frozen=True, eq=False)
class Paths:
    """Paths of centroids in the plane in which they differ most.

    Attributes
    ----------
    coordinates : ndarray of shape (S, L, 2)
        Of each label at each step; NaN where it has no points.
    axes : ndarray of shape (2, d)
        Orthonormal; the largest entry of each is positive. Zeros where nothing varies.
    centre : ndarray of shape (d,)
        Origin of the coordinates.
    share : ndarray of shape (2,)
        Share of the variance along each axis; 0 where nothing varies.
    """

    coordinates: np.ndarray
    axes: np.ndarray
    centre: np.ndarray
    share: np.ndarray


def paths(steps: Sequence[np.ndarray]) -> Paths:
    """Principal component analysis of the centroids of all steps together: the same axes for all.

    Parameters
    ----------
    steps : sequence of S ndarrays of shape (L, d)
        Centroids of the same labels at each step (checkpoints of a layer, or differences between
        before and after of each layer), from ``centroids``.
    """
    stacked = np.asarray(steps, dtype=np.float64)
    if stacked.ndim != 3:
        raise UserError(f"centroids: got shape {stacked.shape}, expected (steps, labels, d)")
    rows = stacked.reshape(-1, stacked.shape[2])
    known = np.isfinite(rows).all(axis=1)
    if not known.any():
        raise UserError("centroids: no label has points")
    centre = rows[known].mean(axis=0)
    _, values, vectors = np.linalg.svd(rows[known] - centre, full_matrices=False)
    axes, share = np.zeros((2, rows.shape[1])), np.zeros(2)
    total = float((values**2).sum())
    for axis in range(min(2, len(values))):
        if values[axis] > 1e-12 * max(float(np.abs(rows[known]).max()), 1e-300):
            vector = vectors[axis]
            axes[axis] = vector * np.sign(vector[np.argmax(np.abs(vector))])
            share[axis] = values[axis] ** 2 / total
    coordinates = (rows - centre) @ axes.T
    return Paths(coordinates.reshape(*stacked.shape[:2], 2), axes, centre, share)


@dataclass(frozen=True)
class Control:
    """Whether a pair of labels is separable, and whether it would be with shuffled labels.

    Attributes
    ----------
    first, second : int
        Labels, ``first < second``.
    state : str
        Of the pair as it is: ``separated``, ``overlapping`` or ``undecided``.
    shuffled : float
        Share of the shuffles whose two sets a hyperplane separates, 0 to 1.
    undecided : int
        Shuffles that could not be decided; they do not count as separated.
    n, smaller : int
        Points of both labels, and of the one that has fewer.
    n_per_d : float
        n / d. Of points in general position any division is separable up to n = d + 1, and half of
        all divisions at n = 2 (d + 1); more where one label has few points.
    """

    first: int
    second: int
    state: str
    shuffled: float
    undecided: int
    n: int
    smaller: int
    n_per_d: float

    @property
    def vacuous(self) -> bool:
        """Whether chance alone separates the pair in at least half of the shuffles."""
        return self.shuffled >= 0.5


def controls(
    x: np.ndarray, labels: np.ndarray, states: np.ndarray, shuffles: int = 10, seed: int = 0
) -> tuple[Control, ...]:
    """Controls of each "linear": whether labels without meaning are separable as well.

    Parameters
    ----------
    x : ndarray of shape (n, d)
        Rows are points.
    labels : ndarray of shape (n,), integers
        Label of each row. They are shuffled within each pair, whose counts stay.
    states : ndarray of shape (L (L − 1) / 2,), str
        Of the labels as they are: ``LabelDistances.state``.
    shuffles : int
        Shuffles of each pair.
    seed : int
        Of the shuffles; those of a pair do not depend on other labels.

    References
    ----------
    Cover (1965); the papers have no such control.
    """
    x, labels = checked_labels(x, labels)
    if shuffles < 1:
        raise UserError(f"shuffles: got {shuffles}, expected 1 or more")
    names = np.unique(labels)
    first, second = np.triu_indices(len(names), k=1)
    if len(states) != len(first):
        raise UserError(f"states: got {len(states)}, expected {len(first)} pairs of labels")
    result = []
    for a, b, state in zip(names[first].tolist(), names[second].tolist(), states, strict=True):
        rows = np.flatnonzero((labels == a) | (labels == b))
        points, own = x[rows], labels[rows] == a
        found = []
        for number in range(shuffles):
            random = np.random.default_rng([seed, abs(a), abs(b), number])
            drawn = random.permutation(own)
            found.append(separable(points[drawn], points[~drawn]).state)
        result.append(
            Control(
                first=a,
                second=b,
                state=str(state),
                shuffled=found.count("separated") / shuffles,
                undecided=found.count("undecided"),
                n=len(rows),
                smaller=int(min(own.sum(), (~own).sum())),
                n_per_d=len(rows) / x.shape[1],
            )
        )
    return tuple(result)
