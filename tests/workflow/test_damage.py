"""Damaged results of a run: found by checksum, named, and made again; nothing else is touched."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.workflow.conftest import ROOT, run_snakemake
from workflow_scripts.common.records import file_digest

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
    command = [sys.executable, "-m", "workflow_scripts.common.provenance", "check"]
    return subprocess.run(
        [*command, "--directory", str(folder), *more],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def results(folder: Path) -> dict[str, tuple[str, int]]:
    """Checksum and time of every result."""
    kept = ("data", "model", "finetune", "landscape")
    return {
        str(path.relative_to(folder)): (file_digest(path), path.stat().st_mtime_ns)
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
    ("damaged", "damage", "rules"),
    [
        (f"{RUN}/epoch02.safetensors", flip, {"finetune_finetune"}),
        (f"{LINE}/rows/000.parquet", cut, {"evaluate_rows_line_0_0", "merge_surface"}),
        (f"{LINE}/rows/000.parquet", empty, {"evaluate_rows_line_0_0", "merge_surface"}),
    ],
)
def test_exactly_what_is_damaged_is_made_again(damaged, damage, rules, line, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(line, folder)
    before = results(folder)
    assert check(folder).returncode == 0
    damage(folder / damaged)
    found = check(folder)
    assert found.returncode == 1
    assert found.stdout.splitlines()[0].startswith(f"damaged: {damaged} (")
    assert len(found.stdout.splitlines()) == 2
    assert check(folder, "--delete").returncode == 0
    done = run_snakemake(folder, TARGET)
    assert done.returncode == 0, done.stderr[-3000:]
    ran = set(re.findall(r"^(?:local)?(?:rule|checkpoint) (\S+):$", done.stderr, re.MULTILINE))
    assert ran == rules
    after = results(folder)
    assert {name: digest for name, (digest, _) in after.items()} == {
        name: digest for name, (digest, _) in before.items()
    }
    made_again = {name for name in before if before[name] != after[name]}
    outputs = {f"{RUN}/": "finetune_finetune", f"{LINE}/": "evaluate_rows_line_0_0"}
    assert all(
        any(name.startswith(place) and rule in rules for place, rule in outputs.items())
        for name in made_again
    )
    assert check(folder).returncode == 0


@pytest.mark.slow
def test_a_job_that_reads_a_damaged_file_says_so_in_one_line(line, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(line, folder)
    flip(folder / RUN / "epoch02.safetensors")
    (folder / LINE / "rows/000.parquet").unlink()
    done = run_snakemake(folder, TARGET)
    assert done.returncode == 1
    lines = [line for line in done.stderr.splitlines() if line.startswith("evaluate_rows")]
    assert len(lines) == 1
    assert f"{RUN}/epoch02.safetensors: is damaged" in lines[0]
    assert f"check --delete --directory {folder}" in lines[0]
