"""Writes what is generated: comments of config.yaml, and parts of the reference pages.

python -m workflow_scripts.reference
python -m workflow_scripts.reference rebuilds
python -m workflow_scripts.reference plans
python -m workflow_scripts.reference expect RESULTS

The second also writes the table of docs/howto/rebuilds.md, which takes minutes: one plan of the
smoke experiment for each key of the configuration. The third also writes the plans of
docs/howto/plan.md: minutes, and real data in $TUNESCAPE_DATA. The fourth also writes the figures
and numbers of docs/explanation/what_to_expect.md, from a finished run of the default experiment.
"""

import argparse
import re
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import yaml

from workflow_scripts.common.errors import UserError
from workflow_scripts.reference import architectures, config, outputs, places

ROOT = Path(__file__).resolve().parents[2]
EXPECT = "docs/explanation/what_to_expect.md"


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
        "docs/howto/slurm.md": {"places": places.table},
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


def main(arguments: list[str] | None = None) -> None:
    """Write the generated documents that differ.

    Parameters
    ----------
    arguments : list of str or None
        Of the command line; None for those of the program.
    """
    parser = argparse.ArgumentParser(
        prog="python -m workflow_scripts.reference", description="Write what is generated."
    )
    more = parser.add_subparsers(dest="more", metavar="")
    more.add_parser("rebuilds", help="also the table of docs/howto/rebuilds.md")
    more.add_parser("plans", help="also the plans of docs/howto/plan.md")
    expect = more.add_parser("expect", help=f"also the figures and numbers of {EXPECT}")
    expect.add_argument("results", type=Path, help="results/ of a finished run of the default")
    given = parser.parse_args(arguments)
    written: dict[str, str | bytes] = dict(documents())
    if given.more == "rebuilds":
        from workflow_scripts.reference import rebuilds

        parts = {"rebuilds": lambda: rebuilds.table(rebuilds.planned_answers())}
        written["docs/howto/rebuilds.md"] = _filled("docs/howto/rebuilds.md", parts)
    try:
        if given.more == "plans":
            from workflow_scripts.reference import plans

            parts = {name: partial(str, part) for name, part in plans.parts().items()}
            written["docs/howto/plan.md"] = _filled("docs/howto/plan.md", parts)
        if given.more == "expect":
            written |= expected(given.results)
    except UserError as error:
        sys.exit(f"{given.more}: {error}")
    for path, content in written.items():
        content = content.encode() if isinstance(content, str) else content
        file = ROOT / path
        if not file.is_file() or file.read_bytes() != content:
            file.write_bytes(content)
            print(f"written: {path}")


def expected(results: Path) -> dict[str, str | bytes]:
    """The page of what to expect and its figures, by their paths below the repository.

    Parameters
    ----------
    results : Path
        ``results/`` of a finished run of the default experiment.

    Raises
    ------
    UserError
        If the run is unfinished, or the page and the run differ in their figures.
    """
    from workflow_scripts.reference import expect

    page = (ROOT / EXPECT).read_text(encoding="utf-8")
    parts = expect.parts(results)
    described = set(re.findall(r"<!-- generated: (\S+) -->", page))
    if described != set(parts):
        names = ", ".join(sorted(described ^ set(parts)))
        raise UserError(f"{EXPECT} and {results} differ in what they have: {names}")
    for part, content in parts.items():
        page = filled(page, part, content)
    return {
        EXPECT: page,
        **{f"docs/images/{name}": data for name, data in expect.images(results)},
    }


if __name__ == "__main__":
    main()
