"""Training runs drawn on their surfaces (figures 3 and 4)."""

from itertools import pairwise

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patheffects import Normal, withStroke
from matplotlib.text import Text
from matplotlib.ticker import MaxNLocator

from workflow_scripts.common.errors import UserError
from workflow_scripts.common.titles import TaskTitle
from workflow_scripts.figures import scales, style
from workflow_scripts.figures.inputs import (
    Surface,
    find,
    interpolation_note,
    labelled,
    precision_note,
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
    text_width,
    width_of_panels,
)
from workflow_scripts.figures.maps import ERROR, LOSS, Quantity, draw_bar, draw_map, draw_note
from workflow_scripts.figures.outcomes import outcome_note, point_word
from workflow_scripts.figures.surfaces import ALPHA, BETA
from workflow_scripts.stability.intervals import Interval, of_rate

FRAME = {"bar": 0.98, "gap": 0.26, "widest": 2.05}
MOST_COLUMNS = 2  # of tasks: the numbers of epochs need room


@style.paper_style()
def loss_trajectories(
    surfaces: list[Surface], tasks: list[TaskTitle], starts: list[str]
) -> tuple[Figure, pd.DataFrame]:
    """Trajectories of every task (columns) and start (rows) on the training-loss surface.

    More than two tasks continue in further blocks of rows.

    Each epoch has a marker at the point of the plane that is nearest to it (least squares), filled
    with the loss of the checkpoint itself on the colour scale of the surface: where it differs from
    the colour around it, the projection hides part of the path. A thin line has the paper's
    coordinates, of which d^beta is a distance and never negative.

    Parameters
    ----------
    surfaces : list of Surface
        Planes with trajectories; those of other tasks and starts are left out.
    tasks : list of TaskTitle
        In the order of the columns.
    starts : list of str
        In the order of the rows.

    Returns
    -------
    figure : Figure
    numbers : DataFrame
        For each ``task`` and ``start``, ``rows`` is ``trajectory`` (a row per epoch) or
        ``surface`` (a row per point); losses in nats.

    Raises
    ------
    UserError
        If the plane of a task and start is missing.

    References
    ----------
    Hao et al. (2019), section 3.3 (equations 3 to 5), section 5.2 and figure 3.
    """
    chosen = {
        (task, start): find(surfaces, task=task.name, start=start)
        for task in tasks
        for start in starts
    }
    every = list(chosen.values())
    runs = {key: target_run(surface) for key, surface in chosen.items()}
    region = common_region(every, list(runs.values()))
    seen = [_inside(surface, LOSS, region) for surface in every]
    seen += [run["true_train_loss"].to_numpy(float) for run in runs.values()]
    scale = scales.loss_scale(seen)
    lines = scales.loss_lines(scale)
    word = point_word(tasks)
    keys = [
        style.dot_key("start θ₀"),
        style.star_key("end θ₁"),
        _path_key(f"nearest point of the plane, marker per {word}"),
        _plain_key("the paper's dᵅ, dᵝ"),
        style.chance_key("chance, ln K"),
        style.point_key("evaluated point"),
        *([style.missing_key()] if any(np.isnan(s).any() for s in seen) else []),
    ]
    caption = (
        f"Numbers are {word}s. The fill of a marker is the training loss of the checkpoint itself: "
        "where it differs from the surface around it, the checkpoint lies far from the plane. In "
        "the corner, how much of the distance from θ₀ is outside the plane (before the last "
        f"{word}). dᵝ is a distance, not a coordinate."
        f"{interpolation_note(every, LOSS)}{precision_note(every)}{outcome_note(tasks)}"
    )
    sides = [[style.START_TITLE.get(start, start)] for start in starts]
    frame = {"left": row_margin(sides, "−0.5"), **FRAME}
    blocks, columns = blocks_of(len(tasks), MOST_COLUMNS)
    titles = broken_titles([task.heading for task in tasks], width_of_panels(columns, **frame))
    rows = len(starts)
    heads = head_heights(titles, columns)
    page = sheet(
        columns,
        heads=[head for first in heads for head in (first, *[0.14] * (rows - 1))],
        feet=([0.0] * (rows - 1) + [0.34]) * blocks,
        footer=Footer(keys, caption),
        aspect=(region[3] - region[2]) / (region[1] - region[0]),
        present=[
            [block * columns + column < len(tasks) for column in range(columns)]
            for block in range(blocks)
            for _ in starts
        ],
        narrowest=3.5,
        **frame,
    )
    for index, task in enumerate(tasks):
        block, column = divmod(index, columns)
        for row, start in enumerate(starts):
            axes = page.panels[block * rows + row][column]
            surface, run = chosen[task, start], runs[task, start]
            draw_map(axes, *surface.grid(LOSS.column), LOSS, scale, lines, surface.chance)
            _zoom(axes, surface, region, bottom=row == rows - 1, left=column == 0)
            draw_path(axes, run, LOSS, scale, fill="true_train_loss")
            draw_ends(axes)
            note = draw_note(axes, _outside_words(run))
            number_epochs(axes, [(run, "black", 0)], note)
            if row == 0:
                set_title(axes, titles[index])
            if column == 0:
                set_row_title(axes, sides[row], "−0.5")
    beyond = any(np.nanmax(values, initial=0) > scale.vmax for values in seen)
    chances = {f"ln {s.geometry['labels']}": s.chance for s in every}
    draw_bar(page.bar, LOSS, scale, lines, beyond, chances)
    return page.figure, _numbers(chosen, runs, LOSS)


@style.paper_style()
def overfitting(
    surface: Surface,
    task: TaskTitle,
    scores: tuple[pd.DataFrame, pd.DataFrame],
    note: str | None = None,
) -> tuple[Figure, pd.DataFrame]:
    """A run and the run that continues it, on the surface of the dev error and over epochs.

    Parameters
    ----------
    surface : Surface
        Plane whose trajectory has the run ``target`` and one other, which continues it.
    task : TaskTitle
        The task of both runs.
    scores : (DataFrame, DataFrame)
        Of the first run and of the one that continues it: ``epoch``, ``accuracy`` (0 to 1) and
        ``predictions`` on all dev examples.
    note : str, optional
        How the run was continued; added to the caption.

    Returns
    -------
    figure : Figure
    numbers : DataFrame
        ``rows`` is ``trajectory`` (a row per epoch of either run) or ``surface`` (a row per
        point); error rates of 0 to 1.

    Raises
    ------
    UserError
        Unless exactly one run of the trajectory continues the other.

    References
    ----------
    Hao et al. (2019), section 5.3 and figure 4.
    """
    first = target_run(surface)
    rest = continuing_run(surface)
    whole = pd.concat([first, rest], ignore_index=True)
    examples = surface.examples("dev") or 1
    last, more = int(first["epoch"].max()), int(rest["epoch"].max())
    errors = pd.concat(
        [
            _errors(table, shift).assign(continued=bool(shift))
            for table, shift in zip(scores, (0, last), strict=True)
        ],
        ignore_index=True,
    )
    whole_dev = len(scores[0]["predictions"].iloc[0])
    region = common_region([surface], [whole])
    seen = [_inside(surface, ERROR, region)]
    seen += [whole["true_dev_error"].to_numpy(float)]
    scale = scales.error_scale(seen)
    lines = scales.error_lines(scale)
    early, late = "black", style.VERMILLION
    keys = [
        style.dot_key("start θ₀"),
        style.star_key(f"end θ₁, epoch {last}"),
        _path_key(f"first {last} epochs", early),
        _path_key(f"{more} epochs more", late),
        _plain_key("the paper's dᵅ, dᵝ"),
        style.point_key("evaluated point"),
        *([style.missing_key()] if np.isnan(seen[0]).any() else []),
    ]
    caption = (
        f"Left: error rate on {examples:,} dev examples; the fill of a marker is the error of the "
        "checkpoint's encoder under θ₁'s head. Right: error of each checkpoint with its own head "
        f"on {whole_dev:,} dev examples, with its 95 % interval."
        + (f" {note.rstrip('.')}." if note else "")
        + interpolation_note([surface], ERROR)
        + precision_note([surface])
        + outcome_note([task])
    )
    frame = {"left": 0.5, "bar": 3.2, "gap": 0.16, "widest": 2.6}
    titles = broken_titles([task.heading.replace("\n", " ")], 2.6)
    page = sheet(
        1,
        heads=[head_height(titles)],
        feet=[0.36],
        footer=Footer(keys, caption),
        aspect=(region[3] - region[2]) / (region[1] - region[0]),
        **frame,
    )
    axes = page.panels[0][0]
    draw_map(axes, *surface.grid(ERROR.column), ERROR, scale, lines)
    _zoom(axes, surface, region, bottom=True, left=True)
    draw_path(axes, rest, ERROR, scale, fill="true_dev_error", colour=late, before=first.iloc[-1])
    draw_path(axes, first, ERROR, scale, fill="true_dev_error", colour=early)
    draw_ends(axes)
    note_box = draw_note(axes, _outside_words(whole))
    number_epochs(axes, [(first, early, 0), (rest, late, last)], note_box)
    set_title(axes, titles[0])
    draw_bar(page.bar, ERROR, scale, lines, False)
    figure, place = page.figure, axes.get_position()
    width = figure.get_size_inches()[0]
    side = figure.add_axes(((width - 1.74) / width, place.y0, 1.62 / width, place.height))
    highest = max(float(np.nanmax(errors[column])) for column in ("error", "high"))
    side.set_ylim(0, 105 * max(highest, 0.1))
    _errors_over_epochs(side, errors, last, [early, late])
    key = (task, surface.geometry["start"])
    fixed = {"task": task.name, "start": key[1], "synthetic": task.synthetic, "rows": "error"}
    errors = labelled(errors.rename(columns={"error": "all_dev_error"}), **fixed)
    numbers = _numbers({key: surface}, {key: whole}, ERROR)
    return figure, pd.concat([numbers, errors], ignore_index=True)


def target_run(surface: Surface) -> pd.DataFrame:
    """Rows of the surface's own run by epoch, of a surface that has a trajectory."""
    rows = surface.trajectory[surface.trajectory["run"] == "target"]
    return rows.sort_values("epoch", ignore_index=True)


def continuing_run(surface: Surface) -> pd.DataFrame:
    """Rows of the one run that continues the surface's own, without epoch 0, the same point.

    Raises
    ------
    UserError
        If the trajectory holds no such run, or several.
    """
    rows = surface.trajectory[surface.trajectory["run"] != "target"]
    names = list(rows["run"].unique())
    if len(names) != 1:
        raise UserError(
            f"the trajectory of {surface.geometry['task']} needs one run that continues it, "
            f"got {names or 'none'}"
        )
    return rows[rows["epoch"] > 0].sort_values("epoch", ignore_index=True)


def common_region(
    surfaces: list[Surface], runs: list[pd.DataFrame]
) -> tuple[float, float, float, float]:
    """Region that holds every run, with a margin, within the surfaces; the same for all panels.

    It holds start and end too, and spans at least four grid steps, so that a zoom never shows less
    than a few cells. Neither side is shorter than three quarters of the other, where the grid
    allows.

    Parameters
    ----------
    surfaces : list of Surface
        Of the same grid; the first one's is used.
    runs : list of DataFrame
        Trajectories with ``d_alpha``, ``d_beta``, ``ls_alpha``, ``ls_beta``; coordinates that are
        not finite do not count.

    Returns
    -------
    tuple of float
        Lowest and highest alpha, lowest and highest beta, in units of the directions.
    """
    x = np.concatenate([run[["d_alpha", "ls_alpha"]].to_numpy(float).ravel() for run in runs])
    y = np.concatenate([run[["d_beta", "ls_beta"]].to_numpy(float).ravel() for run in runs])
    alpha, beta, _ = surfaces[0].grid("train_loss")
    sides = []
    for values, axis, fixed in ((x, alpha, (0.0, 1.0)), (y, beta, (0.0,))):
        finite = np.append(values[np.isfinite(values)], fixed)
        low, high = finite.min(), finite.max()
        margin = max(0.3, 0.15 * (high - low))
        low, high = low - margin, high + margin
        widen = max(0.0, 4 * (axis[1] - axis[0]) - (high - low)) / 2
        low, high = low - widen, high + widen
        sides += [max(low, axis[0]), min(high, axis[-1])]
    # Neither side much longer than the other: panels stay near square.
    for i, other in ((0, 2), (2, 0)):
        axis = (alpha, beta)[i // 2]
        lack = 0.75 * (sides[other + 1] - sides[other]) - (sides[i + 1] - sides[i])
        if lack > 0:
            sides[i] = max(sides[i] - lack / 2, axis[0])
            sides[i + 1] = min(sides[i + 1] + lack / 2, axis[-1])
    return tuple(float(side) for side in sides)


def draw_path(
    axes: Axes,
    run: pd.DataFrame,
    quantity: Quantity,
    scale: Normalize,
    fill: str,
    colour: str = "black",
    before: pd.Series | None = None,
) -> None:
    """A run on a map: a path with a marker per epoch, and a thin path of the paper's coordinates.

    Parameters
    ----------
    axes : Axes
        Of the map.
    run : DataFrame
        Trajectory by epoch, with ``d_alpha``, ``d_beta``, ``ls_alpha``, ``ls_beta``, ``fill``.
    quantity : Quantity
        What the map shows.
    scale : Normalize
        Of the map; also colours the markers.
    fill : str
        Column that colours the markers, in the quantity's unit; white where it is not finite.
    colour : str
        Of the path and of the markers' edges.
    before : Series, optional
        Row of the point that the paths come from, for a run that continues another.
    """
    path = run if before is None else pd.concat([before.to_frame().T, run], ignore_index=True)
    for columns, width, dash in (
        (["d_alpha", "d_beta"], 0.7, (0, (1.2, 1.2))),
        (["ls_alpha", "ls_beta"], 1.2, "solid"),
    ):
        x, y = path[columns].to_numpy(float).T
        halo = [withStroke(linewidth=width + 1.2, foreground="white"), Normal()]
        axes.plot(
            x, y, color=colour, linewidth=width, linestyle=dash, zorder=4 + width, path_effects=halo
        )
    for row in run.itertuples():
        value = getattr(row, fill)
        finite = np.isfinite(value)
        face = matplotlib.colormaps[quantity.colours](float(scale(value))) if finite else "white"
        axes.plot(
            row.ls_alpha,
            row.ls_beta,
            marker="o",
            markersize=4.6,
            linestyle="none",
            markerfacecolor=face,
            markeredgecolor=colour,
            markeredgewidth=0.9,
            zorder=6,
            path_effects=[withStroke(linewidth=2.2, foreground="white"), Normal()],
        )


def draw_ends(axes: Axes) -> None:
    """The dot at the start, (0, 0), and the star at the end, (1, 0)."""
    axes.plot(0, 0, **style.dot())
    axes.plot(1, 0, **style.star())


def number_epochs(axes: Axes, runs: list[tuple[pd.DataFrame, str, int]], note: Text) -> None:
    """Write epochs beside their markers, where they cover neither marks nor paths nor each other.

    The ends of a run are numbered first, then fives, then the others of a short run; an epoch
    without room, and epoch 0, stay without a number.

    Parameters
    ----------
    axes : Axes
        With their final limits and position.
    runs : list of (DataFrame, str, int)
        Trajectory with ``epoch``, ``ls_alpha``, ``ls_beta``; colour; offset of its epochs.
    note : Text
        Text on the map that is kept clear.
    """
    points = 72 / axes.figure.dpi
    words = note.get_window_extent()
    taken = [tuple(side * points for side in words.extents)]
    taken += [_box(x, y, 7, 7) for x, y in axes.transData.transform([(0, 0), (1, 0)]) * points]
    candidates = []
    for run, colour, shift in runs:
        places = axes.transData.transform(run[["ls_alpha", "ls_beta"]].to_numpy(float)) * points
        taken += [_box(x, y, 6.5, 6.5) for x, y in places]
        for a, b in pairwise(places):
            taken += [_box(*(a + (b - a) * t), 1.5, 1.5) for t in np.linspace(0, 1, 24)]
        by_epoch = dict(zip(run["epoch"].astype(int), places, strict=True))
        order = _epochs_by_priority(list(by_epoch), shift)
        candidates += [(epoch + shift, by_epoch[epoch], colour) for epoch in order]
    frame = axes.get_window_extent()
    inside = np.array([frame.x0, frame.y0, frame.x1, frame.y1]) * points
    for epoch, (x, y), colour in candidates:
        if not np.isfinite((x, y)).all():
            continue
        wide, high = text_width(str(epoch)) * 72 + 1.2, 0.8 * style.SMALL
        for dx, dy in ((0, 1), (1, 1), (-1, 1), (1, 0), (-1, 0), (0, -1), (1, -1), (-1, -1)):
            shift = np.array([dx * (3.6 + wide / 2), dy * (4.0 + high / 2)])
            box = _box(x + shift[0], y + shift[1], wide, high)
            fits = (inside[0] < box[0] and box[2] < inside[2] and inside[1] < box[1]) and box[
                3
            ] < inside[3]
            if fits and not any(_overlap(box, other) for other in taken):
                axes.annotate(
                    str(epoch),
                    axes.transData.inverted().transform((x / points, y / points)),
                    xytext=tuple(shift),
                    textcoords="offset points",
                    ha="center",
                    va="center_baseline",
                    color=colour,
                    zorder=7,
                    path_effects=[withStroke(linewidth=1.8, foreground="white")],
                )
                taken.append(box)
                break


def _epochs_by_priority(epochs: list[int], shift: int) -> list[int]:
    """Epochs after epoch 0, which has its own mark; the first to be numbered first."""
    later = [epoch for epoch in epochs if epoch > 0]
    order = [max(later, default=0), min(later, default=0)]
    steps = (5,) if len(later) > 12 else (5, 2, 1)
    for step in steps:
        order += [epoch for epoch in later if (epoch + shift) % step == 0]
    return [epoch for epoch in dict.fromkeys(order) if epoch > 0]


def _box(x: float, y: float, wide: float, high: float) -> tuple[float, float, float, float]:
    return x - wide / 2, y - high / 2, x + wide / 2, y + high / 2


def _overlap(a: tuple[float, ...], b: tuple[float, ...]) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _zoom(
    axes: Axes,
    surface: Surface,
    region: tuple[float, float, float, float],
    bottom: bool,
    left: bool,
) -> None:
    """Show a region of a map with the points that it is drawn from."""
    points = surface.points[surface.points["on_grid"]]
    axes.plot(
        points["alpha"],
        points["beta"],
        zorder=3.5,
        **style.point(),
    )
    axes.set_xlim(region[0], region[1])
    axes.set_ylim(region[2], region[3])
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(nbins=5, steps=[1, 2, 5, 10]))
    axes.tick_params(labelbottom=bottom, labelleft=left)
    if bottom:
        axes.set_xlabel(ALPHA)
    if left:
        axes.set_ylabel(BETA)


def _inside(
    surface: Surface, quantity: Quantity, region: tuple[float, float, float, float]
) -> np.ndarray:
    """Values on the grid in a region and one step around it, ``[B, A]``."""
    alpha, beta, values = surface.grid(quantity.column)
    near = []
    for axis, low, high in ((alpha, *region[:2]), (beta, *region[2:])):
        inside = np.flatnonzero((axis >= low) & (axis <= high))
        near.append(slice(max(inside[0] - 1, 0), inside[-1] + 2))
    return values[near[1], near[0]]


def _outside_words(run: pd.DataFrame) -> str:
    """Share outside the plane over a run's epochs, without the ends, which lie in the plane."""
    own = run["run"] != "target"
    between = run[own | ((run["epoch"] > 0) & (run["epoch"] < run.loc[~own, "epoch"].max()))]
    shares = 100 * between["outside"].to_numpy(float)
    shares = shares[np.isfinite(shares)]
    if not shares.size:
        return "outside the plane: –"
    low, high = f"{shares.min():.0f}", f"{shares.max():.0f}"
    return f"outside the plane: {low if low == high else f'{low}–{high}'} %"


def _errors(scores: pd.DataFrame, shift: int) -> pd.DataFrame:
    """Dev error of each checkpoint by epoch of both runs together, with Wilson's 95 % interval."""
    rows = scores if shift == 0 else scores[scores["epoch"] > 0]
    counts = [len(predictions) for predictions in rows["predictions"]]
    limits = [
        of_rate(round((1 - accuracy) * n), n) if np.isfinite(accuracy) else Interval(*[np.nan] * 3)
        for accuracy, n in zip(rows["accuracy"], counts, strict=True)
    ]
    return pd.DataFrame(
        {
            "epoch": rows["epoch"].to_numpy() + shift,
            "error": 1 - rows["accuracy"].to_numpy(float),
            "low": [limit.low for limit in limits],
            "high": [limit.high for limit in limits],
        }
    )


def _errors_over_epochs(axes: Axes, errors: pd.DataFrame, last: int, colours: list[str]) -> None:
    """Dev error of each checkpoint with its interval; the second run goes on from the first."""
    for continued, colour in enumerate(colours):
        of_run = errors["continued"] == bool(continued)
        rows = errors[of_run | (errors["epoch"] == last) if continued else of_run]
        axes.fill_between(
            rows["epoch"], 100 * rows["low"], 100 * rows["high"], color=colour, alpha=0.16, lw=0
        )
        axes.plot(rows["epoch"], 100 * rows["error"], color=colour, linewidth=1)
        own = errors[of_run]
        axes.plot(
            own["epoch"], 100 * own["error"], color=colour, marker="o", markersize=3, linewidth=0
        )
    axes.axvline(last, color=style.GREY, linewidth=0.6, linestyle=(0, (2, 2)), zorder=0)
    axes.grid(axis="y", color="#DDDDDD", linewidth=0.5)
    axes.set_axisbelow(True)
    axes.set_xlabel("epoch")
    axes.set_ylabel("dev error (%)")
    axes.xaxis.set_major_locator(MaxNLocator(nbins=5, steps=[1, 2, 5, 10], integer=True))
    axes.yaxis.set_major_locator(MaxNLocator(nbins=5, steps=[1, 2, 5, 10]))
    axes.spines[["top", "right"]].set_visible(False)


def _path_key(label: str, colour: str = "black") -> Line2D:
    return Line2D(
        [],
        [],
        color=colour,
        linewidth=1.2,
        marker="o",
        markersize=4.6,
        markerfacecolor="#9A9A9A",
        markeredgecolor=colour,
        markeredgewidth=0.9,
        label=label,
    )


def _plain_key(label: str) -> Line2D:
    return Line2D([], [], color="black", linewidth=0.9, linestyle=(0, (1.2, 1.2)), label=label)


def _numbers(
    chosen: dict[tuple[TaskTitle, str], Surface],
    runs: dict[tuple[TaskTitle, str], pd.DataFrame],
    quantity: Quantity,
) -> pd.DataFrame:
    """Rows ``trajectory`` (a row per epoch) and ``surface`` (a row per point) for each panel."""
    parts = []
    for (task, start), surface in chosen.items():
        columns = ["alpha", "beta", "on_grid", "anchor", quantity.column, f"{quantity.column}_se"]
        fixed = {"task": task.name, "start": start, "synthetic": task.synthetic}
        parts.append(labelled(runs[task, start], **fixed, rows="trajectory"))
        parts.append(labelled(surface.points[columns], **fixed, rows="surface"))
    return pd.concat(parts, ignore_index=True)
