"""From the rows of a table to examples: one or two texts and a label, each checked.

Imported while the workflow is planned: only the standard library at the top. The job checks all
rows in the same way.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import date, time
from decimal import Decimal
from numbers import Number
from typing import Any

from workflow_scripts.common.errors import UserError, listed, nearest
from workflow_scripts.data.table_files import Table

# Columns that hold the text, by the names data sets use; pairs before singles.
TEXT_NAMES = (
    ("sentence1", "sentence2"),
    ("premise", "hypothesis"),
    ("question1", "question2"),
    ("text1", "text2"),
    ("question", "sentence"),
    ("sentence",),
    ("text",),
)
# What to do with rows that have no label.
UNLABELED = ("refuse", "drop")
# A column with more fractions than this holds measurements, not classes.
MOST_FRACTIONS = 20

_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?")
_SCALARS = (str, bytes, Number, date, time)
_KINDS = {"list": "a list", "tuple": "a list", "dict": "an object", "set": "a set"}


@dataclass(frozen=True)
class Examples:
    """The examples of one split.

    Parameters
    ----------
    place : str
        File, or data set and split: what messages begin with.
    columns : tuple of str
        Names of the one or two text columns.
    texts : list of list of str
        The texts of each of ``columns``.
    labels : list of str
        As they were written; ``classes`` says which spellings are one class.
    whole : bool
        Whether these are all examples.
    rows : int or None
        Number of rows of the whole table; None if it is not known.
    unlabeled : int
        Rows that were dropped because they have no label.
    """

    place: str
    columns: tuple[str, ...]
    texts: list[list[str]]
    labels: list[str]
    whole: bool
    rows: int | None
    unlabeled: int

    def __len__(self) -> int:
        return len(self.labels)


def examples_of(
    table: Table, label: str, text: Sequence[str] | None = None, unlabeled: str = "refuse"
) -> Examples:
    """Read the examples of a table.

    Parameters
    ----------
    table : Table
        Its rows.
    label : str
        Column that holds the label.
    text : sequence of str, optional
        The one or two columns that hold the text; by default those of ``TEXT_NAMES``.
    unlabeled : {"refuse", "drop"}
        What to do with rows without a label. An empty field has none; if rows are dropped,
        neither have -1 and "-", by which some data sets say so, and which are classes otherwise.

    Raises
    ------
    UserError
        If a column is missing, a text or label is missing, a list or an object, bytes that are
        not UTF-8, or half a surrogate pair; if no row is left.
    """
    if unlabeled not in UNLABELED:
        raise UserError(
            f"unlabeled: got {unlabeled!r}, allowed: {', '.join(UNLABELED)}"
            f"{nearest(unlabeled, UNLABELED)}"
        )
    label_column(table, label)
    columns = text_columns(table, text)
    if table.rows == 0:
        raise UserError(f"{table.place}: has no rows")
    labels = _strings(table, label, _label, "one label a row")
    numbers: Sequence[int] = table.numbers
    if unlabeled == "drop":
        labels = [None if _marks_no_label(name) else name for name in labels]
    else:
        _check_present(
            table, numbers, label, labels, "label", "; `unlabeled: drop` leaves such rows out"
        )
    kept = [i for i, name in enumerate(labels) if name is not None]
    if not kept and table.whole:
        raise UserError(f"{table.place}: no row has a label in column {label!r}")
    numbers = [numbers[i] for i in kept]
    texts = []
    for name in columns:
        strings = _strings(table, name, _text, "text")
        strings = strings if len(kept) == len(labels) else [strings[i] for i in kept]
        _check_present(table, numbers, name, strings, "text")
        texts.append(strings)
    return Examples(
        place=table.place,
        columns=columns,
        texts=texts,
        labels=[labels[i] for i in kept],
        whole=table.whole,
        rows=table.rows,
        unlabeled=len(labels) - len(kept),
    )


def label_column(table: Table, label: str) -> None:
    """Check that the label's column is there, once."""
    _check_column(table, label, "label")


def text_columns(table: Table, text: Sequence[str] | None = None) -> tuple[str, ...]:
    """Names of the one or two columns that hold the text, each there once.

    Raises
    ------
    UserError
        If one of ``text`` is missing or, without it, none of ``TEXT_NAMES`` is complete.
    """
    usual = (names for names in TEXT_NAMES if set(names) <= set(table.columns))
    columns = tuple(text) if text else next(usual, ())
    for name in columns:
        _check_column(table, name, "text")
    if columns:
        return columns
    known = ", ".join("+".join(names) for names in TEXT_NAMES)
    raise UserError(
        f"{table.place}: no text column; its columns are {listed(table.columns)}, "
        f"known names: {known} (others go under `text`)"
    )


def _check_column(table: Table, name: str, what: str) -> None:
    count = list(table.columns).count(name)
    if count == 0:
        raise UserError(
            f"{table.place}: no {what} column {name!r}; its columns are {listed(table.columns)}"
            f"{table.hint or nearest(name, table.columns) or f'; another goes under `{what}`'}"
        )
    if count > 1:
        raise UserError(f"{table.place}: has two columns {name!r}; rename one of them")


def _strings(
    table: Table, name: str, convert: Callable[[Any], str | None], expected: str
) -> list[str | None]:
    """A column's values as strings; None for missing ones."""
    values = table.column(name)
    kinds = {kind for kind in set(map(type, values)) if not issubclass(kind, _SCALARS)}
    if kinds - {type(None)}:
        number, kind = next(
            (number, type(value).__name__)
            for number, value in zip(table.numbers, values, strict=True)
            if value is not None and type(value) in kinds
        )
        raise UserError(
            f"{table.place}: {table.unit} {number}: column {name!r} holds "
            f"{_KINDS.get(kind, kind)}, expected {expected}"
        )
    try:
        strings = list(map(convert, values))
        "\n".join(filter(None, strings)).encode()
        return strings
    except UnicodeError:
        for number, value in zip(table.numbers, values, strict=True):
            _check_unicode(value, convert, f"{table.place}: {table.unit} {number}: column {name!r}")
        raise


def _check_unicode(value: Any, convert: Callable[[Any], str | None], where: str) -> None:
    try:
        (convert(value) or "").encode()
    except UnicodeDecodeError:
        raise UserError(f"{where} holds bytes that are not UTF-8") from None
    except UnicodeEncodeError as error:
        raise UserError(
            f"{where} holds half a surrogate pair (\\u{ord(error.object[error.start]):04x}), which "
            "is not a character; remove it or write \\ufffd in its place"
        ) from None


def _text(value: Any) -> str | None:
    if isinstance(value, str):
        return value
    if isinstance(value, bytes):
        return value.decode()
    return None if value is None or value != value else str(value)  # NaN is not itself


def _label(value: Any) -> str | None:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return (_text(value) or "").strip() or None


def _marks_no_label(name: str | None) -> bool:
    return name is None or name == "-" or as_number(name) == -1


def _check_present(
    table: Table,
    numbers: Sequence[int],
    name: str,
    strings: list[str | None],
    what: str,
    remedy: str = "",
) -> None:
    missing = [i for i, string in enumerate(strings) if not string or string.isspace()]
    if missing:
        of = f"{len(strings)}" if table.whole else f"the first {len(strings)}"
        raise UserError(
            f"{table.place}: {len(missing)} of {of} rows have no {what} in column {name!r}, the "
            f"first of them {table.unit} {numbers[missing[0]]}{remedy}"
        )


def as_number(name: str) -> Decimal | None:
    """The number that a label is written as; None if it is not one."""
    return Decimal(name) if _NUMBER.fullmatch(name) else None


def classes(train: Examples, dev: Examples, label: str) -> tuple[list[str], dict[str, int]]:
    """The classes of a task.

    One number in several spellings (``0``, ``0.0``) is one class. Classes are in the order of
    their numbers if all are numbers, else of their names.

    Parameters
    ----------
    train, dev : Examples
        Of both splits. Where not all of ``train`` was read, ``dev`` is not compared with it.
    label : str
        Column that holds the label, for messages.

    Returns
    -------
    names : list of str
        Of the classes.
    ids : dict
        Index in ``names`` of every spelling.

    Raises
    ------
    UserError
        If ``train`` has fewer than two classes or too many fractions, or ``dev`` has a class
        that ``train`` lacks.
    """
    spellings: dict[Decimal | str, set[str]] = {}
    in_train = set(train.labels)
    for spelling in in_train.union(dev.labels):
        spellings.setdefault(_key(spelling), set()).add(spelling)
    trained = {key: _class_name(key, spellings[key]) for key in map(_key, in_train)}
    numeric = all(isinstance(key, Decimal) for key in trained)
    ordered = sorted(trained, key=None if numeric else trained.__getitem__)
    names = [trained[key] for key in ordered]
    if len(names) == 1 and train.whole:
        raise UserError(
            f"{train.place}: every row has the {label} {names[0]!r}, "
            "a task needs two classes or more"
        )
    fractions = sum(isinstance(key, Decimal) and key % 1 != 0 for key in trained)
    if fractions > MOST_FRACTIONS:
        raise UserError(
            f"{train.place}: column {label!r} holds {len(names)} different numbers with "
            "fractions, which are measurements, not classes"
        )
    lacking = sorted(_class_name(key, found) for key, found in spellings.items()
                     if key not in trained)  # fmt: skip
    if lacking and train.whole:
        hint = ""
        if any(map(_marks_no_label, lacking)):
            hint = "; `unlabeled: drop` leaves out rows with the label -1 or -"
        raise UserError(
            f"{dev.place}: {label} {listed(lacking, quoted=True)} "
            f"{'is' if len(lacking) == 1 else 'are'} not in the training set, whose labels are "
            f"{listed(names, quoted=True)}{hint}"
        )
    index = {key: i for i, key in enumerate(ordered)}
    return names, {spelling: index[key] for key in ordered for spelling in spellings[key]}


def _key(spelling: str) -> Decimal | str:
    number = as_number(spelling)
    return spelling if number is None else number


def _class_name(key: Decimal | str, spellings: Collection[str]) -> str:
    """The one spelling, or else the number in its shortest form without an exponent."""
    if len(spellings) == 1 or not isinstance(key, Decimal):
        return next(iter(spellings))
    return f"{int(key)}" if key % 1 == 0 else f"{key.normalize():f}"


def check_same_columns(train: Examples, dev: Examples) -> None:
    """Check that both splits have their text in the same columns.

    Raises
    ------
    UserError
        If they do not, as where training has pairs and dev has single sentences.
    """
    if train.columns != dev.columns:
        raise UserError(
            f"{train.place} has the text in {' and '.join(map(repr, train.columns))}, {dev.place} "
            f"in {' and '.join(map(repr, dev.columns))}; name columns that both have under `text`"
        )
