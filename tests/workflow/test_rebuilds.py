"""What a change makes stale: every leaf of the configuration, and code of every stage."""

import json
import re
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.workflow.conftest import ROOT
from workflow_scripts.common.provenance import reach
from workflow_scripts.reference.__main__ import filled
from workflow_scripts.reference.rebuilds import (
    REFUSED,
    leaves,
    overlay_of,
    script_rule,
    smoke_config,
    table,
)
from workflow_scripts.stages import STAGES

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def finished(smoke_run, tmp_path_factory) -> tuple[Path, Path]:
    """A copy of the repository, and a folder in which the smoke experiment has run."""
    top = tmp_path_factory.mktemp("rebuilds")
    apart = shutil.ignore_patterns(".venv", ".git", "results", "runs", "__pycache__", ".*_cache")
    shutil.copytree(ROOT, top / "repository", ignore=apart)
    shutil.copytree(smoke_run, top / "run")
    return top / "repository", top / "run"


def snakemake(repository: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess:
    smoke = repository / "experiments/smoke.yaml"
    command = ["snakemake", *arguments, "--cores", "2", "--directory", str(folder)]
    return subprocess.run(
        [*command, "--configfile", str(smoke)],
        cwd=repository,
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )


def test_each_key_of_the_configuration_makes_stale_what_the_documentation_says(finished):
    repository, run = finished
    keys = list(leaves(smoke_config()))
    rules = directly_stale(repository, run, [overlay_of(*key) for key in keys])
    answers = {
        path: {REFUSED} if one and one[0].startswith("refused: ") else set(one)
        for (path, _), one in zip(keys, rules, strict=True)
    }
    page = (ROOT / "docs/howto/rebuilds.md").read_text(encoding="utf-8")
    assert filled(page, "rebuilds", table(answers)) == page


def directly_stale(repository: Path, folder: Path, overlays: list[dict]) -> list[list[str]]:
    """Rules that are directly stale with each overlay of the configuration."""
    smoke = repository / "experiments/smoke.yaml"
    done = subprocess.run(
        [sys.executable, "-m", "tests.workflow.stale", folder, smoke],
        cwd=repository,
        input=json.dumps(overlays),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


def planned(repository: Path, folder: Path) -> set[str]:
    """Names of the rules that a dry run would run."""
    done = snakemake(repository, folder, "results/figures/all", "--dry-run")
    text = done.stdout + done.stderr
    if "Nothing to be done" in text:
        return set()
    listed = re.search(r"Job stats:\njob +count\n-+ +-+\n(.*?)\ntotal", text, re.DOTALL)
    assert listed, text[-2000:]
    rules = {script_rule(line.split()[0]) for line in listed[1].splitlines()}
    return rules - {"results/figures/all"}


class Edit:
    """Changes a file of a repository for as long as a block runs."""

    def __init__(self, path: Path, old: str, new: str):
        self.path, self.old, self.new = path, old, new

    def __enter__(self) -> None:
        self.text = self.path.read_text()
        assert self.old in self.text, f"{self.path}: {self.old!r} is not there"
        self.path.write_text(self.text.replace(self.old, self.new, 1))

    def __exit__(self, *_: object) -> None:
        self.path.write_text(self.text)


RUNNER = "workflow_scripts/model/running.py"
# The first ledger, the figures that have a line of result from it, and the page with all results.
CLAIMED = {f"draw_figure{n}" for n in range(1, 8)} | {
    "evaluate_claims",
    "draw_table1",
    "draw_radii",
    "write_atlas",
}
AFTER_ROWS = {"merge_surface", "measure_width", *CLAIMED}
AFTER_RUNS = {"measure_run", "measure_plane", "draw_stability6"}


@pytest.mark.parametrize(
    ("file", "old", "new", "rules"),
    [
        (RUNNER, '"""', '"""Other words. ', set()),
        (RUNNER, "import ", "# a comment\nimport ", set()),
        (
            RUNNER,
            "logits = self._pass().cpu()",
            "logits = 1.0 * self._pass().cpu()",
            {"evaluate_rows", "project_trajectory", "roll_back_groups"} | AFTER_ROWS | AFTER_RUNS,
        ),
        (
            "workflow_scripts/figures/draw_loss_curves.py",
            'if __name__ == "__main__":',
            'if __name__ == "__main__" and True:',
            {"draw_figure2", "write_atlas"},
        ),
    ],
)
def test_a_changed_definition_reruns_what_reaches_it(finished, file, old, new, rules):
    repository, run = finished
    with Edit(repository / file, old, new):
        assert planned(repository, run) == rules


def test_a_stage_that_comes_out_the_same_reruns_nothing_after_it(finished):
    repository, run = finished
    with Edit(
        repository / "workflow_scripts/data/prepare_task.py",
        "    write_table(task.train, train)",
        "    write_table(task.train.copy(), train)",
    ):
        assert {"prepare_task", "finetune_finetune", "evaluate_rows"} <= planned(repository, run)
        figure = run / "results/figures/tiny/figure1.pdf"
        before = figure.stat().st_mtime_ns
        done = snakemake(repository, run, "results/figures/all")
        assert done.returncode == 0, done.stderr[-2000:]
        # Figures, and the page that shows them, may follow a ledger that is about to be made until
        # it turns out that it is not.
        started = started_by(done.stdout + done.stderr)
        assert started - {"Drawing", "Writing"} == {"Preparing"}
        assert figure.stat().st_mtime_ns == before
        assert planned(repository, run) == set()
    # Back to the code before: prepared once more, and again nothing follows.
    assert snakemake(repository, run, "results/figures/all").returncode == 0


def started_by(said: str) -> set[str]:
    """First words of the messages of all jobs that a run has started."""
    return set(re.findall(r"^Job \d+: (\w+)", said, re.MULTILINE))


def provenance(repository: Path, *arguments: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "workflow_scripts.rebuilds", *arguments]
    return subprocess.run(command, cwd=repository, capture_output=True, text=True, check=False)


def test_explain_names_the_definition_the_chain_and_the_line(finished):
    repository, run = finished
    where = ["--directory", str(run), "--configfile", "experiments/smoke.yaml"]
    output = "results/figures/tiny/figure6.pdf"
    assert "is fresh" in provenance(repository, "explain", output, *where).stdout
    old, new = "logits = self._pass().cpu()", "logits = self._pass()"
    with Edit(repository / RUNNER, old, new):
        said = provenance(repository, "explain", output, *where).stdout
    assert "running.py: Runner has changed" in said
    assert "-> workflow_scripts/landscape/setting.py: load_evaluator" in said
    assert re.search(rf"^ +- +{re.escape(old)}$", said, re.MULTILINE)
    # Of the surface, and of two rules whose results are in the figure's ledger.
    assert said.count("Runner has changed") == said.count("has changed") == 3
    with Edit(repository / "experiments/smoke.yaml", "range: [-4, 4]", "range: [-2, 2]"):
        said = provenance(repository, "explain", output, *where).stdout
    assert "setting surface.range: was [-4.0, 4.0], is [-2.0, 2.0]" in said
    done = provenance(repository, "explain", "results/figures/tiny/figure99.pdf", *where)
    assert done.returncode == 1
    assert "no rule makes this file" in done.stderr


def test_results_without_snakemakes_records_stop_the_run_until_import(finished, tmp_path):
    repository, run = finished
    copy = tmp_path / "clone"
    shutil.copytree(run / "results", copy / "results")  # time stamps are kept, .snakemake is not
    done = snakemake(repository, copy, "results/figures/all", "--dry-run")
    assert done.returncode != 0
    assert "import --directory" in done.stderr
    shown = copy / "results/figures/tiny/figure3.csv"
    shown.write_text(shown.read_text() + "damaged\n")
    done = provenance(repository, "import", "--directory", str(copy))
    assert "left alone, its content is not that of its record: results/figures" in done.stdout
    shown.unlink()
    assert planned(repository, copy) == {"draw_figure3", "write_atlas"}
    with Edit(repository / "experiments/smoke.yaml", "resamples: 100", "resamples: 101"):
        again = planned(repository, copy)
    assert again == {"measure_width", "roll_back_groups", *CLAIMED}


def imported_with_old_torch(finished, folder: Path, rules: set[str]) -> None:
    """Copy the finished run as if an older torch had made the files of some rules."""
    repository, run = finished
    shutil.copytree(run / "results", folder / "results")
    now = version("torch")
    for path, record in records_of(folder).items():
        if record["rule"] in rules:
            record["versions"]["torch"] = record["libraries"]["torch"] = "0.1"
            params = [
                param.replace(f"'torch': '{now}'", "'torch': '0.1'") for param in record["params"]
            ]
            assert params != record["params"]
            path.write_text(json.dumps(record | {"params": params}))
    assert provenance(repository, "import", "--directory", str(folder)).returncode == 0


def test_results_of_another_torch_stay_unless_a_rebuild_is_requested(finished, tmp_path):
    repository, run = finished
    rules = {record["rule"] for record in records_of(run).values()}
    of_torch = {rule for rule in rules if "torch" in reach(script_of(rule)).libraries}
    imported_with_old_torch(finished, tmp_path, of_torch)
    done = snakemake(repository, tmp_path, "results/figures/all", "--dry-run")
    said = done.stdout + done.stderr
    assert "Nothing to be done" in said
    files = sum(record["rule"] in of_torch for record in records_of(run).values())
    stay = f"{files} results were made with torch 0.1 (now {version('torch')}); they stay"
    assert [line for line in said.splitlines() if "were made with" in line] == [
        f"Tunescape: {stay} (rebuild.on_library_change)"
    ]
    renew = {"rebuild": {"on_library_change": True}}
    stay, again = directly_stale(repository, tmp_path, [{}, renew])
    assert stay == []
    assert again == sorted({script_rule(rule) for rule in of_torch})
    assert {"finetune_finetune", "evaluate_rows", "draw_scratch"} <= set(again)
    assert len(again) < len(rules) / 2


def test_results_made_again_with_todays_torch_are_fresh(finished, tmp_path):
    """With the model's checkpoints, which take seconds; the rest is the same and stays."""
    repository, _ = finished
    imported_with_old_torch(finished, tmp_path, {"fetch_model", "draw_scratch"})
    with Edit(repository / "config.yaml", "on_library_change: false", "on_library_change: true"):
        assert {"fetch_model", "draw_scratch", "evaluate_rows"} <= planned(repository, tmp_path)
        done = snakemake(repository, tmp_path, "results/figures/all")
        said = done.stdout + done.stderr
        assert done.returncode == 0, said[-2000:]
        assert re.search(r"results were made with torch 0\.1 .*; they are made again", said)
        assert started_by(said) - {"Writing"} == {"Fetching", "Drawing"}
        assert planned(repository, tmp_path) == set()
    done = snakemake(repository, tmp_path, "results/figures/all", "--dry-run")
    assert "Nothing to be done" in done.stdout + done.stderr
    assert "were made with" not in done.stdout + done.stderr


def test_jobs_import_no_module_that_the_static_walk_does_not_see(finished):
    """What every job had imported at its end, function-level imports too."""
    _, run = finished
    records = records_of(run)
    assert len(records) > 100
    seen = {}
    for record in records.values():
        seen.setdefault(record["rule"], set()).update(record["modules"])
    for rule, modules in seen.items():
        known = {
            path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
            for path in reach(script_of(rule)).modules
        }
        # A package without anything in it need not be named.
        extra = {name for name in modules - known if has_code(name)}
        assert not extra, rule


def has_code(name: str) -> bool:
    place = ROOT.joinpath(*name.split("."), "__init__.py")
    return not place.exists() or bool(place.read_text().strip())


def records_of(run: Path) -> dict[Path, dict[str, Any]]:
    """The record of each output of a run, by the record's path."""
    paths = sorted((run / "results/provenance").rglob("*.json"))
    return {path: json.loads(path.read_text()) for path in paths}


def script_of(rule: str) -> str:
    """Path of the script of a rule that may be made for each recipe, block of rows or figure."""
    figures = {f"draw_{figure.name}": figure.script for stage in STAGES for figure in stage.figures}
    name = re.sub(r"^(finetune)_.*", r"\1", script_rule(rule))
    if name in figures:
        return f"workflow_scripts/{figures[name]}.py"
    (stage,) = (stage.name for stage in STAGES if name in stage.costs)
    return f"workflow_scripts/{stage}/{name}.py"


def test_every_rule_tracks_the_script_that_it_runs():
    tracking = 0
    for path in sorted((ROOT / "rules").glob("*.smk")):
        rules = re.split(r"^ *(?:rule|checkpoint)\b.*:$", path.read_text(), flags=re.MULTILINE)
        for rule in rules[1:]:
            script = re.search(r'"\.\./workflow_scripts/([\w/{}.]+)\.py"', rule)
            tracked = re.search(r"\*\*tracked\(\s*([^,]+),", rule)
            if "output:" not in rule:  # a target of several files
                continue
            assert script, f"{path.name}: a rule without a script"
            assert tracked, f"{path.name}: a rule that tracks nothing"
            in_loop = script[1] == "{params.drawing}"
            assert tracked[1] == ("figure.script" if in_loop else f'"{script[1]}"'), path.name
            tracking += 1
    # One rule for each price, and the one of the figures' loop.
    assert tracking == sum(len(stage.costs) for stage in STAGES) + 1


def test_no_profile_watches_the_time_stamps_of_scripts():
    profiles = sorted((ROOT / "profiles").glob("*/config.yaml"))
    assert profiles
    for path in profiles:
        profile = yaml.safe_load(path.read_text())
        assert profile["rerun-triggers"] == ["mtime", "params", "input", "software-env"], path
        assert profile["max-checksum-file-size"] == "20MB", path  # records.LARGEST_CHECKED
