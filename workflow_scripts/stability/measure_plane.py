"""Measure the loss on the plane through pre-trained, failed and successful weights."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from workflow_scripts.common.progress import progress
from workflow_scripts.common.tables import write_table
from workflow_scripts.landscape.grid import Point, axis
from workflow_scripts.rebuilds.step import run

# Ends of the three lines, by the names of their points.
LINES = ("pretrained-failed", "failed-successful", "pretrained-successful")
CORNERS = {
    "pretrained": Point(0.0, 0.0),
    "failed": Point(1.0, 0.0),
    "successful": Point(0.0, 1.0),
}


def measure_plane(
    config: Path,
    tokens: Path,
    weights: Path,
    failed: Path,
    successful: Path,
    plane: Path,
    barriers: Path,
    extent: list[float],
    points: int,
    line_points: int,
    context: dict[str, Any],
) -> None:
    """Write the loss on the plane, and how high the barriers on its three lines are.

    The encoder moves: pretrained + alpha (failed - pretrained) + beta (successful - pretrained).
    The three corners are the checkpoints themselves. The runs have different heads, so that either
    one's is used for all points, in turn.

    Parameters
    ----------
    config : Path
        The model's ``config.json``.
    tokens : Path
        The examples of the task's surfaces (``landscape.encode_examples``).
    weights : Path
        The pre-trained encoder.
    failed, successful : Path
        Weights of a run each, or files without tensors: then only lines that exist are measured.
    plane : Path
        To write: see ``plane_points``; and ``head`` (whose) and ``train_loss``, nats.
    barriers : Path
        To write: see ``barrier_row``.
    extent : list of float
        Ends of both axes.
    points, line_points : int
        Points per axis of the grid, and of a line.
    context : dict
        ``device``, ``threads``, ``token_budget``.

    Raises
    ------
    UserError
        If a file cannot be read or does not fit the model.

    References
    ----------
    Mosbach et al. (2021), section 6 and appendix 7.6.
    """
    from workflow_scripts.common.device import reproducible
    from workflow_scripts.landscape.engine import Evaluator, evaluate_points
    from workflow_scripts.landscape.plane import Plane, difference
    from workflow_scripts.landscape.tokens import read_tokens
    from workflow_scripts.model.encoder import load_classifier, names_with_prefix, read_weights

    encoder, examples = read_weights(weights), read_tokens(tokens)
    train = {"train": examples.splits["train"]}
    runs = {"failed": read_weights(failed), "successful": read_weights(successful)}
    runs = {name: tensors for name, tensors in runs.items() if tensors}
    table = plane_points(list(runs), *extent, points, line_points)
    parts = []
    with reproducible(context) as device:
        for head, tuned in runs.items():
            names = names_with_prefix(encoder, tuned)
            start = dict(zip(names, encoder.values(), strict=True))
            deltas = {name: difference(end, start, names) for name, end in runs.items()}
            module = load_classifier(config.parent, examples.labels, tuned, device)
            evaluate = Evaluator(module, train, examples.pad_id, context["token_budget"])
            corners = {"pretrained": start, **runs}
            first, *second = deltas.values()
            places = list(zip(table["alpha"], table["beta"], strict=True))
            anchors = {CORNERS[name]: tensors for name, tensors in corners.items()}
            if "failed" not in runs:  # along the only direction
                places = [(beta, 0.0) for _, beta in places]
                anchors = {Point(0.0, 0.0): start, Point(1.0, 0.0): runs["successful"]}
            moved = Plane(module, start, first, *second, anchors=anchors, rows=evaluate.rows)
            outcomes = progress(
                evaluate_points(moved, evaluate, places), "points", total=len(places)
            )
            losses = [float(one["train"].loss.astype(np.float64).mean()) for one in outcomes]
            parts.append(table.assign(head=head, train_loss=losses))
    whole = table.assign(head="", train_loss=np.nan)
    whole = pd.concat(parts, ignore_index=True) if parts else whole
    write_table(whole, plane)
    rows = [
        barrier_row(of_line) for _, of_line in whole[whole["line"] != ""].groupby(["head", "line"])
    ]
    columns = ["head", "line", "rise", "rise_back", "excess", "first_loss", "last_loss", "points"]
    write_table(pd.DataFrame(rows, columns=columns), barriers)


def plane_points(
    runs: list[str], low: float, high: float, points: int, line_points: int
) -> pd.DataFrame:
    """Points of the grid and of the lines.

    Parameters
    ----------
    runs : list of str
        Out of failed and successful, those that exist; the grid needs both.
    low, high : float
        Ends of both axes.
    points, line_points : int
        Per axis of the grid, and of a line from corner to corner, both included.

    Returns
    -------
    DataFrame
        ``line`` (one of ``LINES``; empty for the grid), ``t`` (0 to 1 along the line), ``alpha``,
        ``beta`` and ``corner`` (its name, or empty).
    """
    parts = []
    if len(runs) == 2:
        values = axis(low, high, points)
        alpha, beta = (grid.ravel() for grid in np.meshgrid(values, values))
        parts.append(pd.DataFrame({"line": "", "t": np.nan, "alpha": alpha, "beta": beta}))
    for line in LINES:
        first, last = line.split("-")
        if {first, last} <= {"pretrained", *runs}:
            t = axis(0.0, 1.0, line_points)
            alpha, beta = (
                (1 - t) * CORNERS[first][place] + t * CORNERS[last][place] for place in (0, 1)
            )
            parts.append(pd.DataFrame({"line": line, "t": t, "alpha": alpha, "beta": beta}))
    columns = ["line", "t", "alpha", "beta"]
    table = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)
    names = {point: name for name, point in CORNERS.items()}
    pairs = zip(table["alpha"], table["beta"], strict=True)
    return table.assign(corner=[names.get(pair, "") for pair in pairs])


def barrier_row(line: pd.DataFrame) -> dict[str, Any]:
    """How far the training loss rises on a line.

    Parameters
    ----------
    line : DataFrame
        Points of one line and head.

    Returns
    -------
    dict
        ``head``, ``line``; ``rise`` and ``rise_back``: the largest rise of the loss on the way from
        its first to its last corner, and back; ``excess``: its largest height above the straight
        line between the losses of both; ``first_loss``, ``last_loss`` (all in nats) and ``points``.
        NaN where a loss is not finite.
    """
    line = line.sort_values("t")
    loss, t = line["train_loss"].to_numpy(), line["t"].to_numpy()
    straight = loss[0] + t * (loss[-1] - loss[0])
    return {
        "head": line["head"].iloc[0],
        "line": line["line"].iloc[0],
        "rise": float((loss - np.minimum.accumulate(loss)).max()),
        "rise_back": float((loss[::-1] - np.minimum.accumulate(loss[::-1])).max()),
        "excess": float((loss - straight).max()),
        "first_loss": float(loss[0]),
        "last_loss": float(loss[-1]),
        "points": len(line),
    }


if __name__ == "__main__":
    run(measure_plane, snakemake)
