"""How far the optima of runs reach: a point per run and direction."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

from workflow_scripts.common.thresholds import OPTIMUM
from workflow_scripts.common.titles import TaskTitle
from workflow_scripts.figures import style
from workflow_scripts.figures.inputs import labelled
from workflow_scripts.figures.layout import (
    EDGE,
    Footer,
    broken_titles,
    set_title,
    sheet,
    text_width,
)
from workflow_scripts.figures.outcomes import outcome_note

DIRECTIONS = {
    "random": "Random directions",
    "onward": "Beyond the end, along the run",
}
_UNITS = {"random": "radius (1: noise as large as the weights)", "onward": "radius (α − 1)"}
_MARKERS = {"pretrained": "o", "scratch": "s"}


@style.paper_style()
def optimum_radii(
    tables: Sequence[pd.DataFrame], runs: Sequence[dict[str, str]], tasks: list[TaskTitle]
) -> tuple[Figure, pd.DataFrame]:
    """Radii of the optima: a panel per kind of direction, a line per task and start.

    Parameters
    ----------
    tables : sequence of DataFrame
        ``radii.parquet`` of each run, see ``landscape.measure_run``.
    runs : sequence of dict
        ``task``, ``start`` and ``seeds`` of each.
    tasks : list of TaskTitle
        From top to bottom.

    Returns
    -------
    figure : Figure
    numbers : DataFrame
        The rows of the tables for these directions, with ``task``, ``start``, ``seeds``,
        ``synthetic``, and ``optimum`` (whether the run's loss at the end is low enough to speak of
        one).

    References
    ----------
    Hao et al. (2019), section 5.1; Li et al. (2018), section 4.
    """
    by_name = {task.name: task for task in tasks}
    numbers = pd.concat(
        [
            labelled(
                table[table["direction"].isin(DIRECTIONS)],
                task=run["task"],
                start=run["start"],
                seeds=run["seeds"],
                synthetic=by_name[run["task"]].synthetic,
            )
            for table, run in zip(tables, runs, strict=True)
        ],
        ignore_index=True,
    )
    # level = end + share (ln K - end), of which the share is the same in all rows.
    numbers["optimum"] = numbers["end"] <= OPTIMUM * numbers["chance_loss"]
    starts = [start for start in style.START_TITLE if (numbers["start"] == start).any()]
    keys = [_key(start) for start in starts]
    keys.append(_mark("median", marker="|", markersize=9, markeredgewidth=1.4))
    if numbers["censored"].any():
        keys.append(_mark("not reached: at least this", marker=">"))
    if not numbers["optimum"].all():
        keys.append(_mark("no optimum: loss at the end above 0.3 ln K", fill=False))
    caption = (
        "Distance from θ₁ at which the training loss has made a fifth of its way to ln K; a point "
        "per run and direction. In random directions every filter moves by a share of its own norm."
        + outcome_note(tasks)
    )
    names = [task.heading for task in tasks]
    widths = [text_width(line, style.MEDIUM) for name in names for line in name.split("\n")]
    left = EDGE + max(widths) + 0.12
    page = sheet(
        2,
        heads=[0.3],
        feet=[0.42],
        footer=Footer(keys, caption),
        aspect=min(1.4, 0.14 + 0.22 * len(tasks)),
        left=left,
        gap=0.2,
        widest=2.4,
        narrowest=4.4,
    )
    for column, (direction, title) in enumerate(DIRECTIONS.items()):
        axes = page.panels[0][column]
        rows = numbers[numbers["direction"] == direction]
        for place, task in enumerate(tasks):
            for shift, start in enumerate(starts):
                y = place + 0.36 * (shift - (len(starts) - 1) / 2)
                _row(axes, rows[(rows["task"] == task.name) & (rows["start"] == start)], y, start)
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.set_ylim(len(tasks) - 0.5, -0.5)
        axes.set_yticks([])
        for place, name in enumerate(names if column == 0 else []):
            axes.annotate(
                name,
                (0, place),
                xycoords=("axes fraction", "data"),
                xytext=(-6, 0),
                textcoords="offset points",
                ha="right",
                va="center",
                size=style.MEDIUM,
            )
        axes.set_xlabel(_UNITS[direction])
        axes.grid(axis="x", color="#DDDDDD", linewidth=0.5)
        axes.set_axisbelow(True)
        axes.spines[["top", "right", "left"]].set_visible(False)
        set_title(axes, broken_titles([title], 2.4)[0])
    return page.figure, numbers


def _row(axes: Axes, rows: pd.DataFrame, y: float, start: str) -> None:
    """The points of a task and start, side by side, and their median."""
    colour = style.START_COLOUR[start]
    spread = np.linspace(-0.1, 0.1, len(rows)) if len(rows) > 1 else np.zeros(len(rows))
    for row, off in zip(rows.itertuples(), spread, strict=True):
        axes.plot(
            row.radius,
            y + off,
            marker=">" if row.censored else _MARKERS[start],
            markersize=3.4,
            color=colour,
            markerfacecolor=colour if row.optimum else "white",
            markeredgewidth=0.8,
            linestyle="none",
            clip_on=False,
        )
    if len(rows):
        axes.plot(
            rows["radius"].median(),
            y,
            marker="|",
            markersize=9,
            markeredgewidth=1.4,
            color="black",
            linestyle="none",
        )


def _key(start: str) -> Line2D:
    colour = style.START_COLOUR[start]
    look = {"marker": _MARKERS[start], "markersize": 4, "color": colour, "linestyle": "none"}
    return Line2D([], [], label=style.START_TITLE[start].lower(), **look)


def _mark(label: str, fill: bool = True, **look) -> Line2D:
    look = {"marker": "o", "markersize": 4, "color": style.GREY, "linestyle": "none"} | look
    if not fill:
        look |= {"markerfacecolor": "white", "markeredgewidth": 0.8}
    return Line2D([], [], label=label, **look)
