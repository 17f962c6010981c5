"""Write a task, wherever it comes from, in the form that every later stage reads."""

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
    unlabeled: str = "refuse",
    unit: str = "sentence",
) -> None:
    """Write a task's training set, dev set and card.

    Parameters
    ----------
    train, dev, card : Path
        To write.
    name : str
        The task's name.
    source, label, text, train_examples, dev_examples, dev_split, seed, unlabeled, unit
        See ``tasks.read_task``.
    files : list of Path
        Training and dev file of a ``dir:`` source, of ``checks.check_task``.
    """
    task = read_task(
        source, label, text, train_examples, dev_examples, dev_split, seed, files, unlabeled, unit
    )
    described: dict[str, Any] = {"name": name, **task.card}
    write_table(task.train, train)
    write_table(task.dev, dev)
    write_json(described, card)


if __name__ == "__main__":
    run(prepare_task, snakemake)
