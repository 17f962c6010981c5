"""Measure how far the runs of each sweep of a task differ, and compare the sweeps."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import nan
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from workflow_scripts.common.tables import read_table, write_table
from workflow_scripts.rebuilds.step import run
from workflow_scripts.stability import statistics
from workflow_scripts.stability.intervals import Interval


@dataclass(frozen=True)
class Runs:
    """The runs of a sweep, in the order of their seeds.

    Parameters
    ----------
    sweep : str
        Its name.
    table : DataFrame
        ``runs.parquet``.
    predictions : ndarray of int of shape (runs, examples)
        Label ids at the end of training; -1 for none.
    correct : ndarray of bool of shape (runs, examples)
        Whether they are right.
    """

    sweep: str
    table: pd.DataFrame
    predictions: np.ndarray
    correct: np.ndarray


def measure_stability(
    runs: list[Path],
    predictions: list[Path],
    spread: Path,
    tests: Path,
    best: Path,
    consistency: Path,
    sweeps: list[str],
) -> None:
    """Write the statistics of a task's sweeps.

    Parameters
    ----------
    runs, predictions : list of Path
        Of ``merge_sweep``, of each sweep.
    spread, tests, best, consistency : Path
        To write: see ``spread_row``, ``comparison_table``, ``best_rows`` and ``flip_table``.
    sweeps : list of str
        Their names, in the same order; the first is the one that the others are compared with.
    """
    read = [read_runs(*paths) for paths in zip(sweeps, runs, predictions, strict=True)]
    write_table(pd.DataFrame([spread_row(one) for one in read]), spread)
    write_table(comparison_table(read), tests)
    write_table(pd.DataFrame([row for one in read for row in best_rows(one)]), best)
    write_table(pd.concat([flip_table(one) for one in read], ignore_index=True), consistency)


def read_runs(sweep: str, runs: Path, predictions: Path) -> Runs:
    """A sweep's runs, from the tables of ``merge_sweep``."""
    table = read_table(runs)
    answers = read_table(predictions)
    shape = len(table), -1
    return Runs(
        sweep,
        table,
        answers["prediction"].to_numpy().reshape(shape),
        answers["correct"].to_numpy(dtype=bool).reshape(shape),
    )


def limits(name: str, number: Interval) -> dict[str, float]:
    """Columns of a number with its interval: ``NAME``, ``NAME_low`` and ``NAME_high``."""
    return {name: number.value, f"{name}_low": number.low, f"{name}_high": number.high}


def spread_row(runs: Runs) -> dict[str, Any]:
    """Spread, failed runs and agreement of one sweep.

    Returns
    -------
    dict
        ``sweep``, ``runs``, ``failures``, ``diverged``; ``failure_rate``, ``std``,
        ``std_successful``, ``mean``, ``agreement``, ``kappa`` and ``early_sign``, each with
        ``_low`` and ``_high``; ``std_population``, ``median``, ``largest``, ``smallest``,
        ``majority``; ``init_share``, ``order_share`` and ``rest_share`` of the variance, with their
        limits, for a crossed design (else NaN).
    """
    table = runs.table
    failed = table["failed"].to_numpy(dtype=bool)
    of = statistics.spread(table["score"].to_numpy(), failed)
    unknown = Interval(nan, nan, nan)
    agreement, kappa = unknown, unknown
    answered = (runs.predictions >= 0).all(axis=1)
    if answered.sum() >= 2:
        agreed = statistics.consistency(runs.predictions[answered])
        agreement, kappa = agreed.agreement, agreed.kappa
    shares = variance_shares(table)
    return {
        "sweep": runs.sweep,
        "runs": of.runs,
        "failures": int(failed.sum()),
        "diverged": of.diverged,
        **limits("failure_rate", of.failed),
        **limits("std", of.std),
        "std_population": of.std_population,
        **limits("std_successful", of.std_successful),
        **limits("mean", of.mean),
        "median": of.median,
        "largest": of.largest,
        "smallest": of.smallest,
        "majority": float(table["majority"].iloc[0]),
        **limits("agreement", agreement),
        **limits("kappa", kappa),
        **limits("early_sign", statistics.early_sign(table["early_norm"].to_numpy(), failed)),
        **{
            column: value
            for name, share in zip(("init", "order", "rest"), shares, strict=True)
            for column, value in limits(f"{name}_share", share).items()
        },
    }


def variance_shares(table: pd.DataFrame) -> tuple[Interval, Interval, Interval]:
    """Shares of the variance of the score: initialisation, order, rest; NaN unless crossed.

    Parameters
    ----------
    table : DataFrame
        ``runs.parquet``.
    """
    grid = table.pivot(index="init", columns="order", values="score").to_numpy()
    if min(grid.shape) < 2 or grid.size != len(table):
        return (Interval(nan, nan, nan),) * 3
    shares = statistics.crossed_variance(grid)
    return shares.init, shares.order, shares.rest


def comparison_table(sweeps: Sequence[Runs]) -> pd.DataFrame:
    """Every other sweep against the first.

    Returns
    -------
    DataFrame
        ``first``, ``second``; ``std_difference`` and ``failure_difference`` (first minus second)
        with ``_low`` and ``_high``; p values ``brown_forsythe``, ``levene``, ``boschloo`` and
        ``fisher``. A pair of sweeps has the same seeds. No row if there is one sweep.
    """
    rows = []
    first = sweeps[0]
    for second in sweeps[1:]:
        of_spread = statistics.compare_spread(*(s.table["score"] for s in (first, second)))
        of_failures = statistics.compare_failures(
            *(s.table["failed"].to_numpy(dtype=bool) for s in (first, second)), paired=True
        )
        rows.append(
            {
                "first": first.sweep,
                "second": second.sweep,
                **limits("std_difference", of_spread.difference),
                "brown_forsythe": of_spread.brown_forsythe,
                "levene": of_spread.levene,
                **limits("failure_difference", of_failures.difference),
                "boschloo": of_failures.boschloo,
                "fisher": of_failures.fisher,
            }
        )
    return pd.DataFrame(rows) if rows else pd.DataFrame(columns=["first", "second"], dtype=str)


def best_rows(runs: Runs) -> list[dict[str, Any]]:
    """Expected largest score of 1, 2, … runs, of scores at the end and of best dev scores.

    Returns
    -------
    list of dict
        ``sweep``, ``scores`` (``end`` or ``best epoch``), ``best_of`` and ``value`` with
        ``value_low``, ``value_high``; runs without a score are left out.
    """
    rows = []
    for kind, column in (("end", "score"), ("best epoch", "best_score")):
        scores = runs.table[column].to_numpy(dtype=float)
        scores = scores[np.isfinite(scores)]
        rows += [
            {
                "sweep": runs.sweep,
                "scores": kind,
                "best_of": count,
                **limits("value", statistics.expected_best(scores, count)),
            }
            for count in range(1, len(scores) + 1)
        ]
    return rows


def flip_table(runs: Runs) -> pd.DataFrame:
    """How the runs of a sweep answer each dev example.

    Returns
    -------
    DataFrame
        ``sweep``, ``example`` (from 0), ``correct`` (share of the runs that are right) and
        ``flips`` (share of the pairs of runs that disagree); diverged runs are left out. NaN with
        fewer than two others.
    """
    answered = (runs.predictions >= 0).all(axis=1)
    examples = runs.predictions.shape[1]
    correct = flips = np.full(examples, nan)
    if answered.sum() >= 2:
        correct = runs.correct[answered].mean(axis=0)
        flips = statistics.consistency(runs.predictions[answered]).flips
    return pd.DataFrame(
        {
            "sweep": runs.sweep,
            "example": np.arange(examples),
            "correct": correct,
            "flips": flips,
        }
    )


if __name__ == "__main__":
    run(measure_stability, snakemake)
