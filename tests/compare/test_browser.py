"""The page of the comparison in a real browser: Chromium without a screen."""

import io
from pathlib import Path

import pandas as pd
import pytest

from tests.atlas.chromium import NoBrowser, visited
from workflow_scripts.compare.experiments import CURVES, read_experiments
from workflow_scripts.compare.page import comparison

SCRIPT = Path(__file__).with_name("visit.mjs")


def test_the_page_is_readable_in_light_and_dark_wide_and_narrow(experiment, tmp_path):
    settings = {"finetune": {"seeds": [0, 1]}}, {"finetune": {"seeds": [2, 3]}}
    folders = [
        experiment("a", settings=settings[0]),
        experiment("b", level=0.1, settings=settings[1]),
    ]
    experiments = read_experiments(folders)
    page = tmp_path / "compare.html"
    page.write_text(comparison(experiments))
    try:
        seen = visited(str(SCRIPT), {"page": str(page)})
    except NoBrowser as reason:
        pytest.skip(str(reason))
    for name, found in seen.items():
        assert found["errors"] == [], name
        assert all(url.startswith((f"file://{page}", "data:")) for url in found["requests"]), name
        assert found["axe"] == [], name
        assert found["width"][0] <= found["width"][1], "nothing is wider than the screen"
        assert len(found["drawings"]) == 2 * len(CURVES) - 1
        assert min(found["drawings"]) > 100
        assert len(found["colours"]) >= 2
        table = pd.read_csv(io.StringIO(found["file"]))
        expected = pd.concat([one.curves["accuracy"]["y"] for one in experiments])
        assert table["y"].to_numpy() == pytest.approx(expected.to_numpy())
    assert seen["light"]["background"] != seen["dark"]["background"]
    assert seen["light"]["colours"] != seen["dark"]["colours"]
