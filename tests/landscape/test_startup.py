"""The steps of a surface on files of their own, and what they import: little for known models."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from tests.landscape.conftest import classifier, moved, sentences
from tests.landscape.test_engine import weights_of
from workflow_scripts.common.tables import read_json, read_table, write_json, write_table
from workflow_scripts.landscape.tokens import read_tokens, tabulate
from workflow_scripts.model.encoder import encoder_weights, write_weights

ROOT = Path(__file__).resolve().parents[2]
CALL = """
import json, sys
from importlib import import_module
from pathlib import Path
step, files, arguments = json.loads(sys.argv[1])
for name, paths in files.items():
    arguments[name] = [*map(Path, paths)] if isinstance(paths, list) else Path(paths)
getattr(import_module(f"workflow_scripts.landscape.{step}"), step)(**arguments)
print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))
"""
SPAN = {name: f"{name}.safetensors" for name in ("start", "end", "second")}
MODEL = {"config": "config.json", "tokens": "tokens.parquet"}
SURFACE = {"kind": "plane", "range": [-1, 1], "points": 3, "group": None, "groups": None}
CONTEXT = {"device": "cpu", "threads": 1, "token_budget": None}
STEPS = {
    "measure_directions": (
        SPAN | {"encoder": "model.safetensors", "card": "card.json", "geometry": "geometry.json"},
        {"surface": SURFACE},
    ),
    "calibrate_precision": (
        SPAN | MODEL | {"precision": "precision.json"},
        {"surface": SURFACE, "requested": "bfloat16", "tolerance": None, "context": CONTEXT},
    ),
    "evaluate_rows": (
        SPAN | MODEL | {"rows": ["000.parquet", "001.parquet"]},
        {"surface": SURFACE, "context": CONTEXT},
    ),
    "project_trajectory": (
        MODEL
        | {"checkpoints": [SPAN["start"], SPAN["end"]], "second": SPAN["second"]}
        | {"trajectory": "trajectory.parquet"},
        {"run_name": "target", "context": CONTEXT},
    ),
}


def run_steps(architecture: str, folder: Path, steps: list[str]) -> dict[str, set[str]]:
    """Run steps on random checkpoints, each in a process of its own; what each has imported."""
    module = classifier(architecture)
    module.config.save_pretrained(folder)
    start = weights_of(module)
    write_weights(encoder_weights(module, start), folder / "model.safetensors")
    for seed, name in enumerate(SPAN.values()):
        write_weights(moved(start, seed) if seed else start, folder / name)
    split = pd.Series(["train"] * 12 + ["dev"] * 8)
    write_table(tabulate(split, sentences(20, pairs=False), 0, 3), folder / "tokens.parquet")
    write_json({"name": "t", "synthetic": True, "labels": ["a", "b", "c"]}, folder / "card.json")
    found = {}
    for step in steps:
        done = subprocess.run(
            [sys.executable, "-c", CALL, json.dumps([step, *STEPS[step]])],
            cwd=folder,
            env={"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        found[step] = set(json.loads(done.stdout.splitlines()[-1]))
    return found


def test_steps_of_a_known_architecture_import_no_transformers(tmp_path):
    for step, modules in run_steps("bert", tmp_path, list(STEPS)).items():
        assert "torch" in modules
        slow = {"transformers", "tokenizers", "huggingface_hub", "sympy", "scipy"} & modules
        assert not slow, step
    assert read_json(tmp_path / "geometry.json")["norm_1"] > 1
    assert len(read_json(tmp_path / "precision.json")["points"]) == 9
    row = read_table(tmp_path / "001.parquet")
    place = row[(row["alpha"] == 1) & (row["beta"] == 0)].iloc[0]
    end = read_table(tmp_path / "trajectory.parquet").iloc[-1]
    assert len(place["dev_loss"]) == 8
    assert np.mean(place["train_loss"]) == pytest.approx(end["own_train_loss"], abs=1e-6)


def test_other_architectures_go_through_transformers(tmp_path):
    found = run_steps("mpnet", tmp_path, ["measure_directions", "evaluate_rows"])
    assert "transformers" not in found["measure_directions"]
    assert "transformers" in found["evaluate_rows"]
    assert torch.isfinite(
        torch.tensor(np.stack(read_table(tmp_path / "000.parquet")["train_loss"]))
    ).all()


@pytest.mark.parametrize("pairs", [False, True])
def test_tokens_are_read_as_they_were_written(pairs, tmp_path):
    encoded = sentences(20, pairs)
    split = pd.Series(["train"] * 12 + ["dev"] * 8)
    write_table(tabulate(split, encoded, pad_id=7, labels=3), tmp_path / "tokens.parquet")
    tokens = read_tokens(tmp_path / "tokens.parquet")
    assert (tokens.pad_id, tokens.labels) == (7, 3)
    for name, part in (("train", slice(0, 12)), ("dev", slice(12, 20))):
        got = tokens.splits[name]
        assert got.input_ids == encoded.input_ids[part]
        assert got.token_type_ids == (encoded.token_type_ids[part] if pairs else None)
        assert (got.lengths == encoded.lengths[part]).all()
        assert (got.labels == encoded.labels[part]).all()
