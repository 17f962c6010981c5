"""What tests of several folders share."""

import fcntl
from pathlib import Path

import pytest

from tests.workflow.conftest import run_snakemake
from workflow_scripts.common.tables import set_record


def pytest_collection_modifyitems(items):
    """Slow files first, so that no worker is left alone with one at the end."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


@pytest.fixture(autouse=True)
def _outside_any_step():
    """What the step of an earlier test recorded does not end up in this test's files."""
    set_record({})


@pytest.fixture(scope="session")
def smoke_run(tmp_path_factory, worker_id) -> Path:
    """Folder of an undisturbed run of the smoke experiment on this machine: copy it, to change it.

    One for all workers of a session, made by the first that asks.
    """
    top = tmp_path_factory.getbasetemp()
    folder = (top if worker_id == "master" else top.parent) / "smoke_run"
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = folder.with_suffix(".done")
        if not done.exists():
            ran = run_snakemake(folder, "results/figures/all", "--verbose")
            assert ran.returncode == 0, ran.stderr[-3000:]
            done.touch()
    return folder
