"""The page: template, style and scripts put together into one file that needs no other."""

import base64
import hashlib
import importlib.resources
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from PIL import Image

from workflow_scripts.atlas.twins import data_url
from workflow_scripts.report.embedded import compressed

TEMPLATES = Path(__file__).parent / "templates"
SCRIPTS = Path(__file__).parent / "js"
# Modules in the order in which they are joined: each imports only from those before it.
MODULES = ("data", "choices", "scale", "charts", "surfaces", "solid", "main")
THUMBNAIL, FULL = 260, 1000  # pixels wide


def joined_modules() -> str:
    """The modules as one script: without the lines that import and the words that export."""
    parts = []
    for name in MODULES:
        text = (SCRIPTS / f"{name}.mjs").read_text(encoding="utf-8")
        text = re.sub(r'^import [^;]*? from "\./\w+\.mjs";\n', "", text, flags=re.MULTILINE)
        parts.append(re.sub(r"^export ", "", text, flags=re.MULTILINE))
    return "\n".join(parts)


def plotly_code() -> str:
    """The library that draws in 3-D."""
    code = importlib.resources.files("plotly") / "package_data" / "plotly.min.js"
    return code.read_text(encoding="utf-8")


def policy(*scripts: str) -> str:
    """Content security policy that runs these scripts and nothing else, and asks no host."""
    digests = (hashlib.sha256(script.encode()).digest() for script in scripts)
    hashes = " ".join(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests)
    return (
        "default-src 'none'; img-src data: blob:; style-src 'unsafe-inline'; "
        f"script-src {hashes}; base-uri 'none'; form-action 'none'"
    )


def thumbnail(path: Path) -> tuple[str, str, float]:
    """A figure as a small and as a larger image, both as URLs, and its height over its width.

    Parameters
    ----------
    path : Path
        Its PNG file.
    """
    with Image.open(path) as opened:
        image = opened.convert("RGB")

    def reduced(width: int, quality: int) -> str:
        width = min(width, image.width)
        size = width, max(1, round(image.height * width / image.width))
        return data_url(image.resize(size, Image.LANCZOS), "webp", quality=quality, method=6)

    return reduced(THUMBNAIL, 60), reduced(FULL, 72), image.height / image.width


def written(data: Mapping[str, Any], content: Mapping[str, Any]) -> str:
    """The page.

    Parameters
    ----------
    data : mapping
        What the scripts read, for one compressed block.
    content : mapping
        What the template shows; all text in it is escaped.
    """
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    script, plotly = joined_modules(), plotly_code()
    text = json.dumps(data, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return environment.get_template("page.html").render(
        **content,
        policy=Markup(policy(script, plotly)),
        style=Markup((TEMPLATES / "style.css").read_text(encoding="utf-8")),
        script=Markup(script),
        data=Markup(compressed(text)),
        plotly=Markup(compressed(plotly)),
    )
