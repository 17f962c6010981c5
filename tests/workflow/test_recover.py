"""A killed run on this machine: what it left is ended, and it continues to the same bits."""

import json
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tests.workflow.conftest import ROOT, run_snakemake
from workflow_scripts.common.errors import UserError
from workflow_scripts.common.tables import atomic
from workflow_scripts.rebuilds.records import content_digest
from workflow_scripts.rebuilds.recover import recover, remember

RUN = "results/finetune/tiny/entailment/pretrained/continued/init0_order0"


def in_folder(folder: Path, script: str = "") -> list[psutil.Process]:
    """Processes that work in a folder, or those of them whose command has ``script`` in it."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.cwd() == str(folder) and script in " ".join(process.cmdline()):
                found.append(process)
        except psutil.Error:
            continue
    return found


@pytest.mark.slow
def test_a_killed_run_is_recovered_and_continues_to_the_same_bits(smoke_run, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(smoke_run, folder)
    shutil.rmtree(folder / RUN)
    command = ["snakemake", f"{RUN}/digest", "--cores", "1", "--directory", str(folder)]
    command += ["--configfile", "experiments/smoke.yaml"]
    master = subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    end = time.monotonic() + 120
    while not (left := in_folder(folder, f"{folder}/.snakemake/scripts/")):
        assert time.monotonic() < end
        time.sleep(0.05)
    with pytest.raises(UserError, match="still at work"):
        recover(folder)
    master.kill()
    master.wait()
    assert left[0].is_running()
    draft = folder / "results" / f".surface.{left[0].pid}.parquet"
    draft.write_bytes(b"half")
    lines = recover(folder)
    assert not in_folder(folder)
    assert not draft.exists()
    assert any(line.endswith("ended") and "process" in line for line in lines)
    assert "1 half-written file deleted" in lines
    assert "unlocked" in lines
    assert lines[-1] == f"start again: cd {ROOT} && {' '.join(command)}"
    assert run_snakemake(folder, f"{RUN}/digest").returncode == 0
    made = sorted((folder / RUN).iterdir())
    assert [p.name for p in made] == sorted(p.name for p in (smoke_run / RUN).iterdir())
    assert all(content_digest(p) == content_digest(smoke_run / RUN / p.name) for p in made)


@pytest.fixture
def killed(tmp_path, monkeypatch) -> Path:
    """A folder as a killed run leaves it: locked."""
    (tmp_path / ".snakemake/locks").mkdir(parents=True)
    (tmp_path / ".snakemake/locks/0.output.lock").touch()
    (tmp_path / ".snakemake/log").mkdir()
    monkeypatch.chdir(tmp_path)
    remember(["snakemake", "figures all", "--cores", "2"], "/start")
    monkeypatch.chdir("/")
    return tmp_path


def on_slurm(folder: Path) -> None:
    (folder / ".snakemake/log/1.snakemake.log").write_text("x\nSLURM run ID: tunescape_1-2\ny\n")


def command(folder: Path, name: str, text: str) -> None:
    """A stand-in for a command of SLURM's."""
    file = folder / "bin" / name
    file.parent.mkdir(exist_ok=True)
    file.write_text(f"#!/bin/sh\n{text}\n")
    file.chmod(0o755)


def test_the_command_of_the_last_run_is_shown(killed):
    assert recover(killed) == [
        "unlocked",
        "start again: cd /start && snakemake 'figures all' --cores 2",
    ]
    assert recover(killed)[0] == "nothing was left"


def test_a_run_of_another_machine_is_left_alone_unless_requested(killed):
    path = killed / ".snakemake/tunescape_run.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"host": "login7"}))
    with pytest.raises(UserError, match=f"started on login7, and this is {socket.gethostname()}"):
        recover(killed)
    assert (killed / ".snakemake/locks/0.output.lock").exists()
    assert "unlocked" in recover(killed, elsewhere=True)


def test_jobs_of_this_run_are_cancelled_and_waited_for_and_no_others(killed, monkeypatch):
    on_slurm(killed)
    gone = killed / "gone"
    listed = "echo '7|tunescape_other'; [ -e {gone} ] || echo '8|tunescape_1-2'"
    command(killed, "squeue", listed.format(gone=gone))
    command(killed, "scancel", f'echo "$@" > {killed}/cancelled; touch {gone}')
    monkeypatch.setenv("PATH", f"{killed}/bin:/usr/bin:/bin")
    assert recover(killed)[0].startswith("1 SLURM job cancelled, gone after ")
    assert (killed / "cancelled").read_text() == "8\n"


def test_a_job_that_stays_keeps_the_folder_locked(killed, monkeypatch):
    on_slurm(killed)
    command(killed, "squeue", "echo '8|tunescape_1-2'")
    command(killed, "scancel", "exit 0")
    monkeypatch.setenv("PATH", f"{killed}/bin:/usr/bin:/bin")
    with pytest.raises(UserError, match="SLURM job 8 is not gone after 1 s"):
        recover(killed, seconds=1)
    assert (killed / ".snakemake/locks/0.output.lock").exists()


def test_nothing_is_unlocked_if_slurm_is_missing_or_silent(killed, monkeypatch):
    on_slurm(killed)
    monkeypatch.setenv("PATH", f"{killed}/bin")
    with pytest.raises(UserError, match="no squeue here"):
        recover(killed)
    command(killed, "squeue", "echo 'Unable to contact slurm controller' >&2; exit 1")
    with pytest.raises(UserError, match="squeue: Unable to contact slurm controller; try again"):
        recover(killed)
    assert (killed / ".snakemake/locks/0.output.lock").exists()


def test_only_drafts_are_deleted(killed):
    kept = [killed / "results" / name for name in (".hidden", ".a.b.parquet", "a.12.parquet")]
    kept[0].parent.mkdir()
    for path in kept:
        path.touch()
    with atomic(killed / "results/table.parquet") as draft:
        draft.touch()
        assert "1 half-written file deleted" in recover(killed)
        draft.touch()
    assert all(path.exists() for path in [*kept, killed / "results/table.parquet"])


def test_a_folder_without_a_run_is_an_error_of_one_line(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "workflow_scripts.rebuilds.recover", "--directory", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert (
        done.stderr == f"recover: --directory: got {tmp_path}, in which Snakemake has never run\n"
    )
