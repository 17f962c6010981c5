"""Weigh the claims of the paper against the measured numbers."""

from pathlib import Path
from typing import Any

import numpy as np

from workflow_scripts.common.tables import read_json, read_table
from workflow_scripts.rebuilds.step import run
from workflow_scripts.report import claims
from workflow_scripts.report.claims import Line
from workflow_scripts.report.ledger import with_verdicts, write_ledger

STARTS = ("scratch", "pretrained")


def evaluate_claims(
    geometries: list[Path],
    lines: list[Path],
    planes: list[Path],
    trajectories: list[Path],
    histories: list[Path],
    examples: list[Path],
    scores: Path,
    continued: Path,
    card: Path,
    ledger: Path,
    csv: Path,
    markdown: Path,
    tasks: list[str],
    overfitting_task: str,
    tolerances: list[float],
    resamples: int,
    rollbacks: list[Path] | None = None,
) -> None:
    """Write the ledger of claims as Parquet (``ledger``), CSV and Markdown.

    Lists of files run over tasks and, within a task, over scratch and pretrained.

    Parameters
    ----------
    geometries : ``geometry.json`` of the planes.
    lines, planes : per-example losses and predictions (``examples.parquet``).
    trajectories, histories : of the runs that the planes are drawn for.
    examples : the surfaces' examples, one file per task.
    scores, continued : scores of the run of ``overfitting_task`` and of the run that continues it.
    card : of ``overfitting_task``.
    tolerances : nats above the loss at the end point.
    resamples : bootstrap samples of the examples.
    rollbacks : tables of ``roll_back_groups``, named after their tasks; None leaves out the claim.

    Raises
    ------
    ValueError : if a list is not as long as the tasks and starts ask.
    """
    keys = [(task, start) for task in tasks for start in STARTS]
    of = {
        name: dict(zip(keys, paths, strict=True))
        for name, paths in (
            ("geometry", geometries),
            ("line", lines),
            ("plane", planes),
            ("trajectory", trajectories),
            ("history", histories),
        )
    }
    rows: list[dict[str, Any]] = []
    for task, chosen in zip(tasks, examples, strict=True):
        facts = {start: read_json(of["geometry"][task, start]) for start in STARTS}
        line = {start: read_line(of["line"][task, start], facts[start]) for start in STARTS}
        history = {start: read_table(of["history"][task, start]) for start in STARTS}
        path = {start: read_table(of["trajectory"][task, start]) for start in STARTS}
        labels = read_table(chosen, columns=["split", "label"]).query("split == 'dev'")["label"]
        plane = {start: read_plane(of["plane"][task, start], labels.to_numpy()) for start in STARTS}
        chance = facts["pretrained"]["chance_loss"]
        both = ("pretrained", "scratch")
        rows += claims.wider_optimum(task, *(line[s] for s in both), tolerances, resamples)
        rows += claims.easier_optimisation(task, *(history[s] for s in both), chance)
        rows += claims.straight_path(task, *(path[s] for s in both))
        rows += claims.free_path(task, *(line[s] for s in both), resamples)
        rows += claims.consistent_surfaces(task, plane, resamples)
    n = read_json(card)["dev"]
    rows += claims.robust_to_overfitting(
        overfitting_task, read_table(scores), read_table(continued), n
    )
    for path in rollbacks or []:
        rows += claims.invariant_low_layers(path.stem, read_table(path))
    table = with_verdicts(rows, claims.CLAIMS)
    write_ledger(table, "Claims of Hao et al. (2019)", ledger, csv, markdown)


def read_line(path: Path, facts: dict[str, Any]) -> Line:
    """All points of a line, start and end included, in the order of alpha.

    ``facts`` : geometry of the task's and start's plane, with ``filter_distance``.
    """
    points = read_table(path, columns=["alpha", "train_loss"]).sort_values("alpha")
    return Line(
        points["alpha"].to_numpy(), np.stack(points["train_loss"]), facts["filter_distance"]
    )


def read_plane(path: Path, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Per-example training losses and dev errors of a plane's grid points.

    Parameters
    ----------
    path : ``examples.parquet`` of the plane.
    labels : of the dev examples [M], in their order.

    Returns
    -------
    Losses, nats [P, N], and errors, 0 or 1, float64 [P, M]; an example without prediction is an
    error.
    """
    points = read_table(path, columns=["on_grid", "train_loss", "dev_prediction"]).query("on_grid")
    wrong = np.stack(points["dev_prediction"]) != labels
    return np.stack(points["train_loss"]), wrong.astype(np.float64)


if __name__ == "__main__":
    run(evaluate_claims, snakemake)
