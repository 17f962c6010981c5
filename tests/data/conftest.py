"""Small tables in every format that a task may come in."""

import csv
import gzip
import json
from pathlib import Path

import pandas as pd
import pytest

FORMATS = (".tsv", ".csv", ".jsonl", ".tsv.gz", ".csv.gz", ".jsonl.gz", ".parquet")


def write_rows(path: Path, rows: list[dict]) -> Path:
    """Write rows in the format of the file's extension, without code of the project."""
    if path.suffix == ".parquet":
        pd.DataFrame(rows).to_parquet(path)
        return path
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "wt", encoding="utf-8", newline="") as file:
        if ".jsonl" in path.suffixes:
            file.writelines(json.dumps(row) + "\n" for row in rows)
        elif ".csv" in path.suffixes:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
        else:
            file.writelines(
                "\t".join(map(str, row)) + "\n" for row in ([*rows[0]], *(r.values() for r in rows))
            )
    return path


@pytest.fixture
def folder(tmp_path):
    """Function that writes ``train`` and ``dev`` tables into a folder and gives the folder."""

    def write(train: list[dict], dev: list[dict] | None = None, suffix: str = ".tsv") -> Path:
        write_rows(tmp_path / f"train{suffix}", train)
        write_rows(tmp_path / f"dev{suffix}", train[:2] if dev is None else dev)
        return tmp_path

    return write


def singles(labels, text="The {} fish swam.") -> list[dict]:
    return [{"sentence": text.format(i), "label": label} for i, label in enumerate(labels)]
