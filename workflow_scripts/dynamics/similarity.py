"""How far layers lie apart, as tables: every measure with its interval and its null."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

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
# What a table tells of SVCCA's kept directions.
_FACTS = ("n", "k1", "k2", "rank1", "rank2", "underdetermined", "few")


@dataclass(frozen=True)
class Gathered:
    """Moments of pairs of layers: of each group of examples, and of all.

    Those of all have lags for the null, and hold all pairs of layers if these were wanted.
    """

    groups: list[LayerMoments]
    all: LayerMoments


def gather(
    rows: Iterable[tuple[int, Sequence[Tensor], Sequence[Tensor]]],
    pairs: Sequence[tuple[int, int]],
    longest: int,
    every: bool,
) -> Gathered:
    """Moments of the rows of all batches, in one pass.

    Parameters
    ----------
    rows : of each batch the group, counted from 0, and a matrix [n, d] per layer of either model;
        the rows of an example follow one another.
    pairs : layers to compare.
    longest : most rows of an example.
    every : whether all pairs of layers are wanted besides.

    Raises
    ------
    UserError : for fewer than 3 groups, or as ``LayerMoments.update``.
    """
    groups: dict[int, LayerMoments] = {}
    lags = [shift * longest for shift in _SHIFTS]
    together = LayerMoments(None if every else pairs, lags, lagged=pairs)
    for group, xs, ys in rows:
        for moments in (groups.setdefault(group, LayerMoments(pairs)), together):
            moments.update(xs, ys)
    if len(groups) < 3:
        raise UserError(f"got examples for {len(groups)} groups, intervals need at least 3")
    return Gathered([groups[group] for group in sorted(groups)], together)


def measures(moments: Moments, keep: float) -> dict[str, float]:
    """All distances of two layers by name; 0 for equal ones, NaN where a layer is constant.

    ``svcca`` (1 − mean correlation of the kept directions), ``svcca_hidden`` (the sum divided by
    the hidden size instead, as the paper writes it; not 0 for equal layers), ``svcca_per_neuron``
    (of neurons of variance 1), ``cca_full`` (no direction cut), ``cka_distance`` and
    ``cka_unbiased_distance`` (1 − linear CKA), ``procrustes`` (squared, 0 to 2).
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


def layer_table(
    gathered: Gathered, layers: Mapping[int, tuple[int, int]], keep: float
) -> pd.DataFrame:
    """Distances with intervals and nulls, a row per layer and measure.

    Parameters
    ----------
    layers : number of a layer in the table -> the pair that it stands for.
    keep : share of the variance that SVCCA keeps, above 0 to 1.

    Returns
    -------
    ``layer``, ``measure`` (see ``measures``), ``value``; ``low``, ``high`` (95 % jackknife over
    groups of examples), ``error``, ``left_out`` (list: the value without each group); ``null``,
    ``null_low``, ``null_high`` (mean, least and greatest distance of rows that do not belong
    together; NaN with too few rows); ``n`` rows, ``d`` width, ``k1``, ``k2``, ``rank1``, ``rank2``,
    ``underdetermined`` (n < k1 + k2), ``few`` (n < 10 d).

    References
    ----------
    Hao et al. (2020), section 4. Intervals and nulls are not the paper's.
    """
    total = LayerMoments(gathered.groups[0].pairs)
    for group in gathered.groups:
        total.merge(group)
    values = {pair: measures(total.pair(*pair), keep) for pair in layers.values()}
    # Group by group: the pairs that a layer is in share what is computed of it alone.
    left_out: dict[tuple[int, int], list[dict[str, float]]] = {pair: [] for pair in values}
    for group in progress(gathered.groups, "groups left out"):
        rest = total.without(group)
        for pair, found in left_out.items():
            found.append(measures(rest.pair(*pair), keep))
    rows = []
    for layer, pair in layers.items():
        null = _null(gathered.all.pair(*pair), keep)
        cut = svcca(total.pair(*pair), keep)
        for name, value in values[pair].items():
            found = jackknife_interval(value, np.array([one[name] for one in left_out[pair]]))
            rows.append(
                {
                    "layer": layer,
                    "measure": name,
                    "value": value,
                    "low": found.low,
                    "high": found.high,
                    "error": found.error,
                    "left_out": found.left_out,
                    "null": null[name].mean(),
                    "null_low": null[name].min(),
                    "null_high": null[name].max(),
                    "d": cut.d1,
                    **{fact: getattr(cut, fact) for fact in _FACTS},
                }
            )
    return pd.DataFrame(rows)


def _null(shifted: Moments, keep: float) -> pd.DataFrame:
    """Every measure (columns) of rows that do not belong together, a row per shift."""
    lags = [lag for lag in shifted.lags if shifted.n >= 2 * lag]
    rows = [measures(shifted.null(lag), keep) for lag in lags]
    return pd.DataFrame(rows or [dict.fromkeys(measures(shifted, keep), np.nan)])


def layer_matrix(layers: LayerMoments, keep: float, lowest: int = EMBEDDINGS) -> pd.DataFrame:
    """Every layer of one model against every layer of the other.

    Parameters
    ----------
    layers : moments of all pairs.
    keep : share of the variance that SVCCA keeps.
    lowest : number of the first layer that the moments hold.

    Returns
    -------
    A row per pair: ``first``, ``second`` (layers), ``svcca`` (distance), ``cka``,
    ``cka_unbiased`` (likeness, 1 = the same), ``k1``, ``k2``, ``n``, ``underdetermined``, ``few``.
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
