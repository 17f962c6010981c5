"""How wide an optimum is: how far the loss stays near that of the end point."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from workflow_scripts.common.errors import UserError
from workflow_scripts.common.intervals import percentile_interval, resampled_means
from workflow_scripts.common.thresholds import LEAST_CELLS

if TYPE_CHECKING:
    from torch import Tensor

# A plane's cells are cut into this many parts a side, with bilinear interpolation, before the
# region is measured: counting whole parts then errs less than the interpolation itself.
_REFINE = 8


@dataclass(frozen=True)
class Interval:
    """The stretch of a line around the end point.

    Attributes
    ----------
    left, right : float
        Its ends, coordinates alpha.
    censored : bool
        Whether the grid ends first: the true interval is then longer.
    """

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
    alpha : ndarray of shape (P,)
        Increasing coordinates, in units of the direction.
    loss : ndarray of shape (P,)
        Loss at each, nats; NaN counts as high.
    tolerance : float
        Nats above the loss at ``at``, positive.
    at : float
        Coordinate of the end point, one of ``alpha``.

    Raises
    ------
    IndexError
        If ``at`` is not among the coordinates.

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


@dataclass(frozen=True)
class Region:
    """The part of a plane around the end point on which the loss stays low.

    Attributes
    ----------
    area : float
        In units of alpha times beta.
    censored : bool
        Whether it reaches the grid's border: the true region is then larger.
    resolved : bool
        Whether it holds ``thresholds.LEAST_CELLS`` cells of the grid; otherwise its area is hardly
        measured.
    bound : float
        Area of all cells that touch the region, and of their neighbours.
    """

    area: float
    censored: bool
    resolved: bool
    bound: float


def region(
    alpha: np.ndarray,
    beta: np.ndarray,
    loss: np.ndarray,
    tolerance: float,
    end: float | None = None,
) -> Region:
    """The connected region around (1, 0) on which the loss stays within ``tolerance``.

    Parameters
    ----------
    alpha : ndarray of shape (A,)
        Increasing, equidistant coordinates, in units of the first direction.
    beta : ndarray of shape (B,)
        The same, in units of the second direction. (1, 0) lies between the ends of both; where it
        is not on the grid, the nearest point of a grid eight times as fine is used.
    loss : ndarray of shape (B, A)
        Nats, interpolated bilinearly between points; NaN counts as high.
    tolerance : float
        Nats above the loss at (1, 0), positive.
    end : float, optional
        Loss at (1, 0), nats: that of the checkpoint, where it is known. By default it is read off
        the grid, which makes it too high unless (1, 0) is a point of it.

    Returns
    -------
    Region
        Its area is 0 if the loss at (1, 0) is not finite.

    References
    ----------
    Hao et al. (2019), sections 5.1 and 6.1.
    """
    from scipy.ndimage import binary_dilation, label

    fine_alpha, fine_beta = _refined(alpha), _refined(beta)
    fine = _bilinear(loss, len(fine_alpha), len(fine_beta))
    column = int(np.argmin(np.abs(fine_alpha - 1)))
    row = int(np.argmin(np.abs(fine_beta)))
    reference = fine[row, column] if end is None else end
    if not np.isfinite(reference):
        return Region(0.0, False, True, 0.0)
    with np.errstate(invalid="ignore"):
        low = fine < reference + tolerance
    # The end itself lies in the region, whatever its neighbours on the grid.
    low[row, column] = True
    regions, _ = label(low)
    inside = regions == regions[row, column]
    # A refined point represents one cell, at the border half a cell, at a corner a quarter.
    weight_a, weight_b = np.ones(len(fine_alpha)), np.ones(len(fine_beta))
    weight_a[[0, -1]] = weight_b[[0, -1]] = 0.5
    cell = (fine_alpha[1] - fine_alpha[0]) * (fine_beta[1] - fine_beta[0])
    touches = inside[0].any() or inside[-1].any() or inside[:, 0].any() or inside[:, -1].any()
    area = float(weight_b @ inside @ weight_a * cell)
    across = inside[:-1].reshape(len(beta) - 1, _REFINE, -1).any(axis=1)
    cells = across[:, :-1].reshape(len(beta) - 1, len(alpha) - 1, _REFINE).any(axis=2)
    near = binary_dilation(cells, np.ones((3, 3), dtype=bool))
    whole = cell * _REFINE**2
    resolved = bool(area >= LEAST_CELLS * whole)
    return Region(area, bool(touches), resolved, float(near.sum() * whole))


def _refined(axis: np.ndarray) -> np.ndarray:
    """An axis with ``_REFINE`` times as many steps."""
    return np.linspace(axis[0], axis[-1], (len(axis) - 1) * _REFINE + 1)


def _bilinear(values: np.ndarray, columns: int, rows: int) -> np.ndarray:
    """Bilinear interpolation of a matrix at equidistant places, ends included [rows, columns]."""
    across = _along(values, columns)
    return _along(across.T, rows).T


def _along(values: np.ndarray, size: int) -> np.ndarray:
    """Linear interpolation of the last axis at ``size`` equidistant places."""
    place = np.linspace(0, values.shape[-1] - 1, size)
    left = np.minimum(place.astype(int), values.shape[-1] - 2)
    share = place - left
    # At a point of the grid itself a NaN neighbour does not count: 0 * NaN would be NaN.
    with np.errstate(invalid="ignore"):
        mixed = values[..., left] * (1 - share) + values[..., left + 1] * share
    mixed = np.where(share == 0, values[..., left], mixed)
    return np.where(share == 1, values[..., left + 1], mixed)


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
    alpha : ndarray of shape (P,)
        Increasing coordinates, 1 among them.
    losses : ndarray of shape (P, N)
        Per-example losses, nats.
    tolerances : list of float
        Nats above the loss at the end point, positive.
    resamples, seed : int
        Bootstrap samples of the examples and their seed, see ``resampled_means``.

    Returns
    -------
    DataFrame
        A row per tolerance: ``tolerance``, ``value`` (width, units of alpha), ``low``, ``high``
        (95 % percentile bootstrap over examples), ``left``, ``right`` (ends of the interval,
        coordinates), ``censored``, ``resolved`` (always).

    Raises
    ------
    UserError
        If alpha = 1 is not a point of the line.
    """
    if not (alpha == 1).any():
        raise UserError(f"alpha = 1 is not a point of the line [{alpha[0]:g}, {alpha[-1]:g}]")
    loss = losses.mean(axis=1, dtype=np.float64)
    means = resampled_means(losses, resamples, seed)
    rows = []
    for tolerance in tolerances:
        measured = interval(alpha, loss, tolerance)
        draws = [interval(alpha, mean, tolerance).width for mean in means]
        ends = {"left": measured.left, "right": measured.right, "censored": measured.censored}
        rows.append(_row(tolerance, measured.width, draws, **ends, resolved=True))
    return pd.DataFrame(rows)


def plane_areas(
    alpha: np.ndarray,
    beta: np.ndarray,
    losses: np.ndarray,
    ends: np.ndarray,
    tolerances: list[float],
    resamples: int,
    seed: int = 0,
) -> pd.DataFrame:
    """Areas of the region around the end point, with bootstrap intervals.

    Parameters
    ----------
    alpha, beta : ndarray of shape (A,), (B,)
        Increasing, equidistant coordinates.
    losses : ndarray of shape (B, A, N)
        Per-example losses, nats.
    ends : ndarray of shape (N,)
        The same at the end point itself.
    tolerances : list of float
        Nats above the loss at the end point, positive.
    resamples, seed : int
        Bootstrap samples of the examples and their seed, see ``resampled_means``.

    Returns
    -------
    DataFrame
        Columns of ``line_widths`` without ``left`` and ``right``; ``value``, ``low`` and ``high``
        are in units of alpha times beta. Where the area is not ``resolved``, ``value`` is an upper
        bound and the limits are NaN, see ``Region``.
    """
    shape = losses.shape[:2]
    flat = np.concatenate([losses.reshape(-1, losses.shape[2]), ends[None]])
    mean = flat.mean(axis=1, dtype=np.float64)
    means = resampled_means(flat, resamples, seed)

    def measured(mean: np.ndarray, tolerance: float) -> Region:
        return region(alpha, beta, mean[:-1].reshape(shape), tolerance, mean[-1])

    rows = []
    for tolerance in tolerances:
        found = measured(mean, tolerance)
        facts = {"censored": found.censored, "resolved": found.resolved}
        if found.resolved:
            draws = [measured(drawn, tolerance).area for drawn in means]
            rows.append(_row(tolerance, found.area, draws, **facts))
        else:
            limits = {"low": np.nan, "high": np.nan}
            rows.append({"tolerance": tolerance, "value": found.bound, **limits, **facts})
    return pd.DataFrame(rows)


def _row(tolerance: float, value: float, draws: list[float], **rest: float) -> dict[str, float]:
    """A row of a table of widths: the number and the interval of its bootstrap draws."""
    low, high = percentile_interval(draws)
    return {"tolerance": tolerance, "value": value, "low": low, "high": high, **rest}


def filter_distance(delta: dict[str, Tensor], end: dict[str, Tensor]) -> float:
    """Length of a direction per unit of alpha, measured filter by filter.

    The root mean square, over all filters, of ||delta_f|| / ||end_f||. A filter is a row of a
    weight matrix: the weights of one neuron. One-dimensional parameters do not count (Li et al.
    leave them out too), nor do embeddings, whose rows are words that a task mostly does not use,
    nor do filters that are 0 in ``end``.

    Parameters
    ----------
    delta : dict of str to Tensor
        The direction, by name of the parameter.
    end : dict of str to Tensor
        Weights at the end point, with at least the same names.

    Returns
    -------
    float
        Without unit; NaN if ``delta`` has no weight matrix.

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
