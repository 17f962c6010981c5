"""The table of docs/howto/rebuilds.md: which rules run again when a configuration key changes.

It is measured, not declared: for each key, Snakemake's plan of the smoke experiment with another
value is compared with the plan as it is.
"""

import copy
import json
import re
import tempfile
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import yaml

from workflow_scripts.common.errors import UserError
from workflow_scripts.experiment.config import validated
from workflow_scripts.rebuilds.dag import planned_dag
from workflow_scripts.rebuilds.records import TRACKED
from workflow_scripts.stages import STAGES

ROOT = Path(__file__).resolve().parents[2]
SMOKE = ROOT / "experiments/smoke.yaml"

_MORE = {"continues": "finetune", "learning_rate": 1e-3, "epochs": 1}
# Another valid value, or what to merge into the configuration, where a larger number would not do.
OTHER: dict[str, Any] = {
    "experiment.name": "other",
    "experiment.tasks": ["sentiment", "entailment"],
    "experiment.starts": ["pretrained"],
    "experiment.models": {"experiment": {"models": ["minilm"]}},
    "models.*.source": "random:bert:num_hidden_layers=3,hidden_size=32,num_attention_heads=2,"
    "intermediate_size=64,seed=1",
    "models.*.sha256": "0" * 64,
    "tasks.*.source": "synthetic:paraphrase",
    "tasks.*.title": "Another title",
    "tasks.*.label": "other",
    "tasks.*.text": ["other"],
    "tasks.*.dev_split": "other",
    "tasks.*.unlabeled": "drop",
    "tasks.*.unit": "pair",
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
    "finetune.scratch_weights": "truncated_normal",
    "finetune.exceptions.*.pretrained": "scratch",
    "finetune.exceptions.*.scratch": "finetune",
    "experiment.runs": ["mine"],
    "runs": {"mine": {"source": "dir:/nowhere", "task": "entailment"}},
    "finetune.exceptions.*.seeds": [{"init": 0, "order": 0}],
    "finetune.exceptions": {"entailment": {"scratch": "finetune"}},
    "landscape.second.*": "paraphrase",
    "landscape.second.paraphrase": "entailment",
    "landscape.range": [-2.0, 2.0],
    "landscape.groups": {"low": [0, 0], "high": [1, 2]},
    "landscape.precision": "bfloat16",
    "landscape.width.tolerances": [0.2],
    "landscape.width.relative": [0.4],
    "dynamics.recipes": {"entailment": "scratch"},
    "dynamics.seed_tasks": [],
    "dynamics.runs": 1,
    "dynamics.task_pairs": [["sentiment", "entailment"]],
    "dynamics.examples": 16,
    "dynamics.tokens": "cls",
    "dynamics.keep": 0.9,
    "stability.tasks": ["sentiment"],
    "stability.recipes": ["devlin"],
    "stability.ablation": {"entailment": ["finetune"]},
    "stability.orders": 2,
    "stability.metrics": {"entailment": "mcc"},
    "stability.small_tasks": [],
    "stability.small_only": ["entailment"],
    "stability.forgetting.text": str(ROOT / "README.md"),
    "stability.plane.range": [-1.0, 2.0],
    "stability.paper_values": {"entailment": "RTE"},
    "probing.tasks": ["tags", "entailment"],
    "probing.recipes": {"entailment": "scratch"},
    "probing.checkpoints": "ends",
    "probing.layers": "last",
    "probing.grid": "logistic",
    "probing.cross_tasks": ["entailment"],
    "probing.paper_models": {"tiny": "tiny"},
    "probing.paper_values": {"entailment": "POS"},
    "figures.trajectory_tasks": ["entailment"],
    "figures.overfitting_task": "sentiment",
    "figures.overfitting_recipe": {
        "finetune": {"recipes": {"more": _MORE}},
        "figures": {"overfitting_recipe": "more"},
    },
    "figures.group_tasks": ["sentiment"],
    "figures.paper_values": {"entailment": "RTE"},
    "compute.device": "cpu",
    "compute.token_budget": 512,
    "compute.cache": "cache",
}
# What is refused by itself: other keys would have to change with it.
REFUSED = "refused"

Key = tuple[Any, ...]
Answers = dict[Key, set[str]]


def smoke_config() -> dict[str, Any]:
    """The smoke experiment's whole configuration, as the workflow sees it."""
    config = yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))
    _merge(config, yaml.safe_load(SMOKE.read_text(encoding="utf-8")))
    return validated(config).model_dump(mode="json")


def _merge(base: dict, over: dict) -> None:
    for key, value in over.items():
        if isinstance(value, dict) and isinstance(base.get(key), dict):
            _merge(base[key], value)
        else:
            base[key] = copy.deepcopy(value)


def leaves(value: Any, path: Key = ()) -> Iterator[tuple[Key, Any]]:
    """Every key of a configuration that holds no further keys, with its value."""
    if isinstance(value, dict) and value:
        for key, below in value.items():
            yield from leaves(below, (*path, key))
    else:
        yield path, value


def overlay_of(path: Key, value: Any) -> dict[str, Any]:
    """What to merge into the configuration so that one key has another value."""
    name = ".".join(map(str, path))
    patterns = [pattern for pattern in OTHER if fnmatchcase(name, pattern)]
    if patterns:
        new = OTHER[min(patterns, key=lambda pattern: pattern.count("*"))]
        if isinstance(new, dict) and set(new) & {"experiment", "finetune"}:
            return new
    elif isinstance(value, bool):
        new = not value
    else:
        new = value * 2 if isinstance(value, float) and value else value + 1
    for key in reversed(path):
        new = {key: new}
    return new


def script_rule(rule: str) -> str:
    """A rule's name without the numbers in which rules of one script differ."""
    for stage in STAGES:
        for common in stage.numbered:
            if rule.startswith(f"{common}_"):
                return common
    return rule


def planned_answers() -> Answers:
    """For each key of the smoke experiment the rules that it makes stale."""
    with tempfile.TemporaryDirectory() as folder:
        before = _jobs(Path(folder), {})
        answers = {}
        for path, value in leaves(smoke_config()):
            try:
                after = _jobs(Path(folder), overlay_of(path, value))
            except UserError:
                answers[path] = {REFUSED}
                continue
            answers[path] = {
                script_rule(rule)
                for output, (rule, *facts) in after.items()
                if output not in before or before[output][1:] != tuple(facts)
            }
        return answers


def _jobs(folder: Path, overlay: dict[str, Any]) -> dict[str, tuple[Any, ...]]:
    """Output -> rule of its job, and what Snakemake compares: params and inputs."""
    dag = planned_dag("results/figures/all", folder, [SMOKE], overlay, forceall=True)
    facts = {}
    for job in dag.jobs:
        params = json.dumps({name: job.params.get(name) for name in TRACKED}, default=str)
        of_job = job.rule.name, params, frozenset(map(str, job.input))
        facts |= {str(output): of_job for output in job.output}
    return facts


def table(answers: Answers) -> str:
    """The table in Markdown: keys with the same answer share a row.

    Parameters
    ----------
    answers : dict of tuple to set of str
        By key, as a path; the rules that it makes stale.
    """
    used = {path: rules for path, rules in answers.items() if _is_used(path, answers)}
    by_pattern: dict[str, dict[Key, frozenset[str]]] = {}
    for path, rules in used.items():
        by_pattern.setdefault(_pattern(path), {})[path] = _named(path, rules)
    rows: dict[tuple[str, frozenset[str]], list[str]] = {}
    for pattern, of_path in by_pattern.items():
        same = len(set(of_path.values())) == 1
        for path, rules in of_path.items():
            name = pattern if same else ".".join(map(str, path))
            names = rows.setdefault((str(path[0]), rules), [])
            if name not in names:
                names.append(name)
    order = [rule for stage in STAGES for rule in (*stage.costs, *_drawn(stage))]
    lines = ["| change of | rules that it makes stale |", "|---|---|"]
    for (_, rules), names in rows.items():
        keys = ", ".join(f"`{name}`" for name in names)
        lines.append(f"| {keys} | {_words(rules, order)} |")
    return "\n".join(lines)


def _drawn(stage: Any) -> list[str]:
    return [f"draw_{figure.name}" for figure in stage.figures]


def _is_used(path: Key, answers: Answers) -> bool:
    """Whether the smoke experiment has the task or model that a key is about."""
    about = {"models": path[:2], "tasks": path[:2], "landscape": path}.get(str(path[0]))
    if about is None or (path[0] == "landscape" and path[1] != "second"):
        return True
    return any(rules for other, rules in answers.items() if other[: len(about)] == about)


def _pattern(path: Key) -> str:
    """A key with the names of tasks, models and recipes left open."""
    if path[0] in ("models", "tasks"):
        path = (path[0], "*", *path[2:])
    elif path[:2] in (("finetune", "recipes"), ("landscape", "second")):
        path = (*path[:2], "*", *path[3:])
    return ".".join(map(str, path))


def _named(path: Key, rules: set[str]) -> frozenset[str]:
    """Rules with the recipe's own as ``finetune_R``."""
    if path[:2] != ("finetune", "recipes"):
        return frozenset(rules)
    own = f"finetune_{path[2]}"
    return frozenset("finetune_R" if rule == own else rule for rule in rules)


def _words(rules: frozenset[str], order: list[str]) -> str:
    if not rules:
        return "nothing"
    if rules == {REFUSED}:
        return "refused: other keys have to change with it"
    place = {rule: i for i, rule in enumerate(order)}

    def of(rule: str) -> tuple[int, str]:
        return place.get(re.sub(r"^(finetune)_.*", r"\1", rule), len(place)), rule

    return ", ".join(f"`{rule}`" for rule in sorted(rules, key=of))
