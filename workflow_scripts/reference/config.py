"""Schema, reference page and commented default of the configuration, from its sections."""

import json
import re
import textwrap
from collections.abc import Iterator
from typing import Any, get_args, get_origin

from workflow_scripts.common.settings import Section, is_section
from workflow_scripts.experiment.config import Config


def schema() -> str:
    """JSON schema of the configuration, for editors."""
    return json.dumps(Config.model_json_schema(), indent=1, sort_keys=True) + "\n"


def page() -> str:
    """Reference page of the configuration, in Markdown."""
    lines = [
        "# Configuration",
        "",
        "Every key of `config.yaml` and of the files in `experiments/`. Written by "
        "`python -m workflow_scripts.reference`; do not edit.",
    ]
    lines += _sections(Config, "")
    return "\n".join(lines) + "\n"


def _sections(section: type[Section], prefix: str) -> list[str]:
    rows, below = [], []
    shapes = section.model_json_schema()["properties"]
    for name, field in section.model_fields.items():
        key = f"{prefix}{name}"
        inner, suffix = _inner_section(field.annotation)
        if inner:
            about = field.description[0].upper() + field.description[1:]
            below += ["", f"## `{key}{suffix}`", "", f"{about}."]
            below += _sections(inner, f"{key}{suffix}.")
        else:
            required = field.is_required()
            default = None if required else field.get_default(call_default_factory=True)
            cells = [
                f"`{name}`",
                _type_words(shapes[name]),
                "required" if required else f"`{json.dumps(default)}`",
                field.description.replace("|", "\\|"),
            ]
            rows.append(f"| {' | '.join(cells)} |")
    head = ["", "| key | type | default | meaning |", "|---|---|---|---|"] if rows else []
    return [*head, *rows, *below]


def _inner_section(kind: Any) -> tuple[type[Section] | None, str]:
    if is_section(kind):
        return kind, ""
    for inner in get_args(kind):
        if is_section(inner):
            return inner, ".NAME" if get_origin(kind) is dict else "[]"
    return None, ""


def _type_words(shape: dict[str, Any]) -> str:
    if shape.get("type") == "null":
        return "null"
    if "anyOf" in shape:
        return " or ".join(_type_words(s) for s in shape["anyOf"])
    if "enum" in shape:
        return ", ".join(f"`{value}`" for value in shape["enum"])
    if shape.get("type") == "array":
        items = _type_words(shape.get("items", {}))
        return (
            f"list of {items}s"
            if items in ("name", "number", "integer", "text")
            else f"list of {items}"
        )
    if shape.get("type") == "object":
        of = shape.get("additionalProperties") or next(iter(shape["patternProperties"].values()))
        return f"mapping from names to {_type_words(of)}"
    if "pattern" in shape and shape["pattern"].startswith("^[A-Za-z"):
        return "name"
    words = {"integer": "integer", "number": "number", "string": "text", "boolean": "true or false"}
    kind = words.get(shape.get("type", ""), shape.get("type", ""))
    if kind == "integer" and {"minimum", "exclusiveMaximum"} <= set(shape):
        return f"integer from {shape['minimum']} to {shape['exclusiveMaximum'] - 1}"
    limits = [
        f"{sign} {shape[key]:g}"
        for key, sign in (
            ("minimum", "≥"),
            ("exclusiveMinimum", ">"),
            ("maximum", "≤"),
            ("exclusiveMaximum", "<"),
        )
        if key in shape
    ]
    return " ".join([kind, *limits])


_HEADER = """\
# The embedded default: real MiniLM on four synthetic tasks, on a CPU, without a network.
# Every key is explained here and, with types and limits, in docs/reference/config.md.
# Another experiment is a file of differences from this one: see experiments/.
# The comments are written by `python -m workflow_scripts.reference`; the values are edited here.
"""
_WIDTH = 100
_COLUMN = 32  # of comments beside values, where they fit


def default(values: dict[str, Any]) -> str:
    """``config.yaml``: values, and the comments that the sections give them.

    Parameters
    ----------
    values : dict
        Of the file as it is.
    """
    return _HEADER + "\n".join(_section_lines(Config, values, "", blank=True)) + "\n"


def _section_lines(
    section: type[Section], values: dict[str, Any], indent: str, blank: bool = False
) -> Iterator[str]:
    for key, field in section.model_fields.items():
        if key in values:
            if blank:
                yield ""
            yield from _entry_lines(key, values[key], field, indent)


def _entry_lines(key: str, value: Any, field: Any, indent: str) -> Iterator[str]:
    inner, suffix = _inner_section(field.annotation)
    about = field.description.replace("`", "")
    if inner is None or not value:
        yield from _commented(f"{indent}{key}: {flow(value)}", about, indent)
        return
    yield from _commented(f"{indent}{key}:", about, indent)
    below = f"{indent}  "
    if not suffix:
        yield from _section_lines(inner, value, below)
        return
    items = value.items() if isinstance(value, dict) else ((None, one) for one in value)
    lines = [
        f"{below}{name}: {flow(one)}" if name else f"{below}- {flow(one)}" for name, one in items
    ]
    if all(len(line) <= _WIDTH for line in lines):
        for name, inner_field in inner.model_fields.items():
            yield from _wrapped(f"{name}: {inner_field.description.replace('`', '')}", below)
        yield from lines
        return
    explained = False
    for name, one in value.items():
        yield f"{below}{name}:"
        if explained:
            yield from (f"{below}  {key}: {flow(of)}" for key, of in one.items())
        else:
            yield from _section_lines(inner, one, f"{below}  ")
        explained = True


def _commented(line: str, about: str, indent: str) -> Iterator[str]:
    beside = f"{line:<{_COLUMN}}  # {about}"
    if len(beside) <= _WIDTH:
        yield beside
    else:
        yield from _wrapped(about, indent)
        yield line


def _wrapped(about: str, indent: str) -> list[str]:
    return textwrap.wrap(
        about, _WIDTH, initial_indent=f"{indent}# ", subsequent_indent=f"{indent}#   "
    )


def flow(value: Any) -> str:
    """A value in YAML's flow style, on one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {flow(of)}" for key, of in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(flow, value)) + "]"
    if isinstance(value, float) and 0 < abs(value) < 0.01:
        digits, exponent = f"{value:e}".split("e")
        return f"{float(digits)}e{int(exponent)}"
    if isinstance(value, str) and not re.fullmatch(r"[A-Za-z][\w.-]*", value):
        return json.dumps(value, ensure_ascii=False)
    return str(value) if isinstance(value, str) else json.dumps(value)
