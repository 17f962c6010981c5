"""Sweeps of the toy task of ``tests/finetune``."""

from dataclasses import asdict
from pathlib import Path

import pytest

from tests.finetune.conftest import toy  # noqa: F401
from tests.finetune.toy import CONTEXT
from workflow_scripts.finetune.recipe import Recipe
from workflow_scripts.stability.sweep import sweep

PARTS = ("histories", "scores", "predictions")


@pytest.fixture
def sweep_runs(toy, tmp_path):  # noqa: F811
    """``sweep_runs("name", recipe, [0, 1])`` trains these seeds and gives the sweep's folder."""

    def call(name: str, recipe: Recipe, seeds: list[int], **changed) -> Path:
        folder = tmp_path / name
        outputs = {
            part: [folder / part / f"init{seed}_order{seed}.parquet" for seed in seeds]
            for part in PARTS
        }
        inputs = ("config.json", "tokenizer.json", "tokenizer_config.json", "card.json")
        inputs += ("train.parquet", "dev.parquet")
        files = {Path(name).stem: toy / name for name in inputs}
        given = {
            **files,
            **outputs,
            "weights": toy / "model.safetensors",
            "recipe": asdict(recipe),
            "max_length": 32,
            "examples": None,
            "same_steps": False,
            "subset_seed": None,
            "context": CONTEXT,
            "state": str(folder / "state"),
        }
        sweep(**given | changed)
        return folder

    return call
