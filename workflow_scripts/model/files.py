"""Files of the model stage."""

from typing import Any

from workflow_scripts.common.files import File, Files


def model_digest(model: str) -> str:
    """Digest file of a model."""
    return f"results/model/{model}/digest"


def model_file(model: str, name: str) -> File:
    """A file of a model, such as ``model.safetensors`` or ``card.json``."""
    return File(f"results/model/{model}/{name}", [model_digest(model)], by_digest=True)


def architecture_files(model: str) -> dict[str, File]:
    """Configuration and tokenizer of a model, by the names of the scripts' parameters."""
    return {
        "config": model_file(model, "config.json"),
        "tokenizer": model_file(model, "tokenizer.json"),
        "tokenizer_config": model_file(model, "tokenizer_config.json"),
    }


def scratch_digest(model: str, init: int | str) -> str:
    """Digest file of a model's random weights."""
    return f"results/model/{model}/scratch/init{init}.digest"


def scratch_weights(model: str, init: int | str) -> File:
    """Random weights of a model's architecture, for one seed."""
    path = f"results/model/{model}/scratch/init{init}.safetensors"
    return File(path, [model_digest(model), scratch_digest(model, init)], by_digest=True)


def model_outputs(model: str = "{model}") -> dict[str, str]:
    """What ``fetch_model`` makes."""
    return {
        **architecture_files(model),
        "weights": model_file(model, "model.safetensors"),
        "card": model_file(model, "card.json"),
        "digest": model_digest(model),
    }


def model_spec(settings: Any, wildcards: Any) -> dict[str, Any]:
    """Settings of ``fetch_model``."""
    model = settings.models[wildcards.model]
    spec = {"name": wildcards.model, "source": model.source, "sha256": model.sha256}
    if model.source.startswith("hub:"):
        # Of other sources this is checked at planning.
        spec["attention"] = settings.dynamics.attention
    return spec


def scratch_inputs(model: str = "{model}") -> Files:
    """What ``draw_scratch`` takes."""
    return {
        "config": model_file(model, "config.json"),
        "model_record": model_file(model, "card.json"),
    }


def scratch_spec(settings: Any, wildcards: Any) -> dict[str, Any]:
    """Settings of ``draw_scratch``."""
    truncated = settings.finetune.scratch_weights == "truncated_normal"
    return {"init": int(wildcards.init), **({"truncated": True} if truncated else {})}
