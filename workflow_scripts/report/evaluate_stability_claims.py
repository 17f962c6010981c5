"""Evaluate the claims of Mosbach et al. (2021) on the measured numbers."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from workflow_scripts.common.tables import read_json, read_table
from workflow_scripts.common.titles import TaskTitle
from workflow_scripts.rebuilds.step import run
from workflow_scripts.report import stability_claims
from workflow_scripts.report.ledger import COLUMNS, write_ledger
from workflow_scripts.report.stability_claims import CLAIMS, Decided, Finding, Sweep, decided
from workflow_scripts.report.statistics import Verdict, agreed
from workflow_scripts.stability.statistics import power_statement


def evaluate_stability_claims(
    runs: list[Path],
    predictions: list[Path],
    cards: list[Path],
    ledger: Path,
    csv: Path,
    markdown: Path,
    tasks: list[dict[str, Any]],
    forgetting: list[Path] | None = None,
) -> None:
    """Write the ledger of claims.

    Parameters
    ----------
    runs, predictions : list of Path
        ``runs.parquet`` and ``predictions.parquet`` of all sweeps of all tasks.
    cards : list of Path
        Of the tasks.
    ledger, csv, markdown : Path
        Parquet, CSV and Markdown files to write.
    tasks : list of dict
        For each ``task`` (fields of a ``TaskTitle``) the names of its ``sweeps``, in the order of
        the files; its ``recipes``: the usual one and, where there is one, the strong one (none
        where it is swept on small training sets only); and the two sweeps on ``small`` training
        sets (the same epochs, the same steps), or none.
    forgetting : list of Path, optional
        ``forgetting.parquet`` of the tasks that have recipes; without them that claim is left out.
    """
    titles = {which["task"]["name"]: TaskTitle(**which["task"]) for which in tasks}
    findings, outcomes = [], []
    files = zip(runs, predictions, strict=True)
    for which, card in zip(tasks, cards, strict=True):
        sweeps = {}
        for name in which["sweeps"]:
            table, answers = map(read_table, next(files))
            sweeps[name] = sweep_of(name, table, answers)
            outcomes.append(_ends(which["task"]["name"], name, table))
        chance = float(np.log(len(read_json(card)["labels"])))
        findings += findings_of(
            which["task"]["name"], sweeps, which["recipes"], which["small"], chance
        )
    whole = [which for which in tasks if which["recipes"]]
    for which, path in zip(whole if forgetting else [], forgetting or [], strict=True):
        losses = failed_losses(read_table(path))
        findings += stability_claims.forgetting(which["task"]["name"], losses)
    write_ledger(
        ledger_table(findings, titles),
        pd.concat(outcomes, ignore_index=True),
        ledger,
        csv,
        markdown,
        "this ledger is about such runs.",
    )


def sweep_of(name: str, runs: pd.DataFrame, predictions: pd.DataFrame) -> Sweep:
    """A sweep as the claims take it.

    Parameters
    ----------
    name : str
        Of the sweep.
    runs, predictions : DataFrame
        Of ``merge_sweep``.
    """
    return Sweep(
        name,
        runs["score"].to_numpy(float),
        runs["failed"].to_numpy(bool),
        runs["train_loss"].to_numpy(float),
        predictions["correct"].to_numpy(bool).reshape(len(runs), -1),
        runs["early_norm"].to_numpy(float),
        runs["late_norm"].to_numpy(float),
    )


def findings_of(
    task: str, sweeps: dict[str, Sweep], recipes: list[str], small: list[str], chance: float
) -> list[Finding]:
    """Everything that the sweeps of one task say about the claims.

    Parameters
    ----------
    task : str
        Its name.
    sweeps : dict of str to Sweep
        By name.
    recipes : list of str
        The usual one and, perhaps, the strong one; or none.
    small : list of str
        Sweeps on a small training set: the same epochs, the same steps; or none.
    chance : float
        ln K, nats.
    """
    found = []
    if recipes:
        found += stability_claims.vanishing_gradients(task, sweeps[recipes[0]])
    if len(recipes) > 1:
        pair = [sweeps[name] for name in recipes]
        found += stability_claims.spread_between_seeds(task, *pair)
        found += stability_claims.fewer_failed_runs("failed_runs_removed", task, *pair)
    if small:
        pair = [sweeps[name] for name in small]
        found += stability_claims.fewer_failed_runs("small_data", task, *pair)
    for name in recipes:
        found += stability_claims.same_loss_different_score(task, sweeps[name], chance)
    return found


def failed_losses(forgetting: pd.DataFrame) -> np.ndarray:
    """Masked-LM losses of the failed runs, by the number of layers reset.

    Parameters
    ----------
    forgetting : DataFrame
        ``forgetting.parquet``.

    Returns
    -------
    ndarray of shape (runs, layers + 1)
        Without any run the number of layers is not known, and taken for 1.
    """
    failed = forgetting[forgetting["outcome"] == "failed"]
    if failed.empty:
        return np.empty((0, 2))
    table = failed.pivot(index=["init", "order"], columns="layers_reset", values="loss")
    return table.to_numpy(float)


def ledger_table(findings: list[Finding], titles: dict[str, TaskTitle]) -> pd.DataFrame:
    """The findings with their verdicts, as rows of a ledger.

    The verdict on a claim for a task is that of its findings that must agree; those that are not
    applicable do not count beside others.

    Parameters
    ----------
    findings : list of Finding
        Of all tasks.
    titles : dict of str to TaskTitle
        Of the tasks, by name.

    Returns
    -------
    DataFrame
        The columns of ``ledger.ledger_table``, and ``p_value`` (adjusted for all tests of the
        ledger, NaN where the interval decides). What so many seeds can decide is part of the
        measure.
    """
    every = decided(findings)
    rows = []
    for claim, sentence in CLAIMS.items():
        for task, title in titles.items():
            here = [d for d in every if (d.finding.claim, d.finding.task) == (claim, task)]
            if not here:
                continue
            verdict = conclusion(here)
            rows += [
                {
                    "claim": claim,
                    "text": sentence,
                    "task": title.title,
                    "synthetic": title.synthetic,
                    **_row(one),
                    "conclusion": verdict.word,
                    "why": verdict.reason,
                }
                for one in here
            ]
    columns = ["claim", "text", *COLUMNS, "p_value"]
    return pd.DataFrame(rows, columns=columns).astype(
        dict.fromkeys(["value", "low", "high", "bound", "p_value"], float)
    )


def conclusion(decisions: list[Decided]) -> Verdict:
    """Verdict on a claim for a task: that of the numbers that must agree.

    Parameters
    ----------
    decisions : list of Decided
        Of one claim and task.
    """
    claimed = [one for one in decisions if one.finding.claimed]
    applicable = [one for one in claimed if not one.finding.unmet] or claimed
    return agreed({one.finding.measure: one.verdict for one in applicable})


def _row(one: Decided) -> dict[str, Any]:
    """What a number has of a ledger's columns."""
    finding = one.finding
    power = ""
    if finding.claim in ("failed_runs_removed", "small_data"):
        power = f"; {power_statement(finding.runs)}"
    return {
        "measure": f"{finding.measure}{power}",
        "value": finding.number.value,
        "low": finding.number.low,
        "high": finding.number.high,
        "limit": "",
        "claimed": finding.claimed,
        "bound": finding.bound,
        "runs": finding.runs,
        "verdict": one.verdict.word,
        "reason": one.verdict.reason,
        "p_value": one.p_value,
    }


def _ends(task: str, sweep: str, runs: pd.DataFrame) -> pd.DataFrame:
    """How the runs of a sweep ended, as ``ledger.read_outcomes`` has it."""
    return pd.DataFrame(
        {
            "name": task,
            "task": task,
            "start": f"pretrained, {sweep}",
            "seeds": [f"init{r.init}_order{r.order}" for r in runs.itertuples()],
            "accuracy": runs["accuracy"],
            "majority": runs["majority"],
            "failed": runs["failed"],
        }
    )


if __name__ == "__main__":
    run(evaluate_stability_claims, snakemake)
