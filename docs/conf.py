"""Sphinx configuration of the documentation's site; ``make docs`` builds it.

The sources are the Markdown pages of the repository as they are, with the README as the first page.
Nothing is loaded from another host: formulas become MathML when a page is built, and the theme
brings no fonts.
"""

import fnmatch
import shutil
from pathlib import Path

from docutils import nodes
from latex2mathml.converter import convert
from sphinx.application import Sphinx

project = "Tunescape"
author = "Tunescape authors"
project_copyright = author
root_doc = "README"
include_patterns = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "profiles/README.md", "docs/**"]
# Folders that are not looked into.
exclude_patterns = [".*", "results", "runs", "site", "build", "dist", "tests", "workflow_scripts"]

extensions = ["myst_parser"]
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 4
myst_links_external_new_tab = False
# A link to a file that is no page, such as LICENSE, offers the file.
nitpicky = True

html_theme = "furo"
html_title = "Tunescape"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_show_sphinx = False
html_show_copyright = False
html_copy_source = False
html_math_renderer = "mathml"
pygments_style = "friendly"

# A glob matches the remaining pages: those not listed explicitly above it.
CONTENTS = {
    "Start": ["docs/tutorial", "docs/explanation/what_to_expect"],
    "How to": [
        "docs/howto/plan",
        "docs/howto/own_run",
        "docs/howto/seeds",
        "docs/howto/words",
        "docs/howto/atlas",
        "docs/howto/verify",
        "docs/howto/compare",
        "docs/howto/hub",
        "docs/howto/gpu",
        "docs/howto/slurm",
        "docs/howto/containers",
        "docs/howto/resume",
        "docs/howto/rebuilds",
        "docs/howto/cache",
        "docs/howto/extend",
        "docs/howto/*",
    ],
    "Reference": [
        "docs/reference/config",
        "docs/reference/outputs",
        "docs/reference/architectures",
        "docs/reference/functions",
        "profiles/README",
    ],
    "Explanation": ["docs/explanation/methods", "docs/benchmarks"],
    "Project": ["CONTRIBUTING", "CHANGELOG"],
}


def add_contents(app: Sphinx, page: str, source: list[str]) -> None:
    """Give the first page the table of contents, which GitHub does not need."""
    if page != root_doc:
        return
    listed = {name for pages in CONTENTS.values() for name in pages}
    for caption, patterns in CONTENTS.items():
        pages = []
        for name in patterns:
            others = sorted(app.env.found_docs - listed)
            pages += fnmatch.filter(others, name) if "*" in name else [name]
        lines = "\n".join(f"/{name}" for name in pages)
        source[0] += f"\n```{{toctree}}\n:caption: {caption}\n:hidden:\n\n{lines}\n```\n"


def write_math(writer, node: nodes.Node, display: str) -> None:
    """Write a formula as MathML, which browsers render without a script."""
    formula = convert(node.astext(), display=display)
    block = display == "block"
    writer.body.append(f'<div class="formula">{formula}</div>' if block else formula)
    raise nodes.SkipNode


def add_index(app: Sphinx, exception: Exception | None) -> None:
    """Copy the first page to where browsers look for it."""
    if exception is None and app.builder.name == "html":
        shutil.copyfile(Path(app.outdir) / f"{root_doc}.html", Path(app.outdir) / "index.html")


def setup(app: Sphinx) -> None:
    """Register what is above."""
    app.connect("source-read", add_contents)
    app.connect("build-finished", add_index)
    app.add_html_math_renderer(
        "mathml",
        (lambda writer, node: write_math(writer, node, "inline"), None),
        (lambda writer, node: write_math(writer, node, "block"), None),
    )
