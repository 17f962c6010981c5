"""Clusters of points of one label whose convex hulls meet no other label's cluster.

The algorithm of DirectProbe: every point is a cluster; the closest pair of clusters of one label
(by centroid) is merged unless the hull of the union meets the hull of a cluster of another label;
a pair that is rejected never comes again; the end is when no pair is left. What makes it fast
changes no decision: labels that a hyperplane separates as wholes need no test, hulls only grow (so
that an overlap stays one, and a separation from a whole label holds for its clusters), and a
hyperplane or an overlap once known is tried first.

References
----------
Zhou & Srikumar (2021), DirectProbe, algorithm 1; Zhou & Srikumar (2022), section 3.2.
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from workflow_scripts.common.errors import UserError
from workflow_scripts.probing.hulls import (
    Hulls,
    Search,
    checked,
    closest_points,
    rounding,
    separable,
)
from workflow_scripts.probing.linkage import Linkage, closest_first, joining_order


@dataclass(frozen=True, eq=False)
class LabelPair:
    """Two labels, as wholes.

    Attributes
    ----------
    first, second : int
        Labels, ``first < second``.
    hulls : Hulls
        Of the first label's points and the second's; its rows are rows of the data.
    """

    first: int
    second: int
    hulls: Hulls


@dataclass(frozen=True, eq=False)
class Rejection:
    """A pair of clusters that was not merged.

    Attributes
    ----------
    label : int
        Label of the pair.
    rows, other_rows : ndarray of int64
        Rows of the pair, and of a cluster of another label, with a weight above 0.
    weights, other_weights : ndarray
        Their weights: the two convex combinations coincide. For an undecided pair they do not,
        and are the closest that could be computed.
    undecided : bool
        Neither a hyperplane nor an overlap could be shown.
    """

    label: int
    rows: np.ndarray
    weights: np.ndarray
    other_rows: np.ndarray
    other_weights: np.ndarray
    undecided: bool


@dataclass(frozen=True, eq=False)
class Clustering:
    """The clusters of a set of labelled points.

    Attributes
    ----------
    index : ndarray of shape (n,), int64
        Cluster of each row, 0 to K − 1, numbered by their first rows.
    labels : ndarray of shape (K,), int64
        Label of each cluster.
    pairs : tuple of LabelPair
        Every pair of labels, ``first`` and then ``second`` ascending.
    rejections : tuple of Rejection
        One for each overlap that kept two clusters apart; later pairs that the same overlap keeps
        apart are not repeated.
    duplicates : tuple of (int, int)
        Rows of different labels that are equal, one pair for every row that has such a twin. These
        rows stay clusters of their own.
    """

    index: np.ndarray
    labels: np.ndarray
    pairs: tuple[LabelPair, ...]
    rejections: tuple[Rejection, ...]
    duplicates: tuple[tuple[int, int], ...]

    @property
    def linear(self) -> bool:
        """Whether a hyperplane separates each pair of labels."""
        return all(pair.hulls.state == "separated" for pair in self.pairs)

    @property
    def undecided(self) -> int:
        """Decisions that could not be taken, whole labels and clusters; such are not merged."""
        return sum(pair.hulls.state == "undecided" for pair in self.pairs) + sum(
            rejection.undecided for rejection in self.rejections
        )


def checked_labels(x: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Points as float64, labels as int64; ``UserError`` unless each row has one label."""
    (points,) = checked(x)
    given = np.asarray(labels)
    if given.shape != (len(points),) or not np.issubdtype(given.dtype, np.integer):
        raise UserError(
            f"labels: got {given.dtype} of shape {given.shape}, expected {len(points)} integers"
        )
    return points, given.astype(np.int64)


def label_pairs(
    x: np.ndarray, labels: np.ndarray, tolerance: float | None = None
) -> tuple[LabelPair, ...]:
    """Every pair of labels: separated, overlapping or undecided, and how far apart.

    Parameters
    ----------
    x : ndarray of shape (n, d)
        Rows are points.
    labels : ndarray of shape (n,), integers
        Label of each row.
    tolerance : float or None
        Relative difference of the bounds of the distance aimed at; None: only decide.
    """
    x, labels = checked_labels(x, labels)
    names = np.unique(labels)
    rows = {int(name): np.flatnonzero(labels == name) for name in names}
    directions = _discriminants(x, rows)
    pairs = []
    for place, first in enumerate(rows):
        for second in list(rows)[place + 1 :]:
            sides = x[rows[first]], x[rows[second]]
            if tolerance is None:
                hulls = separable(*sides, [directions[first] - directions[second]])
            else:
                hulls = closest_points(*sides, tolerance)
            hulls = replace(
                hulls, rows_x=rows[first][hulls.rows_x], rows_y=rows[second][hulls.rows_y]
            )
            pairs.append(LabelPair(first, second, hulls))
    return tuple(pairs)


def _discriminants(x: np.ndarray, rows: dict[int, np.ndarray]) -> dict[int, np.ndarray]:
    """Linear discriminants of all labels, one covariance for all; differences separate pairs."""
    means = {name: x[own].mean(axis=0) for name, own in rows.items()}
    within = np.zeros((x.shape[1],) * 2)
    for name, own in rows.items():
        centred = x[own] - means[name]
        within += centred.T @ centred
    size = np.trace(within) / len(within)
    if not size > 0:
        return means
    factor = cho_factor(within + 1e-6 * size * np.eye(len(within)))
    return {name: cho_solve(factor, mean) for name, mean in means.items()}


def clustering(x: np.ndarray, labels: np.ndarray) -> Clustering:
    """The clusters of labelled points, with the certificate of each decision.

    Parameters
    ----------
    x : ndarray of shape (n, d)
        Rows are points.
    labels : ndarray of shape (n,), integers
        Label of each row.

    Raises
    ------
    UserError
        If x has no rows or values that are not finite, or labels are not one integer per row.
    """
    x, labels = checked_labels(x, labels)
    pairs = label_pairs(x, labels)
    touching: dict[int, set[int]] = {}
    for pair in pairs:
        if pair.hulls.state != "separated":
            touching.setdefault(pair.first, set()).add(pair.second)
            touching.setdefault(pair.second, set()).add(pair.first)
    owner = np.unique(labels, return_inverse=True)[1].astype(np.int64)
    rejections: list[Rejection] = []
    duplicates: list[tuple[int, int]] = []
    for component in _components(touching):
        rows = np.flatnonzero(np.isin(labels, component))
        merging = _Merging(x[rows], labels[rows], touching)
        merging.run()
        owner[rows] = owner.max() + 1 + merging.owner
        duplicates += [(int(rows[i]), int(rows[j])) for i, j in merging.duplicates]
        rejections += [
            replace(r, rows=rows[r.rows], other_rows=rows[r.other_rows]) for r in merging.rejections
        ]
    _, first, inverse = np.unique(owner, return_index=True, return_inverse=True)
    rank = np.argsort(np.argsort(first))
    return Clustering(
        index=rank[inverse].astype(np.int64),
        labels=labels[np.sort(first)],
        pairs=pairs,
        rejections=tuple(rejections),
        duplicates=tuple(duplicates),
    )


def _components(touching: dict[int, set[int]]) -> list[list[int]]:
    """Labels that must be clustered together: connected by pairs that are not separated."""
    left, components = set(touching), []
    while left:
        component, new = set(), {min(left)}
        while new:
            component |= new
            new = {other for label in new for other in touching[label]} - component
        components.append(sorted(component))
        left -= component
    return components


class _Planes:
    """Hyperplanes between two labels, and which points of each are on the right side.

    Hulls of points on the right side of one hyperplane do not meet.
    """

    def __init__(
        self, points: dict[int, np.ndarray], joining: dict[int, np.ndarray], certain: float
    ) -> None:
        self.points, self.joining, self.certain = points, joining, certain
        self.right = {name: np.zeros((len(own), 8), dtype=bool) for name, own in points.items()}
        self.count = 0
        first, second = points
        self._separate_many(first, second)
        self._separate_many(second, first)

    def add(
        self, label: int, other: int, direction: np.ndarray, sides: tuple[np.ndarray, ...] | None
    ) -> None:
        """Add a hyperplane with all of the other label behind it, or one between some points.

        ``sides``: places of these points in both labels; the hyperplane is half-way between them,
        so that others may be on the right side as well.
        """
        along = {name: own @ direction for name, own in self.points.items()}
        if sides is None:
            end = float(along[other].max())
            beyond, behind = along[label] - end > self.certain, np.ones(len(along[other]), bool)
        else:
            middle = float(along[label][sides[0]].min() + along[other][sides[1]].max()) / 2
            beyond, behind = along[label] - middle > self.certain, along[other] - middle < 0
        if self.count == self.right[label].shape[1]:
            self.right = {k: np.hstack([v, np.zeros_like(v)]) for k, v in self.right.items()}
        self.right[label][:, self.count] = beyond
        self.right[other][:, self.count] = behind
        self.count += 1

    def of(self, label: int, places: np.ndarray) -> np.ndarray:
        """Hyperplanes (numbers) that some points of a label are on the right side of."""
        return np.flatnonzero(self.right[label][places, : self.count].all(axis=0))

    def _separate_many(self, label: int, other: int) -> None:
        """Hyperplanes beyond the whole other label, with as many points as two orders allow.

        Along a discriminant; and as points join the largest cluster if nothing is checked, which
        is how clusters will grow.
        """
        points, others = self.points[label], self.points[other]
        names = np.repeat([0, 1], [len(points), len(others)])
        rows = {k: np.flatnonzero(names == k) for k in (0, 1)}
        means = _discriminants(np.concatenate([points, others]), rows)
        direction = means[0] - means[1]
        for order in (np.argsort(-(points @ direction), kind="stable"), self.joining[label]):
            least, most = 0, len(order)
            while most - least > max(1, len(order) // 100):
                middle = (least + most) // 2
                chosen = np.sort(order[:middle])
                if len(self.of(label, chosen)):
                    least = middle
                    continue
                hulls = Search(points[chosen], others).run([direction], None)
                if hulls.state == "separated":
                    least = middle
                    self.add(label, other, hulls.direction, None)
                else:
                    most = middle


class _Overlap:
    """A known overlap, and the clusters that its points are in now, on either side."""

    def __init__(self, rejection: Rejection, owner: np.ndarray) -> None:
        self.rejection, self.listed = rejection, False
        self.sides = (
            set(owner[rejection.rows].tolist()),
            set(owner[rejection.other_rows].tolist()),
        )

    def blocks(self, label: int, low: int, high: int) -> bool:
        """Whether the union of two clusters of a label meets a single cluster of the other."""
        own, other = self.sides if label == self.rejection.label else self.sides[::-1]
        return own <= {low, high} and len(other) == 1


class _Merging:
    """Clusters of labels that overlap with each other, and their merging."""

    def __init__(self, x: np.ndarray, labels: np.ndarray, touching: dict[int, set[int]]) -> None:
        self.x = x - x.mean(axis=0)
        self.labels, self.touching = labels, touching
        self.certain = rounding(float(np.linalg.norm(self.x, axis=1).max()), x.shape[1])
        self.owner = np.arange(len(x))
        self.members = {i: np.array([i]) for i in range(len(x))}
        self.rows = {int(name): np.flatnonzero(labels == name) for name in np.unique(labels)}
        self.points = {name: self.x[rows] for name, rows in self.rows.items()}
        # Row -> place among the rows of its label.
        self.place = np.zeros(len(x), dtype=np.int64)
        for rows in self.rows.values():
            self.place[rows] = np.arange(len(rows))
        joining = {name: joining_order(points) for name, points in self.points.items()}
        self.planes: dict[tuple[int, int], _Planes] = {}
        for name in self.rows:
            for other in sorted(touching[name]):
                if name < other:
                    both = {k: self.points[k] for k in (name, other)}
                    self.planes[name, other] = _Planes(both, joining, self.certain)
                    self.planes[other, name] = self.planes[name, other]
        # Of a cluster and another label: rows that the last hyperplane between them rests on.
        self.support: dict[tuple[int, int], np.ndarray] = {}
        # Clusters and labels that they overlap with as wholes, as whatever grows from them will;
        # labels that the union under test does.
        self.blocked: set[tuple[int, int]] = set()
        self.met: set[int] = set()
        self.new_support: dict[int, np.ndarray] = {}
        self.overlaps: dict[int, set[_Overlap]] = {}
        self.spheres: dict[int, tuple[np.ndarray, float]] = {}
        self.rejections: list[Rejection] = []
        self.duplicates: list[tuple[int, int]] = []

    def run(self) -> None:
        """Merge until no pair is left."""
        linkages = {name: Linkage(self.points[name], rows) for name, rows in self.rows.items()}
        self._set_duplicates_aside(linkages)
        number = len(self.x)
        for label, low, high in closest_first(linkages):
            if self._is_disjoint(label, low, high):
                linkages[label].merge(low, high, number)
                self._merge(label, low, high, number)
                number += 1

    def _set_duplicates_aside(self, linkages: dict[int, Linkage]) -> None:
        """Rows equal to one of another label overlap already: no union with them is allowed."""
        _, group = np.unique(self.x, axis=0, return_inverse=True)
        group = group.ravel()
        by_group = np.argsort(group, kind="stable")
        for same in np.split(by_group, np.flatnonzero(np.diff(group[by_group])) + 1):
            for row in same.tolist():
                others = same[self.labels[same] != self.labels[row]]
                if len(others):
                    linkages[int(self.labels[row])].remove(row)
                    self.duplicates.append((row, int(others[0])))
        self.duplicates.sort()

    def _merge(self, label: int, low: int, high: int, number: int) -> None:
        self.members[number] = np.concatenate([self.members.pop(low), self.members.pop(high)])
        self.owner[self.members[number]] = number
        for other in self.touching[label]:
            if other in self.met or {(low, other), (high, other)} & self.blocked:
                self.blocked.add((number, other))
            found = [self.support.pop((k, other), None) for k in (low, high)]
            found.append(self.new_support.get(other))
            known = [rows for rows in found if rows is not None]
            if known:
                self.support[number, other] = known[-1]
        moved = self.overlaps.pop(low, set()) | self.overlaps.pop(high, set())
        for overlap in moved:
            for side in overlap.sides:
                if side & {low, high}:
                    side.difference_update((low, high))
                    side.add(number)
        if moved:
            self.overlaps[number] = moved

    def _is_disjoint(self, label: int, low: int, high: int) -> bool:
        """Whether the hull of the union of two clusters is shown to meet no other label's."""
        for overlap in self.overlaps.get(low, set()) & self.overlaps.get(high, set()):
            if overlap.blocks(label, low, high):
                self._list(overlap)
                return False
        self.met.clear()
        self.new_support.clear()
        return all(
            self._is_disjoint_from(label, low, high, other)
            for other in sorted(self.touching[label])
        )

    def _is_disjoint_from(self, label: int, low: int, high: int, other: int) -> bool:
        """Whether the hull of the union is shown to meet no cluster of one other label."""
        rows = np.concatenate([self.members[low], self.members[high]])
        whole = self.rows[other]
        groups = self._not_known(label, rows, other, whole)
        if groups and not {(low, other), (high, other)} & self.blocked:
            groups = [whole]
        planes = self.planes[label, other]
        while groups:
            group = groups.pop()
            hulls = Search(self.x[rows], self.x[group]).run(
                (), tolerance=None, start=self._start(rows, group, (low, high), other)
            )
            if hulls.state == "separated":
                self.new_support[other] = np.concatenate([rows[hulls.rows_x], group[hulls.rows_y]])
                sides = None if group is whole else (self.place[rows], self.place[group])
                planes.add(label, other, hulls.direction, sides)
                continue
            if group is whole:
                self.met.add(other)
            overlap = _Overlap(
                Rejection(
                    label=label,
                    rows=rows[hulls.rows_x],
                    weights=hulls.weights_x,
                    other_rows=group[hulls.rows_y],
                    other_weights=hulls.weights_y,
                    undecided=hulls.state == "undecided",
                ),
                self.owner,
            )
            single = len(np.unique(self.owner[group])) == 1
            if hulls.state == "overlapping":
                for number in overlap.sides[0] | overlap.sides[1]:
                    self.overlaps.setdefault(number, set()).add(overlap)
            if single or (hulls.state == "overlapping" and len(overlap.sides[1]) == 1):
                self._list(overlap)
                return False
            groups += self._not_known(label, rows, other, group)
        return True

    def _start(self, rows, group, pair, other) -> tuple[np.ndarray, np.ndarray] | None:
        """Places in ``rows`` and ``group`` to look at first: what is known of the two clusters."""
        known = [self.support[k, other] for k in pair if (k, other) in self.support]
        if not known:
            return None
        support = np.concatenate(known)
        added = min((self.members[k] for k in pair), key=len)[:50]
        return (
            np.flatnonzero(np.isin(rows, np.concatenate([support, added]))),
            np.flatnonzero(np.isin(group, support)),
        )

    def _not_known(self, label, rows, other, group) -> list[np.ndarray]:
        """Rows of another label's clusters that may meet a union, the nearer half last.

        Without the clusters that a known hyperplane separates from it, and those whose smallest
        spheres about their centroids do not touch that of the union.
        """
        planes = self.planes[label, other]
        numbers = planes.of(label, self.place[rows])
        right = planes.right[other][:, numbers]
        if right.all(axis=0).any():
            return []
        order = np.argsort(self.owner[group], kind="stable")
        owners, first = np.unique(self.owner[group][order], return_index=True)
        separated = np.logical_and.reduceat(right[self.place[group][order]], first, axis=0)
        left = owners[~separated.any(axis=1)].tolist()
        if not left:
            return []
        centre, radius = _sphere(self.x[rows])
        near = []
        for number in left:
            if number not in self.spheres:
                self.spheres[number] = _sphere(self.x[self.members[number]])
            other_centre, other_radius = self.spheres[number]
            distance = float(np.linalg.norm(centre - other_centre))
            if distance <= radius + other_radius + self.certain:
                near.append((distance, number))
        near.sort(reverse=True)
        ordered = [self.members[number] for _, number in near]
        middle = len(ordered) // 2
        return [np.concatenate(half) for half in (ordered[:middle], ordered[middle:]) if half]

    def _list(self, overlap: _Overlap) -> None:
        if not overlap.listed:
            overlap.listed = True
            self.rejections.append(overlap.rejection)


def _sphere(points: np.ndarray) -> tuple[np.ndarray, float]:
    """Mean of some points, and the largest distance of one from it."""
    centre = points.mean(axis=0)
    return centre, float(np.linalg.norm(points - centre, axis=1).max())
