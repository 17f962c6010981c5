"""The Python examples of the documentation run as they are printed."""

import re
import shutil

import matplotlib.pyplot as plt
import pytest

from tests.docs.pages import ROOT, examples, tracked_files
from tests.figures.conftest import STARTS, Tables, task
from tests.finetune.trained import train, write_base, write_data
from workflow_scripts.common.tables import set_record, write_json, write_text
from workflow_scripts.report.embedded import compressed

# The examples of extend.md are files: test_extend.py carries them out.
PAGES = [page for page in tracked_files("*.md") if examples(page) and page.name != "extend.md"]
FUNCTIONS = ROOT / "docs/reference/functions.md"
# Paths that other projects may import (the functions for notebooks of the design).
PUBLIC = [
    "common.provenance.code_of",
    "common.provenance.reached_by",
    "landscape.engine.Evaluator",
    "landscape.engine.evaluate_points",
    "landscape.projection.project",
    "dynamics.attention.js_divergence",
    "dynamics.svcca.Moments",
    "dynamics.svcca.svcca",
    "dynamics.svcca.linear_cka",
    "dynamics.svcca.unbiased_cka",
    "dynamics.svcca.procrustes",
    "stability.statistics.spread",
    "probing.direct_probe.cluster",
    "probing.direct_probe.separable",
    "probing.direct_probe.hull_distance",
    "figures.notebook.landscape_of",
    "finetune.callback.SaveTrajectory",
]


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """A base model, a task and a finished run of the Trainer, as a user has them."""
    folder = tmp_path_factory.mktemp("own")
    base, data = write_base("bert", folder / "models/bert"), write_data(folder / "data/reviews")
    train(base, data, folder / "models/reviews-run")
    return folder


@pytest.fixture
def finished_run(own, tmp_path, monkeypatch):
    """Working directory with invented surfaces where a finished default experiment has its own."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(own, tmp_path, dirs_exist_ok=True)
    nli = {**task(0), "name": "nli"}
    # A file that a rule has made carries its provenance.
    set_record({"rule": "merge_surface", "code": "0" * 16, "digests": {"data/nli": "0" * 64}})
    made = Tables(tmp_path / "made", 1, points=9)
    made.tasks = [nli]
    made.planes(missing=False)
    set_record({})
    for start in STARTS:
        shutil.copytree(
            tmp_path / "made" / f"nli_{start}", tmp_path / f"results/landscape/minilm/nli_{start}"
        )
    write_json({"labels": ["a", "b", "c"]}, tmp_path / "results/data/nli/card.json")
    block = compressed('{"ledgers": {"claims": {"claim": ["wider_optimum"], "value": [1.5]}}}')
    write_text(
        f'<script id="data" type="application/octet-stream">{block}</script>',
        tmp_path / "results/report/minilm/atlas.html",
    )
    yield tmp_path
    plt.close("all")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_the_examples_of_a_page_run_in_one_session(page, finished_run, capsys):
    session = {"__name__": "__main__"}
    for line, code in examples(page):
        # As many empty lines in front as the page has, so that a traceback names the page's line.
        exec(compile("\n" * (line - 1) + code, str(page), "exec"), session)
        printed = capsys.readouterr().out
        assert printed.strip() or "print(" not in code, f"{page}:{line} printed nothing"


@pytest.mark.parametrize("path", PUBLIC)
def test_a_public_function_is_imported_from_its_path_on_the_page(path):
    module, name = f"workflow_scripts.{path}".rsplit(".", 1)
    text = "".join(code for _, code in examples(FUNCTIONS))
    imported = re.findall(rf"from {re.escape(module)} import (\([^)]*\)|[^\n]*)", text)
    assert any(re.search(rf"\b{name}\b", names) for names in imported)


def test_every_function_that_the_page_describes_is_called_in_an_example():
    text = FUNCTIONS.read_text()
    code = "".join(code for _, code in examples(FUNCTIONS))
    prose = re.sub(r"(?ms)^```python.*?^```$", "", text)
    described = set(re.findall(r"`(?:\w+\(?\)?\.)*([A-Za-z]\w*)\([^`]*\)`", prose)) - {"help"}
    assert len(described) > 50
    assert {name for name in described if f"{name}(" not in code} == set()
