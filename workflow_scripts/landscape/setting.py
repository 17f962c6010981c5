"""What every evaluation on a plane needs: the model, its examples, its directions."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from workflow_scripts.landscape.engine import Evaluator
from workflow_scripts.landscape.plane import Plane, Weights, difference, second_scale
from workflow_scripts.landscape.tokens import Tokens, read_tokens
from workflow_scripts.model.encoder import (
    encoder_names,
    layer_count,
    load_classifier,
    names_in_layers,
    read_weights,
)
from workflow_scripts.model.layers import layer_groups


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
    names: Iterable[str], start: Path, end: Path, second: Path | None
) -> Directions:
    """Read the checkpoints of a surface and form its directions.

    Parameters
    ----------
    names : full names of the encoder's parameters, over which the directions run.
    start, end : first and last checkpoint of the target run (theta_0 and theta_1).
    second : last checkpoint of the other task's run from the same start (theta_2); None for a
        line.

    Returns
    -------
    The directions, on the CPU.

    Raises
    ------
    UserError : if a file is missing or cannot be read, or if ``second`` is given and one of the
        runs did not move the encoder.
    KeyError : if a checkpoint lacks a parameter of the encoder.

    References
    ----------
    Hao et al. (2019), section 3.1 (delta_1, encoder only) and 3.2 (delta_2, its scale).
    """
    theta_0, theta_1 = read_weights(start), read_weights(end)
    names = list(names)
    delta_1 = difference(theta_1, theta_0, names)
    if second is None:
        return Directions(theta_0, theta_1, delta_1, None, None)
    delta_2 = difference(read_weights(second), theta_0, names)
    scale = second_scale(delta_1, delta_2)
    scaled = {name: tensor.mul_(scale) for name, tensor in delta_2.items()}
    return Directions(theta_0, theta_1, delta_1, scaled, scale)


def make_plane(
    module: torch.nn.Module,
    directions: Directions,
    layers: range | None = None,
    rows: dict[str, torch.Tensor] | None = None,
) -> Plane:
    """The plane (or line) through a run's start, with its start and end as they are.

    With ``layers`` it is the plane of a layer group: it passes through the run's end, moves
    these layers only, and reaches their rollback at (-1, 0).

    Parameters
    ----------
    module : classifier; its encoder, or the group's layers, become views of the plane's buffer.
        The rest, the head too, stays as it is.
    directions : with a ``delta_2`` where ``layers`` are given.
    layers : the group's layers, counted from 0; None for the whole encoder.
    rows : of an ``Evaluator``: rows of the word embeddings that need to move; None for all.

    Raises
    ------
    UserError : if ``layers`` are given and the layers share their weights (ALBERT), or the model
        has none of them.

    References
    ----------
    Hao et al. (2019), equations 1 and 2; section 7 for layer groups.
    """
    if layers is None:
        anchors = {(0.0, 0.0): directions.start, (1.0, 0.0): directions.end}
        start, delta_1, delta_2 = directions.start, directions.delta_1, directions.delta_2
        return Plane(module, start, delta_1, delta_2, anchors, rows)
    names = names_in_layers(directions.delta_1, layers)
    anchors = {(0.0, 0.0): directions.end, (-1.0, 0.0): directions.start}
    return Plane(
        module,
        directions.end,
        {name: directions.delta_1[name] for name in names},
        {name: directions.delta_2[name] for name in names},
        anchors,
    )


def surface_layers(
    module_or_names: torch.nn.Module | Iterable[str], surface: dict[str, Any]
) -> range | None:
    """Layers that a surface moves; None for the whole encoder.

    Parameters
    ----------
    module_or_names : classifier, or the names of its parameters.
    surface : ``group``, the name of a layer group or None, and ``groups``, first and last
        layer of each (both included, from 0), or None for the thirds low, middle and high.

    Raises
    ------
    UserError : if a group holds a layer that the model lacks, or there are too few for thirds.
    KeyError : if there is no group of that name.
    """
    if surface["group"] is None:
        return None
    return layer_groups(layer_count(module_or_names), surface["groups"])[surface["group"]]


def load_evaluator(
    module: torch.nn.Module,
    tokens: Tokens,
    token_budget: int | None,
    layers: range | None = None,
    dtype: torch.dtype = torch.float32,
) -> Evaluator:
    """Evaluator over the splits of a surface's examples.

    Parameters
    ----------
    module : classifier, already on its device; evaluated as it stands at each call.
    tokens : the examples.
    token_budget : most (padded) tokens in one forward pass; None for what suits the device.
    layers : the only layers that will move; None if any weight may.
    dtype : of matrix products, see ``Evaluator``.
    """
    fixed_below = None if layers is None else layers.start
    return Evaluator(module, tokens.splits, tokens.pad_id, token_budget, fixed_below, dtype)


def load_surface(
    model_dir: Path,
    tokens: Path,
    checkpoints: tuple[Path, Path, Path | None],
    surface: dict[str, Any],
    token_budget: int | None,
    device: torch.device,
    dtypes: tuple[torch.dtype, ...],
) -> tuple[Plane, list[Evaluator]]:
    """A surface's plane, and evaluators of its examples on it.

    Parameters
    ----------
    model_dir : folder with the model's ``config.json``.
    tokens : the surface's examples (``encode_examples``).
    checkpoints : start, end and second, see ``load_directions``. The head is that of the end,
        which the target run learned, at every point (paper, section 3.1).
    surface : ``group`` and ``groups`` (see ``surface_layers``).
    token_budget : most (padded) tokens in one forward pass; None for what suits the device.
    dtypes : of the evaluators' matrix products, one each.

    Raises
    ------
    UserError : if a file cannot be read or does not fit the model, a run did not move the encoder,
        or the model lacks the layer group.
    """
    start, end, second = checkpoints
    examples = read_tokens(tokens)
    module = load_classifier(model_dir, examples.labels, read_weights(end), device)
    layers = surface_layers(module, surface)
    evaluators = [load_evaluator(module, examples, token_budget, layers, dtype) for dtype in dtypes]
    directions = load_directions(encoder_names(module), start, end, second)
    return make_plane(module, directions, layers, evaluators[0].rows), evaluators
