from types import SimpleNamespace

from tests.experiment.settings import settings
from workflow_scripts.common.files import digests_of
from workflow_scripts.landscape.files import (
    merge_inputs,
    row_inputs,
    surface_file,
    surface_spec,
    surfaces_of_kind,
    trajectory_file,
    width_inputs,
)
from workflow_scripts.landscape.surfaces import line, plane, row_blocks, surfaces

DEFAULT = settings()
JOB = SimpleNamespace(model="minilm", surface="nli_scratch")


def test_an_experiment_has_a_plane_and_a_line_of_each_task_and_start_and_its_group_planes():
    names = list(surfaces(DEFAULT, "minilm"))
    assert len(names) == 4 * 2 * 2 + 3
    assert {"nli_scratch", "nli_scratch_line", "sentiment_pretrained_low"} <= set(names)
    assert "nli_pretrained_low" not in names


def test_the_second_direction_is_that_of_the_other_task_from_the_same_start():
    surface = plane(DEFAULT, "minilm", "nli", "scratch")
    assert (surface.second.task, surface.second.start) == ("entailment", "scratch")
    assert line(DEFAULT, "minilm", "nli", "scratch").runs == [surface.run]


def test_a_surface_rests_on_both_runs_and_a_trajectory_on_its_own_run_too():
    surface = plane(DEFAULT, "minilm", "sentiment", "pretrained")
    digests = digests_of(surface_file(surface, "surface.parquet"))
    assert [digest for digest in digests if digest.endswith("weights.digest")] == [
        f"results/finetune/minilm/{task}/pretrained/finetune/init0_order0/weights.digest"
        for task in ("paraphrase", "sentiment")
    ]
    continued = set(digests_of(trajectory_file(DEFAULT, surface, "continued"))) - set(digests)
    assert continued == {
        "results/finetune/minilm/sentiment/pretrained/continued/init0_order0/weights.digest"
    }


def test_a_surface_is_merged_from_all_its_rows_however_many_a_job_evaluates():
    for size in (1, 3, 50):
        shards = merge_inputs(settings(landscape__rows_per_shard=size), JOB)["shards"]
        assert shards == [
            f"results/landscape/minilm/nli_scratch/rows/{i:03d}.parquet" for i in range(12)
        ]


def test_rows_take_a_calibration_only_where_the_precision_is_not_float32():
    assert "precision" not in row_inputs(DEFAULT, JOB)
    inputs = row_inputs(settings(landscape__precision="auto"), JOB)
    assert inputs["precision"] == "results/landscape/minilm/nli_scratch/precision.json"


def test_a_width_is_measured_on_the_line_and_the_plane_of_one_run():
    inputs = width_inputs(DEFAULT, JOB)
    assert inputs["line"] == "results/landscape/minilm/nli_scratch_line/examples.parquet"
    assert inputs["plane"] == "results/landscape/minilm/nli_scratch/examples.parquet"


def test_a_change_of_layer_groups_is_in_the_settings_of_group_planes_only():
    grouped = settings(landscape__groups={"low": [0, 2], "high": [3, 5]})
    specs = {name: surface_spec(grouped, of) for name, of in surfaces(grouped, "minilm").items()}
    assert {name for name, spec in specs.items() if spec["groups"]} == {
        f"sentiment_pretrained_{group}" for group in ("low", "high")
    }


def test_blocks_of_rows_and_names_of_a_kind():
    assert row_blocks(DEFAULT) == [("plane", 0, 11), ("line", 0, 0), ("group", 0, 11)]
    assert "nli_scratch_line" in surfaces_of_kind(DEFAULT, "line").split("|")
