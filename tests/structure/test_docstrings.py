"""Docstrings have numpydoc's form: a parameter's type on its line, what it is below."""

import ast
import re
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "workflow_scripts"
MODULES = sorted(PACKAGE.rglob("*.py"))
# Sections whose entries are `name : type`, or a type alone, with a description indented below.
SECTION = re.compile(
    r"^(Parameters|Attributes|Raises)\n-+\n((?:.*\n?)*?)(?=^\w[\w ]*\n-+\n|\Z)", re.MULTILINE
)
# Entries that say it in one place may leave the description out.
NEEDS_NONE = {"settings : Config", "wildcards : Wildcards"}


def undescribed(docstring: str) -> list[str]:
    """Entries of a docstring that have no description of their own, or prose for a type."""
    wrong = []
    for section in SECTION.finditer(docstring):
        lines = section[2].rstrip().splitlines()
        for line, below in zip(lines, [*lines[1:], ""], strict=True):
            is_entry = line and not line.startswith(" ")
            if not is_entry or line in NEEDS_NONE:
                continue
            # A class that is its own description, such as `workflow : snakemake.workflow.Workflow`.
            named = re.fullmatch(r"[\w, *]+ : [\w.]*\.?[A-Z]\w*", line)
            if not below.startswith("    ") and not named:
                wrong.append(line)
    return wrong


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_entries_have_a_type_and_a_description(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef)
    docstrings = [ast.get_docstring(node) for node in ast.walk(tree) if isinstance(node, kinds)]
    assert [entry for text in docstrings if text for entry in undescribed(text)] == []


@pytest.mark.parametrize(
    ("entry", "is_wrong"),
    [
        ("x : ndarray of shape (n,)\n    The points.", False),
        ("x : the points, one row each.", True),
        ("settings : Config", False),
        ("run : Run", False),
    ],
)
def test_prose_in_the_place_of_a_type_is_found(entry, is_wrong):
    assert bool(undescribed(f"Do.\n\nParameters\n----------\n{entry}\n")) is is_wrong
