"""Merge the tables of a sweep's runs, and derive how each of them ended."""

from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd

from workflow_scripts.common.tables import read_table, write_table
from workflow_scripts.finetune.failed import Majority, majority
from workflow_scripts.rebuilds.step import run
from workflow_scripts.stability.failed_runs import early_norm, late_norm, low_third, outcome
from workflow_scripts.stability.sweeps import seeds_in


def merge_sweep(
    histories: list[Path],
    scores: list[Path],
    predictions: list[Path],
    dev: Path,
    merged_runs: Path,
    merged_epochs: Path,
    merged_history: Path,
    merged_predictions: Path,
    metric: str,
) -> None:
    """Write the tables of a sweep.

    Parameters
    ----------
    histories, scores, predictions : list of Path
        Of each run, as ``sweep`` writes them, in the same order.
    dev : Path
        The task's dev set.
    merged_runs : Path
        To write: see ``run_row``.
    merged_epochs, merged_history : Path
        To write: ``init``, ``order`` and the columns of ``scores`` and ``histories``.
    merged_predictions : Path
        To write: ``init``, ``order``, ``example`` (of the dev set, from 0), ``prediction`` and
        ``correct``.
    metric : str
        Of the scores: ``accuracy``, ``f1`` or ``mcc``.
    """
    labels = read_table(dev, ["label"])["label"].to_numpy()
    baseline = majority(labels)
    names = [path.stem for path in scores]
    read = [[read_table(path) for path in paths] for paths in (histories, scores, predictions)]
    steps = max(int(table["step"].max()) for table in read[1])
    rows = [
        run_row(history, scored, baseline, metric, steps)
        for history, scored in zip(read[0], read[1], strict=True)
    ]
    write_table(with_seeds(names, [pd.DataFrame([row]) for row in rows]), merged_runs)
    write_table(with_seeds(names, read[1]), merged_epochs)
    write_table(with_seeds(names, read[0]), merged_history)
    answered = [
        pd.DataFrame(
            {
                "example": np.arange(len(labels)),
                "prediction": table["prediction"],
                "correct": table["prediction"] == labels,
            }
        )
        for table in read[2]
    ]
    write_table(with_seeds(names, answered), merged_predictions)


def run_row(
    history: pd.DataFrame, scores: pd.DataFrame, baseline: Majority, metric: str, steps: int
) -> dict[str, float]:
    """How one run ended.

    Parameters
    ----------
    history, scores : DataFrame
        Of the run.
    baseline : Majority
        Of the dev set.
    metric : str
        Of the scores.
    steps : int
        Of a whole run; one that diverged may have taken fewer.

    Returns
    -------
    dict
        Fields of ``failed_runs.Outcome``; ``majority`` (accuracy of the majority class); ``f1`` and
        ``mcc`` at the end; ``early_norm`` and ``late_norm``: gradient norm of the lowest third of
        the layers (of the lowest one where there are fewer than 3) at 10 % of the steps, and its
        geometric mean over their second half.
    """
    ended = outcome(scores, baseline, metric)
    last = scores.sort_values("epoch").iloc[-1]
    parts = low_parts(history)
    return {
        **asdict(ended),
        "majority": baseline.accuracy,
        "f1": float(last["f1"]),
        "mcc": float(last["mcc"]),
        "early_norm": early_norm(history, parts, steps),
        "late_norm": late_norm(history, parts),
    }


def low_parts(history: pd.DataFrame) -> list[str]:
    """The lowest third of the layers whose gradient norms a history has, one at least."""
    layers = sum(column.startswith("gradient_norm_layer") for column in history)
    return low_third(layers) if layers >= 3 else ["layer00"]


def with_seeds(names: list[str], tables: list[pd.DataFrame]) -> pd.DataFrame:
    """Tables of runs below one another, with their seeds ``init`` and ``order`` first.

    Parameters
    ----------
    names : list of str
        Such as ``init0_order3``.
    tables : list of DataFrame
        In the same order.
    """
    seeds = map(seeds_in, names)
    parts = [
        pd.concat(
            [
                pd.DataFrame({"init": init, "order": order}, index=table.index),
                table,
            ],
            axis=1,
        )
        for (init, order), table in zip(seeds, tables, strict=True)
    ]
    return pd.concat(parts, ignore_index=True)


if __name__ == "__main__":
    run(merge_sweep, snakemake)
