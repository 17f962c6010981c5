"""Two convex hulls: disjoint or not, and how far apart, with a certificate of either answer.

The closest points of two hulls solve ``min ‖Xᵀa − Yᵀb‖`` over weights a, b ≥ 0 that sum to 1: a
non-negative least-squares problem. Its answer is a direction that separates the hulls, or weights
of two combinations that coincide. Either is checked here, whatever the solver did.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.linalg import lstsq, qr
from scipy.optimize import nnls

from workflow_scripts.common.errors import UserError

# Two combinations of points coincide if they are closer than this share of the scale: what is left
# of rounding in float64. Vectors of float32 carry 6e-8 of it.
COINCIDE = 1e-12
# Combinations closer than this share of the scale may be made to coincide: the solver's own error
# is up to about 1e-10 of it.
NEAR = 1e-7
# Weights above this may change freely where combinations are made to coincide.
FREE = 1e-5
# Points of each hull that the first attempt looks at (few beside those of a similar problem), and
# how many are added to each at a time.
FIRST, FEW, MORE = 300, 20, 200
# Weight of the rows that make the weights sum to 1, in units of the scale. The closest points do
# not depend on it once the origin is half-way between them, where each attempt moves it.
HEAVY = 10.0
# Weights below this are rounding: without them a point of both sets is its own witness.
NO_WEIGHT = 1e-14
ROUNDS = 1000
# Attempts that may bring nothing new before the answer is taken as it is.
STALLED = 3

State = Literal["separated", "overlapping", "undecided"]


@dataclass(frozen=True, eq=False)
class Hulls:
    """Where two convex hulls lie with respect to each other, with bounds of their distance.

    Attributes
    ----------
    state : {"separated", "overlapping", "undecided"}
        ``separated``: the hyperplane has all rows of x on one side and all of y on the other, by
        more than rounding can be. ``overlapping``: two convex combinations coincide to 1e-12 of
        the scale. ``undecided``: neither could be shown.
    direction : ndarray of shape (d,)
        Unit vector from y to x; zeros where no direction is known.
    offset : float
        The hyperplane is ``direction @ p = offset``.
    lower, upper : float
        Bounds of the distance of the hulls: the margin of the hyperplane (0 if it separates
        nothing) and the distance of the two combinations.
    rows_x, rows_y : ndarray of shape (k,), int64
        Rows of x and of y with a weight above 0; at most d + 2 together for an overlap.
    weights_x, weights_y : ndarray of shape (k,)
        Their weights, each set of sum 1.
    scale : float
        Largest distance of a row from the origin used: half-way between the two means.
    """

    state: State
    direction: np.ndarray
    offset: float
    lower: float
    upper: float
    rows_x: np.ndarray
    weights_x: np.ndarray
    rows_y: np.ndarray
    weights_y: np.ndarray
    scale: float

    def __bool__(self) -> bool:
        """Whether the hulls are separated; ``state`` distinguishes overlapping from undecided."""
        return self.state == "separated"

    @property
    def distance(self) -> float:
        """Distance of the hulls: 0 if they overlap, NaN if undecided, else the upper bound."""
        return {"separated": self.upper, "overlapping": 0.0, "undecided": np.nan}[self.state]


def separable(x: np.ndarray, y: np.ndarray, directions: Sequence[np.ndarray] = ()) -> Hulls:
    """Whether a hyperplane separates two sets of points, with a certificate.

    Parameters
    ----------
    x, y : ndarray of shape (n, d), (m, d)
        Rows are points.
    directions : sequence of ndarray of shape (d,)
        Directions to try first, from y to x.

    Returns
    -------
    Hulls
        Its bounds of the distance are not tight: see ``closest_points``.

    Raises
    ------
    UserError
        If x or y has no rows, another width than the other, or values that are not finite.
    """
    return Search(*checked(x, y)).run(directions, tolerance=None)


def closest_points(x: np.ndarray, y: np.ndarray, tolerance: float = 1e-8) -> Hulls:
    """Closest points of two convex hulls, with lower and upper bound of their distance.

    Parameters
    ----------
    x, y : ndarray of shape (n, d), (m, d)
        Rows are points.
    tolerance : float
        Largest relative difference of the two bounds aimed at; rounding may leave a larger one.

    Raises
    ------
    UserError
        If ``separable`` would raise it.
    """
    return Search(*checked(x, y)).run((), tolerance)


def hull_distance(x: np.ndarray, y: np.ndarray) -> float:
    """Euclidean distance of two convex hulls; 0 if they overlap, NaN if that is undecided.

    Parameters
    ----------
    x, y : ndarray of shape (n, d), (m, d)
        Rows are points.
    """
    return closest_points(x, y).distance


def checked(*sets: np.ndarray) -> list[np.ndarray]:
    """Sets of points as float64. ``UserError`` unless all are finite, of one width, with rows."""
    arrays = [np.asarray(rows, dtype=np.float64) for rows in sets]
    for rows in arrays:
        if rows.ndim != 2 or not rows.size or rows.shape[1] != arrays[0].shape[-1]:
            shapes = ", ".join(str(a.shape) for a in arrays)
            raise UserError(f"points: got shapes {shapes}, expected (n, d) and (m, d), n, m, d > 0")
        if not np.isfinite(rows).all():
            bad = int(np.argmin(np.isfinite(rows).all(axis=1)))
            raise UserError(f"points: row {bad} has a value that is not finite")
    return arrays


def rounding(scale: float, d: int) -> float:
    """Bound of the rounding error of a margin of centred points of norm ≤ scale."""
    return 2 * (d + 4) * np.finfo(np.float64).eps * scale


class Search:
    """The closest points of two hulls, from few points at first; keeps the best bounds."""

    def __init__(self, x: np.ndarray, y: np.ndarray) -> None:
        self.origin = (x.mean(axis=0) + y.mean(axis=0)) / 2
        self.x, self.y = x - self.origin, y - self.origin
        self.scale = float(np.sqrt(max(_squares(self.x).max(), _squares(self.y).max())))
        self.certain = rounding(self.scale, x.shape[1])
        self.lower, self.direction, self.middle = -np.inf, np.zeros(x.shape[1]), 0.0
        self.upper, self.combinations = np.inf, ((0,), (1.0,), (0,), (1.0,))

    def run(
        self,
        directions: Sequence[np.ndarray],
        tolerance: float | None,
        enough: float = np.inf,
        start: tuple[np.ndarray, np.ndarray] | None = None,
    ) -> Hulls:
        """Search until it is decided (tolerance None), or bounds are that close.

        Or until the distance is known to be larger than ``enough``. ``start``: places in x and y
        to look at first.
        """
        if self.scale == 0.0:
            self.upper = 0.0
            return self.result()
        for direction in (*directions, self.x.mean(axis=0) - self.y.mean(axis=0)):
            self.sides(direction)
            if (
                tolerance is None and self.lower > self.certain
            ) or self.lower - self.certain > enough:
                return self.result()
        chosen_x, chosen_y = self.nearest(FIRST if start is None else FEW)
        if start is not None:
            chosen_x, chosen_y = np.union1d(chosen_x, start[0]), np.union1d(chosen_y, start[1])
        middle, stalled = np.zeros_like(self.origin), 0
        for _ in range(ROUNDS):
            found = _weights(self.x[chosen_x], self.y[chosen_y], middle, self.scale)
            if found is None:
                break
            a, b = found
            p, q = a @ self.x[chosen_x], b @ self.y[chosen_y]
            before = self.lower, self.upper
            gap = float(np.linalg.norm(p - q))
            direction = p - q
            if COINCIDE * self.scale < gap <= NEAR * self.scale:
                a, b, direction = _refined(self.x[chosen_x], self.y[chosen_y], a, b, self.scale)
                p, q = a @ self.x[chosen_x], b @ self.y[chosen_y]
                gap = float(np.linalg.norm(p - q))
            if gap < self.upper:
                self.upper = gap
                used_x, used_y = chosen_x[a > 0], chosen_y[b > 0]
                self.combinations = used_x, a[a > 0], used_y, b[b > 0]
            if gap <= COINCIDE * self.scale:
                break
            along_x, along_y = self.sides(direction)
            if self.lower > self.certain and (
                tolerance is None
                or self.lower - self.certain > enough
                or self.upper - self.lower <= tolerance * self.upper
            ):
                break
            middle = (p + q) / 2
            unit = direction / np.linalg.norm(direction)
            new_x = _worst(along_x, float(unit @ p), chosen_x)
            new_y = _worst(-along_y, float(-unit @ q), chosen_y)
            grown = len(new_x) + len(new_y) > 0
            improved = self.lower > before[0] or self.upper < before[1] * (1 - 1e-12)
            stalled = 0 if grown and improved else stalled + 1
            if stalled > STALLED:
                break
            # All that carried weight stays, so that the combinations never move apart.
            chosen_x = np.concatenate([chosen_x[a > 0], new_x]) if grown else chosen_x
            chosen_y = np.concatenate([chosen_y[b > 0], new_y]) if grown else chosen_y
        return self.result()

    def sides(self, direction: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """All points along a direction, whose margin becomes the lower bound if it is larger."""
        norm = float(np.linalg.norm(direction))
        unit = direction / norm if norm > 0 else direction
        along_x, along_y = self.x @ unit, self.y @ unit
        margin = float(along_x.min() - along_y.max())
        if margin > self.lower:
            self.lower, self.direction = margin, unit
            self.middle = float(along_x.min() + along_y.max()) / 2
            i, j = int(along_x.argmin()), int(along_y.argmax())
            gap = float(np.linalg.norm(self.x[i] - self.y[j]))
            if gap < self.upper:
                self.upper, self.combinations = gap, ((i,), (1.0,), (j,), (1.0,))
        return along_x, along_y

    def nearest(self, most: int) -> tuple[np.ndarray, np.ndarray]:
        """Rows that come first along the best direction known: of x its end, of y the other."""
        parts = []
        for along in (self.x @ self.direction, -(self.y @ self.direction)):
            few = min(most, len(along))
            parts.append(np.sort(np.argpartition(along, few - 1)[:few]))
        return parts[0], parts[1]

    def result(self) -> Hulls:
        if self.lower > self.certain:
            state: State = "separated"
        else:
            state = "overlapping" if self.upper <= COINCIDE * self.scale else "undecided"
        rows_x, weights_x, rows_y, weights_y = self.combinations
        return Hulls(
            state=state,
            direction=self.direction,
            offset=self.middle + float(self.direction @ self.origin),
            lower=max(self.lower - self.certain, 0.0),
            upper=self.upper,
            rows_x=np.asarray(rows_x, dtype=np.int64),
            weights_x=np.asarray(weights_x, dtype=np.float64),
            rows_y=np.asarray(rows_y, dtype=np.int64),
            weights_y=np.asarray(weights_y, dtype=np.float64),
            scale=self.scale,
        )


def _squares(rows: np.ndarray) -> np.ndarray:
    return np.einsum("ij,ij->i", rows, rows)


def _weights(x, y, middle, scale) -> tuple[np.ndarray, np.ndarray] | None:
    """Weights, each of sum 1, of the closest points of two hulls; None if the solver fails."""
    columns = np.zeros((x.shape[1] + 2, len(x) + len(y)))
    columns[:-2, : len(x)] = (x - middle).T / scale
    columns[:-2, len(x) :] = (middle - y).T / scale
    columns[-2, : len(x)] = HEAVY
    columns[-1, len(x) :] = HEAVY
    sums = np.zeros(len(columns))
    sums[-2:] = HEAVY
    try:
        weights, _ = nnls(columns, sums)
    except RuntimeError:  # too many iterations
        return None
    weights[weights < NO_WEIGHT] = 0.0
    a, b = weights[: len(x)], weights[len(x) :]
    return (a / a.sum(), b / b.sum()) if a.any() and b.any() else None


def _refined(x, y, a, b, scale) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Weights near the given ones whose combinations are closer, and the direction between them.

    The solver stops where its gradient is small, which it is once the combinations are close. So
    what is left between them is made the size of 1. Larger weights may change freely, for the
    change is small; the others must stay at 0 or above. The direction is orthogonal to what the
    points with a weight span, to rounding of its own size: a difference of the two combinations
    has the rounding error of either.
    """
    middle = a @ x
    columns = np.zeros((x.shape[1] + 2, len(x) + len(y)))
    columns[:-2, : len(x)] = (x - middle).T / scale
    columns[:-2, len(x) :] = (middle - y).T / scale
    columns[-2, : len(x)] = columns[-1, len(x) :] = 1.0
    sums = np.zeros(len(columns))
    sums[-2:] = 1.0
    given = weights = np.concatenate([a, b])
    free = weights > FREE
    base, left = _across(columns[:, free], sums - columns @ np.where(free, weights, 0.0))
    beyond = columns[:, ~free] - base @ (base.T @ columns[:, ~free])
    sizes = float(np.linalg.norm(left)), float(np.linalg.norm(beyond, axis=0).max(initial=0.0))
    if min(sizes) > 0:
        try:
            added, _ = nnls(beyond / sizes[1], left / sizes[0])
        except RuntimeError:
            added = np.zeros(beyond.shape[1])
        weights = np.where(free, weights, 0.0)
        weights[~free] = added * (sizes[0] / sizes[1])
        for _ in range(2):
            change = lstsq(columns[:, free], sums - columns @ weights, lapack_driver="gelsy")[0]
            weights[free] += change
    if (weights < 0).any() or np.linalg.norm(columns @ weights - sums) > np.linalg.norm(
        columns @ given - sums
    ):
        weights = given
    _, left = _across(columns[:, weights > 0], sums - columns @ weights)
    first, second = weights[: len(x)], weights[len(x) :]
    direction = -left[:-2] if left[:-2].any() else a @ x - b @ y
    return first / first.sum(), second / second.sum(), direction


def _across(columns: np.ndarray, vector: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Orthonormal base of some columns, and the part of a vector that is orthogonal to them."""
    base, _ = qr(columns, mode="economic")
    for _ in range(3):  # each time rounding is as much smaller as the vector has become
        vector = vector - base @ (base.T @ vector)
    return base, vector


def _worst(along: np.ndarray, reached: float, chosen: np.ndarray) -> np.ndarray:
    """Rows that lie before the point that the chosen ones reach, the first ones of them."""
    before = np.flatnonzero(along < reached)
    before = before[~np.isin(before, chosen)]
    if len(before) > MORE:
        before = before[np.argpartition(along[before], MORE - 1)[:MORE]]
    return before
