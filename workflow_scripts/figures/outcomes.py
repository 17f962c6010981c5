"""Whether the runs that a figure shows have learned, from their scores."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import numpy as np

from workflow_scripts.common.tables import read_table
from workflow_scripts.common.titles import PairTitle, RunOutcome, TaskTitle

Title = TypeVar("Title", bound=TaskTitle)
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
        ``scores.parquet`` of runs.
    scored : sequence of dict
        For each of them ``name`` (of the title that it belongs to), ``task``, ``start``, ``seeds``.

    Raises
    ------
    ValueError
        Unless there are as many of either.
    """
    by_name = {title.name: title for title in titles}
    found: dict[str, list[RunOutcome]] = {}
    for path, which in zip(scores, scored, strict=True):
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
        )
        found.setdefault(which["name"], []).append(outcome)
    return [replace(title, outcomes=tuple(found.get(title.name, ()))) for title in titles]


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
