"""The tutorial's transcripts are what the commands print, but for numbers and names of folders."""

import itertools
import re

import pandas as pd
import pytest

from tests.docs.pages import ROOT
from workflow_scripts.experiment.start import where_results_are
from workflow_scripts.plan.own import main
from workflow_scripts.report.ledger import as_markdown
from workflow_scripts.stages import STAGES

PAGE = (ROOT / "docs/tutorial.md").read_text(encoding="utf-8")


def shown(command: str) -> list[str]:
    """What the page shows below a command, as lines without indentation."""
    block = PAGE.split(f"    $ {command}\n")[1]
    lines = itertools.takewhile(lambda line: not line or line.startswith("    "), block.split("\n"))
    return [line.strip() for line in lines if line.strip()]


def alike(line: str) -> str:
    """A line without its numbers, units of size and time, and widths."""
    line = re.sub(r"\d[\d,.]*( [kMG]B| min| s| h)?", "N", line)
    return re.sub(r"-{3,}", "---", re.sub(r"\s+", " ", line)).strip()


@pytest.fixture(scope="module")
def reviews(tmp_path_factory):
    """A task like that of the page: two classes, single sentences."""
    folder = tmp_path_factory.mktemp("data") / "reviews"
    folder.mkdir()
    for split, count in (("train", 60), ("dev", 60)):
        rows = [f"The film number {i} was {('bad', 'good')[i % 3 > 0]}." for i in range(count)]
        rows = [f"{text}\t{('negative', 'positive')['good' in text]}" for text in rows]
        (folder / f"{split}.tsv").write_text("\n".join(["sentence\tlabel", *rows]) + "\n")
    return folder


def test_own_prints_what_the_page_shows(reviews, tmp_path, capfd):
    main(["--task", str(reviews), "--name", str(tmp_path / "experiments/reviews.yaml")])
    printed = capfd.readouterr().out.replace(str(reviews.parent), "/home/me/data")
    printed = printed.replace(f"{tmp_path}/", "")
    lines = [alike(line) for line in printed.split("\n")]
    for line in shown("make own TASK=/home/me/data/reviews"):
        if line == "...":
            continue
        # Each line of the page, in the order in which it is printed.
        assert alike(line) in lines, line
        lines = lines[lines.index(alike(line)) + 1 :]


def test_the_page_is_half_as_long_as_it_was():
    assert len(PAGE.split("\n")) <= 111
    assert len(PAGE) <= 6000


def test_the_run_prints_what_the_page_shows(tmp_path, monkeypatch):
    *progress, where, page, whole = shown("make figures EXPERIMENT=experiments/reviews.yaml")
    # The jobs of the plan above.
    of_stage = re.findall(r"^    (\w+) +(\d+) +\d+\.\d\d ", PAGE, re.MULTILINE)
    jobs = {stage: int(count) for stage, count in of_stage}
    assert set(jobs) - {"total"} <= {stage.name for stage in STAGES}
    for line in progress:
        at_work = re.fullmatch(r"(\d+) of (\d+) jobs done \((.*)\), \d+ (?:s|min) left", line)
        assert int(at_work[2]) == jobs["total"]
        for stage, done, count in re.findall(r"(\w+) (\d+) of (\d+)", at_work[3]):
            assert int(done) <= int(count) == jobs.get(stage, int(count))
    monkeypatch.chdir(tmp_path)
    atlas = tmp_path / "results/report/minilm/atlas.html"
    atlas.parent.mkdir(parents=True)
    atlas.touch()
    said = where_results_are(["results/report/minilm/atlas.html"], str(tmp_path))
    expected = [f"Tunescape: {line}".replace("results", "runs/reviews/results", 1) for line in said]
    assert [where, page] == expected
    assert re.fullmatch(rf"{jobs['total']} of {jobs['total']} jobs done in \d+ min \d+ s", whole)


def test_the_ledger_has_the_table_that_the_page_shows():
    run = {"name": "reviews", "task": "reviews", "seeds": "init0_order0", "majority": 0.533}
    outcomes = pd.DataFrame(
        [
            {**run, "start": "scratch", "accuracy": 0.680, "failed": False},
            {**run, "start": "pretrained", "accuracy": 0.807, "failed": False},
        ]
    )
    page = as_markdown(pd.DataFrame({"claim": []}), outcomes, "Claims")
    page = page[page.index("## Did the runs learn?") :]
    rows = [line for line in page.split("\n") if line.startswith(("| ", "|-", "## "))]
    (block,) = re.findall(r"    ## Did the runs learn\?\n(?:\n|    .*\n)+", PAGE)
    assert [line.strip() for line in block.split("\n") if line.strip()] == rows
