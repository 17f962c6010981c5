"""The default experiment's settings with some of them changed, for tests."""

import copy
from pathlib import Path
from typing import Any

import yaml

from workflow_scripts.experiment.config import validated

ROOT = Path(__file__).resolve().parents[2]
DEFAULT = yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))


def changed(path: str, value: Any) -> dict[str, Any]:
    """The default configuration with one value replaced; ``path`` has slashes."""
    config = copy.deepcopy(DEFAULT)
    *sections, key = path.split("/")
    place = config
    for section in sections:
        place = place.setdefault(section, {})
    place[key] = value
    return config


def settings(**values: Any) -> Any:
    """Validated settings; a key has two underscores for each dot."""
    config = copy.deepcopy(DEFAULT)
    for path, value in values.items():
        *sections, key = path.split("__")
        place = config
        for section in sections:
            place = place.setdefault(section, {})
        place[key] = value
    return validated(config)
