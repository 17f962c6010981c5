"""A task in one form: text columns of known names, labels 0 .. K-1, training and dev set."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from workflow_scripts.common.errors import UserError, in_one_line, listed
from workflow_scripts.data import sources, synthetic, word_tasks
from workflow_scripts.data.examples import Examples, check_same_columns, classes, examples_of
from workflow_scripts.data.hub import read_hub
from workflow_scripts.data.subset import subset, with_every_class
from workflow_scripts.data.table_files import read_table_file

log = logging.getLogger("tunescape")


@dataclass(frozen=True)
class Task:
    """A task's examples.

    Parameters
    ----------
    train, dev : DataFrame
        Columns ``sentence`` or ``sentence1``, ``sentence2``; ``label`` (int64). Where the labels
        belong to words, those of ``word_tasks.WordTask``.
    card : dict
        What is known of the task, as plain values.
    """

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
    unlabeled: str = "refuse",
    unit: str = "sentence",
) -> Task:
    """Read or generate a task.

    Parameters
    ----------
    source : str
        ``synthetic:``, ``hub:`` or ``dir:``, as ``sources.SCHEMES`` says.
    label : str
        Column that holds the label: text, integers, booleans or a few different fractions.
    text : list of str, optional
        The one or two columns that hold the text; by default found by their usual names.
    train_examples, dev_examples : int, optional
        Size of a subset, drawn without replacement and kept in the order of the source; the
        subset of a larger size contains that of a smaller one. A training subset that would
        lack a class is drawn stratified instead. By default all.
    dev_split : str, optional
        Hub split, or file of a folder, that serves as dev set; by default the usual names.
    seed : int
        Seed of the subsets or, for a synthetic task, of its sentences.
    files : sequence of Path, optional
        Training and dev file, if a ``dir:`` source has been looked up before.
    unlabeled : {"refuse", "drop"}
        What to do with rows without a label; see ``examples.examples_of``. Words without one are
        no examples.
    unit : {"sentence", "word", "pair"}
        What the labels belong to: sentences (or pairs of them), words, or pairs of words. Sizes of
        subsets are numbers of sentences.

    Returns
    -------
    Task
        Label ids follow the order of the label names, or of their numbers if all are numbers;
        both sets share them, and they do not change with the subset.

    Raises
    ------
    UserError
        If rows have no text or label, the training set lacks a dev label, there are fewer than
        two classes or fewer examples than requested, or the source cannot be read; one line.
    """
    with in_one_line():
        parsed = sources.parse_source(source)
        if unit != "sentence":
            sizes = train_examples, dev_examples
            return _of_words(source, parsed, label, text, sizes, dev_split, seed, files, unit)
        if isinstance(parsed, sources.Synthetic):
            train, dev, names = synthetic.generate(parsed.task, train_examples, dev_examples, seed)
            origin: dict[str, Any] = {"synthetic": True, "available": None, "unlabeled": None}
        else:
            if isinstance(parsed, sources.Hub):
                tables = read_hub(parsed, dev_split)
                origin = {"revision": parsed.revision}
            else:
                paths = [files] if isinstance(files, Path) else list(files)
                paths = paths or list(sources.find_files(parsed, dev_split))
                tables = tuple(read_table_file(path) for path in paths)
                origin = {"files": _file_digests(paths)}
            every = tuple(examples_of(table, label, text, unlabeled) for table in tables)
            train, dev, names = _numbered(*every, label)
            origin |= {
                "synthetic": False,
                "available": {"train": len(train), "dev": len(dev)},
                "unlabeled": _unlabeled(*every),
            }
            drawn = subset(train, train_examples, seed, "train", every[0].place)
            train = with_every_class(drawn, train, seed, "train")
            _log_classes(drawn, train, names)
            dev = subset(dev, dev_examples, seed, "dev", every[1].place)
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


def _of_words(
    source: str,
    parsed: sources.Synthetic | sources.Hub | sources.Files,
    label: str,
    text: list[str] | None,
    sizes: tuple[int | None, int | None],
    dev_split: str | None,
    seed: int,
    files: Sequence[Path] | Path,
    unit: str,
) -> Task:
    """``read_task`` of a task whose labels belong to words."""
    if isinstance(parsed, sources.Hub):
        raise UserError(
            f"source {source!r}: unit: got {unit!r}, a hub source has labels of sentences; "
            f"allowed: {sources.CORPUS}"
        )
    if isinstance(parsed, sources.Synthetic):
        corpora = word_tasks.generated(parsed.task, *sizes, seed)
        origin: dict[str, Any] = {"synthetic": True}
    else:
        paths = [files] if isinstance(files, Path) else list(files)
        paths = paths or sources.find_corpora(parsed, dev_split)
        corpora = word_tasks.read_splits(paths, label, unit, text, seed)
        origin = {"synthetic": False, "files": _file_digests(paths), "divided": len(paths) == 1}
    if corpora[0].unit != unit:
        raise UserError(f"source {source!r}: unit: got {unit!r}, expected {corpora[0].unit!r}")
    found = word_tasks.as_task(*corpora, sizes, seed, source)
    for split, table in (("train", found.train), ("dev", found.dev)):
        log.info(
            "%s: %d sentences, %d labels, %s",
            *(split, found.card["sentences"][split], len(table), _counts(table, found.names)),
        )
    card = {
        "source": source,
        "revision": None,
        **origin,
        **found.card,
        "labels": found.names,
        "pair": False,
        "train": len(found.train),
        "dev": len(found.dev),
        "label_counts": {
            "train": _counts(found.train, found.names),
            "dev": _counts(found.dev, found.names),
        },
        "seed": seed,
        "digest": digest(found.train, found.dev, found.names),
    }
    return Task(found.train, found.dev, card)


def _numbered(
    train: Examples, dev: Examples, label: str
) -> tuple[pd.DataFrame, pd.DataFrame, list[str]]:
    """Both tables with class ids as labels, and the names of the classes."""
    check_same_columns(train, dev)
    names, ids = classes(train, dev, label)
    for number, name in enumerate(names):
        if others := sorted(s for s, found in ids.items() if found == number and s != name):
            log.warning("class %s: also written %s", name, listed(others))
    if "-" in names:
        log.warning("'-' is a class; if it marks rows without a label, set `unlabeled: drop`")
    return _table(train, ids), _table(dev, ids), names


def _table(examples: Examples, ids: dict[str, int]) -> pd.DataFrame:
    columns = ["sentence"] if len(examples.texts) == 1 else ["sentence1", "sentence2"]
    table = pd.DataFrame(dict(zip(columns, examples.texts, strict=True)), dtype=object)
    table = table.astype(dict.fromkeys(columns, str))
    return table.assign(label=np.array([ids[label] for label in examples.labels], dtype=np.int64))


def _unlabeled(train: Examples, dev: Examples) -> dict[str, int]:
    dropped = {"train": train.unlabeled, "dev": dev.unlabeled}
    for split, count in dropped.items():
        if count:
            log.info("%s: %d rows without a label dropped", split, count)
    return dropped


def _log_classes(drawn: pd.DataFrame, train: pd.DataFrame, names: list[str]) -> None:
    if train is not drawn:
        log.info("train: drawn stratified, since the random subset lacks classes")
    elif (count := train["label"].nunique()) < len(names):
        log.warning("train: %d of %d classes have no example in it", len(names) - count, len(names))


def digest(train: pd.DataFrame, dev: pd.DataFrame, names: list[str]) -> str:
    """SHA-256 over label names, texts and labels of both sets (64 hex digits)."""
    result = hashlib.sha256()
    for part in (names, *_parts(train), *_parts(dev)):
        result.update(f"{len(part)}\n".encode())
        for text in part:
            data = str(text).encode()
            result.update(f"{len(data)} ".encode() + data)
    return result.hexdigest()


def _parts(table: pd.DataFrame) -> list[list]:
    return [table[column].tolist() for column in table.columns]


def _counts(table: pd.DataFrame, names: list[str]) -> list[int]:
    return np.bincount(table["label"], minlength=len(names)).tolist()


def _file_digests(paths: Sequence[Path]) -> dict[str, dict[str, str]]:
    digests = {}
    splits = ("train", "dev") if len(paths) == 2 else ("all",)
    for split, path in zip(splits, paths, strict=True):
        with path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        digests[split] = {"name": path.name, "sha256": sha256}
    return digests
