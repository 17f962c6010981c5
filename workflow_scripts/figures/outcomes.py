"""Whether the runs that a figure shows have learned, from their scores."""

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import numpy as np

from workflow_scripts.common.tables import read_json, read_table
from workflow_scripts.common.titles import PairTitle, RunOutcome, TaskTitle

Title = TypeVar("Title", bound=TaskTitle)
# Names of data sets such as snli, multi_nli, AllNLI and xnli.
_NLI = re.compile("nli", re.IGNORECASE)
_STARTS = {"scratch": "from scratch", "pretrained": "fine-tuned"}


def with_outcomes(
    titles: Sequence[Title], scores: Sequence[Path], scored: Sequence[dict[str, str]]
) -> list[Title]:
    """Titles that know how their runs ended.

    Parameters
    ----------
    titles : sequence of TaskTitle
        Tasks or pairs of models.
    scores : sequence of Path
        ``scores.parquet`` of runs; then, perhaps, ``card.json`` of their model and of their tasks.
    scored : sequence of dict
        For each run ``name`` (of the title that it belongs to), ``task``, ``start``, ``seeds``.

    Raises
    ------
    ValueError
        Unless there are scores of as many runs.
    """
    tables = score_tables(scores)
    cards = [read_json(path) for path in scores if path not in tables]
    pairs = {card["name"] for card in cards if card.get("pair")}
    seen = tuple(name for card in cards for name in card.get("datasets", ()) if _NLI.search(name))
    by_name = {title.name: title for title in titles}
    found: dict[str, list[RunOutcome]] = {}
    for path, which in zip(tables, scored, strict=True):
        last = read_table(path, ["accuracy", "majority", "failed"]).iloc[-1]
        of_pair = isinstance(by_name.get(which["name"]), PairTitle)
        outcome = RunOutcome(
            words=f"{which['task']} with {which['seeds']}"
            if of_pair
            else f"{by_name[which['name']].title} {_STARTS[which['start']]}",
            start=which["start"],
            accuracy=float(last["accuracy"]),
            majority=float(last["majority"]),
            failed=bool(last["failed"]),
            seen=seen if which["start"] == "pretrained" and which["task"] in pairs else (),
        )
        found.setdefault(which["name"], []).append(outcome)
    return [replace(title, outcomes=tuple(found.get(title.name, ()))) for title in titles]


def score_tables(scores: Sequence[Path]) -> list[Path]:
    """The tables among ``scores``, without the cards behind them."""
    return [path for path in scores if Path(path).suffix == ".parquet"]


def outcome_note(titles: Sequence[TaskTitle]) -> str:
    """Sentences for a caption, after a space each: on imported and failed runs, on head starts.

    A model that was trained on NLI pairs before has a head start on tasks of pairs.
    """
    ahead = {title.title: one.seen for title in titles for one in title.outcomes if one.seen}
    if not ahead:
        return run_note(titles)
    names = " and ".join(dict.fromkeys(name for seen in ahead.values() for name in seen))
    return (
        f"{run_note(titles)} The pre-trained model had been trained on NLI pairs ({names}) "
        f"before: it has a head start on {', '.join(ahead)}."
    )


def run_note(titles: Sequence[TaskTitle]) -> str:
    """Sentences for a caption, after a space each: on imported runs, and on failed ones."""
    return f"{_imported_note(titles)}{failed_note(titles)}"


def point_word(titles: Sequence[TaskTitle]) -> str:
    """What a checkpoint's number counts: epochs, or the checkpoints of imported runs."""
    imported = {bool(title.imported) for title in titles}
    return {frozenset({True}): "checkpoint", frozenset({True, False}): "epoch or checkpoint"}.get(
        frozenset(imported), "epoch"
    )


def _imported_note(titles: Sequence[TaskTitle]) -> str:
    """Sentences for a caption, after a space each, on runs trained elsewhere."""
    imported = {title.title: title.imported for title in titles if title.imported}
    return "".join(f" {name} is an imported run: {words}." for name, words in imported.items())


def failed_note(titles: Sequence[TaskTitle]) -> str:
    """Sentence for a caption, after a space, that names the failed runs; empty without any."""
    failed = {
        outcome: f"{outcome.words} ({_percent(outcome.accuracy)}, majority "
        f"{_percent(outcome.majority)})"
        for title in titles
        for outcome in title.outcomes
        if outcome.failed
    }
    if not failed:
        return ""
    named = ", ".join(failed.values())
    return f" Failed runs, with accuracies no better than the majority class: {named}."


def majority_note(titles: Sequence[TaskTitle]) -> str:
    """Sentence on the accuracies of the majority classes, where they are known; else empty."""
    known = [title for title in titles if title.outcomes]
    if not known:
        return ""
    shares = [f"{title.title} {_percent(title.outcomes[0].majority)}" for title in known]
    return f"Accuracy of the majority class: {', '.join(shares)}."


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %" if np.isfinite(share) else "diverged"
