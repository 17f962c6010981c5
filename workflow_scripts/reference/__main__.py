"""Writes what is generated: comments of config.yaml, and parts of the reference pages.

python -m workflow_scripts.reference
python -m workflow_scripts.reference rebuilds

The second also writes the table of docs/howto/rebuilds.md, which takes minutes: one plan of the
smoke experiment for each key of the configuration.
"""

import argparse
import re
from collections.abc import Callable
from pathlib import Path

import yaml

from workflow_scripts.reference import architectures, config, outputs

ROOT = Path(__file__).resolve().parents[2]


def filled(text: str, part: str, content: str) -> str:
    """A page with the part between two marks replaced.

    Parameters
    ----------
    text : str
        The page; it holds ``<!-- generated: PART -->`` and, after it, ``<!-- end -->``.
    part : str
        Name of the part.
    content : str
        Markdown.

    Raises
    ------
    ValueError
        If the page has no such part.
    """
    mark = f"<!-- generated: {part} -->"
    pattern = re.compile(rf"{re.escape(mark)}\n.*?<!-- end -->", re.DOTALL)
    if not pattern.search(text):
        raise ValueError(f"no part {mark}")
    return pattern.sub(lambda _: f"{mark}\n\n{content}\n\n<!-- end -->", text)


def documents() -> dict[str, str]:
    """Every generated file but the table of rebuilds, by its path below the repository."""
    pages = {
        "README.md": {"architectures": architectures.summary},
        "docs/reference/architectures.md": {
            "tested": architectures.tested,
            "refused": architectures.refused,
        },
        "docs/reference/outputs.md": {
            "tree": outputs.tree,
            "sections": outputs.sections,
            "figures": outputs.figures,
        },
    }
    return {
        "config.yaml": config.default(yaml.safe_load((ROOT / "config.yaml").read_text())),
        "docs/reference/config.md": config.page(),
        "docs/reference/config.schema.json": config.schema(),
        **{path: _filled(path, parts) for path, parts in pages.items()},
    }


def _filled(path: str, parts: dict[str, Callable[[], str]]) -> str:
    page = (ROOT / path).read_text(encoding="utf-8")
    for part, content in parts.items():
        page = filled(page, part, content())
    return page


def main() -> None:
    """Write the generated documents that differ."""
    parser = argparse.ArgumentParser(
        prog="python -m workflow_scripts.reference", description="Write what is generated."
    )
    parser.add_argument(
        "more", nargs="?", choices=["rebuilds"], help="also the table of docs/howto/rebuilds.md"
    )
    arguments = parser.parse_args()
    written = documents()
    if arguments.more == "rebuilds":
        from workflow_scripts.reference import rebuilds

        path = "docs/howto/rebuilds.md"
        page = (ROOT / path).read_text(encoding="utf-8")
        written[path] = filled(page, "rebuilds", rebuilds.table(rebuilds.planned_answers()))
    for path, text in written.items():
        if (ROOT / path).read_text(encoding="utf-8") != text:
            (ROOT / path).write_text(text, encoding="utf-8")
            print(f"written: {path}")


if __name__ == "__main__":
    main()
