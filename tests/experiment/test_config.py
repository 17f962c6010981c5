import copy
import json

import pytest
import yaml

from tests.experiment.settings import DEFAULT, ROOT, changed
from workflow_scripts.common.errors import UserError
from workflow_scripts.dynamics.pairs import every_pair, pairs_of
from workflow_scripts.experiment.config import validated
from workflow_scripts.experiment.products import figures, runs
from workflow_scripts.finetune.runs import recipe_of
from workflow_scripts.reference.config import page, schema


def test_the_default_is_valid_and_recipes_follow_exceptions():
    config = validated(changed("finetune/exceptions", {"nli": {"scratch": "finetune"}}))
    assert recipe_of(config, "nli", "scratch") == "finetune"
    assert recipe_of(config, "nli", "pretrained") == "finetune"
    assert recipe_of(config, "sentiment", "scratch") == "scratch"


@pytest.mark.parametrize(
    ("chosen", "tasks"),
    [
        (["sentiment"], {"sentiment"}),
        ([], set()),
        (None, {"nli", "entailment", "sentiment", "paraphrase"}),
    ],
)
def test_models_of_several_seeds_are_compared_for_the_tasks_that_ask_for_them(chosen, tasks):
    config = changed("dynamics/seed_tasks", chosen)
    config["finetune"]["seeds"] = [{"init": 0, "order": 0}, {"init": 1, "order": 1}]
    settings = validated(config)
    of_seeds = pairs_of(settings, "minilm", "seeds")
    assert {pair.name for pair in of_seeds} == {f"seeds_{task}" for task in tasks}
    assert len(pairs_of(settings, "minilm", "change")) == 4
    # Claims compare all runs of a task with each other; sentiment has three.
    counts = {task: 3 if task == "sentiment" else 1 for task in tasks}
    every = [pair.tasks[0] for pair in every_pair(settings, "minilm", "seeds")]
    assert {task: every.count(task) for task in every} == counts
    of_second = {run.task for run in runs(settings) if run.seeds == "init1_order1"}
    assert of_second == {"nli", "entailment", "sentiment", "paraphrase"}
    assert ("dynamics4" in {figure.name for figure in figures(settings)}) == bool(tasks)


@pytest.mark.parametrize("experiment", sorted((ROOT / "experiments").glob("*.yaml")))
def test_every_experiment_is_valid_over_the_default(experiment):
    from snakemake.utils import update_config

    config, written = copy.deepcopy(DEFAULT), yaml.safe_load(experiment.read_text())
    update_config(config, written)
    assert validated(config, written).experiment.name == experiment.stem


def test_numbers_that_yaml_takes_for_text_are_numbers():
    config = validated(changed("finetune/recipes/finetune/learning_rate", "1e-5"))
    assert config.finetune.recipes["finetune"].learning_rate == 1e-5


BAD = [
    ("landscape/pionts", 3, "landscape.pionts: unknown key", "did you mean 'points'?"),
    ("taks", {}, "taks: unknown key", "did you mean 'tasks'?"),
    ("finetune/recipes/finetune/learnig_rate", 1, "unknown key", "did you mean 'learning_rate'?"),
    ("finetune/seeds", [{"init": 0, "oder": 0}], "finetune.seeds.0", "order"),
    ("landscape/points", "many", "landscape.points: got 'many' (str)", "integer"),
    ("landscape/points", 2, "landscape.points: got 2 (int)", "greater than or equal to 3"),
    ("landscape/range", [4, -4], "landscape.range: got [4, -4]", "the first must be smaller"),
    ("landscape/range", [-0.5, 4], "landscape.range: got [-0.5, 4]", "must hold -1"),
    ("landscape/second", {"nli": "nli"}, "landscape.second.nli: got 'nli', the task itself", ""),
    ("landscape/second", {"nli": "sentimnt"}, "got 'sentimnt'", "did you mean 'sentiment'?"),
    ("experiment/tasks", ["nil"], "experiment.tasks: got 'nil'", "did you mean 'nli'?"),
    ("experiment/tasks", ["nli", "nli"], "experiment.tasks: duplicate value 'nli'", ""),
    ("experiment/models", ["minilm2"], "got 'minilm2'", "did you mean 'minilm'?"),
    ("experiment/tasks", [], "experiment.tasks: got []", "at least 1 item"),
    ("finetune/runs/scratch", "scrtch", "got 'scrtch'", "did you mean 'scratch'?"),
    ("finetune/recipes/finetune/schedule", "linera", "got 'linera'", "did you mean 'linear'?"),
    ("finetune/recipes/finetune/learning_rate", "fast", "got 'fast' (str)", "valid number"),
    ("finetune/recipes/finetune/learning_rate", 0, "got 0", "greater than 0"),
    ("finetune/recipes/finetune/dropout", 1.0, "got 1.0", "less than 1"),
    ("finetune/recipes/finetune/betas", [0.9], "betas: got [0.9]", "at least 2"),
    ("finetune/recipes/continued/continues", "scratch", "it must continue 'finetune'", ""),
    ("finetune/recipes/finetune/continues", "continued", "forms a cycle", "->"),
    ("figures/overfitting_task", "nlii", "got 'nlii'", "did you mean 'nli'?"),
    ("figures/paper_values", {"nli": "MNL"}, "got 'MNL'", "did you mean 'MNLI'?"),
    ("landscape/groups", {"low": [2, 1]}, "landscape.groups.low: got [2, 1]", "first <= last"),
    ("dynamics/task_pairs", [["nli", "nli"]], "got ['nli', 'nli']", "two different tasks"),
    ("dynamics/task_pairs", [["nli"]], "dynamics.task_pairs.0: got ['nli']", "at least 2 items"),
    ("dynamics/task_pairs", [["nli", "sst"]], "dynamics.task_pairs: got 'sst'", "allowed: nli"),
    ("dynamics/seed_tasks", ["nly"], "dynamics.seed_tasks: got 'nly'", "did you mean 'nli'?"),
    ("dynamics/seed_tasks", ["sentiment", "sentiment"], "dynamics.seed_tasks", "duplicate value"),
    ("dynamics/recipes", {"nli": "scrath"}, "got 'scrath'", "did you mean 'scratch'?"),
    ("dynamics/recipes", {"nli": "continued"}, "dynamics.recipes.nli", "continues another recipe"),
    ("dynamics/pair_examples", 500, "got 500", "tasks.entailment.dev allows 200"),
    ("dynamics/examples", 301, "dynamics.examples: got 301", "tasks.nli.dev allows 200"),
    ("dynamics/tokens", "cl", "dynamics.tokens: got 'cl'", "did you mean 'cls'?"),
    ("dynamics/keep", 0, "dynamics.keep: got 0", "greater than 0"),
    ("dynamics/groups", 2, "dynamics.groups: got 2", "greater than or equal to 3"),
    ("landscape/rows_per_shard", 0, "rows_per_shard: got 0", "greater than or equal to 1"),
    ("compute/device", "gpu", "compute.device: got 'gpu'", "'auto', 'cpu' or 'cuda'"),
    ("tasks/a task", {"source": "synthetic:nli"}, "tasks.a task: got 'a task'", "pattern"),
    ("models/minilm/sha256", "abc", "sha256: got 'abc'", "pattern"),
    ("tasks/nli/source", None, "tasks.nli.source: got None", "valid string"),
    (
        "landscape/dev_examples",
        5000,
        "landscape.dev_examples: got 5000",
        "tasks.nli.dev allows 200",
    ),
    ("experiment/name", "a/b", "experiment.name: got 'a/b'", "pattern"),
]


@pytest.mark.parametrize(("path", "value", "what", "hint"), BAD)
def test_a_wrong_value_is_one_line_that_says_what_and_what_else(path, value, what, hint):
    with pytest.raises(UserError) as caught:
        validated(changed(path, value))
    lines = str(caught.value).splitlines()
    assert all(line.startswith("config: ") for line in lines)
    assert any(what in line and hint in line for line in lines), lines


def test_all_mistakes_are_reported_at_once_one_line_each():
    config = changed("landscape/pionts", 3)
    config["finetune"]["recipes"]["finetune"]["learning_rate"] = 0
    config["compute"]["device"] = "gpu"
    with pytest.raises(UserError) as caught:
        validated(config)
    lines = str(caught.value).splitlines()
    assert len(lines) == 3
    assert all(line.startswith("config: ") and len(line) < 500 for line in lines)
    config = changed("figures/overfitting_task", "nil")
    config["finetune"]["runs"]["scratch"] = "scrtch"
    with pytest.raises(UserError, match=r"(?s)got 'scrtch'.*got 'nil'"):
        validated(config)


def test_a_task_that_does_not_exist_is_not_blamed_on_those_that_name_it_too():
    with pytest.raises(UserError) as caught:
        validated(changed("experiment/tasks", ["nil", "nli"]))
    assert str(caught.value).count("\n") == 0


def test_a_missing_section_is_named():
    config = copy.deepcopy(DEFAULT)
    del config["landscape"]["range"]
    with pytest.raises(UserError, match=r"^config: landscape.range: is missing$"):
        validated(config)


def test_the_reference_and_the_schema_are_those_of_the_models():
    reference = ROOT / "docs" / "reference"
    assert (reference / "config.md").read_text() == page()
    assert (reference / "config.schema.json").read_text() == schema()


def test_the_schema_accepts_the_default_and_refuses_an_unknown_key():
    import jsonschema

    jsonschema.validate(DEFAULT, json.loads(schema()))
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(changed("landscape/pionts", 3), json.loads(schema()))


def test_every_key_of_the_default_is_explained_in_the_reference():
    text = page()

    def leaves(section):
        for key, value in section.items():
            if isinstance(value, dict):
                yield from leaves(value)
            elif key != "seeds":  # a list of sections, with a table of its own
                yield key

    settings = {k: v for k, v in DEFAULT.items() if k not in ("models", "tasks")}
    settings["finetune"] = settings["finetune"] | {"exceptions": {}, "recipes": {}}
    settings["landscape"] = settings["landscape"] | {"second": {}}
    for key in [*leaves(settings), *DEFAULT["finetune"]["recipes"]["finetune"]]:
        assert f"| `{key}` |" in text, key
