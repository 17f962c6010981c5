"""What a user sees of a run with the plugin of `make figures`, from Snakemake itself."""

import re

import pytest

from tests.workflow.conftest import ROOT, run_snakemake

CARDS = "results/data/entailment/card.json", "results/data/sentiment/card.json"
LOGGER = "--logger", "tunescape"


@pytest.fixture(autouse=True)
def found(monkeypatch):
    """The plugin is on the path, as the Makefile puts it there."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))


def lines(run) -> list[str]:
    first, *rest = run.stderr.splitlines()
    assert first.startswith("Using workflow specific profile")
    return rest


def test_a_run_says_how_far_it_came_and_a_failing_job_gives_one_line(tmp_path):
    done = run_snakemake(tmp_path, *CARDS, *LOGGER)
    assert done.returncode == 0, done.stderr
    (last,) = (line for line in lines(done) if not line.endswith(" left"))
    assert re.fullmatch(r"2 of 2 jobs done in \d+ min \d+ s", last)
    again = run_snakemake(tmp_path, *CARDS, *LOGGER)
    assert len(lines(again)) == 1
    assert "Nothing to be done" in again.stderr

    (tmp_path / "results/data/entailment/train.parquet").write_text("damaged")
    target = "results/landscape/examples_entailment.parquet"
    failed = run_snakemake(tmp_path, target, *LOGGER)
    assert failed.returncode == 1
    assert "Traceback" not in failed.stderr
    (reason,) = (line for line in lines(failed) if "train.parquet" in line)
    log = "results/logs/landscape/choose_examples/entailment.log"
    assert reason.startswith("choose_examples: results/data/entailment/train.parquet: is damaged")
    assert reason.endswith(f"(log: {log})")
    assert (tmp_path / log).is_file()
    assert re.match("0 of 1 jobs done, 1 failed in ", lines(failed)[-1])


def test_a_file_that_no_rule_makes_is_named_without_a_traceback(tmp_path):
    done = run_snakemake(tmp_path, "results/nothing", *LOGGER)
    assert done.returncode == 1
    assert "No rule to produce results/nothing" in done.stderr
    assert "Traceback" not in done.stderr
    assert len(lines(done)) == 2
