"""How wide an optimum is: how far the loss stays near that of the end point."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from workflow_scripts.common.errors import UserError

# A plane's cells are cut into this many parts a side, with bilinear interpolation, before the
# region is measured: counting whole parts then errs less than the interpolation itself.
_REFINE = 8


@dataclass(frozen=True)
class Interval:
    """The stretch of a line around the end point; ``censored`` where the grid ends first."""

    left: float
    right: float
    censored: bool

    @property
    def width(self) -> float:
        """Length in units of alpha; a lower bound where ``censored``."""
        return self.right - self.left


def interval(alpha: np.ndarray, loss: np.ndarray, tolerance: float, at: float = 1.0) -> Interval:
    """The connected interval around ``at`` on which the loss stays within ``tolerance``.

    Its ends are found by linear interpolation between points. Where the loss stays low to the
    grid's end, that end is taken and the interval is ``censored``: its true width is larger.

    Parameters
    ----------
    alpha : increasing coordinates [P], in units of the direction; must hold ``at``.
    loss : loss at each, nats [P]; NaN counts as high.
    tolerance : nats above the loss at ``at``, positive.

    Raises
    ------
    IndexError : if ``at`` is not among the coordinates.

    References
    ----------
    Hao et al. (2019), sections 5.1 and 6.1.
    """
    centre = int(np.flatnonzero(alpha == at)[0])
    excess = loss - loss[centre] - tolerance
    right, open_right = _crossing(alpha[centre:], excess[centre:])
    left, open_left = _crossing(-alpha[centre::-1], excess[centre::-1])
    return Interval(-left, right, open_left or open_right)


def _crossing(x: np.ndarray, excess: np.ndarray) -> tuple[float, bool]:
    """First x at which ``excess`` reaches 0, and whether there is none before the end."""
    above = np.flatnonzero(~(excess < 0))
    if len(above) == 0:
        return float(x[-1]), True
    i = above[0]
    if i == 0:
        return float(x[0]), False
    before, after = excess[i - 1], excess[i]
    if not np.isfinite(after):
        return float(x[i - 1]), False
    return float(x[i - 1] + (x[i] - x[i - 1]) * before / (before - after)), False


def area(
    alpha: np.ndarray, beta: np.ndarray, loss: np.ndarray, tolerance: float
) -> tuple[float, bool]:
    """Area of the connected region around (1, 0) on which the loss stays within ``tolerance``.

    Parameters
    ----------
    alpha, beta : increasing, equidistant coordinates [A], [B], with (1, 0) between their ends;
        off the grid, the nearest point of a lattice eight times as fine stands for it.
    loss : nats [B, A], bilinear between points; NaN counts as high.
    tolerance : nats above the loss at (1, 0), positive.

    Returns
    -------
    The area in units of alpha times beta, and whether the region reaches the grid's border
    (the true region is then larger). The area is 0 if the loss at (1, 0) is not finite.

    References
    ----------
    Hao et al. (2019), sections 5.1 and 6.1.
    """
    from scipy.ndimage import label

    fine_alpha, fine_beta = _refined(alpha), _refined(beta)
    fine = _bilinear(loss, len(fine_alpha), len(fine_beta))
    column = int(np.argmin(np.abs(fine_alpha - 1)))
    row = int(np.argmin(np.abs(fine_beta)))
    end = fine[row, column]
    with np.errstate(invalid="ignore"):
        low = fine < end + tolerance
    if not low[row, column]:
        return 0.0, False
    regions, _ = label(low)
    inside = regions == regions[row, column]
    # A refined point at the border stands for half a cell, at a corner for a quarter.
    weight_a, weight_b = np.ones(len(fine_alpha)), np.ones(len(fine_beta))
    weight_a[[0, -1]] = weight_b[[0, -1]] = 0.5
    cell = (fine_alpha[1] - fine_alpha[0]) * (fine_beta[1] - fine_beta[0])
    touches = inside[0].any() or inside[-1].any() or inside[:, 0].any() or inside[:, -1].any()
    return float(weight_b @ inside @ weight_a * cell), bool(touches)


def _refined(axis: np.ndarray) -> np.ndarray:
    return np.linspace(axis[0], axis[-1], (len(axis) - 1) * _REFINE + 1)


def _bilinear(values: np.ndarray, columns: int, rows: int) -> np.ndarray:
    across = _along(values, columns)
    return _along(across.T, rows).T


def _along(values: np.ndarray, size: int) -> np.ndarray:
    """Linear interpolation of the last axis at ``size`` equidistant places."""
    place = np.linspace(0, values.shape[-1] - 1, size)
    left = np.minimum(place.astype(int), values.shape[-1] - 2)
    share = place - left
    # At a point of the grid itself a NaN neighbour must not spoil it: 0 * NaN is NaN.
    with np.errstate(invalid="ignore"):
        mixed = values[..., left] * (1 - share) + values[..., left + 1] * share
    mixed = np.where(share == 0, values[..., left], mixed)
    return np.where(share == 1, values[..., left + 1], mixed)


def resampled_means(values: np.ndarray, resamples: int, seed: int) -> np.ndarray:
    """Means over bootstrap samples of the examples.

    The same examples are drawn at every point, so that differences between points keep their
    correlation.

    Parameters
    ----------
    values : per-example losses [P, N].
    resamples : samples of N examples, drawn with replacement.
    seed : the same one and the same N draw the same examples.

    Returns
    -------
    [resamples, P], float64; NaN where a value that is not finite was drawn.
    """
    rng = np.random.default_rng(seed)
    n = values.shape[1]
    counts = rng.multinomial(n, np.full(n, 1 / n), size=resamples)
    finite = np.nan_to_num(values.astype(np.float64), nan=0.0, posinf=0.0, neginf=0.0)
    means = counts @ finite.T / n
    broken = ~np.isfinite(values)
    if broken.any():
        means[(counts @ broken.T.astype(np.int64)) > 0] = np.nan
    return means


def line_widths(
    alpha: np.ndarray,
    losses: np.ndarray,
    tolerances: list[float],
    resamples: int,
    seed: int = 0,
) -> pd.DataFrame:
    """Widths along a line, with bootstrap intervals.

    Parameters
    ----------
    alpha : increasing coordinates [P]; must hold 1.
    losses : per-example losses, nats [P, N].
    tolerances : nats above the loss at the end point, positive.
    resamples, seed : bootstrap samples of the examples and their seed, see ``resampled_means``.

    Returns
    -------
    One row per tolerance: ``tolerance``, ``value`` (width, units of alpha), ``low``, ``high``
    (95 % percentile bootstrap over examples), ``left``, ``right`` (ends of the interval,
    coordinates), ``censored``.

    Raises
    ------
    UserError : if alpha = 1 is not a point of the line.
    """
    if not (alpha == 1).any():
        raise UserError(f"alpha = 1 is not a point of the line [{alpha[0]:g}, {alpha[-1]:g}]")
    means = resampled_means(losses, resamples, seed)
    rows = []
    for tolerance in tolerances:
        found = interval(alpha, losses.mean(axis=1, dtype=np.float64), tolerance)
        drawn = [interval(alpha, mean, tolerance).width for mean in means]
        low, high = np.percentile(drawn, [2.5, 97.5])
        rows.append(
            {
                "tolerance": tolerance,
                "value": found.width,
                "low": low,
                "high": high,
                "left": found.left,
                "right": found.right,
                "censored": found.censored,
            }
        )
    return pd.DataFrame(rows)


def plane_areas(
    alpha: np.ndarray,
    beta: np.ndarray,
    losses: np.ndarray,
    tolerances: list[float],
    resamples: int,
    seed: int = 0,
) -> pd.DataFrame:
    """Areas of the region around the end point, with bootstrap intervals.

    Parameters
    ----------
    alpha, beta : increasing, equidistant coordinates [A], [B].
    losses : per-example losses, nats [B, A, N].
    tolerances : nats above the loss at the end point, positive.
    resamples, seed : bootstrap samples of the examples and their seed, see ``resampled_means``.

    Returns
    -------
    Columns like ``line_widths`` without ``left`` and ``right``; ``value``, ``low`` and ``high``
    are in units of alpha times beta.
    """
    shape = losses.shape[:2]
    flat = losses.reshape(-1, losses.shape[2])
    means = resampled_means(flat, resamples, seed)
    rows = []
    for tolerance in tolerances:
        value, censored = area(
            alpha, beta, flat.mean(axis=1, dtype=np.float64).reshape(shape), tolerance
        )
        drawn = [area(alpha, beta, mean.reshape(shape), tolerance)[0] for mean in means]
        low, high = np.percentile(drawn, [2.5, 97.5])
        rows.append(
            {
                "tolerance": tolerance,
                "value": value,
                "low": low,
                "high": high,
                "censored": censored,
            }
        )
    return pd.DataFrame(rows)


def filter_distance(delta: dict, end: dict) -> float:
    """Length of a direction per unit of alpha, measured filter by filter.

    The root mean square, over all filters, of ||delta_f|| / ||end_f||. A filter is a row of a
    weight matrix: the weights of one neuron. One-dimensional parameters do not count (Li et al.
    leave them out too), nor do embeddings, whose rows are words that a task mostly does not use,
    nor do filters that are 0 in ``end``.

    Parameters
    ----------
    delta : the direction, tensors by name.
    end : weights at the end point, of at least the same names.

    Returns
    -------
    The length, without unit; NaN if there is no weight matrix.

    References
    ----------
    Li et al. (2018), section 4, filter-wise normalisation.
    """
    import torch

    shares = []
    for name, change in delta.items():
        if change.ndim < 2 or "embeddings." in name:
            continue
        rows = change.double().flatten(1).norm(dim=1)
        size = end[name].double().flatten(1).norm(dim=1)
        shares.append((rows[size > 0] / size[size > 0]).square())
    return float(torch.cat(shares).mean().sqrt()) if shares else float("nan")
