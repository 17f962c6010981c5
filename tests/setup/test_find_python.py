"""Which Python .venv is made with. The Pythons here are shell scripts, except for the real one."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "envs" / "find_python.sh"


@pytest.fixture
def folder(tmp_path):
    """A folder that is the whole PATH, with what the script itself needs."""
    for name in ("sed", "tail"):
        (tmp_path / name).symlink_to(shutil.which(name))
    return tmp_path


def put(folder, name, text):
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def find(folder, *asked):
    return subprocess.run(
        ["/bin/sh", SCRIPT, *asked],
        env={**os.environ, "PATH": str(folder)},
        capture_output=True,
        text=True,
    )


def test_the_newest_tested_one_is_taken(folder):
    for name in ("python3", "python3.11", "python3.12"):
        put(folder, name, f"echo /usr/bin/{name}")
    assert find(folder, "").stdout == "/usr/bin/python3.12\n"


def test_a_command_that_does_not_run_is_passed_over(folder):
    """A version manager leaves such commands behind for versions that are not switched on."""
    put(folder, "python3.13", "echo 'shim: python3.13: command not found' >&2; exit 127")
    put(folder, "python3", "echo /usr/bin/python3.11")
    assert find(folder).stdout == "/usr/bin/python3.11\n"


def test_what_was_found_is_named_in_one_line(folder):
    put(folder, "python3.11", "echo 'lacks the standard modules ssl' >&2; exit 1")
    put(folder, "python3", "echo 'is Python 3.9' >&2; exit 1")
    result = find(folder)
    assert result.returncode == 1
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1
    assert "python3.11 lacks the standard modules ssl; python3 is Python 3.9." in result.stderr


def test_none_at_all(folder):
    result = find(folder)
    assert result.returncode == 1
    assert "; found none. Install one, or name it: make setup PYTHON=" in result.stderr


def test_the_one_asked_for_is_the_only_one_tried(folder):
    put(folder, "python3.12", "echo /usr/bin/python3.12")
    put(folder, "python3.11", "echo /usr/bin/python3.11")
    assert find(folder, "python3.11").stdout == "/usr/bin/python3.11\n"
    result = find(folder, "python3.10")
    assert result.returncode == 1
    assert "PYTHON=python3.10 is not a command here" in result.stderr


def test_within_an_environment_the_python_beneath_is_named():
    result = find(os.environ["PATH"], sys.executable)
    assert result.returncode == 0, result.stderr
    assert Path(result.stdout.strip()).resolve() == Path(sys._base_executable).resolve()
