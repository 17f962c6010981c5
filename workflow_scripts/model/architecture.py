"""BERT, RoBERTa, ELECTRA and ALBERT classifiers as names and shapes.

``model/network.py`` computes them, and ``finetune/packed.py`` trains them.

Read from ``config.json`` as transformers reads it, without importing it: that takes longer than
many a job of a surface. What is unusual there is left to transformers.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn import functional

# Activations by the names that config.json gives them.
ACTIVATIONS = {
    "gelu": functional.gelu,
    "gelu_new": lambda states: functional.gelu(states, approximate="tanh"),
    "gelu_pytorch_tanh": lambda states: functional.gelu(states, approximate="tanh"),
    "relu": functional.relu,
    "silu": functional.silu,
    "swish": functional.silu,
    "tanh": torch.tanh,
}

# What keys mean that config.json leaves out: the defaults of transformers' configurations.
_DEFAULTS: dict[str, Any] = {
    "vocab_size": 30522,
    "hidden_size": 768,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "intermediate_size": 3072,
    "hidden_act": "gelu",
    "max_position_embeddings": 512,
    "type_vocab_size": 2,
    "layer_norm_eps": 1e-12,
    "pad_token_id": 0,
}
_OTHER_DEFAULTS: dict[str, dict[str, Any]] = {
    "albert": {
        "vocab_size": 30000,
        "embedding_size": 128,
        "hidden_size": 4096,
        "num_attention_heads": 64,
        "intermediate_size": 16384,
        "hidden_act": "gelu_new",
        "num_hidden_groups": 1,
        "inner_group_num": 1,
    },
    "bert": {},
    "electra": {
        "embedding_size": 128,
        "hidden_size": 256,
        "num_attention_heads": 4,
        "intermediate_size": 1024,
    },
    "roberta": {"vocab_size": 50265, "pad_token_id": 1},
}
# Names within a layer; query, key and value stand together, so that they lie together in memory.
_LAYER = {
    "query": "attention.self.query",
    "key": "attention.self.key",
    "value": "attention.self.value",
    "mix": "attention.output.dense",
    "mix_norm": "attention.output.LayerNorm",
    "up": "intermediate.dense",
    "down": "output.dense",
    "down_norm": "output.LayerNorm",
}
_ALBERT_LAYER = {
    "down_norm": "full_layer_layer_norm",
    "query": "attention.query",
    "key": "attention.key",
    "value": "attention.value",
    "mix": "attention.dense",
    "mix_norm": "attention.LayerNorm",
    "up": "ffn",
    "down": "ffn_output",
}
# The head: its inner matrix, the activation behind that, its outer matrix.
_HEADS = {
    "albert": ("albert.pooler", "tanh", "classifier"),
    "bert": ("bert.pooler.dense", "tanh", "classifier"),
    "electra": ("classifier.dense", "gelu", "classifier.out_proj"),
    "roberta": ("classifier.dense", "tanh", "classifier.out_proj"),
}


@dataclass(frozen=True)
class Architecture:
    """What the forward pass needs of a ``config.json``, under the names that it has there.

    ``embedding_size`` is ``hidden_size`` for BERT and RoBERTa; ``num_hidden_groups`` and
    ``inner_group_num`` are ALBERT's.
    """

    model_type: str
    vocab_size: int
    hidden_size: int
    num_hidden_layers: int
    num_attention_heads: int
    intermediate_size: int
    hidden_act: str
    max_position_embeddings: int
    type_vocab_size: int
    layer_norm_eps: float
    pad_token_id: int
    embedding_size: int
    num_hidden_groups: int = 1
    inner_group_num: int = 1

    @property
    def embeddings(self) -> str:
        """Name in front of the embeddings' parameters."""
        return f"{self.model_type}.embeddings"

    @property
    def first_position(self) -> int:
        """Position of an example's first token: RoBERTa counts from behind its padding token."""
        return self.pad_token_id + 1 if self.model_type == "roberta" else 0

    @property
    def between(self) -> str | None:
        """Name of the matrix between embeddings and layers; None where there is none."""
        if self.model_type == "albert":
            return "albert.encoder.embedding_hidden_mapping_in"
        return "electra.embeddings_project" if self.embedding_size != self.hidden_size else None

    @property
    def head(self) -> tuple[str, str, str]:
        """Name of the head's inner matrix, its activation, and name of its outer matrix."""
        return _HEADS[self.model_type]

    def layers(self) -> list[dict[str, str]]:
        """Names of the matrices and norms of each layer, lowest first; ALBERT's come again."""
        if self.model_type != "albert":
            top, parts = f"{self.model_type}.encoder.layer", _LAYER
            places = [f"{top}.{index}" for index in range(self.num_hidden_layers)]
        else:
            top, parts = "albert.encoder.albert_layer_groups", _ALBERT_LAYER
            of_group = self.num_hidden_layers / self.num_hidden_groups
            places = [
                f"{top}.{int(index / of_group)}.albert_layers.{inner}"
                for index in range(self.num_hidden_layers)
                for inner in range(self.inner_group_num)
            ]
        return [{part: f"{place}.{name}" for part, name in parts.items()} for place in places]

    def shapes(self, labels: int) -> dict[str, tuple[int, ...]]:
        """Shape of every parameter of a classifier with ``labels`` classes, by full name."""
        width, hidden, inner = self.embedding_size, self.hidden_size, self.intermediate_size
        tables = {
            "word": self.vocab_size,
            "position": self.max_position_embeddings,
            "token_type": self.type_vocab_size,
        }
        found: dict[str, tuple[int, ...]] = {
            f"{self.embeddings}.{table}_embeddings.weight": (rows, width)
            for table, rows in tables.items()
        }

        def add(name: str, *shape: int) -> None:
            """A matrix [out, in] or a norm [H], and its bias."""
            found[f"{name}.weight"], found[f"{name}.bias"] = shape, shape[:1]

        add(f"{self.embeddings}.LayerNorm", width)
        if self.between:
            add(self.between, hidden, width)
        for names in self.layers():
            for part, name in names.items():
                if part.endswith("norm"):
                    add(name, hidden)
                else:
                    rows = inner if part == "up" else hidden
                    add(name, rows, inner if part == "down" else hidden)
        dense, _, out = self.head
        add(dense, hidden, hidden)
        add(out, labels, hidden)
        return found


def known_architecture(facts: dict[str, Any]) -> Architecture | None:
    """The architecture of a ``config.json``; None where only transformers knows what it means.

    Parameters
    ----------
    facts : what the file holds. Of another ``model_type``, a decoder, other positions than the
        usual, an unknown activation or a value of another type nothing is known.
    """
    kind = facts.get("model_type")
    if kind not in _OTHER_DEFAULTS or facts.get("is_decoder") or facts.get("add_cross_attention"):
        return None
    if facts.get("position_embedding_type", "absolute") != "absolute":
        return None
    defaults = _DEFAULTS | _OTHER_DEFAULTS[kind]
    values = {key: facts.get(key, default) for key, default in defaults.items()}
    if kind != "roberta":
        values["pad_token_id"] = 0  # of no account without padding, and may be null
    values.setdefault("embedding_size", values["hidden_size"])
    act, eps = values.pop("hidden_act"), values.pop("layer_norm_eps")
    least = {"pad_token_id": 0}  # all others are sizes
    whole = all(type(value) is int and value >= least.get(key, 1) for key, value in values.items())
    if not whole or not isinstance(eps, (int, float)) or act not in ACTIVATIONS:
        return None
    if values["hidden_size"] % values["num_attention_heads"]:
        return None
    return Architecture(kind, hidden_act=act, layer_norm_eps=eps, **values)


class Classifier(nn.Module):
    """A classifier's parameters by their Hugging Face names, on the CPU, float32, not filled.

    Parameters
    ----------
    config : the architecture.
    labels : number of classes.
    """

    def __init__(self, config: Architecture, labels: int):
        super().__init__()
        self.config, self.base_model_prefix = config, config.model_type
        for name, shape in config.shapes(labels).items():
            *path, last = name.split(".")
            part: nn.Module = self
            for step in path:
                if step not in dict(part.named_children()):
                    part.add_module(step, nn.Module())
                part = part.get_submodule(step)
            part.register_parameter(last, nn.Parameter(torch.empty(shape)))


def architecture_of(module: nn.Module) -> Architecture | None:
    """A classifier's architecture, if it is one that ``Architecture`` describes.

    Parameters
    ----------
    module : a ``Classifier``, or a Hugging Face module with its configuration.
    """
    if isinstance(module, Classifier):
        return module.config
    found = known_architecture(module.config.to_dict())
    named = {name for name, _ in module.named_parameters()}
    return found if found and found.shapes(labels=2).keys() == named else None
