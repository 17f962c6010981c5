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
    return json.loads(re.search(rf'<script id="{name}"[^>]*>\s*(.*?)\s*</script>', page, re.S)[1])


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


def test_the_claims_of_the_run_are_recomputed_from_its_tables(run):
    for name in EVALUATIONS:
        path = run / f"results/report/{MODEL}/{name}.parquet"
        command = [sys.executable, "-m", "workflow_scripts.report", "verify", str(path)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        assert re.fullmatch(r"\d+ rows of 1 ledger agree\n", done.stdout)


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
