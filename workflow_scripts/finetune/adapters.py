"""Merge LoRA adapters, as peft saves them, onto the weights of their base."""

import re
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from workflow_scripts.common.errors import UserError
from workflow_scripts.finetune.checkpoints import plain_name

_MATRIX = re.compile(r"(?P<target>.*)\.lora_(?P<embedding>embedding_)?(?P<which>[AB])(\.weight)?")


def merge_adapter(
    base: Mapping[str, Tensor], adapter: Mapping[str, Tensor], config: Mapping[str, Any]
) -> dict[str, Tensor]:
    """Weights of a base with an adapter merged, float32.

    W + s B A, where s is alpha / r, or alpha / sqrt(r) with ``use_rslora``. The adapter's other
    tensors (heads of ``modules_to_save``, trained biases) replace those of the base.

    Parameters
    ----------
    base : mapping of str to Tensor
        Weights of the base by full name; it is not changed.
    adapter : mapping of str to Tensor
        Content of ``adapter_model.safetensors``.
    config : mapping
        Content of ``adapter_config.json``, which ``checkpoints.check_adapter`` accepts.

    Raises
    ------
    UserError
        If the adapter has tensors of an unknown kind, or for weights that the base lacks.

    References
    ----------
    Hu et al. (2022), section 4.1. Kalajdzievski (2023) for the other scale.
    """
    merged = {name: tensor.float() for name, tensor in base.items()}
    tensors = {plain_name(name): tensor.float() for name, tensor in adapter.items()}
    for name, first in tensors.items():
        if (found := _MATRIX.fullmatch(name)) is None:
            if ".lora_" in name:
                raise UserError(f"the adapter has a tensor of an unknown kind: {name}")
            merged[name] = first
            continue
        other = "B" if found["which"] == "A" else "A"
        second = tensors.get(re.sub("[AB](?=$|[.]weight$)", other, name))
        target = found["target"]
        weight = merged.get(f"{target}.weight")
        if weight is None or second is None:
            raise UserError(f"the adapter of {target} has one matrix only, or no weight to adapt")
        if other == "A":
            continue
        change = second @ first
        if found["embedding"] or _is_flipped(change, weight, config):
            change = change.T
        if change.shape != weight.shape:
            raise UserError(
                f"the adapter of {target} has shape {list(change.shape)}, expected "
                f"{list(weight.shape)}"
            )
        merged[f"{target}.weight"] = weight + change * _scale(target, first.shape[0], config)
    return merged


def _is_flipped(change: Tensor, weight: Tensor, config: Mapping[str, Any]) -> bool:
    """Whether a layer keeps its weights as [inputs, outputs], as GPT-2's do."""
    if change.shape[0] == change.shape[1]:
        return bool(config.get("fan_in_fan_out"))
    return change.shape != weight.shape


def _scale(target: str, rank: int, config: Mapping[str, Any]) -> float:
    alpha = config["lora_alpha"]
    for pattern, own in (config.get("alpha_pattern") or {}).items():
        if re.match(rf"(.*\.)?({pattern})$", target):
            alpha = own
            break
    return alpha / rank**0.5 if config.get("use_rslora") else alpha / rank
