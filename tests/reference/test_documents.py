"""Generated documents are those that the stages' declarations give."""

import re

import pytest

from tests.workflow.conftest import ROOT
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
