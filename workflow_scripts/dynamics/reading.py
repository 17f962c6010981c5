"""The same examples read by two models: examples, batches, hidden states."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from workflow_scripts.common.errors import UserError
from workflow_scripts.common.tables import read_json, read_table
from workflow_scripts.data.subset import subset
from workflow_scripts.model.encoder import (
    build_classifier,
    layer_modules,
    load_weights,
    read_weights,
)
from workflow_scripts.model.text import Encoded, encode, joined

TOKENS = ("all", "cls")


@dataclass(frozen=True)
class Batch:
    """Examples of one forward pass: their group and their places among all examples."""

    group: int
    examples: np.ndarray


def read_examples(
    tokenizer, dev: list[Path], cards: list[Path], count: int | None, seed: int, max_length: int
) -> Encoded:
    """Dev examples of one task, or of several one after the other.

    Parameters
    ----------
    tokenizer : of both models.
    dev, cards : dev examples and card of each task.
    count : examples of each task, a seeded subset; None takes all.
    max_length : longest input in tokens.

    Raises
    ------
    UserError : if a task has fewer examples than ``count``.
    """
    parts = []
    for path, card in zip(dev, cards, strict=True):
        table = subset(read_table(path), count, seed, "dev", read_json(card)["name"])
        parts.append(encode(tokenizer, table, max_length))
    return joined(parts)


def load_pair(
    model_dir: Path,
    cards: list[Path],
    weights: tuple[Path, Path],
    device: torch.device,
    attention: str = "sdpa",
) -> tuple[nn.Module, nn.Module]:
    """Two classifiers of one architecture on a device, in float32 and evaluation mode.

    Parameters
    ----------
    model_dir : folder with the model's ``config.json``.
    cards : card of the first model's task and of the second's; one where it is the same.
    weights : checkpoint of either model.
    attention : "sdpa", or "eager" where the attention itself is wanted.

    Raises
    ------
    UserError : if a file cannot be read, or the weights do not fit the architecture.
    """
    pair = []
    for card, path in zip((cards[0], cards[-1]), weights, strict=True):
        module = build_classifier(model_dir, len(read_json(card)["labels"]), attention=attention)
        load_weights(module, read_weights(path))
        pair.append(module.to(device).eval())
    return pair[0], pair[1]


def grouped_batches(lengths: np.ndarray, groups: int, budget: int, seed: int) -> list[Batch]:
    """Batches of the examples in a seeded order, group after group.

    The order is random, so that neighbouring examples have nothing in common, not even their
    length: the null of ``Moments`` rests on that.

    Parameters
    ----------
    lengths : (N,) tokens of each example.
    groups : number of groups, as equal in size as can be; at most N are made.
    budget : most tokens of a batch with its padding; a longer example is a batch of its own.

    Returns
    -------
    Every example in one batch, every batch in one group.
    """
    order = np.random.default_rng(seed).permutation(len(lengths))
    batches = []
    for group in range(min(groups, len(order))):
        chosen, first = order[group::groups], 0
        for last in range(1, len(chosen) + 1):
            longest = lengths[chosen[first : last + 1]].max()
            if last == len(chosen) or (last + 1 - first) * longest > budget:
                batches.append(Batch(group, chosen[first:last]))
                first = last
    return batches


@torch.no_grad()
def hidden_states(module: nn.Module, inputs: dict[str, Tensor]) -> tuple[Tensor, ...]:
    """Hidden states of an encoder: behind the embeddings, then behind each layer, [N, T, d] each.

    Raises
    ------
    UserError : if the architecture gives none.
    """
    output = module.base_model(**inputs, output_hidden_states=True)
    states = getattr(output, "hidden_states", None)
    if not states:
        raise UserError(f"{type(module).__name__} returns no hidden states")
    return states


def chosen_tokens(mask: Tensor, tokens: str) -> Tensor:
    """Which tokens are compared, bool [N, T].

    Parameters
    ----------
    mask : 1 for tokens, 0 for padding, [N, T]; padding on the right.
    tokens : ``all`` real ones, or each example's first (``cls``).

    Raises
    ------
    UserError : for another choice.
    """
    if tokens not in TOKENS:
        raise UserError(f"tokens: got {tokens!r}, allowed: {', '.join(TOKENS)}")
    chosen = mask != 0
    if tokens == "cls":
        chosen = chosen.clone()
        chosen[:, 1:] = False
    return chosen


@torch.no_grad()
def rolled_back_states(
    module: nn.Module, before: nn.Module, inputs: dict[str, Tensor]
) -> Iterator[Tensor]:
    """Last hidden states of a model, then of the same with one layer at a time put back.

    A layer's weights change nothing below it: the passes take what the layers below gave from the
    first pass, so that L layers cost (L + 1) / 2 passes in all instead of L.

    Parameters
    ----------
    module, before : fine-tuned and pre-trained model of one architecture, on one device.

    Yields
    ------
    [N, T, d]: of ``module`` itself, then with layer 0, 1 … of ``before`` in place of its own.

    Raises
    ------
    UserError : if the layers share their weights (ALBERT), or the models differ in depth.
    """
    layers, old = layer_modules(module), layer_modules(before)
    if len(layers) != len(old):
        raise UserError(f"one model has {len(layers)} layers, the other {len(old)}")
    outputs: list = []

    def keep(_layer, _inputs, output):
        outputs.append(output)

    hooks = [layer.register_forward_hook(keep) for layer in layers]
    try:
        last = module.base_model(**inputs).last_hidden_state
    finally:
        for hook in hooks:
            hook.remove()
    yield last
    for index in range(len(layers)):
        below = [_giving(output) for output in outputs[:index]]
        with _replaced(layers[: index + 1], [*below, old[index].forward]):
            last = module.base_model(**inputs).last_hidden_state
        yield last


def _giving(output):
    return lambda *_arguments, **_named: output


@contextmanager
def _replaced(layers: list[nn.Module], forwards: list) -> Iterator[None]:
    """Layers that compute something else meanwhile."""
    for layer, forward in zip(layers, forwards, strict=True):
        layer.forward = forward
    try:
        yield
    finally:
        for layer in layers:
            del layer.forward  # that of its class comes to light again


def token_distances(x: Tensor, y: Tensor, example: Tensor, count: int) -> pd.DataFrame:
    """How far the same tokens lie apart in two models, means over each example's tokens.

    Unlike all that ``Moments`` gives, this is not blind to a rotation of the whole space.

    Parameters
    ----------
    x, y : [n, d], the first and the second model's.
    example : which example each row belongs to, 0 to ``count`` − 1 [n].

    Returns
    -------
    A row per example: ``cosine_distance`` (1 − cosine, 0 to 2) and ``relative_l2`` (|y − x| / |x|).
    """
    x, y = x.double(), y.double()
    sizes = x.norm(dim=1), y.norm(dim=1)
    found = {
        "cosine_distance": 1 - (x * y).sum(dim=1) / (sizes[0] * sizes[1]),
        "relative_l2": (y - x).norm(dim=1) / sizes[0],
    }
    tokens = torch.bincount(example, minlength=count)
    return pd.DataFrame(
        {
            name: (torch.zeros_like(tokens, dtype=torch.float64).index_add_(0, example, v) / tokens)
            .cpu()
            .numpy()
            for name, v in found.items()
        }
    )
