"""Limits of memory and time that jobs ask for, against the plan's own costs."""

from types import SimpleNamespace

import numpy as np
import pytest

from tests.workflow.conftest import ROOT
from workflow_scripts.common.costs import Job
from workflow_scripts.experiment.config import Config
from workflow_scripts.finetune.costs import training
from workflow_scripts.landscape.surfaces import surfaces
from workflow_scripts.model.pricing import Pricing
from workflow_scripts.model.sizes import shape_of
from workflow_scripts.plan.__main__ import read_settings
from workflow_scripts.plan.limits import EXAMPLES, HEADROOM, Limits, bounded_lengths
from workflow_scripts.plan.machine import assumed, known_gpu
from workflow_scripts.plan.sizes import lengths_of
from workflow_scripts.rebuilds.dag import planned_dag

PAPER = ROOT / "experiments" / "paper.yaml"
LARGE = 333_579_264  # parameters of BERT-large (cased) without a head
MNLI = {"model": "bert_large_cased", "task": "mnli", "start": "scratch", "seeds": "x"}


@pytest.fixture(scope="module")
def paper() -> Config:
    return read_settings([PAPER])


def changed(settings: Config, section: str, name: str, **values) -> Config:
    """The settings with other values of one model or task, unchecked."""
    of_section = getattr(settings, section)
    entry = of_section[name].model_copy(update=values)
    return settings.model_copy(update={section: {**of_section, name: entry}})


def test_a_large_model_gets_its_memory_at_the_first_attempt(paper, tmp_path):
    limits = Limits(paper, 1, tmp_path)
    for rule in ("finetune_mnli_scratch", "finetune_rte_2020"):
        asked = limits.megabytes(rule, 4000, 1)(MNLI, attempt=1)
        # Weights, a copy of them and Adam's two moments, but no activations.
        assert 4 * 4 * LARGE / 1e6 < asked < 20_000
        assert limits.megabytes(rule, 4000, 1)(MNLI, attempt=3) == 3 * asked


def test_without_a_gpu_the_activations_count(paper, tmp_path):
    on_cpu = Limits(paper, 0, tmp_path).megabytes("finetune_mnli_scratch", 4000)
    on_gpu = Limits(paper, 1, tmp_path).megabytes("finetune_mnli_scratch", 4000, 1)
    assert on_cpu(MNLI, attempt=1) > 1.5 * on_gpu(MNLI, attempt=1)


def test_time_is_that_of_the_plan_with_head_room(paper, tmp_path):
    source = paper.models["bert_large_cased"].source
    pricing = Pricing(
        paper,
        shape_of("bert_large_cased", source, tmp_path)[0],
        {"mnli": lengths_of(paper, "mnli", "bert_large_cased", tmp_path)},
        known_gpu("a100", 1, 1),
    )
    rule = "finetune_mnli_scratch"
    planned = training(pricing, Job(rule, rule, MNLI)).seconds / 60
    asked = Limits(paper, 1, tmp_path).minutes(rule, 240)
    assert planned > 600
    assert asked(MNLI, attempt=1) == pytest.approx(HEADROOM * planned, abs=1)
    assert asked(MNLI, attempt=2) == 2 * asked(MNLI, attempt=1)


def test_a_small_model_asks_for_what_it_always_did(tmp_path):
    settings = read_settings([])
    limits = Limits(settings, 0, tmp_path)
    wildcards = {"model": "minilm", "task": "nli", "start": "pretrained", "seeds": "x"}
    for rule, least, minutes in (("finetune_finetune", 4000, 240), ("roll_back_groups", 4000, 60)):
        for attempt in (1, 2):
            assert limits.megabytes(rule, least)(wildcards, attempt) == attempt * least
            assert limits.minutes(rule, minutes)(wildcards, attempt) == attempt * minutes


def test_an_unknown_model_asks_for_what_it_always_did(paper, tmp_path):
    unknown = changed(paper, "models", "bert_large_cased", source="hub:me/mine@" + 40 * "0")
    limits = Limits(unknown, 1, tmp_path)
    assert limits.megabytes("finetune_mnli", 4000, 1)(MNLI, attempt=2) == 8000
    assert limits.minutes("finetune_mnli", 240)(MNLI, attempt=2) == 480


def test_a_task_of_unknown_size_leaves_the_time_and_not_the_memory(paper, tmp_path):
    unknown = changed(paper, "tasks", "mnli", source="hub:me/mine@" + 40 * "0")
    limits, known = Limits(unknown, 1, tmp_path), Limits(paper, 1, tmp_path)
    assert limits.minutes("finetune_mnli_scratch", 240)(MNLI, attempt=1) == 240
    memory = limits.megabytes("finetune_mnli_scratch", 4000, 1)(MNLI, attempt=1)
    assert memory == known.megabytes("finetune_mnli_scratch", 4000, 1)(MNLI, attempt=1)
    lengths = bounded_lengths(unknown, "mnli", tmp_path)
    assert set(lengths.train) == {unknown.finetune.max_length}
    assert len(lengths.dev) == EXAMPLES


def test_lengths_are_no_shorter_than_they_turn_out(tmp_path):
    settings = read_settings([])
    for task in settings.experiment.tasks:
        bound = bounded_lengths(settings, task, tmp_path)
        found = lengths_of(settings, task, "minilm", tmp_path)
        for split in ("train", "dev"):
            longest, real = getattr(bound, split), getattr(found, split)
            assert len(longest) == len(real)
            assert np.all(longest >= real)


def test_a_callable_bound_gets_the_inputs(paper, tmp_path):
    limits = Limits(paper, 1, tmp_path)
    wildcards = {"model": "bert_large_cased", "task": "rte"}
    least = lambda wildcards, input, attempt: input.size * attempt  # noqa: E731
    asked = limits.megabytes("roll_back_layers", least, 1)
    low, high = (asked(wildcards, SimpleNamespace(size=size), 2) for size in (1, 10**6))
    assert 2 * 4 * LARGE / 1e6 < low < high == 2 * 10**6


def test_a_machine_of_which_nothing_is_known():
    assert assumed(True, 4) == known_gpu("a100", 1, 0)
    assert assumed(False, 4).flops == 4 * assumed(False, 1).flops


def test_the_jobs_of_a_run_have_these_limits(paper, tmp_path):
    run = "results/finetune/bert_large_cased/rte/pretrained/finetune/init0_order0"
    dag = planned_dag(f"{run}/digest", tmp_path, [PAPER])
    (job,) = (job for job in dag.jobs if job.rule.name == "finetune_finetune")
    limits = Limits(paper, 1, tmp_path)
    wildcards = dict(job.wildcards_dict)
    assert job.resources.mem_mb == limits.megabytes("finetune_finetune", 4000, 1)(wildcards, 1)
    assert job.resources.mem_mb > 4000
    assert job.resources.runtime == limits.minutes("finetune_finetune", 240)(wildcards, 1)


@pytest.mark.parametrize("gpus", [0, 1])
@pytest.mark.parametrize(
    "rule", ["measure_directions", "evaluate_rows_plane_0_1", "project_trajectory"]
)
def test_a_direction_of_the_trajectory_holds_its_checkpoints(paper, tmp_path, gpus, rule):
    task, epochs = "mrpc", 5
    wildcards = {"model": "bert_large_cased", "surface": f"{task}_pretrained", "run": "target"}
    asked = []
    for second in ({"mrpc": "rte"}, {"mrpc": "pca"}):
        landscape = paper.landscape.model_copy(update={"second": paper.landscape.second | second})
        settings = paper.model_copy(update={"landscape": landscape})
        assert surfaces(settings, "m")[f"{task}_pretrained"].run.epochs == epochs
        limits = Limits(settings, gpus, tmp_path)
        asked.append(limits.megabytes(rule, 1, gpus)(wildcards, attempt=1))
    # Besides start and end, with the head-room of all memory.
    between = (epochs - 1) * 4 * LARGE / 1e6
    assert asked[1] - asked[0] == pytest.approx(HEADROOM * between, rel=0.01)
