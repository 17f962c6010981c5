"""Measure how far bfloat16 moves a surface, and decide whether it may be used for it."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from workflow_scripts.common.progress import progress
from workflow_scripts.common.tables import write_json
from workflow_scripts.landscape.grid import Point, SurfaceSpec, points_in, points_of
from workflow_scripts.rebuilds.step import run

POINTS = 20  # besides the corners and the checkpoints


def calibrate_precision(
    config: Path,
    tokens: Path,
    start: Path,
    end: Path,
    precision: Path,
    surface: dict[str, Any],
    requested: str,
    tolerance: float | None,
    context: dict[str, Any],
    second: Path | None = None,
    between: list[Path] | None = None,
) -> None:
    """Write the precision of a surface's matrix products, and what it costs in exactness.

    Parameters
    ----------
    config : Path
        The model's ``config.json``.
    tokens : Path
        The surface's examples (``encode_examples``).
    start, end, second : Path
        Checkpoints that span the surface, see ``setting.Checkpoints``.
    precision : Path
        JSON to write: ``precision`` (``float32`` or ``bfloat16``); ``largest_difference`` of a
        point's mean loss from float32, training or dev, in nats (null if it is finite in one
        precision only, or if nothing was measured); ``tolerance`` and ``points``, for each
        ``alpha``, ``beta`` and ``difference``.
    surface : dict
        See ``grid.SurfaceSpec``.
    requested : {"bfloat16", "auto"}
        With ``auto`` it is float32 where ``tolerance`` is exceeded, or the device does not
        multiply bfloat16 any faster.
    tolerance : float or None
        Nats; None with ``bfloat16``.
    context : dict
        ``device``, ``threads``, ``token_budget``.
    between : list of Path, optional
        Checkpoints of the run between ``start`` and ``end``, where they give the second direction.

    Raises
    ------
    UserError
        As in ``evaluate_rows``.
    """
    import torch

    from workflow_scripts.common.device import multiplies_bfloat16, reproducible
    from workflow_scripts.landscape.setting import Checkpoints, load_surface

    spec = SurfaceSpec.from_dict(surface)
    with reproducible(context) as device:
        if requested == "auto" and not multiplies_bfloat16(device):
            points = []
        else:
            evaluated = load_surface(
                config.parent,
                tokens,
                Checkpoints(start, end, second, between or (), spec.seed),
                spec,
                context["token_budget"],
                device,
                (torch.float32, torch.bfloat16),
            )
            points = differences(*evaluated, calibration_points(points_in(spec)))
    largest = max((point["difference"] for point in points), default=math.inf)
    good = requested == "bfloat16" or largest <= tolerance
    facts = {
        "precision": "bfloat16" if good else "float32",
        "largest_difference": largest if math.isfinite(largest) else None,
        "tolerance": tolerance,
        "points": points,
    }
    write_json(facts, precision)


def calibration_points(points: pd.DataFrame) -> list[Point]:
    """The points of a surface at which precisions are compared.

    Its corners, where rounding counts most, its checkpoints, and ``POINTS`` others spread over
    its rows; all points of a surface that has no more than these.

    Parameters
    ----------
    points : DataFrame
        From ``grid.surface_points``.
    """
    grid, anchored = points[points["on_grid"]], points["anchor"] != ""
    extreme = [grid[axis].isin([grid[axis].min(), grid[axis].max()]) for axis in ("alpha", "beta")]
    chosen = (extreme[0] & extreme[1]) | (grid["anchor"] != "")
    others = np.flatnonzero(~chosen)
    spread = np.linspace(0, len(others) - 1, min(POINTS, len(others))).round().astype(int)
    chosen.iloc[others[spread]] = True
    return points_of(points[chosen.reindex(points.index, fill_value=False) | anchored])


def differences(plane, evaluators: list, places: list[Point]) -> list[dict[str, float]]:
    """How far two evaluators differ at each point.

    Returns
    -------
    list of dict
        For each point ``alpha``, ``beta`` and ``difference``: the largest absolute difference in
        mean loss of a split, nats. It is infinite where a mean is finite for one evaluator only,
        and 0 where it is for neither.
    """
    compared = []
    for point in progress(places, "points"):
        plane.move(point.alpha, point.beta)
        exact, other = (evaluate() for evaluate in evaluators)
        gaps = []
        for split in exact:
            means = [float(o[split].loss.mean(dtype=np.float64)) for o in (exact, other)]
            finite = [math.isfinite(mean) for mean in means]
            if all(finite):
                gaps.append(abs(means[0] - means[1]))
            else:
                gaps.append(math.inf if any(finite) else 0.0)
        compared.append({**point._asdict(), "difference": max(gaps)})
    return compared


if __name__ == "__main__":
    run(calibrate_precision, snakemake)
