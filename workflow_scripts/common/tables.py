"""Files that appear whole or not at all, with their provenance inside."""

import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd

from workflow_scripts.common.errors import UserError, one_line

_RECORD: dict[str, Any] = {}
PROVENANCE = b"tunescape"  # key of the metadata of Parquet and safetensors files


def record() -> dict[str, Any]:
    """Provenance that the running step adds to every file it writes."""
    return dict(_RECORD)


def set_record(provenance: dict[str, Any]) -> None:
    """Replace the running step's provenance; ``step.run`` does so before the step's function."""
    _RECORD.clear()
    _RECORD.update(provenance)


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """Give a draft beside ``path``, then rename it: a reader never sees half a file.

    The draft keeps the target's suffix, since some writers choose the format by it. It is
    deleted if the block fails.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.stem}.{os.getpid()}{path.suffix}")
    try:
        yield draft
        with draft.open("rb") as file:
            os.fsync(file.fileno())  # after a crash the name must not exist without the bytes
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def same_file(source: Path, target: Path) -> None:
    """Make ``target`` the same file as ``source``: a hard link, else a copy."""
    Path(target).unlink(missing_ok=True)
    try:
        os.link(source, target)
    except OSError:  # another file system, or one without links
        shutil.copyfile(source, target)


# Its name: that of the target, hidden, with the writer's process number.
_DRAFT = re.compile(r"\..+\.\d+(\.\w+)?")


def remove_drafts(folder: Path) -> int:
    """Delete drafts that killed writers left in a folder or below it; return their number."""
    drafts = [path for path in Path(folder).rglob(".*") if _DRAFT.fullmatch(path.name)]
    for path in drafts:
        path.unlink()
    return len(drafts)


def write_table(table: pd.DataFrame, path: Path) -> None:
    """Write a table as Parquet with the running step's provenance in its metadata."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    arrow = pa.Table.from_pandas(table, preserve_index=False)
    arrow = arrow.replace_schema_metadata(
        {**(arrow.schema.metadata or {}), PROVENANCE: json.dumps(record(), sort_keys=True).encode()}
    )
    with atomic(path) as draft:
        pq.write_table(arrow, draft, compression="zstd")


def read_table(path: Path, columns: list[str] | None = None) -> pd.DataFrame:
    """Read a table that ``write_table`` wrote.

    Raises
    ------
    UserError
        If the file is missing or not a complete Parquet file.
    """
    with _readable(path, "as Parquet"):
        return pd.read_parquet(path, columns=columns)


@contextmanager
def _readable(path: Path, how: str) -> Iterator[None]:
    """Turn the errors of reading a broken file into a UserError that names the file."""
    try:
        yield
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    # Of Arrow, JSON and UTF-8 (all ValueErrors), and of a wrong length in a broken header.
    except (OSError, ValueError, OverflowError, MemoryError) as error:
        raise UserError(f"{path}: cannot be read {how} ({one_line(error)[:200]})") from None


def write_text(text: str, path: Path) -> None:
    """Write a text as UTF-8, whole or not at all."""
    with atomic(path) as draft:
        draft.write_text(text, encoding="utf-8")


def write_json(value: dict[str, Any], path: Path) -> None:
    """Write a dictionary as JSON, with the running step's provenance under ``provenance``."""
    body = {**value, "provenance": record()} if record() else value
    write_text(json.dumps(body, indent=1, sort_keys=True) + "\n", path)


def read_json(path: Path) -> dict[str, Any]:
    """The dictionary in a JSON file, with ``provenance`` where ``write_json`` put it.

    Raises
    ------
    UserError
        If the file is missing, is not JSON, or does not hold a dictionary.
    """
    with _readable(path, "as JSON"):
        value = json.loads(Path(path).read_text(encoding="utf-8"))
    if not isinstance(value, dict):
        raise UserError(f"{path}: holds {type(value).__name__}, expected a dictionary")
    return value


def read_record(path: Path) -> dict[str, Any]:
    """Provenance of a Parquet, safetensors or JSON file of the workflow; empty if it has none.

    Raises
    ------
    UserError
        If the file is missing or broken.
    """
    path = Path(path)
    with _readable(path, f"as {path.suffix[1:]}"):
        return _record_in(path)


def _record_in(path: Path) -> dict[str, Any]:
    if path.suffix == ".parquet":
        import pyarrow.parquet as pq

        text = (pq.read_schema(path).metadata or {}).get(PROVENANCE, b"{}")
    elif path.suffix == ".safetensors":
        with path.open("rb") as file:
            header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        text = header.get("__metadata__", {}).get(PROVENANCE.decode(), "{}")
    elif path.suffix == ".json":
        return read_json(path).get("provenance", {})
    else:
        return {}
    return json.loads(text)
