"""Loss and error surfaces side by side, on one colour scale (figures 1, 6 and 7)."""

from collections.abc import Iterable

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from workflow_scripts.common.titles import TaskTitle
from workflow_scripts.figures import scales, style
from workflow_scripts.figures.inputs import (
    Surface,
    find,
    interpolation_note,
    labelled,
    precision_note,
    second_note,
)
from workflow_scripts.figures.layout import (
    Footer,
    blocks_of,
    broken_titles,
    head_height,
    head_heights,
    row_margin,
    set_row_title,
    set_title,
    sheet,
    width_of_panels,
)
from workflow_scripts.figures.maps import LOSS, Quantity, change, draw_bar, draw_map, draw_note
from workflow_scripts.figures.outcomes import outcome_note

FRAME = {"bar": 0.98, "gap": 0.18, "widest": 1.75}  # inches, of every sheet of maps
ALPHA, BETA = "α (units of δ₁)", "β (units of δ₂)"


@style.paper_style()
def start_and_end_surfaces(
    surfaces: list[Surface], tasks: list[TaskTitle], starts: list[str], quantity: Quantity
) -> tuple[Figure, pd.DataFrame]:
    """Surfaces of every task (columns) and start (rows), with start and end points marked.

    More than four tasks continue in a second block of rows.

    Parameters
    ----------
    surfaces : list of Surface
        Planes; those of other tasks and starts are left out.
    tasks : list of TaskTitle
        In the order of the columns.
    starts : list of str
        In the order of the rows.
    quantity : Quantity
        What the colours show.

    Returns
    -------
    figure : Figure
    numbers : DataFrame
        A row per point with ``task``, ``start``, ``alpha``, ``beta``, the quantity's column (nats,
        or 0 to 1) and its standard error ``…_se``.

    Raises
    ------
    UserError
        If the plane of a task and start is missing, or lacks the start or the end.

    References
    ----------
    Hao et al. (2019), figures 1 and 6; equation 2.
    """
    chosen = {
        (task, start): find(surfaces, task=task.name, start=start)
        for task in tasks
        for start in starts
    }
    scale, lines = _scale(list(chosen.values()), quantity)
    gaps = any(np.isnan(s.grid(quantity.column)[2]).any() for s in chosen.values())
    keys = [style.dot_key("start θ₀ (0, 0)"), style.star_key("end θ₁ (1, 0)")]
    if quantity is LOSS:
        keys.append(style.chance_key("chance, ln K"))
        caption = (
            f"Mean loss on {_examples(chosen.values(), 'train')} at θ₀ + αδ₁ + βδ₂, "
            f"{second_note(chosen.values())}, with the head of θ₁; colours linear near 0, "
            f"logarithmic above; lines at {_words(lines)} nats; in the corner, loss at the start → "
            "at the end."
        )
    else:
        caption = (
            f"Error rate on {_examples(chosen.values(), 'dev')} at θ₀ + αδ₁ + βδ₂, "
            f"{second_note(chosen.values())}, with the head of θ₁; lines at every 10 %, but not "
            f"along plateaus; in the corner, error at the end{_all_dev(tasks)}."
        )
    caption += interpolation_note(chosen.values(), quantity) + precision_note(chosen.values())
    caption += outcome_note(tasks)
    keys += _point_keys(chosen.values())
    if gaps:
        keys.append(style.missing_key())

    blocks, columns = blocks_of(len(tasks))
    sides = [[style.START_TITLE.get(start, start)] for start in starts]
    frame = {"left": row_margin(sides, "−4"), **FRAME}
    titles = broken_titles([task.heading for task in tasks], width_of_panels(columns, **frame))
    present = [
        [block * columns + column < len(tasks) for column in range(columns)]
        for block in range(blocks)
        for _ in starts
    ]
    page = sheet(
        columns,
        heads=[
            head if row == 0 else 0.1
            for head in head_heights(titles, columns)
            for row in range(len(starts))
        ],
        feet=[
            0.34 if row == len(starts) - 1 else 0.0
            for _ in range(blocks)
            for row in range(len(starts))
        ],
        footer=Footer(keys, caption),
        present=present,
        narrowest=3.3,
        **frame,
    )
    limits = _limits(list(chosen.values()))
    for index, task in enumerate(tasks):
        block, column = divmod(index, columns)
        for row, start in enumerate(starts):
            axes = page.panels[block * len(starts) + row][column]
            surface = chosen[task, start]
            _panel(axes, surface, quantity, scale, lines)
            first, last = surface.anchor("start"), surface.anchor("end")
            axes.plot(first["alpha"], first["beta"], **style.dot())
            axes.plot(last["alpha"], last["beta"], **style.star())
            draw_note(axes, _corner(task, start, first, last, quantity))
            _frame(axes, limits, bottom=row == len(starts) - 1, left=column == 0)
            if row == 0:
                set_title(axes, titles[index])
            if column == 0:
                set_row_title(axes, sides[row], "−4")
    draw_bar(page.bar, quantity, scale, lines, *_bar(list(chosen.values()), quantity, scale))
    return page.figure, _numbers(chosen, quantity, "start")


def _all_dev(tasks: list[TaskTitle]) -> str:
    """Says on which examples the error at the end is, where all runs' scores are known."""
    return " on all dev examples" if all(task.outcomes for task in tasks) else ""


def _corner(
    task: TaskTitle, start: str, first: pd.Series, last: pd.Series, quantity: Quantity
) -> str:
    """Note in the corner of a panel: the loss at both ends, or the error at the end."""
    if quantity is LOSS:
        return change(first[quantity.column], last[quantity.column], quantity)
    known = [outcome for outcome in task.outcomes if outcome.start == start]
    error = 1 - known[0].accuracy if known else last[quantity.column]
    return f"end: {quantity.text(error)}"


@style.paper_style()
def group_surfaces(
    surfaces: list[Surface], tasks: list[TaskTitle], groups: list[str]
) -> tuple[Figure, pd.DataFrame]:
    """Training-loss surfaces of layer groups (columns) for tasks (rows).

    The origin is the fine-tuned model; at (-1, 0) the group's layers are rolled back.

    Parameters
    ----------
    surfaces : list of Surface
        Of layer groups; those of other tasks and groups are left out.
    tasks : list of TaskTitle
        In the order of the rows.
    groups : list of str
        Layer groups, in the order of the columns.

    Returns
    -------
    figure : Figure
    numbers : DataFrame
        A row per point with ``task``, ``group``, ``alpha``, ``beta``, ``train_loss`` (nats) and
        its standard error ``train_loss_se``.

    Raises
    ------
    UserError
        If the surface of a task and group is missing, or lacks one of the two points.

    References
    ----------
    Hao et al. (2019), section 7 and figure 7.
    """
    chosen = {
        (task, group): find(surfaces, task=task.name, group=group)
        for task in tasks
        for group in groups
    }
    scale, lines = _scale(list(chosen.values()), LOSS)
    gaps = any(np.isnan(s.grid(LOSS.column)[2]).any() for s in chosen.values())
    keys = [
        style.dot_key("fine-tuned θ₁ (0, 0)"),
        style.star_key("group rolled back (−1, 0)"),
        style.chance_key("chance, ln K"),
        *_point_keys(chosen.values()),
        *([style.missing_key()] if gaps else []),
    ]
    caption = (
        f"Mean loss on {_examples(chosen.values(), 'train')} at θ₁ + αδ₁ᴳ + βδ₂ᴳ, where only the "
        f"layers of group G move; lines at {_words(lines)} nats; in the corner, loss fine-tuned → "
        f"rolled back{_other_second(chosen.values())}.{interpolation_note(chosen.values(), LOSS)}"
        f"{precision_note(chosen.values())}{outcome_note(tasks)}"
    )
    sides = broken_titles([task.heading for task in tasks], FRAME["widest"])
    frame = {"left": row_margin(sides, "−4"), **FRAME}
    titles = broken_titles(
        [_group_title(chosen[tasks[0], group].geometry) for group in groups],
        width_of_panels(len(groups), **frame),
    )
    rows = len(tasks)
    page = sheet(
        len(groups),
        heads=[head_height(titles)] + [0.1] * (rows - 1),
        feet=[0.0] * (rows - 1) + [0.34],
        footer=Footer(keys, caption),
        narrowest=3.3,
        **frame,
    )
    limits = _limits(list(chosen.values()))
    for row, task in enumerate(tasks):
        for column, group in enumerate(groups):
            axes = page.panels[row][column]
            surface = chosen[task, group]
            _panel(axes, surface, LOSS, scale, lines)
            tuned, back = surface.anchor("fine_tuned"), surface.anchor("rollback")
            axes.plot(tuned["alpha"], tuned["beta"], **style.dot())
            axes.plot(back["alpha"], back["beta"], **style.star())
            draw_note(axes, change(tuned[LOSS.column], back[LOSS.column], LOSS))
            _frame(axes, limits, bottom=row == rows - 1, left=column == 0)
            if row == rows - 1:
                axes.set_xlabel("α (units of δ₁ᴳ)")
            if column == 0:
                axes.set_ylabel("β (units of δ₂ᴳ)")
                set_row_title(axes, sides[row], "−4")
            if row == 0:
                set_title(axes, titles[column])
    draw_bar(page.bar, LOSS, scale, lines, *_bar(list(chosen.values()), LOSS, scale))
    return page.figure, _numbers(chosen, LOSS, "group")


def _other_second(surfaces: Iterable[Surface]) -> str:
    """Where second directions come from, if not all are from another task."""
    note = second_note(surfaces)
    return "" if note.startswith("δ₂ from another task,") else f"; {note}"


# Points per axis from which an interpolated map looks like what it is, and dots would cover it.
_MOST_POINTS = 25


def _point_keys(surfaces: Iterable[Surface]) -> list[Line2D]:
    """Key of the evaluated points, where they are drawn."""
    few = any(len(surface.grid(LOSS.column)[0]) <= _MOST_POINTS for surface in surfaces)
    return [style.point_key("evaluated point")] if few else []


def _panel(axes: Axes, surface: Surface, quantity: Quantity, scale, lines: list[float]) -> None:
    chance = surface.chance if quantity is LOSS else None
    alpha, beta, values = surface.grid(quantity.column)
    draw_map(axes, alpha, beta, values, quantity, scale, lines, chance)
    if len(alpha) <= _MOST_POINTS:
        axes.plot(*(axis.ravel() for axis in np.meshgrid(alpha, beta)), **style.point(0.9))


def _frame(axes: Axes, limits: tuple[float, ...], bottom: bool, left: bool) -> None:
    """Limits and ticks of a panel; tick labels only along the edges of the sheet."""
    axes.set_xlim(limits[0], limits[1])
    axes.set_ylim(limits[2], limits[3])
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(_whole_ticks())
    axes.tick_params(labelbottom=bottom, labelleft=left)
    if bottom:
        axes.set_xlabel(ALPHA)
    if left:
        axes.set_ylabel(BETA)


def _whole_ticks():
    from matplotlib.ticker import MaxNLocator

    return MaxNLocator(nbins=4, steps=[1, 2, 5, 10])


def _scale(surfaces: list[Surface], quantity: Quantity):
    if quantity is not LOSS:
        scale = scales.error_scale()
        return scale, scales.error_lines(scale)
    scale = scales.loss_scale(s.grid(quantity.column)[2] for s in surfaces)
    return scale, scales.loss_lines(scale)


def _bar(
    surfaces: list[Surface], quantity: Quantity, scale
) -> tuple[bool, dict[str, float] | None]:
    """Whether values lie beyond the colour bar, and the losses of chance to mark on it."""
    beyond = any(np.nanmax(s.grid(quantity.column)[2], initial=0) > scale.vmax for s in surfaces)
    if quantity is not LOSS:
        return beyond, None
    return beyond, {f"ln {s.geometry['labels']}": s.chance for s in surfaces}


def _limits(surfaces: list[Surface]) -> tuple[float, float, float, float]:
    """Smallest frame around all surfaces: compared panels show the same region."""
    grids = [s.points[s.points["on_grid"]] for s in surfaces]
    return (
        min(g["alpha"].min() for g in grids),
        max(g["alpha"].max() for g in grids),
        min(g["beta"].min() for g in grids),
        max(g["beta"].max() for g in grids),
    )


def _examples(surfaces: Iterable[Surface], split: str) -> str:
    counts = {surface.examples(split) for surface in surfaces}
    kind = {"train": "training", "dev": "dev"}[split]
    if len(counts) == 1:
        return f"{counts.pop():,} {kind} examples"
    return f"fixed {kind} examples of each task"


def _words(levels: list[float]) -> str:
    return ", ".join(f"{level:g}" for level in levels)


def _group_title(geometry: dict) -> str:
    first, last = geometry["layers"][0], geometry["layers"][-1]
    layers = f"layer {first}" if first == last else f"layers {first}–{last}"
    return f"{geometry['group'].replace('_', ' ').capitalize()} ({layers})"


def _numbers(
    chosen: dict[tuple[TaskTitle, str], Surface], quantity: Quantity, panel: str
) -> pd.DataFrame:
    """Points of every panel; ``panel`` names the column of what a task's panels differ in."""
    columns = ["alpha", "beta", "on_grid", "anchor", quantity.column, f"{quantity.column}_se"]
    return pd.concat(
        [
            labelled(
                surface.points[columns],
                **{"task": task.name, panel: which},
                synthetic=task.synthetic,
                second=surface.geometry.get("second"),
            )
            for (task, which), surface in chosen.items()
        ],
        ignore_index=True,
    )
