"""The claims of Zhou and Srikumar (2022), each evaluated as numbers with intervals.

With three runs or more an interval is over runs. With one or two it is over labels: a label is a
unit, as an example is elsewhere, and a number then only agrees or disagrees. Depth is counted in
thirds of the layers, the embeddings left out.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import nan

import numpy as np
import pandas as pd

from workflow_scripts.common.thresholds import LEAST_RUNS, PRESERVED
from workflow_scripts.common.titles import TaskTitle
from workflow_scripts.model.layers import layer_groups
from workflow_scripts.probing.direct_probe import LabelDistances
from workflow_scripts.probing.geometry import similarity
from workflow_scripts.report.ledger import (
    Claim,
    Conclusion,
    LedgerRow,
    concluded,
    decided,
    reported,
)
from workflow_scripts.stability.intervals import Interval, jackknife, of_mean, student_t

# Labels of which an interval over labels needs so many.
LEAST_LABELS = 4


@dataclass(frozen=True, eq=False)
class RunGeometry:
    """What was measured of a run.

    Attributes
    ----------
    seeds : str
        The run's seeds.
    failed : bool
        Whether it ends no better than the majority class.
    distances : dict of (int, int, str) to LabelDistances
        By epoch, layer (-1 is the embeddings) and split.
    clusters : DataFrame
        ``epoch`` and ``clusters`` of each label; empty where clusters are left out.
    probes : DataFrame
        ``epoch``, ``kind``, ``dev`` of each probe.
    """

    seeds: str
    failed: bool
    distances: dict[tuple[int, int, str], LabelDistances]
    clusters: pd.DataFrame
    probes: pd.DataFrame

    @property
    def ends(self) -> tuple[int, int]:
        """First and last epoch."""
        epochs = [epoch for epoch, _, _ in self.distances]
        return min(epochs), max(epochs)

    @property
    def layers(self) -> list[int]:
        """Layers, ascending, without the embeddings."""
        return sorted({layer for _, layer, _ in self.distances if layer >= 0})

    def at(self, end: int, split: str, layer: int | None = None) -> LabelDistances:
        """Distances at the first (0) or the last (1) epoch, of the last layer by default."""
        return self.distances[self.ends[end], self.layers[-1] if layer is None else layer, split]


@dataclass(frozen=True)
class ProbingEvidence:
    """A task's runs.

    Attributes
    ----------
    title : TaskTitle
        The task.
    runs : list of RunGeometry
        In the order of their seeds.
    """

    title: TaskTitle
    runs: list[RunGeometry]


# Numbers of runs


def over_runs(values: Sequence[float], of_one: Interval) -> Interval:
    """Interval of a mean over runs; with fewer than three that of labels, about the runs' mean.

    Parameters
    ----------
    values : sequence of float
        One per run.
    of_one : Interval
        Over the labels of the first run.
    """
    if len(values) >= LEAST_RUNS:
        return of_mean(np.array(values))
    shift = float(np.mean(values)) - of_one.value
    return of_one.map(lambda value: value + shift)


def _numbered(
    runs: list[RunGeometry],
    statistic: Callable[[RunGeometry, np.ndarray], float],
    labels: Callable[[RunGeometry], np.ndarray],
) -> tuple[Interval, str]:
    """A smooth statistic of some labels: its interval, and why there is none."""
    values = [statistic(run, labels(run)) for run in runs]
    if not np.isfinite(values).all():
        return Interval(nan, nan, nan), "labels overlap or are fewer than three"
    own = labels(runs[0])
    if len(own) < LEAST_LABELS:
        return over_runs(values, Interval(values[0], nan, nan)), ""
    _, variance = jackknife(lambda kept: statistic(runs[0], own[kept]), len(own))
    if not np.isfinite(variance):
        return over_runs(values, Interval(values[0], nan, nan)), ""
    one = student_t(values[0], float(np.sqrt(variance)), len(own) - 1)
    return over_runs(values, one), ""


def _row(
    evidence: ProbingEvidence,
    measure: str,
    statistic: Callable[[RunGeometry, np.ndarray], float],
    labels: Callable[[RunGeometry], np.ndarray],
    claimed: str,
    bound: float = 0.0,
) -> LedgerRow:
    number, unmet = _numbered(evidence.runs, statistic, labels)
    unmet = unmet or _failed(evidence)
    return decided(measure, number, claimed, bound, len(evidence.runs), unmet)


def _failed(evidence: ProbingEvidence) -> str:
    failed = [run.seeds for run in evidence.runs if run.failed]
    return f"the run {failed[0]} is no better than the majority class" if failed else ""


def _in_both(split: str) -> Callable[[RunGeometry], np.ndarray]:
    """Labels that a split has."""
    return lambda run: run.at(0, split).labels


def _in_splits(run: RunGeometry) -> np.ndarray:
    """Labels that both splits have."""
    return np.intersect1d(run.at(0, "train").labels, run.at(0, "dev").labels)


def _correlation(first: LabelDistances, second: LabelDistances, labels: np.ndarray) -> float:
    """Pearson correlation of the distances of some labels; NaN where it is not defined."""
    found = similarity(first.among(labels), second.among(labels)).value
    return nan if found is None else found


# The claims


def _growth(split: str) -> Callable[[RunGeometry, np.ndarray], float]:
    """Mean change of the labels' distance to their nearest other, as a share of it before."""

    def statistic(run: RunGeometry, labels: np.ndarray) -> float:
        before, after = (run.at(end, split).among(labels).nearest for end in (0, 1))
        start = float(np.mean(before))
        return float(np.mean(after - before)) / start if start > 0 else nan

    return statistic


def distances_increase(evidence: ProbingEvidence) -> list[Conclusion]:
    """Distances between labels, before and after, in the last layer."""
    rows = {
        f"{split} examples": _row(
            evidence,
            f"distance to the nearest other label, {split} examples, change as a share",
            _growth(split),
            _in_both(split),
            "above",
        )
        for split in ("train", "dev")
    }
    return [concluded(evidence.title, rows)]


def labels_join(evidence: ProbingEvidence) -> list[Conclusion]:
    """Clusters per label, before and after; exact for a run, so that one run has no interval."""
    changes, before, measure = [], [], "clusters per label, change (exact for a run)"
    for run in evidence.runs:
        if run.clusters.empty:
            return []
        counts = run.clusters.groupby("epoch")["clusters"].agg(["sum", "size"])
        per_label = (counts["sum"] / counts["size"])[list(run.ends)].to_numpy()
        before.append(per_label[0])
        changes.append(per_label[1] - per_label[0])
    unmet = "" if max(before) > 1 else "each label is one cluster before fine-tuning"
    value = float(np.mean(changes))
    number = over_runs(changes, Interval(value, value, value))
    unmet = unmet or _failed(evidence)
    row = decided(measure, number, "below", 0.0, len(changes), unmet)
    return [concluded(evidence.title, {"clusters": row})]


def _by_layer(run: RunGeometry, labels: np.ndarray, kind: str) -> np.ndarray:
    """How much each layer's distances of labels change."""
    changes = []
    for layer in run.layers:
        before, after = (run.at(end, "train", layer).among(labels) for end in (0, 1))
        if kind == "correlation":
            changes.append(1 - _correlation(before, after, labels))
        else:
            size = float(np.linalg.norm(before.distance))
            gap = float(np.linalg.norm(after.distance - before.distance))
            changes.append(gap / size if size > 0 else nan)
    return np.array(changes)


def _upper_gap(kind: str) -> Callable[[RunGeometry, np.ndarray], float]:
    def statistic(run: RunGeometry, labels: np.ndarray) -> float:
        changes = _by_layer(run, labels, kind)
        thirds = layer_groups(len(changes))
        return float(changes[list(thirds["high"])].mean() - changes[list(thirds["low"])].mean())

    return statistic


def upper_layers_change_more(evidence: ProbingEvidence) -> list[Conclusion]:
    """Change of the distances of labels, last third of the layers minus low third."""
    if len(evidence.runs[0].layers) < 3:
        return []
    words = {
        "correlation": "1 − Pearson correlation of the distances before and after",
        "size": "change of the distances as a share",
    }
    rows = {
        kind: _row(
            evidence,
            f"{measure}, last third minus low",
            _upper_gap(kind),
            _in_both("train"),
            "above",
        )
        for kind, measure in words.items()
    }
    return [concluded(evidence.title, rows)]


def positions_preserved(evidence: ProbingEvidence) -> list[Conclusion]:
    """Similarity of the geometry before and after, in the last layer."""

    def statistic(run: RunGeometry, labels: np.ndarray) -> float:
        return _correlation(run.at(0, "train"), run.at(1, "train"), labels)

    measure = "Pearson correlation of the distances before and after, last layer"
    row = _row(evidence, measure, statistic, _in_both("train"), "above", PRESERVED)
    row = replace(row, number=row.number.clipped(-1, 1))
    return [concluded(evidence.title, {"correlation": row})]


def splits_diverge(evidence: ProbingEvidence) -> list[Conclusion]:
    """Similarity of the splits' geometries, after minus before; accuracies of probes beside."""

    def statistic(run: RunGeometry, labels: np.ndarray) -> float:
        before, after = (
            _correlation(run.at(end, "train"), run.at(end, "dev"), labels) for end in (0, 1)
        )
        return after - before

    measure = "Pearson correlation of training and dev examples, change"
    row, others = _row(evidence, measure, statistic, _in_splits, "below"), []
    for kind, words in (("logistic", "logistic regression"), ("mlp", "small network")):
        changes = []
        for run in evidence.runs:
            means = run.probes[run.probes["kind"] == kind].groupby("epoch")["dev"].mean()
            if len(means):
                changes.append(100 * float(means[run.ends[1]] - means[run.ends[0]]))
        if changes:
            number = over_runs(changes, Interval(changes[0], nan, nan))
            text = f"dev accuracy of a probe ({words}), change in points"
            others.append(reported(text, number, len(changes)))
    return [concluded(evidence.title, {"correlation": row}, others)]


CLAIMS = (
    Claim(
        "distances_increase",
        "Fine-tuning increases the distances between labels",
        "section 4.2",
        ProbingEvidence,
        distances_increase,
    ),
    Claim(
        "labels_join",
        "Fine-tuning makes the examples of a label join",
        "section 4.1",
        ProbingEvidence,
        labels_join,
    ),
    Claim(
        "upper_layers_change_more",
        "Fine-tuning changes upper layers more",
        "section 4.3",
        ProbingEvidence,
        upper_layers_change_more,
    ),
    Claim(
        "positions_preserved",
        "Fine-tuning largely preserves the relative positions of labels",
        "section 4.3",
        ProbingEvidence,
        positions_preserved,
    ),
    Claim(
        "splits_diverge",
        "Fine-tuning makes training and test examples diverge, and accuracy can fall",
        "section 4.1",
        ProbingEvidence,
        splits_diverge,
    ),
)
