"""The rows of the word embeddings that a run's examples use, trained without all others."""

import math

import numpy as np
import torch
from torch import nn

from workflow_scripts.finetune.recipe import Recipe


class WordRows:
    """Rows of a classifier's word embeddings, as one parameter for the optimizer.

    A task uses few of the 30,522 tokens whose embeddings are half of MiniLM's parameters. The
    others have no gradient: an optimizer only lets them decay, which ``decay`` does once an epoch.
    Equal to training all rows but for rounding.

    Parameters
    ----------
    module : nn.Module
        Classifier whose word embeddings are looked up by tokens, and used for nothing else.
        Backward passes then leave a sparse gradient there.
    rows : ndarray of shape (n,), int64
        Tokens that training reads, increasing.

    Attributes
    ----------
    parameter : Parameter of shape [n, E]
        For the optimizer instead of ``weight``, the module's own. ``read`` copies its values from
        there, ``write`` to there.
    """

    def __init__(self, module: nn.Module, rows: np.ndarray) -> None:
        embedding = module.base_model.embeddings.word_embeddings
        embedding.sparse = True
        self.weight, self.rows = embedding.weight, torch.from_numpy(rows)
        self.parameter = nn.Parameter(self.weight.detach()[self.rows])
        self._gradient = torch.zeros_like(self.parameter)
        self._changed = torch.empty(0, dtype=torch.int64)
        self._place = torch.full((len(self.weight),), -1)
        self._place[self.rows] = torch.arange(len(self.rows))

    @torch.no_grad()
    def read(self) -> None:
        """Copy the rows from the module."""
        self.parameter.copy_(self.weight[self.rows])

    @torch.no_grad()
    def write(self) -> None:
        """Copy the trained rows to the module."""
        self.weight.index_copy_(0, self.rows, self.parameter)

    def take_gradient(self) -> None:
        """Make the sparse gradient of the last backward pass a dense one of ``parameter``.

        It stays in one tensor from step to step, in which only a batch's tokens change.
        """
        sparse, self.weight.grad = self.weight.grad, None
        self._gradient.index_fill_(0, self._changed, 0.0)
        self._changed = self._place[sparse._indices()[0]]
        self._gradient.index_add_(0, self._changed, sparse._values())
        self.parameter.grad = self._gradient

    @torch.no_grad()
    def decay(self, factor: float) -> None:
        """Multiply all other rows of the module."""
        if factor != 1:
            self.weight.mul_(factor)
            self.write()


def rows_to_train(input_ids: list[list[int]], words: int, recipe: Recipe) -> np.ndarray:
    """The rows that have a gradient, int64, increasing.

    Parameters
    ----------
    input_ids : list of list of int
        Tokens of the training examples.
    words : int
        Number of rows of the word embeddings.
    recipe : Recipe
        Adam with decay moves every row at every step: it adds the decay to the gradient.
    """
    if recipe.optimizer == "adam" and recipe.weight_decay:
        return np.arange(words)
    return np.unique(np.concatenate([np.asarray(ids, np.int64) for ids in input_ids]))


def decay_of(rates: list[float], recipe: Recipe) -> float:
    """Factor by which some steps multiply weights without a gradient.

    Parameters
    ----------
    rates : list of float
        Learning rate of each step.
    recipe : Recipe
    """
    if recipe.optimizer == "adam":
        return 1.0  # see rows_to_train
    return math.prod(1 - rate * recipe.weight_decay for rate in rates)
