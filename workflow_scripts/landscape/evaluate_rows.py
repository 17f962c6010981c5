"""Evaluate some rows of a surface."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd

from workflow_scripts.common.progress import progress
from workflow_scripts.common.tables import read_json, write_table
from workflow_scripts.landscape.grid import SurfaceSpec, points_in, points_of
from workflow_scripts.rebuilds.step import run


def evaluate_rows(
    config: Path,
    tokens: Path,
    start: Path,
    end: Path,
    rows: list[Path],
    surface: dict[str, Any],
    context: dict[str, Any],
    second: Path | None = None,
    precision: Path | None = None,
    between: list[Path] | None = None,
) -> None:
    """Write per-example losses and predictions at the points of some rows of a surface.

    Parameters
    ----------
    config : Path
        The model's ``config.json``.
    tokens : Path
        The surface's examples (``encode_examples``).
    start, end, second : Path
        Checkpoints that span the surface, see ``setting.Checkpoints``.
    rows : list of Path
        To write: a file per row of the grid, named by its number, such as ``007.parquet``; it
        has an entry per point, with the columns of ``grid.surface_points`` and ``tabulate``.
    surface : dict
        See ``grid.SurfaceSpec``.
    context : dict
        ``device``, ``threads``, ``token_budget``.
    precision : Path, optional
        From ``calibrate_precision``: the precision of matrix products; float32 by default.
    between : list of Path, optional
        Checkpoints of the run between ``start`` and ``end``, where they give the second direction.

    Raises
    ------
    UserError
        If a file cannot be read or does not fit the model, a run did not move the encoder, the
        model lacks the layer group, or the device is not available.

    References
    ----------
    Hao et al. (2019), equations 1 and 2, and section 7; section 3.1 for the fixed head.
    """
    import torch

    from workflow_scripts.common.device import reproducible
    from workflow_scripts.landscape.engine import evaluate_points
    from workflow_scripts.landscape.setting import Checkpoints, load_surface

    dtype = (
        torch.float32 if precision is None else getattr(torch, read_json(precision)["precision"])
    )
    spec = SurfaceSpec.from_dict(surface)
    with reproducible(context) as device:
        plane, (evaluate,) = load_surface(
            config.parent,
            tokens,
            Checkpoints(start, end, second, between or (), spec.seed),
            spec,
            context["token_budget"],
            device,
            (dtype,),
        )
        points = points_in(spec)
        points = points[points["row"].isin([int(path.stem) for path in rows])]
        points = points.reset_index(drop=True)
        places = points_of(points)
        outcomes = progress(evaluate_points(plane, evaluate, places), "points", total=len(places))
        table = pd.concat([points, tabulate(outcomes)], axis=1)
    for path in rows:
        write_table(table[table["row"] == int(path.stem)].reset_index(drop=True), path)


def tabulate(outcomes: Iterable[dict[str, Any]]) -> pd.DataFrame:
    """An entry per point: per-example ``train_loss``, ``train_prediction``, ``dev_…`` as lists.

    Parameters
    ----------
    outcomes : iterable of dict
        For each point, an ``engine.Outcome`` by name of the split.
    """
    return pd.DataFrame(
        {
            f"{split}_{what}": getattr(outcome, what)
            for split, outcome in point.items()
            for what in ("loss", "prediction")
        }
        for point in outcomes
    )


if __name__ == "__main__":
    run(evaluate_rows, snakemake)
