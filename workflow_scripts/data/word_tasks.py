"""Tasks whose labels belong to words or pairs of words, as tables: a row per label.

Imported while the workflow is planned: only the standard library at the top.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workflow_scripts.common.errors import UserError, cut, nearest
from workflow_scripts.data import synthetic
from workflow_scripts.data.corpora import Corpus, Sentence, Target, joined, read_conllu
from workflow_scripts.data.corpora import read_token_table as read_tokens
from workflow_scripts.data.grammars import tags
from workflow_scripts.data.grammars.draw import Draw

if TYPE_CHECKING:
    import pandas as pd

log = logging.getLogger("tunescape")

UNITS = ("sentence", "word", "pair")
GRAMMARS = {"tags": tags}
# Share of the sentences of a corpus without a split that are its dev set.
DEV_SHARE = 0.2


@dataclass(frozen=True)
class WordTask:
    """The examples of a task whose labels belong to words.

    Attributes
    ----------
    train, dev : DataFrame
        A row per label, in the order of the source: ``sentence`` (text, its words divided by single
        spaces), ``sentence_id`` (its number in the split, from 0), ``start`` and ``stop`` (first
        character of the word, and the one after its last), of pairs also ``head_start`` and
        ``head_stop``, and ``label`` (int64).
    names : list of str
        Label names, sorted: of both splits, so that some may be absent from one of them.
    card : dict
        What is known of the task, as plain values.
    """

    train: pd.DataFrame
    dev: pd.DataFrame
    names: list[str]
    card: dict[str, Any]


def read_corpus(path: Path, label: str, unit: str, text: Sequence[str] | None = None) -> Corpus:
    """Labelled words of a CoNLL-U file or a token table, by its ending.

    Parameters
    ----------
    path : Path
        ``.conllu``, or ``.tsv`` with columns ``text`` (words divided by single spaces), ``start``
        (the word's place, from 0), for pairs ``head``, and perhaps ``length`` and ``sent_id``.
    label : str
        Column that holds the label; of CoNLL-U ``upos``, ``xpos`` or ``deprel``.
    unit : {"word", "pair"}
        What the labels belong to.
    text : sequence of str, optional
        The one column of a table that holds the sentence; ``text`` by default.

    Raises
    ------
    UserError
        If a line is broken (the message has file and line), the labels belong to another unit, or
        there is none.
    """
    if path.name.lower().endswith(".conllu"):
        corpus = read_conllu(path, label)
        if corpus.unit != unit:
            raise UserError(
                f"{path}: unit: got {unit!r}, expected {corpus.unit!r}: {label} belongs to "
                f"{'pairs of words' if corpus.unit == 'pair' else 'single words'}"
            )
    else:
        column = text[0] if text else "text"
        corpus = read_tokens(path, label, column, head="head" if unit == "pair" else None)
    if not corpus.labels:
        raise UserError(f"{path}: no word has a label in column {label!r}")
    return corpus


def read_splits(
    paths: Sequence[Path], label: str, unit: str, text: Sequence[str] | None, seed: int
) -> tuple[Corpus, Corpus]:
    """Training and dev sentences; of one file four fifths and one fifth, a seeded draw.

    Parameters
    ----------
    paths : sequence of Path
        One file or two.
    label, unit, text
        As in ``read_corpus``.
    seed : int
        Of the draw.
    """
    corpora = [read_corpus(path, label, unit, text) for path in paths]
    if len(corpora) == 2:
        return corpora[0], corpora[1]
    (corpus,) = corpora
    labelled = [k for k, one in enumerate(corpus.sentences) if one.targets]
    count = round(DEV_SHARE * len(labelled))
    if not 0 < count < len(labelled):
        raise UserError(
            f"{paths[0]}: got {len(labelled)} sentences with labels, expected 3 or more to divide"
        )
    of_dev = set(Draw("tunescape split", seed).sample(labelled, count))
    parts: list[list[Sentence]] = [[], []]
    for number, one in enumerate(corpus.sentences):
        parts[number in of_dev].append(one)
    # What was left out is counted once, with the training sentences.
    train, dev = (
        Corpus(tuple(part), corpus.unit, left_out)
        for part, left_out in zip(parts, (corpus.left_out, 0), strict=True)
    )
    return train, dev


def generated(name: str, train: int | None, dev: int | None, seed: int) -> tuple[Corpus, Corpus]:
    """Sentences of a grammar that knows the class of each word.

    Parameters
    ----------
    name : str
        A name in ``GRAMMARS``.
    train, dev : int or None
        Numbers of sentences; None for ``synthetic.USUAL``. A smaller set is the beginning of a
        larger one, and neither set depends on the other's size.
    seed : int
        Any integer.
    """
    check_generated(name, {"train": train, "dev": dev})
    return _sentences(name, "train", train, seed), _sentences(name, "dev", dev, seed)


def check_generated(name: str, sizes: dict[str, int | None]) -> None:
    """Check that a grammar exists and makes so many sentences.

    Raises
    ------
    UserError
        If it does not.
    """
    if name not in GRAMMARS:
        raise UserError(
            f"source 'synthetic:{name}': got {name!r}, allowed where the unit is a word: "
            f"{', '.join(GRAMMARS)}{nearest(name, GRAMMARS)}"
        )
    for split, count in sizes.items():
        if count is not None and not 2 <= count <= synthetic.MOST[split]:
            raise UserError(
                f"source 'synthetic:{name}': {split} asks for {count} sentences, allowed: 2 to "
                f"{synthetic.MOST[split]}"
            )


def _sentences(name: str, split: str, count: int | None, seed: int) -> Corpus:
    size = synthetic.USUAL[split] if count is None else count
    draw = Draw("tunescape", name, split, seed)
    found: dict[str, Sentence] = {}
    while len(found) < size:
        fresh = split == "dev" and draw.chance(synthetic.HELD_OUT)
        tagged = GRAMMARS[name].example(draw, fresh)
        words, labels = zip(*tagged, strict=True)
        text = " ".join(words)
        if text not in found and synthetic.belongs_to_dev(text) == (split == "dev"):
            targets = tuple(Target((place,), label) for place, label in enumerate(labels))
            found[text] = Sentence(str(len(found)), words, targets)
    return Corpus(tuple(found.values()), "word", 0)


def as_task(
    train: Corpus, dev: Corpus, sizes: tuple[int | None, int | None], seed: int, place: str
) -> WordTask:
    """Both splits as tables with label ids.

    Parameters
    ----------
    train, dev : Corpus
    sizes : tuple of (int or None)
        Sentences of each split, a seeded draw; None takes all that have a label.
    seed : int
        Of the draw.
    place : str
        Begins a message.

    Raises
    ------
    UserError
        If there are fewer sentences, or the training words have fewer than two labels.
    """
    tables, sentences, available = [], {}, {}
    for split, corpus, size in zip(("train", "dev"), (train, dev), sizes, strict=True):
        labelled = [one for one in corpus.sentences if one.targets]
        available[split] = len(labelled)
        if size is not None and size > len(labelled):
            raise UserError(
                f"{place}: {split} asks for {size} sentences, there are {len(labelled)} with labels"
            )
        if size is not None and size < len(labelled):
            chosen = Draw("tunescape subset", split, seed).sample(range(len(labelled)), size)
            labelled = [labelled[k] for k in sorted(chosen)]
        sentences[split] = len(labelled)
        tables.append(_rows(labelled))
    names = sorted({name for rows in tables for name in rows["label"]})
    ids = {name: k for k, name in enumerate(names)}
    first, second = (_table(rows, ids) for rows in tables)
    if (count := first["label"].nunique()) < 2:
        raise UserError(f"{place}: the training words have {count} label, a task needs two or more")
    for split, table in (("train", first), ("dev", second)):
        if absent := [name for name, k in ids.items() if k not in set(table["label"])]:
            log.warning("%s: no word has the label %s", split, cut(", ".join(absent), 200))
    card = {
        "unit": train.unit,
        "available": available,
        "sentences": sentences,
        "left_out": {"train": train.left_out, "dev": dev.left_out},
    }
    return WordTask(first, second, names, card)


def _rows(sentences: Sequence[Sentence]) -> dict[str, list[Any]]:
    rows: dict[str, list[Any]] = {}
    for number, one in enumerate(sentences):
        text, spans = joined(one.words)
        for target in one.targets:
            row = {"sentence": text, "sentence_id": number}
            for prefix, word in zip(("", "head_"), target.words, strict=False):
                row |= {f"{prefix}start": spans[word][0], f"{prefix}stop": spans[word][1]}
            for key, value in (row | {"label": target.label}).items():
                rows.setdefault(key, []).append(value)
    return rows


def _table(rows: dict[str, list[Any]], ids: dict[str, int]) -> pd.DataFrame:
    import pandas as pd

    rows = {**rows, "label": [ids[name] for name in rows["label"]]}
    types = {key: "int64" for key in rows if key != "sentence"} | {"sentence": str}
    return pd.DataFrame(rows).astype(types)
