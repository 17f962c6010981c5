"""The claims of Hao et al. (2019), each evaluated as numbers with intervals."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from workflow_scripts.common.intervals import resampled_block_means, resampled_means
from workflow_scripts.landscape.width import interval
from workflow_scripts.report.ledger import Claim, LedgerRow, finite_interval, without_verdict

_SEED = 0


@dataclass(frozen=True)
class Line:
    """Per-example training losses along a run's direction.

    Attributes
    ----------
    alpha : ndarray of shape (P,)
        Increasing coordinates, 0 and 1 among them.
    losses : ndarray of shape (P, N)
        Of each example, nats.
    filter_distance : float
        Filter-normalised length of a unit of alpha.
    """

    alpha: np.ndarray
    losses: np.ndarray
    filter_distance: float


@dataclass(frozen=True)
class Plane:
    """Per-example results at the grid points of a plane.

    Attributes
    ----------
    losses : ndarray of shape (P, N)
        Training losses, nats.
    errors : ndarray of shape (P, M)
        Dev errors, 0 or 1.
    """

    losses: np.ndarray
    errors: np.ndarray


@dataclass(frozen=True)
class RunEvidence:
    """What is known of a task's run from one start.

    Attributes
    ----------
    line : Line
        From its start through its end.
    plane : Plane
        Through its start and end.
    history : DataFrame
        ``step`` (from 1) and ``loss`` (nats), a row per step.
    trajectory : DataFrame
        ``epoch`` and ``cosine`` (see ``projection.Coordinates``).
    failed : bool
        Whether it ends no better than the majority class.
    """

    line: Line
    plane: Plane
    history: pd.DataFrame
    trajectory: pd.DataFrame
    failed: bool = False


@dataclass(frozen=True)
class TaskEvidence:
    """A task's two runs.

    Attributes
    ----------
    task : str
        Name of the task.
    pretrained, scratch : RunEvidence
        From the pre-trained start and from scratch, over the same examples; ``scratch`` is None
        where the experiment has no such runs, and what compares with it is left out.
    chance_loss : float
        ln K, nats.
    tolerances : list of float
        Nats above the loss at the end point.
    resamples : int
        Bootstrap samples of the examples.
    """

    task: str
    pretrained: RunEvidence
    scratch: RunEvidence | None
    chance_loss: float
    tolerances: list[float]
    resamples: int


@dataclass(frozen=True)
class ContinuationEvidence:
    """A run that continues another.

    Attributes
    ----------
    task : str
        Name of the task.
    before, after : DataFrame
        Scores of the first run and of the run that continues it: ``epoch`` and ``accuracy``
        (0 to 1).
    examples : int
        Number of dev examples.
    failed : bool
        Whether one of the two ends no better than the majority class.
    """

    task: str
    before: pd.DataFrame
    after: pd.DataFrame
    examples: int
    failed: bool = False


@dataclass(frozen=True)
class RollbackEvidence:
    """A task's table of layer groups rolled back.

    Attributes
    ----------
    task : str
        Name of the task.
    table : DataFrame
        From ``roll_back_groups.table``, the lowest group first: ``group``, and ``difference`` from
        the fine-tuned model with its interval ``low``, ``high`` (points).
    failed : bool
        Whether the run ends no better than the majority class.
    """

    task: str
    table: pd.DataFrame
    failed: bool = False


def wider_optimum(
    task: str, pretrained: Line, scratch: Line, tolerances: list[float], resamples: int
) -> list[LedgerRow]:
    """Ratio of widths, pre-trained over scratch, in filter-normalised distance; claimed above 1.

    The same examples are drawn for both starts, so the ratio's interval is a paired one. A
    width that the grid cuts off counts as it is, which understates it.

    Parameters
    ----------
    task : str
        Name of the task.
    pretrained, scratch : Line
        Of the task's two runs, over the same examples.
    tolerances : list of float
        Nats above the loss at the end point, a row each.
    resamples : int
        Bootstrap samples of the examples.

    References
    ----------
    Hao et al. (2019), section 5.1; section 6.1 and figure 5 for the line. Li et al. (2018),
    section 4, for the distance.
    """
    rows = []
    lines = pretrained, scratch
    drawn = [resampled_means(line.losses, resamples, _SEED) for line in lines]
    for tolerance in tolerances:

        def width(line: Line, loss: np.ndarray, tolerance: float = tolerance) -> float:
            return interval(line.alpha, loss, tolerance).width * line.filter_distance

        value = _ratio(*(width(line, line.losses.mean(axis=1, dtype=np.float64)) for line in lines))
        ratios = [
            _ratio(*(width(line, mean) for line, mean in zip(lines, means, strict=True)))
            for means in zip(*drawn, strict=True)
        ]
        measure = f"width along the line, pre-trained / scratch, {tolerance:.3g} nats above the end"
        rows.append(LedgerRow(task, measure, value, *finite_interval(ratios), "above", 1))
    return rows


def _ratio(first: float, second: float) -> float:
    """NaN where the second is 0: the width of an end point whose loss is not finite."""
    return first / second if second > 0 else np.nan


def easier_optimisation(
    task: str, pretrained: pd.DataFrame, scratch: pd.DataFrame, chance_loss: float
) -> list[LedgerRow]:
    """Mean training loss and steps to half the loss of chance, pre-trained against scratch.

    Two rows: the difference of the means over the steps that both runs have, claimed below 0; and
    the ratio of the steps (see ``first_below``), claimed below 1, without an interval. The
    interval is a block bootstrap over the steps of one run each: it does not include the variance
    between seeds.

    Parameters
    ----------
    task : str
        Name of the task.
    pretrained, scratch : DataFrame
        Histories with ``step`` (from 1) and ``loss`` (nats), a row per step.
    chance_loss : float
        ln K, nats.

    References
    ----------
    Hao et al. (2019), section 5.2 and figure 2.
    """
    steps = min(len(pretrained), len(scratch))
    gap = pretrained["loss"].to_numpy()[:steps] - scratch["loss"].to_numpy()[:steps]
    block = max(1, round(steps**0.5))
    means = resampled_block_means(gap, block, 500, _SEED)
    reached = [first_below(history, chance_loss / 2) for history in (pretrained, scratch)]
    return [
        LedgerRow(
            task,
            f"mean training loss over the first {steps} steps, pre-trained - scratch, nats",
            gap.mean(),
            *finite_interval(means),
            "below",
            0,
        ),
        LedgerRow(
            task,
            "steps to half the loss of chance, pre-trained / scratch",
            reached[0] / reached[1],
            np.nan,
            np.nan,
            "below",
            1,
        ),
    ]


def first_below(history: pd.DataFrame, level: float) -> float:
    """First step at which the mean training loss of the last 10 steps is below a level.

    Parameters
    ----------
    history : DataFrame
        ``step`` and ``loss`` (nats); if it has fewer than 10 steps, all are averaged.
    level : float
        Nats.

    Returns
    -------
    float
        Infinite if there is no such step.
    """
    smooth = history["loss"].rolling(min(10, len(history))).mean()
    below = history["step"][smooth < level]
    return float(below.iloc[0]) if len(below) else np.inf


def straight_path(task: str, pretrained: pd.DataFrame, scratch: pd.DataFrame) -> list[LedgerRow]:
    """Cosine of the first epoch's direction with the whole run's, pre-trained minus scratch.

    Claimed above 0. There is one run of each, so there is no interval.

    Parameters
    ----------
    task : str
        Name of the task.
    pretrained, scratch : DataFrame
        Trajectories with ``epoch`` and ``cosine`` (see ``projection.Coordinates``).

    Raises
    ------
    IndexError
        If a trajectory has no epoch 1.

    References
    ----------
    Hao et al. (2019), section 5.2 and figure 3; equation 3 for the cosine.
    """
    first, second = (
        float(run.loc[run["epoch"] == 1, "cosine"].iloc[0]) for run in (pretrained, scratch)
    )
    measure = (
        "cosine of the first epoch's direction with the whole run's, "
        f"pre-trained ({first:.3f}) - scratch ({second:.3f})"
    )
    return [LedgerRow(task, measure, first - second, np.nan, np.nan, "above", 0)]


def no_loss_barrier(
    task: str, pretrained: Line, scratch: Line | None, resamples: int
) -> list[LedgerRow]:
    """Height of the loss barrier between start and end: the largest rise over the start, nats.

    A row for each start that there is. The paper expects no barrier for the pre-trained one, so it
    must stay below a standard error of the loss at the start; scratch is reported only.

    Parameters
    ----------
    task : str
        Name of the task.
    pretrained, scratch : Line
        Of the task's two runs; None where there is none from scratch.
    resamples : int
        Bootstrap samples of the examples.

    Raises
    ------
    IndexError
        If alpha = 0 is not a point of a line.

    References
    ----------
    Hao et al. (2019), sections 5.1 and 5.2.
    """
    rows = []
    for name, line in (("pre-trained", pretrained), ("scratch", scratch)):
        if line is None:
            continue
        between = (line.alpha >= 0) & (line.alpha <= 1)
        start = int(np.flatnonzero(line.alpha == 0)[0])

        def rise(loss: np.ndarray, between=between, start=start) -> float:
            return float(np.max(loss[between]) - loss[start])

        draws = [rise(mean) for mean in resampled_means(line.losses, resamples, _SEED)]
        rows.append(
            LedgerRow(
                task,
                f"largest rise over the start's loss between start and end, {name}, nats",
                rise(line.losses.mean(axis=1, dtype=np.float64)),
                *finite_interval(draws),
                "below" if name == "pre-trained" else "",
                line.losses[start].std(ddof=1) / line.losses.shape[1] ** 0.5,
            )
        )
    return rows


def robust_to_overfitting(
    task: str, before: pd.DataFrame, after: pd.DataFrame, examples: int
) -> list[LedgerRow]:
    """Dev error after longer training minus before, in points; claimed below 1.

    The 95 % interval (normal approximation) treats the two errors as independent binomials, which
    makes it wider than a paired one.

    Parameters
    ----------
    task : str
        Name of the task.
    before, after : DataFrame
        Scores of the run and of the run that continues it, with ``epoch`` and ``accuracy`` (0 to
        1); the last row counts.
    examples : int
        Number of dev examples.

    References
    ----------
    Hao et al. (2019), section 5.3 and figure 4.
    """
    p, q = 1 - before["accuracy"].iloc[-1], 1 - after["accuracy"].iloc[-1]
    gap = 100 * (q - p)
    half = 196 * np.sqrt((p * (1 - p) + q * (1 - q)) / examples)
    measure = (
        f"dev error after {int(after['epoch'].iloc[-1])} more epochs ({100 * q:.1f} %) "
        f"- before ({100 * p:.1f} %), points"
    )
    return [LedgerRow(task, measure, gap, gap - half, gap + half, "below", 1)]


def consistent_surfaces(
    task: str, pretrained: Plane, scratch: Plane | None, resamples: int
) -> list[LedgerRow]:
    """Rank correlation (Spearman) over the plane of training loss and dev error.

    The paper says that the surfaces agree, and that they agree better for the pre-trained start
    than from scratch on small data sets. Both are rows: the pre-trained correlation, claimed above
    0.5, and the difference, claimed above 0, where there is a run from scratch. Points whose loss
    is not finite do not count.

    Parameters
    ----------
    task : str
        Name of the task.
    pretrained, scratch : Plane
        Of the task's two runs; None where there is none from scratch.
    resamples : int
        Bootstrap samples of the training and of the dev examples.

    References
    ----------
    Hao et al. (2019), section 6.2; the surfaces are figures 1 and 6.
    """
    from scipy.stats import spearmanr

    def correlation(loss: np.ndarray, error: np.ndarray) -> float:
        finite = np.isfinite(loss)
        return float(spearmanr(loss[finite], error[finite]).statistic)

    values, draws = [], []
    for plane in filter(None, (pretrained, scratch)):
        values.append(correlation(plane.losses.mean(axis=1), plane.errors.mean(axis=1)))
        drawn = zip(
            resampled_means(plane.losses, resamples, _SEED),
            resampled_means(plane.errors, resamples, _SEED + 1),
            strict=True,
        )
        draws.append(np.array([correlation(x, y) for x, y in drawn]))
    measure = "rank correlation of training loss and dev error over the plane"
    rows = [
        LedgerRow(
            task,
            f"{measure}, pre-trained",
            values[0],
            *finite_interval(draws[0]),
            "above",
            0.5,
        )
    ]
    if scratch is not None:
        rows.append(
            LedgerRow(
                task,
                f"{measure}, pre-trained - scratch",
                values[0] - values[1],
                *finite_interval(draws[0] - draws[1]),
                "above",
                0,
            )
        )
    return rows


def invariant_low_layers(task: str, rollback: pd.DataFrame) -> list[LedgerRow]:
    """Loss of accuracy with each layer group rolled back, in points.

    Claimed: small for the lowest group (below 3 points), and larger for the highest group than
    for the lowest (difference above 0). The groups between are reported only.

    Parameters
    ----------
    task : str
        Name of the task.
    rollback : DataFrame
        From ``roll_back_groups.table``, the lowest group first: ``group``, and ``difference`` from
        the fine-tuned model with its interval ``low``, ``high`` (points).

    Raises
    ------
    IndexError
        If there is no group but ``none``.

    References
    ----------
    Hao et al. (2019), section 7 and table 1.
    """
    groups = rollback[rollback["group"] != "none"]
    low, high = groups.iloc[0], groups.iloc[-1]
    rows = [
        LedgerRow(
            task,
            f"accuracy lost with the {group['group']} layers rolled back, points",
            -group["difference"],
            -group["high"],
            -group["low"],
            "below" if group["group"] == low["group"] else "",
            3,
        )
        for _, group in groups.iterrows()
    ]
    # The two losses share their examples; treating them as independent widens the interval.
    gap = low["difference"] - high["difference"]
    half = np.hypot(low["high"] - low["low"], high["high"] - high["low"]) / 2
    measure = f"accuracy lost, {high['group']} layers rolled back - {low['group']} layers, points"
    return [*rows, LedgerRow(task, measure, gap, gap - half, gap + half, "above", 0)]


def _compared(
    e: TaskEvidence, evaluate: Callable[[TaskEvidence], list[LedgerRow]]
) -> list[LedgerRow]:
    """Rows of a claim that compares with a run from scratch: without one, none."""
    if e.scratch is None:
        return []
    return without_verdict(evaluate(e), e.pretrained.failed or e.scratch.failed)


def _first_alone(
    e: TaskEvidence, evaluate: Callable[[TaskEvidence], list[LedgerRow]]
) -> list[LedgerRow]:
    """Rows of which the first rests on the pre-trained run alone, the others on both."""
    first, *others = evaluate(e)
    failed = e.pretrained.failed or (e.scratch is not None and e.scratch.failed)
    return [*without_verdict([first], e.pretrained.failed), *without_verdict(others, failed)]


CLAIMS = (
    Claim(
        "wider_optimum",
        "Pre-training leads to wider optima",
        "section 5.1",
        TaskEvidence,
        lambda e: _compared(
            e,
            lambda e: wider_optimum(
                e.task, e.pretrained.line, e.scratch.line, e.tolerances, e.resamples
            ),
        ),
    ),
    Claim(
        "easier_optimisation",
        "Pre-training eases optimisation",
        "section 5.2",
        TaskEvidence,
        lambda e: _compared(
            e,
            lambda e: easier_optimisation(
                e.task, e.pretrained.history, e.scratch.history, e.chance_loss
            ),
        ),
    ),
    Claim(
        "straight_path",
        "The first epoch already points to the end",
        "section 5.2",
        TaskEvidence,
        lambda e: _compared(
            e, lambda e: straight_path(e.task, e.pretrained.trajectory, e.scratch.trajectory)
        ),
    ),
    Claim(
        "no_loss_barrier",
        "There is no loss barrier between the pre-trained start and the end",
        "section 5.2",
        TaskEvidence,
        lambda e: _first_alone(
            e,
            lambda e: no_loss_barrier(
                e.task, e.pretrained.line, e.scratch and e.scratch.line, e.resamples
            ),
        ),
    ),
    Claim(
        "robust_to_overfitting",
        "Longer training does not raise the dev error",
        "section 5.3",
        ContinuationEvidence,
        lambda e: without_verdict(
            robust_to_overfitting(e.task, e.before, e.after, e.examples), e.failed
        ),
    ),
    Claim(
        "consistent_surfaces",
        "Training loss and dev error have consistent surfaces",
        "section 6.2",
        TaskEvidence,
        lambda e: _first_alone(
            e,
            lambda e: consistent_surfaces(
                e.task, e.pretrained.plane, e.scratch and e.scratch.plane, e.resamples
            ),
        ),
    ),
    Claim(
        "invariant_low_layers",
        "Low layers can be rolled back, high layers cannot",
        "section 7",
        RollbackEvidence,
        lambda e: without_verdict(invariant_low_layers(e.task, e.table), e.failed),
    ),
)
