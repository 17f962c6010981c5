"""Where a task's examples come from: what a source may say, and reading it.

This module is imported while the workflow is planned: only the standard library at its top.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from workflow_scripts.common.errors import UserError, nearest, one_line
from workflow_scripts.common.paths import expanded

if TYPE_CHECKING:
    import pandas as pd

SCHEMES = {
    "synthetic": "synthetic:NAME",
    "hub": "hub:OWNER/NAME[/CONFIG]@COMMIT",
    "dir": "dir:/FOLDER or dir:/FOLDER/TRAIN,DEV",
}
# File formats; the text ones may be compressed with gzip as well.
TEXT_SUFFIXES = (".tsv", ".csv", ".jsonl")
SUFFIXES = (*TEXT_SUFFIXES, *(f"{suffix}.gz" for suffix in TEXT_SUFFIXES), ".parquet")
# Names that the dev set goes by, the likeliest first.
DEV_NAMES = ("dev", "validation", "validation_matched", "dev_matched", "valid", "val")
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
# A column with more fractions than this is taken for measurements, not for classes.
MOST_FRACTIONS = 20


class Synthetic(NamedTuple):
    """A task generated from a grammar of this project."""

    task: str


class Hub(NamedTuple):
    """A data set of the Hugging Face hub at one commit."""

    repo: str
    config: str | None
    revision: str


class Files(NamedTuple):
    """Files on this machine; without ``train`` and ``dev`` they are looked for in ``folder``."""

    folder: Path
    train: Path | None
    dev: Path | None


def parse_source(source: str) -> Synthetic | Hub | Files:
    """What a source says. ``UserError`` in one line for what it must not say.

    Environment variables and ``~`` in a ``dir:`` source are expanded; one that is not set is an
    error. A hub source names a commit, so that its contents cannot change.
    """
    scheme, colon, rest = source.partition(":")
    if not colon or scheme not in SCHEMES:
        allowed = ", ".join(SCHEMES.values())
        raise UserError(f"source {source!r}: got scheme {scheme!r}, allowed: {allowed}"
                        f"{nearest(scheme, SCHEMES)}")  # fmt: skip
    if not rest:
        raise UserError(f"source {source!r}: nothing after the colon, allowed: {SCHEMES[scheme]}")
    return {"synthetic": Synthetic, "hub": _parse_hub, "dir": _parse_files}[scheme](rest)


def _parse_hub(rest: str) -> Hub:
    name, at, revision = rest.partition("@")
    parts = name.split("/")
    if not 2 <= len(parts) <= 3 or not all(parts):
        raise UserError(f"source 'hub:{rest}': got {name!r}, allowed: {SCHEMES['hub']}")
    if not re.fullmatch(r"[0-9a-f]{40}", revision):
        got = f"got {revision!r}, a name that can move" if at else "no revision"
        raise UserError(f"source 'hub:{rest}': {got}, allowed: @COMMIT, a commit of 40 hex digits")
    return Hub("/".join(parts[:2]), parts[2] if len(parts) == 3 else None, revision)


def _parse_files(rest: str) -> Files:
    first, comma, second = rest.partition(",")
    told = f"source 'dir:{rest}'"
    train = expanded(first, told)
    if not comma:
        return Files(train, None, None)
    # The second name stands beside the first; an absolute one stands for itself.
    return Files(train.parent, train, train.parent / expanded(second.strip(), told))


def find_files(source: Files, dev_split: str | None = None) -> tuple[Path, Path]:
    """The training and the dev file of a ``dir:`` source.

    ``dev_split`` names the dev file of a folder, with or without its ending; without it the
    usual names are tried. ``UserError`` where one of the two is not there.
    """
    if source.train and source.dev:
        for path in (source.train, source.dev):
            if not path.is_file():
                raise UserError(f"no file {path}{_beside(path)}")
            _suffix(path)
        return source.train, source.dev
    if not source.folder.is_dir():
        if source.folder.is_file():
            raise UserError(f"{source.folder} is a file, allowed: {SCHEMES['dir']}")
        raise UserError(f"no folder {source.folder}{_beside(source.folder)}")
    found = {_stem(path): path for path in sorted(source.folder.iterdir()) if _stem(path)}
    train = _one_of(source.folder, found, ("train",))
    if dev_split is None:
        return train, _one_of(source.folder, found, DEV_NAMES)
    wanted = source.folder / dev_split
    if wanted.is_file():
        _suffix(wanted)
        return train, wanted
    return train, _one_of(source.folder, found, (dev_split,))


def _one_of(folder: Path, found: dict[str, Path], names: Sequence[str]) -> Path:
    for name in names:
        if name in found:
            return found[name]
    wanted = " or ".join(names)
    there = ", ".join(path.name for path in found.values()) or "no tables"
    raise UserError(
        f"no file {wanted} ({', '.join(SUFFIXES)}) in {folder}; it holds {there}"
        f"{nearest(names[0], found)}"
    )


def _stem(path: Path) -> str:
    """Name without its ending; empty for what is no table."""
    for suffix in SUFFIXES:
        if path.name.endswith(suffix) and not path.name.startswith(".") and path.is_file():
            return path.name.removesuffix(suffix)
    return ""


def _suffix(path: Path) -> str:
    for suffix in SUFFIXES:
        if path.name.endswith(suffix):
            return suffix
    raise UserError(f"{path}: got the ending {path.suffix!r}, allowed: {', '.join(SUFFIXES)}")


def _beside(path: Path) -> str:
    """The nearest name in the folder that a missing path should be in."""
    if not path.parent.is_dir():
        return f"; there is no folder {path.parent} either"
    return nearest(path.name, os.listdir(path.parent))


@contextmanager
def open_text(path: Path) -> Iterator[io.TextIOBase]:
    """A text file, unpacked where its name ends in ``.gz``; line ends are kept as they are."""
    with path.open("rb") as packed:
        file = gzip.GzipFile(fileobj=packed) if path.suffix == ".gz" else packed
        yield io.TextIOWrapper(file, encoding="utf-8-sig", newline="\n")


def rows_of(path: Path) -> Iterator[list[str] | dict[str, Any]]:
    """Rows of a text table as they are read: lists of fields (header first), or JSON objects.

    Tab-separated files use no quoting: a quote is a character of the text. Comma-separated ones
    use the usual quoting. Nothing is taken for a missing value but an empty field.
    """
    with open_text(path) as file:
        if ".jsonl" in path.suffixes:
            for number, line in enumerate(file, 1):
                if line.strip():
                    yield _json_object(path, number, line)
        elif ".csv" in path.suffixes:
            yield from csv.reader(file, strict=True)
        else:
            for line in file:
                yield line.rstrip("\r\n").split("\t")


def _json_object(path: Path, number: int, line: str) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except json.JSONDecodeError as error:
        raise UserError(f"{path}: line {number} is no JSON ({error})") from None
    if not isinstance(value, dict):
        raise UserError(f"{path}: line {number} holds {type(value).__name__}, allowed: an object")
    return value


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn what reading a broken file raises into one line that names the file."""
    try:
        yield
    except UserError:
        raise
    except (OSError, EOFError, UnicodeError, csv.Error, ValueError) as error:
        raise UserError(f"{path}: cannot be read ({one_line(error)})") from None


def read_file(path: Path) -> pd.DataFrame:
    """A table file whole. Columns of text formats other than jsonl are text.

    Raises ``UserError`` in one line for a file that is broken or empty, or whose rows have more
    or fewer fields than its header.
    """
    import pandas as pd

    with explained(path):
        if path.suffix == ".parquet":
            return pd.read_parquet(path)
        rows = list(rows_of(path))
    if not rows:
        raise UserError(f"{path}: is empty")
    if isinstance(rows[0], dict):
        # Objects, so that the integers of a column with a gap stay integers.
        return pd.DataFrame(rows, dtype=object)
    header, *body = rows
    body = [row for row in body if row and row != [""]]
    for number, row in enumerate(body, 2):
        if len(row) != len(header):
            raise UserError(
                f"{path}: row {number} has {len(row)} fields, the header {len(header)}"
                f" ({', '.join(header)})"
            )
    return pd.DataFrame(body, columns=header, dtype=object)


def read_hub(source: Hub, dev_split: str | None) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Training and dev split of a hub data set, class labels as their names.

    Code of the data set's repository is never run. Rows with label -1, by which the hub marks
    what has no label, come back without one.
    """
    import datasets

    if not sys.stderr.isatty():  # a bar is for a terminal
        datasets.disable_progress_bars()
    where = "/".join(filter(None, source[:2]))
    try:
        splits = datasets.load_dataset(source.repo, source.config, revision=source.revision)
    except Exception as error:  # anything from the network to the repository's own metadata
        raise UserError(f"hub:{where}@{source.revision}: {one_line(error)}") from error
    names = ("train", dev_split) if dev_split else ("train", *DEV_NAMES)
    if "train" not in splits:
        raise UserError(f"hub:{where}: no split train; it has {', '.join(splits)}")
    for name in names[1:]:
        if name in splits:
            return _named_labels(splits["train"]), _named_labels(splits[name])
    raise UserError(
        f"hub:{where}: no split {' or '.join(names[1:])}; it has {', '.join(splits)}"
        f"{nearest(names[1], splits)}"
    )


def _named_labels(split) -> pd.DataFrame:
    import datasets

    table = split.to_pandas()
    for column, feature in split.features.items():
        if isinstance(feature, datasets.ClassLabel):
            table[column] = [
                None if v is None or v < 0 else feature.names[v] for v in table[column]
            ]
    return table


def _once(columns: Sequence[str], names: Sequence[str], where: object) -> None:
    for name in names:
        if list(columns).count(name) > 1:
            raise UserError(f"{where}: has two columns {name!r}; rename one of them")


def label_column(columns: Sequence[str], label: str, where: object) -> str:
    """The label column's name, if it is there once; else ``UserError`` listing the columns."""
    _once(columns, [label], where)
    if label not in columns:
        raise UserError(
            f"{where}: no label column {label!r}; its columns are "
            f"{', '.join(map(str, columns))}{nearest(label, columns)}"
        )
    return label


def text_columns(columns: Sequence[str], text: list[str] | None, where: object) -> list[str]:
    """The one or two columns that hold the text; ``UserError`` where they are not there, once."""
    for name in text or ():
        if name not in columns:
            raise UserError(
                f"{where}: no text column {name!r}; its columns are "
                f"{', '.join(map(str, columns))}{nearest(name, columns)}"
            )
    for names in [text] if text else TEXT_NAMES:
        if set(names) <= set(columns):
            _once(columns, names, where)
            return list(names)
    known = ", ".join("+".join(names) for names in TEXT_NAMES)
    raise UserError(
        f"{where}: no text column; its columns are {', '.join(map(str, columns))}, "
        f"known names: {known} (others go under `text`)"
    )
