"""Corpora whose labels belong to words or pairs of words: CoNLL-U files and token tables.

Imported while the workflow is planned: only the standard library at the top.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from workflow_scripts.common.errors import UserError, nearest, one_line

# Columns of a CoNLL-U line that are read; the format has ten.
CONLLU_COLUMNS = 10
UNITS = {"upos": "word", "xpos": "word", "deprel": "pair"}


@dataclass(frozen=True)
class Target:
    """A label of a word, or of a pair of words.

    Attributes
    ----------
    words : tuple of int
        Positions in the sentence, from 0: one, or the dependent and its head.
    label : str
        The label as the file spells it.
    """

    words: tuple[int, ...]
    label: str


@dataclass(frozen=True)
class Sentence:
    """A sentence with its labelled words.

    Attributes
    ----------
    name : str
        From the file, or the number of the sentence in it.
    words : tuple of str
        Words in the order of the sentence.
    targets : tuple of Target
        Labels of words, or of pairs of words.
    """

    name: str
    words: tuple[str, ...]
    targets: tuple[Target, ...]


@dataclass(frozen=True)
class Corpus:
    """Labelled sentences of one file.

    Attributes
    ----------
    sentences : tuple of Sentence
        Those without a label are left in: they have no targets.
    unit : {"word", "pair"}
        What the labels belong to.
    left_out : int
        Labels in the file that are none of the task's: roots, words without the label, targets of
        several words.
    """

    sentences: tuple[Sentence, ...]
    unit: Literal["word", "pair"]
    left_out: int

    @property
    def labels(self) -> tuple[str, ...]:
        """All labels that occur, sorted."""
        return tuple(sorted({t.label for s in self.sentences for t in s.targets}))


def read_conllu(path: Path, label: str = "upos") -> Corpus:
    """Words with tags, or dependent and head with their relation, of a CoNLL-U file.

    Words of contractions (1-2) are taken singly, as the annotation has them; empty nodes (1.1) are
    no words. Roots have no head, and are left out.

    Parameters
    ----------
    path : Path
        UTF-8 text.
    label : {"upos", "xpos", "deprel"}
        Column that holds the labels; ``deprel`` is one of pairs, its subtypes (``nsubj:pass``)
        are kept.

    Raises
    ------
    UserError
        If a line is not CoNLL-U (the message has file and line), the column is unknown, or the
        file has no sentences.
    """
    if label not in UNITS:
        raise UserError(f"label: got {label!r}, allowed: {', '.join(UNITS)}{nearest(label, UNITS)}")
    sentences, left_out = [], 0
    for number, (name, lines) in enumerate(_blocks(path), start=1):
        words: list[str] = []
        targets = []
        tokens = [(place, token) for place, line in lines if (token := _token(path, place, line))]
        ids = {token["id"]: word for word, (_, token) in enumerate(tokens)}
        for word, (place, token) in enumerate(tokens):
            if token["id"] != word + 1:
                raise UserError(f"{path}:{place}: got word {token['id']}, expected word {word + 1}")
            words.append(token["form"])
            value = token[label]
            if UNITS[label] == "pair":
                head = token["head"]
                if head is not None and head != 0 and head not in ids:
                    raise UserError(
                        f"{path}:{place}: got head {head}, the sentence has words 1 to {len(ids)}"
                    )
                # A root has no head.
                places = (word, ids[head]) if head else ()
            else:
                places = (word,)
            if value in (None, "_") or not places:
                left_out += 1
            else:
                targets.append(Target(places, value))
        sentences.append(Sentence(name or str(number), tuple(words), tuple(targets)))
    if not sentences:
        raise UserError(f"{path}: has no sentences")
    return Corpus(tuple(sentences), UNITS[label], left_out)


def _blocks(path: Path) -> Iterator[tuple[str | None, list[tuple[int, str]]]]:
    """Name and numbered lines of each sentence; comments are left out."""
    name: str | None = None
    lines: list[tuple[int, str]] = []
    for place, line in enumerate(_lines(path), start=1):
        if not line.strip():
            if lines:
                yield name, lines
            name, lines = None, []
        elif line.startswith("#"):
            key, equals, value = line[1:].partition("=")
            if equals and key.strip() == "sent_id":
                name = value.strip()
        else:
            lines.append((place, line))
    if lines:
        yield name, lines


def _lines(path: Path) -> list[str]:
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read ({one_line(error)[:200]})") from None
    return text.split("\n")


def _token(path: Path, place: int, line: str):
    """Columns of a word by name; None for a contraction or an empty node."""
    from conllu.exceptions import ParseException
    from conllu.parser import DEFAULT_FIELDS, parse_line

    columns = line.rstrip("\r").split("\t")
    if len(columns) != CONLLU_COLUMNS:
        raise UserError(
            f"{path}:{place}: got {len(columns)} columns, expected {CONLLU_COLUMNS} with tabs "
            f"between: {line[:60]!r}"
        )
    if empty := [name for name, value in zip(DEFAULT_FIELDS, columns, strict=True) if not value]:
        raise UserError(f"{path}:{place}: column {empty[0]} is empty, expected a value or _")
    try:
        # The parser also splits at two spaces, which a form may hold.
        token = parse_line(re.sub(" {2,}", " ", line.rstrip("\r")), DEFAULT_FIELDS)
    except ParseException as error:
        raise UserError(f"{path}:{place}: {one_line(error)[:200]}") from None
    token["form"] = columns[1]
    if isinstance(token["id"], int):
        return token
    if token["id"] is None:
        raise UserError(f"{path}:{place}: got id {columns[0]!r}, expected a number")
    return None


def read_token_table(
    path: Path,
    label: str,
    text: str = "text",
    start: str = "start",
    head: str | None = None,
    length: str | None = "length",
) -> Corpus:
    """Words with labels from a tab-separated table with a header, a row per label.

    Rows that follow each other belong to one sentence if they have the same text, and the same
    ``sent_id`` if the table has that column; else a sentence is named by its first line.

    Parameters
    ----------
    path : Path
        UTF-8 text; no field is quoted.
    label, text, start : str
        Columns: of the label; of the sentence, its words divided by single spaces; of the word's
        place, from 0.
    head : str or None
        Column of the second word's place; None: the labels are of single words.
    length : str or None
        Column of the number of words. Rows of more than one are left out. It may be missing.

    Raises
    ------
    UserError
        If a column is missing, a row is broken (the message has file and line), or the table has
        no rows.
    """
    lines = [line.rstrip("\r") for line in _lines(path)]
    header = lines[0].split("\t")
    for name in (label, text, start, *([head] if head else [])):
        if header.count(name) != 1:
            raise UserError(
                f"{path}: got {header.count(name)} columns {name!r}, expected one; its columns are "
                f"{', '.join(header)[:200]}{nearest(name, header)}"
            )
    sentences: list[Sentence] = []
    left_out = 0
    for place, line in enumerate(lines[1:], start=2):
        if not line.strip():
            continue
        fields = line.split("\t")
        if len(fields) != len(header):
            raise UserError(f"{path}:{place}: got {len(fields)} fields, expected {len(header)}")
        row = dict(zip(header, fields, strict=True))
        words = tuple(row[text].split(" "))
        places = tuple(
            _place(path, place, column, row[column], len(words))
            for column in (start, head)
            if column
        )
        last = sentences[-1] if sentences else None
        name = row.get("sent_id", last.name if last and last.words == words else str(place))
        if last is None or (last.name, last.words) != (name, words):
            sentences.append(Sentence(name, words, ()))
        if not row[label].strip() or row.get(length or "", "1") != "1":
            left_out += 1
            continue
        last = sentences[-1]
        targets = (*last.targets, Target(places, row[label]))
        sentences[-1] = Sentence(last.name, last.words, targets)
    if not sentences:
        raise UserError(f"{path}: has no rows")
    return Corpus(tuple(sentences), "pair" if head else "word", left_out)


def _place(path: Path, line: int, column: str, value: str, count: int) -> int:
    if not value.isdecimal() or int(value) >= count:
        raise UserError(
            f"{path}:{line}: {column}: got {value!r}, expected a word's place, 0 to {count - 1}"
        )
    return int(value)


def joined(words: Sequence[str]) -> tuple[str, list[tuple[int, int]]]:
    """A sentence's text, single spaces between its words, and where each word is.

    Parameters
    ----------
    words : sequence of W str
        Words in the order of the sentence.

    Returns
    -------
    text : str
    spans : list of W (int, int)
        First character of each word, and the one after its last.
    """
    spans, first = [], 0
    for word in words:
        spans.append((first, first + len(word)))
        first += len(word) + 1
    return " ".join(words), spans
