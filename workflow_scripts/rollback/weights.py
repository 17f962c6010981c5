"""Weights of a fine-tuned model with some layers rolled back."""

from torch import Tensor

from workflow_scripts.model.encoder import names_in_layers


def rolled_back(
    end: dict[str, Tensor], start: dict[str, Tensor], layers: range
) -> dict[str, Tensor]:
    """Fine-tuned weights with some layers reset to their pre-trained values.

    Parameters
    ----------
    end, start : dict of str to Tensor
        Weights of one classifier after and before fine-tuning, by name of the parameter.
    layers : range
        The layers to reset, from 0.

    Returns
    -------
    dict of str to Tensor
        All of ``end``, with the parameters of ``layers`` from ``start``; no tensor is copied.

    Raises
    ------
    UserError
        If the layers share their weights (ALBERT), or the model has none of them.
    KeyError
        If ``start`` lacks a parameter of these layers.

    References
    ----------
    Hao et al. (2019), section 7; Hao et al. (2020), section 4.
    """
    return end | {name: start[name] for name in names_in_layers(end, layers)}
