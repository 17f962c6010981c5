"""`pip install -e .`: the package can be imported from any folder, and is the checkout's own."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from workflow_scripts.common.errors import UserError
from workflow_scripts.experiment import start

ROOT = Path(__file__).parents[2]
PACKAGES = ("workflow_scripts", "snakemake_logger_plugin_tunescape")


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> tuple[Path, Path]:
    """A copy of the checkout, installed with pip into a folder; its path and the folder's."""
    folder = tmp_path_factory.mktemp("install")
    copy = folder / "checkout"
    copy.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE", *PACKAGES, "tests", "benchmarks"):
        if (ROOT / name).is_dir():
            skipped = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / name, copy / name, ignore=skipped)
        else:
            shutil.copy2(ROOT / name, copy / name)
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index"]
    command += ["--no-build-isolation", "--prefix", folder / "prefix", "--editable", copy]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return copy, next((folder / "prefix").rglob("site-packages"))


def imported(site: Path, folder: Path, code: str) -> str:
    code = f"import site; site.addsitedir({str(site)!r}); {code}"
    command = [sys.executable, "-I", "-c", code]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_a_notebook_in_any_folder_imports_the_checkout(installed, tmp_path):
    copy, site = installed
    for module in ("workflow_scripts.landscape.projection", "snakemake_logger_plugin_tunescape"):
        file = imported(site, tmp_path, f"import {module} as m; print(m.__file__)")
        assert Path(file).is_relative_to(copy)


def test_every_folder_of_the_package_is_found_and_nothing_else(installed, tmp_path):
    _, site = installed
    code = "from importlib.metadata import distribution as d; "
    code += "print(d('tunescape').read_text('top_level.txt'))"
    assert set(imported(site, tmp_path, code).split()) == set(PACKAGES)
    code = "import pkgutil, workflow_scripts as w; "
    code += "print(*(m.name for m in pkgutil.iter_modules(w.__path__) if m.ispkg))"
    folders = {path.parent.name for path in (ROOT / "workflow_scripts").glob("*/__init__.py")}
    assert set(imported(site, tmp_path, code).split()) == folders


@pytest.mark.parametrize("folder", ["my dir", "it's", "a(b)", "a&b"])
def test_a_python_that_snakemake_could_not_start_is_refused(folder, monkeypatch):
    monkeypatch.setattr(sys, "executable", "/home/käthe/1.0-rc/.venv/bin/python")
    start.check_checkout(str(ROOT))
    monkeypatch.setattr(sys, "executable", f"/home/me/{folder}/.venv/bin/python")
    with pytest.raises(UserError, match="Snakemake cannot start jobs") as error:
        start.check_checkout(str(ROOT))
    assert f"got the Python /home/me/{folder}/.venv/bin/python" in str(error.value)


def test_the_code_of_another_checkout_is_refused(tmp_path):
    start.check_checkout(str(ROOT))
    with pytest.raises(UserError, match=r"got the package workflow_scripts of .*pip uninstall"):
        start.check_checkout(str(tmp_path))
