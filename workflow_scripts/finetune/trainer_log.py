"""What Hugging Face's Trainer logged, as the tables of a run."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

COLUMNS = ("learning_rate", "loss", "examples", "tokens", "gradient_norm")


def history_of(
    log: Sequence[Mapping[str, Any]],
    steps: Sequence[int],
    train_examples: int,
    gradients: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """History of a run, a row per entry of the log that has a training loss.

    Parameters
    ----------
    log : sequence of mapping
        ``log_history`` of ``trainer_state.json``.
    steps : sequence of int
        Steps of the checkpoints, from 0.
    train_examples : int
        Size of the training set, of which the log's ``epoch`` counts the passes.
    gradients : DataFrame, optional
        What ``callback.SaveTrajectory`` measured: ``step``, ``gradient_norm_PART``.

    Returns
    -------
    DataFrame
        ``step``; ``epoch``, the number of the checkpoint that the step leads to, from 1; and
        ``COLUMNS``, NaN where the log does not say. A loss is the mean of the steps since the row
        before. Without any loss there is a row per checkpoint.
    """
    last = steps[-1]
    entries = [entry for entry in log if "loss" in entry and 0 < entry.get("step", 0) <= last]
    rows = [
        {
            "step": int(entry["step"]),
            "learning_rate": _number(entry.get("learning_rate")),
            "loss": _number(entry["loss"]),
            "gradient_norm": _number(entry.get("grad_norm")),
            "seen": train_examples * _number(entry.get("epoch")),
        }
        for entry in entries
    ]
    table = pd.DataFrame(rows or [{"step": step} for step in steps[1:]])
    table = table.drop_duplicates("step", keep="last").sort_values("step", ignore_index=True)
    seen = table["seen"] if "seen" in table else pd.Series(np.nan, table.index)
    table["examples"] = seen.round().diff().fillna(seen.round())
    table["epoch"] = np.searchsorted(steps, table["step"].to_numpy())
    table = table.reindex(columns=["step", "epoch", *COLUMNS]).astype(
        {"step": np.int64, "epoch": np.int64, **dict.fromkeys(COLUMNS, np.float64)}
    )
    if gradients is not None:
        parts = [name for name in gradients if name.startswith("gradient_norm_")]
        table = table.merge(gradients[["step", *parts]], how="left", on="step")
    return table


def _number(value: Any) -> float:
    return float(value) if isinstance(value, (int, float)) else math.nan


def train_losses(history: pd.DataFrame, steps: Sequence[int]) -> list[float]:
    """Mean training loss on the way to each checkpoint, NaN for step 0 and where none is logged.

    Parameters
    ----------
    history : DataFrame
        Of ``history_of``: a loss counts as often as there are steps since the row before.
    steps : sequence of int
        Steps of the checkpoints, from 0.
    """
    losses = [math.nan]
    weights = history["step"].diff().fillna(history["step"])
    for number in range(1, len(steps)):
        rows = (history["epoch"] == number) & history["loss"].notna()
        losses.append(
            float(np.average(history["loss"][rows], weights=weights[rows]))
            if rows.any()
            else math.nan
        )
    return losses


def reported_losses(log: Sequence[Mapping[str, Any]], steps: Sequence[int]) -> list[float]:
    """``eval_loss`` that the Trainer logged at each checkpoint; NaN where it logged none."""
    logged = {entry.get("step"): entry["eval_loss"] for entry in log if "eval_loss" in entry}
    return [_number(logged.get(step)) for step in steps]


def missing_columns(history: pd.DataFrame) -> str:
    """Columns of a history that the log lacks, for a message; empty if it has all."""
    empty = [name for name in COLUMNS if history[name].isna().all()]
    return ", ".join(empty)
