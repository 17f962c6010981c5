"""Training loss over steps (figure 2), and along the direction from start to end (figure 5)."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, MaxNLocator

from workflow_scripts.common.errors import UserError
from workflow_scripts.common.titles import TaskTitle
from workflow_scripts.figures import style
from workflow_scripts.figures.inputs import Surface, find, labelled, precision_note
from workflow_scripts.figures.layout import (
    Footer,
    Sheet,
    blocks_of,
    broken_titles,
    head_heights,
    set_title,
    sheet,
    width_of_panels,
)
from workflow_scripts.figures.outcomes import outcome_note, point_word

FRAME = {"left": 0.5, "right": 0.12, "gap": 0.16, "widest": 2.6}


@style.paper_style()
def learning_curves(
    histories: dict[tuple[str, str], pd.DataFrame],
    labels: dict[str, int],
    tasks: list[TaskTitle],
    starts: list[str],
    smoothing: float = 0.25,
    note: str = "",
) -> tuple[Figure, pd.DataFrame]:
    """Training loss of each step, a panel per task, a curve per start.

    Parameters
    ----------
    histories : dict of (str, str) to DataFrame
        ``history.parquet`` by task and start; the loss is the mean of a batch, nats.
    labels : dict of str to int
        Number of labels K by task; ln K is the loss of chance.
    tasks : list of TaskTitle
        In the order of the panels.
    starts : list of str
        What to show, in this order.
    smoothing : float
        Width of the centred moving average that is the strong line, epochs.
    note : str
        What differs between the recipes of the two starts, for the caption.

    Returns
    -------
    figure : Figure
    numbers : DataFrame
        A row per step with ``loss`` and ``smoothed``, nats.

    Raises
    ------
    UserError
        If there is no history of a task and start.

    References
    ----------
    Hao et al. (2019), section 5.2 and figure 2.
    """
    curves = {}
    for task in tasks:
        for start in starts:
            if (task.name, start) not in histories:
                raise UserError(f"no history was given for task {task.name!r}, start {start!r}")
            curves[task, start] = smooth(histories[task.name, start], smoothing)
    numbers = pd.concat(
        [
            labelled(
                curve[["step", "epoch", "loss", "smoothed"]],
                task=task.name,
                start=start,
                synthetic=task.synthetic,
                labels=labels[task.name],
            )
            for (task, start), curve in curves.items()
        ],
        ignore_index=True,
    )
    word = point_word(tasks)
    top = _top(numbers, max(np.log(labels[task.name]) for task in tasks))
    above = int((numbers["loss"] > top).sum())
    lost = int((~np.isfinite(numbers["loss"])).sum())
    keys = [
        *(_curve_key(start) for start in starts),
        Line2D(
            [],
            [],
            color=style.GREY,
            marker="o",
            markersize=3,
            linestyle="none",
            label="checkpoint" if word == "checkpoint" else "end of an epoch",
        ),
        _chance_key(),
    ]
    if lost:
        lost_words = "loss not finite" if word == "epoch" else "loss not finite, or not logged"
        keys.append(style.lost_key(lost_words))
    span = _epochs(smoothing)
    if word == "epoch":
        caption = f"Faint: loss of each batch; strong: its mean over {span}, centred."
    else:
        span = span.replace("an epoch", "the steps between checkpoints")
        caption = f"Faint: each loss of the log; strong: its mean over {span}, centred."
    if above:
        are = "is" if above == 1 else "are"
        caption += f" {above:,} of {len(numbers):,} batches {are} above the panels."
    caption += f" Fine-tuned / from scratch: {note}." if note else ""
    caption += outcome_note(tasks)
    page, titles, columns = _small_multiples(tasks, Footer(keys, caption), 0.38)
    for index, task in enumerate(tasks):
        axes = page.panels[index // columns][index % columns]
        axes.axhline(np.log(labels[task.name]), **_chance_line())
        for start in starts:
            _learning_curve(axes, curves[task, start], start, top)
        axes.set_ylim(0, top)
        axes.set_xlim(0, 1.02 * numbers["step"].max())
        _dress(axes, titles[index], "step", "training loss (nats)", index % columns == 0)
        axes.xaxis.set_major_locator(MaxNLocator(nbins=4, steps=[1, 2, 5, 10], integer=True))
        axes.xaxis.set_major_formatter(FuncFormatter(_short))
    return page.figure, numbers


def smooth(history: pd.DataFrame, smoothing: float) -> pd.DataFrame:
    """Add the column ``smoothed``, nats, to a history: its centred moving average.

    The window is cut at both ends of the run. A loss that is not finite does not enter the means
    of its neighbours; its own ``smoothed`` is NaN.

    Parameters
    ----------
    history : DataFrame
        ``step``, ``epoch`` and ``loss`` (nats), a row per step.
    smoothing : float
        Width of the window, epochs; rounded to an odd number of steps, at least 1.

    Returns
    -------
    DataFrame
        Sorted by step.
    """
    table = history.sort_values("step", ignore_index=True)
    steps = table.groupby("epoch").size().max()
    window = max(1, 2 * (round(smoothing * steps) // 2) + 1)
    loss = table["loss"].where(np.isfinite(table["loss"]))
    mean = loss.rolling(window, center=True, min_periods=1).mean()
    return table.assign(smoothed=mean.where(loss.notna()))


@style.paper_style()
def loss_lines(
    lines: list[Surface], tasks: list[TaskTitle], starts: list[str]
) -> tuple[Figure, pd.DataFrame]:
    """Training loss along the direction from start to end, over filter-normalised distance.

    Parameters
    ----------
    lines : list of Surface
        Lines (beta = 0); the distance from the end point is (alpha - 1) times
        ``filter_distance``, the filter-normalised length of delta_1.
    tasks : list of TaskTitle
        In the order of the panels.
    starts : list of str
        What to show, in this order.

    Returns
    -------
    figure : Figure
    numbers : DataFrame
        A row per point with ``distance``, ``train_loss``, ``low`` and ``high`` (nats; 95 %
        interval over examples: 1.96 standard errors to either side).

    Raises
    ------
    UserError
        If there is no line of a task and start.

    References
    ----------
    Hao et al. (2019), section 6.1 and figure 5; Li et al. (2018), section 4.
    """
    chosen = {
        (task, start): find(lines, task=task.name, start=start)
        for task in tasks
        for start in starts
    }
    tables = {key: _along(line) for key, line in chosen.items()}
    numbers = pd.concat(
        [
            labelled(
                table,
                task=task.name,
                start=start,
                synthetic=task.synthetic,
                filter_distance=chosen[task, start].geometry["filter_distance"],
            )
            for (task, start), table in tables.items()
        ],
        ignore_index=True,
    )
    way = numbers[(numbers["alpha"] >= 0) & (numbers["alpha"] <= 1)]
    chance = max(line.chance for line in chosen.values())
    finite = way["high"][np.isfinite(way["high"])]
    top = max(1.6 * chance, 1.1 * float(finite.max()) if len(finite) else 0.0)
    furthest = max(line.geometry["filter_distance"] for line in chosen.values())
    gaps = bool((~np.isfinite(numbers["train_loss"])).any())
    keys = [
        *(_curve_key(start) for start in starts),
        Line2D(
            [],
            [],
            color=style.GREY,
            marker="o",
            markersize=4.5,
            linestyle="none",
            markeredgecolor="white",
            label="start θ₀",
        ),
        Line2D(
            [],
            [],
            color=style.GREY,
            marker="*",
            markersize=8,
            linestyle="none",
            markeredgecolor="white",
            label="end θ₁",
        ),
        Patch(facecolor=style.GREY, alpha=0.25, linewidth=0, label="95 % interval over examples"),
        _chance_key(),
    ]
    caption = (
        "Loss along δ₁ = θ₁ − θ₀; the distance is α − 1 times the length of δ₁ with each filter "
        f"in units of its norm in θ₁; curves end where α leaves {_alpha_range(numbers)}."
        + (" A curve breaks where its loss is not finite." if gaps else "")
        + precision_note(chosen.values())
        + outcome_note(tasks)
    )
    page, titles, columns = _small_multiples(tasks, Footer(keys, caption), 0.5)
    for index, task in enumerate(tasks):
        axes = page.panels[index // columns][index % columns]
        line = chosen[task, starts[0]]
        axes.axhline(line.chance, **_chance_line())
        for start in starts:
            _loss_line(axes, tables[task, start], start)
        axes.set_ylim(0, top)
        axes.set_xlim(-1.25 * furthest, 1.25 * furthest)
        _dress(
            axes,
            titles[index],
            "distance from θ₁\n(filter-normalised)",
            "training loss (nats)",
            index % columns == 0,
        )
        axes.xaxis.set_major_locator(MaxNLocator(nbins=4, steps=[1, 2, 5, 10], symmetric=True))
    return page.figure, numbers


def _along(line: Surface) -> pd.DataFrame:
    """Points of a line by alpha, with their distance from the end and the loss's interval."""
    columns = ["alpha", "on_grid", "anchor", "train_loss", "train_loss_se"]
    table = line.points[columns].sort_values("alpha", ignore_index=True)
    half = 1.96 * table["train_loss_se"]
    return table.assign(
        distance=(table["alpha"] - 1) * line.geometry["filter_distance"],
        low=table["train_loss"] - half,
        high=table["train_loss"] + half,
    )


def _loss_line(axes: Axes, table: pd.DataFrame, start: str) -> None:
    colour = style.START_COLOUR.get(start, "black")
    x, loss = table["distance"], table["train_loss"].where(np.isfinite(table["train_loss"]))
    axes.fill_between(
        x, table["low"], table["high"], where=loss.notna(), color=colour, alpha=0.22, linewidth=0
    )
    axes.plot(x, loss, color=colour, linestyle=style.START_DASH.get(start, "solid"), zorder=3)
    for anchor, marker, size in (("start", "o", 4.5), ("end", "*", 8)):
        point = table[table["anchor"] == anchor]
        axes.plot(
            point["distance"],
            point["train_loss"],
            marker=marker,
            markersize=size,
            color=colour,
            markeredgecolor="white",
            markeredgewidth=0.7,
            linestyle="none",
            zorder=5,
            clip_on=False,
        )


def _learning_curve(axes: Axes, curve: pd.DataFrame, start: str, top: float) -> None:
    colour = style.START_COLOUR.get(start, "black")
    dash = style.START_DASH.get(start, "solid")
    axes.plot(curve["step"], curve["loss"], color=colour, linewidth=0.5, alpha=0.3, zorder=1)
    axes.plot(curve["step"], curve["smoothed"], color=colour, linestyle=dash, zorder=3)
    ends = curve.groupby("epoch").tail(1)
    axes.plot(
        ends["step"],
        ends["smoothed"],
        color=colour,
        marker="o",
        markersize=3,
        linestyle="none",
        markeredgecolor="white",
        markeredgewidth=0.4,
        zorder=4,
    )
    lost = curve[~np.isfinite(curve["loss"])]
    axes.plot(
        lost["step"],
        np.full(len(lost), 0.96 * top),
        color=colour,
        marker="x",
        markersize=4,
        linestyle="none",
        zorder=4,
    )


def _small_multiples(
    tasks: list[TaskTitle], footer: Footer, foot: float
) -> tuple[Sheet, list[list[str]], int]:
    """A sheet with a panel per task, at most four in a row; titles and number of columns."""
    blocks, columns = blocks_of(len(tasks))
    titles = broken_titles([task.heading for task in tasks], width_of_panels(columns, **FRAME))
    present = [
        [block * columns + column < len(tasks) for column in range(columns)]
        for block in range(blocks)
    ]
    page = sheet(
        columns,
        heads=head_heights(titles, columns),
        feet=[foot] * blocks,
        footer=footer,
        aspect=0.95,
        present=present,
        narrowest=3.03,
        **FRAME,
    )
    return page, titles, columns


def _dress(axes: Axes, title: list[str], x: str, y: str, left: bool) -> None:
    set_title(axes, title)
    axes.set_xlabel(x)
    axes.tick_params(labelleft=left)
    if left:
        axes.set_ylabel(y)
    axes.spines[["top", "right"]].set_visible(False)


def _curve_key(start: str) -> Line2D:
    return Line2D(
        [],
        [],
        color=style.START_COLOUR.get(start, "black"),
        linestyle=style.START_DASH.get(start, "solid"),
        label=style.START_TITLE.get(start, start).lower(),
    )


def _chance_line() -> dict:
    return {"color": style.GREY, "linewidth": 0.7, "linestyle": (0, (1, 1.5)), "zorder": 0.5}


def _chance_key() -> Line2D:
    look = _chance_line() | {"linewidth": 1.0}
    look.pop("zorder")
    return Line2D([], [], label="chance, ln K", **look)


def _top(numbers: pd.DataFrame, chance: float) -> float:
    """Upper end of the loss axis: everything but the rarest spikes of single batches."""
    finite = numbers["loss"][np.isfinite(numbers["loss"])]
    smoothed = numbers["smoothed"].max()
    rare = float(finite.quantile(0.998)) if len(finite) else 0.0
    return 1.06 * max(rare, 1.15 * chance, float(smoothed) if np.isfinite(smoothed) else 0.0)


def _epochs(share: float) -> str:
    words = {0.25: "a quarter of an epoch", 0.5: "half an epoch", 1.0: "one epoch"}
    return words.get(share, f"{share:g} epochs")


def _alpha_range(numbers: pd.DataFrame) -> str:
    return f"[{numbers['alpha'].min():g}, {numbers['alpha'].max():g}]".replace("-", "−")


def _short(value: float, _) -> str:
    return f"{value / 1000:g}k" if value >= 10000 else f"{value:g}"
