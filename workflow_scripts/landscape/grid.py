"""The points of a surface or line, and how they are cut into shards."""

import numpy as np
import pandas as pd

# Points that equal a checkpoint: exact, whether or not the grid holds them (paper, section 3.2).
ANCHORS = {
    "plane": {(0.0, 0.0): "start", (1.0, 0.0): "end"},
    "line": {(0.0, 0.0): "start", (1.0, 0.0): "end"},
    "group": {(0.0, 0.0): "fine_tuned", (-1.0, 0.0): "rollback"},
}


def axis(low: float, high: float, points: int) -> np.ndarray:
    """Equidistant coordinates of an axis [points], float64, both ends included.

    Free of rounding noise such as 1 - 1e-16: an even grid holds 0 and 1 exactly, if at all.

    Parameters
    ----------
    low, high : ends, low < high, in units of the direction.
    points : number of coordinates, 2 or more.
    """
    return np.round(np.linspace(low, high, points), 12) + 0.0  # + 0.0 turns -0.0 into 0.0


def surface_points(kind: str, low: float, high: float, points: int) -> pd.DataFrame:
    """All points of a surface, in the order in which they are stored.

    Parameters
    ----------
    kind : ``plane`` and ``group`` (both axes) or ``line`` (beta is 0).
    low, high : ends of the axes, in units of the directions.
    points : points per axis.

    Returns
    -------
    Columns ``row`` (0-based row of the grid; the checkpoints that the grid misses form one more
    row), ``alpha``, ``beta``, ``on_grid``, ``anchor`` (name of the checkpoint, or empty).

    Raises
    ------
    KeyError : for another kind.

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
    there = set(zip(table["alpha"], table["beta"], strict=True))
    missing = [point for point in ANCHORS[kind] if point not in there]
    extra = pd.DataFrame(
        {
            "row": len(betas),
            "alpha": [alpha for alpha, _ in missing],
            "beta": [beta for _, beta in missing],
            "on_grid": False,
        }
    )
    table = pd.concat([table, extra], ignore_index=True) if missing else table
    names = ANCHORS[kind]
    table["anchor"] = [
        names.get(point, "") for point in zip(table["alpha"], table["beta"], strict=True)
    ]
    return table


def shards(
    kind: str, low: float, high: float, points: int, rows_per_shard: int
) -> list[tuple[int, int]]:
    """First and last row of every shard, 0-based, both included.

    The rows are those of ``surface_points``: a line has one, a surface ``points``, and either has
    one more, the last, where the grid misses a checkpoint.

    Parameters
    ----------
    kind, low, high, points : as of ``surface_points``.
    rows_per_shard : 1 or more; the last shard may have fewer.

    Raises
    ------
    KeyError : for another kind.
    """
    alphas = set(axis(low, high, points))
    rows = 1 if kind == "line" else points
    missed = any(a not in alphas or b not in alphas | {0.0} for a, b in ANCHORS[kind])
    missed = missed or (kind != "line" and 0.0 not in alphas)
    total = rows + missed
    return [
        (first, min(first + rows_per_shard, total) - 1) for first in range(0, total, rows_per_shard)
    ]
