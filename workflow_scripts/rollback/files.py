"""Files of the rollback stage, and what its rules take."""

from typing import Any

from workflow_scripts.common.files import File, Files, digests_of
from workflow_scripts.data.files import task_file
from workflow_scripts.dynamics.files import reading_spec_of, similarity_spec_of
from workflow_scripts.dynamics.pairs import compared_runs
from workflow_scripts.finetune.files import checkpoint_file
from workflow_scripts.finetune.runs import Run, runs_of
from workflow_scripts.model.files import architecture_files


def rollback_path(run: Run, name: str) -> str:
    """Path of a table of a run, as its rule makes it."""
    return f"results/rollback/{run.model}/{run.task}/{run.seeds}/{name}.parquet"


def rollback_file(run: Run, name: str) -> File:
    """A table of a run: ``groups`` or ``layers``."""
    return File(rollback_path(run, name), digests_of(checkpoint_file(run.last)))


def group_runs(settings: Any, model: str = "{model}") -> list[Run]:
    """Runs whose layer groups are rolled back: those of the landscapes, with all their seeds.

    None where layer groups are left out.
    """
    tasks = settings.experiment.tasks if settings.figures.group_tasks else []
    return [run for task in tasks for run in runs_of(settings, model, task, "pretrained")]


def layer_runs(settings: Any, model: str = "{model}") -> list[Run]:
    """Runs whose layers are rolled back one by one: those of the learning dynamics."""
    tasks = settings.experiment.tasks if settings.dynamics.rollback else []
    return [run for task in tasks for run in compared_runs(settings, model, task)]


def first_of_each(runs: list[Run]) -> list[Run]:
    """The first run of each task: the one that figures show."""
    return list({run.task: run for run in reversed(runs)}.values())[::-1]


def _inputs(run: Run) -> Files:
    return {
        **architecture_files(run.model),
        "card": task_file(run.task, "card.json"),
        "dev": task_file(run.task, "dev.parquet"),
        "start": checkpoint_file(run.first),
        "end": checkpoint_file(run.last),
    }


def _run_of_job(runs: list[Run], wildcards: Any) -> Run:
    requested = wildcards.task, f"init{wildcards.init}_order{wildcards.order}"
    return next(run for run in runs if (run.task, run.seeds) == requested)


def group_inputs(settings: Any, wildcards: Any) -> Files:
    """What ``roll_back_groups`` takes."""
    return _inputs(_run_of_job(group_runs(settings, wildcards.model), wildcards))


def layer_inputs(settings: Any, wildcards: Any) -> Files:
    """What ``roll_back_layers`` takes."""
    return _inputs(_run_of_job(layer_runs(settings, wildcards.model), wildcards))


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
