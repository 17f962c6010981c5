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
class Measure:
    """What a map shows.

    column : of ``surface.parquet``
    colours : name of the colour map
    label : of the colour bar, with its unit
    margin : half the height of the band around a contour that tells a plateau, in its unit
    text : writes a value
    """

    column: str
    colours: str
    label: str
    margin: float
    text: Callable[[float], str]


LOSS = Measure("train_loss", style.LOSS_MAP, "training loss (nats)", 0.004, lambda v: f"{v:.2f}")
ERROR = Measure("dev_error", style.ERROR_MAP, "dev error (%)", 0.012, lambda v: f"{100 * v:.0f} %")


def draw_map(
    axes: Axes,
    alpha: np.ndarray,
    beta: np.ndarray,
    values: np.ndarray,
    measure: Measure,
    scale: Normalize,
    lines: list[float],
    chance: float | None = None,
) -> bool:
    """Draw a filled contour map; between grid points it is linear.

    Parameters
    ----------
    alpha, beta : increasing coordinates ``[A]``, ``[B]``, in units of the directions.
    values : in the measure's unit (nats, or an error rate of 0 to 1) ``[B, A]``; gaps, where they
        are not finite, are drawn hatched. At least two rows and columns, else nothing is drawn.
    scale : from value to colour, 0 to 1; what lies above it has the last colour.
    lines : levels of contour lines; those along a plateau are left out.
    chance : level of a dashed contour; None for none.

    Returns
    -------
    Whether the values have gaps.
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
            cmap=measure.colours,
            extend="max",
            zorder=1,
        )
        # Hairlines of the fill's own colour close the seams that viewers leave between bands.
        filled.set_edgecolor("face")
        filled.set_linewidth(0.2)
        drawn = scales.readable_lines(values, lines, measure.margin)
        if drawn:
            axes.contour(
                alpha,
                beta,
                masked,
                levels=drawn,
                colors=[line_colour(level, measure.colours, scale) for level in drawn],
                linewidths=0.5,
                alpha=0.75,
                zorder=2,
            )
        if chance is not None and scales.readable_lines(values, [chance], measure.margin):
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

    ``level`` : a value of the map; ``colours`` : name of its colour map.
    """
    red, green, blue, _ = matplotlib.colormaps[colours](float(scale(level)))
    return "white" if 0.2126 * red + 0.7152 * green + 0.0722 * blue < 0.5 else "black"


def draw_bar(
    axes: Axes,
    measure: Measure,
    scale: Normalize,
    lines: list[float],
    beyond: bool,
    chances: dict[str, float] | None = None,
) -> None:
    """Fill ``axes`` with the colour bar of a map, with the contour levels on it.

    Parameters
    ----------
    scale, lines : those of the map.
    beyond : whether values lie above the scale, which an arrow shows.
    chances : label -> level, in the measure's unit; dashed lines, left out above the scale.
    """
    percent = measure.column.endswith("error")
    ticks = {t: f"{100 * t:.0f}" if percent else f"{t:g}" for t in (0.0, *lines, float(scale.vmax))}
    bar = plain_bar(
        axes, measure.colours, scale, measure.label, ticks, "max" if beyond else "neither"
    )
    for level in lines:
        bar.ax.axhline(
            level, color=line_colour(level, measure.colours, scale), linewidth=0.5, alpha=0.75
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
    colours : name of the colour map.
    scale : from value to colour.
    label : of the bar, with its unit.
    ticks : value -> what is written there.
    extend : where an arrow shows that values lie outside the scale: ``neither``, ``min``,
        ``max`` or ``both``.
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

    ``corner`` : ``upper`` or ``lower``, then ``left`` or ``right``.
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


def change(start: float, end: float, measure: Measure) -> str:
    """``start → end`` in words of the measure; a value that is not finite is ``NaN``.

    Both are in the measure's unit: nats, or an error rate of 0 to 1, written in percent.
    """
    return " → ".join(
        measure.text(v).removesuffix(" %" if v is start and np.isfinite(end) else "")
        if np.isfinite(v)
        else "NaN"
        for v in (start, end)
    )
