"""Maps of attention by layer and head, and of representations by layer and layer."""

from collections.abc import Callable
from dataclasses import dataclass

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Patch, PathPatch
from matplotlib.path import Path

from workflow_scripts.common.errors import UserError, nearest
from workflow_scripts.common.titles import COMPARISONS, PairTitle
from workflow_scripts.figures import scales, style
from workflow_scripts.figures.inputs import labelled
from workflow_scripts.figures.layout import (
    Footer,
    Sheet,
    blocks_of,
    broken_titles,
    head_height,
    set_title,
    sheet,
    width_of_panels,
    wrap,
)
from workflow_scripts.figures.maps import line_colour, plain_bar
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

FRAME = {"left": 0.58, "bar": 0.98, "widest": 1.75}
LOWEST = 1.2  # inches, least height of a single row of panels: room for the colour bar's label
DECADES = 5  # of a logarithmic colour scale at most; smaller values have the lowest colour
UNCHANGED = 0.02  # share of the heads, those that change least, that its scale need not reach


@dataclass(frozen=True)
class Measure:
    """What a matrix of layers shows.

    Attributes
    ----------
    column : str
        Of ``layers.parquet``.
    colours : str
        Name of the colour map; darker is more similar.
    label : str
        Of the colour bar.
    words : str
        In the caption.
    same : float
        Value for two layers that are the same up to the measure's invariances, 0 or 1.
    """

    column: str
    colours: str
    label: str
    words: str
    same: float


MEASURES = {
    "svcca": Measure("svcca", style.DISTANCE_MAP, "SVCCA distance", "SVCCA distance", 0.0),
    "cka": Measure("cka", style.SIMILARITY_MAP, "linear CKA", "Linear CKA", 1.0),
    "cka_unbiased": Measure(
        "cka_unbiased", style.SIMILARITY_MAP, "unbiased linear CKA", "Unbiased linear CKA", 1.0
    ),
}


@style.paper_style()
def attention_by_head(
    tables: list[pd.DataFrame], pairs: list[PairTitle]
) -> tuple[Figure, pd.DataFrame]:
    """JS divergence of attention of every layer (rows, the last on top) and head (columns).

    A panel per pair, on one logarithmic colour scale; each kind of comparison begins a new row of
    panels. A divergence of 0 has the lowest colour.

    Parameters
    ----------
    tables : list of DataFrame
        ``attention.parquet`` of each pair: ``example``, ``layer``, ``heads`` (nats, a number per
        head); in the order of ``pairs``.
    pairs : list of PairTitle
        In the order of the panels of a comparison.

    Returns
    -------
    figure : Figure
    numbers : DataFrame
        A row per pair, layer and head with ``js`` (nats, mean over examples; NaN where an example
        is not finite) and ``examples``.

    Raises
    ------
    UserError
        If a table is missing, empty or lacks a column, or pairs have different layers or numbers
        of heads.

    References
    ----------
    Hao et al. (2020), section 3, before the mean over heads.
    """
    by_name = by_pair(tables, pairs, ["example", "layer", "heads"])
    layers = layers_of(by_name)
    means = {name: _mean_heads(table, name) for name, table in by_name.items()}
    counts = {name: values.shape[1] for name, values in means.items()}
    if len(set(counts.values())) > 1:
        words = ", ".join(f"{count} for {name!r}" for name, count in counts.items())
        raise UserError(f"pairs of one figure need the same number of heads, got {words}")
    heads = range(next(iter(counts.values())))
    numbers = pd.concat(
        [
            labelled(
                pd.DataFrame(
                    {
                        "layer": np.repeat(layers, len(heads)),
                        "head": np.tile(heads, len(layers)),
                        "js": means[pair.name].ravel(),
                        "examples": by_name[pair.name]["example"].nunique(),
                    }
                ),
                **pair.columns,
            )
            for pair in pairs
        ],
        ignore_index=True,
    )
    values = numbers["js"].to_numpy(float)
    scale = LogNorm(*scales.log_ends(values, DECADES, UNCHANGED))
    lost = bool(np.isnan(values).any())
    caption = (
        f"Jensen–Shannon divergence between the attention of {compared(pairs)}: mean over tokens "
        f"and {counted(numbers['examples'], 'examples')}, on one logarithmic colour scale: the "
        "lighter, the more a head's attention differs."
        f"{outcome_note(pairs)}"
    )
    page = _sheet(
        pairs,
        Footer([style.missing_key()] if lost else [], caption),
        len(layers) / len(heads),
        lambda _: ("head", "layer"),
    )
    for pair, axes in page.panels.items():
        _cells(axes, heads, layers, means[pair], style.DIVERGENCE_MAP, scale)
    below = bool((values < scale.vmin).any())
    plain_bar(
        page.bar,
        style.DIVERGENCE_MAP,
        scale,
        "JS divergence (nats)",
        {tick: scales.log_text(tick) for tick in scales.log_ticks(scale.vmin, scale.vmax)},
        "min" if below else "neither",
    )
    return page.figure, numbers


@style.paper_style()
def layers_by_layers(
    tables: list[pd.DataFrame], pairs: list[PairTitle], measure: str
) -> tuple[Figure, pd.DataFrame]:
    """Similarity of every layer of one model (rows, the last on top) and of the other (columns).

    A panel per pair, on one colour scale on which darker is more similar; each kind of comparison
    begins a new row of panels. Cells with fewer tokens than axes are hatched: their SVCCA distance
    is too small whatever the layers represent.

    Parameters
    ----------
    tables : list of DataFrame
        ``layers.parquet`` of each pair: ``first``, ``second`` (layers of the two models; -1 is the
        embeddings), the measure's column, ``n``, ``underdetermined``, ``few``; in the order of
        ``pairs``.
    pairs : list of PairTitle
        In the order of the panels of a comparison.
    measure : str
        Key of ``MEASURES``.

    Returns
    -------
    figure : Figure
    numbers : DataFrame
        The rows of the tables, with the pair's name.

    Raises
    ------
    UserError
        If the measure is unknown; if a table is missing, empty, lacks a column or a pair of
        layers, or pairs have different layers.
    """
    if measure not in MEASURES:
        raise UserError(
            f"got measure {measure!r}, allowed are {', '.join(MEASURES)}"
            f"{nearest(measure, MEASURES)}"
        )
    shown = MEASURES[measure]
    by_name = by_pair(
        tables, pairs, ["first", "second", shown.column, "n", "underdetermined", "few"]
    )
    layers = layers_of(by_name, "first")
    if layers_of(by_name, "second") != layers:
        raise UserError("the two models of a pair need the same layers")
    matrices = {name: _matrix(table, name, shown.column) for name, table in by_name.items()}
    numbers = pd.concat(
        [labelled(by_name[pair.name], **pair.columns) for pair in pairs], ignore_index=True
    )
    values = np.stack(list(matrices.values()))
    scale = scales.tenths(values, shown.same)
    # Only what depends on the number of axes kept is vacuous where the tokens are fewer.
    vacuous = {
        name: _matrix(table, name, "underdetermined") > 0 if measure == "svcca" else None
        for name, table in by_name.items()
    }
    hatched = any(cells is not None and cells.any() for cells in vacuous.values())
    keys = [
        *([_vacuous_key()] if hatched else []),
        *([style.missing_key()] if np.isnan(values).any() else []),
    ]
    caption = (
        f"{shown.words} between the layers of {compared(pairs)} "
        f"({counted(numbers['n'], 'tokens')}); darker is more similar"
        + ("; E: the embeddings." if layers[0] < 0 else ".")
        + few_words(pairs, by_name)
        + outcome_note(pairs)
    )
    page = _sheet(
        pairs,
        Footer(keys, caption),
        1.0,
        lambda pair: (f"layer ({pair.second})", f"layer ({pair.first})"),
    )
    for pair, axes in page.panels.items():
        _cells(axes, layers, layers, matrices[pair], shown.colours, scale)
        if vacuous[pair] is not None:
            _hatch(axes, layers, matrices[pair], vacuous[pair], shown.colours, scale)
    ticks = scales.tenth_ticks(scale)
    plain_bar(page.bar, shown.colours, scale, shown.label, {t: f"{t:g}" for t in ticks})
    return page.figure, numbers


def _mean_heads(table: pd.DataFrame, name: str) -> np.ndarray:
    """Means over examples, [L, H]."""
    sizes = table["heads"].map(len)
    if sizes.nunique() > 1:
        raise UserError(
            f"the table of {name!r} has {sizes.min()} to {sizes.max()} heads, not one number"
        )
    check_examples(table, name)
    table = table.sort_values(["layer", "example"])
    values = np.array(table["heads"].tolist(), dtype=float)
    values[~np.isfinite(values)] = np.nan
    return values.reshape(table["layer"].nunique(), -1, values.shape[1]).mean(axis=1)


def _matrix(table: pd.DataFrame, name: str, column: str) -> np.ndarray:
    """[first, second]; NaN where it is not finite."""
    if table.duplicated(["first", "second"]).any():
        raise UserError(f"the table of {name!r} has a pair of layers twice")
    matrix = table.pivot(index="first", columns="second", values=column)
    if len(table) != matrix.size:
        raise UserError(f"the table of {name!r} lacks a pair of layers")
    values = matrix.to_numpy(float)
    return np.where(np.isfinite(values), values, np.nan)


def _cells(
    axes: Axes, columns: range, rows: range, values: np.ndarray, colours: str, scale: Normalize
) -> None:
    """A rectangle per value, ``[rows, columns]``; the first row is the lowest."""
    axes.set_facecolor(style.MISSING_FACE)
    lost = np.isnan(values)
    if lost.any():
        _add(axes, columns, rows, lost, "/////", style.MISSING_EDGE)
    axes.pcolormesh(
        np.arange(columns[0], columns[-1] + 2) - 0.5,
        np.arange(rows[0], rows[-1] + 2) - 0.5,
        # Zero has no logarithm, but a colour.
        np.ma.masked_invalid(np.clip(values, scale.vmin, scale.vmax)),
        cmap=colours,
        norm=scale,
        # Hairlines of the fill's own colour close the seams that viewers leave between cells.
        edgecolor="face",
        linewidth=0.2,
    )
    axes.set_xlim(columns[0] - 0.5, columns[-1] + 0.5)
    axes.set_ylim(rows[0] - 0.5, rows[-1] + 0.5)
    wide, high = axes.figure.get_size_inches() * axes.get_position().size
    set_ticks(axes.xaxis, columns, wide, embeddings="E")
    set_ticks(axes.yaxis, rows, high, upright=True, embeddings="E")


def _hatch(
    axes: Axes,
    layers: range,
    values: np.ndarray,
    where: np.ndarray,
    colours: str,
    scale: Normalize,
) -> None:
    """Hatch cells in white or black, whichever is visible on the cell's colour."""
    edge = np.array(
        [[line_colour(v, colours, scale) if np.isfinite(v) else "" for v in row] for row in values]
    )
    for colour in ("white", "black"):
        if (where & (edge == colour)).any():
            _add(axes, layers, layers, where & (edge == colour), "\\\\\\\\\\", colour)


def _add(
    axes: Axes, columns: range, rows: range, where: np.ndarray, hatch: str, colour: str
) -> None:
    """One hatched patch over all the cells ``where``."""
    boxes = [
        Path.unit_rectangle().transformed(
            matplotlib.transforms.Affine2D().translate(columns[c] - 0.5, rows[r] - 0.5)
        )
        for r, c in zip(*np.nonzero(where), strict=True)
    ]
    axes.add_patch(
        PathPatch(
            Path.make_compound_path(*boxes),
            facecolor="none",
            edgecolor=colour,
            hatch=hatch,
            linewidth=0,
            zorder=2,
        )
    )


@dataclass(frozen=True)
class _Page:
    figure: Figure
    panels: dict[str, Axes]  # by the name of the pair
    bar: Axes


def _sheet(
    pairs: list[PairTitle],
    footer: Footer,
    aspect: float,
    names: Callable[[PairTitle], tuple[str, str]],
) -> _Page:
    """A panel per pair with its title and the ``names`` of its axes (x, y); rows by comparison.

    ``aspect`` is the height over the width of a panel with square cells.
    """
    rows: list[list[PairTitle]] = []
    for comparison in COMPARISONS:
        group = [pair for pair in pairs if pair.comparison == comparison]
        if group:
            _, columns = blocks_of(len(group))
            rows += [group[first : first + columns] for first in range(0, len(group), columns)]
    columns = max(len(row) for row in rows)
    # A panel has no name of its y axis if it is that of the panel to the left.
    apart = any(names(pair)[1] != names(row[0])[1] for row in rows for pair in row)
    frame = {**FRAME, "gap": 0.32 if apart else 0.16}
    width = width_of_panels(columns, **frame)
    # Panels of a model with few layers, too, have room for names and for the bar's label.
    least = max(0.62, LOWEST / width) if len(rows) == 1 else 0.62
    aspect = float(np.clip(aspect, least, 1.7))
    titles = [[_title(pair, width) for pair in row] for row in rows]
    page: Sheet = sheet(
        columns,
        heads=[head_height(lines) for lines in titles],
        feet=[0.4] * len(rows),
        footer=footer,
        aspect=aspect,
        present=[[column < len(row) for column in range(columns)] for row in rows],
        narrowest=3.3,
        **frame,
    )
    panels = {}
    for r, row in enumerate(rows):
        for c, pair in enumerate(row):
            axes = panels[pair.name] = page.panels[r][c]
            below, beside = names(pair)
            set_title(axes, titles[r][c])
            axes.set_xlabel(_one_line(below, width + 0.1))
            axes.tick_params(labelleft=c == 0)
            if c == 0 or beside != names(row[0])[1]:
                axes.set_ylabel(_one_line(beside, width * aspect + 0.1))
    return _Page(page.figure, panels, page.bar)


def _title(pair: PairTitle, width: float) -> list[str]:
    """Title of a pair in lines, broken at the dash between two names if necessary."""
    title = pair.heading
    (lines,) = broken_titles([title], width)
    if "–" in title and any(line.endswith("…") for line in lines):
        (lines,) = broken_titles([title.replace("–", "–\n")], width)
    return lines


def _one_line(label: str, width: float) -> str:
    """The label of an axis, cut where it is longer than ``width`` inches."""
    lines = wrap(label, width, style.MEDIUM)
    return lines[0] if len(lines) == 1 else f"{lines[0]}…"


def _vacuous_key() -> Patch:
    return Patch(
        facecolor="white",
        edgecolor="black",
        hatch="\\\\\\\\\\",
        linewidth=0,
        label="fewer tokens than axes: vacuous",
    )
