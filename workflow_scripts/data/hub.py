"""Data sets of the Hugging Face hub."""

from __future__ import annotations

import sys

from workflow_scripts.common.errors import UserError, listed, nearest, one_line
from workflow_scripts.data.sources import DEV_NAMES, Hub
from workflow_scripts.data.table_files import Table, named


def read_hub(source: Hub, dev_split: str | None) -> tuple[Table, Table]:
    """Training and dev split of a hub data set, with class labels as their names.

    Code of the data set's repository is never run. Rows with label -1, by which the hub marks
    that there is none, have no label.

    Raises
    ------
    UserError
        If the data set cannot be read, a split is missing, or more than one could be the dev set.
    """
    import datasets

    if not sys.stderr.isatty():  # a bar is for a terminal
        datasets.disable_progress_bars()
    where = "/".join(filter(None, (source.repo, source.config)))
    try:
        splits = datasets.load_dataset(source.repo, source.config, revision=source.revision)
    except Exception as error:  # anything from the network to the repository's own metadata
        raise UserError(f"hub:{where}@{source.revision}: {one_line(error)}") from error
    if "train" not in splits:
        raise UserError(f"hub:{where}: no split train; it has {listed(splits)}")
    names = (dev_split,) if dev_split else DEV_NAMES
    present = [name for name in names if name in splits]
    if not present:
        raise UserError(
            f"hub:{where}: no split {' or '.join(names)}; it has {listed(splits)}"
            f"{nearest(names[0], splits)}"
        )
    if len(present) > 1:
        raise UserError(
            f"hub:{where}: more than one split could be the dev set: {', '.join(present)}; "
            "name one of them as dev_split"
        )
    place = f"hub:{where}@{source.revision}"
    return (
        _table(splits["train"], f"{place} train"),
        _table(splits[present[0]], f"{place} dev"),
    )


def _table(split, place: str) -> Table:
    import datasets

    def column(name: str) -> list:
        values, feature = list(split[name]), split.features[name]
        if isinstance(feature, datasets.ClassLabel):
            return named(values, feature.names, name, place)
        return values

    return Table(
        place=place,
        columns=list(split.features),
        column=column,
        numbers=range(1, len(split) + 1),
        unit="row",
        whole=True,
        rows=len(split),
    )
