"""Recovery after a run was killed: end what it left running, so that it can be started again.

    python -m workflow_scripts.rebuilds.recover --directory runs/paper

A killed Snakemake does not end its jobs. One started afterwards knows nothing of them, and would
run them a second time beside the first.
"""

import argparse
import json
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from workflow_scripts.common.errors import UserError
from workflow_scripts.common.tables import remove_drafts, write_text

# What the SLURM plugin writes into Snakemake's log; its jobs have this name.
_RUN_NAME = re.compile(r"^SLURM run ID: (\S+)$", re.MULTILINE)
_LAST_RUN = Path(".snakemake/tunescape_run.json")


def remember(arguments: list[str], started_in: str) -> None:
    """Keep, in the working directory, how and where a run was started, for ``recover``."""
    run = {
        "host": socket.gethostname(),
        "command": ["snakemake", *arguments[1:]],
        "started_in": started_in,
    }
    write_text(json.dumps(run), _LAST_RUN)


def recover(folder: Path, elsewhere: bool = False, seconds: float = 300) -> list[str]:
    """End all that a killed run left behind, and unlock its folder.

    Its SLURM jobs are cancelled and waited for; its processes on this machine are ended; drafts of
    files that it was writing are deleted; Snakemake's lock is removed. Results stay.

    Parameters
    ----------
    folder : Path
        The run's ``--directory``.
    elsewhere : bool
        Recover also if the run was started on another machine, whose processes cannot be seen
        from here: for a machine that is gone.
    seconds : float
        How long to wait for the jobs to end.

    Returns
    -------
    list of str
        A line for each thing that was done; the last one says how to start again.

    Raises
    ------
    UserError
        If there is no run, Snakemake is still running, the run was started on another machine,
        SLURM does not answer, or a job or process has not ended in time. Nothing is unlocked
        then.
    """
    folder = Path(folder).resolve()
    if not (folder / ".snakemake").is_dir():
        raise UserError(f"--directory: got {folder}, in which Snakemake has never run")
    run = _last_run(folder)
    locked = any((folder / ".snakemake/locks").glob("*"))
    if locked and not elsewhere and run.get("host") not in (None, socket.gethostname()):
        raise UserError(
            f"the run in {folder} was started on {run['host']}, and this is "
            f"{socket.gethostname()}: recover it there, or, if that machine is gone, --elsewhere"
        )
    running, left = _processes(folder)
    if running:
        raise UserError(
            f"Snakemake (process {running[0].pid}) is still at work in {folder}: nothing to "
            f"recover; to stop it: kill {running[0].pid}, and wait for its jobs"
        )
    lines = []
    cancelled, took = _end_slurm_jobs(folder, seconds)
    if cancelled:
        lines.append(f"{_some(cancelled, 'SLURM job')} cancelled, gone after {took:.0f} s")
    if left:
        _end_processes(left, min(seconds, 30))
        lines.append(f"{_some(len(left), 'process', 'es')} ended")
    drafts = remove_drafts(folder / "results")
    if drafts:
        lines.append(f"{_some(drafts, 'half-written file')} deleted")
    if locked:
        shutil.rmtree(folder / ".snakemake/locks")
        lines.append("unlocked")
    unfinished = sum(path.is_file() for path in (folder / ".snakemake/incomplete").rglob("*"))
    if unfinished:
        lines.append(f"{_some(unfinished, 'output')} had been begun: made again by the next run")
    return [*(lines or ["nothing was left"]), f"start again: {_command(run)}"]


def _some(number: int, what: str, plural: str = "s") -> str:
    return f"{number} {what}{plural if number != 1 else ''}"


def _last_run(folder: Path) -> dict[str, Any]:
    try:
        return json.loads((folder / _LAST_RUN).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def _command(run: dict[str, Any]) -> str:
    if not run:
        return "with the command of the last run"
    return f"cd {shlex.quote(run['started_in'])} && {shlex.join(run['command'])}"


def _processes(folder: Path) -> tuple[list, list]:
    """This user's processes in the folder: running Snakemakes, and jobs that one has left."""
    import psutil

    masters, jobs = [], {}
    for process in psutil.process_iter():
        try:
            if process.uids().real != os.getuid() or Path(process.cwd()) != folder:
                continue
            words = process.cmdline()
        except (psutil.Error, OSError):  # ended, or not ours to look at
            continue
        if any(word.startswith(f"{folder}/.snakemake/scripts/") for word in words):
            jobs[process.pid] = process
        elif any(Path(word).name == "snakemake" for word in words[:3]):
            if "--mode" in words:
                jobs[process.pid] = process
            else:
                masters.append(process)
    for process in list(jobs.values()):
        try:
            jobs |= {child.pid: child for child in process.children(recursive=True)}
        except psutil.Error:
            continue
    return masters, list(jobs.values())


def _end_processes(processes: list, seconds: float) -> None:
    import psutil

    for process in processes:
        try:
            process.terminate()
        except psutil.NoSuchProcess:
            continue
    _, alive = psutil.wait_procs(processes, timeout=seconds)
    for process in alive:
        process.kill()
    _, alive = psutil.wait_procs(alive, timeout=seconds)
    if alive:
        raise UserError(f"process {alive[0].pid} of the last run does not end")


def _end_slurm_jobs(folder: Path, seconds: float) -> tuple[int, float]:
    """Cancel the jobs of all runs in a folder; their number, and the seconds until they ended."""
    logs = (folder / ".snakemake/log").glob("*.snakemake.log")
    names = {name for log in logs for name in _RUN_NAME.findall(log.read_text(errors="replace"))}
    if not names:
        return 0, 0.0
    if shutil.which("squeue") is None:
        raise UserError(f"{folder} was run on SLURM, but there is no squeue here: recover it there")
    started = time.monotonic()
    found = jobs = _slurm_jobs(names)
    if found:
        _slurm("scancel", *sorted(found))
    while jobs:
        if time.monotonic() - started > seconds:
            raise UserError(f"SLURM job {min(jobs)} is not gone after {seconds:.0f} s")
        time.sleep(1)
        jobs = _slurm_jobs(names)
    return len(found), time.monotonic() - started


def _slurm_jobs(names: set[str]) -> set[str]:
    """Jobs with these names that are waiting, running or ending."""
    listed = _slurm("squeue", "--noheader", "--format=%i|%j", f"--user={os.getuid()}")
    jobs = (line.split("|", 1) for line in listed.splitlines())
    return {number for number, name in jobs if name in names}


def _slurm(*command: str) -> str:
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired:
        raise UserError(f"{command[0]} does not answer; try again when SLURM does") from None
    if done.returncode:
        message = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise UserError(f"{command[0]}: {message}; try again when SLURM answers")
    return done.stdout


def main() -> None:
    """Recover the run that the command line names."""
    parser = argparse.ArgumentParser(
        prog="python -m workflow_scripts.rebuilds.recover",
        description=recover.__doc__.split("\n")[0],
    )
    parser.add_argument(
        "--directory", type=Path, default=Path(), help="that of the run (default: here)"
    )
    parser.add_argument(
        "--elsewhere", action="store_true", help="although the run's machine was another"
    )
    parser.add_argument(
        "--seconds", type=float, default=300, help="how long to wait for jobs (default: 300)"
    )
    arguments = parser.parse_args()
    try:
        lines = recover(arguments.directory, arguments.elsewhere, arguments.seconds)
    except UserError as error:
        sys.exit(f"recover: {error}")
    for line in lines:
        print(f"recover: {line}")


if __name__ == "__main__":
    main()
