"""The page as a file: what it holds, what it never holds, and what it says of broken results."""

import base64
import hashlib
import logging
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.atlas.invented import MARKUP, SECTIONS, TASKS, Invented
from workflow_scripts.atlas.page import MODULES, joined_modules, plotly_code
from workflow_scripts.common.errors import UserError
from workflow_scripts.common.tables import read_table, write_table
from workflow_scripts.report.embedded import as_columns, as_table, compressed, embedded


class Parsed(HTMLParser):
    """Elements of a page, each with its attributes, and the text outside scripts and styles."""

    def __init__(self, page: Path):
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.words: list[str] = []
        self.scripts: list[str] = []
        self._inside = ""
        self.source = page.read_text(encoding="utf-8")
        self.feed(self.source)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        self._inside = tag if tag in ("script", "style") else ""
        if tag == "script":
            self.scripts.append("")

    def handle_endtag(self, tag):
        self._inside = ""

    def handle_data(self, data):
        if self._inside == "script":
            self.scripts[-1] += data
        elif not self._inside:
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


@pytest.fixture(scope="session")
def parsed(page) -> Parsed:
    return Parsed(page)


def test_nothing_is_taken_from_elsewhere(parsed):
    for tag, attributes in parsed.elements:
        for name in ("src", "href", "action", "data", "poster", "srcset"):
            value = attributes.get(name) or ""
            inside = value.startswith(("data:image/", "#")) or not value
            assert inside, f"{tag} {name}={value[:80]}"
    (style,) = re.findall(r"<style>(.*?)</style>", parsed.source, re.DOTALL)
    assert not re.search(r"url\(|@import", style)


def test_the_policy_allows_the_two_scripts_by_their_hash_and_no_host(parsed):
    policy = next(a["content"] for t, a in parsed.elements if t == "meta" and "http-equiv" in a)
    code = [
        text
        for (_, attributes), text in zip(
            ((t, a) for t, a in parsed.elements if t == "script"), parsed.scripts, strict=True
        )
        if attributes.get("type") != "application/octet-stream"
    ]
    expected = {
        f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
        for text in (*code, plotly_code())
    }
    assert len(code) == 1
    directives = dict(part.strip().split(" ", 1) for part in policy.split(";"))
    assert set(directives["script-src"].split()) == expected
    assert directives["default-src"] == "'none'"
    assert "http" not in policy
    assert "eval" not in policy


def test_modules_are_joined_without_a_name_twice():
    joined = joined_modules()
    names = re.findall(
        r"^(?:async )?(?:function|const|let|class) (\w+)", joined, flags=re.MULTILINE
    )
    assert len(names) == len(set(names)) > 20
    assert not re.search(r"^(import|export) ", joined, flags=re.MULTILINE)
    assert set(MODULES[0].parent.iterdir()) == set(MODULES)


def test_modules_import_only_from_those_before_them():
    for place, module in enumerate(MODULES):
        imported = re.findall(r'from "\./(\w+\.mjs)"', module.read_text(encoding="utf-8"))
        assert set(imported) <= {earlier.name for earlier in MODULES[:place]}


def test_every_claim_is_named_with_its_verdicts_and_runs(parsed):
    for name in ("claims", "dynamics_claims"):
        for claim in range(2):
            assert (
                f"Claim {claim} of {name} section 5.{claim} supported 1 of 2 inconclusive 1 of 2 "
                "6 runs" in parsed.text
            )


def test_the_first_screen_says_what_was_run(parsed):
    text = parsed.text
    assert "tiny : bert, 3 layers, 32 wide, 58,848 parameters, random weights" in text.replace(
        "tiny:", "tiny :"
    )
    assert "4: 2 fine-tuned, 2 from scratch ; none failed" in text.replace("scratch;", "scratch ;")
    assert text.count("synthetic") >= 2


def test_titles_with_markup_are_text(parsed):
    assert MARKUP in parsed.text
    assert not [a for t, a in parsed.elements if t == "img" and a.get("src") == "x"]
    assert not [a for _, a in parsed.elements if any(name.startswith("on") for name in a)]


def test_the_data_are_the_results(invented, page):
    data = embedded(page.read_text(encoding="utf-8"))
    for name, path in zip(
        ("claims", "dynamics_claims"), invented.arguments["ledgers"], strict=True
    ):
        pd.testing.assert_frame_equal(
            as_table(data["ledgers"][name]), read_table(invented.folder / path), check_dtype=False
        )
    for record, path in zip(data["surfaces"], invented.arguments["surfaces"], strict=True):
        points = read_table(invented.folder / path)
        grid = points[points["on_grid"]].sort_values(["beta", "alpha"])
        for column in ("train_loss", "train_error", "dev_error"):
            expected = grid[column].where(np.isfinite(grid[column])).to_numpy(float)
            np.testing.assert_allclose(np.array(record[column], float), expected, rtol=5.1e-5)
        ends = points[~points["on_grid"]]
        assert [one["train_loss"] for one in record["anchors"]] == pytest.approx(
            list(ends["train_loss"]), rel=5.1e-5
        )
    numbers = dict(
        zip(
            (f["name"] for f in invented.arguments["figures"]),
            invented.arguments["numbers"],
            strict=True,
        )
    )
    for name, columns in data["tables"].items():
        if columns and columns[next(iter(columns))]:
            written = pd.read_csv(invented.folder / numbers[name])
            for column in columns:
                if written[column].dtype == float:
                    got = np.array(columns[column], float)
                    np.testing.assert_allclose(got, written[column], rtol=5.1e-5)


def test_points_of_imported_runs_are_called_checkpoints(invented, page):
    def axes(page: Path) -> set[str]:
        data = embedded(page.read_text(encoding="utf-8"))
        assert {one["point"] for one in data["surfaces"]} <= {"epoch", "checkpoint"}
        return {view["x_title"] for views in data["views"].values() for view in views}

    assert "epoch" in axes(page)
    tasks = [{**task, "imported": [0, 40, 80]} for task in invented.arguments["tasks"]]
    imported = axes(invented.write("imported.html", tasks=tasks))
    assert "checkpoint" in imported
    assert "epoch" not in imported


def test_the_same_results_give_the_same_bytes(invented, page):
    assert invented.write("again.html").read_bytes() == page.read_bytes()


def test_a_missing_and_a_damaged_file_are_named_and_the_rest_is_shown(tmp_path, caplog):
    made = Invented(tmp_path).make()
    (tmp_path / made.arguments["numbers"][0]).unlink()
    (tmp_path / made.arguments["ledgers"][1]).unlink()
    damaged, torn = made.arguments["surfaces"][1], made.arguments["images"][2]
    for path in (damaged, torn):
        (tmp_path / path).write_bytes((tmp_path / path).read_bytes()[:-40])
    with caplog.at_level(logging.WARNING, logger="tunescape"):
        text = Parsed(made.write()).text
    assert "2 damaged files, an unfinished run: 2 files missing" in text
    for path in (damaged, torn):
        (line,) = [record.message for record in caplog.records if str(path) in record.message]
        assert line in text
        assert "\n" not in line
    for path in (made.arguments["numbers"][0], made.arguments["ledgers"][1]):
        assert str(path) in text
    assert "Claim 1 of claims" in text
    assert "Claim 1 of dynamics_claims" not in text
    data = embedded((tmp_path / "results/report/tiny/atlas.html").read_text(encoding="utf-8"))
    names = [one["name"] for one in made.arguments["shown_surfaces"]]
    assert [one["name"] for one in data["surfaces"]] == [n for n in names if n != names[1]]


def test_a_column_that_is_missing_makes_a_table_damaged(tmp_path, caplog):
    made = Invented(tmp_path).make()
    path = made.arguments["surfaces"][0]
    write_table(read_table(tmp_path / path).drop(columns="dev_error"), tmp_path / path)
    text = Parsed(made.write()).text
    assert f"{path}: damaged" in text
    assert "dev_error" in text


def test_nothing_at_all_is_an_empty_page_that_says_so(tmp_path):
    made = Invented(tmp_path).make()
    given = {
        name: [Path("results", "none", p.name) for p in value]
        for name, value in made.arguments.items()
        if name
        in (
            "cards",
            "scores",
            "ledgers",
            "surfaces",
            "geometries",
            "trajectories",
            "images",
            "numbers",
        )
    }
    text = Parsed(made.write(**given, card=Path("results/none/tiny/card.json"))).text
    assert "an unfinished run" in text
    assert "No claim has been evaluated yet." in text
    assert "Surfaces of loss and error" not in text


def test_a_stage_without_figures_is_left_out_and_that_is_said(invented):
    kept = [i for i, f in enumerate(invented.arguments["figures"]) if f["section"] != "probing"]
    given = {
        name: [invented.arguments[name][i] for i in kept]
        for name in ("figures", "images", "numbers")
    }
    parsed = Parsed(invented.write("left_out.html", **given, left_out=["layer groups (ALBERT)"]))
    assert "Probing: no task of this experiment; its section is left out." in parsed.text
    assert "layer groups (ALBERT)" in parsed.text
    ids = [a.get("id") for t, a in parsed.elements if t == "section"]
    assert "probing" not in ids
    assert set(SECTIONS) - {"probing"} <= set(ids)


def test_ids_are_unique_and_links_inside_the_page_lead_somewhere(parsed):
    ids = [a["id"] for _, a in parsed.elements if "id" in a]
    assert len(ids) == len(set(ids))
    links = [a["href"] for t, a in parsed.elements if t == "a"]
    assert links
    assert {link[1:] for link in links if link.startswith("#")} <= set(ids)


def test_values_survive_the_block():
    table = pd.DataFrame(
        {
            "text": ["a</script>", None],
            "number": [1 / 3, np.inf],
            "whole": [1, 2],
            "yes": [True, False],
            "none": [np.nan, -np.inf],
        }
    )
    columns = as_columns(table)
    assert columns == {
        "text": ["a</script>", None],
        "number": [1 / 3, "Infinity"],
        "whole": [1, 2],
        "yes": [True, False],
        "none": [None, "-Infinity"],
    }
    numbers = ["number", "whole", "none"]
    pd.testing.assert_frame_equal(as_table(columns)[numbers], table[numbers], check_dtype=False)
    assert as_columns(table, 5)["number"][0] == 0.33333


def test_a_page_without_its_block_or_with_a_torn_one_is_refused():
    with pytest.raises(UserError, match="no block 'data'"):
        embedded("<html></html>")
    torn = compressed('{"a": 1}')[:-8]
    with pytest.raises(UserError, match="damaged"):
        embedded(f'<script id="data" type="application/octet-stream">{torn}</script>')


def test_tasks_keep_the_colours_of_the_figures(page):
    data = embedded(page.read_text(encoding="utf-8"))
    assert [data["places"][task] for task in TASKS] == [0, 1]
