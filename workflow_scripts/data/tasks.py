"""A task in one form: text columns of known names, labels 0 .. K-1, training and dev set."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from workflow_scripts.common.errors import UserError
from workflow_scripts.data import sources, synthetic
from workflow_scripts.data.subset import subset

log = logging.getLogger("tunescape")


class Task(NamedTuple):
    """Columns of both sets: ``sentence`` or ``sentence1``, ``sentence2``; ``label`` (int64)."""

    train: pd.DataFrame
    dev: pd.DataFrame
    card: dict[str, Any]


def read_task(
    source: str,
    label: str = "label",
    text: list[str] | None = None,
    train_examples: int | None = None,
    dev_examples: int | None = None,
    dev_split: str | None = None,
    seed: int = 0,
    files: Sequence[Path] | Path = (),
) -> Task:
    """Read or generate a task.

    Parameters
    ----------
    source : ``synthetic:``, ``hub:`` or ``dir:``, as ``sources.SCHEMES`` says.
    label : column that holds the label: text, integers, booleans or a few different fractions.
    text : the one or two columns that hold the text; found by their usual names if None.
    train_examples, dev_examples : size of a subset drawn without replacement, kept in the order
        of the source; the subset of a larger size holds that of a smaller one. None: all.
    dev_split : hub split, or file of a folder, that serves as dev set; None: the usual names.
    seed : of the subsets or, for a synthetic task, of its sentences.
    files : training and dev file, where a ``dir:`` source has been looked up before.

    Returns
    -------
    Both sets and a card. Label ids follow the order of the label names, of their numbers where
    all are numbers; both sets share them, and they do not change with the subset.

    Raises
    ------
    UserError : in one line, for rows without text or label, a dev label that the training set
        lacks, fewer than two classes, fewer examples than asked for, or a source that cannot be
        read.
    """
    parsed = sources.parse_source(source)
    if isinstance(parsed, sources.Synthetic):
        train, dev, names = synthetic.generate(parsed.task, train_examples, dev_examples, seed)
        origin: dict[str, Any] = {"synthetic": True, "available": None}
    else:
        if isinstance(parsed, sources.Hub):
            raw = sources.read_hub(parsed, dev_split)
            where: tuple[object, object] = (f"{source} train", f"{source} dev")
            origin = {"revision": parsed.revision}
        else:
            where = tuple([files] if isinstance(files, Path) else files)
            where = where or sources.find_files(parsed, dev_split)
            raw = tuple(sources.read_file(path) for path in where)
            origin = {
                "files": {
                    split: {"name": path.name, "sha256": _file_digest(path)}
                    for split, path in zip(("train", "dev"), where, strict=True)
                }
            }
        origin |= {"synthetic": False, "available": {"train": len(raw[0]), "dev": len(raw[1])}}
        train, dev = (
            _columns(table, label, text, place) for table, place in zip(raw, where, strict=True)
        )
        names = _number_labels(train, dev, label, where)
        train = subset(train, train_examples, seed, "train", where[0])
        dev = subset(dev, dev_examples, seed, "dev", where[1])
    if train["label"].nunique() < 2:
        raise UserError(
            f"{source}: the {len(train)} training examples have one class only, "
            "a task needs two or more"
        )
    for split, table in (("train", train), ("dev", dev)):
        log.info("%s: %d examples, %s", split, len(table), _counts(table, names))
    card = {
        "source": source,
        "revision": None,
        **origin,
        "labels": names,
        "pair": "sentence2" in train,
        "train": len(train),
        "dev": len(dev),
        "label_counts": {"train": _counts(train, names), "dev": _counts(dev, names)},
        "seed": seed,
        "digest": digest(train, dev, names),
    }
    return Task(train, dev, card)


def _columns(
    table: pd.DataFrame, label: str, text: list[str] | None, where: object
) -> pd.DataFrame:
    """The text under its standard names and the raw label; every row must have them all."""
    if table.empty:
        raise UserError(f"{where}: has no rows")
    columns = list(table.columns)
    sources.label_column(columns, label, where)
    found = sources.text_columns(columns, text, where)
    standard = ["sentence"] if len(found) == 1 else ["sentence1", "sentence2"]
    kept = table[[*found, label]].set_axis([*standard, "label"], axis=1).reset_index(drop=True)
    for name, here in zip([*standard, "label"], [*found, label], strict=True):
        missing = kept[name].isna() | (kept[name].astype(str).str.strip() == "")
        if missing.any():
            what = "label" if name == "label" else "text"
            raise UserError(
                f"{where}: {missing.sum()} of {len(kept)} rows have no {what} in column {here!r},"
                f" the first of them row {missing.to_numpy().argmax() + 1}"
            )
    return kept.astype(dict.fromkeys(standard, str))


def _number_labels(
    train: pd.DataFrame, dev: pd.DataFrame, label: str, where: Sequence[object]
) -> list[str]:
    """Replace both tables' labels by ids in place; the label names in the order of the ids."""
    texts = [
        _names(table["label"], label, place)
        for table, place in zip((train, dev), where, strict=True)
    ]
    numbers = {name: _number(name) for name in set(texts[0])}
    if None in numbers.values():
        names = sorted(numbers)
    else:
        names = sorted(numbers, key=lambda name: (numbers[name], name))
    if len(names) < 2:
        raise UserError(
            f"{where[0]}: every row has the {label} {names[0]!r}, a task needs two classes or more"
        )
    if lacking := sorted(set(texts[1]) - set(names)):
        shown = ", ".join(map(repr, lacking[:5])) + (", …" if len(lacking) > 5 else "")
        raise UserError(
            f"{where[1]}: {label} {shown} {'is' if len(lacking) == 1 else 'are'} not in the "
            f"training set, whose labels are {', '.join(map(repr, names))}"
        )
    ids = {name: number for number, name in enumerate(names)}
    for table, labels in zip((train, dev), texts, strict=True):
        table["label"] = np.array([ids[name] for name in labels], dtype=np.int64)
    return names


def _names(labels: pd.Series, label: str, where: object) -> list[str]:
    """Label names as text; 1, 1.0 and "1" are one class, since file formats blur them."""
    names = [_name(value) for value in labels]
    fractions = {name for name in names if (_number(name) or 0) % 1}
    if len(fractions) > sources.MOST_FRACTIONS:
        raise UserError(
            f"{where}: column {label!r} holds {len(set(names))} different numbers with fractions, "
            "which are measurements, not classes"
        )
    return names


def _name(value: object) -> str:
    if isinstance(value, (float, np.floating)) and float(value).is_integer():
        return str(int(value))
    return str(value).strip()


def _number(name: str) -> float | None:
    try:
        number = float(name)
    except ValueError:
        return None
    return number if np.isfinite(number) else None


def digest(train: pd.DataFrame, dev: pd.DataFrame, names: list[str]) -> str:
    """SHA-256 over label names, texts and labels of both sets (64 hex digits)."""
    found = hashlib.sha256()
    for part in (names, *_parts(train), *_parts(dev)):
        found.update(f"{len(part)}\n".encode())
        for text in part:
            data = str(text).encode()
            found.update(f"{len(data)} ".encode() + data)
    return found.hexdigest()


def _parts(table: pd.DataFrame) -> list[list]:
    return [table[column].tolist() for column in table.columns]


def _counts(table: pd.DataFrame, names: list[str]) -> list[int]:
    return np.bincount(table["label"], minlength=len(names)).tolist()


def _file_digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
