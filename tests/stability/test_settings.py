"""What a configuration of sweeps means, and what is wrong with it in one line."""

import copy

import pytest
import yaml
from snakemake.utils import update_config

from tests.workflow.conftest import ROOT
from workflow_scripts.common.errors import UserError
from workflow_scripts.experiment.config import validated
from workflow_scripts.experiment.products import all_targets, left_out
from workflow_scripts.stability.costs import run_steps
from workflow_scripts.stability.files import text_files
from workflow_scripts.stability.stage import STAGE
from workflow_scripts.stability.sweeps import blocks, seeds, sweeps_of

DEFAULT = yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))
OTHER_TASKS = {"experiment": {"tasks": ["nli"]}}


def settings_of(stability: dict | None = None, **sections):
    written = {**sections, **({"stability": stability} if stability else {})}
    merged = copy.deepcopy(DEFAULT)
    update_config(merged, written)
    return validated(merged, written)


def test_seeds_are_equal_or_crossed():
    assert seeds(settings_of({"inits": 3})) == ["init0_order0", "init1_order1", "init2_order2"]
    crossed = seeds(settings_of({"inits": 2, "orders": 2}))
    assert crossed == ["init0_order0", "init0_order1", "init1_order0", "init1_order1"]
    assert seeds(settings_of({"inits": 1, "orders": 2})) == ["init0_order0", "init0_order1"]


def test_blocks_hold_every_seed_once():
    assert blocks(settings_of({"inits": 5, "block": 2})) == [(0, 1), (2, 3), (4, 4)]
    assert blocks(settings_of({"inits": 5, "block": 9})) == [(0, 4)]


def test_sweeps_are_the_recipes_then_the_ablation_then_the_small_training_sets():
    stability = {"ablation": {"entailment": ["finetune"]}, "small_examples": 100}
    names = [sweep.name for sweep in sweeps_of(settings_of(stability), "entailment")]
    assert names == ["devlin", "strong", "finetune", "devlin_same_epochs", "devlin_same_steps"]


def test_a_task_may_be_swept_on_small_training_sets_only():
    stability = {"small_examples": 100, "small_only": ["entailment"]}
    settings = settings_of(stability)
    names = [sweep.name for sweep in sweeps_of(settings, "entailment")]
    assert names == ["devlin_same_epochs", "devlin_same_steps"]
    drawn = {target for target in all_targets(settings) if "figures/minilm/stability" in target}
    assert {target.split("/")[-1] for target in drawn if target.endswith("csv")} == {
        "stability5.csv",
        "stability_table.csv",
    }


def test_an_experiment_with_other_tasks_has_no_sweeps_unless_it_asks_for_them():
    settings = settings_of(**OTHER_TASKS)
    assert settings.stability.tasks == []
    assert "sweeps over seeds (stability.tasks)" in left_out(settings)
    assert not any("stability" in target for target in all_targets(settings))
    asked = settings_of({"tasks": ["nli"]}, **OTHER_TASKS)
    assert sum("stability" in target for target in all_targets(asked)) > 10


@pytest.mark.parametrize(
    ("stability", "line"),
    [
        ({"inits": 1}, "stability.inits: got 1 run of each recipe, expected 2 or more"),
        (
            {"metrics": {"entailment": "acuracy"}},
            "stability.metrics.entailment: got 'acuracy' .* did you mean 'accuracy'",
        ),
        (
            {"tasks": ["nli"], "metrics": {"nli": "f1"}},
            "stability.metrics.nli: got 'f1', .* for a task of 3 labels; allowed: accuracy, mcc",
        ),
        ({"recipes": ["continued"]}, "got 'continued', which continues another recipe"),
        ({"recipes": ["devlim"]}, "stability.recipes: got 'devlim', allowed: .*'devlin'"),
        ({"recipes": ["devlin", "devlin"]}, "stability.recipes: duplicate value 'devlin'"),
        ({"small_examples": 400}, "small_examples: got 400, tasks.entailment.train allows 360"),
        ({"small_only": ["entailment"]}, "small_only: got 'entailment', which has no small"),
        ({"tasks": ["rte"]}, "stability.tasks: got 'rte', allowed: nli, entailment"),
    ],
)
def test_what_is_wrong_is_one_line(stability, line):
    with pytest.raises(UserError, match=line) as caught:
        settings_of(stability)
    assert len(str(caught.value).splitlines()) == 1
    assert len(str(caught.value)) <= 500


def test_a_text_file_is_checked_before_any_job_starts(tmp_path):
    path = tmp_path / "text.txt"
    settings = settings_of({"forgetting": {"text": str(path)}})
    with pytest.raises(UserError, match=r"stability\.forgetting\.text: got .* no such file"):
        text_files(settings)
    path.write_text(" \n\n")
    with pytest.raises(UserError, match="which holds no text"):
        text_files(settings)
    path.write_text("A line.\nAnother one.\n")
    assert text_files(settings) == [path]
    relative = settings_of({"forgetting": {"text": "text.txt"}})
    with pytest.raises(UserError, match="expected an absolute path"):
        text_files(relative)
    assert text_files(settings_of()) == []


def test_the_plan_says_what_the_seeds_can_decide():
    (line,) = STAGE.planned(settings_of())
    assert line.startswith("stability: 20 runs, 10 of each recipe on entailment; 10 seeds per")
    assert "detect a failure rate of" in line
    lines = list(STAGE.planned(settings_of({"inits": 4})))
    assert lines[1].startswith("warning: stability: 4 seeds per recipe, 10 needed")
    assert list(STAGE.planned(settings_of(**OTHER_TASKS))) == []


def test_the_plan_counts_the_steps_of_small_training_sets():
    from types import SimpleNamespace

    import numpy as np

    from workflow_scripts.common.costs import Lengths

    settings = settings_of({"small_examples": 100})
    lengths = Lengths(np.full(360, 20), np.full(300, 20), "")
    pricing = SimpleNamespace(settings=settings, lengths={"entailment": lengths})
    whole, _, epochs, steps = sweeps_of(settings, "entailment")
    assert run_steps(pricing, "entailment", whole) == (69, 3, 360)
    assert run_steps(pricing, "entailment", epochs) == (21, 3, 100)
    assert run_steps(pricing, "entailment", steps) == (69, 10, 100)
