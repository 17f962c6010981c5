"""Classifiers of the registered families, as PyTorch modules that hold weights and nothing else."""

import torch
from torch import nn

from workflow_scripts.model.families import Architecture, known_architecture


class Classifier(nn.Module):
    """A classifier's parameters by their Hugging Face names, on the CPU, float32, not filled.

    Parameters
    ----------
    config : Architecture
        Names and shapes.
    labels : int
        Number of classes.
    """

    def __init__(self, config: Architecture, labels: int):
        super().__init__()
        self.config, self.base_model_prefix = config, config.family.prefix
        for name, shape in config.shapes(labels).items():
            *path, last = name.split(".")
            part: nn.Module = self
            for step in path:
                if step not in dict(part.named_children()):
                    part.add_module(step, nn.Module())
                part = part.get_submodule(step)
            part.register_parameter(last, nn.Parameter(torch.empty(shape)))


def architecture_of(module: nn.Module) -> Architecture | None:
    """A classifier's architecture if ``model/network.py`` computes it, else None.

    Parameters
    ----------
    module : nn.Module
        A ``Classifier``, or a Hugging Face module with its configuration.
    """
    if isinstance(module, Classifier):
        return module.config
    architecture = known_architecture(module.config.to_dict())
    if architecture is None:
        return None
    names, expected = (name for name, _ in module.named_parameters()), architecture.shapes(labels=2)
    if getattr(module, "labels_words", False):  # the head is not the family's
        prefix = f"{architecture.family.prefix}."
        names, expected = (
            [name for name in some if name.startswith(prefix)] for some in (names, expected)
        )
    return architecture if set(expected) == set(names) else None
