"""Data inside a page: JSON, compressed, in base64, in a block that no browser executes."""

import base64
import gzip
import json
import re
from collections.abc import Mapping
from math import isfinite, isnan
from typing import Any

import pandas as pd

from workflow_scripts.common.errors import UserError

DATA = "data"  # id of the block with the page's data


def compressed(text: str) -> str:
    """A text, compressed, in base64; the same text gives the same characters."""
    return base64.b64encode(gzip.compress(text.encode(), compresslevel=9, mtime=0)).decode()


def embedded(page: str, name: str = DATA) -> Any:
    """What a block of a page holds.

    Parameters
    ----------
    page : str
        HTML.
    name : str
        The ``id`` of the block.

    Raises
    ------
    UserError
        If the page has no such block, or it is damaged.
    """
    block = re.search(rf'<script id="{name}" [^>]*>([^<]*)</script>', page)
    if block is None:
        raise UserError(f"the page has no block {name!r}: expected an atlas of this version")
    try:
        return json.loads(gzip.decompress(base64.b64decode(block[1], validate=True)))
    except (ValueError, EOFError, OSError) as error:
        raise UserError(f"block {name!r} of the page is damaged ({error})") from None


def as_columns(table: pd.DataFrame, digits: int | None = None) -> dict[str, list[Any]]:
    """A table as JSON has it.

    Parameters
    ----------
    table : DataFrame
        Of numbers, texts and truth values.
    digits : int, optional
        Significant digits of numbers that are no integers; all of them without it.

    Returns
    -------
    dict of str to list
        Values by column: None where one is missing, ``"Infinity"`` and ``"-Infinity"``.
    """

    def plain(value: Any) -> Any:
        value = value.item() if hasattr(value, "item") else value
        if not isinstance(value, float):
            return None if value is None or value is pd.NA else value
        if not isfinite(value):
            return None if isnan(value) else ("Infinity" if value > 0 else "-Infinity")
        rounded = value if digits is None else float(f"{value:.{digits}g}")
        return int(rounded) if rounded.is_integer() and abs(rounded) < 1e15 else rounded

    return {str(name): [plain(value) for value in table[name]] for name in table}


def as_table(columns: Mapping[str, list[Any]]) -> pd.DataFrame:
    """The table that ``as_columns`` was given; a column without text or truth values is floats.

    Parameters
    ----------
    columns : mapping of str to list
        Values by column.
    """
    ends = {"Infinity": float("inf"), "-Infinity": float("-inf")}

    def series(values: list[Any]) -> pd.Series:
        values = [ends.get(value, value) if isinstance(value, str) else value for value in values]
        texts = any(isinstance(value, (str, bool)) for value in values)
        return pd.Series(values, dtype=object if texts else float)

    return pd.DataFrame({name: series(values) for name, values in columns.items()})
