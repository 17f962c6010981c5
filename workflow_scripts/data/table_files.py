"""Tables as they are stored in files: columns, rows, and the line that each row is on.

Imported while the workflow is planned: only the standard library at the top.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import sys
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from workflow_scripts.common.errors import UserError, cut, listed, one_line
from workflow_scripts.common.paths import check_not_pointer
from workflow_scripts.data.sources import format_of

_SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
# Endings of files whose fields are separated by these.
_SEPARATED = {",": ".csv", "\t": ".tsv"}


@dataclass(frozen=True)
class Table:
    """Rows of one split, as they were stored.

    Parameters
    ----------
    place : str
        File, or data set and split: what messages begin with.
    columns : sequence of str
        Names, in order; a name may occur twice.
    column : callable
        Gives all values of the column of a name, as Python objects.
    numbers : sequence of int
        Where each row is: its line in a text file, counted from 1 with the header and blank
        lines; of a row of several lines the first. Elsewhere its place among the rows, from 1.
    unit : str
        "line" or "row": what ``numbers`` counts.
    whole : bool
        Whether these are all rows.
    rows : int or None
        Number of rows of the whole table; None if it is not known.
    hint : str
        Added to a message about a missing column.
    """

    place: str
    columns: Sequence[str]
    column: Callable[[str], list[Any]]
    numbers: Sequence[int]
    unit: str
    whole: bool
    rows: int | None
    hint: str = ""


def read_table_file(path: Path, most_rows: int | None = None) -> Table:
    """Read a ``.tsv``, ``.csv``, ``.jsonl`` (perhaps ``.gz``) or ``.parquet`` file.

    Tab-separated files have no quoting: a quote is a character. Comma-separated files have the
    usual quoting. Every field of both is text. Lines end in LF, CR LF, or CR alone.

    Parameters
    ----------
    path : Path
        Its last ending says the format.
    most_rows : int, optional
        Stop after this many rows.

    Raises
    ------
    UserError
        If the file is empty, broken, not UTF-8, or a Git LFS pointer, or if a row has more or
        fewer fields than the header.
    """
    with explained(path):
        check_not_pointer(path)
        ending = format_of(path)
        if ending == ".parquet":
            return _parquet(path, most_rows)
        with _open_text(path, ending.endswith(".gz")) as lines:
            if ending.startswith(".jsonl"):
                return _objects(path, lines, most_rows)
            separator = "," if ending.startswith(".csv") else "\t"
            return _fields(path, lines, separator, most_rows)


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn what reading a broken file raises into one line that names the file."""
    try:
        yield
    except UserError:
        raise
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: {_encoding(path) or one_line(error)}") from None
    except RecursionError:
        raise UserError(f"{path}: cannot be read (nested too deeply)") from None
    except (OSError, EOFError, zlib.error, csv.Error, ValueError) as error:
        raise UserError(f"{path}: cannot be read ({cut(one_line(error), 200)})") from None


def _encoding(path: Path) -> str:
    """What is wrong with the bytes of a file that is not UTF-8."""
    opened = gzip.open if path.name.lower().endswith(".gz") else open
    with opened(path, "rb") as file:
        for number, line in enumerate(file, 1):
            if number == 1 and line.startswith((b"\xff\xfe", b"\xfe\xff")):
                return "is UTF-16, expected UTF-8"
            try:
                line.decode()
            except UnicodeDecodeError as error:
                return f"line {number} is not UTF-8 (byte 0x{line[error.start]:02x})"
    return ""


@contextmanager
def _open_text(path: Path, packed: bool) -> Iterator[io.TextIOWrapper]:
    """Lines of a text file with their ends; CR is a character where any line ends in LF."""
    with path.open("rb") as stored:
        file = gzip.GzipFile(fileobj=stored) if packed else stored
        ends_in_cr = _first_line_ends_in_cr(file)
        file.seek(0)
        yield io.TextIOWrapper(file, encoding="utf-8-sig", newline="\r" if ends_in_cr else "\n")


def _first_line_ends_in_cr(file) -> bool:
    while chunk := file.read(2**16):
        line = chunk.partition(b"\n")[0]
        if b"\r" in line:
            after = line.index(b"\r") + 1
            return (chunk[after : after + 1] or file.read(1)) != b"\n"
        if len(line) < len(chunk):
            return False
    return False


def _fields(path: Path, lines: io.TextIOWrapper, separator: str, most_rows: int | None) -> Table:
    if separator == ",":
        # The limit is the module's, not the reader's; a long text is nothing wrong.
        csv.field_size_limit(sys.maxsize)
        read = _csv_rows(path, lines)
    else:
        read = ((n, line.rstrip("\r\n").split("\t")) for n, line in enumerate(lines, 1))
    rows = (row for row in read if row[1] and row[1] != [""])
    first = next(rows, None)
    if first is None:
        raise UserError(f"{path}: is empty")
    header = first[1]
    body = list(islice(rows, most_rows))
    width = len(header)
    for number, row in body:
        if len(row) != width:
            raise UserError(
                f"{path}: line {number} has {len(row)} fields, the header {width}"
                f" ({listed(header)}){_separator_hint(header, separator)}"
            )

    whole = len(body) != most_rows or next(rows, None) is None
    if separator == "\t" and whole and (quoted := _quoted_as_csv(body)):
        raise UserError(
            f"{path}: line {quoted}: every field with a quote is quoted as in CSV, but in a .tsv "
            "file a quote is a character; write the file without quoting (pandas: "
            "quoting=csv.QUOTE_NONE), or as .csv or .jsonl"
        )

    def column(name: str) -> list[str]:
        at = header.index(name)
        return [row[at] for _, row in body]

    return Table(
        place=str(path),
        columns=header,
        column=column,
        numbers=[number for number, _ in body],
        unit="line",
        whole=whole,
        rows=len(body) if whole else None,
        hint=_separator_hint(header, separator),
    )


def _csv_rows(path: Path, lines: io.TextIOWrapper) -> Iterator[tuple[int, list[str]]]:
    """Rows with the number of their first line."""
    reader, number = csv.reader(lines, strict=True), 1
    try:
        for row in reader:
            yield number, row
            number = reader.line_num + 1
    except csv.Error as error:
        raise UserError(f"{path}: line {number} cannot be read as CSV ({error})") from None


def _quoted_as_csv(body: list[tuple[int, list[str]]]) -> int | None:
    """The first line with a doubled quote, if every field with a quote is a quoted one of CSV."""
    first = None
    for number, row in body:
        for field in row:
            if '"' in field:
                inner = field[1:-1].replace('""', "")
                if len(field) < 2 or field[0] + field[-1] != '""' or '"' in inner:
                    return None
                if first is None and len(inner) < len(field) - 2:
                    first = number
    return first


def _separator_hint(header: list[str], separator: str) -> str:
    """What to say of a header that seems to be separated by another character."""
    if len(header) > 1:
        return ""
    for other, name in _SEPARATORS.items():
        if other != separator and other in header[0]:
            ending = _SEPARATED[separator]
            return (
                f"; the header seems to be separated by {name}, but fields of a {ending} file are "
                f"separated by {_SEPARATORS[separator]}"
            )
    return ""


def _objects(path: Path, lines: io.TextIOWrapper, most_rows: int | None) -> Table:
    read = ((n, _object(path, n, line)) for n, line in enumerate(lines, 1) if line.strip())
    body = list(islice(read, most_rows))
    if not body:
        raise UserError(f"{path}: is empty")
    columns: dict[str, None] = {}
    for _, row in body:
        if not row.keys() <= columns.keys():
            columns |= dict.fromkeys(row)
    whole = len(body) != most_rows or next(read, None) is None
    return Table(
        place=str(path),
        columns=list(columns),
        column=lambda name: [row.get(name) for _, row in body],
        numbers=[number for number, _ in body],
        unit="line",
        whole=whole,
        rows=len(body) if whole else None,
    )


def _object(path: Path, number: int, line: str) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except json.JSONDecodeError as error:
        raise UserError(f"{path}: line {number} is not JSON ({error})") from None
    if not isinstance(value, dict):
        raise UserError(f"{path}: line {number} holds {type(value).__name__}, allowed: an object")
    return value


def _parquet(path: Path, most_rows: int | None) -> Table:
    import pyarrow as pa
    import pyarrow.parquet as pq

    @contextmanager
    def readable() -> Iterator[None]:
        # Errors of pyarrow are of many built-in kinds.
        try:
            yield
        except (pa.ArrowException, UnicodeDecodeError) as error:
            raise UserError(f"{path}: cannot be read ({cut(one_line(error), 200)})") from None

    with readable():
        file = pq.ParquetFile(path)
    rows = read = file.metadata.num_rows
    if most_rows is not None and rows > most_rows:
        read = min(most_rows, file.metadata.row_group(0).num_rows)
    names = _class_names(file.schema_arrow.metadata or {})

    def column(name: str) -> list[Any]:
        chosen = {"columns": [name], "use_threads": False}
        with explained(path), readable():
            part = file.read(**chosen) if read == rows else file.read_row_group(0, **chosen)
            values = part.column(name).slice(0, read).to_pylist()
        return named(values, names[name], name, str(path)) if name in names else values

    return Table(
        place=str(path),
        columns=file.schema_arrow.names,
        column=column,
        numbers=range(1, read + 1),
        unit="row",
        whole=read == rows,
        rows=rows,
    )


def _class_names(metadata: dict[bytes, bytes]) -> dict[str, list[str]]:
    """Names of the classes by column, where the ``datasets`` library wrote the file."""
    try:
        features = json.loads(metadata[b"huggingface"])["info"]["features"]
        return {
            name: feature["names"]
            for name, feature in features.items()
            if isinstance(feature, dict) and feature.get("_type") == "ClassLabel"
        }
    except (KeyError, TypeError, ValueError, AttributeError):
        return {}


def named(values: list[Any], names: list[str], column: str, place: str) -> list[Any]:
    """Class names in place of a hub data set's numbers; None for negative ones: no label.

    Values other than integers stay as they are.

    Raises
    ------
    UserError
        If a number has no name.
    """

    def name(value: Any) -> Any:
        if not isinstance(value, int):
            return value
        if value >= len(names):
            raise UserError(
                f"{place}: column {column!r} holds {value}, but names {len(names)} classes only"
            )
        return names[value] if value >= 0 else None

    return [name(value) for value in values]
