"""The encoded examples of a task's surfaces, in the table that ``encode_examples`` writes."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from workflow_scripts.common.tables import read_table
from workflow_scripts.model.text import Encoded

SPLITS = ("train", "dev")


@dataclass(frozen=True)
class Tokens:
    """The examples of a surface.

    Attributes
    ----------
    splits : dict of str to Encoded
        Encoded examples of ``train`` and ``dev``.
    pad_id : int
        Padding token.
    labels : int
        Number of classes.
    """

    splits: dict[str, Encoded]
    pad_id: int
    labels: int


def tabulate(split: pd.Series, encoded: Encoded, pad_id: int, labels: int) -> pd.DataFrame:
    """Encoded examples as a table, which ``read_tokens`` reads.

    Parameters
    ----------
    split : Series of shape (N,)
        Name of each example's split.
    encoded : Encoded
        The examples, in the same order.
    pad_id : int
        Padding token.
    labels : int
        Number of classes.

    Returns
    -------
    DataFrame
        For each example ``split``, ``label``, ``input_ids`` and, where the model takes them,
        ``token_type_ids`` (lists of int32), and ``pad_id`` and ``labels``, the same for all.
    """
    columns = {"split": split.to_numpy(), "label": encoded.labels}
    for name in ("input_ids", "token_type_ids"):
        if (rows := getattr(encoded, name)) is not None:
            columns[name] = [np.array(row, np.int32) for row in rows]
    return pd.DataFrame(columns).assign(pad_id=pad_id, labels=labels)


def read_tokens(path: Path) -> Tokens:
    """The examples in a file of ``encode_examples``.

    Raises
    ------
    UserError
        If the file is missing or not a complete Parquet file.
    """
    table = read_table(path)
    splits = {name: _encoded(table[table["split"] == name]) for name in SPLITS}
    return Tokens(splits, int(table["pad_id"].iloc[0]), int(table["labels"].iloc[0]))


def _encoded(table: pd.DataFrame) -> Encoded:
    lists = {
        name: [row.tolist() for row in table[name]] if name in table else None
        for name in ("input_ids", "token_type_ids")
    }
    return Encoded(
        **lists,
        lengths=np.array([len(row) for row in lists["input_ids"]], np.int64),
        labels=table["label"].to_numpy(np.int64),
    )
