"""The points of a surface or line, and how they are cut into shards."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd


class Point(NamedTuple):
    """A point of a surface.

    Attributes
    ----------
    alpha, beta : float
        In units of the first and of the second direction.
    """

    alpha: float
    beta: float


# Points that equal a checkpoint: exact, whether or not the grid holds them (paper, section 3.2).
ANCHORS = {
    "plane": {(0.0, 0.0): "start", (1.0, 0.0): "end"},
    "line": {(0.0, 0.0): "start", (1.0, 0.0): "end"},
    "group": {(0.0, 0.0): "fine_tuned", (-1.0, 0.0): "rollback"},
}

# Cells of a grid at whose centres a surface is evaluated too, to measure how far linear
# interpolation between its points is off.
CELLS = 12


@dataclass(frozen=True)
class SurfaceSpec:
    """What the points of a surface depend on, besides files.

    Attributes
    ----------
    kind : {"plane", "line", "group"}
        See ``surface_points``.
    low, high : float
        Ends of the axes, in units of the directions.
    points : int
        Points per axis.
    group : str or None
        The layer group that moves; None for the whole encoder.
    groups : mapping of str to [int, int], or None
        First and last layer of each group, both included, from 0; None for thirds.
    seed : int or None
        Of the second direction where it is random.
    """

    kind: str
    low: float
    high: float
    points: int
    group: str | None = None
    groups: Mapping[str, list[int]] | None = None
    seed: int | None = None

    @classmethod
    def from_dict(cls, surface: Mapping[str, Any]) -> "SurfaceSpec":
        """From a rule's ``surface``: these keys, with ``range`` for [low, high], ``seed`` perhaps.

        Other keys may follow.

        Raises
        ------
        KeyError
            If a key is missing.
        """
        low, high = surface["range"]
        names = ("kind", "points", "group", "groups")
        fields = {name: surface[name] for name in names}
        return cls(low=low, high=high, seed=surface.get("seed"), **fields)


def points_of(table: pd.DataFrame) -> list[Point]:
    """The points of a table with ``alpha`` and ``beta``, in its order."""
    return [Point(*pair) for pair in zip(table["alpha"], table["beta"], strict=True)]


def axis(low: float, high: float, points: int) -> np.ndarray:
    """Equidistant coordinates of an axis, both ends included.

    Free of rounding noise such as 1 - 1e-16: an even grid holds 0 and 1 exactly, if at all.

    Parameters
    ----------
    low, high : float
        Ends, low < high, in units of the direction.
    points : int
        Number of coordinates, 2 or more.

    Returns
    -------
    ndarray of shape (points,), float64
    """
    return np.round(np.linspace(low, high, points), 12) + 0.0  # + 0.0 turns -0.0 into 0.0


def surface_points(kind: str, low: float, high: float, points: int) -> pd.DataFrame:
    """All points of a surface, in the order in which they are stored.

    Parameters
    ----------
    kind : {"plane", "group", "line"}
        On a line beta is 0.
    low, high : float
        Ends of the axes, in units of the directions.
    points : int
        Points per axis.

    Returns
    -------
    DataFrame
        ``row`` (of the grid, from 0; the checkpoints that the grid misses and, except on a line,
        ``cell_centres`` form one more row), ``alpha``, ``beta``, ``on_grid``, ``anchor`` (name of
        the checkpoint, or empty).

    Raises
    ------
    KeyError
        For another kind.

    References
    ----------
    Hao et al. (2019), sections 3.1 and 3.2 (line and plane), 7 (layer groups).
    """
    alphas = axis(low, high, points)
    betas = np.zeros(1) if kind == "line" else alphas
    table = pd.DataFrame(
        {
            "row": np.repeat(np.arange(len(betas)), len(alphas)),
            "alpha": np.tile(alphas, len(betas)),
            "beta": np.repeat(betas, len(alphas)),
            "on_grid": True,
        }
    )
    beside = [*ANCHORS[kind], *([] if kind == "line" else cell_centres(alphas))]
    on_grid = set(points_of(table))
    missing = [point for point in dict.fromkeys(beside) if point not in on_grid]
    extra = pd.DataFrame(missing, columns=["alpha", "beta"], dtype=float)
    extra = extra.assign(row=len(betas), on_grid=False)
    table = pd.concat([table, extra], ignore_index=True) if missing else table
    table["anchor"] = [ANCHORS[kind].get(point, "") for point in points_of(table)]
    return table


def cell_centres(alphas: np.ndarray) -> list[Point]:
    """Centres of up to ``CELLS`` cells, spread evenly over a square grid (a rank-1 lattice).

    Parameters
    ----------
    alphas : ndarray of shape (A,)
        Coordinates of either axis.
    """
    centres = np.round((alphas[:-1] + alphas[1:]) / 2, 12) + 0.0
    count = min(CELLS, len(centres) ** 2)
    steps = np.arange(count)
    across = centres[(steps * len(centres) // count)]
    along = centres[(steps * (np.sqrt(5) - 1) / 2 % 1 * len(centres)).astype(int)]
    return list(dict.fromkeys(Point(*map(float, pair)) for pair in zip(across, along, strict=True)))


def points_in(surface: SurfaceSpec) -> pd.DataFrame:
    """All points of a surface, see ``surface_points``."""
    return surface_points(surface.kind, surface.low, surface.high, surface.points)


def shards(
    kind: str, low: float, high: float, points: int, rows_per_shard: int
) -> list[tuple[int, int]]:
    """First and last row of every shard, from 0, both included.

    Parameters
    ----------
    kind, low, high, points
        As in ``surface_points``.
    rows_per_shard : int
        1 or more; the last shard may have fewer.

    Raises
    ------
    KeyError
        For another kind.
    """
    total = int(surface_points(kind, low, high, points)["row"].max()) + 1
    return [
        (first, min(first + rows_per_shard, total) - 1) for first in range(0, total, rows_per_shard)
    ]
