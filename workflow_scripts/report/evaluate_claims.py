"""Evaluate the claims of Hao et al. (2019) on the measured numbers."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from workflow_scripts.common.tables import read_json, read_table
from workflow_scripts.rebuilds.step import run
from workflow_scripts.report.claims import (
    CLAIMS,
    ContinuationEvidence,
    Line,
    Plane,
    RollbackEvidence,
    RunEvidence,
    TaskEvidence,
)
from workflow_scripts.report.ledger import ledger_table, read_outcomes, write_ledger


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
    starts: list[str],
    overfitting_task: str,
    tolerances: list[float],
    resamples: int,
    run_scores: list[Path],
    scored: list[dict],
    rollbacks: list[Path] | None = None,
) -> None:
    """Write the ledger of claims.

    Lists of files run over tasks and, within a task, over starts.

    Parameters
    ----------
    geometries : list of Path
        ``geometry.json`` of the planes.
    lines, planes : list of Path
        Per-example losses and predictions (``examples.parquet``).
    trajectories, histories : list of Path
        Of the runs that the planes are drawn for.
    examples : list of Path
        The surfaces' examples, one file per task.
    scores, continued : Path
        Scores of the run of ``overfitting_task`` and of the run that continues it.
    card : Path
        ``card.json`` of ``overfitting_task``.
    ledger, csv, markdown : Path
        Parquet, CSV and Markdown files to write.
    tasks : list of str
        In the order of the files.
    starts : list of str
        Likewise: ``pretrained``, and perhaps ``scratch``.
    overfitting_task : str
        Whose run is continued.
    tolerances : list of float
        Nats above the loss at the end point.
    resamples : int
        Bootstrap samples of the examples.
    run_scores, scored : list of Path, of dict
        Scores of the runs that the planes are drawn for, and which they are; see
        ``ledger.read_outcomes``.
    rollbacks : list of Path, optional
        Tables of ``roll_back_groups``, one per task; without them their claim is left out.

    Raises
    ------
    ValueError
        If the number of files does not match the tasks and starts.
    """
    keys = [(task, start) for task in tasks for start in starts]
    paths = dict(
        zip(
            keys,
            zip(geometries, lines, planes, trajectories, histories, strict=True),
            strict=True,
        )
    )

    outcomes = read_outcomes(run_scores, scored)
    failed = outcomes.set_index(["task", "start"])["failed"].to_dict()

    def evidence() -> Iterator[TaskEvidence | ContinuationEvidence | RollbackEvidence]:
        for task, chosen in zip(tasks, examples, strict=True):
            labels = read_table(chosen, columns=["split", "label"]).query("split == 'dev'")["label"]
            runs = {
                start: replace(
                    read_run(*paths[task, start], labels.to_numpy()), failed=failed[task, start]
                )
                for start in starts
            }
            chance = read_json(paths[task, "pretrained"][0])["chance_loss"]
            yield TaskEvidence(
                task,
                runs["pretrained"],
                runs.get("scratch"),
                chance_loss=chance,
                tolerances=tolerances,
                resamples=resamples,
            )
        before, after = read_table(scores), read_table(continued)
        either_failed = bool(before["failed"].iloc[-1] or after["failed"].iloc[-1])
        yield ContinuationEvidence(
            overfitting_task, before, after, read_json(card)["dev"], either_failed
        )
        if rollbacks:
            for task, path in zip(tasks, rollbacks, strict=True):
                yield RollbackEvidence(task, read_table(path), failed[task, "pretrained"])

    table = ledger_table(CLAIMS, evidence())
    write_ledger(table, outcomes, "Claims of Hao et al. (2019)", ledger, csv, markdown)


def read_run(
    geometry: Path, line: Path, plane: Path, trajectory: Path, history: Path, labels: np.ndarray
) -> RunEvidence:
    """Read what is known of a run.

    Parameters
    ----------
    geometry : Path
        Of the run's plane, with ``filter_distance``.
    line, plane : Path
        ``examples.parquet`` of the run's line and plane.
    trajectory, history : Path
        Of the run.
    labels : ndarray of shape (M,)
        Of the dev examples, in their order.

    Returns
    -------
    RunEvidence
        The line has all points in the order of alpha, the plane those on the grid; an example
        without a prediction counts as an error.
    """
    points = read_table(line, columns=["alpha", "train_loss"]).sort_values("alpha")
    columns = ["on_grid", "train_loss", "dev_prediction"]
    grid = read_table(plane, columns=columns).query("on_grid")
    wrong = np.stack(grid["dev_prediction"]) != labels
    return RunEvidence(
        Line(
            points["alpha"].to_numpy(),
            np.stack(points["train_loss"]),
            read_json(geometry)["filter_distance"],
        ),
        Plane(np.stack(grid["train_loss"]), wrong.astype(np.float64)),
        read_table(history),
        read_table(trajectory),
    )


if __name__ == "__main__":
    run(evaluate_claims, snakemake)
