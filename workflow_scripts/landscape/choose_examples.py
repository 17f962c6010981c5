"""Choose the examples on which a task's surfaces are evaluated."""

from pathlib import Path

import numpy as np
import pandas as pd

from workflow_scripts.common.errors import UserError
from workflow_scripts.common.tables import read_json, read_table, write_table
from workflow_scripts.rebuilds.step import run


def choose_examples(
    train: Path,
    dev: Path,
    card: Path,
    examples: Path,
    train_examples: int | None,
    dev_examples: int | None,
    seed: int,
) -> None:
    """Write the rows of a task's ``train`` and ``dev`` tables on which its surfaces are evaluated.

    ``card`` is the task's card. See ``choose`` for the counts, the seed and the columns.

    Raises
    ------
    UserError : if a count is larger than the split.
    """
    name = read_json(card)["name"]
    chosen = [
        choose(read_table(path), name, split, count, seed)
        for path, split, count in ((train, "train", train_examples), (dev, "dev", dev_examples))
    ]
    write_table(pd.concat(chosen, ignore_index=True), examples)


def choose(
    table: pd.DataFrame, task: str, split: str, count: int | None, seed: int
) -> pd.DataFrame:
    """A seeded subset of a task's rows, in their order, without replacement.

    Parameters
    ----------
    table : the task's split.
    task, split : names, for the column ``split`` and for errors.
    count : number of rows; None takes all.

    Returns
    -------
    The table's columns, ``split`` and ``row`` (its place in the task, from 0).

    Raises
    ------
    UserError : if ``count`` is larger than the table.
    """
    if count is not None and count > len(table):
        raise UserError(
            f"landscape.{split}_examples: got {count}, {task} has {len(table)} {split} examples"
        )
    rows = np.arange(len(table))
    if count is not None:
        rows = np.sort(np.random.default_rng(seed).permutation(len(table))[:count])
    return table.iloc[rows].assign(split=split, row=rows)


if __name__ == "__main__":
    run(choose_examples, snakemake)
