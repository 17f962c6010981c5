"""How far an optimum reaches: distances at which the loss gets to a level, found by bisection."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from math import isfinite, nan

import numpy as np


class Bound(Enum):
    """How a value that may be cut off relates to the true one."""

    NONE = ""
    AT_LEAST = "≥"
    AT_MOST = "≤"
    BOTH = "?"


@dataclass(frozen=True)
class Measured:
    """A positive value that the grid or the run may have cut off.

    Parameters
    ----------
    value : float
        As measured.
    bound : Bound
        Whether the true value is equal, at least this, or at most this; ``BOTH`` if nothing can
        be said.
    error : float
        Standard error of its logarithm over examples; 0 if it is not known.
    """

    value: float
    bound: Bound = Bound.NONE
    error: float = 0.0

    def __str__(self) -> str:
        return f"{self.bound.value}{' ' if self.bound.value else ''}{self.value:.3g}"


_SHRINKINGS = 20  # a level that is reached nearer than a millionth of the first step is at hand


@dataclass(frozen=True)
class Crossing:
    """Where a loss first reaches a level, going away from an optimum.

    Parameters
    ----------
    distance : Measured
        From the start; ``AT_LEAST`` the longest distance if the level was not reached.
    evaluations : int
        Losses computed.
    slope : float
        Of the loss there, nats per unit of distance; NaN if the level was not reached.
    """

    distance: Measured
    evaluations: int
    slope: float = nan


def crossing(
    loss: Callable[[float], float],
    level: float,
    longest: float,
    first: float | None = None,
    halvings: int = 5,
) -> Crossing:
    """Distance at which a loss first reaches a level, by doubling and bisection.

    Steps double from ``first`` until the loss has reached the level, or halve until it has not.
    The step between is halved ``halvings`` times more, and the root is interpolated in what is
    left: 1 / 32 of that step. A loss that crosses the level twice within one step is seen as its
    end shows it.

    Parameters
    ----------
    loss : callable
        From a distance (more than 0) to the loss, nats; NaN counts as high.
    level : float
        Nats; above the loss at 0.
    longest : float
        Distance beyond which nothing is computed.
    first : float, optional
        First step; 1 / 16 of ``longest`` unless given.
    halvings : int
        5 give distances of quadratic bowls within 0.1 %.

    References
    ----------
    Li et al. (2018), section 4, for the directions along which radii are measured.
    """
    computed = 0

    def excess(x: float) -> float:
        nonlocal computed
        computed += 1
        return loss(x) - level

    far = longest / 16 if first is None else min(first, longest)
    near, below, above = 0.0, nan, excess(far)
    if above < 0:
        while above < 0:
            if far == longest:
                return Crossing(Measured(longest, Bound.AT_LEAST), computed)
            near, below, far = far, above, min(2 * far, longest)
            above = excess(far)
    else:
        smallest = far * 2.0**-_SHRINKINGS
        while near == 0 and far > smallest:
            halfway = excess(far / 2)
            if halfway < 0:
                near, below = far / 2, halfway
            else:
                far, above = far / 2, halfway
    for _ in range(halvings):
        middle = (near + far) / 2
        halfway = excess(middle)
        if halfway < 0:
            near, below = middle, halfway
        else:
            far, above = middle, halfway
    if isfinite(above) and isfinite(below):
        distance = near + (far - near) * below / (below - above)
    else:
        distance = (near + far) / 2
    return Crossing(Measured(distance), computed, (above - below) / (far - near))


def radius_error(
    at_end: np.ndarray, at_radius: np.ndarray, share: float, crossed: Crossing
) -> float:
    """Standard error, over examples, of the logarithm of a radius (delta method); 0 if unknown.

    The radius solves ``loss(r) = end + share (chance - end)``; both sides depend on the examples.

    Parameters
    ----------
    at_end, at_radius : ndarray of shape (N,)
        Losses of each example at the end point and at the radius, nats.
    share : float
        As for ``width_level``.
    crossed : Crossing
        With the slope of the mean loss at the radius.
    """
    moved = at_radius - (1 - share) * at_end
    steepness = abs(crossed.slope) * crossed.distance.value
    if len(moved) < 2 or not (isfinite(steepness) and steepness > 0 and np.isfinite(moved).all()):
        return 0.0
    return float(moved.std(ddof=1) / len(moved) ** 0.5 / steepness)


def width_level(end: float, chance: float, share: float) -> float:
    """Loss at which an optimum ends: ``end + share (chance - end)``, nats."""
    return end + share * (chance - end)
