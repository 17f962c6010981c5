"""Measure how far bfloat16 moves a surface, and decide whether it may be used there."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from workflow_scripts.common.progress import progress
from workflow_scripts.common.tables import write_json
from workflow_scripts.rebuilds.step import run

POINTS = 20  # besides the corners and the checkpoints


def calibrate_precision(
    config: Path,
    tokens: Path,
    start: Path,
    end: Path,
    precision: Path,
    surface: dict[str, Any],
    wanted: str,
    tolerance: float | None,
    context: dict[str, Any],
    second: Path | None = None,
) -> None:
    """Write the precision of a surface's matrix products, and what it costs in exactness.

    Parameters
    ----------
    config : the model's ``config.json``.
    tokens : the surface's examples (``encode_examples``).
    start, end, second : checkpoints that span the surface, see ``setting.load_directions``.
    precision : JSON to write: ``precision`` (``float32`` or ``bfloat16``); ``largest_difference``
        of a point's mean loss from float32, training or dev, in nats (null for one that is
        finite in one precision alone, or if nothing was measured); ``tolerance`` and ``points``,
        for each ``alpha``, ``beta`` and ``difference``.
    surface : as in ``evaluate_rows``.
    wanted : ``bfloat16``, or ``auto``: float32 where ``tolerance`` (nats) is exceeded, or the
        device does not multiply bfloat16 any faster.
    context : ``device``, ``threads``, ``token_budget``.

    Raises
    ------
    UserError : as ``evaluate_rows``.
    """
    import torch

    from workflow_scripts.common.device import multiplies_bfloat16, reproducible
    from workflow_scripts.landscape.grid import surface_points
    from workflow_scripts.landscape.setting import load_surface

    table = surface_points(surface["kind"], *surface["range"], surface["points"])
    with reproducible(context) as device:
        if wanted == "auto" and not multiplies_bfloat16(device):
            points = []
        else:
            evaluated = load_surface(
                config.parent,
                tokens,
                (start, end, second),
                surface,
                context["token_budget"],
                device,
                (torch.float32, torch.bfloat16),
            )
            points = differences(*evaluated, calibration_points(table))
    largest = max((point["difference"] for point in points), default=math.inf)
    good = wanted == "bfloat16" or largest <= tolerance
    facts = {
        "precision": "bfloat16" if good else "float32",
        "largest_difference": largest if math.isfinite(largest) else None,
        "tolerance": tolerance,
        "points": points,
    }
    write_json(facts, precision)


def calibration_points(points: pd.DataFrame) -> list[tuple[float, float]]:
    """The points of a surface at which precisions are compared, (alpha, beta).

    Its corners, where rounding counts most, its checkpoints, and ``POINTS`` others spread over
    its rows; all of them where it has no more.

    Parameters
    ----------
    points : of ``grid.surface_points``.
    """
    grid = points[points["on_grid"]]
    extreme = [grid[axis].isin([grid[axis].min(), grid[axis].max()]) for axis in ("alpha", "beta")]
    chosen = (extreme[0] & extreme[1]) | (grid["anchor"] != "")
    others = np.flatnonzero(~chosen)
    spread = np.linspace(0, len(others) - 1, min(POINTS, len(others))).round().astype(int)
    chosen.iloc[others[spread]] = True
    chosen = chosen.reindex(points.index, fill_value=True)
    return list(zip(points["alpha"][chosen], points["beta"][chosen], strict=True))


def differences(plane, evaluators: list, places: list[tuple[float, float]]) -> list[dict]:
    """How far two evaluators are apart at each point.

    Returns
    -------
    By point ``alpha``, ``beta`` and ``difference``: the larger one of the splits' absolute
    differences in mean loss, nats. It is infinite where a mean is finite for one evaluator
    alone, and 0 where it is for neither.
    """
    found = []
    for alpha, beta in progress(places, "points"):
        plane.move(alpha, beta)
        exact, other = (evaluate() for evaluate in evaluators)
        gaps = []
        for split in exact:
            means = [float(o[split].loss.mean(dtype=np.float64)) for o in (exact, other)]
            finite = [math.isfinite(mean) for mean in means]
            if all(finite):
                gaps.append(abs(means[0] - means[1]))
            else:
                gaps.append(math.inf if any(finite) else 0.0)
        found.append({"alpha": alpha, "beta": beta, "difference": max(gaps)})
    return found


if __name__ == "__main__":
    run(calibrate_precision, snakemake)
