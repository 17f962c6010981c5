"""The Makefile's targets and .ci/run, in a project of their own; nothing real is run."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
TARGETS = [
    *("help", "setup", "plan", "figures", "recover", "test", "lint", "format", "bench", "clean"),
]


@pytest.fixture
def checkout(tmp_path):
    """A copy of the Makefile and what it reads, with an environment that looks finished."""
    root = tmp_path / "checkout"
    root.mkdir()
    for name in ("Makefile", "pyproject.toml", "constraints.txt", "envs", ".ci"):
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy2
        copy(ROOT / name, root / name)
    (root / ".venv/bin").mkdir(parents=True)
    (root / ".venv/bin/python").symlink_to(sys.executable)
    stamp(root)
    return root


def stamp(root, path=None):
    (root / ".venv/tunescape-setup").write_text(f"{path or root / '.venv'}\nabc\n\n")


def environment():
    """The environment without what a make above this one, or its user, hands down to it."""
    flags = {"MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES", "TUNESCAPE_DATA"}
    settings = {"PYTHON", "TORCH_INDEX", "CORES", "EXPERIMENT", "BENCH", "PLAN", "PYTEST"}
    return {k: v for k, v in os.environ.items() if k not in flags | settings}


def make(root, *arguments):
    return subprocess.run(
        ["make", *arguments],
        cwd=root,
        env=environment(),
        capture_output=True,
        text=True,
    )


def test_help_is_what_make_alone_says(checkout):
    result = make(checkout)
    assert result.stdout == make(checkout, "help").stdout
    lines = result.stdout.splitlines()[:-1]
    assert [line.split()[1] for line in lines] == TARGETS


def test_setup_does_nothing_where_the_environment_is_whole(checkout):
    result = make(checkout, "setup")
    assert result.returncode == 0
    assert "Nothing to be done" in result.stdout


@pytest.mark.parametrize("file", ["pyproject.toml", "constraints.txt"])
def test_setup_looks_again_after_a_change(checkout, file):
    later = (checkout / ".venv/tunescape-setup").stat().st_mtime + 5
    os.utime(checkout / file, (later, later))
    assert "envs/setup_venv.py" in make(checkout, "-n", "setup").stdout


def test_setup_notices_a_moved_checkout_and_a_lost_python(checkout):
    stamp(checkout, path="/somewhere/else/.venv")
    assert "envs/setup_venv.py" in make(checkout, "-n", "setup").stdout
    stamp(checkout)
    assert "envs/setup_venv.py" not in make(checkout, "-n", "setup").stdout
    (checkout / ".venv/bin/python").unlink()
    assert "envs/setup_venv.py" in make(checkout, "-n", "setup").stdout


def test_setup_without_a_python_fails_in_one_line(checkout):
    stamp(checkout, path="/somewhere/else/.venv")
    result = make(checkout, "setup", "PYTHON=/nowhere/python3")
    assert result.returncode != 0
    assert result.stderr.startswith("setup: needs Python 3.11 or later")


def test_plan_takes_what_figures_takes(checkout):
    assert make(checkout, "-n", "plan").stdout.split()[-2:] == ["-m", "workflow_scripts.plan"]
    arguments = "EXPERIMENT=experiments/paper.yaml", "CORES=16", "PLAN=--gpu h100"
    assert (
        "workflow_scripts.plan --directory runs/paper --configfile experiments/paper.yaml "
        "--cores 16 --gpu h100"
    ) in make(checkout, "-n", "plan", *arguments).stdout


def test_figures_of_the_default_and_of_another_experiment(checkout):
    plain = make(checkout, "-n", "figures").stdout
    assert plain.split("/bin/")[-1] == "snakemake results/figures/all --cores all \n"
    other = make(checkout, "-n", "figures", "EXPERIMENT=experiments/smoke.yaml", "CORES=3").stdout
    assert other.endswith(
        "snakemake results/figures/all --cores 3 "
        "--directory runs/smoke --configfile experiments/smoke.yaml\n"
    )


def test_recover_is_for_the_same_folder(checkout):
    plain = make(checkout, "-n", "recover").stdout
    assert plain.rstrip().endswith("-m workflow_scripts.rebuilds.recover")
    other = make(checkout, "-n", "recover", "EXPERIMENT=experiments/smoke.yaml").stdout
    assert other.endswith("-m workflow_scripts.rebuilds.recover --directory runs/smoke\n")


def test_test_runs_all_checks(checkout):
    said = make(checkout, "-n", "test").stdout
    for command in (
        "ruff check",
        "ruff format --check",
        "snakefmt --check",
        "snakemake --lint",
        "pytest -q",
    ):
        assert command in said


def test_bench_says_what_there_is_not(checkout):
    fake = "#!/bin/sh\ncase $1 in envs/*) exit 0;; esac\necho ran $1\n"
    (checkout / ".venv/bin/python").unlink()
    (checkout / ".venv/bin/python").write_text(fake)
    (checkout / ".venv/bin/python").chmod(0o755)
    result = make(checkout, "bench")
    assert result.returncode != 0
    assert result.stderr.startswith("bench: no benchmarks/*.py")
    (checkout / "benchmarks").mkdir()
    for name in ("engine.py", "_helper.py"):
        (checkout / "benchmarks" / name).touch()
    result = make(checkout, "bench")
    assert result.stdout == "== benchmarks/engine.py\nran benchmarks/engine.py\n"
    assert make(checkout, "bench", "BENCH=other").returncode != 0


def test_clean_leaves_results_runs_and_the_environment(checkout):
    kept = ["results/a/__pycache__/x", "runs/b/__pycache__/x", ".venv/lib/__pycache__/x"]
    gone = ["workflow_scripts/__pycache__/x", ".pytest_cache/x", ".ruff_cache/x"]
    for name in kept + gone:
        (checkout / name).parent.mkdir(parents=True)
        (checkout / name).touch()
    result = make(checkout, "clean")
    assert "Results stay" in result.stdout
    assert all((checkout / name).exists() for name in kept)
    assert not any((checkout / name).parent.exists() for name in gone)


def ci(checkout, rules, **variables):
    """Run .ci/run over a Makefile with the given rules."""
    (checkout / "Makefile").write_text(rules)
    return subprocess.run(
        ["bash", checkout / ".ci/run"],
        cwd="/",
        env={**environment(), **variables},
        capture_output=True,
        text=True,
        input="never read\n",
    )


def test_ci_fails_where_the_tests_fail(checkout):
    assert ci(checkout, "test:\n\t@true\n").returncode == 0
    assert ci(checkout, "test:\n\t@exit 3\n").returncode != 0
    assert ci(checkout, 'test:\n\t@test "$$CI" = true\n').returncode == 0
    assert ci(checkout, "test:\n\t@cat\n").stdout == "", "standard input has to be empty"


def test_ci_runs_the_tests_even_where_lint_fails(checkout):
    rules = "test: lint pytest\nlint:\n\t@exit 1\npytest:\n\t@echo 5 passed\n"
    result = ci(checkout, rules)
    assert result.returncode != 0
    assert result.stdout == "5 passed\n"


def test_ci_names_the_real_data_where_it_lies_beside_the_checkout(checkout):
    show = 'test:\n\t@echo "data=$$TUNESCAPE_DATA"\n'
    assert ci(checkout, show).stdout == "data=\n"
    place = re.search(r"-d (\.\./\S+)", (checkout / ".ci/run").read_text()).group(1)
    data = checkout.joinpath(place).resolve()
    data.mkdir(parents=True)
    assert ci(checkout, show).stdout == f"data={data}\n"
    assert ci(checkout, show, TUNESCAPE_DATA="/mine").stdout == "data=/mine\n"


def test_the_citation_is_of_this_version():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["cff-version"] == "1.2.0"
    assert citation["version"] == project["version"]
    assert citation["license"] == project["license"] == "MIT"
    assert [reference["year"] for reference in citation["references"]] == [2019, 2020, 2022, 2021]
    assert (ROOT / "LICENSE").read_text().startswith("MIT License")
    assert "## [Unreleased]" in (ROOT / "CHANGELOG.md").read_text()
