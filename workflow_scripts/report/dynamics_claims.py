"""The claims of Hao et al. (2020), each turned into a number with an interval.

Every function returns rows of the ledger (``ledger.row``). Depth is counted in thirds of the
layers, since the paper's model has 24 and others have fewer.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd

from workflow_scripts.common.errors import UserError
from workflow_scripts.common.intervals import jackknife_interval, resampled_means
from workflow_scripts.model.layers import layer_groups
from workflow_scripts.report.ledger import row

CLAIMS = {
    "attention_changes_last": "Fine-tuning changes the attention of the last layers (section 3)",
    "representations_change_later": "Fine-tuning changes what the middle and last layers "
    "represent, little of the low ones (section 4)",
    "low_layers_back": "The low layers can be put back with little effect on the last one "
    "(section 4)",
    "seeds_share_low_layers": "Low layers agree across seeds (section 5.1)",
    "tasks_share_low_layers": "Low layers agree across tasks (section 5.2)",
    "unlike_tasks_differ_more": "The more different two tasks, the further apart their upper "
    "layers (section 5.2)",
}
# Layers 0 to 10 of the paper's 24 are its low ones where layers are put back.
LOW_SHARE = 11 / 24
_SEED = 0


@dataclass(frozen=True)
class Curve:
    """A distance by layer and what it would be from other examples.

    ``values`` [L]; ``samples`` [S, L]: of bootstrap samples or, with ``jackknife``, without each
    group of examples; ``what``: the distance in words, with its unit.
    """

    values: np.ndarray
    samples: np.ndarray
    jackknife: bool
    what: str

    def number(
        self, statistic: Callable[[np.ndarray], float]
    ) -> tuple[float, tuple[float, float] | np.ndarray]:
        """A number of the curve with its interval, or with the bootstrap sample of it.

        ``statistic`` : from values by layer [L] to a number, a smooth one.
        """
        value = statistic(self.values)
        draws = np.array([statistic(sample) for sample in self.samples])
        if not self.jackknife:
            return value, draws
        found = jackknife_interval(value, draws)
        return value, (found.low, found.high)


def attention_curve(table: pd.DataFrame, resamples: int) -> Curve:
    """JS divergence of attention by layer, mean over examples.

    Parameters
    ----------
    table : from ``compare_attention``.
    resamples : bootstrap samples of the examples.
    """
    by_layer = table.pivot(index="layer", columns="example", values="js").to_numpy()
    samples = resampled_means(by_layer, resamples, _SEED)
    return Curve(by_layer.mean(axis=1), samples, False, "JS divergence of attention, nats")


def likeness_curve(table: pd.DataFrame, measure: str = "svcca") -> Curve:
    """A distance of representations by layer, the embeddings left out.

    Parameters
    ----------
    table : from ``likeness.layer_table``.
    measure : one of ``likeness.measures``.

    Raises
    ------
    UserError : if the table does not have the measure.
    """
    rows = table[(table["measure"] == measure) & (table["layer"] >= 0)].sort_values("layer")
    if rows.empty:
        raise UserError(f"measure: got {measure!r}, the table has {sorted(set(table['measure']))}")
    samples = np.stack(rows["left_out"].tolist(), axis=1)
    return Curve(rows["value"].to_numpy(), samples, True, "SVCCA distance")


def slope(values: np.ndarray) -> float:
    """Least-squares rise of a curve [L] from the lowest to the highest layer; L of 2 or more."""
    return float(np.polyfit(np.linspace(0, 1, len(values)), values, 1)[0])


def third_gap(upper: str, lower: str) -> Callable[[np.ndarray], float]:
    """Statistic: mean of a third of the layers (``low``, ``middle``, ``high``) minus another's."""

    def gap(values: np.ndarray) -> float:
        thirds = layer_groups(len(values))
        means = [values[thirds[name].start : thirds[name].stop].mean() for name in (upper, lower)]
        return float(means[0] - means[1])

    return gap


def attention_changes_last(task: str, curve: Curve) -> list[dict]:
    """The last third's divergence minus the middle's and the low's, and the rise over depth.

    All claimed above 0.

    References
    ----------
    Hao et al. (2020), section 3 and figure 1.
    """
    claim = "attention_changes_last"
    return [
        _row(claim, task, curve, "last third of the layers - middle", third_gap("high", "middle")),
        _row(claim, task, curve, "last third of the layers - low", third_gap("high", "low")),
        _row(claim, task, curve, "rise from the lowest to the highest layer", slope),
    ]


def representations_change_later(task: str, curve: Curve) -> list[dict]:
    """The middle and the last third's distance minus the low's, and the rise over depth.

    All claimed above 0.

    References
    ----------
    Hao et al. (2020), section 4 and figure 2.
    """
    claim = "representations_change_later"
    return [
        _row(claim, task, curve, "middle third of the layers - low", third_gap("middle", "low")),
        _row(claim, task, curve, "last third of the layers - low", third_gap("high", "low")),
        _row(claim, task, curve, "rise from the lowest to the highest layer", slope),
    ]


def low_layers_back(task: str, curve: Curve) -> list[dict]:
    """How far the last layer moves with a low layer put back, against any other.

    The difference is claimed below 0. The paper's "little effect" is taken for a ratio below 0.5.

    Parameters
    ----------
    curve : distance of the last layer, by the layer put back.

    References
    ----------
    Hao et al. (2020), section 4 and figure 3 (layers 0 to 10 of 24 are low).
    """
    low = max(1, round(LOW_SHARE * len(curve.values)))
    claim, words = "low_layers_back", f"one of the {low} lowest layers put back"
    return [
        _row(
            claim,
            task,
            curve,
            f"{words} - one of the others",
            lambda values: float(values[:low].mean() - values[low:].mean()),
            "below",
        ),
        _row(
            claim,
            task,
            curve,
            f"{words} / one of the others",
            lambda values: float(values[:low].mean() / values[low:].mean()),
            "below",
            0.5,
        ),
    ]


def low_layers_agree(claim: str, task: str, curve: Curve) -> list[dict]:
    """The last third's distance between two models minus the low third's; claimed above 0.

    Parameters
    ----------
    claim : ``seeds_share_low_layers`` or ``tasks_share_low_layers``.

    References
    ----------
    Hao et al. (2020), sections 5.1 and 5.2, figures 4 to 7.
    """
    words = "last third of the layers - low"
    return [_row(claim, task, curve, words, third_gap("high", "low"))]


def unlike_tasks_differ_more(pairs: list[tuple[str, Curve]]) -> list[dict]:
    """The last third's distance of each pair of tasks minus that of the pair before it.

    Claimed above 0. The intervals of the two pairs are taken for independent.

    Parameters
    ----------
    pairs : name and curve of each, the most alike tasks first.

    References
    ----------
    Hao et al. (2020), section 5.2 and figures 6 and 7.
    """

    def last(values: np.ndarray) -> float:
        third = layer_groups(len(values))["high"]
        return float(values[third.start : third.stop].mean())

    rows = []
    for (alike, near), (unlike, far) in pairwise(pairs):
        (value, spread), (less, other) = far.number(last), near.number(last)
        if far.jackknife:
            half = np.hypot(spread[1] - value, other[1] - less)
            interval = (value - less - half, value - less + half)
        else:
            shuffled = np.random.default_rng(_SEED).permutation(other)
            interval = spread - shuffled
        measure = f"{far.what}: last third of the layers, {unlike} - {alike}"
        claim = "unlike_tasks_differ_more"
        rows.append(row(claim, unlike, measure, interval, value - less, "above", 0))
    return rows


def _row(
    claim: str,
    task: str,
    curve: Curve,
    words: str,
    statistic: Callable[[np.ndarray], float],
    claimed: str = "above",
    bound: float = 0.0,
) -> dict:
    value, interval = curve.number(statistic)
    return row(claim, task, f"{curve.what}: {words}", interval, value, claimed, bound)
