"""A seeded part of a table."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from workflow_scripts.common.errors import UserError
from workflow_scripts.data.grammars.draw import Draw


def subset(
    table: pd.DataFrame, size: int | None, seed: int, split: str, where: object
) -> pd.DataFrame:
    """Draw rows without replacement and keep their order.

    Classes are as frequent as chance has it. The draw depends on the seed, the split and the
    number of rows alone.

    Parameters
    ----------
    table : DataFrame
        All rows.
    size : int or None
        Number of rows to draw; None takes all.
    seed : int
        Any integer.
    split : str
        "train" or "dev".
    where : object
        Begins a message.

    Raises
    ------
    UserError
        If the table has fewer rows.
    """
    if size is None:
        return table
    if size > len(table):
        raise UserError(f"{where}: {split} asks for {size} examples, there are {len(table)}")
    rows = Draw("tunescape subset", split, seed).sample(range(len(table)), size)
    return _rows(table, rows)


def with_every_class(
    chosen: pd.DataFrame, table: pd.DataFrame, seed: int, split: str
) -> pd.DataFrame:
    """A subset as large as ``chosen`` that lacks no class, where there is one.

    Parameters
    ----------
    chosen : DataFrame
        Of ``subset``. It is returned as it is if it has every class of ``table``, or fewer rows
        than there are classes.
    table : DataFrame
        All rows, with a column ``label``.
    seed, split
        As in ``subset``.

    Returns
    -------
    DataFrame
        ``chosen`` or a stratified draw: each class has one row, and its share of the others.
    """
    classes = table["label"].nunique()
    if chosen["label"].nunique() == classes or len(chosen) < classes:
        return chosen
    return _rows(table, stratified(table["label"], len(chosen), seed, split))


def stratified(labels: pd.Series, size: int, seed: int, split: str) -> list[int]:
    """Rows of a subset in which each class has one row, and its share of the others.

    Parameters
    ----------
    labels : Series of shape (N,)
        Of all rows.
    size : int
        Number of rows to draw; as many as there are classes, or more.
    seed, split
        As in ``subset``.

    Returns
    -------
    list of int
        Places in ``labels``, increasing.
    """
    counts = labels.value_counts().sort_index()
    draw = Draw("tunescape stratified subset", split, seed)
    rows: list[int] = []
    for label, quota in zip(counts.index, _quotas(counts.to_numpy(), size), strict=True):
        rows += draw.sample(np.flatnonzero(labels == label).tolist(), int(quota))
    return sorted(rows)


def _quotas(counts: np.ndarray, size: int) -> np.ndarray:
    """How many rows of each class to draw: one, and by largest remainder of its other rows."""
    others = counts - 1
    exact = (size - len(counts)) * others / max(others.sum(), 1)
    quotas = np.floor(exact).astype(int)
    order = np.argsort(quotas - exact, kind="stable")
    quotas[order[: size - len(counts) - quotas.sum()]] += 1
    return quotas + 1


def _rows(table: pd.DataFrame, rows: Sequence[int]) -> pd.DataFrame:
    return table.iloc[sorted(rows)].reset_index(drop=True)
