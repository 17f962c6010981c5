"""Evaluate the claims of Hao et al. (2019) on the measured numbers."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from workflow_scripts.common.tables import read_json, read_table
from workflow_scripts.common.thresholds import SMALL_TASK
from workflow_scripts.common.titles import TaskTitle
from workflow_scripts.rebuilds.step import run
from workflow_scripts.report.claims import (
    CLAIMS,
    STARTS,
    ContinuationEvidence,
    DirectionEvidence,
    Plane,
    RollbackEvidence,
    RunEvidence,
    TaskEvidence,
    failed_runs,
    no_optimum,
)
from workflow_scripts.report.ledger import ledger_table, read_outcomes, write_ledger


def evaluate_claims(
    trajectories: list[Path],
    paths: list[Path],
    rays: list[Path],
    radii: list[Path],
    histories: list[Path],
    scores: list[Path],
    geometries: list[Path],
    planes: list[Path],
    examples: list[Path],
    cards: list[Path],
    ledger: Path,
    csv: Path,
    markdown: Path,
    tasks: list[dict],
    starts: list[str],
    scored: list[dict],
    differences: dict[str, str],
    dev: Path | None = None,
    continued: list[Path] | None = None,
    overfitting_task: str | None = None,
    rollbacks: list[Path] | None = None,
    rolled_back: list[str] | None = None,
) -> None:
    """Write the ledger of claims.

    Parameters
    ----------
    trajectories, paths, rays, radii : list of Path
        Tables of ``measure_run``, of every run.
    histories, scores : list of Path
        Tables of the same runs, see ``finetune.finetune``.
    geometries, planes : list of Path
        ``geometry.json`` and ``examples.parquet`` of the planes: for each task of each start.
    examples, cards : list of Path
        The surfaces' examples and the card of each task.
    ledger, csv, markdown : Path
        Parquet, CSV and Markdown files to write.
    tasks : list of dict
        Fields of a ``TaskTitle`` each, in the order of the files.
    starts : list of str
        Likewise: ``pretrained``, and perhaps ``scratch``.
    scored : list of dict
        Which runs those of ``scores`` are; see ``ledger.read_outcomes``.
    differences : dict of str to str
        By task, what else differs between the recipes of its two starts.
    dev : Path, optional
        Dev examples of ``overfitting_task``.
    continued : list of Path, optional
        Scores of the runs that continue those of ``overfitting_task``, in the order of its seeds.
    overfitting_task : str, optional
        Name of the task whose runs are continued; without it the claim about that is left out.
    rollbacks : list of Path, optional
        Tables of ``roll_back_groups``; without them their claim is left out.
    rolled_back : list of str, optional
        Name of the task of each.

    Raises
    ------
    ValueError
        If the number of files does not match the runs, tasks and starts.
    """
    titles = {task["name"]: TaskTitle(**task) for task in tasks}
    outcomes = read_outcomes(scores, scored)
    files = zip(trajectories, paths, rays, radii, histories, outcomes["failed"], strict=True)
    runs: dict[tuple[str, str], list[RunEvidence]] = {}
    for which, (*tables, failed) in zip(scored, files, strict=True):
        found = read_run(which["seeds"], *tables, failed=bool(failed))
        runs.setdefault((which["task"], which["start"]), []).append(found)
    keys = [(task, start) for task in titles for start in starts]
    surfaces = dict(zip(keys, zip(geometries, planes, strict=True), strict=True))
    facts = {key: read_json(geometry) for key, (geometry, _) in surfaces.items()}

    def evidence() -> Iterator[Any]:
        for (task, title), chosen, card in zip(titles.items(), examples, cards, strict=True):
            labels = read_table(chosen, columns=["split", "label"]).query("split == 'dev'")["label"]
            yield TaskEvidence(
                title,
                runs[task, "pretrained"],
                runs.get((task, "scratch"), []),
                {
                    start: read_plane(surfaces[task, start][1], labels.to_numpy())
                    for start in starts
                },
                facts[task, "pretrained"]["chance_loss"],
                read_json(card)["train"] < SMALL_TASK,
                differences[task],
            )
        if overfitting_task is not None:
            first = runs[overfitting_task, "pretrained"]
            chance = facts[overfitting_task, "pretrained"]["chance_loss"]
            before = [
                path
                for path, which in zip(scores, scored, strict=True)
                if (which["task"], which["start"]) == (overfitting_task, "pretrained")
            ]
            labels = read_table(dev, columns=["label"])["label"].to_numpy()
            unmet = no_optimum({"pre-trained": first}, chance)
            yield read_continuation(titles[overfitting_task], before, continued, labels, unmet)
        for task in dict.fromkeys(rolled_back or []):
            pairs = zip(rollbacks or [], rolled_back or [], strict=True)
            tables = [read_table(path) for path, of in pairs if of == task]
            correct = [
                dict(zip(t["group"], map(np.array, t["correct"]), strict=True)) for t in tables
            ]
            unmet = failed_runs({"pre-trained": runs[task, "pretrained"]})
            yield RollbackEvidence(titles[task], correct, unmet)
        for start in starts:
            cosines = between_tasks({task: facts[task, start] for task in titles}, titles)
            if cosines:
                synthetic = any(title.synthetic for title in titles.values())
                words = f"all pairs, {STARTS[start]}"
                yield DirectionEvidence(
                    TaskTitle(name=start, title=words, synthetic=synthetic), cosines
                )

    table = ledger_table(CLAIMS, evidence())
    write_ledger(table, outcomes, ledger, csv, markdown)


def read_run(
    seeds: str,
    trajectory: Path,
    path: Path,
    ray: Path,
    radii: Path,
    history: Path,
    failed: bool,
) -> RunEvidence:
    """Read what is known of a run.

    Parameters
    ----------
    seeds : str
        Which run it is.
    trajectory, path, ray, radii : Path
        Tables of ``measure_run``.
    history : Path
        The run's history.
    failed : bool
        Whether it ends no better than the majority class.
    """
    checkpoints = read_table(trajectory)
    by_epoch = read_table(history, columns=["epoch", "examples"]).groupby("epoch")["examples"].sum()
    seen = by_epoch.reindex(checkpoints["epoch"], fill_value=0).cumsum()
    return RunEvidence(
        seeds,
        checkpoints,
        seen.to_numpy(float),
        np.stack(read_table(path)["train_loss"]),
        read_table(ray)["train_loss"].to_numpy(float),
        read_table(radii),
        failed,
    )


def read_plane(points: Path, labels: np.ndarray) -> Plane:
    """Read the grid of a plane; an example without a prediction counts as an error.

    Parameters
    ----------
    points : Path
        ``examples.parquet`` of the plane.
    labels : ndarray of shape (M,)
        Of the dev examples, in their order.
    """
    columns = ["alpha", "beta", "on_grid", "train_loss", "dev_prediction"]
    grid = read_table(points, columns=columns).query("on_grid").sort_values(["beta", "alpha"])
    alpha, beta = np.unique(grid["alpha"]), np.unique(grid["beta"])
    shape = len(beta), len(alpha), -1
    wrong = np.stack(grid["dev_prediction"]) != labels
    return Plane(
        np.stack(grid["train_loss"]).reshape(shape),
        wrong.astype(np.float64).reshape(shape),
        (int(np.abs(beta).argmin()), int(np.abs(alpha - 1).argmin())),
    )


def read_continuation(
    title: TaskTitle,
    before: Sequence[Path],
    after: Sequence[Path],
    labels: np.ndarray,
    unmet: str,
) -> ContinuationEvidence:
    """Read how runs ended, and the runs that continue them.

    Parameters
    ----------
    title : TaskTitle
        The task.
    before, after : sequence of Path
        Scores of the runs and of those that continue them, in the same order.
    labels : ndarray of shape (N,)
        Of the dev examples.
    unmet : str
        Why the claim does not apply; empty if it does.
    """
    ends = [[read_table(path).iloc[-1] for path in paths] for paths in (before, after)]
    wrong = [[np.asarray(end["predictions"]) != labels for end in some] for some in ends]
    rises = [float(b["dev_loss"] - a["dev_loss"]) for a, b in zip(*ends, strict=True)]
    failed = any(bool(end["failed"]) for some in ends for end in some)
    unmet = unmet or ("failed run after training on" if failed else "")
    return ContinuationEvidence(title, *wrong, rises, int(ends[1][0]["epoch"]), unmet)


def between_tasks(
    facts: dict[str, dict[str, Any]], titles: dict[str, TaskTitle]
) -> dict[str, float]:
    """Cosine of the directions of every pair of tasks that spans a plane.

    Parameters
    ----------
    facts : dict of str to dict
        ``geometry.json`` of each task's plane.
    titles : dict of str to TaskTitle
        Of all tasks.
    """
    cosines = {}
    for task, geometry in facts.items():
        second = geometry["second"]
        if second in titles:
            pair = "–".join(titles[name].title for name in sorted((task, second)))
            cosines[pair] = geometry["cosine"]
    return cosines


if __name__ == "__main__":
    run(evaluate_claims, snakemake)
