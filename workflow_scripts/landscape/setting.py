"""Loads what every evaluation on a plane needs: the model, its examples, its directions."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from workflow_scripts.landscape.directions import main_direction, random_direction
from workflow_scripts.landscape.engine import Evaluator
from workflow_scripts.landscape.grid import Point, SurfaceSpec
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
class Checkpoints:
    """The checkpoints that span a surface.

    Attributes
    ----------
    start, end : Path
        First and last checkpoint of the target run (theta_0 and theta_1).
    second : Path or None
        Last checkpoint of the other task's run from the same start (theta_2), where one gives the
        second direction.
    between : sequence of Path
        Checkpoints of the target run between the two, where these give it.
    seed : int or None
        Of a random second direction. Without any of the three it is a line.
    """

    start: Path
    end: Path
    second: Path | None = None
    between: Sequence[Path] = ()
    seed: int | None = None


@dataclass(frozen=True)
class Directions:
    """The weights that span a surface, by name of the parameter.

    Attributes
    ----------
    start, end : dict of str to Tensor
        The target run's checkpoints, the whole classifier.
    delta_1 : dict of str to Tensor
        From ``start`` to ``end``, encoder parameters only.
    delta_2 : dict of str to Tensor, or None
        The second direction, scaled to the length of ``delta_1``; None for a line.
    scale : float or None
        The factor by which ``delta_2`` was scaled; None for a line.
    explained : float or None
        Of a principal component of the trajectory, see ``directions.MainDirection``.
    """

    start: Weights
    end: Weights
    delta_1: Weights
    delta_2: Weights | None
    scale: float | None
    explained: float | None = None


def load_directions(names: Iterable[str], checkpoints: Checkpoints) -> Directions:
    """Read the checkpoints of a surface and form its directions.

    Parameters
    ----------
    names : iterable of str
        Full names of the encoder's parameters, over which the directions run.
    checkpoints : Checkpoints

    Returns
    -------
    Directions
        On the CPU.

    Raises
    ------
    UserError
        If a file is missing or cannot be read, or if there is a second direction and one of the
        runs did not move the encoder, or a trajectory that gives it is a straight line.
    KeyError
        If a checkpoint lacks a parameter of the encoder.

    References
    ----------
    Hao et al. (2019), section 3.1 (delta_1, encoder only) and 3.2 (delta_2, its scale). Li et al.
    (2018), section 4, for a random direction, and section 7 for one of the trajectory.
    """
    theta_0, theta_1 = read_weights(checkpoints.start), read_weights(checkpoints.end)
    names = list(names)
    delta_1 = difference(theta_1, theta_0, names)
    explained = None
    if checkpoints.second is not None:
        delta_2 = difference(read_weights(checkpoints.second), theta_0, names)
    elif checkpoints.between:
        path = [difference(read_weights(one), theta_0, names) for one in checkpoints.between]
        main = main_direction(delta_1, path)
        delta_2, explained = main.delta, main.explained
    elif checkpoints.seed is not None:
        delta_2 = random_direction({name: theta_1[name] for name in names}, checkpoints.seed)
    else:
        return Directions(theta_0, theta_1, delta_1, None, None)
    scale = second_scale(delta_1, delta_2)
    scaled = {name: tensor.mul_(scale) for name, tensor in delta_2.items()}
    return Directions(theta_0, theta_1, delta_1, scaled, scale, explained)


def make_plane(
    module: torch.nn.Module,
    directions: Directions,
    layers: range | None = None,
    rows: dict[str, torch.Tensor] | None = None,
) -> Plane:
    """The plane (or line) through a run's start; its start and end are the exact checkpoints.

    With ``layers`` it is the plane of a layer group: it passes through the run's end, moves
    these layers only, and at (-1, 0) they are rolled back.

    Parameters
    ----------
    module : Module
        Classifier; its encoder, or the group's layers, become views of the plane's buffer. All
        other parameters, such as the head, keep their values.
    directions : Directions
        With a ``delta_2`` where ``layers`` are given.
    layers : range, optional
        The group's layers, from 0; the whole encoder by default.
    rows : dict of str to Tensor, optional
        ``Evaluator.rows``: the rows of the word embeddings that need to move; all by default.

    Raises
    ------
    UserError
        If ``layers`` are given and the layers share their weights (ALBERT), or the model has none
        of them.

    References
    ----------
    Hao et al. (2019), equations 1 and 2; section 7 for layer groups.
    """
    if layers is None:
        anchors = {Point(0.0, 0.0): directions.start, Point(1.0, 0.0): directions.end}
        start, delta_1, delta_2 = directions.start, directions.delta_1, directions.delta_2
        return Plane(module, start, delta_1, delta_2, anchors, rows)
    names = names_in_layers(directions.delta_1, layers)
    anchors = {Point(0.0, 0.0): directions.end, Point(-1.0, 0.0): directions.start}
    return Plane(
        module,
        directions.end,
        {name: directions.delta_1[name] for name in names},
        {name: directions.delta_2[name] for name in names},
        anchors,
    )


def surface_layers(
    module_or_names: torch.nn.Module | Iterable[str], surface: SurfaceSpec
) -> range | None:
    """Layers that a surface moves; None for the whole encoder.

    Parameters
    ----------
    module_or_names : Module or iterable of str
        Classifier, or the names of its parameters.
    surface : SurfaceSpec

    Raises
    ------
    UserError
        If a group holds a layer that the model lacks, or the layers are too few for thirds.
    KeyError
        If the surface's group is not among its groups.
    """
    if surface.group is None:
        return None
    return layer_groups(layer_count(module_or_names), surface.groups)[surface.group]


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
    module : Module
        Classifier, already on its device; each call evaluates its current weights.
    tokens : Tokens
        The examples.
    token_budget : int or None
        Most (padded) tokens in one forward pass; None for what suits the device.
    layers : range, optional
        The only layers that will move; any weight may by default.
    dtype : torch.dtype
        Of matrix products, see ``Evaluator``.
    """
    fixed_below = None if layers is None else layers.start
    return Evaluator(module, tokens.splits, tokens.pad_id, token_budget, fixed_below, dtype)


def load_surface(
    model_dir: Path,
    tokens: Path,
    checkpoints: Checkpoints,
    surface: SurfaceSpec,
    token_budget: int | None,
    device: torch.device,
    dtypes: tuple[torch.dtype, ...],
) -> tuple[Plane, list[Evaluator]]:
    """A surface's plane, and evaluators of its examples on it.

    Parameters
    ----------
    model_dir : Path
        Folder with the model's ``config.json``.
    tokens : Path
        The surface's examples (``encode_examples``).
    checkpoints : Checkpoints
        The head is that of ``end``, which the target run learned, at every point (paper, section
        3.1).
    surface : SurfaceSpec
        Its layer group is used.
    token_budget : int or None
        Largest number of (padded) tokens in one forward pass; None chooses one for the device.
    device : torch.device
        Where the surface is evaluated.
    dtypes : tuple of torch.dtype
        Type of each evaluator's matrix products.

    Raises
    ------
    UserError
        If a file cannot be read or does not fit the model, a run did not move the encoder, or the
        model lacks the layer group.
    """
    examples = read_tokens(tokens)
    module = load_classifier(model_dir, examples.labels, read_weights(checkpoints.end), device)
    layers = surface_layers(module, surface)
    evaluators = [load_evaluator(module, examples, token_budget, layers, dtype) for dtype in dtypes]
    directions = load_directions(encoder_names(module), checkpoints)
    return make_plane(module, directions, layers, evaluators[0].rows), evaluators
