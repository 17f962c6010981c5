"""Files of the rollback stage, and what its rules take."""

from typing import Any

from workflow_scripts.common.files import File, Files, digests_of
from workflow_scripts.data.files import task_file
from workflow_scripts.dynamics.files import reading_spec_of, similarity_spec_of
from workflow_scripts.finetune.files import checkpoint_file
from workflow_scripts.finetune.runs import Run, run_of
from workflow_scripts.model.files import architecture_files


def rollback_path(model: str, task: str, name: str) -> str:
    """Path of a table of a task, as its rule makes it."""
    return f"results/rollback/{model}/{task}/{name}.parquet"


def _table(run: Run, name: str) -> File:
    path = rollback_path(run.model, run.task, name)
    return File(path, digests_of(checkpoint_file(run.last)))


def groups_run(settings: Any, model: str, task: str) -> Run:
    """The run whose layer groups are rolled back: that of the landscapes."""
    return run_of(settings, model, task, "pretrained")


def layers_run(settings: Any, model: str, task: str) -> Run:
    """The run whose layers are rolled back one by one: that of the learning dynamics."""
    return run_of(settings, model, task, "pretrained", settings.dynamics.recipes.get(task))


def groups_file(settings: Any, model: str, task: str) -> File:
    """Scores of a task's model with each layer group rolled back."""
    return _table(groups_run(settings, model, task), "groups")


def layers_file(settings: Any, model: str, task: str) -> File:
    """Distances of the last layer's states with each single layer rolled back."""
    return _table(layers_run(settings, model, task), "layers")


def group_files(settings: Any, model: str = "{model}") -> list[File]:
    """Those of every task; none where layer groups are left out."""
    tasks = settings.experiment.tasks if settings.figures.group_tasks else []
    return [groups_file(settings, model, task) for task in tasks]


def layer_files(settings: Any, model: str = "{model}") -> list[File]:
    """Those of every task; none where the settings leave them out."""
    tasks = settings.experiment.tasks if settings.dynamics.rollback else []
    return [layers_file(settings, model, task) for task in tasks]


def group_runs(settings: Any, model: str = "{model}") -> list[Run]:
    """The run of every task whose layer groups are rolled back."""
    return [groups_run(settings, model, task) for task in settings.experiment.tasks]


def layer_runs(settings: Any, model: str = "{model}") -> list[Run]:
    """The run of every task whose single layers are rolled back."""
    return [layers_run(settings, model, task) for task in settings.experiment.tasks]


def _inputs(run: Run) -> Files:
    return {
        **architecture_files(run.model),
        "card": task_file(run.task, "card.json"),
        "dev": task_file(run.task, "dev.parquet"),
        "start": checkpoint_file(run.first),
        "end": checkpoint_file(run.last),
    }


def group_inputs(settings: Any, wildcards: Any) -> Files:
    """What ``roll_back_groups`` takes."""
    return _inputs(groups_run(settings, wildcards.model, wildcards.task))


def layer_inputs(settings: Any, wildcards: Any) -> Files:
    """What ``roll_back_layers`` takes."""
    return _inputs(layers_run(settings, wildcards.model, wildcards.task))


def group_spec(settings: Any) -> dict[str, Any]:
    """Settings of ``roll_back_groups``."""
    return {
        "groups": settings.landscape.groups,
        "max_length": settings.finetune.max_length,
        "resamples": settings.landscape.width.resamples,
    }


def layer_spec(settings: Any) -> dict[str, Any]:
    """Settings of ``roll_back_layers``: those of pairs of a change."""
    return {**reading_spec_of(settings, "change"), **similarity_spec_of(settings)}
