"""Which runs failed, and what their tables say of why. Needs no PyTorch."""

from dataclasses import dataclass
from math import nan

import numpy as np
import pandas as pd

from workflow_scripts.common.errors import UserError, nearest
from workflow_scripts.finetune.failed import Majority, is_failed
from workflow_scripts.model.layers import layer_groups

METRICS = ("accuracy", "f1", "mcc")


def check_metric(metric: str, classes: int) -> None:
    """Refuse a metric that does not fit the labels.

    Parameters
    ----------
    metric : str
        ``accuracy``, ``f1`` or ``mcc``.
    classes : int
        Number of labels of the task.

    Raises
    ------
    UserError
        If the metric is unknown, or is F1 and there are more than two classes.
    """
    if metric not in METRICS:
        raise UserError(
            f"metric: got {metric!r}, allowed: {', '.join(METRICS)}{nearest(metric, METRICS)}"
        )
    if metric == "f1" and classes != 2:
        raise UserError(
            f"metric: got 'f1', which is that of label 1 of two, for a task of {classes} labels; "
            "allowed: accuracy, mcc"
        )


@dataclass(frozen=True)
class Outcome:
    """How a run ended.

    Parameters
    ----------
    failed, diverged : bool
        A run that diverged (a loss became infinite or NaN) has failed.
    accuracy, score : float
        On the dev set at the end of training; ``score`` is the task's metric. NaN if diverged.
    best_score : float
        The largest score of an epoch from 1 on; NaN if no epoch has one.
    best_epoch : int
        The first epoch that has it; 0 if there is none.
    train_loss : float
        Mean loss of the batches of the last epoch with steps, nats; NaN if diverged.
    epochs, steps : int
        Of the run.
    """

    failed: bool
    diverged: bool
    accuracy: float
    score: float
    best_score: float
    best_epoch: int
    train_loss: float
    epochs: int
    steps: int


def outcome(scores: pd.DataFrame, baseline: Majority, metric: str) -> Outcome:
    """How a run ended, from its scores.

    Parameters
    ----------
    scores : DataFrame
        ``scores.parquet`` of the run: a row per epoch with ``epoch``, ``step``, ``train_loss``,
        ``accuracy``, ``f1``, ``mcc``, ``diverged``.
    baseline : Majority
        Of the dev set.
    metric : str
        Column of the score.

    Raises
    ------
    UserError
        If no epoch was trained.
    """
    scores = scores.sort_values("epoch")
    last = scores.iloc[-1]
    if last["epoch"] < 1:
        raise UserError("scores: got epoch 0 only, expected a run of 1 epoch or more")
    diverged = bool(last["diverged"])
    trained = scores[(scores["epoch"] > 0) & np.isfinite(scores[metric])]
    best = trained.loc[trained[metric].idxmax()] if len(trained) else None
    # Epochs after `max_steps` take no steps: they repeat the last scores, without a training loss.
    losses = scores["train_loss"][scores["step"].diff() > 0]
    accuracy = nan if diverged else float(last["accuracy"])
    return Outcome(
        failed=is_failed(accuracy, baseline),
        diverged=diverged,
        accuracy=accuracy,
        score=nan if diverged else float(last[metric]),
        best_score=nan if best is None else float(best[metric]),
        best_epoch=0 if best is None else int(best["epoch"]),
        train_loss=nan if diverged or losses.empty else float(losses.iloc[-1]),
        epochs=int(last["epoch"]),
        steps=int(last["step"]),
    )


def low_third(layers: int) -> list[str]:
    """Names, as in the columns of a history, of the lowest third of a model's layers."""
    return [f"layer{layer:02d}" for layer in layer_groups(layers)["low"]]


def early_norm(history: pd.DataFrame, parts: list[str], steps: int, share: float = 0.1) -> float:
    """Gradient norm of some parts after a share of all steps, before clipping.

    Parameters
    ----------
    history : DataFrame
        ``history.parquet`` of the run: a row per step with ``step`` (from 1) and
        ``gradient_norm_PART``.
    parts : list of str
        Whose squared norms are added, ``low_third`` for instance.
    steps : int
        Steps that the run was to take; one that diverged has taken fewer.
    share : float
        Of them, 0 to 1; the step is rounded to the nearest, the first at least.

    Returns
    -------
    float
        NaN if the run did not get to that step.
    """
    step = max(1, round(share * steps))
    norms = part_norms(history, parts)
    return float(norms.get(step, nan))


def late_norm(history: pd.DataFrame, parts: list[str], share: float = 0.5) -> float:
    """Geometric mean of the gradient norm of some parts over the last steps.

    Parameters
    ----------
    history, parts
        As for ``early_norm``.
    share : float
        Of the steps taken, from the end, 0 to 1.

    Returns
    -------
    float
        NaN if there is no step, or a norm among them is not finite.
    """
    norms = part_norms(history, parts).to_numpy()
    norms = norms[len(norms) - round(share * len(norms)) :]
    if len(norms) == 0 or not np.isfinite(norms).all():
        return nan
    return float(np.exp(np.log(np.maximum(norms, np.finfo(float).tiny)).mean()))


def part_norms(history: pd.DataFrame, parts: list[str]) -> pd.Series:
    """Gradient norm of some parts together, by step.

    Raises
    ------
    UserError
        If the history lacks a part.
    """
    prefix = "gradient_norm_"
    missing = [part for part in parts if f"{prefix}{part}" not in history]
    if missing:
        known = [c.removeprefix(prefix) for c in history if c.startswith(prefix)]
        raise UserError(
            f"parts: got {missing[0]!r}, the history has {', '.join(known) or 'none'}"
            f"{nearest(missing[0], known)}"
        )
    squares = history[[f"{prefix}{part}" for part in parts]].to_numpy() ** 2
    return pd.Series(np.sqrt(squares.sum(axis=1)), index=history["step"].to_numpy())
