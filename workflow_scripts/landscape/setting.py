"""What every evaluation on a plane needs: the model, its examples, its directions."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from workflow_scripts.landscape.engine import Evaluator
from workflow_scripts.landscape.plane import Plane, Weights, difference, second_scale
from workflow_scripts.model.encoder import (
    build_classifier,
    encoder_names,
    layer_count,
    layer_groups,
    load_weights,
    names_in_layers,
    read_weights,
)
from workflow_scripts.model.text import encode, load_tokenizer


@dataclass(frozen=True)
class Directions:
    """The weights that span a surface: encoder parameters by name.

    ``start`` and ``end`` are the target run's checkpoints (the whole classifier); ``delta_1``
    runs from one to the other; ``delta_2`` belongs to the other task's run and is scaled to
    the length of ``delta_1``, the factor being ``scale`` (both None for a line).
    """

    start: Weights
    end: Weights
    delta_1: Weights
    delta_2: Weights | None
    scale: float | None


def load_directions(
    module: torch.nn.Module, start: Path, end: Path, second: Path | None
) -> Directions:
    """Read the checkpoints of a surface and form its directions (paper, section 3.2)."""
    theta_0, theta_1 = read_weights(start), read_weights(end)
    names = encoder_names(module)
    delta_1 = difference(theta_1, theta_0, names)
    if second is None:
        return Directions(theta_0, theta_1, delta_1, None, None)
    delta_2 = difference(read_weights(second), theta_0, names)
    scale = second_scale(delta_1, delta_2)
    scaled = {name: tensor.mul_(scale) for name, tensor in delta_2.items()}
    return Directions(theta_0, theta_1, delta_1, scaled, scale)


def make_plane(
    module: torch.nn.Module, directions: Directions, layers: range | None = None
) -> Plane:
    """The plane (or line) through a run's start, with its start and end as they are.

    With ``layers`` it is the plane of a layer group: it passes through the run's end, moves
    these layers only, and reaches their rollback at (-1, 0) (paper, section 7).
    """
    if layers is None:
        anchors = {(0.0, 0.0): directions.start, (1.0, 0.0): directions.end}
        return Plane(module, directions.start, directions.delta_1, directions.delta_2, anchors)
    names = names_in_layers(directions.delta_1, layers)
    anchors = {(0.0, 0.0): directions.end, (-1.0, 0.0): directions.start}
    return Plane(
        module,
        directions.end,
        {name: directions.delta_1[name] for name in names},
        {name: directions.delta_2[name] for name in names},
        anchors,
    )


def surface_layers(module: torch.nn.Module, surface: dict[str, Any]) -> range | None:
    """Layers that a surface moves; None for the whole encoder.

    ``surface`` holds ``group``, the name of a layer group or None, and ``groups``, first and
    last layer of each, or None for the thirds low, middle and high.
    """
    if surface["group"] is None:
        return None
    return layer_groups(layer_count(module), surface["groups"])[surface["group"]]


def load_model(
    model_dir: Path, labels: int, weights: Weights, device: torch.device
) -> torch.nn.Module:
    """A classifier with the given weights on a device, ready to evaluate."""
    module = build_classifier(model_dir, labels)
    load_weights(module, weights)
    return module.to(device).eval()


def load_evaluator(
    module: torch.nn.Module,
    model_dir: Path,
    examples: pd.DataFrame,
    max_length: int,
    token_budget: int,
    layers: range | None = None,
) -> Evaluator:
    """Evaluator over the splits ``train`` and ``dev`` of a surface's examples.

    ``layers`` : the only layers that will move; None if any weight may.
    """
    tokenizer = load_tokenizer(model_dir)
    splits = {
        name: encode(tokenizer, examples[examples["split"] == name], max_length)
        for name in ("train", "dev")
    }
    fixed_below = None if layers is None else layers.start
    return Evaluator(module, splits, tokenizer.pad_token_id, token_budget, fixed_below)
