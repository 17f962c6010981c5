"""The page in a real browser: Chromium without a screen, WebGL in software."""

import base64
import io
import re

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from tests.atlas.chromium import NoBrowser, visited
from tests.atlas.invented import MARKUP, Invented
from workflow_scripts.atlas import twins
from workflow_scripts.atlas.views import VIEWS
from workflow_scripts.common.tables import read_table
from workflow_scripts.report.embedded import as_table, compressed, embedded

NUMBER = r"([−-]?[\d.]+(?:e[−-]?\d+)?)"
SHOWN = "first_pretrained"  # the surface that the page shows first
# Grid points (row of β, column of α) that are hovered over, one of them not finite.
POINTS = [(3, 3), (0, 0), (6, 6), (2, 5), (6, 0)]


def place_of(made: Invented, name: str) -> int:
    return [one["name"] for one in made.arguments["shown_surfaces"]].index(name)


def table_of(made: Invented, name: str = SHOWN) -> pd.DataFrame:
    points = read_table(made.folder / made.arguments["surfaces"][place_of(made, name)])
    return points[points["on_grid"]]


def square(made: Invented, row: int, column: int) -> tuple[float, float]:
    """Place of a grid point on a flat map."""
    step = twins.SIDE / (made.points - 1)
    return twins.LEFT + column * step, twins.TOP + twins.SIDE - row * step


def numbers_in(text: str) -> dict[str, float]:
    """Coordinates and values that a text about a point of a surface gives."""
    names = {
        "alpha": "α",
        "beta": "β",
        "train_loss": "training loss",
        "train_error": "training error",
        "dev_error": "dev error",
    }
    found = {key: re.search(f"{words} {NUMBER}", text) for key, words in names.items()}
    return {k: float(m[1].replace("−", "-")) if m else np.nan for k, m in found.items()}


def wrong_texts(texts: list[str], table: pd.DataFrame) -> list[str]:
    """Those of the texts about points whose numbers are not the table's."""
    wrong = []
    for text in texts:
        got = numbers_in(text)
        near = np.hypot(table["alpha"] - got["alpha"], table["beta"] - got["beta"])
        row = table[near < 1e-3]
        values = {key: row[key].iloc[0] for key in got} if len(row) == 1 else {}
        finite = {k: v if np.isfinite(v) else np.nan for k, v in values.items()}
        if not finite or not all(
            np.isclose(got[k], v, rtol=1e-4, atol=1e-6, equal_nan=True) for k, v in finite.items()
        ):
            wrong.append(text)
    return wrong


def planted(made: Invented, page) -> str:
    """A page in which one loss of the first surface is another number."""
    text = page.read_text(encoding="utf-8")
    data = embedded(text)
    row, column = POINTS[0]
    data["surfaces"][place_of(made, SHOWN)]["train_loss"][row * made.points + column] += 0.05
    import json

    block = compressed(json.dumps(data))
    path = page.with_name("planted.html")
    pattern = r'(<script id="data" [^>]*>)[^<]*'
    path.write_text(re.sub(pattern, lambda m: m[1] + block, text), encoding="utf-8")
    return str(path)


@pytest.fixture(scope="module")
def seen(invented, page):
    given = {
        "page": str(page),
        "planted": planted(invented, page),
        "points": [square(invented, *point) for point in POINTS],
        "task": "second",
        "firstTask": "first",
    }
    try:
        return visited("visit.mjs", given)
    except NoBrowser as reason:
        pytest.skip(str(reason))


def test_nothing_is_complained_about_and_nothing_asked_from_outside(seen):
    assert seen["errors"] == seen["errorsDark"] == seen["errorsWithout"] == []
    outside = [url for url in seen["requests"] if not url.startswith(("file:", "data:", "blob:"))]
    assert outside == []


def test_every_view_is_drawn(seen):
    drawn = {(view["figure"], int(view["view"])): view for view in seen["views"]}
    assert set(drawn) == {(name, i) for name, views in VIEWS.items() for i in range(len(views))}
    assert [key for key, view in drawn.items() if not view["marks"] or view["nan"]] == []
    assert all("points; arrow keys read them" in view["label"] for view in drawn.values())
    assert "77 curves" in drawn["probing1", 0]["legend"]


def test_choices_change_the_map_and_the_views_that_share_them(invented, seen):
    def twin(name, quantity="train_loss"):
        return [{"surface": str(place_of(invented, name)), "quantity": quantity}]

    assert seen["firstTwin"] == twin(SHOWN)
    assert seen["chosenTwin"] == twin("second_pretrained", "dev_error")
    assert seen["scratchTwin"] == twin("first_scratch")
    assert seen["groupTwin"] == twin("first_pretrained_low", "dev_error")
    assert seen["chartChanged"]
    assert seen["linked"] == "second"
    assert set(seen["layerLinked"]) == {"1"}
    assert seen["saidOfChoice"].startswith("Quantity: dev error")


def test_hovering_gives_the_numbers_of_the_table(invented, seen):
    table = table_of(invented)
    assert len(seen["hovered"]) == len(POINTS)
    assert wrong_texts(seen["hovered"], table) == []
    assert "not finite" in seen["hovered"][-1]
    axis = sorted(set(table["alpha"]))
    for text, (row, column) in zip(seen["hovered"], POINTS, strict=True):
        got = numbers_in(text)
        assert (got["alpha"], got["beta"]) == pytest.approx((axis[column], axis[row]), abs=1e-3)


def test_a_wrong_number_planted_in_the_data_is_noticed(invented, seen):
    assert wrong_texts(seen["plantedHovered"], table_of(invented)) == [seen["plantedHovered"][0]]


def test_points_that_are_not_finite_are_marked(invented, seen):
    assert seen["missing"] == np.sum(~np.isfinite(table_of(invented)["train_loss"])) > 0


def test_keys_read_points_and_choices_are_announced(invented, seen):
    assert wrong_texts([seen["keyed"]], table_of(invented)) == []
    middle, step = 3, 4 / 6
    got = numbers_in(seen["keyed"])
    expected = -2 + step * (middle + 1)  # the first key goes to the middle, the others move
    assert (got["alpha"], got["beta"]) == pytest.approx((expected, expected), abs=1e-3)
    assert re.search(r"alpha .*, train_loss .* \[.* to .*\]", seen["keyedChart"])
    assert seen["tipAfterEscape"] == ""
    assert seen["saidOfKey"].startswith(f"Task: {MARKUP}")


def test_tab_reaches_every_control(seen):
    assert seen["controls"] > 100
    assert seen["unreached"] == []


def test_the_surface_in_3d_is_drawn_turns_and_tells_the_numbers(invented, seen):
    assert seen["solid"] == "drawn"
    image = Image.open(io.BytesIO(base64.b64decode(seen["solidPicture"]))).convert("RGB")
    assert len(image.getcolors(1 << 24)) > 100
    texts = [text for text in seen["solidHovered"] if text.startswith("α")]
    assert texts
    assert wrong_texts(texts, table_of(invented)) == []
    before, after = seen["eyes"]
    assert before["x"] != pytest.approx(after["x"])
    assert np.hypot(before["x"], before["y"]) == pytest.approx(np.hypot(after["x"], after["y"]))
    assert seen["saidOfTurn"] == "3-D view: turned right"


def test_files_hold_the_numbers(invented, seen, page):
    got = pd.read_csv(io.StringIO(seen["surfaceFile"]["text"]))
    table = table_of(invented)
    assert seen["surfaceFile"]["name"] == "surface_first_pretrained_whole_encoder.csv"
    grid = got[got["point"] == "grid"]
    for column in ("alpha", "beta", "train_loss", "train_error", "dev_error"):
        expected = table[column].where(np.isfinite(table[column]))
        np.testing.assert_allclose(grid[column], expected, rtol=5.1e-5)
    assert len(got) == len(grid) + 2
    data = embedded(page.read_text(encoding="utf-8"))
    figure5 = pd.read_csv(io.StringIO(seen["chartFile"]["text"]))
    pd.testing.assert_frame_equal(figure5, pd.DataFrame(data["tables"]["figure5"]))
    assert seen["tableRows"] == len(figure5)
    ledger = pd.read_csv(io.StringIO(seen["ledgerFile"]["text"]))
    np.testing.assert_array_equal(ledger["value"], as_table(data["ledgers"]["claims"])["value"])


def test_without_webgl_the_flat_map_stays_and_the_page_says_so(invented, seen):
    assert seen["unavailable"] == "unavailable"
    assert "3-D needs WebGL" in seen["note"]
    assert seen["twinWithout"] == seen["firstTwin"]
    assert wrong_texts(seen["hoveredWithout"], table_of(invented)) == []


def test_dark_narrow_and_printed(seen):
    assert max(map(int, re.findall(r"\d+", seen["dark"])[:3])) < 60
    wide, window = seen["narrow"]
    assert wide <= window
    assert seen["print"] == {"nav": True, "solid": True, "twin": True, "folded": 0, "opened": 0}


def test_axe_has_no_serious_fault(seen):
    serious = [
        one for one in (*seen["axe"], *seen["axeDark"]) if one["impact"] in ("serious", "critical")
    ]
    assert serious == []


def test_markup_in_a_title_is_not_executed(seen):
    assert seen["title"].startswith("tiny: what fine-tuning does")
    assert seen["injected"] == 0
