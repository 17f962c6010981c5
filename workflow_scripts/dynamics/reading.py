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
from workflow_scripts.model.architecture import Architecture, architecture_of
from workflow_scripts.model.encoder import (
    check_own_layers,
    layer_count,
    layer_modules,
    load_classifier,
    read_weights,
)
from workflow_scripts.model.network import embed, read_layers, run_layer
from workflow_scripts.model.packing import Packed, pack
from workflow_scripts.model.text import Encoded, Tokenizer, collate, encode, joined

TOKENS = ("all", "cls")


@dataclass(frozen=True)
class Batch:
    """Examples of one forward pass: their group and their places among all examples."""

    group: int
    examples: np.ndarray


def read_examples(
    tokenizer: Tokenizer,
    dev: list[Path],
    cards: list[Path],
    count: int | None,
    seed: int,
    max_length: int,
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
    attention : "sdpa", or "eager" where the attention itself is wanted, of an architecture that
        goes through its own forward pass.

    Raises
    ------
    UserError : if a file cannot be read, or the weights do not fit the architecture.
    """
    pair = []
    for card, path in zip((cards[0], cards[-1]), weights, strict=True):
        labels = len(read_json(card)["labels"])
        pair.append(load_classifier(model_dir, labels, read_weights(path), device, attention))
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


def equal_batches(lengths: np.ndarray, budget: int) -> list[np.ndarray]:
    """Batches of examples of one length, by increasing length: places in ``lengths``.

    Parameters
    ----------
    lengths : (N,) tokens of each example.
    budget : most tokens of a batch; a longer example is a batch of its own.
    """
    batches = []
    for length in np.unique(lengths):
        alike = np.flatnonzero(lengths == length)
        most = max(1, budget // length)
        batches += [alike[first : first + most] for first in range(0, len(alike), most)]
    return batches


@dataclass(frozen=True)
class _Line:
    """Examples of one pass without padding, and where each of their tokens lies in it.

    ``place`` [T] : for the tokens of the first example asked for, the second …, in their order.
    """

    packed: Packed
    place: Tensor


def _line(architecture: Architecture, encoded: Encoded, examples: np.ndarray, device) -> _Line:
    lengths = encoded.lengths[examples]
    order = np.argsort(lengths, kind="stable")
    firsts = np.empty_like(lengths)
    firsts[order] = np.cumsum(lengths[order]) - lengths[order]
    place = np.repeat(firsts - (np.cumsum(lengths) - lengths), lengths) + np.arange(lengths.sum())
    return _Line(
        pack(architecture, encoded, examples[order], device), torch.from_numpy(place).to(device)
    )


@torch.no_grad()
def hidden_states(
    module: nn.Module, encoded: Encoded, examples: np.ndarray, pad_id: int
) -> list[Tensor]:
    """Hidden states of examples: behind the embeddings, then behind each layer, [T, d] each.

    Without padding: the tokens of an example follow one another, and the examples stand in the
    order in which they are given. BERT, RoBERTa, ELECTRA and ALBERT are computed without padding
    too (``model/network.py``), within 1e-5 of their own forward pass.

    Parameters
    ----------
    module : of ``load_pair``, or any Hugging Face classifier.
    examples : places in ``encoded``.
    pad_id : token that fills up short examples, where there is padding.

    Raises
    ------
    UserError : if the architecture gives none.
    """
    device, architecture = next(module.parameters()).device, architecture_of(module)
    if architecture is None:
        inputs = collate(encoded, examples, pad_id, device)
        real = inputs["attention_mask"] != 0
        return [states[real] for states in _own_hidden_states(module, inputs)]
    line = _line(architecture, encoded, examples, device)
    return [states[line.place] for states in _all_states(module, architecture, line)]


def _all_states(module: nn.Module, architecture: Architecture, line: _Line) -> list[Tensor]:
    weights = dict(module.named_parameters())
    states = [embed(architecture, weights, line.packed)]
    for layer in read_layers(architecture, weights):
        states.append(run_layer(architecture, layer, line.packed, states[-1], last=False))
    return states


def _own_hidden_states(module: nn.Module, inputs: dict[str, Tensor]) -> tuple[Tensor, ...]:
    """Of a model's own forward pass over padded examples, [N, T, d] each."""
    output = module.base_model(**inputs, output_hidden_states=True)
    states = getattr(output, "hidden_states", None)
    if not states:
        raise UserError(f"{type(module).__name__} returns no hidden states")
    return states


def chosen_rows(lengths: np.ndarray, tokens: str) -> tuple[Tensor, Tensor]:
    """Which rows of ``hidden_states`` are compared, and the example of each, both int64.

    Parameters
    ----------
    lengths : tokens of each example [N].
    tokens : ``all``, or each example's first (``cls``).

    Returns
    -------
    Rows, increasing, and for each the place of its example in ``lengths``.

    Raises
    ------
    UserError : for another choice.
    """
    if tokens not in TOKENS:
        raise UserError(f"tokens: got {tokens!r}, allowed: {', '.join(TOKENS)}")
    rows, example = np.arange(lengths.sum()), np.repeat(np.arange(len(lengths)), lengths)
    if tokens == "cls":
        rows, example = np.cumsum(lengths) - lengths, np.arange(len(lengths))
    return torch.from_numpy(rows), torch.from_numpy(example)


@torch.no_grad()
def rolled_back_states(
    module: nn.Module, before: nn.Module, encoded: Encoded, examples: np.ndarray, pad_id: int
) -> Iterator[Tensor]:
    """Last hidden states of a model, then of the same with one layer at a time put back.

    A layer's weights change nothing below it: the passes take what the layers below gave from the
    first pass, so that L layers cost (L + 1) / 2 passes in all instead of L.

    Parameters
    ----------
    module, before : fine-tuned and pre-trained model of one architecture, on one device.
    encoded, examples, pad_id : as in ``hidden_states``.

    Yields
    ------
    [T, d]: of ``module`` itself, then with layer 0, 1 … of ``before`` in place of its own.

    Raises
    ------
    UserError : if the layers share their weights (ALBERT), or the models differ in depth.
    """
    check_own_layers(module)
    depths = [layer_count(each) for each in (module, before)]
    if depths[0] != depths[1]:
        raise UserError(f"one model has {depths[0]} layers, the other {depths[1]}")
    device, architecture = next(module.parameters()).device, architecture_of(module)
    if architecture is None:
        inputs = collate(encoded, examples, pad_id, device)
        real = inputs["attention_mask"] != 0
        yield from (states[real] for states in _own_rolled_back_states(module, before, inputs))
        return
    line = _line(architecture, encoded, examples, device)
    layers, old = (
        read_layers(architecture, dict(each.named_parameters())) for each in (module, before)
    )
    below = _all_states(module, architecture, line)
    yield below[-1][line.place]
    for index, layer in enumerate(old):
        states = below[index]
        for one in (layer, *layers[index + 1 :]):
            states = run_layer(architecture, one, line.packed, states, last=False)
        yield states[line.place]


def _own_rolled_back_states(
    module: nn.Module, before: nn.Module, inputs: dict[str, Tensor]
) -> Iterator[Tensor]:
    """Of the models' own forward passes over padded examples, [N, T, d] each."""
    layers, old = layer_modules(module), layer_modules(before)
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
    x, y, example = x.double(), y.double(), example.to(x.device)
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
