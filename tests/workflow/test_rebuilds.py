"""What a change makes stale: every leaf of the configuration, and code of every stage."""

import copy
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.workflow.conftest import ROOT
from workflow_scripts.common.config import validated

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
    "finetune.recipes.continued.continues": "scratch",
    "finetune.recipes.*.continues": {"finetune": {"recipes": {"scratch": {"continues": None}}}},
    "finetune.runs.pretrained": {"finetune": {"runs": {"pretrained": "scratch"}}},
    "finetune.runs.scratch": {"finetune": {"runs": {"scratch": "finetune"}}},
    "finetune.exceptions": {"entailment": {"scratch": "finetune"}},
    "landscape.second.*": "paraphrase",
    "landscape.second.paraphrase": "entailment",
    "landscape.range": [-2.0, 2.0],
    "landscape.groups": {"low": [0, 0], "high": [1, 2]},
    "landscape.width.tolerances": [0.2],
    "landscape.width.relative": [0.4],
    "figures.trajectory_tasks": ["entailment"],
    "figures.overfitting_task": "sentiment",
    "figures.overfitting_recipe": {
        "finetune": {"recipes": {"more": MORE}},
        "figures": {"overfitting_recipe": "more"},
    },
    "figures.group_tasks": ["sentiment"],
    "figures.paper_values": {"entailment": "RTE"},
    "compute.device": "cpu",
}


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
    if name.startswith("finetune.recipes."):
        recipe = name.split(".")[2]
        rules = {rule.replace("finetune_R", f"finetune_{recipe}") for rule in rules}
    return rules


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> tuple[Path, Path]:
    """A copy of the repository, and a folder in which it has run the smoke experiment."""
    top = tmp_path_factory.mktemp("rebuilds")
    apart = shutil.ignore_patterns(".venv", ".git", "results", "runs", "__pycache__", ".*_cache")
    shutil.copytree(ROOT, top / "repository", ignore=apart)
    done = snakemake(top / "repository", top / "run", "results/figures/all")
    assert done.returncode == 0, done.stderr[-3000:]
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
    overlays = [overlay_of(*leaf) for leaf in leaves]
    done = subprocess.run(
        [sys.executable, "-m", "tests.workflow.stale", run, repository / "experiments/smoke.yaml"],
        cwd=repository,
        input=json.dumps(overlays),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout.splitlines()[-1])
    wrong = {}
    for (path, _), rules in zip(leaves, found, strict=True):
        name = ".".join(map(str, path))
        if set(rules) != expected(name):
            wrong[name] = {
                "not documented": sorted(set(rules) - expected(name)),
                "did not happen": sorted(expected(name) - set(rules)),
            }
    assert not wrong, json.dumps(wrong, indent=1)
