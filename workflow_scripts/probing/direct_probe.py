"""DirectProbe: what a representation's geometry says about labels, without training a classifier.

``separable``, ``hull_distance`` and ``closest_points`` compare two sets of points, ``cluster`` and
``clustering`` divide labelled points into clusters that hyperplanes separate, ``predict`` finds the
nearest cluster of other points, ``label_distances`` says how far apart labels are.

References
----------
Zhou & Srikumar (2021), DirectProbe; Zhou & Srikumar (2022), section 3.2.
"""

from dataclasses import dataclass

import numpy as np

from workflow_scripts.common.errors import UserError
from workflow_scripts.probing.clustering import (
    Clustering,
    LabelPair,
    checked_labels,
    clustering,
    label_pairs,
)
from workflow_scripts.probing.hulls import (
    Hulls,
    Search,
    checked,
    closest_points,
    hull_distance,
    rounding,
    separable,
)

__all__ = [
    "Clustering",
    "Hulls",
    "LabelDistances",
    "LabelPair",
    "Prediction",
    "closest_points",
    "cluster",
    "cluster_distances",
    "clustering",
    "hull_distance",
    "label_distances",
    "label_pairs",
    "mean_cluster_distances",
    "predict",
    "separable",
]


def cluster(x: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Cluster of each row: ``clustering`` without its certificates.

    Parameters
    ----------
    x : ndarray of shape (n, d)
        Rows are points.
    labels : ndarray of shape (n,), of any type
        Label of each row.

    Returns
    -------
    ndarray of shape (n,), int64
        0 to K − 1, numbered by their first rows.
    """
    _, numbers = np.unique(labels, return_inverse=True)
    return clustering(x, numbers).index


@dataclass(frozen=True, eq=False)
class LabelDistances:
    """Distances of all pairs of labels.

    Attributes
    ----------
    labels : ndarray of shape (L,), int64
        Labels present, ascending.
    distance : ndarray of shape (L (L − 1) / 2,)
        Of the first label and the second, the first and the third, ...; 0 if a pair overlaps, NaN
        if that is undecided.
    lower : ndarray of shape (L (L − 1) / 2,)
        Lower bounds; ``distance`` is the upper one.
    state : ndarray of shape (L (L − 1) / 2,), str
        ``separated``, ``overlapping`` or ``undecided``.
    """

    labels: np.ndarray
    distance: np.ndarray
    lower: np.ndarray
    state: np.ndarray

    @property
    def linear(self) -> bool:
        """Whether a hyperplane separates each pair of labels."""
        return bool((self.state == "separated").all())

    @property
    def nearest(self) -> np.ndarray:
        """Distance of each label (L,) to the nearest other; NaN where none is known."""
        first, second = np.triu_indices(len(self.labels), k=1)
        nearest = np.full(len(self.labels), np.inf)
        known = np.where(np.isnan(self.distance), np.inf, self.distance)
        np.minimum.at(nearest, first, known)
        np.minimum.at(nearest, second, known)
        return np.where(np.isinf(nearest), np.nan, nearest)

    def among(self, labels: np.ndarray) -> "LabelDistances":
        """Of some of the labels only; those that are absent are left out."""
        kept = np.isin(self.labels, labels)
        first, second = np.triu_indices(len(self.labels), k=1)
        pairs = kept[first] & kept[second]
        return LabelDistances(
            self.labels[kept], self.distance[pairs], self.lower[pairs], self.state[pairs]
        )


def label_distances(x: np.ndarray, labels: np.ndarray, tolerance: float = 1e-8) -> LabelDistances:
    """How far apart the convex hulls of labels are.

    Parameters
    ----------
    x : ndarray of shape (n, d)
        Rows are points.
    labels : ndarray of shape (n,), integers
        Label of each row.
    tolerance : float
        Relative difference of upper and lower bound aimed at.
    """
    x, labels = checked_labels(x, labels)
    hulls = [pair.hulls for pair in label_pairs(x, labels, tolerance)]
    return LabelDistances(
        labels=np.unique(labels),
        distance=np.array([h.distance for h in hulls]),
        lower=np.array([h.lower for h in hulls]),
        state=np.array([h.state for h in hulls], dtype=str),
    )


def cluster_distances(
    x: np.ndarray, found: Clustering, tolerance: float = 1e-8
) -> dict[tuple[int, int], Hulls]:
    """Closest points of all pairs of clusters of different labels.

    Parameters
    ----------
    x : ndarray of shape (n, d)
        Rows that ``found`` is of.
    found : Clustering
        From ``clustering``.
    tolerance : float
        Relative difference of upper and lower bound aimed at.

    Returns
    -------
    dict of (int, int) to Hulls
        By cluster, the lower number first; rows are those of the clusters, ascending.
    """
    (x,) = checked(x)
    rows = [np.flatnonzero(found.index == k) for k in range(len(found.labels))]
    return {
        (i, j): closest_points(x[rows[i]], x[rows[j]], tolerance)
        for i in range(len(rows))
        for j in range(i + 1, len(rows))
        if found.labels[i] != found.labels[j]
    }


def mean_cluster_distances(
    found: Clustering, distances: dict[tuple[int, int], Hulls]
) -> np.ndarray:
    """Mean distance of the clusters of each pair of labels, in the order of ``LabelDistances``.

    What the code of the paper takes for the distance of labels that have several clusters. The
    distance of their hulls where both have one.

    Parameters
    ----------
    found : Clustering
        From ``clustering``.
    distances : dict of (int, int) to Hulls
        From ``cluster_distances``.
    """
    names = np.unique(found.labels)
    of_pair: dict[tuple[int, int], list[float]] = {
        (int(a), int(b)): [] for k, a in enumerate(names) for b in names[k + 1 :]
    }
    for (i, j), hulls in distances.items():
        low, high = sorted((int(found.labels[i]), int(found.labels[j])))
        of_pair[low, high].append(hulls.distance)
    return np.array([np.mean(values) for values in of_pair.values()])


@dataclass(frozen=True, eq=False)
class Prediction:
    """The nearest cluster of each of t points.

    Attributes
    ----------
    cluster : ndarray of shape (t,), int64
        Cluster whose hull is nearest; of several that hold the point the lowest.
    label : ndarray of shape (t,), int64
        Its label.
    distance : ndarray of shape (t,)
        Distance of its hull, an upper bound: that of a point of the hull.
    other : ndarray of shape (t,)
        Lower bound of the distance of all hulls of other labels.
    certified : ndarray of shape (t,), bool
        ``distance < other``: no other label can be nearer. Not so where hulls of two labels hold
        the point, or are equally far to within the tolerance.
    """

    cluster: np.ndarray
    label: np.ndarray
    distance: np.ndarray
    other: np.ndarray

    @property
    def certified(self) -> np.ndarray:
        return self.distance < self.other


def predict(
    points: np.ndarray, x: np.ndarray, found: Clustering, tolerance: float = 1e-6
) -> Prediction:
    """Nearest cluster of each point, by the distance to its convex hull.

    Parameters
    ----------
    points : ndarray of shape (t, d)
        Points to predict.
    x : ndarray of shape (n, d)
        Rows that ``found`` is of.
    found : Clustering
        From ``clustering``.
    tolerance : float
        Relative difference of the bounds of a distance aimed at, where it matters.
    """
    points, x = checked(points, x)
    if len(found.index) != len(x):
        raise UserError(f"x: got {len(x)} rows, expected the {len(found.index)} of the clustering")
    hulls = [x[found.index == k] for k in range(len(found.labels))]
    lower, upper = (
        np.stack(b, axis=1) for b in zip(*(_bounds(points, h) for h in hulls), strict=True)
    )
    nearest = np.empty(len(points), dtype=np.int64)
    distance, other = np.empty(len(points)), np.empty(len(points))
    for row, point in enumerate(points):
        bounds = {}
        best = np.inf
        for k in np.argsort(upper[row], kind="stable"):
            if lower[row, k] > best:
                bounds[int(k)] = lower[row, k], np.inf
                continue
            bounds[int(k)] = between = _point_to_hull(point, hulls[k], best, tolerance)
            best = min(best, between[1])
        nearest[row] = min(bounds, key=lambda k: (bounds[k][1], k))
        distance[row] = bounds[nearest[row]][1]
        label = found.labels[nearest[row]]
        other[row] = min(
            (low for k, (low, _) in bounds.items() if found.labels[k] != label), default=np.inf
        )
    return Prediction(nearest, found.labels[nearest], distance, other)


def _bounds(
    points: np.ndarray, hull: np.ndarray, block: int = 256
) -> tuple[np.ndarray, np.ndarray]:
    """Bounds of the distance of each point to a hull.

    Below: how far the hull's end is towards the point, along the line to its mean. Above: its
    nearest corner, but for rounding.
    """
    centre = hull.mean(axis=0)
    corners, offsets = hull - centre, points - centre
    squares = np.einsum("ij,ij->i", corners, corners)
    lower, upper = np.empty(len(points)), np.empty(len(points))
    for start in range(0, len(points), block):
        own = offsets[start : start + block]
        length = np.linalg.norm(own, axis=1)
        along = own @ corners.T
        ends = along.max(axis=1) / np.where(length > 0, length, 1.0)
        error = rounding(max(float(length.max()), float(np.sqrt(squares.max()))), hull.shape[1])
        lower[start : start + block] = length - ends - error
        squared = (squares - 2 * along).min(axis=1) + length**2
        upper[start : start + block] = np.sqrt(np.maximum(squared, 0.0))
    return np.maximum(lower, 0.0), upper


def _point_to_hull(
    point: np.ndarray, hull: np.ndarray, enough: float, tolerance: float
) -> tuple[float, float]:
    """Lower and upper bound of a distance, close to each other unless it is more than enough."""
    hulls = Search(hull, point[None]).run((), tolerance, enough)
    return (0.0, 0.0) if hulls.state == "overlapping" else (hulls.lower, hulls.upper)
