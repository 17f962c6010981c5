"""The claims of Hao et al. (2020), each evaluated as numbers with intervals.

Depth is counted in thirds of the layers, since the paper's model has 24 and others have fewer.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd

from workflow_scripts.common.errors import UserError
from workflow_scripts.common.intervals import jackknife_interval, resampled_means
from workflow_scripts.common.titles import PairTitle
from workflow_scripts.model.layers import layer_groups
from workflow_scripts.report.ledger import Claim, LedgerRow, finite_interval, without_verdict

# Layers 0 to 10 of the paper's 24 are its low ones where layers are rolled back.
LOW_SHARE = 11 / 24
_SEED = 0


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
    """

    values: np.ndarray
    samples: np.ndarray
    jackknife: bool
    what: str

    def estimate(self, statistic: Callable[[np.ndarray], float]) -> tuple[float, float, float]:
        """A number of the curve with its 95 % interval.

        Parameters
        ----------
        statistic : callable
            From values by layer to a number; smooth.

        Returns
        -------
        value, low, high : float
        """
        value, draws = statistic(self.values), self.resampled(statistic)
        if self.jackknife:
            result = jackknife_interval(value, draws)
            return value, result.low, result.high
        return value, *finite_interval(draws)

    def resampled(self, statistic: Callable[[np.ndarray], float]) -> np.ndarray:
        """A number of the curve for each of its resamples, of shape (S,)."""
        return np.array([statistic(sample) for sample in self.samples])


@dataclass(frozen=True)
class PairCurve:
    """A pair of models with a distance by layer; ``failed`` if a fine-tuned one has not learned."""

    pair: PairTitle
    curve: Curve
    failed: bool = False


@dataclass(frozen=True)
class DynamicsEvidence:
    """What is known of the pairs of models.

    Attributes
    ----------
    representations : list of PairCurve
        Distances of hidden states; of the pairs of tasks the most similar first.
    attention : list of PairCurve
        Divergences of attention, likewise; empty if the experiment leaves it out.
    rollbacks : list of PairCurve
        Distances of the last layer, by the layer rolled back; empty if left out.
    """

    representations: list[PairCurve]
    attention: list[PairCurve]
    rollbacks: list[PairCurve]


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
    return Curve(rows["value"].to_numpy(), samples, True, "SVCCA distance")


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


def attention_changes_last(task: str, curve: Curve) -> list[LedgerRow]:
    """The last third's divergence minus the middle's and the low's, and the rise over depth.

    All claimed above 0.

    References
    ----------
    Hao et al. (2020), section 3 and figure 1.
    """
    return [
        _row(task, curve, "last third of the layers - middle", third_gap("high", "middle")),
        _row(task, curve, "last third of the layers - low", third_gap("high", "low")),
        _row(task, curve, "rise from the lowest to the highest layer", slope),
    ]


def representations_change_later(task: str, curve: Curve) -> list[LedgerRow]:
    """The middle and the last third's distance minus the low's, and the rise over depth.

    All claimed above 0.

    References
    ----------
    Hao et al. (2020), section 4 and figure 2.
    """
    return [
        _row(task, curve, "middle third of the layers - low", third_gap("middle", "low")),
        _row(task, curve, "last third of the layers - low", third_gap("high", "low")),
        _row(task, curve, "rise from the lowest to the highest layer", slope),
    ]


def low_layers_rolled_back(task: str, curve: Curve) -> list[LedgerRow]:
    """Change of the last layer with a low layer rolled back, against any other.

    The difference is claimed below 0. The paper's "little effect" is read as a ratio below 0.5.

    Parameters
    ----------
    task : str
        Name of the task.
    curve : Curve
        Distance of the last layer, by the layer rolled back.

    References
    ----------
    Hao et al. (2020), section 4 and figure 3 (layers 0 to 10 of 24 are low).
    """
    low = max(1, round(LOW_SHARE * len(curve.values)))

    def means(values: np.ndarray) -> tuple[float, float]:
        return float(values[:low].mean()), float(values[low:].mean())

    words = f"one of the {low} lowest layers rolled back"
    return [
        _row(
            task,
            curve,
            f"{words} - one of the others",
            lambda values: float(np.subtract(*means(values))),
            "below",
        ),
        _row(
            task,
            curve,
            f"{words} / one of the others",
            lambda values: float(np.divide(*means(values))),
            "below",
            0.5,
        ),
    ]


def low_layers_agree(task: str, curve: Curve) -> list[LedgerRow]:
    """The last third's distance between two models minus the low third's; claimed above 0.

    References
    ----------
    Hao et al. (2020), sections 5.1 and 5.2, figures 4 to 7.
    """
    return [_row(task, curve, "last third of the layers - low", third_gap("high", "low"))]


def dissimilar_tasks_differ_more(curves: list[PairCurve]) -> list[LedgerRow]:
    """The last third's distance of each pair of tasks minus that of the pair before it.

    Claimed above 0. The intervals of the two pairs are treated as independent.

    Parameters
    ----------
    curves : list of PairCurve
        The most similar tasks first; pairs that do not compare tasks are left out.

    References
    ----------
    Hao et al. (2020), section 5.2 and figures 6 and 7.
    """
    last = third_mean("high")
    rows = []
    for similar, dissimilar in pairwise(of_comparison(curves, "tasks")):
        far, near = dissimilar.curve, similar.curve
        (value, _, high), (other, _, other_high) = far.estimate(last), near.estimate(last)
        gap = value - other
        if far.jackknife:
            half = np.hypot(high - value, other_high - other)
            interval = gap - half, gap + half
        else:
            shuffled = np.random.default_rng(_SEED).permutation(near.resampled(last))
            interval = finite_interval(far.resampled(last) - shuffled)
        title = dissimilar.pair.title
        measure = f"{far.what}: last third of the layers, {title} - {similar.pair.title}"
        row = LedgerRow(title, measure, gap, *interval, "above", 0)
        rows += without_verdict([row], similar.failed or dissimilar.failed)
    return rows


def of_comparison(curves: list[PairCurve], comparison: str) -> list[PairCurve]:
    """Those that compare ``change``, ``seeds`` or ``tasks``."""
    return [one for one in curves if one.pair.comparison == comparison]


def _row(
    task: str,
    curve: Curve,
    words: str,
    statistic: Callable[[np.ndarray], float],
    claimed: str = "above",
    bound: float = 0.0,
) -> LedgerRow:
    return LedgerRow(task, f"{curve.what}: {words}", *curve.estimate(statistic), claimed, bound)


def _each(
    evaluate: Callable[[str, Curve], list[LedgerRow]], comparison: str, *curves: list[PairCurve]
) -> list[LedgerRow]:
    """Rows of every pair of a comparison."""
    return [
        row
        for some in curves
        for one in of_comparison(some, comparison)
        for row in without_verdict(evaluate(one.pair.title, one.curve), one.failed)
    ]


CLAIMS = (
    Claim(
        "attention_changes_last",
        "Fine-tuning changes the attention of the last layers",
        "section 3",
        DynamicsEvidence,
        lambda e: _each(attention_changes_last, "change", e.attention),
    ),
    Claim(
        "representations_change_later",
        "Fine-tuning changes the representations of the middle and last layers, and hardly those "
        "of the low ones",
        "section 4",
        DynamicsEvidence,
        lambda e: _each(representations_change_later, "change", e.representations),
    ),
    Claim(
        "low_layers_rolled_back",
        "The low layers can be rolled back with little effect on the last one",
        "section 4",
        DynamicsEvidence,
        lambda e: _each(low_layers_rolled_back, "change", e.rollbacks),
    ),
    Claim(
        "seeds_share_low_layers",
        "Low layers agree across seeds",
        "section 5.1",
        DynamicsEvidence,
        lambda e: _each(low_layers_agree, "seeds", e.representations, e.attention),
    ),
    Claim(
        "tasks_share_low_layers",
        "Low layers agree across tasks",
        "section 5.2",
        DynamicsEvidence,
        lambda e: _each(low_layers_agree, "tasks", e.representations, e.attention),
    ),
    Claim(
        "dissimilar_tasks_differ_more",
        "The less similar two tasks are, the more their upper layers differ",
        "section 5.2",
        DynamicsEvidence,
        lambda e: [
            *dissimilar_tasks_differ_more(e.representations),
            *dissimilar_tasks_differ_more(e.attention),
        ],
    ),
)
