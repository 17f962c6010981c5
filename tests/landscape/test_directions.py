"""The step that measures directions, on checkpoints of its own."""

import pytest

from tests.landscape.conftest import moved
from tests.landscape.test_engine import scene, weights_of
from workflow_scripts.common.tables import read_json, write_json
from workflow_scripts.landscape.measure_directions import lengths, measure_directions
from workflow_scripts.landscape.setting import Checkpoints, load_directions
from workflow_scripts.model.encoder import encoder_names, encoder_weights, write_weights


def test_lengths_are_those_of_the_encoder_alone(architecture, tmp_path):
    module, _ = scene(architecture)
    start = weights_of(module)
    files = {name: tmp_path / f"{name}.safetensors" for name in ("start", "end", "second")}
    for seed, path in enumerate(files.values()):
        write_weights(moved(start, seed) if seed else start, path)
    write_weights(encoder_weights(module, start), tmp_path / "encoder.safetensors")
    card = {"name": "t", "synthetic": True, "labels": ["a", "b", "c"]}
    write_json(card, tmp_path / "card.json")
    measure_directions(
        encoder=tmp_path / "encoder.safetensors",
        card=tmp_path / "card.json",
        geometry=tmp_path / "geometry.json",
        surface={"kind": "plane", "range": [-1, 1], "points": 3, "group": None, "groups": None},
        **files,
    )
    facts = read_json(tmp_path / "geometry.json")
    assert facts["labels"] == 3
    assert facts["layers"] is None
    expected = lengths(load_directions(encoder_names(module), Checkpoints(**files)), None)
    assert {name: facts[name] for name in expected} == pytest.approx(expected, rel=1e-12)
