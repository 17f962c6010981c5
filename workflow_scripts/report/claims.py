"""The claims of Hao et al. (2019), each evaluated as numbers with intervals over runs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import nan

import numpy as np
import pandas as pd

from workflow_scripts.common.thresholds import (
    BARRIER,
    CONSISTENT,
    INVARIANT_POINTS,
    LEAST_RUNS,
    ORTHOGONAL,
    OVERFITTING_POINTS,
)
from workflow_scripts.common.titles import TaskTitle
from workflow_scripts.landscape.radii import Bound, Measured
from workflow_scripts.report import statistics
from workflow_scripts.report.ledger import (
    Claim,
    Conclusion,
    LedgerRow,
    concluded,
    decided,
    reported,
)
from workflow_scripts.stability.intervals import Interval, of_mean, of_paired_rate_difference

STARTS = {"pretrained": "pre-trained", "scratch": "scratch"}


@dataclass(frozen=True)
class RunEvidence:
    """What is known of a run, on the training examples of the task's surfaces.

    Attributes
    ----------
    seeds : str
        Which run it is.
    trajectory : DataFrame
        A row per checkpoint: ``train_loss`` (nats), ``norm``, ``step``, ``cosine``; see
        ``measure_run``.
    seen : ndarray of shape (checkpoints,)
        Training examples seen until each, from 0.
    path : ndarray of shape (P, N)
        Losses of each example from the start to the end, nats.
    ray : ndarray of shape (R,)
        Mean losses along the first epoch's direction, nats.
    radii : DataFrame
        ``direction``, ``radius``, ``censored``, ``error``, ``unit``; see ``measure_run``.
    failed : bool
        Whether it ends no better than the majority class.
    """

    seeds: str
    trajectory: pd.DataFrame
    seen: np.ndarray
    path: np.ndarray
    ray: np.ndarray
    radii: pd.DataFrame
    failed: bool = False

    @property
    def end_loss(self) -> float:
        """Training loss at the end, nats."""
        return float(self.trajectory["train_loss"].iloc[-1])

    def measured(self, direction: str, unit: bool = False) -> list[Measured]:
        """Radii in all directions of a name, perhaps in filter-normalised units."""
        rows = self.radii[self.radii["direction"] == direction]
        return [
            Measured(
                row.radius * (row.unit if unit else 1),
                Bound.AT_LEAST if row.censored else Bound.NONE,
                row.error,
            )
            for row in rows.itertuples()
        ]


@dataclass(frozen=True)
class Plane:
    """Per-example results at the points of a grid around a run's end.

    Attributes
    ----------
    losses : ndarray of shape (B, A, N)
        Training losses, nats.
    errors : ndarray of shape (B, A, M)
        Dev errors, 0 or 1.
    end : (row, column)
        The point of the grid nearest to the end.
    """

    losses: np.ndarray
    errors: np.ndarray
    end: tuple[int, int]


@dataclass(frozen=True)
class TaskEvidence:
    """A task's runs.

    Attributes
    ----------
    title : TaskTitle
        The task.
    pretrained, scratch : list of RunEvidence
        From the pre-trained start and from scratch, of the same seeds in the same order;
        ``scratch`` is empty where the experiment has no such runs.
    planes : dict of str to Plane
        Of the first run of each start (``pretrained``, ``scratch``).
    chance : float
        ln K, nats.
    small : bool
        Whether the training set counts as a small one.
    difference : str
        What else differs between the recipes of the two starts; empty if nothing does.
    """

    title: TaskTitle
    pretrained: list[RunEvidence]
    scratch: list[RunEvidence]
    planes: dict[str, Plane]
    chance: float
    small: bool
    difference: str = ""


@dataclass(frozen=True)
class ContinuationEvidence:
    """Runs of a task, and the runs that continue them.

    Attributes
    ----------
    title : TaskTitle
        The task.
    wrong_before, wrong_after : list of ndarray of shape (N,), bool
        Of each run, whether each dev example is classified wrongly before and after.
    loss_rises : list of float
        Of each run, dev loss after minus before, nats.
    epochs : int
        Of the runs that continue.
    unmet : str
        Why the claim does not apply; empty if it does.
    """

    title: TaskTitle
    wrong_before: list[np.ndarray]
    wrong_after: list[np.ndarray]
    loss_rises: list[float]
    epochs: int
    unmet: str = ""


@dataclass(frozen=True)
class RollbackEvidence:
    """Dev examples that a task's fine-tuned models classify correctly with groups rolled back.

    Attributes
    ----------
    title : TaskTitle
        The task.
    correct : list of dict of str to ndarray of shape (N,), bool
        Of each run, by layer group, the lowest first; ``none`` is the fine-tuned model.
    unmet : str
        Why the claim does not apply; empty if it does.
    """

    title: TaskTitle
    correct: list[dict[str, np.ndarray]]
    unmet: str = ""


@dataclass(frozen=True)
class DirectionEvidence:
    """Cosines between the directions of two tasks' runs from one start.

    Attributes
    ----------
    title : TaskTitle
        The start, for there is one row for all tasks.
    cosines : dict of str to float
        By the pair of tasks.
    """

    title: TaskTitle
    cosines: dict[str, float]


def failed_runs(runs: Mapping[str, Sequence[RunEvidence]]) -> str:
    """Counts the failed runs among those of each start (``pre-trained``, …); empty without any."""
    counts = {start: (sum(run.failed for run in some), len(some)) for start, some in runs.items()}
    failed = [f"{count} of {of} {start}" for start, (count, of) in counts.items() if count]
    return f"failed runs: {', '.join(failed)}" if failed else ""


def no_optimum(runs: Mapping[str, Sequence[RunEvidence]], chance: float) -> str:
    """Why a statistic about the optima of these runs does not apply; empty if it does."""
    ends = {
        f"{start} ({run.seeds})" if len(some) > 1 else start: run.end_loss
        for start, some in runs.items()
        for run in some
    }
    return failed_runs(runs) or statistics.unmet_optimum(ends, chance)


def _both(e: TaskEvidence) -> dict[str, list[RunEvidence]]:
    return {"pre-trained": e.pretrained, "scratch": e.scratch}


def wider_optimum(e: TaskEvidence) -> list[Conclusion]:
    """Radius of the optimum, pre-trained over scratch; claimed above 1 by two measures.

    The radius is the distance from the end at which the loss has made a fifth of the way to ln K:
    in random filter-normalised directions, and beyond the end along the run's own direction.

    References
    ----------
    Hao et al. (2019), section 5.1. Li et al. (2018), section 4, for the directions.
    """
    unmet, runs = no_optimum(_both(e), e.chance), len(e.pretrained)
    measures = {"random": "in random filter-normalised directions", "onward": "beyond the end, α"}
    deciding, others = {}, []
    for direction, words in measures.items():
        both = [[run.measured(direction) for run in some] for some in _both(e).values()]
        ratio, interval = statistics.ratio_over_runs(*both)
        measure = f"radius {words}, pre-trained / scratch"
        deciding[words] = decided(measure, interval, "above", 1, runs, unmet, limit=ratio.bound)
        for start, some in zip(_both(e), both, strict=True):
            middle = statistics.median([radius for run in some for radius in run])
            number = Interval(middle.value, nan, nan)
            others.append(reported(f"radius {words}, {start}", number, runs, middle.bound))
    return [concluded(e.title, deciding, others)]


def easier_optimisation(e: TaskEvidence) -> list[Conclusion]:
    """Area under the training loss at checkpoints, pre-trained minus scratch; claimed below 0.

    Losses are without dropout, on the same examples; both curves count up to the same number of
    examples seen. Examples seen until half of ln K are reported.

    References
    ----------
    Hao et al. (2019), section 5.2 and figure 2.
    """
    runs = len(e.pretrained)
    until = min(run.seen[-1] for some in _both(e).values() for run in some)
    curves = [[(run.seen, _losses(run)) for run in some] for some in _both(e).values()]
    areas = [[statistics.loss_area(*curve, until) for curve in some] for some in curves]
    halves = [[[statistics.first_below(*curve, e.chance / 2)] for curve in some] for some in curves]
    also = f" ({e.difference})" if e.difference else ""
    measure = (
        f"mean training loss over the first {until:g} examples, pre-trained - scratch{also}, nats"
    )
    number = statistics.paired_difference(*areas)
    unmet = failed_runs(_both(e))
    deciding = {"area": decided(measure, number, "below", 0, runs, unmet)}
    ratio, interval = statistics.ratio_over_runs(*halves)
    measure = "examples until half the loss of chance, pre-trained / scratch"
    return [
        concluded(e.title, deciding, [reported(measure, interval, runs, ratio.bound)]),
    ]


def _losses(run: RunEvidence) -> np.ndarray:
    return run.trajectory["train_loss"].to_numpy(float)


def first_epoch_direction(e: TaskEvidence) -> list[Conclusion]:
    """Share of the fall of the loss that the best point on the first epoch's ray closes.

    Less what a random walk of the same steps would close; pre-trained minus scratch, claimed above
    0. The cosine of the first epoch's direction with the whole run's is reported.

    References
    ----------
    Hao et al. (2019), section 5.2 and figure 3.
    """
    runs = len(e.pretrained)
    beyond, others = [], []
    for start, some in _both(e).items():
        shares, walks, cosines = [], [], []
        for run in some:
            steps = run.trajectory["step"].to_numpy(float)[1:]
            ends = run.path[[0, -1]].mean(axis=1)
            finite = run.ray[np.isfinite(run.ray)]
            best = float(finite.min()) if len(finite) else nan
            shares.append(statistics.share_closed(float(ends[0]), float(ends[1]), best))
            walks.append(statistics.walk_cosine(steps) if steps[0] > 0 else nan)
            cosines.append(float(run.trajectory["cosine"].iloc[1]))
        beyond.append([share - walk**2 for share, walk in zip(shares, walks, strict=True)])
        words = {
            f"share of the fall of the loss on the first epoch's ray, {start}": shares,
            f"the same of a random walk, {start}": np.square(walks),
            f"cosine of the first epoch with the whole run, {start}": cosines,
            f"the same of a random walk, {start} (1/√n)": walks,
        }
        others += [
            reported(measure, Interval(float(np.mean(values)), nan, nan), runs)
            for measure, values in words.items()
        ]
    measure = "share closed on the first epoch's ray beyond a random walk's, pre-trained - scratch"
    number = statistics.paired_difference(*beyond)
    row = decided(measure, number, "above", 0, runs, no_optimum(_both(e), e.chance))
    return [concluded(e.title, {"share": row}, others)]


def no_loss_barrier(e: TaskEvidence) -> list[Conclusion]:
    """Largest rise of the loss between start and end; claimed below 0.02 ln K from the pre-trained.

    References
    ----------
    Hao et al. (2019), sections 5.1 and 5.2.
    """
    rows = []
    for start, some in _both(e).items():
        if not some:
            continue
        each = [statistics.barrier_interval(run.path) for run in some]
        number = statistics.across_runs(each).clipped(0)
        measure = f"largest rise of the loss between start and end, {start}, nats"
        if start == "scratch":
            rows.append(reported(measure, number, len(some)))
            continue
        unmet = failed_runs({start: some})
        rows.append(decided(measure, number, "below", BARRIER * e.chance, len(some), unmet))
    return [concluded(e.title, {"barrier": rows[0]}, rows[1:])]


def robust_to_overfitting(e: ContinuationEvidence) -> list[Conclusion]:
    """Dev error after training on minus before, in points; claimed below 1 (our margin).

    The examples are paired. The dev loss does not enter the verdict.

    References
    ----------
    Hao et al. (2019), section 5.3 and figure 4.
    """
    pairs = zip(e.wrong_after, e.wrong_before, strict=True)
    number = statistics.across_runs([_points(of_paired_rate_difference(*pair)) for pair in pairs])
    after, before = (100 * np.mean(wrong) for wrong in (e.wrong_after, e.wrong_before))
    measure = (
        f"dev error after {e.epochs} more epochs ({after:.1f} %) - before ({before:.1f} %), points"
    )
    runs = len(e.wrong_after)
    row = decided(measure, number, "below", OVERFITTING_POINTS, runs, e.unmet)
    rise = of_mean(e.loss_rises)
    return [
        concluded(e.title, {"error": row}, [reported("rise of the dev loss, nats", rise, runs)])
    ]


def _points(rate: Interval) -> Interval:
    return rate.map(lambda share: 100 * share)


def consistent_surfaces(e: TaskEvidence) -> list[Conclusion]:
    """Rank correlation of training loss and dev error around the end; claimed above 0.5.

    By Spearman and by Kendall, over the points around the end at which the loss is below ln K,
    corrected for the noise of few examples.

    References
    ----------
    Hao et al. (2019), section 6.2; the surfaces are figures 1 and 6.
    """
    unmet = failed_runs({"pre-trained": e.pretrained[:1]})
    points = _around_end(e.planes["pretrained"], e.chance)
    deciding, others = {}, []
    for kind in ("spearman", "kendall"):
        found = statistics.surface_correlation(*points, kind)
        measure = f"{_KINDS[kind]} correlation of training loss and dev error around the end"
        row = decided(f"{measure}, corrected", found.corrected, "above", CONSISTENT, 1, unmet)
        deciding[_KINDS[kind]] = row
        others.append(reported(f"{measure}, as measured", Interval(found.raw, nan, nan), 1))
    return [concluded(e.title, deciding, others)]


_KINDS = {"spearman": "Spearman's", "kendall": "Kendall's"}


def more_consistent_surfaces(e: TaskEvidence) -> list[Conclusion]:
    """The same correlation, pre-trained minus scratch; claimed above 0 on small training sets.

    References
    ----------
    Hao et al. (2019), section 6.2.
    """
    unmet = failed_runs({start: runs[:1] for start, runs in _both(e).items()})
    unmet = unmet or ("" if e.small else "the training set is not a small one")
    planes = [_around_end(e.planes[start], e.chance) for start in STARTS]
    deciding = {
        words: decided(
            f"{words} correlation of training loss and dev error, pre-trained - scratch",
            statistics.correlation_difference(*planes, kind),
            "above",
            0,
            1,
            unmet,
        )
        for kind, words in _KINDS.items()
    }
    return [concluded(e.title, deciding)]


def _around_end(plane: Plane, chance: float) -> tuple[np.ndarray, np.ndarray]:
    """Losses and errors at the points around the end at which the mean loss is below chance."""
    region = statistics.region_below(plane.losses.mean(axis=2), chance, plane.end)
    return plane.losses[region], plane.errors[region]


def invariant_low_layers(e: RollbackEvidence) -> list[Conclusion]:
    """Accuracy lost with each layer group rolled back, in points.

    Claimed: below 3 points for the lowest group, and more for the highest than for the lowest. The
    examples are paired. With one run the verdict is about this model.

    References
    ----------
    Hao et al. (2019), section 7 and table 1.
    """
    groups = [name for name in e.correct[0] if name != "none"]
    low, high = groups[0], groups[-1]
    runs = len(e.correct)

    def lost(better: str, worse: str) -> Interval:
        """Points of accuracy between two versions of a model, over runs."""
        each = [of_paired_rate_difference(run[better], run[worse]) for run in e.correct]
        return statistics.across_runs([_points(rate) for rate in each])

    def row(measure: str, number: Interval, claimed: str, bound: float) -> LedgerRow:
        one_model = runs < LEAST_RUNS
        return decided(measure, number, claimed, bound, runs, e.unmet, one_model)

    words = "accuracy lost with the {} layers rolled back, points"
    deciding = {
        f"{low} layers": row(words.format(low), lost("none", low), "below", INVARIANT_POINTS),
        f"{high} - {low}": row(
            f"accuracy lost, {high} layers rolled back - {low} layers, points",
            lost(low, high),
            "above",
            0,
        ),
    }
    others = [reported(words.format(name), lost("none", name), runs) for name in groups[1:]]
    return [concluded(e.title, deciding, others)]


def wider_low_layers(e: TaskEvidence) -> list[Conclusion]:
    """Width of the optimum along the run's direction within a layer group, lowest over highest.

    Claimed above 1, in α and in filter-normalised units.

    References
    ----------
    Hao et al. (2019), section 7 and figure 7. Li et al. (2018), section 4, for the unit.
    """
    every = e.pretrained[0].radii["direction"].drop_duplicates()
    groups = [name for name in every if name not in ("random", "onward")]
    if not groups:
        return []
    unmet = no_optimum({"pre-trained": e.pretrained}, e.chance)
    deciding = {}
    for words, unit in (("α", False), ("filter-normalised", True)):
        ends = groups[0], groups[-1]
        both = [[run.measured(group, unit) for run in e.pretrained] for group in ends]
        ratio, interval = statistics.ratio_over_runs(*both)
        measure = f"width within the layer group, {groups[0]} / {groups[-1]}, {words}"
        runs = len(e.pretrained)
        deciding[words] = decided(measure, interval, "above", 1, runs, unmet, limit=ratio.bound)
    return [concluded(e.title, deciding)]


def nearly_orthogonal(e: DirectionEvidence) -> list[Conclusion]:
    """|cosine| of the directions of two tasks' runs; claimed below 0.1.

    The interval is over pairs of tasks; of fewer than 3 it is their range.

    References
    ----------
    Hao et al. (2019), section 3.2.
    """
    values = np.abs(list(e.cosines.values()))
    number = of_mean(values).clipped(0, 1)
    if len(values) < LEAST_RUNS:
        number = Interval(float(values.mean()), float(values.min()), float(values.max()))
    row = decided(
        "absolute cosine of two tasks' directions", number, "below", ORTHOGONAL, len(values)
    )
    others = [
        reported(f"absolute cosine, {pair}", Interval(abs(cosine), nan, nan), 1)
        for pair, cosine in e.cosines.items()
    ]
    return [concluded(e.title, {"cosine": row}, others)]


def scratch_ends_higher(e: TaskEvidence) -> list[Conclusion]:
    """Training loss at the end, without dropout, scratch minus pre-trained; claimed above 0.

    References
    ----------
    Hao et al. (2019), section 5.2.
    """
    ends = [[run.end_loss for run in some] for some in (e.scratch, e.pretrained)]
    also = f" ({e.difference})" if e.difference else ""
    measure = f"training loss at the end, scratch - pre-trained{also}, nats"
    number = statistics.paired_difference(*ends)
    row = decided(measure, number, "above", 0, len(e.pretrained), failed_runs(_both(e)))
    return [concluded(e.title, {"loss": row})]


CLAIMS = (
    Claim(
        "wider_optimum",
        "Pre-training leads to wider optima",
        "section 5.1",
        TaskEvidence,
        lambda e: wider_optimum(e) if e.scratch else [],
    ),
    Claim(
        "easier_optimisation",
        "Pre-training eases optimisation",
        "section 5.2",
        TaskEvidence,
        lambda e: easier_optimisation(e) if e.scratch else [],
    ),
    Claim(
        "first_epoch_direction",
        "The first epoch already points to the end",
        "section 5.2",
        TaskEvidence,
        lambda e: first_epoch_direction(e) if e.scratch else [],
    ),
    Claim(
        "no_loss_barrier",
        "There is no loss barrier between the pre-trained start and the end",
        "section 5.2",
        TaskEvidence,
        no_loss_barrier,
    ),
    Claim(
        "scratch_ends_higher",
        "From scratch the training loss ends higher",
        "section 5.2",
        TaskEvidence,
        lambda e: scratch_ends_higher(e) if e.scratch else [],
    ),
    Claim(
        "robust_to_overfitting",
        "Longer training does not raise the dev error",
        "section 5.3",
        ContinuationEvidence,
        robust_to_overfitting,
    ),
    Claim(
        "consistent_surfaces",
        "Training loss and dev error have consistent surfaces",
        "section 6.2",
        TaskEvidence,
        consistent_surfaces,
    ),
    Claim(
        "more_consistent_surfaces",
        "On small training sets they are more consistent than from scratch",
        "section 6.2",
        TaskEvidence,
        lambda e: more_consistent_surfaces(e) if e.scratch else [],
    ),
    Claim(
        "invariant_low_layers",
        "Low layers can be rolled back, high layers cannot",
        "section 7",
        RollbackEvidence,
        invariant_low_layers,
    ),
    Claim(
        "wider_low_layers",
        "Low layers have the wider optimum along the direction of training",
        "section 7",
        TaskEvidence,
        wider_low_layers,
    ),
    Claim(
        "nearly_orthogonal",
        "Directions of different tasks are nearly orthogonal",
        "section 3.2",
        DirectionEvidence,
        nearly_orthogonal,
    ),
)
