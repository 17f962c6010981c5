"""Bring a task, wherever it comes from, into the one form that every later stage reads."""

from pathlib import Path
from typing import Any

from workflow_scripts.common.tables import write_json, write_table
from workflow_scripts.data.tasks import read_task
from workflow_scripts.rebuilds.step import run


def prepare_task(
    train: Path,
    dev: Path,
    card: Path,
    name: str,
    source: str,
    label: str = "label",
    text: list[str] | None = None,
    train_examples: int | None = None,
    dev_examples: int | None = None,
    dev_split: str | None = None,
    seed: int = 0,
    files: list[Path] | Path = (),
) -> None:
    """Write a task's training set, dev set and card; see ``tasks.read_task``.

    ``files``: training and dev file of a ``dir:`` source, as ``checks.check_task`` found them.
    """
    task = read_task(
        source, label, text, train_examples, dev_examples, dev_split, seed, files=files
    )
    described: dict[str, Any] = {"name": name, **task.card}
    write_table(task.train, train)
    write_table(task.dev, dev)
    write_json(described, card)


if __name__ == "__main__":
    run(prepare_task, snakemake)
