"""Hyper-parameters of a run."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Recipe:
    """A section ``finetune.recipes.NAME`` of the configuration, with a value for every key.

    Attributes
    ----------
    optimizer : str
        adamw, adam or sgd; adam and sgd add the decay to the gradient.
    learning_rate : float
        Highest of the schedule.
    batch_size : int
        Examples per step.
    epochs : int
        Passes over the training set.
    max_steps : int or None
        The schedule and the training end after so many steps; None for no limit.
    schedule : str
        linear, constant, cosine or slanted_triangular, see ``schedule.factor``.
    warmup : float
        Share of the steps with a rising learning rate.
    bias_correction : bool
        Adam's, see ``optimizer.adam_settings``.
    eps : float
        Adam's epsilon.
    eps_placement : str
        after or before the bias correction, see ``optimizer.adam_settings``.
    betas : sequence of 2 float
        Adam's.
    weight_decay : float
        Not on biases and LayerNorm weights.
    gradient_clip : float or None
        Largest Euclidean norm of the whole gradient; None for no clipping.
    dropout : float or None
        Probability, everywhere; None for the model's own.
    autocast : str
        none or bfloat16: precision of the matrix products in training. Dev scores are fp32.
    bucket_batches : int
        Batches that are cut together by length, see ``batches.epoch_batches``.
    """

    optimizer: str
    learning_rate: float
    batch_size: int
    epochs: int
    max_steps: int | None
    schedule: str
    warmup: float
    bias_correction: bool
    eps: float
    eps_placement: str
    betas: Sequence[float]
    weight_decay: float
    gradient_clip: float | None
    dropout: float | None
    autocast: str
    bucket_batches: int
