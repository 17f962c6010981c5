"""Sizes of models, from files on this machine or known configurations; downloads nothing."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from workflow_scripts.common.errors import UserError, nearest
from workflow_scripts.model.checks import (
    local_folder,
    parse_source,
    random_settings,
    read_config_file,
)
from workflow_scripts.model.families import (
    FAMILIES,
    Architecture,
    known_architecture,
    read_architecture,
)

_LARGE = {
    "hidden_size": 1024,
    "num_hidden_layers": 24,
    "num_attention_heads": 16,
    "intermediate_size": 4096,
}
_ROBERTA = {"model_type": "roberta", "max_position_embeddings": 514, "type_vocab_size": 1}
# From the config.json of each repository on huggingface.co.
KNOWN_MODELS: dict[str, dict[str, Any]] = {
    "google-bert/bert-base-cased": {"model_type": "bert", "vocab_size": 28996},
    "google-bert/bert-base-uncased": {"model_type": "bert", "vocab_size": 30522},
    "google-bert/bert-large-cased": {"model_type": "bert", **_LARGE, "vocab_size": 28996},
    "google-bert/bert-large-uncased": {"model_type": "bert", **_LARGE, "vocab_size": 30522},
    "distilbert/distilbert-base-uncased": {"model_type": "distilbert", "vocab_size": 30522},
    "FacebookAI/roberta-base": {**_ROBERTA, "vocab_size": 50265},
    "FacebookAI/roberta-large": {**_ROBERTA, **_LARGE, "vocab_size": 50265},
}


@dataclass(frozen=True)
class Shape:
    """Sizes that the cost of computing with a model follows from.

    Attributes
    ----------
    kind : str
        The model's family, as transformers' ``model_type``.
    architecture : Architecture
        Its sizes; those of a BERT where the family is not registered.
    packed : bool
        Whether the engine evaluates it, and a CPU trains it, without padding.
    """

    kind: str
    architecture: Architecture
    packed: bool

    @cached_property
    def layers(self) -> int:
        """Layers that a token passes."""
        return len(self.architecture.layers())

    @property
    def hidden(self) -> int:
        """Width of the hidden states."""
        return self.architecture.hidden_size

    @property
    def heads(self) -> int:
        """Attention heads of a layer."""
        return self.architecture.num_attention_heads

    @property
    def intermediate(self) -> int:
        """Width of the feed-forward network within a layer."""
        return self.architecture.intermediate_size

    @property
    def vocabulary(self) -> int:
        """Rows of the word embeddings."""
        return self.architecture.vocab_size

    @property
    def positions(self) -> int:
        """Rows of the position embeddings."""
        return self.architecture.max_position_embeddings

    @cached_property
    def layer_weights(self) -> int:
        """Entries of a layer's matrices: query, key, value, output, and the two outer ones."""
        return self.architecture.count(self.architecture.layers()[0], matrices=True)

    @cached_property
    def parameters(self) -> int:
        """Parameters of the encoder; exact for registered families, others count as a BERT."""
        return self.architecture.count(self.architecture.family.prefix)

    @property
    def moving(self) -> int:
        """Parameters besides the word embeddings."""
        return self.parameters - self.vocabulary * self.architecture.embedding_size


def shape_of(name: str, source: str, run: Path) -> tuple[Shape, str]:
    """Sizes of a model, and where they are known from.

    Parameters
    ----------
    name : str
        The model's name in the configuration.
    source : str
        Its source.
    run : Path
        Folder of the run, which may have fetched it already.

    Raises
    ------
    UserError
        If the source cannot work, or nothing is known of it without a network.
    """
    try:
        parsed = parse_source(source)
        folder = local_folder(parsed)
        if parsed.scheme == "random":
            return _random_shape(parsed.place), "random: source"
    except UserError as error:
        raise UserError(f"models.{name}.source: {error}") from None
    config = (folder or run / "results" / "model" / name) / "config.json"
    if folder or was_fetched(config.parent / "card.json", source):
        return _shape_in(config), str(config)
    if parsed.place in KNOWN_MODELS:
        return shape_from(KNOWN_MODELS[parsed.place]), f"known sizes of {parsed.place}"
    raise UserError(
        f"models.{name}.source: sizes of {parsed.place} are not known without a network; known: "
        f"{', '.join(KNOWN_MODELS)}{nearest(parsed.place, KNOWN_MODELS)}; for another, give "
        f"--shape {name}=FOLDER with its config.json"
    )


def shape_in(name: str, folder: Path) -> tuple[Shape, str]:
    """Sizes of a model from the ``config.json`` of a folder that a person names.

    Raises
    ------
    UserError
        If it cannot be read, or lacks a size.
    """
    return _shape_in(Path(folder) / "config.json"), f"--shape {name}={folder}"


def was_fetched(card: Path, source: str) -> bool:
    """Whether a model's or a task's card is present and of this source."""
    try:
        return json.loads(card.read_text(encoding="utf-8")).get("source") == source
    except (OSError, ValueError):
        return False


def shape_from(facts: Mapping[str, Any]) -> Shape:
    """Sizes from the content of a ``config.json`` with a ``model_type``.

    Raises
    ------
    UserError
        If it lacks a size, or a size is not a positive whole number.
    """
    kind = facts["model_type"]
    known = known_architecture(facts)
    architecture = known or read_architecture(facts if kind in FAMILIES else _as_bert(facts))
    return Shape(kind, architecture, packed=known is not None)


def _shape_in(config: Path) -> Shape:
    facts = read_config_file(config)
    try:
        return shape_from(facts)
    except UserError as error:
        raise UserError(f"{config}: {error}") from None


# What families that are not registered call BERT's keys.
_OTHER_KEYS = {
    "hidden_size": ("hidden_size", "dim", "d_model", "n_embd"),
    "num_hidden_layers": ("num_hidden_layers", "n_layers", "n_layer", "num_layers"),
    "num_attention_heads": ("num_attention_heads", "n_heads", "n_head"),
    "intermediate_size": ("intermediate_size", "hidden_dim", "n_inner"),
    "vocab_size": ("vocab_size",),
    "max_position_embeddings": ("max_position_embeddings", "n_positions"),
    "type_vocab_size": ("type_vocab_size",),
}
_OPTIONAL = ("intermediate_size", "max_position_embeddings", "type_vocab_size")


def _as_bert(facts: Mapping[str, Any]) -> dict[str, Any]:
    """The sizes of an unregistered family's config.json as a BERT's."""
    sizes: dict[str, Any] = {"model_type": "bert"}
    for key, names in _OTHER_KEYS.items():
        values = [facts[name] for name in names if isinstance(facts.get(name), int)]
        if values and (values[0] or key not in _OPTIONAL):
            sizes[key] = values[0]
        elif key not in _OPTIONAL:
            raise UserError(f"has no {key}")
    return {"intermediate_size": 4 * sizes["hidden_size"]} | sizes


def _random_shape(place: str) -> Shape:
    from workflow_scripts.model.random_model import random_facts, random_tokenizer

    kind, settings = random_settings(place)
    vocabulary = settings["vocab_size"] or len(random_tokenizer(kind, None))
    return shape_from(random_facts(kind, settings, vocabulary) | {"model_type": kind})
