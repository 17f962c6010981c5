"""What a change makes stale: every leaf of the configuration, and code of every stage."""

import copy
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from fnmatch import fnmatchcase
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.workflow.conftest import ROOT
from tests.workflow.stale import of_script
from workflow_scripts.common.provenance import reach
from workflow_scripts.experiment.config import validated

pytestmark = pytest.mark.slow

# Another valid value, or what to lay over the configuration, where a larger number would not do.
MORE = {"continues": "finetune", "learning_rate": 1e-3, "epochs": 1}
OTHER = {
    "experiment.name": "other",
    "experiment.tasks": ["sentiment", "entailment"],
    "experiment.models": {"experiment": {"models": ["minilm"]}},
    "models.*.source": "random:bert:num_hidden_layers=3,hidden_size=32,num_attention_heads=2,"
    "intermediate_size=64,seed=1",
    "models.*.sha256": "0" * 64,
    "tasks.*.source": "synthetic:paraphrase",
    "tasks.*.title": "Another title",
    "tasks.*.label": "other",
    "tasks.*.text": ["other"],
    "tasks.*.dev_split": "other",
    "finetune.seeds": [{"init": 1, "order": 0}],
    "finetune.recipes.*.optimizer": "adam",
    "finetune.recipes.*.schedule": "cosine",
    "finetune.recipes.*.eps_placement": "before",
    "finetune.recipes.*.autocast": "bfloat16",
    "finetune.recipes.*.max_steps": 3,
    "finetune.recipes.*.warmup": 0.2,
    "finetune.recipes.*.dropout": 0.2,
    "finetune.recipes.*.betas": [0.8, 0.999],
    "finetune.recipes.*.continues": "scratch",
    "finetune.runs.pretrained": "scratch",
    "finetune.runs.scratch": "finetune",
    "finetune.keep": "ends",
    "finetune.exceptions": {"entailment": {"scratch": "finetune"}},
    "landscape.second.*": "paraphrase",
    "landscape.second.paraphrase": "entailment",
    "landscape.range": [-2.0, 2.0],
    "landscape.groups": {"low": [0, 0], "high": [1, 2]},
    "landscape.precision": "bfloat16",
    "landscape.width.tolerances": [0.2],
    "landscape.width.relative": [0.4],
    "dynamics.recipes": {"entailment": "scratch"},
    "dynamics.seed_tasks": ["sentiment"],
    "dynamics.task_pairs": [["sentiment", "entailment"]],
    "dynamics.examples": 16,
    "dynamics.tokens": "cls",
    "dynamics.keep": 0.9,
    "figures.trajectory_tasks": ["entailment"],
    "figures.overfitting_task": "sentiment",
    "figures.overfitting_recipe": {
        "finetune": {"recipes": {"more": MORE}},
        "figures": {"overfitting_recipe": "more"},
    },
    "figures.group_tasks": ["sentiment"],
    "figures.paper_values": {"entailment": "RTE"},
    "compute.device": "cpu",
    "compute.token_budget": 512,
    "compute.cache": "cache",
}
# Refused by themselves: other keys would have to change with them.
REFUSED = {
    "models.tiny.sha256",
    "finetune.recipes.scratch.continues",
    "finetune.recipes.continued.continues",
    "finetune.runs.pretrained",
}
# What the how-to's general words come to in the smoke experiment: rules that have no part here.
NOT_HERE = {
    "tasks.sentiment.title": {"draw_figure4", "draw_figure7"},
    "landscape.second.sentiment": {"draw_figure4", "draw_figure7"},
    "figures.overfitting_recipe": {"finetune_continued"},
    # Both tasks are compared there: one less needs no new run or pair.
    "dynamics.seed_tasks": {"finetune_finetune", "compare_attention", "compare_representations"},
}
EVERYTHING = "finetune.seeds"  # its row names every rule from the runs on


def config_of_smoke() -> dict[str, Any]:
    """The smoke experiment's whole configuration, as the workflow sees it."""
    config = yaml.safe_load((ROOT / "config.yaml").read_text())
    lay_over(config, yaml.safe_load((ROOT / "experiments/smoke.yaml").read_text()))
    return validated(config).model_dump(mode="json")


def lay_over(base: dict, over: dict) -> None:
    for key, value in over.items():
        if isinstance(value, dict) and isinstance(base.get(key), dict):
            lay_over(base[key], value)
        else:
            base[key] = copy.deepcopy(value)


def leaves_of(value: Any, path: tuple = ()) -> Iterator[tuple[tuple, Any]]:
    if isinstance(value, dict) and value:
        for key, below in value.items():
            yield from leaves_of(below, (*path, key))
    else:
        yield path, value


def matching(table: dict[str, Any], name: str) -> str:
    """The pattern of a table that fits a key; of several the one with the fewest stars."""
    found = [pattern for pattern in table if fnmatchcase(name, pattern)]
    assert found, f"{name}: no row of the table"
    return min(found, key=lambda pattern: pattern.count("*"))


def overlay_of(path: tuple, value: Any) -> dict:
    """What to lay over the configuration so that one leaf has another value."""
    name = ".".join(map(str, path))
    if any(fnmatchcase(name, pattern) for pattern in OTHER):
        new = OTHER[matching(OTHER, name)]
        if isinstance(new, dict) and set(new) & {"experiment", "finetune"}:
            return new
    elif isinstance(value, bool):
        new = not value
    else:
        new = value * 2 if isinstance(value, float) and value else value + 1
    for key in reversed(path):
        new = {key: new}
    return new


def documented() -> dict[str, str]:
    """The how-to's table: pattern of keys -> rules, as written there."""
    page = (ROOT / "docs/howto/rebuilds.md").read_text()
    rows = re.findall(r"^\| (`[^|]+`) \| ([^|]+) \|", page, re.MULTILINE)
    return {key: rules for keys, rules in rows for key in re.findall(r"`([^`]+)`", keys)}


def expected(name: str) -> set[str]:
    """Rules that the how-to says become stale when a key of the smoke experiment changes."""
    if name.split(".")[:2] in [["models", "minilm"], ["tasks", "nli"], ["tasks", "paraphrase"]]:
        return set()  # not used by this experiment
    if name in ("landscape.second.nli", "landscape.second.paraphrase"):
        return set()
    table = documented()
    rules = set(re.findall(r"`([a-z_0-9]+R?)`", table[matching(table, name)]))
    if name == "experiment.models":
        return expected(EVERYTHING) | {"fetch_model", "encode_examples"}  # all of the new model
    if name == "figures.overfitting_recipe":
        rules.add("finetune_more")
    if name.startswith("finetune.recipes."):
        recipe = name.split(".")[2]
        rules = {rule.replace("finetune_R", f"finetune_{recipe}") for rule in rules}
    return rules - NOT_HERE.get(name, set())


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


def test_each_leaf_of_the_configuration_makes_stale_what_the_documentation_says(finished):
    repository, run = finished
    leaves = list(leaves_of(config_of_smoke()))
    found = stale_of_themselves(repository, run, [overlay_of(*leaf) for leaf in leaves])
    wrong = {}
    for (path, _), rules in zip(leaves, found, strict=True):
        name = ".".join(map(str, path))
        if name in REFUSED:
            assert rules, name
            assert rules[0].startswith("refused: "), name
        elif set(rules) != expected(name):
            wrong[name] = {
                "not documented": sorted(set(rules) - expected(name)),
                "did not happen": sorted(expected(name) - set(rules)),
            }
    assert not wrong, json.dumps(wrong, indent=1)


def stale_of_themselves(repository: Path, folder: Path, overlays: list[dict]) -> list[list[str]]:
    """For each overlay of the configuration the rules that would run again of themselves."""
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
    rules = {of_script(line.split()[0]) for line in listed[1].splitlines()}
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


ENGINE = "workflow_scripts/landscape/engine.py"
AFTER_ROWS = {"merge_surface", "measure_width", "evaluate_claims", "draw_table1"} | {
    f"draw_figure{n}" for n in (1, 3, 4, 5, 6, 7)
}


@pytest.mark.parametrize(
    ("file", "old", "new", "rules"),
    [
        (ENGINE, '"""', '"""Other words. ', set()),
        (ENGINE, "import ", "# a comment\nimport ", set()),
        (
            ENGINE,
            "logits = self._pass().cpu()",
            "logits = 1.0 * self._pass().cpu()",
            {"evaluate_rows", "project_trajectory", "roll_back_groups", *AFTER_ROWS},
        ),
        (
            "workflow_scripts/figures/draw_loss_curves.py",
            'if __name__ == "__main__":',
            'if __name__ == "__main__" and True:',
            {"draw_figure2"},
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
        assert started_by(done.stdout + done.stderr) == {"Preparing"}
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


def test_why_names_the_definition_the_chain_and_the_line(finished):
    repository, run = finished
    where = ["--directory", str(run), "--configfile", "experiments/smoke.yaml"]
    output = "results/figures/tiny/figure6.pdf"
    assert "is fresh" in provenance(repository, "why", output, *where).stdout
    old, new = "logits = self._pass().cpu()", "logits = self._pass()"
    with Edit(repository / ENGINE, old, new):
        said = provenance(repository, "why", output, *where).stdout
    assert "engine.py: Evaluator has changed" in said
    assert "-> workflow_scripts/landscape/setting.py: load_evaluator" in said
    assert re.search(rf"^ +- +{re.escape(old)}$", said, re.MULTILINE)
    assert said.count("has changed") == 1
    with Edit(repository / "experiments/smoke.yaml", "range: [-4, 4]", "range: [-2, 2]"):
        said = provenance(repository, "why", output, *where).stdout
    assert "setting surface.range: was [-4.0, 4.0], is [-2.0, 2.0]" in said
    done = provenance(repository, "why", "results/figures/tiny/figure99.pdf", *where)
    assert done.returncode == 1
    assert "no rule makes this file" in done.stderr


def test_results_without_snakemakes_memory_stop_the_run_until_they_are_adopted(finished, tmp_path):
    repository, run = finished
    copy = tmp_path / "clone"
    shutil.copytree(run / "results", copy / "results")  # time stamps are kept, .snakemake is not
    done = snakemake(repository, copy, "results/figures/all", "--dry-run")
    assert done.returncode != 0
    assert "adopt --directory" in done.stderr
    shown = copy / "results/figures/tiny/figure3.csv"
    shown.write_text(shown.read_text() + "damaged\n")
    done = provenance(repository, "adopt", "--directory", str(copy))
    assert "left alone, does not hold what its record says: results/figures" in done.stdout
    shown.unlink()
    assert planned(repository, copy) == {"draw_figure3"}
    with Edit(repository / "experiments/smoke.yaml", "resamples: 100", "resamples: 101"):
        again = planned(repository, copy)
    assert again == {
        "draw_figure3",
        "measure_width",
        "roll_back_groups",
        "evaluate_claims",
        "draw_table1",
    }


def adopted_with_old_torch(finished, folder: Path, rules: set[str]) -> None:
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
    assert provenance(repository, "adopt", "--directory", str(folder)).returncode == 0


def test_results_of_another_torch_stay_unless_they_shall_be_made_again(finished, tmp_path):
    repository, run = finished
    rules = {record["rule"] for record in records_of(run).values()}
    of_torch = {rule for rule in rules if "torch" in reach(script_of(rule)).libraries}
    adopted_with_old_torch(finished, tmp_path, of_torch)
    done = snakemake(repository, tmp_path, "results/figures/all", "--dry-run")
    said = done.stdout + done.stderr
    assert "Nothing to be done" in said
    files = sum(record["rule"] in of_torch for record in records_of(run).values())
    told = f"{files} results were made with torch 0.1 (now {version('torch')}); they stay"
    assert [line for line in said.splitlines() if "were made with" in line] == [
        f"Tunescape: {told} (rebuild.on_library_change)"
    ]
    renew = {"rebuild": {"on_library_change": True}}
    stay, again = stale_of_themselves(repository, tmp_path, [{}, renew])
    assert stay == []
    assert again == sorted({of_script(rule) for rule in of_torch})
    assert {"finetune_finetune", "evaluate_rows", "draw_scratch"} <= set(again)
    assert len(again) < len(rules) / 2


def test_results_made_again_with_todays_torch_are_fresh(finished, tmp_path):
    """With the model's checkpoints, which take seconds; the rest comes out the same and stays."""
    repository, _ = finished
    adopted_with_old_torch(finished, tmp_path, {"fetch_model", "draw_scratch"})
    with Edit(repository / "config.yaml", "on_library_change: false", "on_library_change: true"):
        assert {"fetch_model", "draw_scratch", "evaluate_rows"} <= planned(repository, tmp_path)
        done = snakemake(repository, tmp_path, "results/figures/all")
        said = done.stdout + done.stderr
        assert done.returncode == 0, said[-2000:]
        assert re.search(r"results were made with torch 0\.1 .*; they are made again", said)
        assert started_by(said) == {"Fetching", "Drawing"}
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
    return dict(rules_and_scripts())[re.sub(r"^(finetune)_.*", r"\1", of_script(rule))]


def rules_and_scripts() -> Iterator[tuple[str, str]]:
    for path in sorted((ROOT / "rules").glob("*.smk")):
        for script in re.findall(r'"\.\./(workflow_scripts/[\w/{}.]+\.py)"', path.read_text()):
            # A script that the params name may be any of its room.
            for found in ROOT.glob(re.sub(r"{params\.\w+}", "draw_*", script)):
                yield found.stem, str(found.relative_to(ROOT))


def test_every_rule_passes_the_hash_of_its_own_script():
    found = 0
    for path in sorted((ROOT / "rules").glob("*.smk")):
        rules = re.split(r"^ *(?:rule|checkpoint)\b.*:$", path.read_text(), flags=re.MULTILINE)
        for rule in rules[1:]:
            script = re.search(r'"\.\./workflow_scripts/([\w/{}.]+)\.py"', rule)
            assert script, f"{path.name}: a rule without a script"
            # In a loop the name is that of the loop's variable.
            name = script[1].replace("{params.", "{")
            assert re.search(rf'code=code\(f?"{re.escape(name)}"\)', rule), f"{path.name}: {name}"
            assert f'"{name}"' in rule.split("libraries=")[1], f"{path.name}: {name}"
            found += 1
    assert found >= 20


def test_no_profile_watches_the_time_stamps_of_scripts():
    profiles = sorted((ROOT / "profiles").glob("*/config.yaml"))
    assert profiles
    for path in profiles:
        profile = yaml.safe_load(path.read_text())
        assert profile["rerun-triggers"] == ["mtime", "params", "input", "software-env"], path
        assert profile["max-checksum-file-size"] == "20MB", path  # records.LARGEST_CHECKED
