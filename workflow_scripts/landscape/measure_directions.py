"""Measure the directions that span a surface."""

import math
from pathlib import Path
from typing import Any

from workflow_scripts.common.tables import read_json, write_json
from workflow_scripts.landscape.grid import SurfaceSpec
from workflow_scripts.landscape.plane import gram
from workflow_scripts.landscape.setting import (
    Checkpoints,
    Directions,
    load_directions,
    surface_layers,
)
from workflow_scripts.landscape.width import filter_distance
from workflow_scripts.model.encoder import names_in_layers, names_with_prefix, read_weights
from workflow_scripts.rebuilds.step import run


def measure_directions(
    encoder: Path,
    card: Path,
    start: Path,
    end: Path,
    geometry: Path,
    surface: dict[str, Any],
    second: Path | None = None,
    between: list[Path] | None = None,
) -> None:
    """Write the geometry of a surface: its directions' lengths and angle, its task, its settings.

    Parameters
    ----------
    encoder : Path
        The model's ``model.safetensors``, for the names of its parameters.
    card : Path
        The task's card.
    start, end, second : Path
        Checkpoints that span the surface, see ``setting.Checkpoints``.
    geometry : Path
        JSON to write: ``task``, ``synthetic``, ``labels`` (K), ``chance_loss`` (ln K, nats), all
        of ``surface``, ``layers`` (first and last that move; null for all) and ``lengths``; of a
        second direction that is the trajectory's, ``explained`` (``directions.MainDirection``).
    surface : dict
        See ``grid.SurfaceSpec``; other keys are copied.
    between : list of Path, optional
        Checkpoints of the run between ``start`` and ``end``, where they give the second direction.

    Raises
    ------
    UserError
        If a file cannot be read or does not fit the model, a run did not move the encoder, or the
        model lacks the layer group.
    """
    task = read_json(card)
    names = names_with_prefix(read_weights(encoder), read_weights(start))
    spec = SurfaceSpec.from_dict(surface)
    checkpoints = Checkpoints(start, end, second, between or (), spec.seed)
    directions = load_directions(names, checkpoints)
    layers = surface_layers(names, spec)
    facts = {
        "task": task["name"],
        "synthetic": task["synthetic"],
        "labels": len(task["labels"]),
        "chance_loss": math.log(len(task["labels"])),
        **surface,
        "layers": None if layers is None else [layers.start, layers.stop - 1],
        **lengths(directions, layers),
    }
    if directions.explained is not None:
        facts["explained"] = directions.explained
    write_json(facts, geometry)


def lengths(directions: Directions, layers: range | None) -> dict[str, float | None]:
    """Lengths and angle of a surface's directions.

    Parameters
    ----------
    directions : Directions
    layers : range or None
        The only layers to count, from 0; None for the whole encoder.

    Returns
    -------
    dict of str to float
        ``norm_1``, ``norm_2``: Euclidean lengths before scaling, of the layer group only if
        ``layers`` are given; ``cosine`` between the two directions; ``norm_end``: length of the
        end point's encoder, or of its layer group; ``filter_distance``, ``filter_distance_2``:
        filter-normalised length of a unit of alpha and of beta, see ``width.filter_distance``.
        ``norm_2``, ``cosine`` and ``filter_distance_2`` are None for a line.

    Raises
    ------
    UserError
        If ``layers`` are given and the layers share their weights (ALBERT), or the model has none
        of them.
    """
    names = list(directions.delta_1)
    if layers is not None:
        names = names_in_layers(names, layers)
    delta_1 = {name: directions.delta_1[name] for name in names}
    end = {name: directions.end[name] for name in names}
    facts: dict[str, float | None] = {
        "norm_1": float(gram(delta_1)[0, 0] ** 0.5),
        "norm_2": None,
        "cosine": None,
        "norm_end": float(gram(end)[0, 0] ** 0.5),
        "filter_distance": filter_distance(delta_1, end),
        "filter_distance_2": None,
    }
    if directions.delta_2 is not None:
        delta_2 = {name: directions.delta_2[name] for name in names}
        (square_1, both), (_, square_2) = gram(delta_1, delta_2).tolist()
        facts["norm_2"] = square_2**0.5 / directions.scale
        facts["cosine"] = both / (square_1 * square_2) ** 0.5
        facts["filter_distance_2"] = filter_distance(delta_2, end)
    return facts


if __name__ == "__main__":
    run(measure_directions, snakemake)
