"""Ledgers recomputed from result files: what agrees, and wrong numbers that were planted."""

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest

from tests.report.conftest import SETTINGS
from workflow_scripts.common.provenance import code_of
from workflow_scripts.common.tables import read_table, write_table
from workflow_scripts.rebuilds.records import file_digest, record_path, write_output_record
from workflow_scripts.report.__main__ import main
from workflow_scripts.report.embedded import as_columns, compressed
from workflow_scripts.report.evaluate_claims import evaluate_claims
from workflow_scripts.report.files import ledger_files

FILES = {name: Path(path) for name, path in ledger_files("claims", "tiny").items()}
LEDGER, CSV = FILES["ledger"], FILES["csv"]
PAGE = LEDGER.with_name("atlas.html")


@pytest.fixture
def run(files, tmp_path, monkeypatch):
    """The working directory is the folder of a run with one ledger, its record and an atlas."""
    monkeypatch.chdir(tmp_path)
    lists = {
        name: value if isinstance(value, list) else [value]
        for name, value in files.items()
        if name not in ("scored", "rolled_back")
    }
    named = {
        name: [path.relative_to(tmp_path).as_posix() for path in paths]
        for name, paths in lists.items()
    }
    spec = {**SETTINGS, "scored": files["scored"], "rolled_back": files["rolled_back"]}
    evaluate_claims(**files, **FILES, **SETTINGS)
    code = code_of("workflow_scripts/report/evaluate_claims.py")
    write_output_record(LEDGER, {"named_inputs": named, "spec": spec, "code": code})
    for path in (path for paths in named.values() for path in paths):
        write_output_record(path, {"bytes": file_digest(path)})
    write_page(read_table(LEDGER))
    return named


def write_page(table: pd.DataFrame) -> None:
    data = compressed(json.dumps({"ledgers": {"claims": as_columns(table)}}))
    PAGE.write_text(f'<html><script id="data" type="application/octet-stream">{data}</script>')


def verified(path, capsys) -> tuple[int, list[str]]:
    """Exit status and lines that a person sees."""
    try:
        main(["verify", str(path)])
        status = 0
    except SystemExit as end:
        status = end.code
    said = capsys.readouterr()
    return status, (said.out + said.err).splitlines()


@pytest.mark.parametrize("path", [LEDGER, CSV, PAGE], ids=lambda path: path.name)
def test_what_the_workflow_wrote_agrees(run, capsys, path):
    rows = len(read_table(LEDGER))
    assert rows > 30
    assert verified(path, capsys) == (0, [f"{rows} rows of 1 ledger agree"])


def test_it_may_be_called_from_any_folder(run, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir("/")
    assert verified(tmp_path / PAGE, capsys)[0] == 0
    assert Path.cwd() == Path("/")


PLANTED = {
    "value": lambda old: old * (1 + 1e-6),
    "low": lambda old: float("nan"),
    "verdict": lambda old: "supported",
    "runs": lambda old: old + 1,
}


@pytest.mark.parametrize("column", PLANTED)
@pytest.mark.parametrize("file", [LEDGER, CSV, PAGE], ids=lambda path: path.name)
def test_a_wrong_value_is_named_with_its_row_and_column(run, capsys, file, column):
    table = read_table(LEDGER)
    row = int(table["low"].notna().to_numpy().nonzero()[0][1])
    old = table.loc[row, column]
    table.loc[row, column] = PLANTED[column](old)
    if file == LEDGER:
        write_table(table, LEDGER)
    elif file == CSV:
        table.to_csv(CSV, index=False)
    else:
        write_page(table)
    status, lines = verified(PAGE, capsys)
    assert status == 1
    (line,) = lines
    name = "atlas.html, claims" if file == PAGE else str(file)
    claim, task = table.loc[row, ["claim", "task"]]
    assert line.startswith(f"{name}: row {row + 1}, column {column} ({claim}, {task}, ")
    got, expected = (str(value).removesuffix(".0") for value in (table.loc[row, column], old))
    assert line.endswith(f": got {got}, expected {expected}")


def test_a_row_too_few_and_a_missing_column_are_named(run, capsys):
    table = read_table(LEDGER)
    write_page(table.iloc[:-1])
    expected = [f"atlas.html, claims: got {len(table) - 1} rows, expected {len(table)}"]
    assert verified(PAGE, capsys) == (1, expected)
    write_page(table.drop(columns="why"))
    status, (line,) = verified(PAGE, capsys)
    assert status == 1
    assert line.startswith("atlas.html, claims: columns: got ")


def test_a_wrong_number_in_a_result_table_is_found(run, capsys):
    path = Path(run["trajectories"][0])
    table = read_table(path)
    table.loc[1, "train_loss"] += 0.1
    write_table(table, path)
    status, (damaged, *others) = verified(PAGE, capsys)
    assert status == 1
    assert damaged == f"{path}: is damaged, its checksum differs from its record's"
    files = [str(LEDGER), str(CSV), "atlas.html, claims"]
    assert [line.split(": row ")[0] for line in others] == files
    assert all("(easier_optimisation, Nli, " in line for line in others)
    # So it is where the checksum was forged, too.
    write_output_record(str(path), {"bytes": file_digest(path)})
    assert verified(PAGE, capsys) == (1, others)


def test_a_damaged_table_that_cannot_be_evaluated_is_named(run, capsys):
    path = Path(run["radii"][0])
    write_table(read_table(path).drop(columns="radius"), path)
    expected = [f"{path}: is damaged, its checksum differs from its record's"]
    assert verified(LEDGER, capsys) == (1, expected)


def test_other_code_is_said_beside_what_differs(run, capsys):
    table = read_table(LEDGER)
    table.loc[0, "value"] += 1
    write_table(table, LEDGER)
    record = json.loads(record_path(LEDGER).read_text())
    write_output_record(LEDGER, {**record, "code": "0" * 16})
    status, (*_, last) = verified(LEDGER, capsys)
    assert status == 1
    assert last == "The code of the evaluation has changed since: run the workflow again."


def test_what_cannot_be_verified_is_said_in_one_line(run, capsys, tmp_path):
    other = LEDGER.with_name("other.html")
    other.write_text("<html><p>A page.</p></html>")
    empty = LEDGER.with_name("empty.html")
    empty.write_text(PAGE.read_text()[:-40])
    outside = tmp_path / "atlas.html"
    shutil.copy(PAGE, outside)
    cases = {
        LEDGER.with_name("missing.html"): "no such file",
        FILES["markdown"]: "expected the atlas (.html) or a ledger, claims, dynamics_claims",
        other: "the page has no block 'data'",
        empty: "the page has no block 'data'",
        outside: "expected a file of results/report/MODEL in the folder of a run",
    }
    for path, reason in cases.items():
        status, lines = verified(path, capsys)
        assert status == 2, path
        (line,) = lines
        assert line.startswith(f"verify: {path}: {reason}")


def test_an_atlas_must_have_the_ledgers_beside_it(run, capsys):
    shutil.copy(LEDGER, LEDGER.with_name("probing_claims.parquet"))
    expected = "ledgers: got claims, expected claims, probing_claims, which are beside it"
    assert verified(PAGE, capsys) == (2, [f"verify: {PAGE}: {expected}"])


def test_a_missing_table_and_a_missing_record_are_named(run, capsys):
    path = Path(run["rays"][0])
    path.unlink()
    reason = f"claims: cannot be recomputed ({path}: no such file)"
    assert verified(PAGE, capsys) == (2, [f"verify: {reason}"])
    record_path(LEDGER).unlink()
    reason = f"{record_path(LEDGER)}: expected the record of {LEDGER}, got none"
    assert verified(PAGE, capsys) == (2, [f"verify: {reason}"])
