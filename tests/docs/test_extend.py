"""The examples of docs/howto/extend.md, carried out in a copy of the repository by its own text."""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
import pytest

from tests.docs.pages import ROOT
from workflow_scripts.common.tables import read_table
from workflow_scripts.reference.__main__ import documents

pytestmark = pytest.mark.slow

PAGE = (ROOT / "docs/howto/extend.md").read_text(encoding="utf-8")
# The stage that each example belongs to, and the rules that it makes run: no others.
STAGE_OF = {"figure": "finetune", "claim": "report", "stage": "lengths", "model family": "model"}
STALE = {
    "figure": {"draw_gradient_norms", "write_atlas"},
    # Figures with a line of result below them follow the ledger.
    "claim": {"evaluate_claims", "draw_radii", "draw_table1", "write_atlas"}
    | {f"draw_figure{number}" for number in range(1, 8)},
    "stage": {"count_tokens", "draw_lengths", "write_atlas"},
}
_BLOCK = re.compile(
    r"^(?:`(?P<path>[\w./]+)`:\n\n)?```(?P<kind>\w+)\n(?P<text>.*?)^```$", re.M | re.S
)


@dataclass
class Example:
    """A section of the page: files by their path, diffs by theirs, and commands.

    ``files`` and ``diffs`` are what the reader writes; ``commands`` is the shell text in its order.
    """

    files: dict[str, str] = field(default_factory=dict)
    diffs: dict[str, str] = field(default_factory=dict)
    commands: list[str] = field(default_factory=list)

    @property
    def touched(self) -> set[str]:
        """Files that the reader writes or changes, those of ``touch`` too."""
        made = re.findall(r"^touch (.*)$", "\n".join(self.commands), re.MULTILINE)
        return {*self.files, *self.diffs, *(path for line in made for path in line.split())}


def example(name: str) -> Example:
    """The section of this name."""
    section = re.search(rf"^## A {name}\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    read = Example()
    for block in _BLOCK.finditer(section[1]):
        path, kind, text = block["path"], block["kind"], block["text"]
        if kind == "sh":
            read.commands.append(text)
        else:
            (read.diffs if kind == "diff" else read.files)[path] = text
    return read


EXAMPLES = {name: example(name) for name in STAGE_OF}


def patched(text: str, diff: str) -> str:
    """A text after a diff without line numbers: hunks are separated by ``@@``.

    Raises
    ------
    ValueError
        If a hunk's old lines are not in the text, or in several places.
    """
    for hunk in diff.split("@@\n"):
        lines = hunk.splitlines(keepends=True)
        old, new = ("".join(one[1:] for one in lines if one[0] in marks) for marks in (" -", " +"))
        places = len(re.findall(rf"^{re.escape(old)}", text, re.MULTILINE))
        if places != 1:
            raise ValueError(f"expected one place, got {places}: {old!r}")
        text = re.sub(rf"^{re.escape(old)}", lambda _, new=new: new, text, flags=re.MULTILINE)
    return text


def shell(folder: Path, command: str) -> str:
    """What a command prints in a folder, with this Python first on the path; it must succeed."""
    done = subprocess.run(
        ["sh", "-ec", command],
        cwd=folder,
        env=os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    said = done.stdout + done.stderr
    assert done.returncode == 0, f"{command}\n{said[-3000:]}"
    return said


def follow(repository: Path, name: str) -> None:
    """Write and change the files of an example, after the commands that come before them."""
    steps = EXAMPLES[name]
    for command in steps.commands[:-1]:
        shell(repository, command)
    for path, text in steps.files.items():
        assert not (repository / path).exists(), path
        (repository / path).write_text(text, encoding="utf-8")
    for path, diff in steps.diffs.items():
        text = (repository / path).read_text(encoding="utf-8")
        (repository / path).write_text(patched(text, diff), encoding="utf-8")


def planned(repository: Path) -> set[str]:
    """Rules that a dry run of the smoke experiment in ``runs/smoke`` would run."""
    smoke = "--cores 2 --directory runs/smoke --configfile experiments/smoke.yaml"
    said = shell(repository, f"snakemake results/figures/all --dry-run {smoke}")
    if "Nothing to be done" in said:
        return set()
    listed = re.search(r"Job stats:\njob +count\n-+ +-+\n(.*?)\ntotal", said, re.DOTALL)
    assert listed, said[-2000:]
    return {line.split()[0] for line in listed[1].splitlines()} - {"results/figures/all"}


@pytest.fixture(scope="module")
def repository(smoke_run, tmp_path_factory) -> Path:
    """A copy of the repository in which the smoke experiment has run."""
    top = tmp_path_factory.mktemp("extend") / "repository"
    apart = shutil.ignore_patterns(".venv", ".git", "results", "runs", "__pycache__", ".*_cache")
    shutil.copytree(ROOT, top, ignore=apart)
    shutil.copytree(smoke_run, top / "runs/smoke")
    return top


@pytest.fixture(scope="module")
def extended(repository) -> dict[str, tuple[set[str], set[str]]]:
    """Figure, claim and stage added in turn: what each made stale, before and after it ran."""
    assert planned(repository) == set()
    answers = {}
    for name in STALE:
        follow(repository, name)
        before = planned(repository)
        shell(repository, EXAMPLES[name].commands[-1])
        answers[name] = before, planned(repository)
    return answers


@pytest.mark.parametrize("name", STALE)
def test_an_example_makes_stale_what_it_adds_and_nothing_else(extended, name):
    before, after = extended[name]
    assert before == STALE[name]
    # The commands make the figure; the page with all results waits for the whole run.
    assert after <= {"write_atlas"}


@pytest.mark.parametrize("figure", ["gradient_norms", "lengths"])
def test_the_figures_are_drawn(extended, repository, figure):
    made = repository / "runs/smoke/results/figures/tiny" / figure
    assert made.with_suffix(".pdf").read_bytes().startswith(b"%PDF")
    assert made.with_suffix(".png").read_bytes().startswith(b"\x89PNG")
    assert set(pd.read_csv(made.with_suffix(".csv"))["task"]) == {"entailment", "sentiment"}


def test_the_claim_is_in_the_ledger(extended, repository):
    ledger = read_table(repository / "runs/smoke/results/report/tiny/claims.parquet")
    rows = ledger[ledger["claim"] == "shorter_steps"]
    assert rows["task"].tolist() == ["Entailment", "Sentiment"]
    assert rows["value"].between(0, 10).all()


def test_the_stage_counts_the_tokens_of_every_example(extended, repository):
    results = repository / "runs/smoke/results"
    table = read_table(results / "lengths/tiny/entailment/lengths.parquet")
    assert table["split"].value_counts().to_dict() == {"train": 64, "dev": 32}
    assert table["tokens"].min() > 2


def test_all_documents_and_checks_of_the_structure_hold(extended, repository):
    shell(
        repository,
        f"{sys.executable} -m pytest -q -p no:cacheprovider -m 'not slow' tests/structure "
        "tests/reference tests/plan/test_plan.py::"
        "test_every_rule_is_priced_by_one_stage_and_every_price_is_used",
    )
    page = (repository / "docs/reference/outputs.md").read_text(encoding="utf-8")
    assert "`lengths.csv`" in page
    assert "`gradient_norms.csv`" in page
    assert "## `lengths`" in (repository / "docs/reference/config.md").read_text(encoding="utf-8")


def test_the_text_of_the_examples_is_formatted(extended, repository):
    changed = [path for name in STALE for path in EXAMPLES[name].touched]
    python = " ".join(sorted({path for path in changed if path.endswith(".py")}))
    shell(repository, f"ruff check {python} && ruff format --check {python}")
    shell(repository, "snakefmt --check rules/lengths.smk")


def test_the_family_equals_transformers(extended, repository):
    """Last, as a new family is part of the code of all that runs a model."""
    follow(repository, "model family")
    said = shell(repository, EXAMPLES["model family"].commands[-1])
    assert int(re.search(r"(\d+) passed", said)[1]) > 15
    assert "failed" not in said


@pytest.mark.parametrize("name", STAGE_OF)
def test_the_page_counts_the_files_of_each_example(name):
    touched = EXAMPLES[name].touched
    stage = STAGE_OF[name]
    own = re.compile(rf"(workflow_scripts|tests)/{stage}/.*|rules/{stage}\.smk")
    outside = {path for path in touched if not own.fullmatch(path)}
    row = re.search(rf"^\| \[{name}\]\(\S+\) \| (\d+) \| (\d+) \|$", PAGE, re.MULTILINE)
    assert (len(touched), len(outside)) == (int(row[1]), int(row[2]))
    assert len(outside) <= {"figure": 4, "claim": 3, "stage": 4, "model family": 3}[name]
    assert not touched & set(documents())


def test_a_diff_changes_the_one_place_that_it_names():
    text = "a\nb\nc\na\nd\n"
    assert patched(text, " b\n+x\n@@\n-d\n+e\n") == "a\nb\nx\nc\na\ne\n"
    for diff in (" a\n+x\n", " z\n+x\n"):
        with pytest.raises(ValueError, match="expected one place"):
            patched(text, diff)
