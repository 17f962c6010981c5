"""What can be said of an experiment's inputs before any job starts."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from workflow_scripts.common.errors import UserError, in_one_line
from workflow_scripts.common.paths import expanded
from workflow_scripts.data.checks import check_task, known_labels
from workflow_scripts.experiment.products import all_tasks
from workflow_scripts.experiment.yaml_file import read_yaml
from workflow_scripts.finetune.checkpoints import check_base, check_checkpoints, label_order
from workflow_scripts.model.checks import (
    NoGroups,
    check_groups,
    check_model,
    local_folder,
    parse_source,
)

Files = dict[str, list[Path]]


def check_configfiles(paths: list[Path]) -> None:
    """Check that files of differences say each key once, and hold nothing that YAML misreads.

    Raises
    ------
    UserError
        In one line, with file, line and column.
    """
    for path in paths:
        if Path(path).suffix in (".yaml", ".yml"):
            read_yaml(Path(path))


def check_inputs(settings: Any) -> tuple[Files, Files, Files]:
    """Check the tasks, the models and the imported runs of an experiment.

    Returns
    -------
    tuple of three dicts of str to list of Path
        Files on this machine that each task, each model, and each imported run, is read from.

    Raises
    ------
    UserError
        With a line for each task, model and run that cannot work.
    """
    mistakes: list[str] = []
    tasks = _checked(all_tasks(settings), lambda task: _task_files(settings, task), mistakes)
    models = settings.experiment.models
    models = _checked(models, lambda model: _model_files(settings, model), mistakes)
    runs = settings.experiment.runs
    runs = {} if mistakes else _checked(runs, lambda run: _run_files(settings, run), mistakes)
    if mistakes:
        raise UserError("\n".join(mistakes))
    return tasks, models, runs


def _checked(
    names: list[str], files: Callable[[str], list[Path]], mistakes: list[str]
) -> dict[str, list[Path]]:
    checked = {}
    for name in names:
        try:
            checked[name] = files(name)
        except UserError as error:
            mistakes.append(str(error))
    return checked


def _task_files(settings: Any, task: str) -> list[Path]:
    definition, keys = settings.tasks[task].model_dump(), {}
    for split in ("train", "dev"):
        # Where a task takes all examples, a surface's number must be available.
        if definition[split] is None and task in settings.experiment.tasks:
            definition[split] = getattr(settings.landscape, f"{split}_examples")
            keys[split] = f"landscape.{split}_examples"
    return check_task(task, definition, keys)


def _model_files(settings: Any, model: str) -> list[Path]:
    definition = settings.models[model].model_dump()
    files = check_model(model, definition, settings.dynamics.attention)
    if settings.figures.group_tasks:
        try:
            check_groups(model, definition, settings.landscape.groups)
        except NoGroups as error:
            raise UserError(f"{error}; leave them out with figures.group_tasks: []") from None
    return files


def _run_files(settings: Any, name: str) -> list[Path]:
    run = settings.runs[name]
    with in_one_line(f"runs.{name}.source: "):
        files = check_checkpoints(run.found)
        folder = local_folder(parse_source(settings.models[run.model].source))
        if folder is not None:
            check_base(run.found, folder)
        label_order(run.found.last, known_labels(settings.tasks[run.task].model_dump()), run.task)
    return files


def cache_folder(settings: Any) -> str | None:
    """Absolute path of ``compute.cache``; None without one.

    Raises
    ------
    UserError
        If a variable in it is not set, or something other than a folder has its name.
    """
    folder = settings.compute.cache
    if folder is None:
        return None
    path = expanded(folder, f"compute.cache: got {folder!r}")
    if path.exists() and not path.is_dir():
        raise UserError(f"compute.cache: got {folder!r}, which is no folder")
    return os.path.abspath(path)
