"""What the stage declares: tasks, runs, figures and files, by the settings of an experiment."""

import pytest

from tests.experiment.test_defaults import Wildcards, drawn, settings_of
from workflow_scripts.common.errors import UserError
from workflow_scripts.experiment.products import all_tasks, left_out
from workflow_scripts.probing.figures import stage_targets
from workflow_scripts.probing.files import (
    all_probed,
    crossed,
    geometry_spec,
    own_probed,
    probing_file,
    vector_inputs,
    vector_spec,
)

PROBING = {f"probing{k}" for k in range(1, 5)} | {"probing_table"}
TAGS = {"tasks": {"tags": {"source": "synthetic:tags", "unit": "word"}}}


def of_job(probed) -> Wildcards:
    run = probed.run
    return Wildcards(
        model="minilm", task=probed.task, tuned=run.task, init=str(run.init), order=str(run.order)
    )


def test_the_default_probes_words_and_sentences():
    settings = settings_of({})
    assert settings.probing.cross_tasks == ["tags"]  # the first task of words
    assert drawn(settings) >= PROBING
    own, others = own_probed(settings), crossed(settings)
    assert [one.task for one in own] == settings.probing.tasks
    assert {one.run.task for one in others} == set(settings.probing.tasks) - {"tags"}
    assert all(one.task == "tags" and len(one.checkpoints) == 1 for one in others)
    paths = [probing_file(one, "rows.parquet") for one in all_probed(settings)]
    assert len(set(paths)) == len(paths)
    assert "tags" in all_tasks(settings)
    assert len(stage_targets(settings)) == 3 * 5 + 1


def test_sentences_are_probed_where_nothing_is_said():
    settings = settings_of({"experiment": {"tasks": ["nli", "sentiment"]}})
    assert settings.probing.tasks == ["nli", "sentiment"]
    assert settings.probing.cross_tasks == ["nli"]


def test_a_job_reads_its_checkpoints_and_crossed_ones_the_last_layer_only():
    settings = settings_of({})
    for one in all_probed(settings, "minilm"):
        spec = vector_spec(settings, of_job(one))
        inputs = vector_inputs(settings, of_job(one))
        assert len(inputs["checkpoints"]) == len(spec["epochs"])
        assert spec["last_only"] == one.crosses
        assert spec["epochs"][-1] == one.run.epochs
        assert f"data/{one.task}/" in inputs["train"]
        assert f"/{one.run.task}/pretrained/" in inputs["checkpoints"][0]
        assert (geometry_spec(settings, of_job(one))["shuffles"] > 0) != one.crosses
    ends = settings_of({"probing": {"checkpoints": "ends"}})
    assert {len(one.checkpoints) for one in own_probed(ends)} == {2}


def test_several_runs_are_probed_as_far_as_a_task_has_seeds():
    seeds = {"finetune": {"seeds": [{"init": k, "order": k} for k in range(3)]}}
    settings = settings_of(seeds, {"probing": {"tasks": ["nli"], "seeds": 5}})
    runs = [one.run.seeds for one in own_probed(settings)]
    assert runs == sorted(set(runs))
    assert len(runs) >= 3


def test_an_empty_list_leaves_probing_out():
    settings = settings_of({"probing": {"tasks": []}})
    assert not PROBING & drawn(settings)
    assert "the geometry of labels (probing.tasks)" in left_out(settings)
    assert all_probed(settings) == []
    one = settings_of({"probing": {"tasks": ["tags"]}})
    assert PROBING - drawn(one) == {"probing4"}


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ({"probing": {"tasks": ["tag"]}}, "probing.tasks: got 'tag'"),
        ({"probing": {"tasks": ["nli", "nli"]}}, "probing.tasks: duplicate value 'nli'"),
        ({"probing": {"tasks": ["nli"], "cross_tasks": ["tags"]}}, "cross_tasks: got 'tags'"),
        ({"probing": {"recipes": {"tags": "continued"}}}, "which continues another recipe"),
        ({"probing": {"grid": "papers"}}, "did you mean 'paper'?"),
        ({"experiment": {"tasks": ["tags"]}}, "experiment.tasks: 'tags' labels words"),
    ],
)
def test_mistakes_are_named(written, message):
    with pytest.raises(UserError) as error:
        settings_of(written)
    assert message in str(error.value)
