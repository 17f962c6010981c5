"""Tasks generated from grammars of this project: the same sentences for the same seed, anywhere.

They take the place of GLUE's data sets where there is no network, and are called synthetic wherever
they appear. ``grammars/`` holds one module per task: its labels, its word lists, and ``example``,
which makes one example. This module does what all tasks have in common: balanced labels, no
duplicates, nothing shared between training and dev set, and words held out of training.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from workflow_scripts.common.errors import UserError, nearest
from workflow_scripts.data.grammars import entailment, nli, paraphrase, sentiment
from workflow_scripts.data.grammars.draw import Draw
from workflow_scripts.data.grammars.grammar import Grammar

if TYPE_CHECKING:
    import pandas as pd

GRAMMARS: dict[str, Grammar] = {
    "nli": nli.GRAMMAR,
    "entailment": entailment.GRAMMAR,
    "sentiment": sentiment.GRAMMAR,
    "paraphrase": paraphrase.GRAMMAR,
}
# Default numbers of examples, and the largest ones allowed. Every grammar makes far more;
# ``tests/data`` generates these.
USUAL = {"train": 600, "dev": 400}
MOST = {"train": 20_000, "dev": 4_000}
# Share of the dev examples that turn on words held out of training.
HELD_OUT = 0.6
# Share of all first sentences that belong to the dev set.
DEV_SHARE = 0.25


def check_size(task: str, split: str, count: int | None) -> int:
    """The number of examples of a split, ``USUAL`` by default.

    Raises
    ------
    UserError
        If there are fewer examples than labels, or more than ``MOST``.
    """
    size = USUAL[split] if count is None else count
    labels = len(GRAMMARS[task].labels)
    if not labels <= size <= MOST[split]:
        raise UserError(
            f"source 'synthetic:{task}': {split} asks for {size} examples, "
            f"allowed: {labels} to {MOST[split]}"
        )
    return size


def generate(
    task: str, train: int | None, dev: int | None, seed: int
) -> tuple[pd.DataFrame, pd.DataFrame, list[str]]:
    """Generate a synthetic task.

    Parameters
    ----------
    task : str
        A name in ``GRAMMARS``.
    train, dev : int or None
        Numbers of examples; None for ``USUAL``. A smaller set is the beginning of a larger one,
        and neither set depends on the other's size.
    seed : int
        Any integer; another seed gives other sentences from the same grammar.

    Returns
    -------
    train, dev : DataFrame
        The text columns and ``label`` (0 .. K-1, balanced as far as the number allows).
        ``HELD_OUT`` of the dev examples, chosen whatever the label, turn on words (or relations
        of words) that no training set has.
    names : list of str
        The K label names in the order of their ids.

    Raises
    ------
    UserError
        If the task is unknown, or the number of examples is out of range.
    """
    if task not in GRAMMARS:
        raise UserError(
            f"got synthetic task {task!r}, allowed: {', '.join(GRAMMARS)}{nearest(task, GRAMMARS)}"
        )
    tables = [_split(task, split, check_size(task, split, size), seed)
              for split, size in (("train", train), ("dev", dev))]  # fmt: skip
    return tables[0], tables[1], list(GRAMMARS[task].labels)


def _split(task: str, split: str, size: int, seed: int) -> pd.DataFrame:
    import pandas as pd

    grammar = GRAMMARS[task]
    draw = Draw("tunescape", task, split, seed)
    seen: set[tuple[str, ...]] = set()
    rows: list[tuple[str | int, ...]] = []
    labels: list[int] = []
    while len(rows) < size:
        # Every run of K examples has each label once, so that any number is balanced.
        labels = labels or draw.shuffled(range(len(grammar.labels)))
        label = labels.pop()
        fresh = split == "dev" and draw.chance(HELD_OUT)
        texts = _new_example(grammar, draw, split, label, fresh, seen)
        rows.append((*texts, label))
    table = pd.DataFrame(rows, columns=[*grammar.columns, "label"])
    return table.astype({"label": "int64"})


def _new_example(
    grammar: Grammar, draw: Draw, split: str, label: int, fresh: bool, seen: set[tuple[str, ...]]
) -> tuple[str, ...]:
    """A new example of the split; a pair in the other order is not new."""
    while True:
        texts = grammar.example(draw, label, fresh)
        key = tuple(sorted(texts))
        # If the two sentences could change places, both must belong to the split.
        homes = texts if grammar.symmetric else texts[:1]
        belongs = all(belongs_to_dev(text) == (split == "dev") for text in homes)
        if belongs and key not in seen:
            seen.add(key)
            return texts


def belongs_to_dev(sentence: str) -> bool:
    """Whether a sentence belongs to the dev set, by its own hash, whatever the seed.

    So no premise of the dev set was trained on, and neither set needs to know the other.
    """
    return hashlib.sha256(sentence.encode()).digest()[0] < 256 * DEV_SHARE
