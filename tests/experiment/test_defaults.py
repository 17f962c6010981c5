"""Values that follow from tasks, models and seeds of an experiment."""

import copy
from pathlib import Path

import pytest
import yaml
from snakemake.utils import update_config

from workflow_scripts.common.errors import UserError
from workflow_scripts.dynamics.files import pair_inputs
from workflow_scripts.dynamics.pairs import pairs_of
from workflow_scripts.experiment.checks import check_inputs
from workflow_scripts.experiment.config import validated
from workflow_scripts.experiment.products import all_tasks, figures, left_out, runs
from workflow_scripts.landscape.files import direction_spec, row_inputs
from workflow_scripts.landscape.surfaces import planes, surfaces
from workflow_scripts.report.files import claim_inputs

ROOT = Path(__file__).resolve().parents[2]
DEFAULT = yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))
TASKS = ["nli", "entailment", "sentiment", "paraphrase"]
TWO_LINES = """
experiment: {name: mine, tasks: [reviews]}
tasks: {reviews: {source: "dir:/data/reviews"}}
"""


def settings_of(*files: str | dict):
    """Settings of an experiment whose own file holds these parts, as the workflow sees them."""
    written: dict = {}
    for file in files:
        update_config(written, yaml.safe_load(file) if isinstance(file, str) else file)
    merged = copy.deepcopy(DEFAULT)
    update_config(merged, written)
    return validated(merged, written)


class Wildcards(dict):
    __getattr__ = dict.__getitem__


def drawn(settings) -> set[str]:
    return {figure.name for figure in figures(settings)}


def test_the_default_has_the_values_that_its_file_sets():
    settings = settings_of({})
    assert settings.experiment.models == ["minilm"]
    assert settings.experiment.tasks == TASKS
    assert settings.landscape.second == dict(zip(TASKS, [*TASKS[1:], TASKS[0]], strict=True))
    assert settings.dynamics.seed_tasks == ["sentiment"]
    for section, key in (
        ("dynamics", "task_pairs"),
        ("figures", "trajectory_tasks"),
        ("figures", "overfitting_task"),
        ("figures", "group_tasks"),
    ):
        assert getattr(getattr(settings, section), key) == DEFAULT[section][key]


def test_two_lines_are_an_experiment():
    settings = settings_of(TWO_LINES)
    assert settings.experiment.models == ["minilm"]
    assert settings.landscape.second == {"reviews": "random"}
    assert settings.dynamics.seed_tasks == []
    assert settings.dynamics.task_pairs == []
    assert settings.figures.trajectory_tasks == settings.figures.group_tasks == ["reviews"]
    assert settings.figures.overfitting_task == "reviews"
    assert all_tasks(settings) == ["reviews"]  # no other is trained for a second direction
    of_pairs = {f"dynamics{number}" for number in (4, 5, 6, 7)}
    missing = drawn(settings_of({})) - drawn(settings)
    assert {name for name in missing if not name.startswith("stability")} == {
        *of_pairs,
        "probing4",
    }
    assert left_out(settings) == [
        "pairs of models with different seeds, for there is one (finetune.seeds)",
        "pairs of models of different tasks, for there is one (experiment.tasks)",
        "sweeps over seeds (stability.tasks)",
        "geometry in models of other tasks, for there is one (probing.tasks)",
    ]


def test_models_are_those_that_the_file_of_the_experiment_defines():
    own = {"models": {"mine": {"source": "dir:/models/bert"}}}
    assert settings_of(TWO_LINES, own).experiment.models == ["mine"]
    both = own | {"experiment": {"models": ["minilm", "mine"]}}
    assert settings_of(TWO_LINES, both).experiment.models == ["minilm", "mine"]


def test_the_second_direction_is_that_of_the_next_task():
    tasks = {"experiment": {"tasks": ["sentiment", "nli", "paraphrase"]}}
    assert settings_of(tasks).landscape.second == {
        "sentiment": "nli",
        "nli": "paraphrase",
        "paraphrase": "sentiment",
    }
    some = {"landscape": {"second": {"nli": "pca", "paraphrase": "entailment"}}}
    settings = settings_of(tasks, some)
    assert settings.landscape.second == {
        "sentiment": "nli",
        "nli": "pca",
        "paraphrase": "entailment",
    }
    assert all_tasks(settings) == ["entailment", "nli", "paraphrase", "sentiment"]


def test_tasks_that_the_default_names_count_for_its_own_tasks_only():
    settings = settings_of({"experiment": {"tasks": ["nli", "sentiment"]}})
    assert settings.dynamics.task_pairs == [["nli", "sentiment"]]
    assert settings.dynamics.seed_tasks == []  # of sentiment, too, there is one run
    assert settings.figures.trajectory_tasks == ["nli", "sentiment"]
    # Its other values stay.
    assert settings.dynamics.groups == DEFAULT["dynamics"]["groups"]
    assert settings.landscape.points == DEFAULT["landscape"]["points"]
    assert settings_of({"experiment": {"tasks": TASKS}}) == settings_of({})


def test_a_task_that_the_experiment_lacks_is_an_error_where_its_file_names_it():
    with pytest.raises(UserError, match=r"figures\.overfitting_task: got 'nli'"):
        settings_of(TWO_LINES, {"figures": {"overfitting_task": "nli"}})
    with pytest.raises(UserError, match=r"landscape\.second: got 'nly'.*did you mean 'nli'"):
        settings_of(TWO_LINES, {"landscape": {"second": {"reviews": "nly"}}})


def test_models_of_all_pairs_of_tasks_read_the_same_examples():
    settings = settings_of({})
    for pair in pairs_of(settings, "minilm", "tasks"):
        inputs = pair_inputs(settings, Wildcards(model="minilm", pair=pair.name))
        read = [f"results/data/{task}/dev.parquet" for task in TASKS]
        assert inputs["dev"] == read
        # Their heads have the labels of their own tasks.
        assert inputs["model_cards"] == [f"results/data/{task}/card.json" for task in pair.tasks]


def test_pairs_of_tasks_are_neighbours_or_none():
    tasks = {"experiment": {"tasks": ["sentiment", "nli", "paraphrase"]}}
    pairs = pairs_of(settings_of(tasks), "minilm", "tasks")
    assert [pair.tasks for pair in pairs] == [("sentiment", "nli"), ("nli", "paraphrase")]
    settings = settings_of(tasks, {"dynamics": {"task_pairs": []}})
    assert not pairs_of(settings, "minilm", "tasks")
    assert "pairs of models of different tasks (dynamics.task_pairs)" in left_out(settings)


def test_figure_4_shows_the_smallest_task():
    tasks = {"experiment": {"tasks": ["nli", "entailment", "paraphrase"]}}
    assert settings_of(tasks).figures.overfitting_task == "entailment"  # 360 of 450, 360, 400
    whole = {"tasks": {name: {"train": None} for name in TASKS}}
    assert settings_of(tasks, whole).figures.overfitting_task == "nli"


LAYER_GROUPS = {"figure7", "table1"}


@pytest.mark.parametrize(
    ("source", "reason", "without"),
    [
        (
            "random:albert:num_hidden_layers=6",
            "model m: ALBERT's layers share one set of weights, so there are no layer groups",
            LAYER_GROUPS | {"dynamics3"},
        ),
        (
            "random:bert:num_hidden_layers=2",
            "model m: has 2 layers, the thirds of landscape.groups need 3",
            LAYER_GROUPS,
        ),
    ],
)
def test_a_model_without_layer_groups_has_no_figure_of_them_and_the_plan_says_so(
    source, reason, without
):
    whole = settings_of(TWO_LINES)
    one = settings_of(TWO_LINES, {"models": {"m": {"source": source}}})
    assert one.figures.group_tasks == []
    assert drawn(whole) - drawn(one) == without
    assert f"layer groups, in surfaces and rolled back ({reason})" in left_out(one)
    assert not any(surface.kind == "group" for surface in surfaces(one, "m").values())
    # One such model among others leaves them out for all, as an experiment has one set of figures.
    both = settings_of(
        TWO_LINES,
        {"models": {"m": {"source": source}}, "experiment": {"models": ["minilm", "m"]}},
    )
    assert drawn(both) == drawn(one)


def test_layer_groups_that_are_requested_of_such_a_model_are_refused():
    models = {"models": {"m": {"source": "random:albert:num_hidden_layers=6"}}}
    group = {"landscape": {"groups": {"low": [0, 1]}}}
    for requested in ({"figures": {"group_tasks": ["reviews"]}}, group):
        settings = settings_of(TWO_LINES, models, requested)
        assert settings.figures.group_tasks == ["reviews"]
        with pytest.raises(
            UserError, match=r"ALBERT.*leave them out with figures\.group_tasks: \[\]"
        ):
            check_inputs(settings)


def test_single_layers_of_an_albert_are_not_rolled_back_and_the_plan_says_so():
    models = {"models": {"m": {"source": "random:albert:num_hidden_layers=6"}}}
    settings = settings_of(TWO_LINES, models)
    assert settings.dynamics.rollback is False
    said = "single layers rolled back (model m: its layers share one set of weights)"
    assert said in left_out(settings)
    off = settings_of(TWO_LINES, {"dynamics": {"rollback": False}})
    assert "single layers rolled back (dynamics.rollback)" in left_out(off)


def test_with_one_seed_what_needs_two_is_left_out_and_said():
    two = {"finetune": {"seeds": [{"init": 3, "order": 4}, {"init": 5, "order": 6}]}}
    settings = settings_of(TWO_LINES, {"finetune": {"seeds": [{"init": 3, "order": 4}]}})
    assert settings.dynamics.seed_tasks == []
    assert {run.seeds for run in runs(settings)} == {"init3_order4"}
    assert drawn(settings_of(TWO_LINES, two)) - drawn(settings) == {"dynamics4", "dynamics5"}
    assert "pairs of models with different seeds, for there is one (finetune.seeds)" in left_out(
        settings
    )


def test_nothing_is_trained_from_scratch_where_the_starts_leave_it_out():
    only = {"experiment": {"starts": ["pretrained"]}}
    settings = settings_of(only)
    assert {run.start for run in runs(settings)} == {"pretrained"}
    assert drawn(settings) == drawn(settings_of({}))
    assert [plane.name for plane in planes(settings, "minilm")] == [
        f"{t}_pretrained" for t in TASKS
    ]
    assert len(claim_inputs(settings)["histories"]) == len(TASKS) + 2  # three runs of sentiment
    assert any("from scratch" in line for line in left_out(settings))
    assert not any("from scratch" in line for line in left_out(settings_of({})))


@pytest.mark.parametrize("starts", [["scratch"], [], ["pretrained", "pretrained"], ["random"]])
def test_starts_hold_the_pretrained_one_and_none_twice(starts):
    with pytest.raises(UserError, match=r"^config: experiment\.starts"):
        settings_of({"experiment": {"starts": starts}})


@pytest.mark.parametrize("direction", ["random", "pca"])
def test_one_direction_may_serve_all_tasks(direction):
    settings = settings_of({"landscape": {"second": direction}})
    assert settings.landscape.second == dict.fromkeys(TASKS, direction)
    wildcards = Wildcards(model="minilm", surface="nli_scratch")
    surface = surfaces(settings, "minilm")["nli_scratch"]
    assert (surface.second, surface.computed) == (None, direction)
    spec = direction_spec(settings, wildcards)["surface"]
    assert spec["second"] == direction
    assert spec.get("seed") == (settings.landscape.seed if direction == "random" else None)
    inputs = row_inputs(settings, wildcards)
    assert "second" not in inputs
    # The recipe has 16 epochs: the checkpoints between the ends.
    between = [path.rsplit("/", 1)[1] for path in inputs.get("between", [])]
    expected = [f"epoch{epoch:02d}.safetensors" for epoch in range(1, 16)]
    assert between == (expected if direction == "pca" else [])


@pytest.mark.parametrize(
    ("second", "words"),
    [
        (
            "rondom",
            ["landscape.second: got 'rondom'", "'random' or 'pca'", "did you mean 'random'?"],
        ),
        ({"reviews": 3}, ["landscape.second.reviews: got 3 (int)", "valid string"]),
        ({"reviews": "reviews"}, ["landscape.second.reviews: got 'reviews', the task itself"]),
    ],
)
def test_another_direction_is_refused(second, words):
    with pytest.raises(UserError) as refused:
        settings_of(TWO_LINES, {"landscape": {"second": second}})
    assert all(word in str(refused.value) for word in words), str(refused.value)


def test_a_trajectory_of_one_epoch_has_no_principal_component():
    one = {"finetune": {"recipes": {"finetune": {"epochs": 1}}}}
    settings_of(TWO_LINES, one)
    with pytest.raises(UserError, match=r"second\.reviews: got 'pca', .* 2 epochs .* pretrained"):
        settings_of(TWO_LINES, one, {"landscape": {"second": "pca"}})


def test_a_task_is_not_called_like_a_direction():
    with pytest.raises(UserError, match=r"^config: tasks: got the name 'pca'"):
        settings_of({"tasks": {"pca": {"source": "synthetic:nli"}}})
