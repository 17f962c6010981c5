"""Merge the shards of a surface and summarise every point."""

from pathlib import Path

import numpy as np
import pandas as pd

from workflow_scripts.common.errors import UserError
from workflow_scripts.common.tables import read_json, read_table, write_table
from workflow_scripts.landscape.grid import surface_points
from workflow_scripts.rebuilds.step import run


def merge_surface(
    shards: list[Path],
    examples: Path,
    surface: Path,
    point_examples: Path,
    kind: str,
    range: list[float],
    points: int,
    precision: Path | None = None,
) -> None:
    """Write the means of every point of a surface, and its per-example losses and predictions.

    Parameters
    ----------
    shards : list of Path
        Files of ``evaluate_rows`` that together are the surface, in any order.
    examples : Path
        The task's examples (``choose_examples``).
    surface : Path
        To write: the table of ``summarise``, with ``precision`` of the matrix products and
        ``precision_error``, the largest difference in mean loss from float32 that
        ``calibrate_precision`` measured (nats, NaN if not finite).
    point_examples : Path
        To write: the table of ``merge``.
    kind, range, points
        As in ``grid.surface_points``; ``range`` is [low, high].
    precision : Path, optional
        From ``calibrate_precision``; float32 by default.

    Raises
    ------
    UserError
        If the shards do not hold the surface's points, each once.
    """
    merged = merge([read_table(shard) for shard in shards], surface_points(kind, *range, points))
    labels = read_table(examples)
    used, error = "float32", 0.0
    if precision is not None:
        facts = read_json(precision)
        used = facts["precision"]
        error = 0.0 if used == "float32" else facts["largest_difference"]
    table = summarise(merged, labels).assign(precision=used, precision_error=error)
    write_table(merged, point_examples)
    write_table(table.astype({"precision_error": float}), surface)


def merge(shards: list[pd.DataFrame], expected: pd.DataFrame) -> pd.DataFrame:
    """The shards' points in the surface's order.

    Parameters
    ----------
    shards : list of DataFrame
        Tables of ``evaluate_rows``, in any order.
    expected : DataFrame
        The surface's points, from ``grid.surface_points``.

    Raises
    ------
    UserError
        If a point is missing, duplicated, or not one of the surface's.
    """
    keys = ["row", "alpha", "beta", "on_grid", "anchor"]
    merged = pd.concat(shards, ignore_index=True)
    merged = merged.sort_values("row", kind="stable", ignore_index=True)
    if not merged[keys].equals(expected[keys]):
        raise UserError(
            f"the shards hold {len(merged)} points that are not the surface's {len(expected)}"
        )
    return merged


def summarise(points: pd.DataFrame, examples: pd.DataFrame) -> pd.DataFrame:
    """Means and standard errors of loss and error rate at every point.

    A point at which any example's loss is not finite has the loss NaN (or infinite), never a
    mean of the rest; an example whose logits are not finite counts as an error.

    Parameters
    ----------
    points : DataFrame
        ``alpha``, ``beta``, ``on_grid``, ``anchor``, and per example, as a list in each cell,
        ``train_loss``, ``train_prediction``, ``dev_loss``, ``dev_prediction``.
    examples : DataFrame
        ``split`` and ``label``; each split in the order of the lists.

    Returns
    -------
    DataFrame
        The first four columns and, for both splits, ``…_examples`` (their number N), ``…_loss``
        (nats) and ``…_error`` (0 to 1) with ``…_loss_se`` and ``…_error_se``: the sample standard
        deviation over examples / sqrt(N), NaN for one example.
    """
    table = points[["alpha", "beta", "on_grid", "anchor"]].copy()
    for split in ("train", "dev"):
        labels = examples.loc[examples["split"] == split, "label"].to_numpy()
        table[f"{split}_examples"] = len(labels)
        loss = np.stack(points[f"{split}_loss"]).astype(np.float64)
        wrong = (np.stack(points[f"{split}_prediction"]) != labels).astype(np.float64)
        for name, values in (("loss", loss), ("error", wrong)):
            table[f"{split}_{name}"] = values.mean(axis=1)
            with np.errstate(invalid="ignore"):
                spread = values.std(axis=1, ddof=1) if len(labels) > 1 else np.nan
            table[f"{split}_{name}_se"] = spread / np.sqrt(len(labels))
    return table


if __name__ == "__main__":
    run(merge_surface, snakemake)
