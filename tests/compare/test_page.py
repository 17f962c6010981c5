"""The page of the comparison: claims side by side, charts, settings, and no other file needed."""

import base64
import io
import re
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest

from tests.compare.conftest import row
from tests.docs.pages import ROOT, examples
from workflow_scripts.common.tables import read_table, write_table
from workflow_scripts.compare.__main__ import main
from workflow_scripts.compare.experiments import CURVES, read_experiments
from workflow_scripts.compare.page import claim_rows, comparison, differing_settings
from workflow_scripts.report.files import ledger_files


class Page(HTMLParser):
    """Elements of a page with their attributes, and its text."""

    def __init__(self, text: str):
        super().__init__()
        self.elements: list[tuple[str, dict]] = []
        self.words: list[str] = []
        self.feed(text)
        self.text = " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))

    def handle_data(self, data):
        self.words.append(data)

    def all(self, tag: str) -> list[dict]:
        return [attributes for name, attributes in self.elements if name == tag]


def csv_of(link: dict) -> pd.DataFrame:
    kind, _, data = link["href"].partition(",")
    assert kind == "data:text/csv;base64"
    return pd.read_csv(io.BytesIO(base64.b64decode(data)))


def test_a_claim_has_a_row_and_each_task_a_cell_for_every_experiment(experiment):
    folders = [experiment("a"), experiment("b", tasks=("sentiment", "nli2"), level=0.5)]
    (claim,) = claim_rows(read_experiments(folders), "claims")
    assert claim.text == "wider is so (section 1)"
    assert claim.summaries == ("Supported on 2 of 2 tasks; 6 runs.",) * 2
    assert [one.task for one in claim.rows] == [
        f"{task} (synthetic)" for task in ("NLI", "SENTIMENT", "NLI2")
    ]
    nli, sentiment, nli2 = (one.cells for one in claim.rows)
    assert nli[1] is None
    assert nli2[0] is None
    assert [cell.numbers[0].value for cell in sentiment] == ["2 [1.5 to 2.5]", "2.5 [2 to 3]"]
    assert nli[0].verdict == "supported"
    assert len(nli[0].numbers) == 1, "not those that no claim is about"
    assert nli[0].numbers[0].runs == 3


def test_settings_that_differ_are_listed_by_key(experiment):
    both = {"landscape": {"points": 41, "range": [-1, 1]}, "finetune": {"seeds": None}}
    other = {"landscape": {"points": 21, "range": [-1, 1]}, "finetune": {"seeds": None}, "new": 1}
    folders = [experiment("a", settings=both), experiment("b", settings=other)]
    folders.append(experiment("c"))
    experiments = read_experiments(folders)
    assert differing_settings(experiments) == [
        ("landscape.points", ["41", "21", "not known"]),
        ("new", ["–", "1", "not known"]),
    ]
    text = Page(comparison(experiments)).text
    assert "Settings are not known of c: no record of an atlas" in text
    same = [experiment("d", settings=both), folders[0]]
    text = Page(comparison(read_experiments(same))).text
    assert "All settings that change numbers are the same." in text


def test_the_page_needs_no_other_file_and_runs_no_script(experiment):
    text = comparison(read_experiments([experiment("a"), experiment("b")]))
    page = Page(text)
    assert not page.all("script")
    assert not page.all("link")
    assert "default-src 'none'" in page.all("meta")[1]["content"]
    addresses = re.findall(r"""(?:href|src)=["']?([^"' >]+)""", text)
    assert addresses
    assert all(address.startswith(("#", "data:")) for address in addresses)
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(set(ids)) == len(ids)
    for reference in re.findall(r"(?:href=\"|url\()#([^\")]+)", text):
        assert reference in ids


def test_the_same_experiments_give_the_same_page(experiment):
    folders = [experiment("a"), experiment("b")]
    assert comparison(read_experiments(folders)) == comparison(read_experiments(folders))


def test_every_curve_is_drawn_in_the_colours_of_the_experiments(experiment):
    text = comparison(read_experiments([experiment("a"), experiment("b", level=0.1)]))
    page = Page(text)
    labels = [one["aria-label"] for one in page.all("div") if one.get("role") == "img"]
    for curve in CURVES:
        panels = [label for label in labels if label.startswith(f"{curve.title}, ")]
        assert len(panels) == (1 if curve.name == "failed" else 2), curve.name
        assert all("a: " in label and "b: " in label for label in panels)
    drawings = re.findall(r"<svg.*?</svg>", text, re.DOTALL)
    assert len(drawings) == len(labels)
    for drawing in drawings:
        assert "var(--c0)" in drawing
        assert "var(--c1)" in drawing
        assert "currentColor" in drawing
    accuracy = next(label for label in labels if label.startswith("Accuracy on the dev set, NLI"))
    assert "b: fine-tuned 80.5 at 2, from scratch 80.5 at 2" in accuracy


def test_the_downloads_hold_all_numbers(experiment):
    experiments = read_experiments([experiment("a"), experiment("b", level=0.1)])
    page = Page(comparison(experiments))
    links = {link["download"]: csv_of(link) for link in page.all("a") if "download" in link}
    assert set(links) == {"claims.csv", *(f"{curve.name}.csv" for curve in CURVES)}
    every = links["claims.csv"]
    assert len(every) == sum(len(t) for one in experiments for t in one.ledgers.values())
    chosen = every.query("experiment == 'b' and ledger == 'claims' and task == 'SENTIMENT'")
    assert chosen["value"].tolist() == [2.1]
    for curve in CURVES:
        table = links[f"{curve.name}.csv"]
        own = table[table["experiment"] == "b"]["y"].to_numpy()
        assert own == pytest.approx(experiments[1].curves[curve.name]["y"].to_numpy())


def test_what_an_experiment_lacks_is_said(experiment):
    text = Page(comparison(read_experiments([experiment("a"), experiment("b", sweeps=False)]))).text
    assert "b: no record of stability_claims" in text
    assert "not in this experiment" in text
    assert "not evaluated" in text


def test_titles_with_markup_are_escaped(experiment):
    folders = [experiment("a"), experiment("<b>bold</b>".replace("/", "∕"))]
    path = folders[0] / ledger_files("claims", "tiny")["ledger"]
    table = read_table(path)
    wild = "<script>alert('1')</script>"
    extra = pd.DataFrame([row("wild", wild, 1.0, text=wild, measure=wild, why=wild)])
    write_table(pd.concat([table, extra[table.columns]], ignore_index=True), path)
    text = comparison(read_experiments(folders))
    assert "<script" not in text
    assert text.count("&lt;script&gt;alert(") >= 4
    assert wild in Page(text).text


def test_numbers_that_are_missing_or_infinite_are_shown(experiment):
    folders = [experiment("a"), experiment("b")]
    path = folders[0] / ledger_files("claims", "tiny")["ledger"]
    table = read_table(path)
    table.loc[0, ["value", "low", "high"]] = [float("nan")] * 3
    table.loc[1, "high"] = float("inf")
    write_table(table, path)
    (claim,) = claim_rows(read_experiments(folders), "claims")
    values = [one.cells[0].numbers[0].value for one in claim.rows]
    assert values == ["not defined", "2 [1.5 to …]"]


def test_the_command_of_the_howto_writes_the_page(experiment, capsys):
    experiment("smoke")
    experiment("other")
    (_, shown), *_ = examples(ROOT / "docs/howto/compare.md", "console")
    command, printed = shown.strip().split("\n")
    given = re.fullmatch(r'\$ make compare EXPERIMENTS="(.+)"', command)
    main(["--experiments", given[1]])
    assert capsys.readouterr().out.strip() == printed
    assert Path("runs/compare.html").read_text().startswith("<!doctype html>")


def test_paths_with_blanks_are_quoted_as_for_a_shell(experiment, capsys):
    experiment("a b")
    experiment("it's")
    main(["--experiments", "'runs/a b' \"runs/it's\"", "--output", "page.html"])
    assert capsys.readouterr().out == "2 experiments compared in page.html\n"
    with pytest.raises(SystemExit) as end:
        main(["--experiments", "runs/it's"])
    assert end.value.code == 2
    assert "runs/it's" in capsys.readouterr().err


def test_a_mistake_is_one_line(experiment):
    experiment("a")
    with pytest.raises(SystemExit) as end:
        main(["runs/a", "runs/a"])
    assert end.value.code == "compare: experiments: got runs/a twice"
