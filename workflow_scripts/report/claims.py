"""The claims of Hao et al. (2019), each turned into a number with an interval.

Every function returns rows of the ledger (``ledger.row``).
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from workflow_scripts.common.intervals import resampled_block_means, resampled_means
from workflow_scripts.landscape.width import interval
from workflow_scripts.report.ledger import row

CLAIMS = {
    "wider_optimum": "Pre-training leads to wider optima (section 5.1)",
    "easier_optimisation": "Pre-training eases optimisation (section 5.2)",
    "straight_path": "The first epoch already points to the end (section 5.2)",
    "free_path": "Nothing bars the way from the pre-trained start to the end (section 5.2)",
    "robust_to_overfitting": "Training on does not spoil the dev error (section 5.3)",
    "consistent_surfaces": "Training loss and dev error have consistent surfaces (section 6.2)",
    "invariant_low_layers": "Low layers can be put back, high layers cannot (section 7)",
}
_SEED = 0


@dataclass(frozen=True)
class Line:
    """Per-example training losses along a run's direction.

    ``alpha`` : increasing coordinates [P], 0 and 1 among them.
    ``losses`` : nats [P, N].
    ``filter_distance`` : filter-normalised length of a unit of alpha.
    """

    alpha: np.ndarray
    losses: np.ndarray
    filter_distance: float


def wider_optimum(
    task: str, pretrained: Line, scratch: Line, tolerances: list[float], resamples: int
) -> list[dict]:
    """Ratio of widths, pre-trained over scratch, in filter-normalised distance; claimed above 1.

    The same examples are drawn for both starts, so the ratio's interval is a paired one. A
    width that the grid cuts off counts as it is, which understates it.

    Parameters
    ----------
    pretrained, scratch : lines of the task's two runs, over the same N examples.
    tolerances : nats above the loss at the end point, a row each.
    resamples : bootstrap samples of the examples.

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
        rows.append(row("wider_optimum", task, measure, ratios, value, "above", 1))
    return rows


def _ratio(first: float, second: float) -> float:
    """NaN where the second is 0: the width of an end point whose loss is not finite."""
    return first / second if second > 0 else np.nan


def easier_optimisation(
    task: str, pretrained: pd.DataFrame, scratch: pd.DataFrame, chance_loss: float
) -> list[dict]:
    """Mean training loss and steps to half the loss of chance, pre-trained against scratch.

    Two rows: the difference of the means, claimed below 0, over as many steps as both runs have;
    and the ratio of the steps (see ``first_below``), claimed below 1, without an interval. The
    interval is a block bootstrap over steps, for one run of each: it does not hold the spread
    between seeds.

    Parameters
    ----------
    pretrained, scratch : histories with ``step`` (from 1) and ``loss`` (nats), a row per step.
    chance_loss : ln K, nats.

    References
    ----------
    Hao et al. (2019), section 5.2 and figure 2.
    """
    steps = min(len(pretrained), len(scratch))
    gap = pretrained["loss"].to_numpy()[:steps] - scratch["loss"].to_numpy()[:steps]
    block = max(1, round(steps**0.5))
    rows = [
        row(
            "easier_optimisation",
            task,
            f"mean training loss over the first {steps} steps, pre-trained - scratch, nats",
            resampled_block_means(gap, block, 500, _SEED),
            gap.mean(),
            "below",
            0,
        )
    ]
    reached = {
        name: first_below(h, chance_loss / 2)
        for name, h in (("pretrained", pretrained), ("scratch", scratch))
    }
    rows.append(
        row(
            "easier_optimisation",
            task,
            "steps to half the loss of chance, pre-trained / scratch",
            (np.nan, np.nan),
            reached["pretrained"] / reached["scratch"],
            "below",
            1,
        )
    )
    return rows


def first_below(history: pd.DataFrame, level: float) -> float:
    """First step at which the mean training loss of the last 10 steps is below ``level`` nats.

    Infinite if it never is. A history of fewer than 10 steps is averaged whole.
    """
    smooth = history["loss"].rolling(min(10, len(history))).mean()
    below = history["step"][smooth < level]
    return float(below.iloc[0]) if len(below) else np.inf


def straight_path(task: str, pretrained: pd.DataFrame, scratch: pd.DataFrame) -> list[dict]:
    """Cosine of the first epoch's direction with the whole run's, pre-trained minus scratch.

    Claimed above 0; one run of each, so there is no interval.

    Parameters
    ----------
    pretrained, scratch : trajectories with ``epoch`` and ``cosine`` (see
        ``projection.Coordinates``).

    Raises
    ------
    IndexError : if a trajectory has no epoch 1.

    References
    ----------
    Hao et al. (2019), section 5.2 and figure 3; equation 3 for the cosine.
    """
    first = {
        name: float(t.loc[t["epoch"] == 1, "cosine"].iloc[0])
        for name, t in (("pretrained", pretrained), ("scratch", scratch))
    }
    measure = (
        "cosine of the first epoch's direction with the whole run's, "
        f"pre-trained ({first['pretrained']:.3f}) - scratch ({first['scratch']:.3f})"
    )
    gap = first["pretrained"] - first["scratch"]
    return [row("straight_path", task, measure, (np.nan, np.nan), gap, "above", 0)]


def free_path(task: str, pretrained: Line, scratch: Line, resamples: int) -> list[dict]:
    """Largest rise of the training loss between start and end over its start, nats.

    A row for each of the two starts. The paper expects no rise for the pre-trained one, so it must
    stay below a standard error of the loss at the start; scratch is shown beside, with no side
    claimed.

    Parameters
    ----------
    pretrained, scratch : lines of the task's two runs.
    resamples : bootstrap samples of the examples.

    Raises
    ------
    IndexError : if alpha = 0 is not a point of a line.

    References
    ----------
    Hao et al. (2019), sections 5.1 and 5.2.
    """
    rows = []
    for name, line in (("pre-trained", pretrained), ("scratch", scratch)):
        between = (line.alpha >= 0) & (line.alpha <= 1)
        start = int(np.flatnonzero(line.alpha == 0)[0])

        def rise(loss: np.ndarray, between=between, start=start) -> float:
            return float(np.max(loss[between]) - loss[start])

        draws = [rise(m) for m in resampled_means(line.losses, resamples, _SEED)]
        spread = line.losses[start].std(ddof=1) / line.losses.shape[1] ** 0.5
        rows.append(
            row(
                "free_path",
                task,
                f"largest rise over the start's loss on the way to the end, {name}, nats",
                draws,
                rise(line.losses.mean(axis=1, dtype=np.float64)),
                "below" if name == "pre-trained" else "",
                spread,
            )
        )
    return rows


def robust_to_overfitting(
    task: str, before: pd.DataFrame, after: pd.DataFrame, examples: int
) -> list[dict]:
    """Dev error after training on, minus before, in points; claimed below 1.

    The 95 % interval (normal approximation) takes the two errors for independent binomials, which
    is wider than a paired one.

    Parameters
    ----------
    before, after : scores of the run and of the run that continues it, with ``epoch`` and
        ``accuracy`` (0 to 1); the last row counts.
    examples : number of dev examples.

    References
    ----------
    Hao et al. (2019), section 5.3 and figure 4.
    """
    p, q = 1 - before["accuracy"].iloc[-1], 1 - after["accuracy"].iloc[-1]
    gap = 100 * (q - p)
    spread = 196 * np.sqrt((p * (1 - p) + q * (1 - q)) / examples)
    measure = (
        f"dev error after {int(after['epoch'].iloc[-1])} more epochs ({100 * q:.1f} %) "
        f"- before ({100 * p:.1f} %), points"
    )
    return [
        row("robust_to_overfitting", task, measure, (gap - spread, gap + spread), gap, "below", 1)
    ]


def consistent_surfaces(
    task: str,
    planes: dict[str, tuple[np.ndarray, np.ndarray]],
    resamples: int,
) -> list[dict]:
    """Rank correlation (Spearman) over the plane of training loss and dev error.

    The paper says the surfaces agree, and better for the pre-trained start than from scratch on
    small data sets. Both are rows: the pre-trained correlation, claimed above 0.5, and the
    difference, claimed above 0. Points whose loss is not finite do not count.

    Parameters
    ----------
    planes : ``pretrained`` and ``scratch`` -> per-example training losses, nats [P, N], and dev
        errors, 0 or 1 [P, M].
    resamples : bootstrap samples of the training and of the dev examples.

    References
    ----------
    Hao et al. (2019), section 6.2; the surfaces are figures 1 and 6.
    """
    from scipy.stats import spearmanr

    def correlation(loss: np.ndarray, error: np.ndarray) -> float:
        finite = np.isfinite(loss)
        return float(spearmanr(loss[finite], error[finite]).statistic)

    values, draws = {}, {}
    for start, (loss, error) in planes.items():
        values[start] = correlation(loss.mean(axis=1), error.mean(axis=1))
        drawn = zip(
            resampled_means(loss, resamples, _SEED),
            resampled_means(error, resamples, _SEED + 1),
            strict=True,
        )
        draws[start] = np.array([correlation(x, y) for x, y in drawn])
    measure = "rank correlation of training loss and dev error over the plane"
    return [
        row(
            "consistent_surfaces",
            task,
            f"{measure}, pre-trained",
            draws["pretrained"],
            values["pretrained"],
            "above",
            0.5,
        ),
        row(
            "consistent_surfaces",
            task,
            f"{measure}, pre-trained - scratch",
            draws["pretrained"] - draws["scratch"],
            values["pretrained"] - values["scratch"],
            "above",
            0,
        ),
    ]


def invariant_low_layers(task: str, rollback: pd.DataFrame) -> list[dict]:
    """Loss of accuracy with each layer group put back, in points.

    Claimed: small for the lowest group (below 3 points), and larger for the highest group than
    for the lowest (difference above 0). The groups between are shown beside.

    Parameters
    ----------
    rollback : from ``roll_back_groups.table``, the lowest group first; ``group``, and
        ``difference`` from the fine-tuned model with its interval ``low``, ``high`` (points).

    Raises
    ------
    IndexError : if there is no group but ``none``.

    References
    ----------
    Hao et al. (2019), section 7 and table 1.
    """
    groups = rollback[rollback["group"] != "none"]
    low, high = groups.iloc[0], groups.iloc[-1]
    rows = [
        row(
            "invariant_low_layers",
            task,
            f"accuracy lost with the {g['group']} layers put back, points",
            (-g["high"], -g["low"]),
            -g["difference"],
            "below" if g["group"] == low["group"] else "",
            3,
        )
        for _, g in groups.iterrows()
    ]
    # The two losses share their examples; taking them for independent makes the interval wider.
    gap = low["difference"] - high["difference"]
    spread = np.hypot(low["high"] - low["low"], high["high"] - high["low"]) / 2
    rows.append(
        row(
            "invariant_low_layers",
            task,
            f"accuracy lost, {high['group']} layers put back - {low['group']} layers, points",
            (gap - spread, gap + spread),
            gap,
            "above",
            0,
        )
    )
    return rows
