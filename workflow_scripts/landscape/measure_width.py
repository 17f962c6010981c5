"""Measure how wide the optimum is, along the line and on the surface."""

from pathlib import Path

import numpy as np
import pandas as pd

from workflow_scripts.common.tables import read_json, read_table, write_table
from workflow_scripts.landscape.width import line_widths, plane_areas
from workflow_scripts.rebuilds.step import run


def measure_width(
    line: Path,
    plane: Path,
    geometry: Path,
    width: Path,
    tolerances: list[float],
    relative: list[float],
    resamples: int,
) -> None:
    """Write how wide an optimum is.

    Parameters
    ----------
    line, plane : Path
        Per-example losses of the line and of the plane (``examples.parquet``).
    geometry : Path
        ``geometry.json`` of the plane.
    width : Path
        To write: a row per ``tolerance`` (nats; ``relative``: over ln K), ``measure`` (``line``
        or ``area``) and ``unit`` (``alpha``, for areas alpha times beta; or ``filter``), with the
        columns of ``width.line_widths``; areas have no ``left`` and ``right``.
    tolerances : list of float
        Rises of the loss above the end point, nats.
    relative : list of float
        More of them, as shares of ln K.
    resamples : int
        Bootstrap samples of the examples.

    Raises
    ------
    UserError
        If alpha = 1 is not a point of the line.

    References
    ----------
    Hao et al. (2019), sections 5.1 and 6.1; Li et al. (2018), section 4.
    """
    facts = read_json(geometry)
    rises = [*tolerances, *(share * facts["chance_loss"] for share in relative)]
    points = read_table(line).sort_values("alpha")  # start and end, if off the grid, come last
    along = line_widths(
        points["alpha"].to_numpy(), np.stack(points["train_loss"]), rises, resamples
    )
    points = read_table(plane)
    ends = np.asarray(points[points["anchor"] == "end"]["train_loss"].iloc[0])
    points = points.query("on_grid")
    alpha, beta = np.unique(points["alpha"]), np.unique(points["beta"])
    losses = np.stack(points["train_loss"]).reshape(len(beta), len(alpha), -1)
    across = plane_areas(alpha, beta, losses, ends, rises, resamples)
    table = pd.concat(
        [
            in_both_units(along, "line", facts["filter_distance"]),
            in_both_units(across, "area", facts["filter_distance"] * facts["filter_distance_2"]),
        ],
        ignore_index=True,
    )
    table["relative"] = table["tolerance"] / facts["chance_loss"]
    write_table(table, width)


def in_both_units(table: pd.DataFrame, measure: str, unit: float) -> pd.DataFrame:
    """The widths in units of alpha and in filter-normalised distance, one below the other.

    Parameters
    ----------
    table : DataFrame
        From ``line_widths`` or ``plane_areas``.
    measure : str
        For the column ``measure``.
    unit : float
        Filter-normalised length of a unit of alpha; for areas, of alpha times beta.

    Returns
    -------
    DataFrame
        ``table`` twice, with ``measure`` and with ``unit`` ``alpha`` or ``filter``; the latter's
        lengths are multiplied by ``unit``, ``tolerance`` is not.
    """
    lengths = [column for column in ("value", "low", "high", "left", "right") if column in table]
    scaled = table.copy()
    scaled[lengths] = scaled[lengths] * unit
    return pd.concat(
        [
            table.assign(measure=measure, unit="alpha"),
            scaled.assign(measure=measure, unit="filter"),
        ],
        ignore_index=True,
    )


if __name__ == "__main__":
    run(measure_width, snakemake)
