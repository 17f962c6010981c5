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
    *("help", "setup", "own", "plan", "figures", "compare", "explain", "import", "recover"),
    *("docs", "test", "lint", "format", "bench", "clean"),
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
    settings |= {"PROFILE", "VERBOSE", "TASK", "MODEL", "NAME", "OWN", "OUTPUT", "EXPERIMENTS"}
    return {k: v for k, v in os.environ.items() if k not in flags | settings}


def called(root, *arguments):
    """What a target passes to the program that it starts, word by word, and its PYTHONPATH."""
    for name in ("python", "snakemake"):
        program = root / ".venv/bin" / name
        program.unlink(missing_ok=True)
        words = '"$(basename "$0")" "$@" "PYTHONPATH=$PYTHONPATH"'
        program.write_text(f"#!/bin/sh\nprintf '%s\\n' {words}\n")
        program.chmod(0o755)
    result = make(root, *arguments)
    assert result.returncode == 0, result.stderr
    *words, path = result.stdout.splitlines()
    assert path.startswith("PYTHONPATH=")
    return words, path.removeprefix("PYTHONPATH=")


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


@pytest.mark.parametrize(
    "name", ["my dir", "it's", "a(b", "b)", "a&b", "$HOME", "a#b", 'q"', "a:b"]
)
@pytest.mark.parametrize("target", ["setup", "figures"])
def test_a_folder_that_jobs_could_not_be_started_in_is_refused_before_all_else(
    checkout, name, target
):
    root = checkout.rename(checkout.parent / name)
    shutil.rmtree(root / ".venv")
    result = make(root, target)
    assert result.returncode != 0
    (line,) = result.stderr.splitlines()
    assert f"the folder of this checkout is {root}, and jobs cannot be started in" in line
    assert not (root / ".venv").exists()


@pytest.mark.parametrize("name", ["käthe", "v1.0+x", "a,b=c~d@e%f"])
def test_any_other_folder_is_fine(checkout, name):
    root = checkout.rename(checkout.parent / name)
    stamp(root)
    assert called(root, "plan")[0][:3] == ["python", "-m", "workflow_scripts.plan"]


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


@pytest.fixture
def experiments(checkout):
    """Two experiments, one of them with a name that a shell would take apart."""
    for name in ("paper.yaml", "it's, {mine} too.v2.yaml"):
        (checkout / "experiments").mkdir(exist_ok=True)
        (checkout / "experiments" / name).touch()
    return checkout


PAPER = ["--directory", "runs/paper", "--configfile", "experiments/paper.yaml"]


def test_plan_takes_what_figures_takes(experiments):
    plan = ["python", "-m", "workflow_scripts.plan"]
    assert called(experiments, "plan")[0] == plan
    arguments = "EXPERIMENT=experiments/paper.yaml", "CORES=16", "PLAN=--gpu h100"
    machine = ["--cores", "16", "--gpu", "h100"]
    assert called(experiments, "plan", *arguments)[0] == [*plan, *PAPER, *machine]


def test_figures_of_the_default_and_of_another_experiment(experiments):
    snakemake = ["snakemake", "results/figures/all"]
    words, path = called(experiments, "figures")
    assert words == [*snakemake, "--cores", "all", "--logger", "tunescape"]
    assert path == str(experiments), "where the logger is found"
    words, _ = called(experiments, "figures", "EXPERIMENT=experiments/paper.yaml", "CORES=3")
    assert words == [*snakemake, "--cores", "3", "--logger", "tunescape", *PAPER]


def test_figures_with_all_of_snakemakes_output(experiments):
    words, _ = called(experiments, "figures", "VERBOSE=1")
    assert words == ["snakemake", "results/figures/all", "--cores", "all"]


def test_figures_with_a_profile_leaves_the_cores_to_it(experiments):
    profile = ["--workflow-profile", "profiles/slurm"]
    words, _ = called(experiments, "figures", "PROFILE=profiles/slurm", "VERBOSE=1")
    assert words == ["snakemake", "results/figures/all", *profile]
    words, _ = called(experiments, "figures", "PROFILE=profiles/slurm", "VERBOSE=1", "CORES=9")
    assert words == ["snakemake", "results/figures/all", *profile, "--cores", "9"]


@pytest.mark.parametrize("target", ["plan", "figures", "explain"])
def test_an_experiment_may_have_any_name(experiments, target):
    name = "experiments/it's, {mine} too.v2.yaml"
    words, _ = called(experiments, target, f"EXPERIMENT={name}", "OUTPUT=x")
    folder = "runs/it's, {mine} too.v2"
    assert words[-4:] == ["--directory", folder, "--configfile", name]


@pytest.mark.parametrize("target", ["plan", "figures", "explain"])
def test_a_missing_experiment_is_refused_in_one_line(experiments, target):
    result = make(experiments, target, "EXPERIMENT=experiments/it's.yaml", "OUTPUT=x")
    assert result.returncode != 0
    first, *rest = result.stderr.splitlines()
    assert first == f"{target}: EXPERIMENT: got experiments/it's.yaml, no such file"
    assert len(rest) == 1, "make's own line"


def test_own_passes_on_what_it_is_given(experiments):
    own = ["python", "-m", "workflow_scripts.plan.own", "--task"]
    assert called(experiments, "own", "TASK=/data/my reviews")[0] == [*own, "/data/my reviews"]
    given = "TASK=/t", "MODEL=/models/it's", "NAME=mine", "OWN=--label stars"
    rest = ["/t", "--model", "/models/it's", "--name", "mine", "--label", "stars"]
    assert called(experiments, "own", *given)[0] == [*own, *rest]


def test_the_options_that_own_passes_on_exist():
    command = [sys.executable, "-m", "workflow_scripts.plan.own", "--help"]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for option in ("--task", "--model", "--name", "--label"):
        assert option in said


def test_compare_takes_folders_of_any_name(checkout):
    folders = "runs/a 'runs/b c' $HOME \"it's\""
    # What a person's shell hands to make; `$$` is make's own way to write a dollar.
    words, _ = called(checkout, "compare", f"EXPERIMENTS={folders.replace('$', '$$')}")
    assert words == ["python", "-m", "workflow_scripts.compare", "--experiments", folders]


@pytest.mark.parametrize(
    ("target", "variable"),
    [("own", "TASK"), ("explain", "OUTPUT"), ("compare", "EXPERIMENTS")],
)
def test_what_a_target_needs_is_named_in_one_line(checkout, target, variable):
    result = make(checkout, target)
    assert result.returncode != 0
    first = result.stderr.splitlines()[0]
    assert first.startswith(f"{target}: expected {variable}, such as: make {target} {variable}=")


def test_explain_import_and_recover_are_for_the_same_folder(experiments):
    rebuilds = ["python", "-m", "workflow_scripts.rebuilds"]
    smoke = "EXPERIMENT=experiments/paper.yaml"
    output = "results/figures/minilm/figure1.pdf"
    words, _ = called(experiments, "explain", smoke, f"OUTPUT={output}")
    assert words == [*rebuilds, "explain", output, *PAPER]
    assert called(experiments, "import", smoke)[0] == [*rebuilds, "import", *PAPER[:2]]
    recover = ["python", "-m", "workflow_scripts.rebuilds.recover"]
    assert called(experiments, "recover")[0] == recover
    assert called(experiments, "recover", smoke)[0] == [*recover, *PAPER[:2]]


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


def test_bench_names_a_missing_benchmark(checkout):
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
    gone = ["workflow_scripts/__pycache__/x", ".pytest_cache/x", ".ruff_cache/x", "site/x"]
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
