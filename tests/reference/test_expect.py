"""The page of what to expect has the figures and the numbers of one run, and nothing else."""

import io
import json
import os
import re
import subprocess

import numpy as np
import pandas as pd
import pytest
import yaml
from PIL import Image

from tests.workflow.conftest import ROOT
from workflow_scripts.common.errors import UserError
from workflow_scripts.common.tables import set_record, write_json
from workflow_scripts.common.titles import TaskTitle
from workflow_scripts.experiment.config import validated
from workflow_scripts.reference import expect
from workflow_scripts.reference.__main__ import EXPECT, expected, main
from workflow_scripts.report.ledger import Claim, concluded, decided, ledger_table, write_ledger
from workflow_scripts.stability.intervals import Interval
from workflow_scripts.stages import STAGES

PAGE = (ROOT / EXPECT).read_text(encoding="utf-8")
IMAGES = sorted((ROOT / "docs/images").glob("*.png"))


def drawn_by_default() -> list:
    settings = validated(yaml.safe_load((ROOT / "config.yaml").read_text()))
    return [figure for stage in STAGES for figure in stage.figures if figure.drawn(settings)]


def generated(page: str, part: str) -> str:
    return page.split(f"<!-- generated: {part} -->")[1].split("<!-- end -->")[0]


@pytest.fixture
def results(tmp_path):
    """A finished run with invented numbers: a surface, a table, and one ledger, in a checkout."""
    for command in (["init", "-q"], ["commit", "-q", "--allow-empty", "-m", "first"]):
        git = ["git", "-c", "user.name=a", "-c", "user.email=a@b", *command]
        subprocess.run(git, cwd=tmp_path, check=True)
    folder = tmp_path / "results"
    figures, report = folder / "figures/tiny", folder / "report/tiny"
    figures.mkdir(parents=True)
    report.mkdir(parents=True)
    waves = np.sin(np.arange(200) / 9)[:, None] + np.sin(np.arange(300) / 7)
    shades = (64 * (waves + 2)).astype(np.uint8)
    Image.fromarray(np.stack([shades, shades, 255 - shades], -1)).save(figures / "figure1.png")
    Image.new("RGB", (9, 9)).save(figures / "table1.png")
    (figures / "table1.md").write_text("# Table 1\n\n| a | b |\n|---|---|\n| 12.5 | 7 |\n")
    rows = {"m": decided("radius", Interval(1.75, 1.5, 2), "above", 1, 3)}
    claim = Claim(
        "wider_optimum", "Optima are wide", "p. 1", str, lambda _: [concluded(TITLE, rows)]
    )
    outcomes = pd.DataFrame(
        {"name": "t", "task": "t", "start": ["pretrained"], "seeds": "init0_order0"}
        | {"accuracy": [0.75], "majority": 0.5, "failed": [False]}
    )
    set_record({"versions": {"python": "3.1", "torch": "2.2", "transformers": "5.5"}})
    paths = [report / f"claims.{kind}" for kind in ("parquet", "csv", "md")]
    write_ledger(ledger_table([claim], ["t"]), outcomes, *paths)
    set_record({})
    write_json({"source": "random:bert"}, _made(folder / "model/tiny/card.json"))
    for name, seconds in (("a", 100.0), ("b", 200.5)):
        record = json.dumps({"cpu_time": seconds, "s": 1.0})
        _made(folder / f"benchmarks/data/rule/{name}.jsonl").write_text(f"{record}\n")
    return folder


TITLE = TaskTitle(name="t", title="Task", synthetic=True)


def _made(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def test_the_parts_have_the_numbers_of_the_run(results):
    parts = expect.parts(results)
    assert list(parts) == ["run", "claims", "figure1", "table1"]
    assert "2 jobs, 5 minutes of processor time" in parts["run"]
    assert "Python 3.1, PyTorch 2.2, transformers 5.5" in parts["run"]
    assert "| t | pretrained | init0_order0 | 75.0 % | 50.0 % |  |" in parts["run"]
    assert re.search(r"commit [0-9a-f]{7,} of \d{4}-\d\d-\d\d", parts["run"])
    words = expect.sentences()["wider_optimum"]  # those of today, not those of the ledger
    assert f"| {words} | supported (Task) |" in parts["claims"]
    assert f"**{words}.** Supported on 1 of 1 task; 3 runs." in parts["figure1"]
    assert "Task: radius: 1.75 [1.5 to 2]." in parts["figure1"]
    assert parts["figure1"].startswith("![training-loss surfaces](../images/figure1.png)")
    assert parts["table1"].startswith("| a | b |\n|---|---|\n| 12.5 | 7 |")


def test_the_commit_is_that_at_the_time_of_the_run(results):
    before = expect.parts(results)["run"]
    log = results.parent / ".git/logs/HEAD"
    hour = re.sub(r"(\d{10}) ", lambda at: f"{int(at[1]) - 3600} ", log.read_text())
    log.write_text(hour)  # the first commit was an hour ago
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-q", "--allow-empty"]
    for path in results.rglob("*"):
        os.utime(path, (path.stat().st_mtime - 60,) * 2)
    subprocess.run([*git, "-m", "second"], cwd=results.parent, check=True)
    assert expect.parts(results)["run"] == before


def test_a_reduced_picture_is_smaller_and_looks_the_same(results):
    ((name, small),) = expect.images(results)
    whole = (results / "figures/tiny" / name).read_bytes()
    assert len(small) < len(whole)
    pixels = [
        np.asarray(Image.open(io.BytesIO(data)).convert("RGB"), int) for data in (whole, small)
    ]
    assert pixels[0].shape == pixels[1].shape
    assert np.abs(pixels[0] - pixels[1]).max() <= 16


def test_a_run_without_figures_is_refused_in_one_line(tmp_path, capsys):
    with pytest.raises(UserError, match="expected figures of one model, got 0"):
        expect.parts(tmp_path)
    with pytest.raises(SystemExit, match=r"^expect: .*expected figures of one model"):
        main(["expect", str(tmp_path)])


def test_a_run_with_other_figures_than_the_page_is_refused(results):
    with pytest.raises(UserError, match=r"differ in what they have: dynamics1, "):
        expected(results)


def test_the_page_has_figures_that_the_default_draws():
    # A new figure is asked for by the command, when the page is filled from the next run.
    parts = re.findall(r"<!-- generated: (\S+) -->", PAGE)
    assert len(parts) == len(set(parts))
    assert parts[:2] == ["run", "claims"]
    assert set(parts[2:]) <= {figure.name for figure in drawn_by_default()}
    assert len(parts) > 25
    for part in parts:
        assert generated(PAGE, part).strip(), f"{part} is empty: fill the page from a finished run"


def test_the_page_is_of_a_run_with_the_claims_that_the_code_has():
    sentences = set(expect.sentences().values())
    listed = re.findall(r"(?m)^\| ([^*|]+) \| ", generated(PAGE, "claims"))[1:]
    assert set(listed) <= sentences, "run python -m workflow_scripts.reference expect RESULTS"
    assert len(listed) > 20


def test_the_pictures_are_those_that_pages_show_and_small():
    pages = "".join(path.read_text() for path in (ROOT / "README.md", ROOT / EXPECT))
    assert {path.name for path in IMAGES} == set(re.findall(r"images/([\w.]+)\)", pages))
    assert sum(path.stat().st_size for path in IMAGES) <= 2.5e6
