"""Checks of a task before any job starts: its files, columns, texts and labels.

Imported while the workflow is planned: only the standard library at the top.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from workflow_scripts.common.errors import UserError, in_one_line, listed, nearest
from workflow_scripts.data import examples, sources, synthetic, word_tasks
from workflow_scripts.data.examples import Examples
from workflow_scripts.data.table_files import read_table_file

# Files above this size are not read to their end at planning; the job itself checks the rest.
WHOLE_BYTES = 8 * 2**20
# Rows that are read of larger ones: as many as are asked for, but within these limits.
LARGE_ROWS = (20_000, 100_000)
# Intervals over the examples of a dev set need this many.
LEAST_DEV = 3


def check_task(
    name: str, definition: Mapping[str, Any], keys: Mapping[str, str] | None = None
) -> list[Path]:
    """Check the definition of a task, and its files as far as they are read before a job.

    Parameters
    ----------
    name : str
        The task's name in the configuration.
    definition : mapping
        Its section: ``source`` and perhaps ``label``, ``text``, ``train``, ``dev``,
        ``dev_split``, ``unlabeled``.
    keys : mapping, optional
        Where the numbers ``train`` and ``dev`` come from another key, that key's name.

    Returns
    -------
    list of Path
        Files on this machine that the task is read from: training set, dev set. Empty for
        other sources.

    Raises
    ------
    UserError
        If the source cannot work, a file is missing, or ``read_task`` refuses the files or, for
        files above ``WHOLE_BYTES``, their first rows; one line that starts with the task's name.
    """
    keys = {"train": "train", "dev": "dev", **(keys or {})}
    with in_one_line(f"task {name}: "):
        for split, least, need in (
            ("train", 2, "a task needs two classes or more"),
            ("dev", LEAST_DEV, f"intervals need {LEAST_DEV} or more"),
        ):
            count = definition.get(split)
            if count is not None and count < least and keys[split] == split:
                raise UserError(f"{split}: got {count}, {need}")
        source = sources.parse_source(definition["source"])
        if definition.get("unit", "sentence") != "sentence":
            return _check_words(source, definition)
        if isinstance(source, sources.Synthetic):
            _check_synthetic(source.task, definition)
        if not isinstance(source, sources.Files):
            return []
        files = sources.find_files(source, definition.get("dev_split"))
        train, dev = (
            _read(path, definition, definition.get(split))
            for path, split in zip(files, ("train", "dev"), strict=True)
        )
        examples.check_same_columns(train, dev)
        examples.classes(train, dev, definition.get("label") or "label")
        _check_size(train, keys["train"], definition.get("train"), 0)
        _check_size(dev, keys["dev"], definition.get("dev"), LEAST_DEV)
    return list(files)


def known_labels(definition: Mapping[str, Any]) -> list[str] | None:
    """Labels of a task of sentences in their order, as far as they are known before a job.

    Parameters
    ----------
    definition : mapping
        The task's section, which ``check_task`` accepts.

    Returns
    -------
    list of str or None
        None of a hub source, and of files above ``WHOLE_BYTES``.
    """
    source = sources.parse_source(definition["source"])
    if isinstance(source, sources.Synthetic):
        return list(synthetic.GRAMMARS[source.task].labels)
    if not isinstance(source, sources.Files):
        return None
    files = sources.find_files(source, definition.get("dev_split"))
    if any(path.stat().st_size > WHOLE_BYTES for path in files):
        return None
    train, dev = (_read(path, definition, None) for path in files)
    return examples.classes(train, dev, definition.get("label") or "label")[0]


def _check_words(
    source: sources.Synthetic | sources.Hub | sources.Files, definition: Mapping[str, Any]
) -> list[Path]:
    """Check a task whose labels belong to words; see ``check_task``."""
    sizes = definition.get("train"), definition.get("dev")
    if isinstance(source, sources.Hub):
        raise UserError(
            f"source: got a hub source, whose labels belong to sentences, with unit "
            f"{definition['unit']!r}; allowed: {sources.CORPUS}"
        )
    if isinstance(source, sources.Synthetic):
        word_tasks.check_generated(source.task, dict(zip(("train", "dev"), sizes, strict=True)))
        if definition["unit"] != "word":
            raise UserError(f"unit: got {definition['unit']!r}, {source.task} has labels of words")
        return []
    files = sources.find_corpora(source, definition.get("dev_split"))
    if all(path.stat().st_size <= WHOLE_BYTES for path in files):
        label, text = definition.get("label") or "label", definition.get("text")
        seed = definition.get("seed") or 0
        corpora = word_tasks.read_splits(files, label, definition["unit"], text, seed)
        for split, corpus, size in zip(("train", "dev"), corpora, sizes, strict=True):
            count = sum(bool(one.targets) for one in corpus.sentences)
            if count < (size or 1):
                raise UserError(
                    f"{files[-1]}: {split} asks for {size} sentences, there are {count} with labels"
                )
    return files


def _check_synthetic(task: str, definition: Mapping[str, Any]) -> None:
    if task in word_tasks.GRAMMARS:
        raise UserError(f"unit: got 'sentence', expected 'word': synthetic:{task} labels words")
    if task not in synthetic.GRAMMARS:
        raise UserError(
            f"source 'synthetic:{task}': got {task!r}, allowed: {listed(synthetic.GRAMMARS)}"
            f"{nearest(task, synthetic.GRAMMARS)}"
        )
    for split in ("train", "dev"):
        synthetic.check_size(task, split, definition.get(split))


def _read(path: Path, definition: Mapping[str, Any], count: int | None) -> Examples:
    """The examples of a file, or the first of a large one."""
    most = None
    if path.stat().st_size > WHOLE_BYTES:
        most = min(max(LARGE_ROWS[0], count or 0), LARGE_ROWS[1])
    return examples.examples_of(
        read_table_file(path, most),
        definition.get("label") or "label",
        definition.get("text"),
        definition.get("unlabeled") or "refuse",
    )


def _check_size(found: Examples, key: str, count: int | None, least: int) -> None:
    """Check that there are as many examples as a key asks for, and ``least``, if that is known."""
    available = len(found) if found.whole else found.rows
    if available is None:
        return
    if count is not None and available < count:
        labelled = " with a label" if found.unlabeled else ""
        raise UserError(
            f"{found.place}: {key} asks for {count} examples, the file has {available}{labelled}"
        )
    if available < least:
        raise UserError(f"{found.place}: has {available} examples, intervals need {least} or more")
