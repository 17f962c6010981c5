"""Results made with other versions of the libraries: reported, left as they are, or rebuilt."""

from pathlib import Path

import pytest

from workflow_scripts.common.provenance import reach
from workflow_scripts.rebuilds import libraries
from workflow_scripts.rebuilds.libraries import made_with, other_versions
from workflow_scripts.rebuilds.records import write_output_record

# Uses torch and transformers, but no scipy.
LIBRARIES = reach("workflow_scripts/model/draw_scratch.py").libraries
OUTPUT = "results/model/tiny/scratch/init0.safetensors"
NOW = {"python": "3.12.0", "torch": "2", "transformers": "4", "tokenizers": "1", "scipy": "1"}
USED = {"torch": "2", "transformers": "4", "tokenizers": "1"}


@pytest.fixture(autouse=True)
def _in_a_folder_with_these_versions(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(libraries, "_installed_versions", lambda: NOW)
    monkeypatch.setattr(libraries, "versions", lambda: NOW)


def record(params: dict | None, ran_with: dict, output: str = OUTPUT) -> None:
    """Write a record as a job does: versions among its params, and versions that it ran with."""
    Path(output).parent.mkdir(parents=True, exist_ok=True)
    Path(output).write_text("made")
    write_output_record(output, {"libraries": params, "versions": ran_with})


OLD = USED | {"torch": "1"}


@pytest.mark.parametrize("renew", [False, True])
def test_without_a_record_the_versions_are_those_of_the_libraries_used(renew):
    assert made_with(LIBRARIES, OUTPUT, renew) == USED
    record(None, NOW)  # of a rule without versions among its params
    assert made_with(LIBRARIES, OUTPUT, renew) == USED


@pytest.mark.parametrize(
    ("params", "ran_with", "renewed"),
    [
        pytest.param(USED, NOW, USED, id="the same"),
        pytest.param(USED, NOW | {"scipy": "0"}, USED, id="another of a library it does not use"),
        pytest.param(OLD, NOW | OLD, USED, id="another of one it uses"),
        pytest.param({"torch": "2"}, {"torch": "2"}, USED, id="one that was not installed"),
        # It ran again for another reason, with the params of the file before.
        pytest.param(OLD, NOW, OLD, id="the same by now"),
    ],
)
def test_params_hold_the_versions_that_made_the_file_unless_it_shall_be_rebuilt(
    params, ran_with, renewed
):
    record(params, ran_with)
    assert made_with(LIBRARIES, OUTPUT, renew=False) == params
    assert made_with(LIBRARIES, OUTPUT, renew=True) == renewed


def test_a_rebuilt_file_is_fresh():
    record(OLD, NOW | OLD)
    params = made_with(LIBRARIES, OUTPUT, renew=True)
    record(params, NOW)
    assert made_with(LIBRARIES, OUTPUT, True) == made_with(LIBRARIES, OUTPUT, False) == params


def test_versions_that_come_back_count_too():
    # Its params had today's versions and it ran with others; Snakemake compares the params.
    record(USED, NOW | OLD)
    params = made_with(LIBRARIES, OUTPUT, renew=True)
    assert params != USED
    assert made_with(LIBRARIES, OUTPUT, renew=False) == USED
    record(params, NOW)
    assert made_with(LIBRARIES, OUTPUT, renew=True) == params
    assert other_versions() == {}


def test_other_versions_are_reported_with_the_number_of_files():
    assert other_versions() == {}
    record(USED, NOW, "results/a.txt")
    assert other_versions() == {}
    record(OLD, NOW | OLD, "results/b.txt")
    record(OLD, NOW | OLD, "results/below/c.txt")
    record(USED, NOW | {"tokenizers": "0"}, "results/d.txt")
    assert other_versions() == {"torch 1 (now 2)": 2, "tokenizers 0 (now 1)": 1}


@pytest.mark.parametrize(
    ("params", "ran_with"),
    [
        pytest.param(None, {"torch": "1"}, id="none among the params"),
        pytest.param({"torch": "2"}, {"torch": "2", "scipy": "0"}, id="does not use it"),
        pytest.param({"torch": "1"}, {"torch": "2"}, id="ran with today's"),
        pytest.param({"pandas": "1"}, {"pandas": "1"}, id="is not installed"),
        pytest.param({"torch": "2"}, {}, id="nothing is known"),
    ],
)
def test_only_libraries_that_made_a_file_and_are_installed_count(params, ran_with):
    record(params, ran_with)
    assert other_versions() == {}


def test_a_deleted_file_does_not_count():
    record(OLD, NOW | OLD)
    assert other_versions() == {"torch 1 (now 2)": 1}
    Path(OUTPUT).unlink()
    assert other_versions() == {}
