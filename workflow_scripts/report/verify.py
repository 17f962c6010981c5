"""Recompute the ledgers of a run from its result files, and compare them with the published ones.

A ledger's record names the files and the settings that it was made from, in the order in which the
rule passes them, so that nothing else has to be known of the experiment.
"""

import contextlib
import inspect
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from workflow_scripts.common.errors import UserError, cut, in_one_line, one_line
from workflow_scripts.common.provenance import code_of
from workflow_scripts.common.tables import read_table
from workflow_scripts.rebuilds.records import is_damaged, read_output_record, record_path
from workflow_scripts.report.embedded import as_table, embedded
from workflow_scripts.report.evaluate_claims import evaluate_claims
from workflow_scripts.report.evaluate_dynamics_claims import evaluate_dynamics_claims
from workflow_scripts.report.evaluate_probing_claims import evaluate_probing_claims
from workflow_scripts.report.evaluate_stability_claims import evaluate_stability_claims
from workflow_scripts.report.files import ledger_files

EVALUATIONS = {
    "claims": evaluate_claims,
    "dynamics_claims": evaluate_dynamics_claims,
    "stability_claims": evaluate_stability_claims,
    "probing_claims": evaluate_probing_claims,
}
# Another processor may round differently in the last bits.
RELATIVE = 1e-9
NUMBERS = ("value", "low", "high", "bound", "p_value")


@dataclass(frozen=True)
class Verified:
    """What a comparison says.

    Attributes
    ----------
    rows, ledgers : int
        Rows of the recomputed ledgers, and their number.
    differences : tuple of str
        A line for the first value that differs in each file, and for each damaged result file.
    """

    rows: int
    ledgers: int
    differences: tuple[str, ...]


def verify(path: Path) -> Verified:
    """Recompute what a file of ``results/report/MODEL`` holds, and compare.

    Parameters
    ----------
    path : Path
        The atlas, of which every ledger is recomputed, or a ledger (Parquet or CSV).

    Raises
    ------
    UserError
        If the file is missing or neither of both, or a ledger cannot be recomputed.
    """
    if not path.is_file():
        raise UserError(f"{path}: no such file")
    full = path.resolve()
    if len(full.parents) < 4 or full.parents[1].parts[-2:] != ("results", "report"):
        raise UserError(f"{path}: expected a file of results/report/MODEL in the folder of a run")
    model, page = full.parent.name, {}
    if full.suffix == ".html":
        page = _in_page(path)
    elif full.suffix not in (".parquet", ".csv") or full.stem not in EVALUATIONS:
        raise UserError(f"{path}: expected the atlas (.html) or a ledger, {', '.join(EVALUATIONS)}")
    rows, differences = 0, []
    with contextlib.chdir(full.parents[3]):
        names = list(page) or [full.stem]
        for name in names:
            damaged = list(_damaged(name, model))
            differences += damaged
            try:
                expected = recomputed(name, model)
            except Exception as error:  # whatever wrong numbers make the evaluation raise
                if damaged:
                    continue
                raise UserError(f"{name}: cannot be recomputed ({one_line(error)})") from error
            rows += len(expected)
            files = ledger_files(name, model)
            published = {file: read_ledger(Path(file)) for file in (files["ledger"], files["csv"])}
            if name in page:
                published[f"{path.name}, {name}"] = page[name]
            for file, got in published.items():
                differences += first_difference(file, got, expected)
    return Verified(rows, len(names), tuple(differences))


def _in_page(path: Path) -> dict[str, pd.DataFrame]:
    """The ledgers in an atlas, by name; it must have all that are beside it."""
    with in_one_line(f"{path}: "):
        held = embedded(path.read_text(encoding="utf-8", errors="replace"))
        page = {name: as_table(columns) for name, columns in held.get("ledgers", {}).items()}
    beside = {name for name in EVALUATIONS if path.with_name(f"{name}.parquet").is_file()}
    if beside != set(page):
        got, expected = (", ".join(sorted(names)) or "none" for names in (page, beside))
        raise UserError(f"{path}: ledgers: got {got}, expected {expected}, which are beside it")
    return page


def recomputed(name: str, model: str) -> pd.DataFrame:
    """A ledger, evaluated again on the result files below the working directory.

    Parameters
    ----------
    name : str
        Of the ledger.
    model : str
        Name of the model.

    Raises
    ------
    UserError
        If there is no record of the ledger, or a file that it rests on is missing.
    """
    record = _record(name, model)
    evaluate = EVALUATIONS[name]
    parameters = inspect.signature(evaluate).parameters
    inputs: dict[str, Any] = {
        key: Path(paths[0]) if parameters[key].annotation is Path else list(map(Path, paths))
        for key, paths in record["named_inputs"].items()
    }
    with tempfile.TemporaryDirectory() as folder:
        outputs = {
            key: Path(folder, Path(file).name) for key, file in ledger_files(name, model).items()
        }
        evaluate(**inputs, **outputs, **record["spec"])
        return read_table(outputs["ledger"])


def _record(name: str, model: str) -> dict[str, Any]:
    ledger = ledger_files(name, model)["ledger"]
    record = read_output_record(ledger)
    if not record.get("named_inputs"):
        raise UserError(f"{record_path(ledger)}: expected the record of {ledger}, got none")
    return record


def _damaged(name: str, model: str) -> Iterator[str]:
    for paths in _record(name, model)["named_inputs"].values():
        for path in paths:
            if is_damaged(path):
                yield f"{path}: is damaged, its checksum differs from its record's"


def read_ledger(path: Path) -> pd.DataFrame:
    """A published ledger.

    Parameters
    ----------
    path : Path
        Parquet or CSV.

    Raises
    ------
    UserError
        If it cannot be read.
    """
    if path.suffix == ".parquet":
        return read_table(path)
    try:
        missing = {name: [""] for name in NUMBERS}
        return pd.read_csv(path, keep_default_na=False, na_values=missing)
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: cannot be read as CSV ({one_line(error)[:200]})") from None


def first_difference(
    file: str, got: pd.DataFrame, expected: pd.DataFrame, relative: float = RELATIVE
) -> list[str]:
    """The first value of a published ledger that differs from the recomputed one, as a line.

    Parameters
    ----------
    file : str
        That is compared, for the line.
    got, expected : DataFrame
        The published and the recomputed ledger.
    relative : float
        Relative difference up to which numbers count as equal; NaN equals NaN.

    Returns
    -------
    list of str
        A line, or none if all values agree.
    """
    if list(got.columns) != list(expected.columns):
        return [f"{file}: columns: got {list(got.columns)}, expected {list(expected.columns)}"]
    if len(got) != len(expected):
        return [f"{file}: got {len(got)} rows, expected {len(expected)}"]
    equal = pd.DataFrame(
        {
            name: np.isclose(
                got[name].to_numpy(float), column.to_numpy(float), relative, 0, equal_nan=True
            )
            if pd.api.types.is_float_dtype(column) and pd.api.types.is_numeric_dtype(got[name])
            else got[name].to_numpy(object) == column.to_numpy(object)
            for name, column in expected.items()
        }
    )
    wrong = np.argwhere(~equal.to_numpy(bool))
    if len(wrong) == 0:
        return []
    row, column = wrong[0]
    name, of = expected.columns[column], expected.iloc[row]
    values = (cut(str(t[name].iloc[row]).removesuffix(".0"), 80) for t in (got, expected))
    line = "row {}, column {} ({}, {}, {}): got {}, expected {}".format(
        row + 1, name, of["claim"], of["task"], cut(of["measure"], 60), *values
    )
    more = f" ({len(wrong)} values differ)" if len(wrong) > 1 else ""
    return [f"{file}: {line}{more}"]


def code_differs(path: Path) -> bool:
    """Whether a ledger was made by other code than that of this checkout.

    Parameters
    ----------
    path : Path
        Of the ledger or the atlas beside it.
    """
    full = path.resolve()
    names = [full.stem] if full.stem in EVALUATIONS else list(EVALUATIONS)
    with contextlib.chdir(full.parents[3]):
        records = {
            name: read_output_record(ledger_files(name, full.parent.name)["ledger"])
            for name in names
        }
    return any(
        record["code"] != code_of(f"workflow_scripts/report/evaluate_{name}.py")
        for name, record in records.items()
        if record
    )
