"""Flat maps, views, facts, and the command that writes the page of an unfinished run."""

import base64
import io
import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib import colormaps
from PIL import Image

from tests.atlas.invented import numbers_of, surface_of, trajectory_of
from workflow_scripts.atlas import facts, twins
from workflow_scripts.atlas.files import deviations
from workflow_scripts.atlas.page import thumbnail
from workflow_scripts.atlas.views import EXPLORED, VIEWS, shown_rows, views_of
from workflow_scripts.figures.inputs import Surface
from workflow_scripts.figures.maps import ERROR, LOSS

ROOT = Path(__file__).resolve().parents[2]
GEOMETRY = {"labels": 2, "task": "first", "start": "pretrained"}


@pytest.fixture(scope="module")
def surface() -> Surface:
    return Surface(GEOMETRY, surface_of(7, 0, ("start", "end")))


@pytest.fixture(scope="module")
def drawing(surface) -> str:
    scale = twins.shared_scales([surface])["train_loss"]
    return twins.twin(surface, LOSS, scale, {"target": trajectory_of(4)}, "Loss of <a>")


def test_a_map_has_the_figures_colour_at_every_point(surface, drawing):
    scale = twins.shared_scales([surface])["train_loss"]
    picture = re.search(r'href="data:image/png;base64,([^"]*)"', drawing)[1]
    pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(picture))).convert("RGBA"))
    _, _, values = surface.grid("train_loss")
    finite = np.isfinite(values)
    expected = colormaps[LOSS.colours](scale(np.nan_to_num(values)), bytes=True)
    np.testing.assert_array_equal(pixels[::-1][finite], expected[finite])  # β grows upwards
    assert (pixels[::-1][~finite, 3] == 0).all()


def test_points_that_are_not_finite_are_hatched_where_they_are(surface, drawing):
    values = surface.grid("train_loss")[2]
    wide = twins.SIDE / 6
    places = re.findall(r'class="missing" x="([\d.-]+)" y="([\d.-]+)"', drawing)
    expected = [
        (twins.LEFT + column * wide - wide / 2, twins.TOP + (6 - row) * wide - wide / 2)
        for row, column in np.argwhere(~np.isfinite(values))
    ]
    assert expected
    np.testing.assert_allclose(np.array(places, float), expected, atol=0.051)


def test_start_end_and_trajectory_are_where_they_belong(drawing):
    def place(alpha: float, beta: float) -> tuple[float, float]:
        step = twins.SIDE / 4
        return twins.LEFT + (alpha + 2) * step, twins.TOP + (2 - beta) * step

    for kind, expected in (("dot", place(0, 0)), ("star", place(1, 0))):
        found = re.search(rf'class="{kind}" transform="translate\(([\d.]+) ([\d.]+)\)"', drawing)
        assert tuple(map(float, found.groups())) == pytest.approx(expected, abs=0.051)
    path = re.search(r'class="path" points="([^"]*)"', drawing)[1].split()
    middle = tuple(map(float, path[2].split(",")))
    assert middle == pytest.approx(place(0.5, 0.3 * 0.25), abs=0.051)
    assert len(path) == 5


def test_a_map_says_what_it_is_and_escapes_it(drawing):
    assert 'aria-label="Loss of &lt;a&gt;"' in drawing
    assert "<a>" not in drawing


def test_contours_pass_through_points_of_their_level():
    axis = np.linspace(-1, 1, 21)
    alpha, beta = (grid.ravel() for grid in np.meshgrid(axis, axis))
    points = pd.DataFrame({"alpha": alpha, "beta": beta, "on_grid": True, "anchor": None})
    for column in ("train_loss", "train_error", "dev_error"):
        points[column] = (alpha + 1) / 2.5
    plane = Surface(GEOMETRY, points)
    drawn = twins.twin(plane, ERROR, twins.shared_scales([plane])["dev_error"], {}, "")
    crossed = {
        round(2 * (float(x) - twins.LEFT) / twins.SIDE / 2.5, 2)
        for path in re.findall(r'class="contour " d="M([^"]*)"', drawn)
        for x, _ in (pair.split(",") for pair in path.split())
    }
    assert crossed == {0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7}


def test_a_surface_that_is_nowhere_finite_is_all_hatching(surface):
    points = surface.points.assign(train_loss=np.nan)
    nowhere = Surface(GEOMETRY, points)
    scale = twins.shared_scales([nowhere])["train_loss"]
    assert twins.twin(nowhere, LOSS, scale, {}, "").count('class="missing"') == 49


def test_views_show_only_the_rows_that_they_are_about():
    numbers = numbers_of("figure3").assign(rows="surface")
    both = pd.concat([numbers, numbers.assign(rows="trajectory")])
    assert set(shown_rows("figure3", both)["rows"]) == {"trajectory"}
    assert shown_rows("figure1", numbers).empty
    plane = numbers_of("stability6")
    corners = plane.assign(corner="failed", line="a")
    assert len(shown_rows("stability6", pd.concat([plane, corners]))) == len(plane)


def test_a_view_without_its_columns_is_left_out():
    columns = list(numbers_of("table1"))
    assert len(views_of("table1", columns)) == len(VIEWS["table1"])
    assert len(views_of("table1", [name for name in columns if name != "difference"])) == 1
    assert views_of("unknown", columns) == []
    assert set(EXPLORED) - set(VIEWS) == {"figure1", "figure6", "figure7"}


def test_durations_add_up_by_stage_and_broken_files_are_left_out(tmp_path):
    jobs = {
        "landscape/merge/a": {"s": 90.0, "max_rss": 200.0},
        "landscape/merge/b": {"s": 30.0, "max_rss": "NA"},
        "data/prepare/c": {"s": 2.0},
    }
    for name, job in jobs.items():
        path = tmp_path / f"{name}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"s": 1e9}) + "\n" + json.dumps(job) + "\n")
    (tmp_path / "data" / "torn.jsonl").write_text('{"s": 1')
    (tmp_path / "data" / "empty.jsonl").write_text("")
    assert facts.durations(tmp_path) == [
        facts.Duration("landscape", 2, 120.0, 200.0),
        facts.Duration("data", 1, 2.0, 0.0),
    ]
    assert facts.durations(tmp_path / "none") == []
    assert [facts.in_words(s) for s in (3, 600, 7200)] == ["3 s", "10 min", "2.0 h"]


def test_the_machine_is_named():
    assert re.search(r"\d+ cores?, \d+ GB of memory, (no GPU|\d+ GPUs?), ", facts.machine())


def test_images_are_reduced_and_never_enlarged(tmp_path):
    Image.new("RGBA", (2000, 500), (255, 0, 0, 255)).save(tmp_path / "wide.png")
    Image.new("L", (100, 50)).save(tmp_path / "small.png")

    def size(url: str) -> tuple[int, int]:
        return Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))).size

    small, full, ratio = thumbnail(tmp_path / "wide.png")
    assert (size(small), size(full), ratio) == ((260, 65), (1000, 250), 0.25)
    assert [size(url) for url in thumbnail(tmp_path / "small.png")[:2]] == [(100, 50)] * 2


def test_deviations_are_the_rows_of_the_methods():
    rows = deviations()
    assert len(rows) > 20
    assert {len(row) for row in rows} == {3}
    assert rows[0][0].startswith("BERT-large")
    assert all(all(cell for cell in row) for row in rows)


def test_an_unfinished_run_gives_a_page_that_names_what_is_missing(tmp_path):
    (tmp_path / "results").mkdir()
    command = [sys.executable, "-m", "workflow_scripts.experiment.atlas"]
    command += ["--directory", str(tmp_path), "--configfile", "experiments/smoke.yaml"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    page = Path(done.stdout.strip())
    assert page == tmp_path / "results/report/tiny/atlas.html"
    text = page.read_text(encoding="utf-8")
    assert "an unfinished run" in text
    assert "results/figures/tiny/figure1.png" in text


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--model", "tinny"], "--model: got 'tinny', allowed are tiny"),
        (["--directory", "nowhere"], "expected a folder of a run, with results/ in it"),
        (["--configfile", "none.yaml"], "none.yaml"),
    ],
)
def test_a_wrong_argument_is_one_line(arguments, said, tmp_path):
    (tmp_path / "results").mkdir()
    command = [sys.executable, "-m", "workflow_scripts.experiment.atlas"]
    command += ["--directory", str(tmp_path), "--configfile", "experiments/smoke.yaml", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("Tunescape: ")
    assert said in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
