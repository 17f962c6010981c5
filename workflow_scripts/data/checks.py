"""What can be told of a task before any job starts: its files, columns and labels.

Imported while the workflow is planned, so quick: only the standard library at the top, and of a
large file no more is read than the question needs.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from workflow_scripts.common.errors import UserError, nearest
from workflow_scripts.data import sources, synthetic

# Files above this size are not read to their end at planning; the job itself finds the rest.
MOST_BYTES = 64 * 2**20


def check_task(name: str, definition: dict[str, Any]) -> list[Path]:
    """Files on this machine that a task reads: training, then dev; none for other sources.

    Parameters
    ----------
    name : the task's name in the configuration.
    definition : its keys there: ``source`` and perhaps ``label``, ``text``, ``train``, ``dev``,
        ``dev_split``.

    Raises
    ------
    UserError : in one line that starts with the task's name, for a source that nobody knows,
        an environment variable that is not set, a hub source without a commit, a synthetic task
        that there is none of, a missing file or folder, a file without label or text columns or
        with one class only, or fewer examples than are asked for.
    """
    try:
        source = sources.parse_source(definition["source"])
        if isinstance(source, sources.Synthetic):
            _check_synthetic(source.task, definition)
            return []
        if isinstance(source, sources.Hub):
            return []
        files = sources.find_files(source, definition.get("dev_split"))
        for path, key in zip(files, ("train", "dev"), strict=True):
            _check_file(path, definition, key)
    except UserError as error:
        raise UserError(f"task {name}: {error}") from None
    return list(files)


def _check_synthetic(task: str, definition: dict[str, Any]) -> None:
    if task not in synthetic.GRAMMARS:
        allowed = ", ".join(synthetic.GRAMMARS)
        raise UserError(
            f"source 'synthetic:{task}': got {task!r}, allowed: {allowed}"
            f"{nearest(task, synthetic.GRAMMARS)}"
        )
    for key in ("train", "dev"):
        synthetic.check_size(task, key, definition.get(key))


def _check_file(path: Path, definition: dict[str, Any], key: str) -> None:
    """Columns of one file, more than one class (training), rows enough."""
    label, text = definition.get("label") or "label", definition.get("text")
    wanted = definition.get(key)
    with sources.explained(path):
        if path.suffix == ".parquet":
            columns, rows, labels = _parquet(path, label, classes=key == "train")
        else:
            columns, rows, labels = _text(path, label, wanted, classes=key == "train")
    sources.label_column(columns, label, path)
    sources.text_columns(columns, text, path)
    if rows == 0:
        raise UserError(f"{path}: has no rows")
    if len(labels) == 1:
        raise UserError(
            f"{path}: every row has the {label} {labels.pop()!r}, a task needs two classes or more"
        )
    if wanted is not None and rows is not None and rows < wanted:
        raise UserError(f"{path}: {key} asks for {wanted} examples, the file has {rows}")


def _parquet(path: Path, label: str, classes: bool) -> tuple[list[str], int, set]:
    import pyarrow.parquet as pq

    file = pq.ParquetFile(path)
    columns = file.schema_arrow.names
    labels: set = set()
    if classes and label in columns:
        for group in range(file.num_row_groups):
            labels.update(file.read_row_group(group, columns=[label])[label].unique().to_pylist())
            if len(labels) > 1:
                break
    return columns, file.metadata.num_rows, labels


def _text(
    path: Path, label: str, wanted: int | None, classes: bool
) -> tuple[list, int | None, set]:
    """Columns, rows (None where they were not counted) and labels (two of them, if there are).

    Reading stops as soon as two classes and the rows asked for have been seen.
    """
    rows = sources.rows_of(path)
    first = next(rows, None)
    if first is None:
        raise UserError(f"{path}: is empty")
    is_object = isinstance(first, dict)
    columns = list(first)
    if label not in columns:
        return columns, None, set()
    at = columns.index(label)
    count, labels = int(is_object), {first[label]} if is_object else set()
    large = path.stat().st_size > MOST_BYTES
    for row in rows:
        if not row or row == [""]:
            continue
        count += 1
        if classes and len(labels) < 2:
            if is_object:
                labels.add(row.get(label))
            elif len(row) == len(columns):
                labels.add(row[at])
        settled = count >= (wanted or 1) and (not classes or len(labels) > 1)
        if settled or (large and count >= 100_000):
            return columns, count if settled else None, labels if len(labels) > 1 else set()
    return columns, count, labels if classes else set()
