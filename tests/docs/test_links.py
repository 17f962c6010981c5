"""Links between the repository's Markdown pages."""

import pytest

from tests.docs.pages import ROOT, anchors, links, tracked_files

PAGES = tracked_files("*.md")


def broken(page) -> list[str]:
    """Relative links of a page that lead to no file or to no heading."""
    faults = []
    for line, target in links(page):
        if "://" in target or target.startswith("mailto:"):
            continue
        path, _, heading = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        if not file.exists():
            faults.append(f"line {line}: {target}: no such file")
        elif heading and (file.suffix != ".md" or heading not in anchors(file)):
            faults.append(f"line {line}: {target}: no such heading")
    return faults


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_relative_link_leads_to_a_file_and_a_heading(page):
    assert broken(page) == []


def test_all_pages_are_looked_at_and_their_links_are_seen():
    names = {page.relative_to(ROOT).as_posix() for page in PAGES}
    assert {"README.md", "CONTRIBUTING.md", "docs/tutorial.md", "profiles/README.md"} <= names
    assert len(links(ROOT / "README.md")) > 15


@pytest.mark.parametrize(
    ("target", "fault"),
    [
        ("other.md", None),
        ("other.md#the-second-part", None),
        ("other.md#twice-1", None),
        ("#here-and-now", None),
        ("https://example.org/nothing.md", None),
        ("missing.md", "no such file"),
        ("other.md#third-part", "no such heading"),
        ("other.md#a-comment", "no such heading"),
        ("#there", "no such heading"),
    ],
)
def test_a_broken_link_is_named_with_its_line(tmp_path, target, fault):
    (tmp_path / "other.md").write_text(
        "# Other\n\n## The *second* part\n\n```sh\n# a comment\n```\n\n## Twice\n\n## Twice\n"
    )
    page = tmp_path / "page.md"
    page.write_text(f"# Here, and now\n\nText with a\n[link]({target}) and `[code](nowhere.md)`.\n")
    assert broken(page) == ([] if fault is None else [f"line 4: {target}: {fault}"])
