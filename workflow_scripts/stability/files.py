"""Files of the stability stage, and what its rules take."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from workflow_scripts.common.errors import UserError
from workflow_scripts.common.files import File, Files
from workflow_scripts.common.paths import absolute
from workflow_scripts.data.files import task_digest, task_file
from workflow_scripts.landscape.files import tokens_file
from workflow_scripts.model.files import architecture_files, model_digest, model_file
from workflow_scripts.stability.sweeps import Sweep, every_sweep, seeds, sweeps_of

PARTS = ("histories", "scores", "predictions")
MERGED = ("runs", "epochs", "history", "predictions")
MEASURED = ("spread", "tests", "best", "consistency")


def _file(model: str, task: str, name: str) -> File:
    path = f"results/stability/{model}/{task}/{name}"
    return File(path, [model_digest(model), task_digest(task)])


# Sweeps


def seed_file(model: str, task: str, sweep: str, part: str, seed: str) -> File:
    """A table of one run: ``part`` is histories, scores or predictions."""
    return _file(model, task, f"{sweep}/{part}/{seed}.parquet")


def sweep_outputs(settings: Any, sweep: str, first: int, last: int) -> dict[str, list[File]]:
    """What a job makes that trains a block of seeds."""
    block = seeds(settings)[first : last + 1]
    return {
        part: [seed_file("{model}", "{task}", sweep, part, seed) for seed in block]
        for part in PARTS
    }


def sweep_inputs(model: str = "{model}", task: str = "{task}") -> Files:
    """What ``sweep`` takes: examples, tokenizer, and the pre-trained weights."""
    return {
        **architecture_files(model),
        "train": task_file(task, "train.parquet"),
        "dev": task_file(task, "dev.parquet"),
        "card": task_file(task, "card.json"),
        "weights": model_file(model, "model.safetensors"),
        "model_record": model_file(model, "card.json"),
    }


def sweep_spec(settings: Any, sweep: Sweep) -> dict[str, Any]:
    """What the runs of a sweep depend on besides files and seeds."""
    followed = settings.finetune.recipes[sweep.recipe].model_dump()
    del followed["continues"]
    return {
        "recipe": followed,
        "max_length": settings.finetune.max_length,
        "examples": sweep.examples,
        "same_steps": sweep.same_steps,
        "subset_seed": settings.stability.seed if sweep.examples else None,
    }


def sweep_context(
    settings: Any, context: Callable[..., dict[str, Any]], wildcards: Any, threads: int
) -> dict[str, Any]:
    """A job's context, and the metric: a wrong one is refused before hours of training."""
    metric = metric_of(settings, wildcards.task)
    return {**context(wildcards, threads), "metric": metric}


def sweep_state(wildcards: Any, output: Any) -> str:
    """Where a sweep keeps its finished runs until its job ends; not tracked."""
    return os.path.join(os.path.dirname(os.path.dirname(output.scores[0])), "state")


def metric_of(settings: Any, task: str) -> str:
    """Metric of a task's scores."""
    return settings.stability.metrics.get(task, "accuracy")


# Tables


def merged_file(model: str, task: str, sweep: str, name: str) -> File:
    """A table of all runs of a sweep, see ``merge_sweep``."""
    return _file(model, task, f"{sweep}/{name}.parquet")


def merge_inputs(settings: Any, wildcards: Any) -> Files:
    """What ``merge_sweep`` takes."""
    model, task, sweep = wildcards.model, wildcards.task, wildcards.sweep
    parts = {
        part: [seed_file(model, task, sweep, part, seed) for seed in seeds(settings)]
        for part in PARTS
    }
    return {**parts, "dev": task_file(task, "dev.parquet")}


def merge_outputs() -> dict[str, File]:
    """What ``merge_sweep`` makes."""
    return {f"merged_{name}": merged_file("{model}", "{task}", "{sweep}", name) for name in MERGED}


def merge_spec(settings: Any, wildcards: Any) -> dict[str, Any]:
    """Settings of ``merge_sweep``."""
    return {"metric": metric_of(settings, wildcards.task)}


def sweep_names(settings: Any) -> str:
    """Regular expression of the names of all sweeps."""
    return "|".join(map(_escaped, every_sweep(settings))) or "none"


def _escaped(name: str) -> str:
    return name.replace(".", r"\.")


def merged_files(settings: Any, model: str, task: str, name: str) -> list[File]:
    """The same table of all sweeps of a task, in their order."""
    return [merged_file(model, task, sweep.name, name) for sweep in sweeps_of(settings, task)]


def measured_file(model: str, task: str, name: str) -> File:
    """A table of all sweeps of a task: spread, tests, best or consistency."""
    return _file(model, task, f"{name}.parquet")


def measure_inputs(settings: Any, wildcards: Any) -> Files:
    """What ``measure_stability`` takes."""
    model, task = wildcards.model, wildcards.task
    return {
        "runs": merged_files(settings, model, task, "runs"),
        "predictions": merged_files(settings, model, task, "predictions"),
    }


def measure_outputs() -> dict[str, File]:
    """What ``measure_stability`` makes."""
    return {name: measured_file("{model}", "{task}", name) for name in MEASURED}


def measure_spec(settings: Any, wildcards: Any) -> dict[str, Any]:
    """Settings of ``measure_stability``."""
    return {"sweeps": [sweep.name for sweep in sweeps_of(settings, wildcards.task)]}


# Weights of some runs, forgetting, and the loss plane


def chosen_runs(settings: Any) -> int:
    """Runs of either outcome that are trained again; 0 if nothing needs their weights."""
    stability = settings.stability
    return max(stability.forgetting.runs, int(stability.plane.points is not None))


def weights_files(settings: Any, model: str, task: str) -> dict[str, list[File]]:
    """Weights of the failed and of the successful runs that are trained again."""
    return {
        outcome: [
            _file(model, task, f"weights/{outcome}{place}.safetensors")
            for place in range(1, chosen_runs(settings) + 1)
        ]
        for outcome in ("failed", "successful")
    }


def again_inputs(settings: Any, wildcards: Any) -> Files:
    """What ``train_again`` takes."""
    model, task = wildcards.model, wildcards.task
    usual = settings.stability.recipes[0]
    return {**sweep_inputs(model, task), "runs": merged_file(model, task, usual, "runs")}


def again_outputs(settings: Any) -> dict[str, Any]:
    """What ``train_again`` makes."""
    return {
        **weights_files(settings, "{model}", "{task}"),
        "chosen": _file("{model}", "{task}", "weights/chosen.parquet"),
    }


def again_spec(settings: Any) -> dict[str, Any]:
    """Settings of ``train_again``."""
    usual = settings.stability.recipes[0]
    return sweep_spec(settings, Sweep(usual, usual))


def masked_lm_file(model: str, name: str) -> File:
    """A model's masked-LM head (``head.safetensors``), or the masked ``text.parquet``."""
    return File(f"results/stability/{model}/masked_lm/{name}", [model_digest(model)])


def text_files(settings: Any) -> list[Path]:
    """The file with the text for masked language modelling, if one is named.

    Raises
    ------
    UserError
        If it cannot be found or holds no text; in one line.
    """
    named, key = settings.stability.forgetting.text, "stability.forgetting.text"
    if named is None or not settings.stability.tasks:
        return []
    path = absolute(named, f"{key}: got {named!r}")
    if not path.is_file():
        raise UserError(f"{key}: got {named!r}, no such file")
    with path.open("rb") as file:
        if not file.read(2**16).strip():
            raise UserError(f"{key}: got {named!r}, which holds no text")
    return [path]


def masked_lm_inputs(model: str = "{model}") -> Files:
    """What ``prepare_masked_lm`` takes."""
    return {
        **architecture_files(model),
        "weights": model_file(model, "model.safetensors"),
        "model_card": model_file(model, "card.json"),
    }


def masked_lm_outputs() -> dict[str, File]:
    """What ``prepare_masked_lm`` makes."""
    return {
        "head": masked_lm_file("{model}", "head.safetensors"),
        "text": masked_lm_file("{model}", "text.parquet"),
    }


def masked_lm_spec(settings: Any, wildcards: Any) -> dict[str, Any]:
    """Settings of ``prepare_masked_lm``."""
    forgetting, files = settings.stability.forgetting, text_files(settings)
    return {
        "source": settings.models[wildcards.model].source,
        "text_file": str(files[0]) if files else None,
        "sentences": forgetting.sentences,
        "max_length": settings.finetune.max_length,
        "seed": settings.stability.seed,
    }


def forgetting_file(model: str, task: str) -> File:
    """Masked-LM losses of some runs with their top layers reset."""
    return _file(model, task, "forgetting.parquet")


def forgetting_inputs(settings: Any, wildcards: Any) -> Files:
    """What ``measure_forgetting`` takes."""
    model, task = wildcards.model, wildcards.task
    runs = settings.stability.forgetting.runs
    weights = weights_files(settings, model, task)
    return {
        **architecture_files(model),
        "card": task_file(task, "card.json"),
        "weights": model_file(model, "model.safetensors"),
        "head": masked_lm_file(model, "head.safetensors"),
        "text": masked_lm_file(model, "text.parquet"),
        **{outcome: files[:runs] for outcome, files in weights.items()},
        "chosen": _file(model, task, "weights/chosen.parquet"),
    }


def plane_file(model: str, task: str, name: str) -> File:
    """A table of the loss plane: ``plane`` or ``barriers``."""
    return _file(model, task, f"{name}.parquet")


def plane_inputs(model: str = "{model}", task: str = "{task}") -> Files:
    """What ``measure_plane`` takes."""
    return {
        "config": model_file(model, "config.json"),
        "tokens": tokens_file(model, task),
        "weights": model_file(model, "model.safetensors"),
        "failed": _file(model, task, "weights/failed1.safetensors"),
        "successful": _file(model, task, "weights/successful1.safetensors"),
    }


def plane_spec(settings: Any) -> dict[str, Any]:
    """Settings of ``measure_plane``."""
    plane = settings.stability.plane
    return {"extent": plane.range, "points": plane.points, "line_points": plane.line_points}
