"""Tables of the similarity of layers: every measure with its interval and its null."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
from torch import Tensor

from workflow_scripts.common.errors import UserError
from workflow_scripts.common.intervals import jackknife_interval
from workflow_scripts.common.progress import progress
from workflow_scripts.dynamics.svcca import (
    LayerMoments,
    Moments,
    cca_full,
    linear_cka,
    procrustes,
    svcca,
    unbiased_cka,
)

EMBEDDINGS = -1  # the number of the embeddings among the layers 0, 1 …
# Shifts of the null, in units of the longest example.
_SHIFTS = (1, 2, 3)
# Columns about SVCCA's kept directions.
_FACTS = ("n", "k1", "k2", "rank1", "rank2", "underdetermined", "few")


class LayerPair(NamedTuple):
    """A layer of the first model and one of the second, by their index in ``BatchRows``."""

    first: int
    second: int


@dataclass(frozen=True)
class BatchRows:
    """Hidden states of a batch in two models.

    Attributes
    ----------
    group : int
        Group of the batch's examples, from 0.
    first, second : sequence of Tensor of shape (n, d)
        For each layer of the model, a row per token; the rows of an example follow one another.
    """

    group: int
    first: Sequence[Tensor]
    second: Sequence[Tensor]


@dataclass(frozen=True)
class Gathered:
    """Moments of pairs of layers.

    Attributes
    ----------
    groups : list of LayerMoments
        Of each group of examples.
    all : LayerMoments
        Of all examples; with lags for the null, and with all pairs of layers if requested.
    """

    groups: list[LayerMoments]
    all: LayerMoments


def gather(
    rows: Iterable[BatchRows],
    pairs: Sequence[LayerPair],
    longest: int,
    every: bool,
) -> Gathered:
    """Moments of the rows of all batches, in one pass.

    Parameters
    ----------
    rows : iterable of BatchRows
        Of all batches, in order.
    pairs : sequence of LayerPair
        Layers to compare.
    longest : int
        Most rows of an example.
    every : bool
        Whether to gather all pairs of layers, too.

    Raises
    ------
    UserError
        If there are fewer than 3 groups, or ``LayerMoments.update`` raises it.
    """
    groups: dict[int, LayerMoments] = {}
    lags = [shift * longest for shift in _SHIFTS]
    together = LayerMoments(None if every else pairs, lags, lagged=pairs)
    for batch in rows:
        for moments in (groups.setdefault(batch.group, LayerMoments(pairs)), together):
            moments.update(batch.first, batch.second)
    if len(groups) < 3:
        raise UserError(f"got examples for {len(groups)} groups, intervals need at least 3")
    return Gathered([groups[group] for group in sorted(groups)], together)


def measures(moments: Moments, keep: float) -> dict[str, float]:
    """All distances of two layers by name; 0 for equal ones, NaN where a layer is constant.

    Parameters
    ----------
    moments : Moments
    keep : float
        Share of the variance that SVCCA keeps, above 0 to 1.

    Returns
    -------
    dict of str to float
        ``svcca`` (1 − mean correlation of the kept directions), ``svcca_hidden`` (the sum divided
        by the hidden size instead, as the paper writes it; not 0 for equal layers),
        ``svcca_per_neuron`` (of neurons scaled to variance 1), ``cca_full`` (all directions kept),
        ``cka_distance`` and ``cka_unbiased_distance`` (1 − linear CKA), ``procrustes`` (squared, 0
        to 2).
    """
    cut = svcca(moments, keep)
    return {
        "svcca": cut.distance,
        "svcca_hidden": cut.hidden,
        "svcca_per_neuron": svcca(moments, keep, per_neuron=True).distance,
        "cca_full": cca_full(moments),
        "cka_distance": 1 - linear_cka(moments),
        "cka_unbiased_distance": 1 - unbiased_cka(moments),
        "procrustes": procrustes(moments),
    }


def layer_table(gathered: Gathered, layers: Mapping[int, LayerPair], keep: float) -> pd.DataFrame:
    """Distances with intervals and nulls, a row per layer and measure.

    Parameters
    ----------
    gathered : Gathered
    layers : mapping of int to LayerPair
        The pair of layers behind each number in the table's column ``layer``.
    keep : float
        Share of the variance that SVCCA keeps, above 0 to 1.

    Returns
    -------
    DataFrame
        ``layer``, ``measure`` (see ``measures``), ``value``; ``low``, ``high`` (95 % jackknife over
        groups of examples), ``error``, ``left_out`` (list: the value without each group);
        ``null``, ``null_low``, ``null_high`` (mean, least and greatest distance of mismatched
        rows; NaN with too few rows); ``n`` rows, ``d`` width, ``k1``, ``k2``, ``rank1``, ``rank2``,
        ``underdetermined`` (n < k1 + k2), ``few`` (n < 10 d).

    References
    ----------
    Hao et al. (2020), section 4. Intervals and nulls are not the paper's.
    """
    total = LayerMoments(gathered.groups[0].pairs)
    for group in gathered.groups:
        total.merge(group)
    values = {pair: measures(total.pair(*pair), keep) for pair in layers.values()}
    # Group by group, so that the pairs of a layer share what is computed from this layer only.
    left_out: dict[LayerPair, list[dict[str, float]]] = {pair: [] for pair in values}
    for group in progress(gathered.groups, "groups left out"):
        rest = total.without(group)
        for pair, without in left_out.items():
            without.append(measures(rest.pair(*pair), keep))
    rows = []
    for layer, pair in layers.items():
        null = _null(gathered.all.pair(*pair), keep)
        cut = svcca(total.pair(*pair), keep)
        for name, value in values[pair].items():
            estimate = jackknife_interval(value, np.array([one[name] for one in left_out[pair]]))
            rows.append(
                {
                    "layer": layer,
                    "measure": name,
                    "value": value,
                    # A distance is not negative, an unbiased estimate of a small one may be.
                    "low": max(estimate.low, min(value, 0.0)),
                    "high": estimate.high,
                    "error": estimate.error,
                    "left_out": estimate.left_out,
                    "null": null[name].mean(),
                    "null_low": null[name].min(),
                    "null_high": null[name].max(),
                    "d": cut.d1,
                    **{fact: getattr(cut, fact) for fact in _FACTS},
                }
            )
    return pd.DataFrame(rows)


def _null(shifted: Moments, keep: float) -> pd.DataFrame:
    """Every measure (columns) of mismatched rows, an entry per shift."""
    lags = [lag for lag in shifted.lags if shifted.n >= 2 * lag]
    rows = [measures(shifted.null(lag), keep) for lag in lags]
    return pd.DataFrame(rows or [dict.fromkeys(measures(shifted, keep), np.nan)])


def layer_matrix(layers: LayerMoments, keep: float, lowest: int = EMBEDDINGS) -> pd.DataFrame:
    """Every layer of one model against every layer of the other.

    Parameters
    ----------
    layers : LayerMoments
        Moments of all pairs.
    keep : float
        Share of the variance that SVCCA keeps.
    lowest : int
        Number of the first layer in the moments.

    Returns
    -------
    DataFrame
        For each pair ``first``, ``second`` (layers), ``svcca`` (distance), ``cka``,
        ``cka_unbiased`` (similarity, 1 = the same), ``k1``, ``k2``, ``n``, ``underdetermined``,
        ``few``.
    """
    rows = []
    for i, j in sorted(layers.crosses):
        moments = layers.pair(i, j)
        cut = svcca(moments, keep)
        rows.append(
            {
                "first": i + lowest,
                "second": j + lowest,
                "svcca": cut.distance,
                "cka": linear_cka(moments),
                "cka_unbiased": unbiased_cka(moments),
                **{fact: getattr(cut, fact) for fact in ("k1", "k2", "n")},
                "underdetermined": cut.underdetermined,
                "few": cut.few,
            }
        )
    return pd.DataFrame(rows)
