"""Writes the reference of the configuration from its models.

python -m workflow_scripts.experiment.reference schema > docs/reference/config.schema.json
python -m workflow_scripts.experiment.reference page > docs/reference/config.md
"""

import json
import sys
from typing import Any, get_args, get_origin

from workflow_scripts.experiment.config import Config, Section, is_section


def schema() -> str:
    """JSON schema of the configuration, for editors."""
    return json.dumps(Config.model_json_schema(), indent=1, sort_keys=True) + "\n"


def page() -> str:
    """Reference page of the configuration, in Markdown."""
    lines = [
        "# Configuration",
        "",
        "Every key of `config.yaml` and of the files in `experiments/`. Written by "
        "`python -m workflow_scripts.experiment.reference page`; do not edit.",
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
        return f"list of {_type_words(shape.get('items', {}))}"
    if shape.get("type") == "object":
        return f"mapping from names to {_type_words(shape.get('additionalProperties', {}))}"
    if "pattern" in shape and shape["pattern"].startswith("^[A-Za-z"):
        return "name"
    words = {"integer": "integer", "number": "number", "string": "text", "boolean": "true or false"}
    limits = [
        f"{sign} {shape[key]:g}"
        for key, sign in (
            ("minimum", ">="),
            ("exclusiveMinimum", ">"),
            ("maximum", "<="),
            ("exclusiveMaximum", "<"),
        )
        if key in shape
    ]
    return " ".join([words.get(shape.get("type", ""), shape.get("type", "")), *limits])


if __name__ == "__main__":
    pages = {"schema": schema, "page": page}
    if len(sys.argv) != 2 or sys.argv[1] not in pages:
        sys.exit(f"usage: python -m workflow_scripts.experiment.reference {'|'.join(pages)}")
    sys.stdout.write(pages[sys.argv[1]]())
