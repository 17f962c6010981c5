"""Files of the finetune stage, and what its rule takes."""

import os
from collections.abc import Iterable
from typing import Any

from workflow_scripts.common.files import File, Files
from workflow_scripts.data.files import task_digest, task_file
from workflow_scripts.finetune.runs import (
    Checkpoint,
    Run,
    imported_runs,
    run_of,
    run_pattern,
)
from workflow_scripts.model.files import (
    architecture_files,
    model_digest,
    model_file,
    scratch_digest,
    scratch_weights,
)


def run_folder(run: Run) -> str:
    """Folder of a run."""
    return f"results/finetune/{run.model}/{run.task}/{run.start}/{run.recipe}/{run.seeds}"


def weights_digest(run: Run) -> str:
    """Digest file of a run's checkpoints."""
    return f"{run_folder(run)}/weights.digest"


def tables_digest(run: Run) -> str:
    """Digest file of a run's tables."""
    return f"{run_folder(run)}/digest"


def _digests(run: Run) -> list[str]:
    """Digest files of a run's checkpoints and of all that they come from."""
    above = [model_digest(run.model), task_digest(run.task)]
    if run.start == "scratch":
        above.append(scratch_digest(run.model, run.init))
    return [*above, *(_digests(run.base) if run.base else []), weights_digest(run)]


def checkpoint_file(checkpoint: Checkpoint) -> File:
    """Weights of a checkpoint."""
    path = f"{run_folder(checkpoint.run)}/epoch{checkpoint.epoch:02d}.safetensors"
    return File(path, _digests(checkpoint.run), by_digest=True)


def checkpoint_files(run: Run) -> list[File]:
    """Weights of all checkpoints of a run, epoch 0 first."""
    return [checkpoint_file(checkpoint) for checkpoint in run.checkpoints]


def run_table(run: Run, name: str) -> File:
    """A table of a run: ``history.parquet`` or ``scores.parquet``."""
    digests = [*_digests(run), tables_digest(run)]
    return File(f"{run_folder(run)}/{name}", digests, by_digest=True)


def score_files(runs: Iterable[Run]) -> list[File]:
    """Scores of several runs, which say whether each has learned; see ``scored``."""
    return [run_table(run, "scores.parquet") for run in runs]


def outcome_files(runs: Iterable[Run]) -> list[File]:
    """``score_files``, then the cards of the runs' models and tasks; for figures."""
    runs = list(runs)
    cards = [model_file(run.model, "card.json") for run in runs]
    cards += [task_file(run.task, "card.json") for run in runs]
    return [*score_files(runs), *dict.fromkeys(cards)]


def scored(named: Iterable[tuple[str, Run]]) -> list[dict[str, str]]:
    """What ``score_files`` belong to, as scripts of figures and reports take it.

    Parameters
    ----------
    named : iterable of (str, Run)
        Name of a task or of a pair of models, and a run of it.
    """
    return [
        {"name": name, "task": run.task, "start": run.start, "seeds": run.seeds}
        for name, run in named
    ]


def kept_checkpoints(settings: Any, recipe: str) -> list[Any]:
    """Outputs of a run of a recipe: those between its ends stay only if all are to be kept."""
    from snakemake.io import temp

    first, *between, last = map(str, checkpoint_files(run_pattern(settings, recipe)))
    if settings.finetune.keep == "ends":
        between = [temp(path) for path in between]
    return [first, *between, last]


def training_inputs(settings: Any, recipe: str, wildcards: Any) -> Files:
    """What a run of a recipe takes: examples, tokenizer, and the weights that it starts from."""
    run = run_pattern(settings, recipe, **dict(wildcards.items()))
    if run.base:
        weights = checkpoint_file(run.base.last)
    elif run.start == "scratch":
        weights = scratch_weights(run.model, run.init)
    else:
        weights = model_file(run.model, "model.safetensors")
    return {
        **architecture_files(run.model),
        "train": task_file(run.task, "train.parquet"),
        "dev": task_file(run.task, "dev.parquet"),
        "card": task_file(run.task, "card.json"),
        "weights": weights,
        "model_record": model_file(run.model, "card.json"),
    }


def training_spec(settings: Any, recipe: str, wildcards: Any) -> dict[str, Any]:
    """What a run of a recipe depends on, besides its files."""
    followed = settings.finetune.recipes[recipe].model_dump()
    return {
        "continues": followed.pop("continues") is not None,
        "recipe": followed,
        "init": int(wildcards.init),
        "order": int(wildcards.order),
        "max_length": settings.finetune.max_length,
    }


def imported_run(settings: Any, name: str) -> Run:
    """A run of ``experiment.runs``."""
    task, model = settings.runs[name].task, settings.runs[name].model
    place = imported_runs(settings, task).index(name)
    return run_of(settings, model, task, "pretrained", seeds=place)


def import_inputs(settings: Any, name: str) -> Files:
    """What an imported run takes besides its own files: dev examples, and the base model."""
    run = imported_run(settings, name)
    return {
        **architecture_files(run.model),
        "dev": task_file(run.task, "dev.parquet"),
        "card": task_file(run.task, "card.json"),
        "weights": model_file(run.model, "model.safetensors"),
        "model_record": model_file(run.model, "card.json"),
    }


def import_spec(settings: Any, name: str) -> dict[str, Any]:
    """What an imported run depends on, besides its files."""
    found = settings.runs[name].found
    return {
        "folders": [str(saved.folder) for saved in found.every],
        "steps": found.steps,
        "starts_at_zero": found.start is not None,
        "gradients": str(found.gradients) if found.gradients else None,
        "max_length": settings.finetune.max_length,
    }


JOB = "{model}_{task}_{start}_init{init}_order{order}"


def training_outputs(settings: Any, recipe: str) -> dict[str, Any]:
    """What a run of a recipe, or an imported run, makes."""
    run = run_pattern(settings, recipe)
    return {
        "checkpoints": kept_checkpoints(settings, recipe),
        "history": run_table(run, "history.parquet"),
        "scores": run_table(run, "scores.parquet"),
        "checkpoints_digest": weights_digest(run),
        "digest": tables_digest(run),
    }


def run_state(wildcards: Any, output: Any) -> str:
    """Where a run keeps what it needs to go on after a kill; not tracked, like the context."""
    return os.path.join(os.path.dirname(output.history), "state")
