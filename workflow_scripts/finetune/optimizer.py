"""Optimizers, with the variants of Adam in the fine-tuning literature.

Adam's variants all have the form ``rate * m / (sqrt(v) + eps)``, where m and v are the running
means of the gradient and of its square. PyTorch's fused kernel computes

    lr / c1 * m / (sqrt(v) / sqrt(c2) + eps),    c1 = 1 - beta1^t,  c2 = 1 - beta2^t.

The others follow from another learning rate and epsilon at every step, so that all of them run in
one fused pass over the weights.
"""

from collections.abc import Iterable

import torch

from workflow_scripts.finetune.recipe import Recipe

Settings = dict[str, float]


def adam_settings(step: int, learning_rate: float, recipe: Recipe) -> Settings:
    """Learning rate, epsilon and weight decay with which torch's Adam does the recipe's step.

    correction on, epsilon ``after`` it (Kingma and Ba, PyTorch)
        lr / c1 * m / (sqrt(v / c2) + eps)
    correction on, epsilon ``before`` it (BERT's successors in old Hugging Face code)
        lr * sqrt(c2) / c1 * m / (sqrt(v) + eps)
    correction off (BERT's own code); the placement makes no difference
        lr * m / (sqrt(v) + eps)

    Without the correction the first step is (1 - beta1) / sqrt(1 - beta2) = 3.16 times as long.
    Decoupled decay stays learning_rate * weight_decay and is applied before the step (PyTorch's
    order; old Hugging Face code does it after, a difference of the order of
    learning_rate**2 * weight_decay).

    Parameters
    ----------
    step : int
        Number of the step, from 1.
    learning_rate : float
        Of this step, from the schedule.
    recipe : Recipe

    References
    ----------
    Kingma and Ba (2015), section 2; Mosbach et al. (2021), section 5.1.
    """
    beta1, beta2 = recipe.betas
    root = (1 - beta2**step) ** 0.5
    settings = {
        "lr": learning_rate,
        "eps": recipe.eps,
        "weight_decay": recipe.weight_decay,
    }
    if not recipe.bias_correction or recipe.eps_placement == "before":
        settings["eps"] = recipe.eps / root
    if not recipe.bias_correction:
        undo = (1 - beta1**step) / root
        settings["lr"] = learning_rate * undo
        if recipe.optimizer == "adamw":  # torch multiplies the decay by lr
            settings["weight_decay"] = recipe.weight_decay / undo
    return settings


def make_optimizer(
    parameters: Iterable[torch.nn.Parameter], recipe: Recipe
) -> torch.optim.Optimizer:
    """Fused torch optimizer of a recipe; call ``set_step`` before each of its steps.

    ``adamw`` has decoupled weight decay; ``adam`` and ``sgd`` (plain, no momentum) add
    the decay to the gradient. Biases and LayerNorm weights (the one-dimensional ones) never decay.

    Parameters
    ----------
    parameters : iterable of Parameter
        All that are trained; already on their device.
    recipe : Recipe

    Raises
    ------
    KeyError
        If the recipe's optimizer is not one of the three.

    References
    ----------
    Kingma and Ba (2015), algorithm 1, for Adam; Loshchilov and Hutter (2019), algorithm 2, for
    decoupled weight decay.
    """
    parameters = list(parameters)
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "decays": True},
        {"params": [p for p in parameters if p.ndim <= 1], "decays": False},
    ]
    rate = recipe.learning_rate
    if recipe.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=rate, fused=True)
    kinds = {"adamw": torch.optim.AdamW, "adam": torch.optim.Adam}
    return kinds[recipe.optimizer](
        groups, lr=rate, betas=tuple(recipe.betas), eps=recipe.eps, fused=True
    )


def set_step(
    optimizer: torch.optim.Optimizer, step: int, learning_rate: float, recipe: Recipe
) -> None:
    """Prepare ``optimizer`` for a step.

    Parameters
    ----------
    optimizer : Optimizer
        From ``make_optimizer`` with the same recipe.
    step : int
        Number of the step, from 1.
    learning_rate : float
        Of this step, from the schedule.
    recipe : Recipe
    """
    if recipe.optimizer == "sgd":
        settings = {"lr": learning_rate, "weight_decay": recipe.weight_decay}
    else:
        settings = adam_settings(step, learning_rate, recipe)
    for group in optimizer.param_groups:
        group.update(settings)
        if not group["decays"]:
            group["weight_decay"] = 0.0


def state_tensors(optimizer: torch.optim.Optimizer) -> dict[str, torch.Tensor]:
    """Moments and step counts of an optimizer by name, which can be written without pickle."""
    return {
        f"{index}.{name}": tensor.contiguous()
        for index, values in optimizer.state_dict()["state"].items()
        for name, tensor in values.items()
        if isinstance(tensor, torch.Tensor)
    }


def load_state(optimizer: torch.optim.Optimizer, tensors: dict[str, torch.Tensor]) -> None:
    """Restore a state of ``state_tensors``.

    Parameters
    ----------
    optimizer : Optimizer
        Of the same parameters in the same order; it moves the tensors to their devices.
    tensors : dict of str to Tensor
        They are copied; an empty one is the state before the first step.
    """
    state: dict[int, dict[str, torch.Tensor]] = {}
    for key, tensor in tensors.items():
        index, name = key.split(".", 1)
        state.setdefault(int(index), {})[name] = tensor.clone()
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": state, "param_groups": groups})
