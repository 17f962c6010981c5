"""Tables, layers and words of the pairs of models that figures compare."""

from collections.abc import Sequence
from itertools import pairwise

import pandas as pd
from matplotlib.axis import Axis

from workflow_scripts.common.errors import UserError
from workflow_scripts.common.titles import COMPARISONS, PairTitle, TaskTitle
from workflow_scripts.figures.layout import text_width

EMBEDDINGS = -1  # number of the embeddings' output among the layers


def by_pair(
    tables: list[pd.DataFrame], pairs: Sequence[TaskTitle], columns: Sequence[str]
) -> dict[str, pd.DataFrame]:
    """Tables by the name of their pair.

    Parameters
    ----------
    tables : list of DataFrame
        One per pair, in the same order.
    pairs : sequence of TaskTitle
        Pairs of models, or tasks.
    columns : sequence of str
        What every table must have.

    Returns
    -------
    dict of str to DataFrame

    Raises
    ------
    UserError
        If there are not as many tables as pairs, a table is empty or lacks a column, or a name
        comes twice.
    """
    if not pairs:
        raise UserError("nothing to draw: no pair was given")
    if len(tables) != len(pairs):
        raise UserError(f"{len(pairs)} pairs need a table each, got {len(tables)} tables")
    by_name: dict[str, pd.DataFrame] = {}
    for table, pair in zip(tables, pairs, strict=True):
        name = pair.name
        if name in by_name:
            raise UserError(f"the pair {name!r} was given twice")
        lacking = [column for column in columns if column not in table]
        if lacking:
            raise UserError(f"the table of {name!r} has no column {lacking[0]!r}")
        if table.empty:
            raise UserError(f"the table of {name!r} is empty")
        by_name[name] = table
    return by_name


def layers_of(tables: dict[str, pd.DataFrame], column: str = "layer") -> range:
    """Layers that all tables have; the embeddings, where present, are -1.

    Parameters
    ----------
    tables : dict of str to DataFrame
        By the name of their pair.
    column : str
        Of the layers.

    Returns
    -------
    range

    Raises
    ------
    UserError
        If a table lacks a layer below its last, or two have different layers.
    """
    by_name = {name: sorted(set(table[column].astype(int))) for name, table in tables.items()}
    for name, layers in by_name.items():
        lacking = sorted(set(range(min(layers[0], 0), layers[-1] + 1)) - set(layers))
        if layers[0] < EMBEDDINGS or lacking:
            wrong = f"lacks layer {lacking[0]}" if lacking else f"has a layer {layers[0]}"
            raise UserError(f"the table of {name!r} {wrong}")
    first, *others = by_name.items()
    for name, layers in others:
        if layers != first[1]:
            raise UserError(
                "pairs of one figure need the same layers, got "
                f"{_span(first[1])} for {first[0]!r} and {_span(layers)} for {name!r}"
            )
    return range(first[1][0], first[1][-1] + 1)


def check_examples(table: pd.DataFrame, name: str) -> None:
    """Raise unless every example has every layer once.

    Parameters
    ----------
    table : DataFrame
        With ``example`` and ``layer``.
    name : str
        Of the table's pair.

    Raises
    ------
    UserError
        If an example's layer is missing or comes twice.
    """
    if table.duplicated(["example", "layer"]).any():
        raise UserError(f"the table of {name!r} has an example's layer twice")
    if len(table) != table["example"].nunique() * table["layer"].nunique():
        raise UserError(f"the table of {name!r} lacks a layer of some example")


def compared(pairs: list[PairTitle]) -> str:
    """What the models of these pairs are, in words."""
    kinds = {pair.comparison for pair in pairs}
    return "; or of ".join(words for kind, words in COMPARISONS.items() if kind in kinds)


def few_words(pairs: Sequence[TaskTitle], tables: dict[str, pd.DataFrame]) -> str:
    """Sentence for a caption that names the pairs with few tokens; empty if there are none.

    Parameters
    ----------
    pairs : sequence of TaskTitle
        Pairs of models, or tasks.
    tables : dict of str to DataFrame
        By the name of the pair, with ``few``.

    Returns
    -------
    str
        After a space.
    """
    few = [pair.title for pair in pairs if tables[pair.name]["few"].any()]
    if not few:
        return ""
    which = "" if len(few) == len(pairs) else f": {', '.join(few)}"
    return f" Fewer than ten tokens per dimension, so that values are biased{which}."


def counted(counts: pd.Series, noun: str) -> str:
    """``400 examples``, or ``277 to 9,815 examples`` where the pairs differ."""
    low, high = int(counts.min()), int(counts.max())
    return f"{low:,} {noun}" if low == high else f"{low:,} to {high:,} {noun}"


def layer_name(layer: int) -> str:
    """Tick label of a layer; the embeddings come before layer 0."""
    return "emb." if layer == EMBEDDINGS else str(layer)


def set_ticks(
    axis: Axis, numbers: range, room: float, upright: bool = False, embeddings: str = "emb."
) -> None:
    """Label layers or heads on an axis: all of them, or every second, third ... to keep room.

    Parameters
    ----------
    axis : Axis
        To label.
    numbers : range
        Of the layers or heads, one unit of the axis apart.
    room : float
        Length of the axis, inches.
    upright : bool
        Whether the axis is vertical.
    embeddings : str
        Label of the embeddings.
    """
    unit = room / len(numbers)
    names = {n: embeddings if n == EMBEDDINGS else layer_name(n) for n in numbers}
    size = {n: 0.1 if upright else text_width(name) + 0.06 for n, name in names.items()}
    for step in (1, 2, 3, 4, 5, 6, 8, 10, 12, 20, 50):
        ticks = [n for n in numbers if n >= 0 and n % step == 0]
        if all((b - a) * unit >= (size[a] + size[b]) / 2 for a, b in pairwise(ticks)):
            break
    if EMBEDDINGS in numbers:
        # The embeddings are always labelled; the layers next to them where there is room.
        far = [n for n in ticks if (n + 1) * unit >= (size[EMBEDDINGS] + size[n]) / 2]
        ticks = [EMBEDDINGS, *far]
    axis.set_ticks(ticks, labels=[names[n] for n in ticks])


def _span(layers: list[int]) -> str:
    return f"{layer_name(layers[0])} to {layers[-1]}"
