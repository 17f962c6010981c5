"""The claims of Zhou and Srikumar (2022), each evaluated as numbers with intervals.

With three runs or more an interval is over runs. With one or two it is over labels: a label is a
unit, as an example is elsewhere, and a number then only agrees or disagrees. Depth is counted in
thirds of the layers, the embeddings left out.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import nan

import numpy as np
import pandas as pd

from workflow_scripts.common.titles import TaskTitle
from workflow_scripts.model.layers import layer_groups
from workflow_scripts.probing.direct_probe import LabelDistances
from workflow_scripts.probing.geometry import similarity
from workflow_scripts.report.statistics import Verdict, agreed, verdict
from workflow_scripts.report.thresholds import LEAST_RUNS, PRESERVED
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


@dataclass(frozen=True)
class Row:
    """A number that bears on a claim.

    Attributes
    ----------
    measure : str
        What the number is, with its unit.
    number : Interval
        With its 95 % interval.
    claimed : str
        Side of ``bound`` on which the paper puts it, ``above`` or ``below``; empty for no claim.
    bound : float
        In the number's unit.
    runs : int
        Runs behind it.
    unmet : str
        A precondition that does not hold; empty if all hold.
    """

    measure: str
    number: Interval
    claimed: str
    bound: float
    runs: int
    unmet: str = ""

    @property
    def verdict(self) -> Verdict:
        """Of this number alone."""
        return verdict(self.number, self.claimed, self.bound, self.runs, self.unmet)


@dataclass(frozen=True)
class ProbingClaim:
    """A claim and how it is evaluated.

    Attributes
    ----------
    name, sentence, source : str
        In the ledger; in words; section of the paper.
    evaluate : callable
        From ``ProbingEvidence`` to rows; those with a claimed side must agree.
    """

    name: str
    sentence: str
    source: str
    evaluate: Callable[[ProbingEvidence], list[Row]]


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
) -> Row:
    number, unmet = _numbered(evidence.runs, statistic, labels)
    return Row(measure, number, claimed, bound, len(evidence.runs), unmet or _failed(evidence))


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


def distances_increase(evidence: ProbingEvidence) -> list[Row]:
    """Distances between labels, before and after, in the last layer."""
    return [
        _row(
            evidence,
            f"distance to the nearest other label, {split} examples, change as a share",
            _growth(split),
            _in_both(split),
            "above",
        )
        for split in ("train", "dev")
    ]


def labels_join(evidence: ProbingEvidence) -> list[Row]:
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
    return [
        Row(measure, number, "below", 0.0, len(changes), unmet or _failed(evidence)),
    ]


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


def upper_layers_change_more(evidence: ProbingEvidence) -> list[Row]:
    """Change of the distances of labels, last third of the layers minus low third."""
    if len(evidence.runs[0].layers) < 3:
        return []
    words = {
        "correlation": "1 − Pearson correlation of the distances before and after",
        "size": "change of the distances as a share",
    }
    return [
        _row(
            evidence,
            f"{measure}, last third minus low",
            _upper_gap(kind),
            _in_both("train"),
            "above",
        )
        for kind, measure in words.items()
    ]


def positions_preserved(evidence: ProbingEvidence) -> list[Row]:
    """Similarity of the geometry before and after, in the last layer."""

    def statistic(run: RunGeometry, labels: np.ndarray) -> float:
        return _correlation(run.at(0, "train"), run.at(1, "train"), labels)

    measure = "Pearson correlation of the distances before and after, last layer"
    row = _row(evidence, measure, statistic, _in_both("train"), "above", PRESERVED)
    clipped = row.number.clipped(-1, 1)
    return [Row(row.measure, clipped, row.claimed, row.bound, row.runs, row.unmet)]


def splits_diverge(evidence: ProbingEvidence) -> list[Row]:
    """Similarity of the splits' geometries, after minus before; accuracies of probes beside."""

    def statistic(run: RunGeometry, labels: np.ndarray) -> float:
        before, after = (
            _correlation(run.at(end, "train"), run.at(end, "dev"), labels) for end in (0, 1)
        )
        return after - before

    measure = "Pearson correlation of training and dev examples, change"
    rows = [_row(evidence, measure, statistic, _in_splits, "below")]
    for kind, words in (("logistic", "logistic regression"), ("mlp", "small network")):
        changes = []
        for run in evidence.runs:
            means = run.probes[run.probes["kind"] == kind].groupby("epoch")["dev"].mean()
            if len(means):
                changes.append(100 * float(means[run.ends[1]] - means[run.ends[0]]))
        if changes:
            number = over_runs(changes, Interval(changes[0], nan, nan))
            text = f"dev accuracy of a probe ({words}), change in points"
            rows.append(Row(text, number, "", 0.0, len(changes)))
    return rows


CLAIMS = (
    ProbingClaim(
        "distances_increase",
        "Fine-tuning increases the distances between labels",
        "Zhou & Srikumar 2022, 4.2",
        distances_increase,
    ),
    ProbingClaim(
        "labels_join",
        "Fine-tuning makes the examples of a label join",
        "Zhou & Srikumar 2022, 4.1",
        labels_join,
    ),
    ProbingClaim(
        "upper_layers_change_more",
        "Fine-tuning changes upper layers more",
        "Zhou & Srikumar 2022, 4.3",
        upper_layers_change_more,
    ),
    ProbingClaim(
        "positions_preserved",
        "Fine-tuning largely preserves the relative positions of labels",
        "Zhou & Srikumar 2022, 4.3",
        positions_preserved,
    ),
    ProbingClaim(
        "splits_diverge",
        "Fine-tuning makes training and test examples diverge, and accuracy can fall",
        "Zhou & Srikumar 2022, 4.1",
        splits_diverge,
    ),
)


def probing_ledger(evidence: Sequence[ProbingEvidence]) -> pd.DataFrame:
    """All claims on all tasks.

    Parameters
    ----------
    evidence : sequence of ProbingEvidence
        A record per task.

    Returns
    -------
    DataFrame
        ``claim``, ``text``, ``task``, ``synthetic``, ``measure``, ``value``, ``low``, ``high``,
        ``limit`` (empty), ``claimed``, ``bound``, ``runs``, ``verdict`` and ``reason`` of the
        number; ``conclusion`` and ``why`` of the claim on the task.
    """
    rows = []
    for claim in CLAIMS:
        for record in evidence:
            found = claim.evaluate(record)
            deciding = {row.measure: row.verdict for row in found if row.claimed}
            if not deciding:
                continue
            conclusion = agreed(deciding)
            for row in found:
                rows.append(
                    {
                        "claim": claim.name,
                        "text": f"{claim.sentence} ({claim.source})",
                        "task": record.title.title,
                        "synthetic": record.title.synthetic,
                        "measure": row.measure,
                        "value": row.number.value,
                        "low": row.number.low,
                        "high": row.number.high,
                        "limit": "",
                        "claimed": row.claimed,
                        "bound": row.bound,
                        "runs": row.runs,
                        "verdict": row.verdict.word,
                        "reason": row.verdict.reason,
                        "conclusion": conclusion.word,
                        "why": conclusion.reason,
                    }
                )
    return pd.DataFrame(rows).astype(dict.fromkeys(["value", "low", "high", "bound"], float))
