"""The plugin that shows progress: what Snakemake's records become on a terminal and elsewhere."""

import io
import logging
import re
import subprocess
import sys
from pathlib import Path

import pytest
from snakemake.logging import DefaultFormatter
from snakemake_interface_logger_plugins.common import LogEvent
from snakemake_interface_logger_plugins.tests import MockOutputSettings, TestLogHandlerBase

import snakemake_logger_plugin_tunescape as plugin
from tests.plan.test_progress import JOBS
from workflow_scripts.plan.progress import Progress

ROOT = Path(__file__).parents[2]


class TestTheInterface(TestLogHandlerBase):
    """The tests that come with Snakemake's interface."""

    __test__ = True

    def get_log_handler_cls(self):
        return plugin.LogHandler

    def get_log_handler_settings(self):
        return None


class Stream(io.StringIO):
    def __init__(self, terminal: bool):
        super().__init__()
        self.isatty = lambda: terminal


@pytest.fixture
def handler(monkeypatch):
    """Makes handlers that write to a stream of their own; all are closed at the end."""
    made = []

    def make(terminal: bool = False, **settings) -> plugin.LogHandler:
        monkeypatch.setattr(sys, "stderr", Stream(terminal))
        common = MockOutputSettings()
        vars(common).update(settings)
        made.append(plugin.LogHandler(common, None))
        made[-1].setFormatter(DefaultFormatter())
        return made[-1]

    yield make
    for one in made:
        one.close()


def record(message=None, level=logging.INFO, **fields) -> logging.LogRecord:
    made = logging.LogRecord("snakemake", level, "", 0, message, (), None)
    vars(made).update(fields)
    return made


def starts(handler, jobid, rule, task):
    handler.emit(
        record(event=LogEvent.JOB_INFO, jobid=jobid, rule_name=rule, wildcards={"task": task})
    )


def ends(handler, jobid, done):
    handler.emit(record(f"Finished jobid: {jobid}", event=LogEvent.JOB_FINISHED, job_id=jobid))
    handler.emit(record(event=LogEvent.PROGRESS, done=done, total=5))


def test_snakemake_finds_the_plugin_on_the_path():
    code = "from snakemake_interface_logger_plugins.registry import LoggerPluginRegistry as R; "
    code += "r = R(); r.collect_plugins(); print(r.get_registered_plugins())"
    command = [sys.executable, "-c", code]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert "tunescape" in said


def test_without_a_terminal_a_line_comes_now_and_then(handler, monkeypatch):
    monkeypatch.setattr(plugin, "EVERY", 0.05)
    shown = handler()
    shown.show_progress(Progress(JOBS, 2, 0), 5, False)
    starts(shown, 1, "prepare", "a")
    shown._stop.wait(0.5)
    ends(shown, 1, 1)
    starts(shown, 2, "train", "a")
    shown._stop.wait(0.5)
    shown.close()
    lines = shown.stream.getvalue().splitlines()
    assert all(re.match(r"\d of 5 jobs done", line) for line in lines)
    assert any(line.startswith("0 of 5 jobs done (data 0 of 2), ") for line in lines)
    assert any(line.startswith("1 of 5 jobs done (finetune 0 of 2), ") for line in lines)
    assert all(line.endswith(" left") for line in lines[:-1])
    assert re.fullmatch(r"1 of 5 jobs done in 0 min \d s", lines[-1])
    assert "\x1b" not in shown.stream.getvalue()


def test_on_a_terminal_one_line_lives(handler, monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    shown = handler(terminal=True)
    shown.show_progress(Progress(JOBS, 2, 0), 5, False)
    starts(shown, 1, "prepare", "a")
    shown._stop.wait(1.5)
    shown.emit(record("careful", logging.WARNING))
    text = shown.stream.getvalue()
    lives, said = text.split("\r\x1b[2K")
    assert lives == "\x1b[2K0 of 5 jobs done (data 0 of 2), 115 s left"[: 4 + 39] + "\r"
    assert said == "careful\n", "a message has a line of its own"


@pytest.mark.parametrize(
    ("message", "level", "shown"),
    [
        ("Building DAG of jobs...", logging.INFO, False),
        ("Nothing to be done (all files are up to date).", logging.INFO, True),
        ("Tunescape: every figure and table is in results/figures", logging.INFO, True),
        ("3 results were made with torch 2.8", logging.WARNING, True),
        ("Directory cannot be locked.", logging.ERROR, True),
    ],
)
def test_messages_that_a_user_needs_stay(handler, message, level, shown):
    one = handler()
    one.emit(record(message, level))
    assert one.stream.getvalue() == (f"{message}\n" if shown else "")


FAILED = {"event": LogEvent.JOB_ERROR, "jobid": 1, "rule_name": "train", "level": logging.ERROR}
TRACEBACK = (
    "2026-01-01 ERROR train failed\nTraceback (most recent call last):\n"
    '  File "x.py", line 3, in f\n    raise UserError\n'
    "workflow_scripts.common.errors.UserError: points: got 0, expected 2 or more\n"
)


def test_a_failed_job_on_a_cluster_gives_its_reason_and_its_log(handler, tmp_path):
    log = tmp_path / "a.log"
    log.write_text(TRACEBACK)
    shown = handler()
    shown.show_progress(Progress(JOBS, 2, 0), 5, True)
    starts(shown, 1, "train", "a")
    shown.emit(record(log=[str(log)], **FAILED))
    assert shown.stream.getvalue() == f"train: points: got 0, expected 2 or more (log: {log})\n"
    assert shown.progress.line(0.0).startswith("0 of 5 jobs done, 1 failed, ")


def test_a_failed_job_on_this_machine_has_printed_its_reason_itself(handler, tmp_path):
    log = tmp_path / "a.log"
    shown = handler()
    log.write_text(TRACEBACK)
    shown.emit(record(log=[str(log)], **FAILED))
    assert shown.stream.getvalue() == ""
    log.write_text("2026-01-01 INFO killed in the middle of it\n")
    shown.emit(record(log=[str(log)], **FAILED))
    assert shown.stream.getvalue() == f"train: failed without a reason (log: {log})\n"


@pytest.mark.parametrize(
    ("exception", "text", "expected"),
    [
        ("RuleException", 'RuleException in file "a.smk", line 3:\nCommand failed', ""),
        ("WorkflowError", "WorkflowError:\nAt least one job did not complete successfully.", ""),
        (
            "MissingInputException",
            'MissingInputException in file "a", line 3:\nMissing x\n  File "a", line 3, in f',
            'MissingInputException in file "a", line 3:\nMissing x\n',
        ),
        (
            "FileNotFoundError",
            'Traceback (most recent call last):\n  File "a.py", line 3\n\nFileNotFoundError: no x',
            "FileNotFoundError: no x (more with VERBOSE=1)\n",
        ),
    ],
)
def test_an_error_has_no_traceback_and_is_not_repeated(handler, exception, text, expected):
    shown = handler()
    shown.emit(record(text, logging.ERROR, event=LogEvent.ERROR, exception=exception))
    assert shown.stream.getvalue() == expected


def test_jobs_are_counted_where_the_time_is_not_known(handler):
    shown = handler()
    shown.show_progress(None, 5, False)
    starts(shown, 1, "train", "a")
    ends(shown, 1, 1)
    assert shown.stream.getvalue() == "1 of 5 jobs done\n"


@pytest.mark.parametrize("settings", [{"verbose": True}, {"dryrun": True}])
def test_a_dry_run_and_verbose_output_are_snakemakes(handler, settings):
    shown = handler(**settings)
    shown.emit(record("Building DAG of jobs..."))
    assert shown.stream.getvalue() == "Building DAG of jobs...\n"


def test_a_job_that_the_plan_expected_and_that_is_up_to_date_is_left_out(handler):
    shown = handler()
    shown.show_progress(Progress(JOBS, 2, 0), 6, False)
    shown.emit(record(event=LogEvent.PROGRESS, done=1, total=4))
    assert shown.progress.line(0.0).startswith("0 of 3 jobs done, ")
