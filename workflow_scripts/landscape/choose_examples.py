"""Choose the examples on which a task's surfaces are evaluated."""

from pathlib import Path

import numpy as np
import pandas as pd

from workflow_scripts.common.errors import UserError
from workflow_scripts.common.tables import read_json, read_table, write_table
from workflow_scripts.data.subset import stratified
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
    """Write the examples of a task on which its surfaces are evaluated.

    Parameters
    ----------
    train, dev : Path
        The task's splits.
    card : Path
        The task's card.
    examples : Path
        Table to write, with the columns of ``choose``.
    train_examples, dev_examples : int or None
        Number of examples of each split; None takes all.
    seed : int
        Of the choice.

    Raises
    ------
    UserError
        If a number is larger than the split.
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
    """A seeded subset of a task's examples, in their order, without replacement.

    Classes have their shares of the whole split, as far as there are as many examples as classes.

    Parameters
    ----------
    table : DataFrame
        The task's split.
    task, split : str
        Names, for the column ``split`` and for errors.
    count : int or None
        Number of examples; None takes all.
    seed : int
        The same seed, count and table give the same subset.

    Returns
    -------
    DataFrame
        The table's columns, ``split`` and ``row`` (the example's index in the split, from 0).

    Raises
    ------
    UserError
        If ``count`` is larger than the table.
    """
    if count is not None and count > len(table):
        raise UserError(
            f"landscape.{split}_examples: got {count}, {task} has {len(table)} {split} examples"
        )
    rows = np.arange(len(table))
    if count is not None:
        if count < table["label"].nunique():
            rows = np.sort(np.random.default_rng(seed).permutation(len(table))[:count])
        else:
            rows = stratified(table["label"], count, seed, split)
    return table.iloc[rows].assign(split=split, row=rows)


if __name__ == "__main__":
    run(choose_examples, snakemake)
