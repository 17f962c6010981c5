"""Snakemake's own report of the smoke experiment, written without a network."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.workflow.conftest import ROOT
from workflow_scripts.common.tables import read_table
from workflow_scripts.report.embedded import compressed, embedded
from workflow_scripts.report.verify import EVALUATIONS
from workflow_scripts.stages import STAGES

pytestmark = pytest.mark.slow

MODEL = "tiny"
# Requests of the report's writer would go to a port on which nothing listens.
OFFLINE = dict.fromkeys(
    ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), "http://127.0.0.1:9"
)


@pytest.fixture(scope="module")
def run(smoke_run, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("report") / "run"
    shutil.copytree(smoke_run, folder)
    return folder


def block(page: str, name: str) -> dict:
    """What a script of the report assigns to a variable."""
    start = re.search(rf'<script id="{name}">\s*var {name} = ', page)
    return json.JSONDecoder().raw_decode(page, start.end())[0]


def test_the_report_has_every_figure_table_and_ledger_with_caption_and_labels(run):
    command = ["snakemake", "--report", "report.html", "--snakefile", str(ROOT / "Snakefile")]
    command += ["--directory", str(run), "--configfile", str(ROOT / "experiments/smoke.yaml")]
    done = subprocess.run(
        [*command, "--cores", "1"],
        cwd=ROOT,
        env={**os.environ, **OFFLINE},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    page = (run / "report.html").read_text(encoding="utf-8")
    results, categories = block(page, "results"), block(page, "categories")
    category = {
        path: name
        for name, parts in categories.items()
        for paths in parts.values()
        for path in paths
    }
    expected = {
        f"results/figures/{MODEL}/{figure.name}.png": (figure.name, figure.title, stage.title)
        for stage in STAGES
        for figure in stage.figures
    }
    for name in EVALUATIONS:
        for kind in ("csv", "md"):
            expected[f"results/report/{MODEL}/{name}.{kind}"] = (name, None, "Claims")
    expected[f"results/report/{MODEL}/atlas.html"] = ("atlas", None, "Atlas")
    for path, (name, shows, of) in expected.items():
        labels = results[path]["labels"]
        assert labels["name"] == name, path
        assert labels["model"] == MODEL, path
        assert labels["format"] == path.rpartition(".")[2], path
        assert shows is None or labels["shows"] == shows, path
        assert category[path] == of, path
        assert len(results[path]["caption"]) > 60, path
        assert results[path]["data_uri"].startswith("data:"), path
    assert all(result["caption"] and result["labels"] for result in results.values())
    assert "experiment <strong>smoke</strong>" in page.replace("\\n", " ")
    assert not re.search(r"""<(?:script|link|img)[^>]*(?:src|href)=["']?https?:""", page)


def verify(page: Path) -> tuple[int, str]:
    command = [sys.executable, "-m", "workflow_scripts.report", "verify", str(page)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


def test_the_claims_in_the_atlas_are_recomputed_from_the_tables_of_the_run(run):
    page = run / f"results/report/{MODEL}/atlas.html"
    rows = sum(len(read_table(page.with_name(f"{name}.parquet"))) for name in EVALUATIONS)
    assert verify(page) == (0, f"{rows} rows of 4 ledgers agree\n")
    text = page.read_text(encoding="utf-8")
    data = embedded(text)
    values = data["ledgers"]["dynamics_claims"]["value"]
    values[3] *= 1.001
    block = re.search(r'<script id="data" [^>]*>([^<]*)<', text)[1]
    planted = page.with_name("planted.html")
    planted.write_text(text.replace(block, compressed(json.dumps(data))), encoding="utf-8")
    status, said = verify(planted)
    assert status == 1
    assert said.startswith("planted.html, dynamics_claims: row 4, column value (")
    assert f": got {values[3]}, expected " in said


def test_the_run_is_compared_with_another_model_of_itself(run, tmp_path):
    other = tmp_path / "other"
    shutil.copytree(run / "results", other / "results")
    page = tmp_path / "compare.html"
    command = [sys.executable, "-m", "workflow_scripts.compare", str(run), str(other)]
    done = subprocess.run(
        [*command, "--output", str(page)], cwd=ROOT, capture_output=True, text=True
    )
    assert done.stdout == f"2 experiments compared in {page}\n", done.stderr
    text = page.read_text(encoding="utf-8")
    assert "no record of" not in text
    assert "no such file" not in text
    assert "All settings that change numbers are the same." in text
