"""Damaged results of a run: found by checksum, named, and made again; nothing else is touched."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.workflow.conftest import ROOT, run_snakemake
from workflow_scripts.rebuilds.records import content_digest

LINE = "results/landscape/tiny/entailment_pretrained_line"
RUN = "results/finetune/tiny/entailment/pretrained/finetune/init0_order0"
TARGET = f"{LINE}/surface.parquet"


@pytest.fixture(scope="module")
def line(tmp_path_factory) -> Path:
    """Folder of a run that made one line of the smoke experiment."""
    folder = tmp_path_factory.mktemp("line")
    done = run_snakemake(folder, TARGET)
    assert done.returncode == 0, done.stderr[-3000:]
    return folder


def check(folder: Path, *more: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "workflow_scripts.rebuilds", "check"]
    return subprocess.run(
        [*command, "--directory", str(folder), *more],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def results(folder: Path) -> dict[str, tuple[str, int]]:
    """What every result holds, and its time."""
    kept = ("data", "model", "finetune", "landscape")
    return {
        str(path.relative_to(folder)): (content_digest(path), path.stat().st_mtime_ns)
        for stage in kept
        for path in (folder / "results" / stage).rglob("*")
        if path.is_file()
    }


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-9] ^= 4
    path.write_bytes(content)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("damaged", "damage", "rule"),
    [
        (f"{RUN}/epoch02.safetensors", flip, "finetune_finetune"),
        (f"{LINE}/rows/000.parquet", cut, "evaluate_rows_line_0_0"),
        (f"{LINE}/rows/000.parquet", empty, "evaluate_rows_line_0_0"),
    ],
)
def test_exactly_what_is_damaged_is_made_again(damaged, damage, rule, line, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(line, folder)
    before = results(folder)
    assert check(folder).returncode == 0
    damage(folder / damaged)
    found = check(folder)
    assert found.returncode == 1
    assert found.stdout.splitlines()[0] == f"damaged: {damaged} ({rule})"
    assert len(found.stdout.splitlines()) == 2
    deleted = check(folder, "--delete")
    assert deleted.returncode == 0
    assert f"snakemake {damaged} --directory {folder}" in deleted.stdout.splitlines()[-1]
    done = run_snakemake(folder, damaged)
    assert done.returncode == 0, done.stderr[-3000:]
    # Snakemake's plan of the run: rules and numbers of jobs.
    assert re.findall(r"^(\S+) +1$", done.stderr, re.MULTILINE) == [rule, "total"], done.stderr
    after = results(folder)
    assert {name: digest for name, (digest, _) in after.items()} == {
        name: digest for name, (digest, _) in before.items()
    }
    made_again = {name for name in before if before[name] != after[name]}
    assert damaged in made_again
    assert {str(Path(name).parent) for name in made_again} == {str(Path(damaged).parent)}
    assert check(folder).returncode == 0
    assert "Nothing to be done" in run_snakemake(folder, TARGET).stderr


@pytest.mark.slow
def test_a_job_that_reads_a_damaged_file_says_so_in_one_line(line, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(line, folder)
    flip(folder / RUN / "epoch02.safetensors")
    row = f"{LINE}/rows/000.parquet"
    (folder / row).unlink()
    done = run_snakemake(folder, row)
    assert done.returncode == 1
    lines = [
        line for line in done.stderr.splitlines() if line.startswith("evaluate_rows_line_0_0: ")
    ]
    assert len(lines) == 1
    assert f"{RUN}/epoch02.safetensors: is damaged" in lines[0]
    assert f"check --delete --directory {folder}" in lines[0]
