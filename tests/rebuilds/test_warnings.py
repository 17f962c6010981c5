"""What a run warns of as it starts, and what ``check`` finds."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from snakemake.settings.enums import RerunTrigger

from workflow_scripts.rebuilds import warnings
from workflow_scripts.rebuilds.records import content_digest, file_digest, write_output_record
from workflow_scripts.rebuilds.warnings import (
    deleted_intermediates,
    edited_outputs,
    edited_warning,
    trigger_warning,
)

ROOT = Path(__file__).resolve().parents[2]
TABLE, FIGURE = "results/table.txt", "results/figures/figure.txt"


@pytest.fixture(autouse=True)
def _run(tmp_path, monkeypatch):
    """A folder with two outputs, the second made from the first."""
    monkeypatch.chdir(tmp_path)
    made(TABLE, "one")
    made(FIGURE, "two", TABLE)


def made(output: str, text: str, *inputs: str) -> None:
    path = Path(output)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    held = {"content": content_digest(path), "bytes": file_digest(path), "size": len(text)}
    held |= {"input": list(inputs), "log": [], "params": []}
    write_output_record(output, {"rule": "make", "inputs": dict.fromkeys(inputs, "x"), **held})


def edit(output: str, text: str, old_time: bool = False) -> None:
    times = os.stat(output)
    Path(output).write_text(text)
    if old_time:
        os.utime(output, ns=(times.st_atime_ns, times.st_mtime_ns))
    else:
        os.utime(output, (2**32, 2**32))


def test_results_as_written_give_no_warning():
    assert edited_outputs() == []
    assert edited_warning() is None


@pytest.mark.parametrize(("text", "old_time"), [("TWO", False), ("two and more", True)])
def test_a_final_file_edited_by_hand_is_named_in_one_line(text, old_time):
    edit(FIGURE, text, old_time)
    for _ in range(2):
        assert edited_outputs() == [FIGURE]
    said = edited_warning()
    assert said.startswith(f"Tunescape: 1 result is not as written, such as {FIGURE}")
    assert "\n" not in said
    assert f"-m workflow_scripts.rebuilds check --directory {Path.cwd()}" in said
    edit(TABLE, "three")
    assert edited_warning().startswith(f"Tunescape: 2 results are not as written, such as {FIGURE}")


def test_a_touched_file_is_read_once(monkeypatch):
    read = []
    is_damaged = warnings.is_damaged
    monkeypatch.setattr(warnings, "is_damaged", lambda o: read.append(o) or is_damaged(o))
    assert edited_outputs() == []
    assert read == []
    edit(FIGURE, "two")
    for _ in range(3):
        assert edited_outputs() == []
    assert read == [FIGURE]
    edit(FIGURE, "twö")
    assert edited_outputs() == [FIGURE]


def test_a_deleted_file_is_named_if_what_was_made_from_it_exists():
    assert deleted_intermediates() == []
    Path(TABLE).unlink()
    assert deleted_intermediates() == [TABLE]
    Path(FIGURE).unlink()
    assert deleted_intermediates() == []


def test_checkpoints_that_are_not_kept_are_not_missed():
    run = [f"results/run/epoch{epoch:02d}.safetensors" for epoch in range(4)]
    for path in run:
        made("results/run/x.txt", "x")
        Path(path).write_bytes(b"weights")
        write_output_record(path, {"rule": "train", "inputs": {}})
    made("results/path.txt", "path", *run)
    for path in run[1:]:
        Path(path).unlink()
    assert deleted_intermediates() == [run[3]]


def test_check_names_edited_and_deleted_files():
    edit(FIGURE, "TWO")
    Path(TABLE).unlink()
    command = [sys.executable, "-m", "workflow_scripts.rebuilds", "check"]
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert f"damaged: {FIGURE} (make)" in done.stdout
    assert f"deleted, although what was made from it exists: {TABLE}" in done.stdout


def test_the_trigger_code_gives_a_warning_of_one_line_with_a_remedy():
    assert trigger_warning(set(RerunTrigger) - {RerunTrigger.CODE}) is None
    said = trigger_warning(set(RerunTrigger))
    assert "\n" not in said
    assert "--workflow-profile" in said
    assert "--rerun-triggers mtime params input software-env" in said
    profile = (ROOT / "profiles/default/config.yaml").read_text()
    assert "rerun-triggers: [mtime, params, input, software-env]" in profile
    assert "max-checksum-file-size: 20MB" in profile


def rebuilds(*arguments: str, pipe: str = "") -> subprocess.CompletedProcess:
    command = shlex.join([sys.executable, "-m", "workflow_scripts.rebuilds", *arguments])
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.run(
        command + pipe, shell=True, env=env, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("command", ["import", "check"])
def test_a_folder_without_results_is_no_success(command, tmp_path):
    (tmp_path / "empty").mkdir()
    for folder in (tmp_path / "empty", tmp_path / "nowhere"):
        done = rebuilds(command, "--directory", str(folder))
        assert done.returncode == 1
        (line,) = done.stderr.splitlines()
        assert line.startswith(f"rebuilds: --directory: got {folder}, which has no results")


@pytest.mark.parametrize("command", ["import", "check"])
def test_the_options_of_snakemakes_command_line_are_taken(command):
    here = str(Path.cwd())
    done = rebuilds(command, "--directory", here, "--configfile", "experiments/a.yaml", "b.yaml")
    assert done.returncode == 0
    expected = {"import": "1 files imported", "check": "2 of 2 files are as they were written"}
    assert done.stdout.startswith(expected[command])


def test_import_says_what_it_did_and_then_that_nothing_is_left():
    first = rebuilds("import").stdout
    # The input of the second is not that of its record.
    assert first.splitlines() == [
        "1 files imported from their records",
        f"to be rebuilt, its inputs have changed: {FIGURE}",
    ]
    assert rebuilds("import").stdout == (
        "nothing to import: Snakemake knows all results of this folder\n"
    )


def test_a_reader_that_stops_early_sees_no_traceback():
    script = "workflow_scripts/finetune/finetune.py"
    done = rebuilds("reached", script, pipe=" | head -n 1")
    assert done.stdout.startswith(script)
    assert done.stderr == ""
