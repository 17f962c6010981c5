"""Keys and YAML on the pages agree with the configuration."""

import json
import re

import pytest
import yaml
from snakemake.utils import update_config

from tests.docs.pages import ROOT, examples, tracked_files
from workflow_scripts.common.errors import UserError
from workflow_scripts.experiment.config import validated

SCHEMA = json.loads((ROOT / "docs/reference/config.schema.json").read_text())
# `functions.md` names modules, the changelog keys as they once were.
PAGES = [p for p in tracked_files("*.md") if p.name not in ("functions.md", "CHANGELOG.md")]
KEY = re.compile(r"`([a-z_]+(?:\.[A-Za-z_*]+)+)(?:: [^`]*)?`")


def is_key(name: str) -> bool:
    """Whether the schema has a key; a name of the user's own (NAME, ``*``) fits where names do."""
    nodes = [SCHEMA]
    for part in name.split("."):
        below = []
        while nodes:
            node = nodes.pop()
            if "$ref" in node:
                nodes.append(SCHEMA["$defs"][node["$ref"].rsplit("/", 1)[1]])
            nodes += node.get("anyOf", [])
            properties = node.get("properties", {})
            below += [value for key, value in properties.items() if part in ("*", key)]
            below += node.get("patternProperties", {}).values()
        nodes = below
    return bool(nodes)


def named_keys() -> list[str]:
    names = {name for page in PAGES for name in KEY.findall(page.read_text())}
    files = re.compile(r".*\.(smk|py|yaml|json|parquet|md|tsv|csv|jsonl|safetensors|digest)")
    return sorted(
        name
        for name in names
        if name.split(".")[0] in SCHEMA["properties"] and not files.fullmatch(name)
    )


@pytest.mark.parametrize("name", named_keys())
def test_a_key_that_a_page_names_exists(name):
    assert is_key(name)


def test_a_misspelt_key_is_noticed():
    assert len(named_keys()) > 50
    assert is_key("finetune.recipes.NAME.autocast")
    assert is_key("landscape.width.tolerances")
    assert not is_key("landscape.pionts")
    assert not is_key("finetune.recipes.NAME.autocasts")


def default() -> dict:
    return yaml.safe_load((ROOT / "config.yaml").read_text())


def error_of(written: dict) -> str | None:
    """The one-line error of an experiment's file; None if it is valid."""
    config = default()
    update_config(config, written)
    try:
        validated(config, written)
    except UserError as error:
        return str(error)
    return None


@pytest.mark.parametrize("page", ["README.md", "docs/tutorial.md"])
def test_each_yaml_example_is_a_valid_addition(page):
    written: dict = {}
    blocks = examples(ROOT / page, "yaml")
    assert blocks
    for line, text in blocks:
        update_config(written, yaml.safe_load(text))
        assert error_of(written) is None, f"{page}:{line}"
