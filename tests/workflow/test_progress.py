"""What a user sees of a run with the plugin of `make figures`, from Snakemake itself."""

import re
import subprocess

import pytest

from tests.workflow.conftest import ROOT, run_snakemake
from workflow_scripts.common.errors import UserError
from workflow_scripts.plan.__main__ import read_settings

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
    (reason,) = (line for line in lines(failed) if line.startswith("choose_examples: "))
    log = "results/logs/landscape/choose_examples/entailment.log"
    assert "results/data/entailment/train.parquet: is damaged" in reason
    assert reason.endswith(f"(log: {log})")
    assert (tmp_path / log).is_file()
    assert re.match("0 of 1 jobs done, 1 failed in ", lines(failed)[-1])


def test_a_file_that_no_rule_makes_is_named_without_a_traceback(tmp_path):
    done = run_snakemake(tmp_path, "results/nothing", *LOGGER)
    assert done.returncode == 1
    assert "No rule to produce results/nothing" in done.stderr
    assert "Traceback" not in done.stderr
    assert len(lines(done)) == 2


def test_a_mistake_in_yaml_is_named_with_its_place(tmp_path):
    overlay = tmp_path / "mine.yaml"
    overlay.write_text("landscape:\n\tpoints: 3\n")
    command = ["snakemake", *CARDS, "--cores", "1", *LOGGER, "--directory", str(tmp_path)]
    command += ["--snakefile", str(ROOT / "Snakefile"), "--configfile", str(overlay)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    (line,) = lines(done)
    assert line.startswith(f"Tunescape: {overlay}: line 2, column 1: ")
    with pytest.raises(UserError) as error:
        read_settings([overlay])
    assert line == f"Tunescape: {error.value}", "the plan says the same"
