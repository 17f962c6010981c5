"""The claims of Hao et al. (2020), each evaluated as numbers with intervals over runs.

Depth is counted in thirds of the layers, since the paper's model has 24 and others have fewer.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd

from workflow_scripts.common.errors import UserError
from workflow_scripts.common.intervals import (
    jackknife_interval,
    percentile_interval,
    resampled_means,
)
from workflow_scripts.common.thresholds import AGREEMENT
from workflow_scripts.common.titles import PairTitle
from workflow_scripts.model.layers import layer_groups
from workflow_scripts.report import statistics
from workflow_scripts.report.ledger import Claim, Conclusion, LedgerRow, concluded, decided
from workflow_scripts.stability.intervals import Interval

_SEED = 0
# Measures of representations that must agree, by their names in the tables.
SIMILARITIES = {"svcca": "SVCCA", "cka_unbiased_distance": "CKA"}
ATTENTION = "attention"


@dataclass(frozen=True)
class Curve:
    """A distance by layer, with its resamples.

    Attributes
    ----------
    values : ndarray of shape (L,)
        The distance at each layer.
    samples : ndarray of shape (S, L)
        The distances of bootstrap samples or, with ``jackknife``, without each group of examples.
    jackknife : bool
        Whether ``samples`` are those of a jackknife.
    what : str
        The distance in words, with its unit.
    null : ndarray of shape (L,), optional
        Distance of rows that do not belong together, at each layer.
    """

    values: np.ndarray
    samples: np.ndarray
    jackknife: bool
    what: str
    null: np.ndarray | None = None

    def estimate(self, statistic: Callable[[np.ndarray], float]) -> Interval:
        """A number of the curve with its 95 % interval over examples.

        Parameters
        ----------
        statistic : callable
            From values by layer to a number; smooth.
        """
        return _interval(statistic(self.values), self.resampled(statistic), self.jackknife)

    def resampled(self, statistic: Callable[[np.ndarray], float]) -> np.ndarray:
        """A number of the curve for each of its resamples, of shape (S,)."""
        return np.array([statistic(sample) for sample in self.samples])


def _interval(value: float, draws: np.ndarray, jackknife: bool) -> Interval:
    if jackknife:
        result = jackknife_interval(value, draws)
        return Interval(value, result.low, result.high)
    finite = draws[np.isfinite(draws)]
    if not len(finite):
        return Interval(value, np.nan, np.nan)
    return Interval(value, *(float(limit) for limit in percentile_interval(finite)))


@dataclass(frozen=True)
class PairCurves:
    """Distances by layer of a pair of models.

    Attributes
    ----------
    title : PairTitle
        Of the pair that figures show for all those that differ from it in their seeds only.
    models : (str, str)
        Seeds of the two runs.
    curves : dict of str to Curve
        By the name of the measure: ``attention``, or of ``SIMILARITIES``.
    failed : bool
        Whether a fine-tuned one has not learned.
    """

    title: PairTitle
    models: tuple[str, str]
    curves: dict[str, Curve]
    failed: bool = False


@dataclass(frozen=True)
class Runs:
    """Pairs of models that differ in their seeds only.

    Attributes
    ----------
    title : PairTitle
        Of all of them.
    pairs : list of PairCurves
        One per run, or per pair of runs.
    """

    title: PairTitle
    pairs: list[PairCurves]

    @property
    def unmet(self) -> str:
        """Why no verdict rests on them; empty if one may."""
        failed = sum(pair.failed for pair in self.pairs)
        return f"failed runs: {failed} of {len(self.pairs)}" if failed else ""

    @property
    def count(self) -> int:
        """Number of runs, not of pairs."""
        return len({seeds for pair in self.pairs for seeds in pair.models})

    def row(
        self,
        measure: str,
        words: str,
        statistic: Callable[[Curve], Interval],
        claimed: str = "above",
        bound: float = 0.0,
    ) -> LedgerRow:
        """A number of every pair's curve, over runs and examples, with its verdict.

        Parameters
        ----------
        measure : str
            Name of the curve.
        words : str
            What the number is.
        statistic : callable
            From a curve to a number with its interval over examples.
        claimed, bound
            See ``LedgerRow``.
        """
        each = [statistic(pair.curves[measure]) for pair in self.pairs]
        if self.title.comparison == "seeds":
            runs = list(dict.fromkeys(seeds for pair in self.pairs for seeds in pair.models))
            members = [tuple(map(runs.index, pair.models)) for pair in self.pairs]
            number = statistics.across_pairs(each, members)
        else:
            number = statistics.across_runs(each)
        what = self.pairs[0].curves[measure].what
        return decided(f"{what}: {words}", number, claimed, bound, self.count, self.unmet)

    def rise(
        self, measure: str, words: str, statistic: Callable[[np.ndarray], float], claimed: str
    ) -> LedgerRow:
        """The same of a number of the values by layer, claimed ``above`` 0 or reported (empty)."""
        return self.row(measure, words, lambda curve: curve.estimate(statistic), claimed)


@dataclass(frozen=True)
class DynamicsEvidence:
    """What is known of the pairs of models.

    Attributes
    ----------
    pairs : list of Runs
        Of the pairs of tasks the most similar first; with attention unless the experiment leaves
        it out.
    rollbacks : list of Runs
        Distances of the last layer, by the layer rolled back; empty if left out.
    """

    pairs: list[Runs]
    rollbacks: list[Runs]

    def of(self, comparison: str) -> list[Runs]:
        """Those that compare ``change``, ``seeds`` or ``tasks``."""
        return [runs for runs in self.pairs if runs.title.comparison == comparison]


def grouped(pairs: Sequence[PairCurves]) -> list[Runs]:
    """Pairs of models that differ in their seeds only, together."""
    by_name: dict[str, list[PairCurves]] = {}
    for pair in pairs:
        by_name.setdefault(pair.title.name, []).append(pair)
    return [Runs(some[0].title, some) for some in by_name.values()]


def attention_curve(table: pd.DataFrame, resamples: int) -> Curve:
    """JS divergence of attention by layer, mean over examples.

    Parameters
    ----------
    table : DataFrame
        From ``compare_attention``.
    resamples : int
        Bootstrap samples of the examples.
    """
    by_layer = table.pivot(index="layer", columns="example", values="js").to_numpy()
    samples = resampled_means(by_layer, resamples, _SEED)
    return Curve(by_layer.mean(axis=1), samples, False, "JS divergence of attention, nats")


def similarity_curve(table: pd.DataFrame, measure: str = "svcca") -> Curve:
    """A distance of representations by layer, the embeddings left out.

    Parameters
    ----------
    table : DataFrame
        From ``similarity.layer_table``.
    measure : str
        One of ``similarity.measures``.

    Raises
    ------
    UserError
        If the table does not have the measure.
    """
    rows = table[(table["measure"] == measure) & (table["layer"] >= 0)].sort_values("layer")
    if rows.empty:
        raise UserError(f"measure: got {measure!r}, the table has {sorted(set(table['measure']))}")
    samples = np.stack(rows["left_out"].tolist(), axis=1)
    words = f"{SIMILARITIES.get(measure, measure)} distance"
    return Curve(rows["value"].to_numpy(), samples, True, words, rows["null"].to_numpy(float))


def slope(values: np.ndarray) -> float:
    """Least-squares rise of a curve from the lowest to the highest of two or more layers."""
    return float(np.polyfit(np.linspace(0, 1, len(values)), values, 1)[0])


def third_mean(name: str) -> Callable[[np.ndarray], float]:
    """Statistic: mean of a third of the layers (``low``, ``middle``, ``high``)."""

    def mean(values: np.ndarray) -> float:
        third = layer_groups(len(values))[name]
        return float(values[third.start : third.stop].mean())

    return mean


def third_gap(upper: str, lower: str) -> Callable[[np.ndarray], float]:
    """Statistic: mean of a third of the layers minus the mean of another."""
    return lambda values: third_mean(upper)(values) - third_mean(lower)(values)


def attention_changes_last(runs: Runs) -> Conclusion:
    """The last third's divergence minus the low's, and the rise over depth; both claimed above 0.

    References
    ----------
    Hao et al. (2020), section 3 and figure 1.
    """
    return concluded(
        runs.title,
        {
            "last - low": runs.rise(ATTENTION, LAST_LOW, third_gap("high", "low"), "above"),
            "slope": runs.rise(ATTENTION, RISE, slope, "above"),
        },
        [runs.rise(ATTENTION, LAST_MIDDLE, third_gap("high", "middle"), "")],
    )


RISE = "rise from the lowest to the highest layer"
LAST_LOW = "last third of the layers - low"
LAST_MIDDLE = "last third of the layers - middle"
MIDDLE_LOW = "middle third of the layers - low"


def representations_change_later(runs: Runs) -> Conclusion:
    """The last third's distance minus the low's, and the rise over depth.

    Both claimed above 0 by SVCCA and by CKA.

    References
    ----------
    Hao et al. (2020), section 4 and figure 2.
    """
    deciding, others = {}, []
    for measure, name in SIMILARITIES.items():
        last = runs.rise(measure, LAST_LOW, third_gap("high", "low"), "above")
        deciding |= {name: last, f"{name}'s slope": runs.rise(measure, RISE, slope, "above")}
        others.append(runs.rise(measure, MIDDLE_LOW, third_gap("middle", "low"), ""))
    return concluded(runs.title, deciding, others)


def low_layers_rolled_back(runs: Runs) -> Conclusion:
    """Rise of the last layer's distance over the layer rolled back, all layers.

    Claimed above 0 by SVCCA and by CKA: the higher the layer, the more it matters.

    References
    ----------
    Hao et al. (2020), section 4 and figure 3.
    """
    words = "rise from the lowest to the highest layer rolled back"
    deciding = {
        name: runs.rise(measure, words, slope, "above") for measure, name in SIMILARITIES.items()
    }
    return concluded(runs.title, deciding)


def low_layers_agree(runs: Runs) -> Conclusion:
    """Distance of the low third as a share of unrelated rows', and the last third minus the low.

    Claimed below 0.1 and above 0, by SVCCA and by CKA; the difference also by attention.

    References
    ----------
    Hao et al. (2020), sections 5.1 and 5.2, figures 4 to 7.
    """
    deciding = {}
    for measure, name in SIMILARITIES.items():
        words = "low third of the layers, as a share of the distance of unrelated rows"
        deciding[name] = runs.row(measure, words, _share_of_null, "below", AGREEMENT)
        last = runs.rise(measure, LAST_LOW, third_gap("high", "low"), "above")
        deciding[f"{name}, last - low"] = last
    if all(ATTENTION in pair.curves for pair in runs.pairs):
        last = runs.rise(ATTENTION, LAST_LOW, third_gap("high", "low"), "above")
        deciding["attention, last - low"] = last
    return concluded(runs.title, deciding)


def _share_of_null(curve: Curve) -> Interval:
    """Mean share, over the low third, of the distance of rows that do not belong together."""
    share = curve.estimate(lambda values: third_mean("low")(values / curve.null))
    return share.clipped(0.0)


def dissimilar_tasks_differ_more(pairs: list[Runs]) -> list[Conclusion]:
    """The last third's distance of each pair of tasks minus that of the pair before it.

    Claimed above 0 by SVCCA, by CKA and by attention. All models read the same examples, which are
    resampled together.

    Parameters
    ----------
    pairs : list of Runs
        The most similar tasks first.

    References
    ----------
    Hao et al. (2020), section 5.2 and figures 6 and 7.
    """
    names = {**SIMILARITIES, ATTENTION: "attention"}
    conclusions = []
    for near, far in pairwise(pairs):
        deciding = {}
        shared = list(zip(near.pairs, far.pairs, strict=False))
        for measure, name in names.items():
            if not all(measure in one.curves for both in shared for one in both):
                continue
            each = [_difference(a.curves[measure], b.curves[measure]) for a, b in shared]
            number = statistics.across_runs(each)
            what = far.pairs[0].curves[measure].what
            words = f"{what}: last third of the layers, {far.title.title} - {near.title.title}"
            unmet = near.unmet or far.unmet
            deciding[name] = decided(words, number, "above", 0, len(shared), unmet)
        conclusions.append(concluded(far.title, deciding))
    return conclusions


def _difference(near: Curve, far: Curve) -> Interval:
    """The last third's distance of one curve minus another's, over the same resamples."""
    last = third_mean("high")
    draws = far.resampled(last) - near.resampled(last)
    return _interval(last(far.values) - last(near.values), draws, far.jackknife)


CLAIMS = (
    Claim(
        "attention_changes_last",
        "Fine-tuning changes the attention of the last layers",
        "section 3",
        DynamicsEvidence,
        lambda e: [
            attention_changes_last(runs)
            for runs in e.of("change")
            if all(ATTENTION in pair.curves for pair in runs.pairs)
        ],
    ),
    Claim(
        "representations_change_later",
        "Fine-tuning changes the representations of the middle and last layers, and hardly those "
        "of the low ones",
        "section 4",
        DynamicsEvidence,
        lambda e: [representations_change_later(runs) for runs in e.of("change")],
    ),
    Claim(
        "low_layers_rolled_back",
        "The low layers can be rolled back with little effect on the last one",
        "section 4",
        DynamicsEvidence,
        lambda e: [low_layers_rolled_back(runs) for runs in e.rollbacks],
    ),
    Claim(
        "seeds_share_low_layers",
        "Low layers agree across seeds",
        "section 5.1",
        DynamicsEvidence,
        lambda e: [low_layers_agree(runs) for runs in e.of("seeds")],
    ),
    Claim(
        "tasks_share_low_layers",
        "Low layers agree across tasks",
        "section 5.2",
        DynamicsEvidence,
        lambda e: [low_layers_agree(runs) for runs in e.of("tasks")],
    ),
    Claim(
        "dissimilar_tasks_differ_more",
        "The less similar two tasks are, the more their upper layers differ",
        "section 5.2",
        DynamicsEvidence,
        lambda e: dissimilar_tasks_differ_more(e.of("tasks")),
    ),
)
