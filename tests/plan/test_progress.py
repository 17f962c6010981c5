"""Progress of a run: the line that is shown, and the time left against a schedule by hand."""

import logging
from types import SimpleNamespace

import pytest

from workflow_scripts.common.costs import Cost, Job
from workflow_scripts.plan import progress as progress_module
from workflow_scripts.plan.jobs import PricedJob, schedule
from workflow_scripts.plan.progress import TRUST, Progress


def job(rule: str, task: str, stage: str, seconds: float, *needs: str, gpu: bool = False):
    name = f"{rule}/{task}"
    return PricedJob(Job(name, rule, {"task": task}, (name,), needs, 1, gpu), stage, Cost(seconds))


JOBS = [
    job("prepare", "a", "data", 10.0),
    job("prepare", "b", "data", 10.0),
    job("train", "a", "finetune", 100.0, "prepare/a"),
    job("train", "b", "finetune", 100.0, "prepare/b"),
    job("draw", "a", "figures", 5.0, "train/a", "train/b"),
]


def progress(cores: int = 1, gpus: int = 0, jobs=JOBS) -> Progress:
    return Progress(jobs, cores, gpus)


def test_at_the_start_the_time_left_is_the_plans():
    for cores in (1, 2):
        plan = max(schedule(JOBS, cores, 1).values())
        assert progress(cores).seconds_left(now=0.0) == pytest.approx(plan)
    assert plan == 10 + 100 + 5


def test_what_has_ended_is_not_counted_again_and_a_running_job_counts_down():
    shown = progress()
    shown.start("prepare", {"task": "a"}, now=0.0)
    shown.end("prepare", {"task": "a"}, now=10.0)
    assert shown.seconds_left(now=10.0) == pytest.approx(215)
    shown.start("train", {"task": "a"}, now=10.0)
    assert shown.seconds_left(now=70.0) == pytest.approx(155)


def test_the_plan_is_scaled_by_what_finished_jobs_took():
    shown = progress()
    for task, start in (("a", 0.0), ("b", 30.0)):
        shown.start("prepare", {"task": task}, now=start)
        shown.end("prepare", {"task": task}, now=start + 30.0)
    # 60 s for 20 planned ones; no training has ended, so that all jobs speak for it.
    rate = (60 + TRUST) / (20 + TRUST)
    assert shown.seconds_left(now=60.0) == pytest.approx(rate * 205)
    shown.start("train", {"task": "a"}, now=60.0)
    shown.end("train", {"task": "a"}, now=110.0)
    # Training took half of what was planned, and counts for training most.
    of_all = (110 + TRUST) / (120 + TRUST)
    of_training = (50 + TRUST * of_all) / (100 + TRUST)
    assert shown.seconds_left(now=110.0) == pytest.approx(100 * of_training + 5 * of_all)


def test_a_job_that_takes_longer_than_planned_slows_the_others_of_its_stage():
    shown = progress()
    for task in "ab":
        shown.start("prepare", {"task": task}, now=0.0)
        shown.end("prepare", {"task": task}, now=10.0)
    shown.start("train", {"task": "a"}, now=10.0)
    of_all = (220 + TRUST) / (120 + TRUST)
    of_training = (200 + TRUST * of_all) / (100 + TRUST)
    own = max(100 * of_training - 200, 200 / 10)
    left = own + 100 * of_training + 5 * of_all
    assert shown.seconds_left(now=210.0) == pytest.approx(left)


def test_jobs_with_a_gpu_wait_for_one():
    jobs = [job("train", task, "finetune", 100.0, gpu=True) for task in "abcd"]
    assert progress(8, 2, jobs).seconds_left(now=0.0) == pytest.approx(200)
    assert progress(8, 4, jobs).seconds_left(now=0.0) == pytest.approx(100)


def test_what_needs_a_failed_job_is_left_out_until_it_runs_again():
    shown = progress()
    shown.start("prepare", {"task": "a"}, now=0.0)
    shown.fail("prepare", {"task": "a"})
    assert shown.seconds_left(now=0.0) == pytest.approx(110)
    assert shown.line(now=0.0) == "0 of 5 jobs done, 1 failed, 110 s left"
    shown.start("prepare", {"task": "a"}, now=0.0)
    assert shown.seconds_left(now=0.0) == pytest.approx(225)


def test_jobs_that_turn_out_to_be_up_to_date_take_no_time():
    shown = progress(jobs=[job("draw", task, "figures", 30.0) for task in "abcd"])
    shown.dropped = 2
    assert shown.seconds_left(now=0.0) == pytest.approx(60)
    assert shown.line(now=0.0) == "0 of 2 jobs done, 60 s left"


def test_the_line_names_the_stages_at_work_and_no_time_once_all_is_done():
    shown = progress(cores=2)
    for task in "ab":
        shown.start("prepare", {"task": task}, now=0.0)
    assert shown.line(now=0.0) == "0 of 5 jobs done (data 0 of 2), 115 s left"
    shown.end("prepare", {"task": "a"}, now=10.0)
    shown.start("train", {"task": "a"}, now=10.0)
    assert shown.line(now=10.0).startswith("1 of 5 jobs done (data 1 of 2, finetune 0 of 2), ")
    for one in JOBS[1:]:
        shown.start(one.job.rule, one.job.wildcards, now=20.0)
        shown.end(one.job.rule, one.job.wildcards, now=20.0)
    assert shown.line(now=20.0) == "5 of 5 jobs done"


def test_a_job_that_the_plan_does_not_know_is_no_error():
    shown = progress()
    shown.start("all", {}, now=0.0)
    shown.end("all", {}, now=1.0)
    shown.fail("all", {})
    assert shown.line(now=1.0).startswith("0 of 5 jobs done, ")


class Handler:
    def show_progress(self, *arguments):
        self.shown = arguments


def test_a_run_starts_although_its_time_is_not_known(monkeypatch, caplog):
    def unknown(workflow, settings):
        raise KeyError("new_rule")

    monkeypatch.setattr(progress_module, "progress_of", unknown)
    handler, other = Handler(), object()
    manager = SimpleNamespace(get_log_handlers=lambda: [other, handler])
    workflow = SimpleNamespace(logger_manager=manager, dag=[1, 2, 3], nodes=None)
    logging.getLogger("snakemake.logging").propagate = True
    progress_module.show_progress(workflow, None)
    assert handler.shown == (None, 3, False)
    assert "the time left is not known (KeyError: 'new_rule')" in caplog.text
