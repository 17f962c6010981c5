"""Measure where the labels of a task lie in each layer: DirectProbe, with controls."""

from pathlib import Path

import numpy as np
import pandas as pd

from workflow_scripts.common.progress import progress
from workflow_scripts.common.tables import read_json, write_table
from workflow_scripts.probing.tables import cluster_table, distance_table
from workflow_scripts.rebuilds.step import run


def measure_geometry(
    vectors: Path,
    rows: Path,
    about: Path,
    distances: Path,
    centroids: Path,
    clusters: Path,
    controls: Path,
    seed: int,
    shuffles: int,
    clusters_too: bool,
    predicted: int,
) -> None:
    """Write distances of labels and their centroids, of every checkpoint and layer.

    Of the last layer of the first and the last checkpoint also clusters and controls.

    Parameters
    ----------
    vectors, rows, about : Path
        Of ``extract_vectors``.
    distances : Path
        To write: see ``tables.distance_table``; with ``epoch``, ``layer`` and ``split``.
    centroids : Path
        To write: ``epoch``, ``layer``, ``label``, ``count``, ``centroid`` (a list of d numbers) of
        the training examples.
    clusters : Path
        To write: see ``tables.cluster_table``; with ``epoch`` and ``layer``.
    controls : Path
        To write: fields of ``geometry.Control``, with ``epoch``, ``layer`` and ``split``.
    seed : int
        Of the shuffles, and of the dev examples whose nearest cluster is determined.
    shuffles : int
        Of the labels of each pair; 0 for no controls.
    clusters_too : bool
        Whether to look for clusters.
    predicted : int
        Dev examples whose nearest cluster is determined, at most.

    References
    ----------
    Zhou & Srikumar (2022), section 3.2; the controls are ours.
    """
    from dataclasses import asdict

    from workflow_scripts.probing.clustering import clustering
    from workflow_scripts.probing.direct_probe import label_distances, predict
    from workflow_scripts.probing.geometry import centroids as centroids_of
    from workflow_scripts.probing.geometry import controls as controls_of
    from workflow_scripts.probing.geometry import spreads
    from workflow_scripts.probing.vectors import layers

    known = read_json(about)
    names = np.arange(len(known["labels"]))
    parts: dict[str, list[pd.DataFrame]] = {"distances": [], "centroids": []}
    parts |= {"clusters": [], "controls": []}
    steps = iter(progress(range(len(known["epochs"]) * len(known["layers"])), "layers"))
    for found in layers(vectors, rows, about):
        next(steps)
        place = {"epoch": found.epoch, "layer": found.layer}
        train, dev = found.splits["train"], found.splits["dev"]
        for split, own in found.splits.items():
            measured = label_distances(own.x, own.labels)
            parts["distances"].append(distance_table(measured).assign(**place, split=split))
            if found.last and found.end and shuffles:
                kept = controls_of(own.x, own.labels, measured.state, shuffles, seed)
                table = pd.DataFrame([{**asdict(c), "vacuous": c.vacuous} for c in kept])
                parts["controls"].append(table.assign(**place, split=split))
        means = centroids_of(train.x, train.labels, names)
        counts = np.bincount(train.labels, minlength=len(names))
        kept = {"label": names, "count": counts, "centroid": list(means.astype(np.float32))}
        parts["centroids"].append(pd.DataFrame(kept).assign(**place))
        if found.last and found.end and clusters_too:
            divided = clustering(train.x, train.labels)
            some = np.random.default_rng([seed, 1]).permutation(len(dev.x))[:predicted]
            nearest = predict(dev.x[some], train.x, divided)
            table = cluster_table(divided, spreads(train.x, divided)).assign(
                predicted=len(some),
                accuracy=float(np.mean(nearest.label == dev.labels[some])),
                certified=float(np.mean(nearest.certified)),
                **place,
            )
            parts["clusters"].append(table)
    next(steps, None)
    for name, path in (
        ("distances", distances),
        ("centroids", centroids),
        ("clusters", clusters),
        ("controls", controls),
    ):
        tables = parts[name]
        write_table(pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(), path)


if __name__ == "__main__":
    run(measure_geometry, snakemake)
