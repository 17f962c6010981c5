"""Measure how wide the optimum is, along the line and on the surface."""

from pathlib import Path

import numpy as np
import pandas as pd

from workflow_scripts.common.step import run
from workflow_scripts.common.tables import read_json, read_table, write_table
from workflow_scripts.landscape.width import line_widths, plane_areas


def measure_width(
    line: Path,
    plane: Path,
    geometry: Path,
    width: Path,
    tolerances: list[float],
    relative: list[float],
    resamples: int,
) -> None:
    facts = read_json(geometry)
    wanted = [*tolerances, *(share * facts["chance_loss"] for share in relative)]
    points = read_table(line).sort_values("alpha")  # start and end, if off the grid, come last
    along = line_widths(
        points["alpha"].to_numpy(), np.stack(points["train_loss"]), wanted, resamples
    )
    points = read_table(plane).query("on_grid")
    alpha, beta = np.unique(points["alpha"]), np.unique(points["beta"])
    losses = np.stack(points["train_loss"]).reshape(len(beta), len(alpha), -1)
    across = plane_areas(alpha, beta, losses, wanted, resamples)
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
    """The widths in units of alpha and, ``unit`` of it each, in filter-normalised distance."""
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
