"""Measure the directions that span a surface."""

import math
from pathlib import Path
from typing import Any

from workflow_scripts.common.step import run
from workflow_scripts.common.tables import read_json, write_json
from workflow_scripts.landscape.plane import inner, squared_sum
from workflow_scripts.landscape.setting import Directions, load_directions, surface_layers
from workflow_scripts.landscape.width import filter_distance
from workflow_scripts.model.encoder import build_classifier, names_in_layers


def measure_directions(
    config: Path,
    card: Path,
    start: Path,
    end: Path,
    geometry: Path,
    surface: dict[str, Any],
    second: Path | None = None,
) -> None:
    task = read_json(card)
    module = build_classifier(config.parent, len(task["labels"]))
    directions = load_directions(module, start, end, second)
    layers = surface_layers(module, surface)
    facts = {
        "task": task["name"],
        "synthetic": task["synthetic"],
        "labels": len(task["labels"]),
        "chance_loss": math.log(len(task["labels"])),
        **surface,
        "layers": None if layers is None else [layers.start, layers.stop - 1],
        **lengths(directions, layers),
    }
    write_json(facts, geometry)


def lengths(directions: Directions, layers: range | None) -> dict[str, float | None]:
    """Lengths and angle of a surface's directions.

    Returns
    -------
    ``norm_1``, ``norm_2`` : Euclidean lengths before scaling; of the layer group alone if
        ``layers`` are given.
    ``cosine`` : between the two directions.
    ``norm_end`` : length of the end point's encoder.
    ``filter_distance``, ``filter_distance_2`` : filter-normalised length of a unit of alpha and
        of beta, see ``width.filter_distance``.
    """
    names = list(directions.delta_1)
    if layers is not None:
        names = names_in_layers(names, layers)
    delta_1 = {name: directions.delta_1[name] for name in names}
    end = {name: directions.end[name] for name in names}
    found: dict[str, float | None] = {
        "norm_1": squared_sum(delta_1.values()) ** 0.5,
        "norm_2": None,
        "cosine": None,
        "norm_end": squared_sum(end.values()) ** 0.5,
        "filter_distance": filter_distance(delta_1, end),
        "filter_distance_2": None,
    }
    if directions.delta_2 is not None:
        delta_2 = {name: directions.delta_2[name] for name in names}
        norm_2 = squared_sum(delta_2.values()) ** 0.5
        found["norm_2"] = norm_2 / directions.scale
        found["cosine"] = inner(delta_1, delta_2) / (found["norm_1"] * norm_2)
        found["filter_distance_2"] = filter_distance(delta_2, end)
    return found


if __name__ == "__main__":
    run(measure_directions, snakemake)
