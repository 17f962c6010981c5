"""What can be told of an experiment's inputs before any job starts."""

import os
from pathlib import Path

from workflow_scripts.common.errors import UserError
from workflow_scripts.common.paths import expanded
from workflow_scripts.data.checks import check_task
from workflow_scripts.experiment.config import Config
from workflow_scripts.experiment.products import all_tasks
from workflow_scripts.model.checks import check_groups, check_model


def check_inputs(settings: Config) -> tuple[dict[str, list[Path]], dict[str, list[Path]]]:
    """Check the tasks and models of an experiment.

    Returns
    -------
    Files on this machine that each task and each model are read from, by name.

    Raises
    ------
    UserError : if one of them cannot work: one line that says which.
    """
    landscape = settings.landscape
    tasks, models = {}, {}
    for task in all_tasks(settings):
        definition, keys = settings.tasks[task].model_dump(), {}
        for split in ("train", "dev"):
            # Where a task takes all examples, a surface's number must be there.
            if definition[split] is None and task in settings.experiment.tasks:
                definition[split] = getattr(landscape, f"{split}_examples")
                keys[split] = f"landscape.{split}_examples"
        tasks[task] = check_task(task, definition, keys)
    for model in settings.experiment.models:
        definition = settings.models[model].model_dump()
        models[model] = check_model(model, definition, settings.dynamics.attention)
        if settings.figures.group_tasks:
            check_groups(model, definition, landscape.groups)
    return tasks, models


def cache_folder(settings: Config) -> str | None:
    """Absolute path of ``compute.cache``; None without one.

    Raises
    ------
    UserError : if a variable in it is not set, or something else than a folder is there.
    """
    told = settings.compute.cache
    if told is None:
        return None
    path = expanded(told, f"compute.cache: got {told!r}")
    if path.exists() and not path.is_dir():
        raise UserError(f"compute.cache: got {told!r}, which is no folder")
    return os.path.abspath(path)
