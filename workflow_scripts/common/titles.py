"""Titles of tasks, as figures and reports show them."""

from collections.abc import Iterable
from typing import Any


def title_of(settings: Any, task: str) -> str:
    """A task's title, or its name."""
    return settings.tasks[task].title or task


def is_synthetic(settings: Any, *tasks: str) -> bool:
    """Whether the examples of one of these tasks are generated."""
    return any(settings.tasks[task].source.startswith("synthetic:") for task in tasks)


def task_titles(settings: Any, tasks: Iterable[str] | None = None) -> list[dict[str, Any]]:
    """Tasks (default: all) as the figures' scripts take them."""
    return [
        {
            "name": task,
            "title": title_of(settings, task),
            "synthetic": is_synthetic(settings, task),
        }
        for task in (settings.experiment.tasks if tasks is None else tasks)
    ]
