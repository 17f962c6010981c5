"""What the code cites is in the list of references of the methods page."""

import ast
import re

import pytest

from tests.docs.pages import ROOT, tracked_files

METHODS = (ROOT / "docs/explanation/methods.md").read_text()
CITED = re.compile(r"([A-ZÉ][\w'’-]+(?: Olea)?)(?: et al\.| (?:and|&) [A-ZÉ][\w'’-]+)? \((\d{4})")
# Memory of activations, for the plan: no formula of a result.
OTHERS = {("Korthikanti", "2022")}


def listed() -> set[tuple[str, str]]:
    """First author and year of each entry of the list of references."""
    entries = METHODS.split("\n## References\n")[1]
    return set(re.findall(r"(?m)^- ([\w'’-]+(?: Olea)?)[^(\n]* \((\d{4})\)", entries))


def cited_in(docstring: str) -> set[tuple[str, str]]:
    """First author and year of each work below the heading References."""
    _, heading, section = docstring.partition("References\n")
    return set(CITED.findall(" ".join(section.split()))) if heading else set()


def cited() -> dict[tuple[str, str], str]:
    found = {}
    for path in tracked_files("workflow_scripts"):
        if path.suffix == ".py":
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
                    for work in cited_in(ast.get_docstring(node) or ""):
                        found[work] = path.name
    return found


def test_every_work_that_a_docstring_cites_is_listed():
    works = cited()
    assert len(works) > 30
    assert {f"{work} in {works[work]}" for work in set(works) - listed() - OTHERS} == set()


def test_every_listed_work_is_cited_on_the_page_or_in_the_code():
    text = " ".join(METHODS.split("\n## References\n")[0].split())
    for author, year in listed() - set(cited()):
        assert re.search(rf"{author}[^.;|]{{0,60}}\(?(\d{{4}}, )?{year}", text), (author, year)


def test_the_list_is_in_the_order_of_the_alphabet():
    entries = METHODS.split("\n## References\n")[1]
    names = re.findall(r"(?m)^- (.*?) \((\d{4})\)", entries)
    assert names == sorted(names, key=lambda name: (name[0].replace("é", "e").lower(), name[1]))


@pytest.mark.parametrize(
    ("text", "work"),
    [
        ("Hao et al. (2019), section 3", ("Hao", "2019")),
        ("Montiel Olea and Plagborg-Møller (2019)", ("Montiel Olea", "2019")),
        ("Zhou & Srikumar (2022), section 3.2", ("Zhou", "2022")),
        ("Wilson (1927)", ("Wilson", "1927")),
    ],
)
def test_a_citation_is_read(text, work):
    assert cited_in(f"A summary.\n\nReferences\n----------\n{text}.\n") == {work}
