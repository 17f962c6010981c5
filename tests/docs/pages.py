"""The Markdown pages of the repository, and what tests need of their form."""

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_FENCE = re.compile(r"^(?P<indent> *)```(?P<language>\w*)\n(?P<code>.*?)^ *```$", re.M | re.S)


def tracked_files(*folders: str) -> list[Path]:
    """Files below these folders (or these files) that are, or would be, in the repository."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *folders],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return sorted(path for line in listed.stdout.splitlines() if (path := ROOT / line).is_file())


def examples(page: Path, language: str = "python") -> list[tuple[int, str]]:
    """Fenced examples of a page in this language: line of the first statement, and the code."""
    text = page.read_text()
    return [
        (text.count("\n", 0, found.start("code")) + 1, found["code"])
        for found in _FENCE.finditer(text)
        if found["language"] == language
    ]


def without_code(text: str) -> str:
    """A page's text with fenced, indented and quoted code blanked, line by line."""
    text = _FENCE.sub(lambda found: "\n" * found[0].count("\n"), text)
    text = re.sub(r"(?m)^(?: {4}|\t)(?!\s*(?:[-*]|\d+\.) ).*$", "", text)
    return re.sub(r"`[^`\n]*`", "", text)


def anchor(heading: str) -> str:
    """The anchor that GitHub gives a heading."""
    words = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading).strip().lower()
    return re.sub(r"[^\w\- ]", "", words).replace(" ", "-")


def anchors(page: Path) -> set[str]:
    """All anchors of a page; a heading that is repeated is numbered from its second use on."""
    text = _FENCE.sub("", page.read_text())
    names: list[str] = []
    for heading in re.findall(r"(?m)^#+ +(.+?) *#*$", text):
        name = anchor(heading)
        seen = sum(re.fullmatch(rf"{re.escape(name)}(-\d+)?", other) is not None for other in names)
        names.append(f"{name}-{seen}" if seen else name)
    return set(names)


def links(page: Path) -> list[tuple[int, str]]:
    """Targets of the page's links and images, each with its line."""
    text = without_code(page.read_text())
    return [
        (text.count("\n", 0, found.start()) + 1, found[1])
        for found in re.finditer(r"\]\(\s*<?([^)\s>]+)>?[^)]*\)", text)
    ]
