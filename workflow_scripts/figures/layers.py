"""Distances between two models, layer by layer (figures dynamics1 to dynamics7)."""

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from workflow_scripts.common.errors import UserError, nearest
from workflow_scripts.common.intervals import percentile_interval, resampled_means
from workflow_scripts.common.titles import PairTitle, TaskTitle
from workflow_scripts.figures import scales, style
from workflow_scripts.figures.inputs import labelled
from workflow_scripts.figures.layout import Footer, Sheet, blocks_of, sheet
from workflow_scripts.figures.outcomes import outcome_note
from workflow_scripts.figures.pairs import (
    by_pair,
    check_examples,
    compared,
    counted,
    few_words,
    layers_of,
    set_ticks,
)

FRAME = {"left": 0.5, "right": 0.1, "widest": 2.6}
LN2 = math.log(2)

# Measures of ``representations.parquet``, as the axes name them.
MEASURES = {
    "svcca": "SVCCA distance",
    "svcca_hidden": "SVCCA distance (per hidden unit)",
    "cca_full": "CCA distance (all axes)",
    "svcca_per_neuron": "SVCCA distance (standardised)",
    "cka_distance": "CKA distance",
    "cka_unbiased_distance": "unbiased CKA distance",
    "procrustes": "Procrustes distance",
    "cosine_distance": "cosine distance",
    "relative_l2": "relative L2 distance",
}
HEADLINE = ("svcca", "cka_unbiased_distance")


@style.paper_style()
def attention_by_layer(
    tables: list[pd.DataFrame], pairs: list[PairTitle], resamples: int = 1000, seed: int = 0
) -> tuple[Figure, pd.DataFrame]:
    """JS divergence of attention over layers, a curve per pair of models.

    The left panel has a linear axis from 0, as in the paper, and shows the layers that change
    most. The right one has a logarithmic axis, because low layers differ by a hundredth of that
    or less. There, a divergence of exactly 0 is drawn at the foot of the axis.

    Parameters
    ----------
    tables : list of DataFrame
        ``attention.parquet`` of each pair: ``example``, ``layer``, ``js`` (nats; mean over heads
        and real tokens), ``cls``, ``sep``, ``other``; in the order of ``pairs``.
    pairs : list of PairTitle
        In the order of the curves.
    resamples : int
        Bootstrap samples of the examples of each pair.
    seed : int
        Of the samples.

    Returns
    -------
    figure : Figure
    numbers : DataFrame
        A row per pair and layer with ``js`` (nats, mean over examples), ``low``, ``high`` (95 %
        percentile bootstrap over examples; the same samples at every layer), ``examples``, and
        the means of ``cls``, ``sep``, ``other`` over the examples that have such tokens. NaN for
        a layer where an example is not finite.

    Raises
    ------
    UserError
        If a table is missing, empty or lacks a column, an example lacks a layer, or pairs have
        different layers.

    References
    ----------
    Hao et al. (2020), sections 3 and 5, figures 1, 4 and 6.
    """
    by_name = by_pair(tables, pairs, ["example", "layer", "js", "cls", "sep", "other"])
    layers = layers_of(by_name)
    numbers = pd.concat(
        [
            labelled(_mean_js(by_name[pair.name], pair.name, resamples, seed), **pair.columns)
            for pair in pairs
        ],
        ignore_index=True,
    )
    finite = np.isfinite(numbers["js"])
    zero = bool((numbers["js"] == 0).any())
    near = bool(numbers["high"].max() > LN2 / 3)
    keys = [
        *_curve_keys(pairs),
        _band_key("95 % interval over examples"),
        *([_reference_key("largest possible, ln 2")] if near else []),
        *([_hollow_key("exactly 0 (foot of the log axis)")] if zero else []),
        *([] if finite.all() else [style.lost_key("not finite")]),
    ]
    caption = (
        f"Jensen–Shannon divergence between the attention of {compared(pairs)}: mean over heads, "
        f"tokens and {counted(numbers['examples'], 'examples')}; 0.69 nats at most. Both "
        "panels show the same numbers, the right one on a logarithmic axis."
        f"{outcome_note(pairs)}"
    )
    page = _sheet(2, Footer(keys, caption), 0.42)
    for axes, logarithmic in zip(page.panels[0], (False, True), strict=True):
        head = _crosses(axes, numbers, "js", pairs)
        if logarithmic:
            bottom = _log_axis(axes, numbers, head, zero)
        else:
            highest = LN2 if near else _highest(numbers, ["js", "high"]) or 0.1
            axes.set_ylim(0, (1.04 if near else 1.06) * highest / (1 - head))
            _round_ticks(axes)
            bottom = 0.0
        if near:
            axes.axhline(LN2, **_reference_line())
        for index, pair in enumerate(pairs):
            rows = numbers[numbers["pair"] == pair.name]
            foot = (rows["js"] == 0) & logarithmic
            _curve(axes, rows, "js", _look(index, pair), layers, bottom, foot, foot)
        _layer_axis(axes, layers, "layer")
        axes.set_ylabel("JS divergence (nats" + (", log axis)" if logarithmic else ")"))
    return page.figure, numbers


@style.paper_style()
def representations_by_layer(
    tables: list[pd.DataFrame], pairs: list[PairTitle], measures: Sequence[str] = HEADLINE
) -> tuple[Figure, pd.DataFrame]:
    """Distance of representations over layers: a panel per measure, a curve per pair of models.

    Parameters
    ----------
    tables : list of DataFrame
        ``representations.parquet`` of each pair: ``layer`` (-1 is the embeddings), ``measure``,
        ``value``, ``low``, ``high``, ``null``, ``null_low``, ``null_high``, ``n``, ``examples``,
        ``underdetermined``, ``few``; in the order of ``pairs``.
    pairs : list of PairTitle
        In the order of the curves.
    measures : sequence of str
        Keys of ``MEASURES``, a panel each.

    Returns
    -------
    figure : Figure
    numbers : DataFrame
        The rows of the tables for these measures, with the pair's name.

    Raises
    ------
    UserError
        If a measure is unknown or not in a table; if a table is missing, empty or lacks a column
        or a layer, or pairs have different layers.

    References
    ----------
    Hao et al. (2020), sections 4 and 5, figures 2, 5 and 7.
    """
    caption = f"Distance between the representations of {compared(pairs)}"
    return _distances(tables, pairs, measures, caption)


@style.paper_style()
def rollback_by_layer(
    tables: list[pd.DataFrame], tasks: list[TaskTitle], measures: Sequence[str] = HEADLINE
) -> tuple[Figure, pd.DataFrame]:
    """Change of the last layer's output when one layer is rolled back, a curve per task.

    Parameters
    ----------
    tables : list of DataFrame
        ``rollback.parquet`` of each task: the columns of ``representations_by_layer``, where
        ``layer`` is the one rolled back to its pre-trained weights and ``value`` the distance of
        the last layer from the fine-tuned model's; in the order of ``tasks``.
    tasks : list of TaskTitle
        In the order of the curves.
    measures : sequence of str
        Keys of ``MEASURES``, a panel each.

    Returns
    -------
    figure : Figure
    numbers : DataFrame
        The rows of the tables for these measures, with the task's name.

    Raises
    ------
    UserError
        As ``representations_by_layer``.

    References
    ----------
    Hao et al. (2020), section 4, figure 3.
    """
    caption = (
        "Distance between the last layer of the fine-tuned model and of the same model with one "
        "layer rolled back to its pre-trained weights"
    )
    return _distances(tables, tasks, measures, caption, "layer rolled back", "\nof the last layer")


def _mean_js(table: pd.DataFrame, name: str, resamples: int, seed: int) -> pd.DataFrame:
    """Means over examples by layer, with intervals."""
    check_examples(table, name)
    js = table.pivot(index="layer", columns="example", values="js")
    values = js.to_numpy(float, copy=True)
    values[~np.isfinite(values)] = np.nan
    low, high = percentile_interval(resampled_means(values, resamples, seed), axis=0)
    means = table.groupby("layer")[["cls", "sep", "other"]].mean()
    return pd.DataFrame(
        {
            "layer": js.index.to_numpy(),
            "examples": values.shape[1],
            "js": values.mean(axis=1),
            "low": low,
            "high": high,
            **{column: means[column].to_numpy() for column in means},
        }
    )


def _distances(
    tables: list[pd.DataFrame],
    titles: Sequence[TaskTitle],
    measures: Sequence[str],
    what: str,
    x: str = "layer",
    of: str = "",
) -> tuple[Figure, pd.DataFrame]:
    """A panel per measure, a curve per pair of models or task."""
    columns = ["layer", "measure", "value", "low", "high", "null", "null_low", "null_high"]
    by_name = by_pair(tables, titles, [*columns, "n", "examples", "underdetermined", "few"])
    chosen = {name: _of_measures(table, name, measures) for name, table in by_name.items()}
    layers = layers_of(chosen)
    own = next(iter(titles[0].columns))
    numbers = pd.concat(
        [
            labelled(table.drop(columns="left_out", errors="ignore"), **title.columns)
            for title, table in zip(titles, chosen.values(), strict=True)
        ],
        ignore_index=True,
    )
    with_intervals = bool(np.isfinite(numbers["low"]).any())
    tops = {m: _top(numbers[numbers["measure"] == m]) for m in measures}
    nulls = bool((numbers["null"] <= numbers["measure"].map(tops)).any())
    vacuous = bool(numbers["underdetermined"].any())
    keys = [
        *_curve_keys(titles),
        *([_band_key("95 % jackknife interval over examples")] if with_intervals else []),
        *([_null_key("unrelated tokens (null)")] if nulls else []),
        *([_hollow_key("fewer tokens than axes: vacuous")] if vacuous else []),
        *([] if np.isfinite(numbers["value"]).all() else [style.lost_key("not finite")]),
    ]
    caption = (
        f"{what}, on {counted(numbers['examples'], 'examples')} "
        f"({counted(numbers['n'], 'tokens')}); 0 is no difference"
        + ("; emb.: the embeddings." if layers[0] < 0 else ".")
        + few_words(titles, chosen)
        + outcome_note(titles)
    )
    page = _sheet(len(measures), Footer(keys, caption), 0.42, 0.15 if of else 0.0)
    panels = [axes for row in page.panels for axes in row if axes is not None]
    for axes, measure in zip(panels, measures, strict=True):
        rows = numbers[numbers["measure"] == measure]
        _distance_panel(axes, rows, own, titles, layers, tops[measure])
        _layer_axis(axes, layers, x)
        axes.set_ylabel(MEASURES[measure] + of)
    return page.figure, numbers


def _of_measures(table: pd.DataFrame, name: str, measures: Sequence[str]) -> pd.DataFrame:
    """Rows of these measures, by measure and layer; each must have the same layers, once."""
    if not measures:
        raise UserError("nothing to draw: no measure was given")
    present = list(dict.fromkeys(table["measure"]))
    parts = []
    for measure in measures:
        if measure not in MEASURES:
            raise UserError(
                f"got measure {measure!r}, allowed are {', '.join(MEASURES)}"
                f"{nearest(measure, MEASURES)}"
            )
        rows = table[table["measure"] == measure].sort_values("layer", ignore_index=True)
        if rows.empty:
            raise UserError(f"the table of {name!r} has no {measure!r}, only {', '.join(present)}")
        if rows["layer"].duplicated().any():
            raise UserError(f"the table of {name!r} has a layer's {measure!r} twice")
        if list(rows["layer"]) != sorted(set(table.loc[table["measure"].isin(measures), "layer"])):
            raise UserError(f"the table of {name!r} lacks the {measure!r} of some layer")
        parts.append(rows)
    return pd.concat(parts, ignore_index=True)


def _top(numbers: pd.DataFrame) -> float:
    """Upper end of a measure's panel: above its curves, and above the null if that is near.

    The null is the distance between unrelated tokens. It may be many times as high as the curves
    (an unbiased CKA's is 1), which would then all be at the foot: a null more than twice as high
    as the curves is not shown.
    """
    curves, null = _highest(numbers, ["value", "high"]), _highest(numbers, ["null", "null_high"])
    return 1.06 * (max(curves, null) if null <= 2 * curves else curves or 1.0)


def _distance_panel(
    axes: Axes,
    numbers: pd.DataFrame,
    own: str,
    pairs: Sequence[TaskTitle],
    layers: range,
    top: float,
) -> None:
    """Curves of one measure with their nulls; a note gives the value of a null above the panel."""
    head = _crosses(axes, numbers, "value", pairs, own)
    highest = _highest(numbers, ["null", "null_high"])
    if highest > top:
        lowest = float(np.nanmin(numbers[["null", "null_low"]].to_numpy(float)))
        axes.annotate(
            f"unrelated tokens (null): {_range(lowest, highest)} ↑",
            (0.03, 1 - head - 0.02),
            xycoords="axes fraction",
            ha="left",
            va="top",
            color=style.GREY,
        )
        head += 0.1
    axes.set_ylim(0, top / (1 - head))
    _round_ticks(axes)
    for index, pair in enumerate(pairs):
        rows = numbers[numbers[own] == pair.name]
        look = _look(index, pair)
        axes.fill_between(
            rows["layer"],
            rows["null_low"],
            rows["null_high"],
            color=style.GREY,
            alpha=0.15,
            linewidth=0,
            zorder=1,
        )
        axes.plot(rows["layer"], rows["null"], **_null_line() | {"color": look["color"]})
        _curve(axes, rows, "value", look, layers, 0.0, rows["underdetermined"].astype(bool))


def _curve(
    axes: Axes,
    rows: pd.DataFrame,
    column: str,
    look: dict,
    layers: range,
    bottom: float,
    hollow: pd.Series,
    apart: pd.Series | None = None,
) -> None:
    """A curve with its band and a mark per layer.

    Values below ``bottom``, the axis's lower end, are drawn there. Marks are hollow where
    ``hollow`` and not joined to their neighbours where ``apart``.
    """
    x = rows["layer"].to_numpy()
    y = np.maximum(rows[column].where(np.isfinite(rows[column])).to_numpy(float), bottom)
    low, high = (np.maximum(rows[end].to_numpy(float), bottom) for end in ("low", "high"))
    joined = np.ones(len(x), bool) if apart is None else ~apart.to_numpy()
    axes.fill_between(
        x, low, high, where=joined, color=look["color"], alpha=0.2, linewidth=0, zorder=2
    )
    line = np.where(joined, y, np.nan)
    axes.plot(x, line, color=look["color"], linestyle=look["linestyle"], zorder=3)
    size = _mark_size(axes, layers)
    for where, face in ((~hollow, look["color"]), (hollow, "white")):
        where = where.to_numpy() & np.isfinite(y)
        if not where.any():
            continue
        axes.plot(
            x[where],
            y[where],
            linestyle="none",
            marker=look["marker"],
            markersize=size,
            color=look["color"],
            markerfacecolor=face,
            markeredgecolor="white" if face != "white" else look["color"],
            markeredgewidth=0.4 if face != "white" else 0.9,
            zorder=4,
            clip_on=False,
        )


def _mark_size(axes: Axes, layers: range) -> float:
    """Points; marks of neighbouring layers never touch."""
    width = 72 * axes.get_position().width * axes.figure.get_size_inches()[0]
    return float(np.clip(0.5 * width / len(layers), 2.4, 4.2))


def _crosses(
    axes: Axes, numbers: pd.DataFrame, column: str, pairs: Sequence[TaskTitle], own: str = "pair"
) -> float:
    """Crosses along the top where a value is not finite, a line of them per pair.

    Returns the share of the panel's height that they take.
    """
    lines = 0
    for index, pair in enumerate(pairs):
        rows = numbers[numbers[own] == pair.name]
        lost = rows[~np.isfinite(rows[column])]
        if len(lost):
            axes.plot(
                lost["layer"],
                np.full(len(lost), 0.97 - 0.04 * lines),
                transform=axes.get_xaxis_transform(),
                color=_look(index, pair)["color"],
                marker="x",
                markersize=4,
                linestyle="none",
                zorder=4,
            )
            lines += 1
    return 0.04 * lines + 0.02 if lines else 0.0


def _log_axis(axes: Axes, numbers: pd.DataFrame, head: float, zero: bool) -> float:
    """Logarithmic axis around the values; returns its lower end.

    The share ``head`` of its height stays free at the top; with ``zero``, some values are 0 and
    are drawn at the lower end, below all others.
    """
    low, high = scales.log_ends(numbers[["js", "low", "high"]].to_numpy(float))
    foot = low / 3 if zero else low
    axes.set_yscale("log")
    axes.set_ylim(foot, foot * (high / foot) ** (1 / (1 - head)))
    axes.yaxis.set_major_locator(FixedLocator(scales.log_ticks(low, high)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: scales.log_text(value)))
    axes.yaxis.set_minor_locator(NullLocator())
    _grid(axes)
    return foot


def _round_ticks(axes: Axes) -> None:
    axes.yaxis.set_major_locator(MaxNLocator(nbins=5, steps=[1, 2, 5, 10]))
    _grid(axes)


def _grid(axes: Axes) -> None:
    axes.grid(axis="y", color="#E4E4E4", linewidth=0.5)
    axes.set_axisbelow(True)


def _layer_axis(axes: Axes, layers: range, label: str) -> None:
    axes.set_xlim(layers[0] - 0.5, layers[-1] + 0.5)
    room = axes.get_position().width * axes.figure.get_size_inches()[0]
    set_ticks(axes.xaxis, layers, room)
    axes.set_xlabel(label)
    axes.spines[["top", "right"]].set_visible(False)


def _sheet(count: int, footer: Footer, foot: float, more: float = 0.0) -> Sheet:
    """``count`` panels, at most two side by side; ``more`` inches left of each for its label."""
    blocks, columns = blocks_of(count, most=2)
    frame = {**FRAME, "left": FRAME["left"] + more, "gap": 0.58 + more}
    return sheet(
        columns,
        heads=[0.1] * blocks,
        feet=[foot] * blocks,
        footer=footer,
        aspect=0.8,
        present=[
            [block * columns + column < count for column in range(columns)]
            for block in range(blocks)
        ],
        narrowest=4.4,
        **frame,
    )


def _highest(numbers: pd.DataFrame, columns: list[str]) -> float:
    values = numbers[columns].to_numpy(float)
    return float(values[np.isfinite(values)].max(initial=0.0))


def _range(low: float, high: float) -> str:
    words = f"{low:.2f}", f"{high:.2f}"
    return words[0] if words[0] == words[1] else "–".join(words)


def _curve_keys(titles: Sequence[TaskTitle]) -> list[Line2D]:
    return [
        Line2D(
            [],
            [],
            markersize=4,
            markeredgecolor="white",
            markeredgewidth=0.4,
            label=title.heading.replace("\n", " "),
            **_look(index, title),
        )
        for index, title in enumerate(titles)
    ]


def _look(index: int, title: TaskTitle) -> dict:
    """Colour, dash and marker of a curve: those of its task, or else of its place in the panel."""
    return style.curve_look(index if title.place is None else title.place)


def _band_key(label: str) -> Patch:
    return Patch(facecolor=style.GREY, alpha=0.25, linewidth=0, label=label)


def _hollow_key(label: str) -> Line2D:
    return Line2D(
        [],
        [],
        color=style.GREY,
        marker="o",
        markersize=4,
        markerfacecolor="white",
        markeredgewidth=0.9,
        linestyle="none",
        label=label,
    )


def _reference_line() -> dict:
    return {"color": style.GREY, "linewidth": 0.8, "linestyle": (0, (1, 1.5)), "zorder": 0.5}


def _reference_key(label: str) -> Line2D:
    return Line2D([], [], label=label, **_reference_line())


def _null_line() -> dict:
    return {"color": style.GREY, "linewidth": 0.9, "linestyle": (0, (1, 1.3)), "zorder": 1.5}


def _null_key(label: str) -> Line2D:
    return Line2D([], [], label=label, **_null_line())
