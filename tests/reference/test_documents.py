"""Generated documents are those that the stages' declarations give."""

import re

import pytest
from transformers import AutoConfig

from tests.workflow.conftest import ROOT
from workflow_scripts.model.checks import (
    DEPEND_ON_PADDING,
    ENCODER_DECODERS,
    NO_ATTENTION,
    shares_layers,
)
from workflow_scripts.model.families import FAMILIES, GENERAL, known_architecture
from workflow_scripts.reference import architectures
from workflow_scripts.reference.__main__ import documents, filled
from workflow_scripts.report import claims, dynamics_claims, stability_claims

DOCUMENTS = documents()


@pytest.mark.parametrize("path", DOCUMENTS)
def test_a_generated_document_is_up_to_date(path):
    text = (ROOT / path).read_text(encoding="utf-8")
    assert text == DOCUMENTS[path], "run python -m workflow_scripts.reference"


def test_a_part_that_a_page_lacks_is_an_error():
    page = "a\n<!-- generated: one -->\nold\n<!-- end -->\nb\n"
    assert filled(page, "one", "new") == "a\n<!-- generated: one -->\n\nnew\n\n<!-- end -->\nb\n"
    with pytest.raises(ValueError, match="no part"):
        filled(page, "two", "new")


def test_the_methods_describe_every_claim_and_no_other():
    page = (ROOT / "docs/explanation/methods.md").read_text(encoding="utf-8")
    section = page.split("## Claims and verdicts")[1].split("\n## ")[0]
    described = re.findall(r"^\| `(\w+)` \(", section, re.MULTILINE)
    assert described == [claim.name for claim in (*claims.CLAIMS, *dynamics_claims.CLAIMS)]


def test_the_methods_describe_every_claim_on_stability_and_no_other():
    page = (ROOT / "docs/explanation/methods.md").read_text(encoding="utf-8")
    section = page.split("## Stability over seeds")[1].split("\n## ")[0]
    described = re.findall(r"^\| `(\w+)` \(", section, re.MULTILINE)
    assert described == list(stability_claims.CLAIMS)


def test_every_architecture_is_in_the_tables_once():
    page = DOCUMENTS["docs/reference/architectures.md"]
    listed = re.findall(r"^\| `([\w-]+)` \|", page, re.MULTILINE)
    assert listed == ["model_type", *FAMILIES, *GENERAL]  # the header, then a row for each
    assert set(architectures.MODELS) <= {*FAMILIES, *GENERAL}
    readme = DOCUMENTS["README.md"].split("<!-- generated: architectures -->")[1]
    names = re.findall(r"`([\w-]+)`", readme.split("<!-- end -->")[0])
    kinds = (FAMILIES, GENERAL, NO_ATTENTION)
    assert sorted(names) == sorted(name for kind in kinds for name in kind)
    refused = page.split("<!-- generated: refused -->")[1].split("<!-- end -->")[0]
    names = set(re.findall(r"`([\w-]+)`", refused))
    assert names >= {*ENCODER_DECODERS, *DEPEND_ON_PADDING, *NO_ATTENTION}


@pytest.mark.parametrize("kind", [*FAMILIES, *GENERAL])
def test_a_page_says_of_an_architecture_what_the_code_does(kind):
    page = DOCUMENTS["docs/reference/architectures.md"]
    cells = next(line for line in page.split("\n") if line.startswith(f"| `{kind}`")).split(" | ")
    facts = AutoConfig.for_model(kind).to_dict()
    assert cells[2] == ("fast" if known_architecture(facts) else "general")
    shared = shares_layers({"source": f"random:{kind}"})
    assert cells[4].startswith("no" if shared else "yes")


def test_every_rule_that_asks_for_a_gpu_is_in_the_table_of_places():
    page = DOCUMENTS["docs/howto/slurm.md"]
    (row,) = re.findall(r"^\| the cluster, one GPU each \| (.*?) \|", page, re.MULTILINE)
    asking = sum(text.read_text().count("gpu=GPUS") for text in (ROOT / "rules").glob("*.smk"))
    assert row.count("`") / 2 == asking
    assert {"`finetune_RECIPE`", "`sweep`", "`measure_run`"} <= set(row.split(", "))
