"""The page: template, style and scripts put together into one file that needs no other."""

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup
from PIL import Image

from workflow_scripts.atlas.twins import data_url
from workflow_scripts.report.embedded import compressed

# Each file by its whole path, so that the code hash knows which files count.
TEMPLATE = Path(__file__).parent / "templates" / "page.html"
STYLE = Path(__file__).parent / "templates" / "style.css"
# Modules in the order in which they are joined: each imports only from those before it.
MODULES = (
    Path(__file__).parent / "js" / "data.mjs",
    Path(__file__).parent / "js" / "choices.mjs",
    Path(__file__).parent / "js" / "scale.mjs",
    Path(__file__).parent / "js" / "charts.mjs",
    Path(__file__).parent / "js" / "surfaces.mjs",
    Path(__file__).parent / "js" / "solid.mjs",
    Path(__file__).parent / "js" / "main.mjs",
)
THUMBNAIL, FULL = 260, 1000  # pixels wide


def joined_modules() -> str:
    """The modules as one script: without the lines that import and the words that export."""
    parts = []
    for module in MODULES:
        text = module.read_text(encoding="utf-8")
        text = re.sub(r'^import [^;]*? from "\./\w+\.mjs";\n', "", text, flags=re.MULTILINE)
        parts.append(re.sub(r"^export ", "", text, flags=re.MULTILINE))
    return "\n".join(parts)


def plotly_code() -> str:
    """The library that draws in 3-D."""
    from plotly.offline import get_plotlyjs

    return get_plotlyjs()


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
        return data_url(image.resize(size, Image.LANCZOS), "webp", quality=quality, method=4)

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
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    script, plotly = joined_modules(), plotly_code()
    text = json.dumps(data, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return environment.from_string(TEMPLATE.read_text(encoding="utf-8")).render(
        **content,
        policy=Markup(policy(script, plotly)),
        style=Markup(STYLE.read_text(encoding="utf-8")),
        script=Markup(script),
        data=Markup(compressed(text)),
        plotly=Markup(compressed(plotly)),
    )
