from types import SimpleNamespace

import pytest
from snakemake.io import is_flagged

from tests.experiment.settings import settings
from workflow_scripts.common.files import digests_of
from workflow_scripts.finetune.files import (
    checkpoint_file,
    checkpoint_files,
    kept_checkpoints,
    run_table,
    training_inputs,
)
from workflow_scripts.finetune.runs import run_of, runs_of, with_bases

DEFAULT = settings()
FOLDER = "results/finetune/minilm/nli/pretrained/finetune/init0_order0"


def test_a_run_follows_the_recipe_of_its_start_unless_its_task_is_an_exception():
    other = settings(finetune__exceptions={"nli": {"scratch": "finetune"}})
    recipes = [run_of(other, "minilm", task, "scratch").recipe for task in ("nli", "sentiment")]
    assert recipes == ["finetune", "scratch"]


def test_a_task_may_have_more_runs_than_the_others():
    counts = {t: len(runs_of(DEFAULT, "minilm", t, "scratch")) for t in ("nli", "sentiment")}
    assert counts == {"nli": 1, "sentiment": 3}


def test_a_run_that_continues_another_comes_after_it():
    run = run_of(DEFAULT, "minilm", "sentiment", "pretrained", "continued", seeds=1)
    assert [one.recipe for one in with_bases([run, run])] == ["finetune", "continued"]
    assert run.base.seeds == run.seeds == "init1_order1"


def test_a_run_has_a_checkpoint_before_the_first_step_and_after_each_epoch():
    run = run_of(DEFAULT, "minilm", "nli", "pretrained")
    names = [f"{FOLDER}/epoch{epoch:02d}.safetensors" for epoch in range(7)]
    assert checkpoint_files(run) == names
    assert [checkpoint_file(run.first), checkpoint_file(run.last)] == [names[0], names[-1]]


def test_a_checkpoint_rests_on_all_that_its_run_comes_from():
    scratch = run_of(DEFAULT, "minilm", "nli", "scratch")
    digests = digests_of(checkpoint_file(scratch.last))
    assert digests == [
        "results/data/nli/digest",
        "results/finetune/minilm/nli/scratch/scratch/init0_order0/weights.digest",
        "results/model/minilm/digest",
        "results/model/minilm/scratch/init0.digest",
    ]
    continued = run_of(DEFAULT, "minilm", "nli", "pretrained", "continued")
    assert f"{FOLDER}/weights.digest" in digests_of(checkpoint_file(continued.last))
    table = run_table(scratch, "history.parquet")
    assert set(table.rests_on) - set(digests) == {
        "results/finetune/minilm/nli/scratch/scratch/init0_order0/digest"
    }


@pytest.mark.parametrize(
    ("recipe", "start", "weights"),
    [
        ("finetune", "pretrained", "results/model/minilm/model.safetensors"),
        ("scratch", "scratch", "results/model/minilm/scratch/init7.safetensors"),
        (
            "continued",
            "pretrained",
            "results/finetune/minilm/nli/pretrained/finetune/init7_order8/epoch06.safetensors",
        ),
    ],
)
def test_a_run_starts_from_the_weights_of_its_start_or_its_base(recipe, start, weights):
    job = {"model": "minilm", "task": "nli", "start": start, "init": "7", "order": "8"}
    inputs = training_inputs(DEFAULT, recipe, SimpleNamespace(items=job.items))
    assert inputs["weights"] == weights
    assert inputs["train"] == "results/data/nli/train.parquet"


def test_checkpoints_between_the_ends_are_temporary_where_only_the_ends_are_kept():
    for keep, temporary in (("ends", [False, *[True] * 15, False]), ("all", [False] * 17)):
        paths = kept_checkpoints(settings(finetune__keep=keep), "scratch")
        assert [is_flagged(path, "temp") for path in paths] == temporary
