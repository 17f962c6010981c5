"""Files of the dynamics stage, and what its rules take."""

import json
from collections.abc import Iterable
from typing import Any

from workflow_scripts.common.files import File, Files, digests_of
from workflow_scripts.data.files import task_file
from workflow_scripts.dynamics.pairs import Pair, model_pairs
from workflow_scripts.finetune.files import checkpoint_file
from workflow_scripts.model.files import architecture_files


def pair_path(model: str, pair: str, name: str) -> str:
    """Path of a table of a pair, as its rule makes it."""
    return f"results/dynamics/{model}/{pair}/{name}.parquet"


def pair_file(pair: Pair, name: str) -> File:
    """A table of a pair: ``attention``, ``representations`` or ``layers``."""
    models = pair.first, pair.second
    digests = digests_of(checkpoint_file(checkpoint) for checkpoint in models)
    return File(pair_path(pair.first.run.model, pair.name, name), digests)


def pair_files(settings: Any, pairs: Iterable[Pair], name: str) -> list[File]:
    """A table of each of these pairs; none where the settings leave it out."""
    if name == "attention" and not settings.dynamics.attention:
        return []
    return [pair_file(pair, name) for pair in pairs]


def pair_inputs(settings: Any, wildcards: Any) -> Files:
    """Both models of a job's pair, and the examples that they read."""
    pair = model_pairs(settings, wildcards.model)[wildcards.pair]
    return {
        **architecture_files(wildcards.model),
        "cards": [task_file(task, "card.json") for task in pair.read],
        "dev": [task_file(task, "dev.parquet") for task in pair.read],
        "model_cards": [task_file(one.run.task, "card.json") for one in (pair.first, pair.second)],
        "first": checkpoint_file(pair.first),
        "second": checkpoint_file(pair.second),
    }


def pair_examples(settings: Any, comparison: str) -> int | None:
    """Number of dev examples of each task that a pair of models reads; None for all."""
    dynamics = settings.dynamics
    return dynamics.pair_examples if comparison == "tasks" else dynamics.examples


def reading_spec(settings: Any, wildcards: Any) -> dict[str, Any]:
    """Which examples a pair of models reads."""
    comparison = model_pairs(settings, wildcards.model)[wildcards.pair].comparison
    return reading_spec_of(settings, comparison)


def reading_spec_of(settings: Any, comparison: str) -> dict[str, Any]:
    """Which examples the pairs of a comparison read."""
    return {
        "examples": pair_examples(settings, comparison),
        "seed": settings.dynamics.seed,
        "max_length": settings.finetune.max_length,
    }


def similarity_spec(settings: Any, wildcards: Any) -> dict[str, Any]:
    """How a pair's hidden states are compared, and which examples it reads."""
    return {**reading_spec(settings, wildcards), **similarity_spec_of(settings)}


def similarity_spec_of(settings: Any) -> dict[str, Any]:
    """How hidden states are compared."""
    dynamics = settings.dynamics
    return {"tokens": dynamics.tokens, "keep": dynamics.keep, "groups": dynamics.groups}


def moment_bytes(width: int, depth: int, groups: int) -> int:
    """Bytes of the moments of all layers of a pair of models, for each group and in all.

    Parameters
    ----------
    width : int
        Hidden size d.
    depth : int
        Layers, the embeddings among them.
    groups : int
        Of examples.
    """
    return 8 * (width + 2) ** 2 * (3 * depth * (groups + 4) + depth**2)


def similarity_memory(settings: Any, wildcards: Any, input: Any, attempt: int) -> int:
    """Megabytes of a job that holds the moments of all layers; a resource of a rule."""
    with open(input.config, encoding="utf-8") as file:
        facts = json.load(file)

    def fact(names: tuple[str, ...], default: int) -> int:
        return next((facts[name] for name in names if name in facts), default)

    # As the architectures call them.
    width = fact(("hidden_size", "dim", "d_model"), 1024)
    depth = fact(("num_hidden_layers", "n_layers"), 24) + 1
    held = moment_bytes(width, depth, settings.dynamics.groups)
    return round((3000 + held / 1e6) * attempt)
