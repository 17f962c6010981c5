"""Files of the data stage."""

from typing import Any

from workflow_scripts.common.files import File


def task_digest(task: str) -> str:
    """Digest file of a task."""
    return f"results/data/{task}/digest"


def task_file(task: str, name: str) -> File:
    """A file of a task: ``train.parquet``, ``dev.parquet`` or ``card.json``."""
    return File(f"results/data/{task}/{name}", [task_digest(task)], by_digest=True)


def task_spec(settings: Any, wildcards: Any) -> dict[str, Any]:
    """Settings of ``prepare_task``."""
    task = settings.tasks[wildcards.task]
    return {
        "name": wildcards.task,
        "source": task.source,
        "label": task.label,
        "text": task.text,
        "train_examples": task.train,
        "dev_examples": task.dev,
        "dev_split": task.dev_split,
        "unlabeled": task.unlabeled,
        "seed": task.seed,
        "unit": task.unit,
    }
