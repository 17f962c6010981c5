"""A seeded part of a table."""

from __future__ import annotations

import pandas as pd

from workflow_scripts.common.errors import UserError
from workflow_scripts.data.grammars.draw import Draw


def subset(
    table: pd.DataFrame, size: int | None, seed: int, split: str, where: object
) -> pd.DataFrame:
    """``size`` rows drawn without replacement, in their own order; all of them if None.

    Not stratified: classes come as often as chance has it. The draw depends on the seed, the
    split and the number of rows alone.
    """
    if size is None:
        return table
    if size > len(table):
        raise UserError(f"{where}: {split} asks for {size} examples, there are {len(table)}")
    rows = Draw("tunescape subset", split, seed).sample(range(len(table)), size)
    return table.iloc[sorted(rows)].reset_index(drop=True)
