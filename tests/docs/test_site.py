"""The documentation as a site: built strictly, complete, and without anything from other hosts."""

import importlib.util
import re
import subprocess
import sys
from fnmatch import fnmatchcase

import pytest

from tests.docs.pages import ROOT, tracked_files

spec = importlib.util.spec_from_file_location("site_conf", ROOT / "docs/conf.py")
conf = importlib.util.module_from_spec(spec)
spec.loader.exec_module(conf)

# Pages that are read in the repository alone.
UNLISTED = ("tests/", "benchmarks/", "workflow_scripts/", "experiments/", "envs/")
PAGES = [
    name
    for path in tracked_files("*.md")
    if not (name := path.relative_to(ROOT).as_posix()).startswith(UNLISTED)
]
# Where a browser loads something when it opens a page or a style sheet.
LOADED = [
    r"<(?:script|img|iframe|source|video|audio|embed)\b[^>]*\b(?:src|srcset)=\"([^\"]+)\"",
    r"<link\b(?=[^>]*rel=\"(?:stylesheet|icon|preload|modulepreload|prefetch)\")[^>]*href=\"([^\"]+)\"",
    r"url\(\s*[\"']?([^\"')]+)",
    r"@import\s+[\"']([^\"']+)",
    r"\bimport\s*\(?\s*[\"']([^\"']+)[\"']",
]


def loaded(text: str) -> list[str]:
    """Addresses that a page or a style sheet loads without being asked to."""
    return sorted({address for pattern in LOADED for address in re.findall(pattern, text)})


def outside(addresses: list[str]) -> list[str]:
    return [a for a in addresses if re.match(r"(https?:)?//", a)]


def build(source, target) -> subprocess.CompletedProcess:
    """Build the site as `make docs` does."""
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-E", "-b", "html"]
    command += ["-c", ROOT / "docs", source, target]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    target = tmp_path_factory.mktemp("site")
    done = build(ROOT, target)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    return target


def test_make_builds_the_site_with_the_same_command():
    recipe = (ROOT / "Makefile").read_text().split("\ndocs:")[1].split("\n\n")[0]
    assert "-m sphinx -q -W --keep-going -E -b html -c docs . site" in recipe


def test_every_page_of_the_repository_is_in_the_contents():
    listed = [f"{name}.md" for pages in conf.CONTENTS.values() for name in pages]
    assert len(listed) == len(set(listed))
    missing = {page for page in PAGES if not any(fnmatchcase(page, name) for name in listed)}
    assert missing == {"README.md"}
    assert {name for name in listed if "*" not in name} <= set(PAGES)


def test_every_page_is_built_and_the_first_one_is_the_index(site):
    for name in PAGES:
        assert (site / name.replace(".md", ".html")).is_file(), name
    assert (site / "index.html").read_bytes() == (site / "README.html").read_bytes()


def test_nothing_is_loaded_from_another_host(site):
    seen = 0
    for path in site.rglob("*"):
        if path.suffix in {".html", ".css", ".js"}:
            addresses = loaded(path.read_text(encoding="utf-8"))
            seen += len(addresses)
            assert outside(addresses) == [], path
    assert seen > 100


@pytest.mark.parametrize(
    "text",
    [
        '<script src="https://cdn.example/a.js"></script>',
        '<link rel="stylesheet" type="text/css" href="//fonts.example/a.css" />',
        '<link href="https://fonts.example/a.css" rel="stylesheet">',
        '<img alt="" src="http://badge.example/a.svg" />',
        "@import 'https://fonts.example/a.css';",
        "p { background: url(https://example.org/a.png) }",
        "import('https://cdn.example/a.mjs')",
    ],
)
def test_an_address_of_another_host_is_seen(text):
    assert len(outside(loaded(text))) == 1


def test_every_image_and_file_that_a_page_shows_is_in_the_site(site):
    for page in site.rglob("*.html"):
        for address in loaded(page.read_text(encoding="utf-8")):
            if not address.startswith("data:"):
                assert (page.parent / address.partition("?")[0]).is_file(), (page.name, address)


def test_formulas_are_written_as_mathml(site):
    page = (site / "docs/explanation/methods.html").read_text(encoding="utf-8")
    source = (ROOT / "docs/explanation/methods.md").read_text()
    assert page.count("<math") > source.count("$$") / 2 > 5
    assert "<mfrac>" in page
    shown = re.sub(r"<(code|pre)\b.*?</\1>", "", page, flags=re.DOTALL)
    assert re.findall(r"\\[a-z]+|\$", re.sub(r"<[^>]+>", "", shown)) == []


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("[a page](missing.md)", "missing.md"),
        ("[a heading](#nowhere)", "nowhere"),
        ("![a picture](missing.png)", "missing.png"),
    ],
)
def test_a_broken_link_fails_the_build(tmp_path, text, fault):
    (tmp_path / "source").mkdir()
    (tmp_path / "source/README.md").write_text(f"# Title\n\n{text}\n")
    done = build(tmp_path / "source", tmp_path / "site")
    assert done.returncode == 1
    assert re.search(rf"README\.md:3: WARNING: .*{fault}", done.stderr)
