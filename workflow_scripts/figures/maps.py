"""Filled contour maps of a loss or an error rate on a plane."""

from collections.abc import Callable
from dataclasses import dataclass

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colorbar import Colorbar
from matplotlib.colors import Normalize
from matplotlib.patches import Rectangle
from matplotlib.text import Text

from workflow_scripts.figures import scales, style


@dataclass(frozen=True)
class Quantity:
    """What a map shows.

    Attributes
    ----------
    column : str
        Of ``surface.parquet``.
    colours : str
        Name of the colour map.
    label : str
        Of the colour bar, with the unit.
    margin : float
        Half the height of the band around a contour in which values make a plateau, in the
        quantity's unit.
    text : callable
        From a value to its text.
    difference : callable
        From a difference of values to its text, with the unit.
    """

    column: str
    colours: str
    label: str
    margin: float
    text: Callable[[float], str]
    difference: Callable[[float], str]


LOSS = Quantity(
    "train_loss",
    style.LOSS_MAP,
    "training loss (nats)",
    0.004,
    lambda v: f"{v:.2f}",
    lambda v: f"{v:.2f} nats",
)
ERROR = Quantity(
    "dev_error",
    style.ERROR_MAP,
    "dev error (%)",
    0.012,
    lambda v: f"{100 * v:.0f} %",
    lambda v: f"{100 * v:.1f} percentage points",
)
QUANTITIES = {"loss": LOSS, "error": ERROR}


def draw_map(
    axes: Axes,
    alpha: np.ndarray,
    beta: np.ndarray,
    values: np.ndarray,
    quantity: Quantity,
    scale: Normalize,
    lines: list[float],
    chance: float | None = None,
) -> bool:
    """Draw a filled contour map, linear between grid points.

    Parameters
    ----------
    axes : Axes
        Where to draw.
    alpha, beta : ndarray of shape (A,) and (B,)
        Increasing coordinates, in units of the directions.
    values : ndarray of shape (B, A)
        Nats, or an error rate of 0 to 1; drawn hatched where they are not finite. At least two
        rows and columns, else nothing is drawn.
    quantity : Quantity
        What the values are.
    scale : Normalize
        From value to colour, 0 to 1; larger values have the last colour.
    lines : list of float
        Levels of contour lines; those along a plateau are left out.
    chance : float, optional
        Level of a dashed contour.

    Returns
    -------
    bool
        Whether some values are not finite.
    """
    missing = not np.isfinite(values).all()
    if missing:
        axes.add_patch(
            Rectangle(
                (alpha[0], beta[0]),
                alpha[-1] - alpha[0],
                beta[-1] - beta[0],
                facecolor=style.MISSING_FACE,
                edgecolor=style.MISSING_EDGE,
                hatch="/////",
                linewidth=0,
                zorder=0,
            )
        )
    masked = np.ma.masked_invalid(values)
    if masked.count() and min(values.shape) > 1:
        filled = axes.contourf(
            alpha,
            beta,
            masked,
            levels=scales.fill_levels(scale),
            norm=scale,
            cmap=quantity.colours,
            extend="max",
            zorder=1,
        )
        # Hairlines of the fill's own colour close the seams that viewers leave between bands.
        filled.set_edgecolor("face")
        filled.set_linewidth(0.2)
        drawn = scales.readable_lines(values, lines, quantity.margin)
        if drawn:
            axes.contour(
                alpha,
                beta,
                masked,
                levels=drawn,
                colors=[line_colour(level, quantity.colours, scale) for level in drawn],
                linewidths=0.5,
                alpha=0.75,
                zorder=2,
            )
        if chance is not None and scales.readable_lines(values, [chance], quantity.margin):
            for colour, width, dash in _chance_strokes():
                axes.contour(
                    alpha,
                    beta,
                    masked,
                    levels=[chance],
                    colors=[colour],
                    linewidths=width,
                    linestyles=[dash],
                    zorder=3,
                )
    axes.set_aspect("equal")
    return missing


def line_colour(level: float, colours: str, scale: Normalize) -> str:
    """White on dark parts of a map, black on light ones.

    Parameters
    ----------
    level : float
        A value of the map.
    colours : str
        Name of the map's colour map.
    scale : Normalize
        From value to colour.
    """
    red, green, blue, _ = matplotlib.colormaps[colours](float(scale(level)))
    return "white" if 0.2126 * red + 0.7152 * green + 0.0722 * blue < 0.5 else "black"


def draw_bar(
    axes: Axes,
    quantity: Quantity,
    scale: Normalize,
    lines: list[float],
    beyond: bool,
    chances: dict[str, float] | None = None,
) -> None:
    """Fill ``axes`` with the colour bar of a map, with the contour levels on it.

    Parameters
    ----------
    axes : Axes
        Becomes the bar.
    quantity : Quantity
        What the map shows.
    scale : Normalize
        Of the map.
    lines : list of float
        Levels of the map's contour lines.
    beyond : bool
        Whether values lie above the scale, which an arrow shows.
    chances : dict of str to float, optional
        Level by label, in the quantity's unit: dashed lines, left out above the scale.
    """
    percent = quantity.column.endswith("error")
    ticks = {t: f"{100 * t:.0f}" if percent else f"{t:g}" for t in (0.0, *lines, float(scale.vmax))}
    bar = plain_bar(
        axes, quantity.colours, scale, quantity.label, ticks, "max" if beyond else "neither"
    )
    for level in lines:
        bar.ax.axhline(
            level, color=line_colour(level, quantity.colours, scale), linewidth=0.5, alpha=0.75
        )
    for name, level in (chances or {}).items():
        if level < scale.vmax:
            for colour, width, dash in _chance_strokes():
                bar.ax.axhline(level, color=colour, linewidth=width, linestyle=dash)
            bar.ax.annotate(
                name,
                (0, level),
                xycoords=("axes fraction", "data"),
                xytext=(-2.5, 0),
                textcoords="offset points",
                ha="right",
                va="center",
            )


def plain_bar(
    axes: Axes,
    colours: str,
    scale: Normalize,
    label: str,
    ticks: dict[float, str],
    extend: str = "neither",
) -> Colorbar:
    """Fill ``axes`` with a colour bar.

    Parameters
    ----------
    axes : Axes
        Becomes the bar.
    colours : str
        Name of the colour map.
    scale : Normalize
        From value to colour.
    label : str
        Of the bar, with the unit.
    ticks : dict of float to str
        Text at each value.
    extend : {"neither", "min", "max", "both"}
        Where an arrow shows that values lie outside the scale.

    Returns
    -------
    Colorbar
    """
    bar = axes.figure.colorbar(ScalarMappable(scale, colours), cax=axes, extend=extend)
    bar.outline.set_linewidth(0.6)
    bar.set_ticks(list(ticks), labels=list(ticks.values()))
    bar.ax.minorticks_off()
    bar.set_label(label, fontsize=style.MEDIUM)
    return bar


def _chance_strokes() -> list[tuple]:
    """Colour, width and dash of the two strokes of the line at chance."""
    return [
        ("white", style.CHANCE_EDGE, "solid"),
        ("black", style.CHANCE_WIDTH, style.CHANCE_DASH),
    ]


def draw_note(axes: Axes, text: str, corner: str = "upper left") -> Text:
    """Small text in a corner of a map, legible on every colour.

    Parameters
    ----------
    axes : Axes
        Of the map.
    text : str
        What to write.
    corner : str
        ``upper`` or ``lower``, then ``left`` or ``right``.

    Returns
    -------
    Text
    """
    vertical, horizontal = corner.split()
    x, y = (0.04 if horizontal == "left" else 0.96), (0.965 if vertical == "upper" else 0.04)
    return axes.text(
        x,
        y,
        text,
        transform=axes.transAxes,
        ha=horizontal,
        va="top" if vertical == "upper" else "bottom",
        zorder=9,
        bbox={"facecolor": "white", "alpha": 0.82, "linewidth": 0, "pad": 1.2},
    )


def change(start: float, end: float, quantity: Quantity) -> str:
    """Text ``start → end``; a value that is not finite is written as ``NaN``.

    Parameters
    ----------
    start, end : float
        Nats, or error rates of 0 to 1, which are written in percent.
    quantity : Quantity
        What the values are.

    Returns
    -------
    str
    """
    return " → ".join(
        quantity.text(v).removesuffix(" %" if v is start and np.isfinite(end) else "")
        if np.isfinite(v)
        else "NaN"
        for v in (start, end)
    )
