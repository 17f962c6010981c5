"""What is done around a run: checks at its start, and settings of Snakemake's own."""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from workflow_scripts.common.errors import UserError, cut
from workflow_scripts.common.gpus import visible_gpus
from workflow_scripts.experiment.products import end_runs
from workflow_scripts.finetune.files import checkpoint_files
from workflow_scripts.rebuilds.import_results import unknown_outputs
from workflow_scripts.rebuilds.libraries import other_versions
from workflow_scripts.rebuilds.warnings import edited_warning


def check_checkout(folder: str) -> None:
    """Refuse to run with the code of another checkout.

    Parameters
    ----------
    folder : str
        Of the Snakefile.

    Raises
    ------
    UserError
        If ``workflow_scripts`` is imported from elsewhere, or the path of Python has a character
        that a shell would not leave as it is.
    """
    # Snakemake starts scripts with this path, without quotes.
    if not re.fullmatch(r"[\w@%+=:,./~-]+", sys.executable):
        raise UserError(
            f"got the Python {sys.executable}, with which Snakemake cannot start jobs: its path "
            "may hold letters, digits and _@%+=:,./~- only; move the environment or the checkout"
        )
    used = Path(__file__).resolve().parents[2]
    if used != Path(folder).resolve():
        raise UserError(
            f"got the package workflow_scripts of {used}, expected that of {folder}; another copy "
            "is installed in this environment: pip uninstall tunescape"
        )


def check_slurm(executor: str) -> None:
    """Refuse to submit jobs where SLURM does not answer.

    Parameters
    ----------
    executor : str
        Name of the plugin that runs the jobs.

    Raises
    ------
    UserError
        If it is SLURM's, and its commands are missing or fail.
    """
    if executor != "slurm":
        return
    try:
        done = subprocess.run(
            ["sinfo", "--noheader", "--summarize"],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        said = done.stderr.strip().splitlines() if done.returncode else []
        problem = said[-1] if said else f"sinfo: exit status {done.returncode}"
        if not done.returncode:
            return
    except FileNotFoundError:
        problem = "there is no command sinfo"
    except subprocess.TimeoutExpired:
        problem = "sinfo: no answer within 60 s"
    raise UserError(
        f"SLURM does not answer on this machine ({cut(problem, 160)}); start Snakemake on a login "
        "node of the cluster, or without profiles/slurm"
    )


def check_results() -> None:
    """Refuse to start where Snakemake would not notice changes.

    Raises
    ------
    UserError
        If Snakemake has no record of some of the results in the working directory.
    """
    unknown = unknown_outputs()
    if unknown:
        raise UserError(
            f"Snakemake has no record of {len(unknown)} results, such as {unknown[0]} (a fresh "
            "clone, or .snakemake was deleted), so it would not notice changed settings and code. "
            "Import them by their own records: python -m workflow_scripts.rebuilds import "
            f"--directory {shlex.quote(os.getcwd())}"
        )


def result_warnings(settings: Any) -> Iterator[str]:
    """A line on results edited by hand, and one for each library of another version."""
    if line := edited_warning():
        yield line
    renewed = settings.rebuild.on_library_change
    then = "they are made again" if renewed else "they stay (rebuild.on_library_change)"
    for library, files in other_versions().items():
        yield f"Tunescape: {files} results were made with {library}; {then}"


def share_gpus(workflow: Any, gpus: int) -> None:
    """Let as many jobs with a GPU run at a time as this machine has GPUs, unless a user says more.

    A cluster's scheduler knows by itself how many there are.

    Parameters
    ----------
    workflow : snakemake.workflow.Workflow
    gpus : int
        Of one job.
    """
    if workflow.nodes is None and gpus and "gpu" not in workflow.global_resources:
        workflow.register_resource("gpu", max(1, len(visible_gpus())))


def disable_job_rate_limiter(workflow: Any) -> None:
    """Keep Snakemake's scheduler from looking for new jobs where none has ended.

    For its limit of 100 new jobs a second each look asks for another one a second later, so that
    with jobs waiting every one that ends starts one more chain of looks: after 90 jobs of the
    default experiment they took a quarter of a core. Another limit (--max-jobs-per-timespan) is
    the user's, and is kept.

    Parameters
    ----------
    workflow : snakemake.workflow.Workflow
        That is about to start.
    """
    limit = getattr(workflow.scheduler, "job_rate_limiter", None)
    if limit is not None and (limit.max_jobs, limit.timespan) == (100, 1):
        workflow.scheduler.job_rate_limiter = None


def where_results_are(targets: Iterable[str], started_in: str) -> Iterator[str]:
    """Lines that say where the figures and the atlas are, once all files are made.

    Parameters
    ----------
    targets : iterable of str
        All files of the experiment.
    started_in : str
        Folder in which Snakemake was started.
    """
    targets = list(targets)
    if not all(map(os.path.exists, targets)):
        return

    def near(path: str) -> str:
        relative = os.path.relpath(path, started_in)
        return os.path.abspath(path) if relative.startswith("..") else relative

    yield f"every figure and table is in {near('results/figures')}"
    for page in targets:
        if page.endswith("/atlas.html"):
            yield f"all of it in one page: {near(page)}"


def delete_unneeded_checkpoints(settings: Any) -> None:
    """Delete checkpoints that no trajectory shows, where ``finetune.keep`` says so.

    Snakemake does it only where another job is the last to need them.
    """
    if settings.finetune.keep == "ends":
        for model in settings.experiment.models:
            for run in end_runs(settings, model):
                for path in checkpoint_files(run)[1:-1]:
                    Path(path).unlink(missing_ok=True)
