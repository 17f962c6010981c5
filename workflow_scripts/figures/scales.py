"""Colour scales and contour levels that compared panels share."""

from collections.abc import Iterable

import numpy as np
from matplotlib.colors import AsinhNorm, Normalize

# Below this loss the colour scale is nearly linear, above it nearly logarithmic: a bowl between
# 0 and ln K keeps half of the colours although the corners of a surface may reach 20 nats.
LINEAR_LOSS = 0.1
HIGHEST_LOSS = 20.0  # nats; larger values have the last colour
ROUND_LOSSES = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0)


def loss_scale(values: Iterable[np.ndarray]) -> AsinhNorm:
    """Scale from 0 to the next round loss above every value, at most ``HIGHEST_LOSS`` nats."""
    highest = _highest(values)
    top = next((level for level in ROUND_LOSSES if level >= highest), HIGHEST_LOSS)
    return AsinhNorm(linear_width=LINEAR_LOSS, vmin=0.0, vmax=max(top, 1.0))


def loss_lines(scale: AsinhNorm) -> list[float]:
    """Round losses below the top of a scale, in nats."""
    return [level for level in ROUND_LOSSES if level < scale.vmax]


def error_scale(values: Iterable[np.ndarray] | None = None) -> Normalize:
    """Scale of error rates: 0 to 1, or up to the next tenth above every value."""
    if values is None:
        return Normalize(0.0, 1.0)
    return Normalize(0.0, min(1.0, np.ceil(10 * max(_highest(values), 0.1) - 1e-9) / 10))


def error_lines(scale: Normalize) -> list[float]:
    """Every tenth, or every twentieth where the scale ends at a half or before."""
    step = 0.1 if scale.vmax > 0.5 else 0.05
    return [float(level) for level in np.arange(1, round(scale.vmax / step)) * step]


def tenth_ticks(scale: Normalize) -> list[float]:
    """About six ticks from one end to the other of a scale in whole tenths."""
    count = round(10 * (scale.vmax - scale.vmin))
    parts = 2 * count if count <= 3 else count
    step = -(-parts // 7)
    ticks = np.linspace(scale.vmin, scale.vmax, parts + 1)
    kept = ticks[::step] if scale.vmin == 0 else ticks[::-1][::step][::-1]
    return [float(tick) for tick in kept.round(2)]


def fill_levels(scale: Normalize, count: int = 80) -> np.ndarray:
    """``count`` + 1 levels, evenly spaced in colour."""
    return np.asarray(scale.inverse(np.linspace(0, 1, count + 1)), dtype=float)


def readable_lines(
    values: np.ndarray, levels: list[float], margin: float, share: float = 0.15
) -> list[float]:
    """Those levels whose contour can be drawn as a line.

    On a plateau, such as that of a model that always gives one answer, a contour at the
    plateau's own height follows the noise and fills the plateau.

    Parameters
    ----------
    values : ndarray
        Of a map.
    levels : list of float
        Candidates, in the unit of the values.
    margin : float
        Half the height of the band around a level, in the unit of the values.
    share : float
        Share of the finite values in that band above which a level is left out.

    Returns
    -------
    list of float
    """
    finite = values[np.isfinite(values)]
    if finite.size == 0:
        return []
    return [
        level
        for level in levels
        if finite.min() < level < finite.max()
        and np.mean(np.abs(finite - level) <= margin) <= share
    ]


def log_ends(
    values: np.ndarray, most: int | None = None, ignored: float = 0.0
) -> tuple[float, float]:
    """Ends of a logarithmic scale: 1, 2 or 5 times a power of ten around the positive values.

    Parameters
    ----------
    values : ndarray
        Zeros and values that are not finite are left out.
    most : int, optional
        Largest number of decades; the highest are kept.
    ignored : float
        Share of the positive values, the smallest, that the scale need not reach; 0 to 1.

    Returns
    -------
    low, high : float
        0.001 and 1 without any positive value.
    """
    positive = values[np.isfinite(values) & (values > 0)]
    if positive.size == 0:
        return 1e-3, 1.0
    least = float(np.quantile(positive, ignored, method="lower"))
    rounds = _rounds(least / 10, float(positive.max()) * 10)
    low = max(r for r in rounds if r <= least)
    high = min(r for r in rounds if r > positive.max())
    return (low if most is None else max(low, high / 10**most)), high


def log_ticks(low: float, high: float, most: int = 7) -> list[float]:
    """Powers of ten from ``low`` to ``high``, at most ``most``; with 2 and 5 times them if few."""
    rounds = _rounds(low, high)
    tens = [r for r in rounds if np.isclose(np.log10(r), round(np.log10(r)))]
    ticks = rounds if len(tens) < 3 else tens
    return ticks[:: -(-len(ticks) // most)]


def _rounds(low: float, high: float) -> list[float]:
    """1, 2 and 5 times the powers of ten from ``low`` to ``high``."""
    powers = range(int(np.floor(np.log10(low))), int(np.ceil(np.log10(high))) + 1)
    rounds = (float(f"{digit}e{power}") for power in powers for digit in (1, 2, 5))
    return [r for r in rounds if low * (1 - 1e-9) <= r <= high * (1 + 1e-9)]


def log_text(value: float) -> str:
    """A tick of a logarithmic scale: 0.001 and more as it is, less as 10⁻⁵ or 2·10⁻⁵."""
    if value >= 0.9e-3:
        return f"{value:.1g}" if value < 1 else f"{value:g}"
    digit, exponent = f"{value:.0e}".split("e")
    power = "10" + str(int(exponent)).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return power if digit == "1" else f"{digit}·{power}"


def tenths(values: np.ndarray, same: float) -> Normalize:
    """Linear scale in whole tenths from 0 up for distances, from 1 down for similarities.

    Parameters
    ----------
    values : ndarray
        Values that are not finite do not count.
    same : float
        Value of two layers that are the same, 0 or 1: the end that is kept.

    Returns
    -------
    Normalize
    """
    finite = values[np.isfinite(values)]
    if same == 0:
        return error_scale([values])
    lowest = float(finite.min()) if finite.size else 0.0
    return Normalize(max(-1.0, min(0.9, np.floor(10 * lowest + 1e-9) / 10)), 1.0)


def _highest(values: Iterable[np.ndarray]) -> float:
    finite = [array[np.isfinite(array)] for array in values]
    return max((float(array.max()) for array in finite if array.size), default=1.0)
