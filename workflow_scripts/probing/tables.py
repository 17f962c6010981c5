"""Tables of what was measured of labels, and back."""

import numpy as np
import pandas as pd

from workflow_scripts.probing.clustering import Clustering
from workflow_scripts.probing.direct_probe import LabelDistances
from workflow_scripts.probing.geometry import Spread

DISTANCES = ["first", "second", "distance", "lower", "state"]


def distance_table(measured: LabelDistances) -> pd.DataFrame:
    """Distances of all pairs of labels, a row per pair.

    Parameters
    ----------
    measured : LabelDistances
        From ``label_distances``.

    Returns
    -------
    DataFrame
        ``first``, ``second`` (label ids), ``distance`` (of the convex hulls; 0 if they overlap, NaN
        if undecided), ``lower`` (its lower bound), ``state``.
    """
    first, second = np.triu_indices(len(measured.labels), k=1)
    values = (
        measured.labels[first],
        measured.labels[second],
        measured.distance,
        measured.lower,
        measured.state.astype(object),
    )
    return pd.DataFrame(dict(zip(DISTANCES, values, strict=True)))


def distances_of(table: pd.DataFrame) -> LabelDistances:
    """The distances that ``distance_table`` made a table of."""
    labels = np.union1d(table["first"], table["second"])
    table = table.sort_values(["first", "second"])
    return LabelDistances(
        labels.astype(np.int64),
        table["distance"].to_numpy(float),
        table["lower"].to_numpy(float),
        table["state"].to_numpy(dtype=str),
    )


def cluster_table(divided: Clustering, spread: tuple[Spread, ...]) -> pd.DataFrame:
    """The clusters of each label, a row per label.

    Parameters
    ----------
    divided : Clustering
        From ``clustering``.
    spread : tuple of Spread
        From ``spreads``, of the same labels.

    Returns
    -------
    DataFrame
        ``label``, ``points``, ``clusters``, ``largest`` (points of the largest cluster), ``mean``
        and ``widest`` (distance of two points of a cluster), and of all labels together
        ``overlaps`` (that kept clusters apart), ``undecided`` (decisions that could not be taken),
        ``duplicates`` (vectors that an example of another label has, too).
    """
    sizes = np.bincount(divided.index, minlength=len(divided.labels))
    rows = []
    for one in spread:
        own = sizes[divided.labels == one.label]
        rows.append(
            {
                "label": one.label,
                "points": int(own.sum()),
                "clusters": len(own),
                "largest": int(own.max()),
                "mean": one.mean,
                "widest": one.largest,
            }
        )
    return pd.DataFrame(rows).assign(
        overlaps=len(divided.rejections),
        undecided=divided.undecided,
        duplicates=len(divided.duplicates),
    )
