"""Examples that two models read, their batches, and the tokens that are compared."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from workflow_scripts.common.errors import UserError
from workflow_scripts.common.tables import read_json, read_table
from workflow_scripts.data.subset import subset
from workflow_scripts.model.encoder import load_classifier, read_weights
from workflow_scripts.model.text import Encoded, Tokenizer, encode, joined

TOKENS = ("all", "cls")


@dataclass(frozen=True)
class Batch:
    """Examples of one forward pass: their group, and their indices among all examples."""

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
    tokenizer : Tokenizer
        Of both models.
    dev, cards : list of Path
        Dev examples and card of each task.
    count : int, optional
        Examples of each task, a seeded subset; None takes all.
    seed : int
        Of the subset.
    max_length : int
        Longest input in tokens.

    Raises
    ------
    UserError
        If a task has fewer examples than ``count``.
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
    model_dir : Path
        Folder with the model's ``config.json``.
    cards : list of Path
        Card of the first model's task and of the second's.
    weights : tuple of Path
        Checkpoints of the first and the second model.
    device : torch.device
        Where both models are placed.
    attention : str
        "sdpa", or "eager" if attention weights are needed and the architecture runs its own
        forward pass.

    Raises
    ------
    UserError
        If a file cannot be read, or the weights do not fit the architecture.
    """
    pair = []
    for card, path in zip(cards, weights, strict=True):
        labels = len(read_json(card)["labels"])
        pair.append(load_classifier(model_dir, labels, read_weights(path), device, attention))
    return pair[0], pair[1]


def grouped_batches(lengths: np.ndarray, groups: int, budget: int, seed: int) -> list[Batch]:
    """Batches of the examples in a seeded order, group after group.

    The order is random, so that neighbouring examples have nothing in common, not even their
    length: the null of ``Moments`` needs that.

    Parameters
    ----------
    lengths : ndarray of shape (N,)
        Tokens of each example.
    groups : int
        Number of groups, of nearly equal size; at most N are made.
    budget : int
        Most tokens of a batch with its padding; a longer example is a separate batch.
    seed : int
        Of the order.

    Returns
    -------
    list of Batch: every example in one batch, every batch in one group.
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
    """Batches of examples of one length, by increasing length: indices in ``lengths``.

    Parameters
    ----------
    lengths : ndarray of shape (N,)
        Tokens of each example.
    budget : int
        Most tokens of a batch; a longer example is a separate batch.
    """
    batches = []
    for length in np.unique(lengths):
        alike = np.flatnonzero(lengths == length)
        most = max(1, budget // length)
        batches += [alike[first : first + most] for first in range(0, len(alike), most)]
    return batches


def chosen_rows(lengths: np.ndarray, tokens: str) -> tuple[Tensor, Tensor]:
    """Rows of ``running.hidden_states`` that are compared, and the example of each, both int64.

    Parameters
    ----------
    lengths : ndarray of shape (N,)
        Tokens of each example.
    tokens : str
        ``all``, or each example's first (``cls``).

    Returns
    -------
    rows, examples : Tensor of shape [n]
        The rows, increasing, and for each the index of its example in ``lengths``.

    Raises
    ------
    UserError
        If ``tokens`` has another value.
    """
    if tokens not in TOKENS:
        raise UserError(f"tokens: got {tokens!r}, allowed: {', '.join(TOKENS)}")
    rows, example = np.arange(lengths.sum()), np.repeat(np.arange(len(lengths)), lengths)
    if tokens == "cls":
        rows, example = np.cumsum(lengths) - lengths, np.arange(len(lengths))
    return torch.from_numpy(rows), torch.from_numpy(example)


def token_distances(x: Tensor, y: Tensor, example: Tensor, count: int) -> pd.DataFrame:
    """Distances of the same tokens in two models, means over each example's tokens.

    Unlike all that ``Moments`` gives, this is not blind to a rotation of the whole space.

    Parameters
    ----------
    x, y : Tensor of shape [n, d]
        The first and the second model's.
    example : Tensor of shape [n]
        Index of the example of each token, 0 to ``count`` − 1.
    count : int
        Number of examples.

    Returns
    -------
    DataFrame with a line per example: ``cosine_distance`` (1 − cosine, 0 to 2) and ``relative_l2``
    (|y − x| / |x|).
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
