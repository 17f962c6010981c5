"""Measure what the loss does along a run, and how far its optimum reaches."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from workflow_scripts.common.errors import UserError
from workflow_scripts.common.progress import progress
from workflow_scripts.common.tables import write_table
from workflow_scripts.landscape.radii import crossing, radius_error, width_level
from workflow_scripts.rebuilds.step import run


def measure_run(
    config: Path,
    tokens: Path,
    checkpoints: list[Path],
    trajectory: Path,
    path: Path,
    ray: Path,
    radii: Path,
    directions: int,
    seed: int,
    level: float,
    longest: float,
    path_points: int,
    ray_points: int,
    rolled_back: bool,
    groups: dict[str, list[int]] | None,
    context: dict[str, Any],
) -> None:
    """Write the losses along a run and the radii of its optimum, on the surfaces' examples.

    The head is that of the run's end, except at the checkpoints, which have their own. Losses are
    mean training losses in nats, without dropout, in float32.

    Parameters
    ----------
    config : Path
        The model's ``config.json``.
    tokens : Path
        The surface's examples (``encode_examples``).
    checkpoints : list of Path
        Of the run, after epoch 0, 1, …
    trajectory : Path
        To write: a row per checkpoint: ``epoch``, ``train_loss``; ``norm`` (distance from the
        start), ``step`` (from the checkpoint before), both in units of the whole run's distance;
        ``cosine`` (with the whole run's direction; NaN at the start).
    path : Path
        To write: a row per point between start and end: ``position`` (0 to 1), ``train_loss`` (list
        of float, per example).
    ray : Path
        To write: a row per point on the ray from the start along the first epoch's direction, up to
        twice the whole run's distance: ``place`` (in units of the first epoch's), ``train_loss``;
        empty if the first epoch did not move the encoder.
    radii : Path
        To write: a row per direction from the end: ``direction`` (``random`` 0, 1, …: filter-
        normalised; ``onward`` 0: that of the whole run; a layer group's name 0, 1: forwards and
        backwards along the whole run's direction within the group), ``number``, ``radius``
        (in units of the direction), ``censored`` (whether the radius is ``longest`` and only a
        lower bound), ``error`` (standard error of its logarithm over examples; 0 if unknown),
        ``unit`` (filter-normalised length of a unit), ``level`` (nats), ``end`` (loss at the end,
        nats), ``chance_loss`` (ln K, nats), ``evaluations``.
    directions, seed : int
        Number of random directions, and seed of the first; the next has the next seed.
    level : float
        Share of the way from the end's loss to that of chance at which an optimum ends.
    longest : float
        Largest radius that is searched.
    path_points, ray_points : int
        Points between start and end, and on the ray.
    rolled_back : bool
        Whether radii are measured within layer groups, too.
    groups : dict of str to [int, int], or None
        First and last layer of each group, both included, from 0; None for thirds.
    context : dict
        ``device``, ``threads``, ``token_budget``.

    Raises
    ------
    UserError
        If a file cannot be read or does not fit the model, the run did not move the encoder, or
        the device is not available.

    References
    ----------
    Hao et al. (2019), sections 5.1, 5.2 and 7; Li et al. (2018), section 4, for random directions.
    """
    from workflow_scripts.common.device import reproducible
    from workflow_scripts.landscape.directions import random_direction
    from workflow_scripts.landscape.engine import Evaluator
    from workflow_scripts.landscape.grid import Point
    from workflow_scripts.landscape.plane import Plane, difference, gram
    from workflow_scripts.landscape.tokens import read_tokens
    from workflow_scripts.landscape.width import filter_distance
    from workflow_scripts.model.encoder import (
        encoder_names,
        layer_count,
        load_classifier,
        load_weights,
        names_in_layers,
        read_weights,
    )
    from workflow_scripts.model.layers import layer_groups

    with reproducible(context) as device:
        examples = read_tokens(tokens)
        start, end = read_weights(checkpoints[0]), read_weights(checkpoints[-1])
        module = load_classifier(config.parent, examples.labels, end, device)
        splits = {"train": examples.splits["train"]}
        evaluate = Evaluator(module, splits, examples.pad_id, context["token_budget"])
        names = encoder_names(module)
        delta_1 = difference(end, start, names)
        square = gram(delta_1)[0, 0]
        if square == 0:
            raise UserError(f"{checkpoints[-1]}: its run did not move the encoder")

        def losses() -> np.ndarray:
            return evaluate()["train"].loss.astype(np.float64)

        def along(origin: dict, delta: dict, anchors: dict | None = None) -> Callable:
            """Losses of the examples at a distance from ``origin`` along ``delta``."""
            load_weights(module, end)
            rows = evaluate.rows if len(delta) == len(names) else None
            plane = Plane(module, origin, delta, anchors=anchors, rows=rows)

            def at(distance: float) -> np.ndarray:
                plane.move(distance, 0.0)
                return losses()

            return at

        rows, first, before = [], None, start
        for epoch, file in enumerate(progress(checkpoints, "checkpoints")):
            weights = read_weights(file)
            load_weights(module, weights)
            delta, step = difference(weights, start, names), difference(weights, before, names)
            products = gram(delta_1, delta, step)
            norm = products[1, 1] ** 0.5
            rows.append(
                {
                    "epoch": epoch,
                    "train_loss": losses().mean(),
                    "norm": norm / square**0.5,
                    "step": (products[2, 2] / square) ** 0.5,
                    "cosine": products[0, 1] / (norm * square**0.5) if norm > 0 else np.nan,
                }
            )
            before = weights
            first = delta if epoch == 1 else first
        write_table(pd.DataFrame(rows), trajectory)

        at = along(start, delta_1, {Point(0.0, 0.0): start, Point(1.0, 0.0): end})
        positions = np.linspace(0, 1, path_points)
        between = [at(float(position)) for position in progress(positions, "points of the path")]
        write_table(pd.DataFrame({"position": positions, "train_loss": between}), path)

        share = rows[1]["norm"]
        places = 2 / share * np.arange(1, ray_points + 1) / ray_points if share else np.empty(0)
        at = along(start, first)
        lowered = [float(at(float(place)).mean()) for place in places]
        write_table(pd.DataFrame({"place": places, "train_loss": lowered}, dtype=float), ray)

        def every_direction() -> Iterator[tuple[str, int, dict]]:
            whole = {name: end[name] for name in names}
            for number in range(directions):
                yield "random", number, random_direction(whole, seed + number)
            yield "onward", 0, delta_1
            parts = layer_groups(layer_count(module), groups) if rolled_back else {}
            for group, layers in parts.items():
                part = {name: delta_1[name] for name in names_in_layers(names, layers)}
                yield group, 0, part
                yield group, 1, {name: -delta for name, delta in part.items()}

        at_end, chance = between[-1], float(np.log(examples.labels))
        limit = width_level(float(at_end.mean()), chance, level)
        rows = []
        for direction, number, delta in progress(list(every_direction()), "directions"):
            at = along(end, delta)
            crossed = crossing(lambda distance, at=at: float(at(distance).mean()), limit, longest)
            radius = crossed.distance
            rows.append(
                {
                    "direction": direction,
                    "number": number,
                    "radius": radius.value,
                    "censored": bool(radius.bound.value),
                    "error": radius_error(at_end, at(radius.value), level, crossed),
                    "unit": 1.0 if direction == "random" else filter_distance(delta, end),
                    "level": limit,
                    "end": float(at_end.mean()),
                    "chance_loss": chance,
                    "evaluations": crossed.evaluations + 1,
                }
            )
        write_table(pd.DataFrame(rows), radii)


if __name__ == "__main__":
    run(measure_run, snakemake)
