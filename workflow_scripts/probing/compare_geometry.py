"""Compare the geometry of labels: of splits, before and after, and across tasks."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from workflow_scripts.common.tables import read_json, read_table, write_table
from workflow_scripts.probing.direct_probe import LabelDistances
from workflow_scripts.probing.geometry import paths as paths_of
from workflow_scripts.probing.geometry import similarity as similarity_of
from workflow_scripts.probing.tables import distances_of
from workflow_scripts.rebuilds.step import run


@dataclass(frozen=True, eq=False)
class Geometry:
    """What was measured of a task's examples in the models of a run.

    Attributes
    ----------
    task, tuned, seeds : str
        The task, the run's task, and the run's seeds.
    labels : list of str
        Names by id.
    distances : dict of (int, int, str) to LabelDistances
        By epoch, layer and split.
    centroids : DataFrame
        Of ``measure_geometry``.
    """

    task: str
    tuned: str
    seeds: str
    labels: list[str]
    distances: dict[tuple[int, int, str], LabelDistances]
    centroids: pd.DataFrame

    @property
    def whose(self) -> dict[str, str]:
        """Columns that say whose geometry it is."""
        return {"task": self.task, "tuned": self.tuned, "seeds": self.seeds}

    @property
    def epochs(self) -> list[int]:
        """Epochs of the checkpoints, ascending."""
        return sorted({epoch for epoch, _, _ in self.distances})

    @property
    def layers(self) -> list[int]:
        """Layers, ascending; -1 is the embeddings."""
        return sorted({layer for _, layer, _ in self.distances})


def compare_geometry(
    distances: list[Path],
    centroids: list[Path],
    abouts: list[Path],
    similarity: Path,
    paths: Path,
    cross: Path,
    probed: list[dict[str, str]],
) -> None:
    """Write similarities of geometries, paths of centroids, and changes across tasks.

    Parameters
    ----------
    distances, centroids, abouts : list of Path
        Of ``measure_geometry`` and ``extract_vectors``.
    similarity : Path
        To write: see ``similarity_rows``.
    paths : Path
        To write: see ``path_rows``; of each task the first run.
    cross : Path
        To write: see ``cross_rows``.
    probed : list of dict
        ``task``, ``tuned`` and ``seeds`` of the files, in their order.
    """
    found = [
        read_geometry(of_pairs, of_centroids, about, **whose)
        for of_pairs, of_centroids, about, whose in zip(
            distances, centroids, abouts, probed, strict=True
        )
    ]
    own = [geometry for geometry in found if geometry.task == geometry.tuned]
    first: dict[str, Geometry] = {}
    for geometry in own:
        first.setdefault(geometry.task, geometry)
    write_table(pd.DataFrame([row for one in own for row in similarity_rows(one)]), similarity)
    write_table(pd.DataFrame([row for one in first.values() for row in path_rows(one)]), paths)
    others = [geometry for geometry in found if geometry.task != geometry.tuned]
    measured = [first[task] for task in dict.fromkeys(one.task for one in others)]
    rows = [row for one in [*measured, *others] for row in cross_rows(first[one.task], one)]
    columns = ["task", "tuned", "seeds", "split", "label", "before", "after", "change"]
    write_table(pd.DataFrame(rows, columns=columns), cross)


def read_geometry(
    distances: Path, centroids: Path, about: Path, task: str, tuned: str, seeds: str
) -> Geometry:
    """What ``measure_geometry`` wrote of one run."""
    by_place = read_table(distances).groupby(["epoch", "layer", "split"])
    return Geometry(
        task,
        tuned,
        seeds,
        read_json(about)["labels"],
        {key: distances_of(table) for key, table in by_place},
        read_table(centroids),
    )


def similarity_rows(geometry: Geometry) -> Iterator[dict[str, Any]]:
    """Pearson correlation of distances of labels, where it is defined.

    Parameters
    ----------
    geometry : Geometry

    Yields
    ------
    dict
        ``kind`` (``train_dev``: of both splits at one checkpoint; ``before_during``: of training
        examples at the first checkpoint and at this one), whose it is, ``epoch``, ``layer``, and
        the fields of ``geometry.Similarity``: ``value``, ``reason``, ``labels``.
    """
    distances, first = geometry.distances, geometry.epochs[0]
    for epoch in geometry.epochs:
        for layer in geometry.layers:
            place = {**geometry.whose, "epoch": epoch, "layer": layer}
            train = distances[epoch, layer, "train"]
            both = similarity_of(train, distances[epoch, layer, "dev"], ("train", "dev"))
            yield {"kind": "train_dev", **place, **asdict(both)}
            if epoch != first:
                before = distances[first, layer, "train"]
                changed = similarity_of(before, train, (f"epoch {first}", f"epoch {epoch}"))
                yield {"kind": "before_during", **place, **asdict(changed)}


def path_rows(geometry: Geometry) -> Iterator[dict[str, Any]]:
    """Coordinates of the labels' centroids in planes of their largest variance.

    Parameters
    ----------
    geometry : Geometry

    Yields
    ------
    dict
        ``kind`` (``training``: a plane per layer, for all checkpoints; ``layers``: one plane of
        what fine-tuning adds to the centroids of each layer), ``task``, ``seeds``, ``layer``,
        ``epoch``, ``label``, ``name``, ``x``, ``y``, ``share_x``, ``share_y`` (of the variance).
    """
    vectors = {
        key: np.stack(table.sort_values("label")["centroid"].to_list())
        for key, table in geometry.centroids.groupby(["layer", "epoch"])
    }
    first, last = geometry.epochs[0], geometry.epochs[-1]
    for layer in geometry.layers:
        yield from _of_plane(
            geometry,
            "training",
            [(layer, epoch) for epoch in geometry.epochs],
            [vectors[layer, epoch] for epoch in geometry.epochs],
        )
    if last != first:
        changes = [vectors[layer, last] - vectors[layer, first] for layer in geometry.layers]
        yield from _of_plane(
            geometry, "layers", [(layer, last) for layer in geometry.layers], changes
        )


def _of_plane(
    geometry: Geometry, kind: str, places: list[tuple[int, int]], steps: Sequence[np.ndarray]
) -> Iterator[dict[str, Any]]:
    plane = paths_of(steps)
    for (layer, epoch), points in zip(places, plane.coordinates, strict=True):
        for label, (x, y) in enumerate(points):
            yield {
                "kind": kind,
                "task": geometry.task,
                "seeds": geometry.seeds,
                "layer": layer,
                "epoch": epoch,
                "label": label,
                "name": geometry.labels[label],
                "x": x,
                "y": y,
                "share_x": plane.share[0],
                "share_y": plane.share[1],
            }


def cross_rows(before: Geometry, after: Geometry) -> Iterator[dict[str, Any]]:
    """How fine-tuning on a task moves each label from its nearest other one, in the last layer.

    Parameters
    ----------
    before : Geometry
        Its first checkpoint is the pre-trained model.
    after : Geometry
        Of the same examples; its last checkpoint is the fine-tuned model, of any task.

    Yields
    ------
    dict
        Whose ``after`` is, ``split``, ``label`` (name), ``before``, ``after`` (distances to the
        nearest other label, 0 where hulls overlap), ``change``.
    """
    for split in ("train", "dev"):
        start = before.distances[before.epochs[0], before.layers[-1], split]
        end = after.distances[after.epochs[-1], after.layers[-1], split]
        for label, old, new in zip(start.labels, start.nearest, end.nearest, strict=True):
            yield {
                **after.whose,
                "split": split,
                "label": before.labels[label],
                "before": old,
                "after": new,
                "change": new - old,
            }


if __name__ == "__main__":
    run(compare_geometry, snakemake)
