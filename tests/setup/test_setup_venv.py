"""When `make setup` makes, updates, keeps or refuses an environment. Nothing is installed here."""

import os
import subprocess
import sys

import pytest

from envs import setup_venv
from envs.setup_venv import LOG, STAMP, UNFINISHED, Progress, SetupError, setup

PYPROJECT = """
[project]
dependencies = ["numpy>=2"]
[project.optional-dependencies]
test = ["pytest"]
bench = ["plotly"]
[tool.tunescape.setup]
extras = ["test"]
without-dependencies = ["some-weights"]
"""


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Calls `setup` in a project of its own; `calls` counts what would be installed."""

    class Project:
        venv = tmp_path / ".venv"
        pyproject = tmp_path / "pyproject.toml"
        constraints = tmp_path / "constraints.txt"
        fails = False

        def __init__(self):
            self.calls = []

        def setup(self, *extras):
            return setup(self.venv, self.pyproject, self.constraints, ["test", *extras])

    project = Project()

    def install(venv, requirements, alone, constraints, torch):
        assert (venv / UNFINISHED).exists()
        assert not (venv / STAMP).exists()
        project.calls.append(requirements)
        if project.fails:
            raise SetupError("no network")

    monkeypatch.setattr(setup_venv, "install", install)
    project.pyproject.write_text(PYPROJECT)
    project.constraints.write_text("# a comment\nnumpy==2.0.0\nsome_weights==1.0\n")
    return project


def test_made_once_then_left_alone(project):
    assert project.setup() == "made"
    assert (project.venv / "bin/python").exists()
    assert project.calls == [["numpy>=2", "pytest"]]
    assert project.setup() == "whole"
    assert len(project.calls) == 1


def test_a_comment_or_another_section_changes_nothing(project):
    project.setup()
    project.pyproject.write_text("# hello\n" + PYPROJECT + "[tool.ruff]\nline-length = 90\n")
    project.constraints.write_text("some-weights==1.0\nnumpy==2.0.0  # why\n")
    assert project.setup() == "whole"


@pytest.mark.parametrize("changed", ["pyproject", "constraints"])
def test_another_requirement_or_version_updates_in_place(project, changed):
    project.setup()
    (project.venv / "kept").touch()
    file = getattr(project, changed)
    file.write_text(file.read_text().replace("numpy>=2", "numpy>=1").replace("2.0.0", "2.0.1"))
    assert project.setup() == "updated"
    assert (project.venv / "kept").exists()
    assert project.setup() == "whole"


def test_an_unfinished_environment_is_made_again(project, capsys):
    project.fails = True
    with pytest.raises(SetupError, match="no network"):
        project.setup()
    assert not (project.venv / STAMP).exists()
    (project.venv / "left over").touch()
    project.fails = False
    assert project.setup() == "made"
    assert not (project.venv / "left over").exists()
    assert not (project.venv / UNFINISHED).exists()
    assert "is unfinished; rebuilding it" in capsys.readouterr().out


def test_an_update_that_fails_is_unfinished_too(project):
    project.setup()
    project.constraints.write_text("numpy==2.0.1\nsome-weights==1.0\n")
    project.fails = True
    with pytest.raises(SetupError):
        project.setup()
    project.fails = False
    assert project.setup() == "made"


def test_an_environment_that_was_moved_is_made_again(project):
    project.setup()
    stamp = project.venv / STAMP
    stamp.write_text(stamp.read_text().replace(str(project.venv), "/somewhere/else/.venv"))
    assert project.setup() == "made"


def test_an_environment_whose_python_is_gone_is_made_again(project):
    project.setup()
    (project.venv / "bin/python").unlink()
    (project.venv / "bin/python").symlink_to("/nowhere/python3")
    assert project.setup() == "made"


def test_an_environment_made_by_hand_is_kept_and_filled_up(project):
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", project.venv], check=True)
    (project.venv / "own").touch()
    assert project.setup() == "updated"
    assert (project.venv / "own").exists()


def test_a_link_to_the_environment_of_another_checkout_is_refused(project, tmp_path):
    project.setup()
    elsewhere = tmp_path / "elsewhere"
    project.venv.rename(elsewhere)
    stamp = elsewhere / STAMP
    stamp.write_text(stamp.read_text().replace(str(project.venv), str(elsewhere)))
    project.venv.symlink_to(elsewhere)
    with pytest.raises(SetupError, match=r"is a link to .*elsewhere\); delete the link"):
        project.setup()
    assert stamp.exists()


def test_a_folder_that_is_no_environment_is_not_deleted(project):
    project.venv.mkdir()
    (project.venv / "letter.txt").write_text("hello")
    with pytest.raises(SetupError, match="no Python environment; move it away"):
        project.setup()
    assert (project.venv / "letter.txt").read_text() == "hello"


def test_an_extra_once_added_stays(project):
    project.setup()
    assert project.setup("bench") == "updated"
    assert project.calls[-1] == ["numpy>=2", "pytest", "plotly"]
    assert project.setup() == "whole"
    with pytest.raises(SetupError, match="extra 'bnech' is none of bench, test"):
        project.setup("bnech")


def test_pip_failing_gives_its_reason_and_the_log(tmp_path, capsys):
    progress = Progress(tmp_path / LOG)
    program = "import sys; print('ERROR: No matching distribution found for x'); sys.exit(1)"
    with pytest.raises(SetupError) as error:
        progress.run([sys.executable, "-c", program], "packages")
    message = str(error.value)
    assert message.startswith(
        "packages: failed; ERROR: No matching distribution found for x (log: "
    )
    assert "\n" not in message
    assert "No matching" in (tmp_path / LOG).read_text()
    assert capsys.readouterr().out == "setup: packages\n"


def test_pip_killed_is_named_as_such(tmp_path):
    program = "import os; print('Installing', flush=True); os.kill(os.getpid(), 9)"
    with pytest.raises(SetupError, match="packages: failed; stopped by signal 9"):
        Progress(tmp_path / LOG).run([sys.executable, "-c", program], "packages")


def test_an_index_out_of_reach_is_named_as_such():
    said = [
        "WARNING: Retrying (Retry(total=0)) after connection broken by 'NewConnectionError(\"no "
        "route\")': /simple/numpy/",
        "ERROR: No matching distribution found for numpy",
    ]
    reason = setup_venv.reason(said)
    assert reason.startswith("the package index could not be reached: ")
    assert "no route" in reason
    assert "PIP_INDEX_URL" in reason


def test_a_full_disk_is_named_as_such():
    said = ["ERROR: Could not install: [Errno 28] No space left on device", "ERROR: something"]
    assert "No space left" in setup_venv.reason(said)


def test_the_script_runs_with_the_standard_library_alone():
    """It runs before anything is installed: -S -I leaves site-packages out."""
    script = os.path.abspath(setup_venv.__file__)
    result = subprocess.run(
        [sys.executable, "-S", "-I", script, "--help"], capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr
