import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from tests.landscape.conftest import sentences
from tests.landscape.test_engine import scene
from workflow_scripts.common import device
from workflow_scripts.common.device import chosen_token_budget
from workflow_scripts.landscape import setting
from workflow_scripts.landscape.calibrate_precision import (
    calibrate_precision,
    calibration_points,
    differences,
)
from workflow_scripts.landscape.engine import Evaluator, Outcome
from workflow_scripts.landscape.grid import Point, points_of, surface_points


@pytest.mark.parametrize(
    ("kind", "points", "expected"), [("plane", 13, 26), ("plane", 40, 26), ("line", 31, 24)]
)
def test_corners_checkpoints_and_twenty_others_are_calibrated(kind, points, expected):
    table = surface_points(kind, -3, 3, points)
    places = calibration_points(table)
    assert len(set(places)) == len(places) == expected
    corners = {(a, b) for a in (-3, 3) for b in ((0,) if kind == "line" else (-3, 3))}
    assert corners | {(0, 0), (1, 0)} <= set(places)
    assert set(places) <= set(zip(table["alpha"], table["beta"], strict=True))
    rows = {beta for _, beta in places}
    assert kind == "line" or len(rows) >= 10


def test_a_small_surface_is_calibrated_at_every_point_of_its_grid():
    table = surface_points("group", -1, 1, 3)
    assert calibration_points(table) == points_of(table.query("on_grid"))


def fake(*means):
    """An evaluator that gives a split's losses with these means, point by point."""
    of = iter(means)

    def evaluate():
        return {"train": Outcome(np.full(3, next(of), np.float32), np.zeros(3, np.int16))}

    return evaluate


def test_a_mean_that_is_finite_in_one_precision_alone_is_infinitely_far_off():
    class Nowhere:
        def move(self, alpha, beta):
            pass

    evaluators = [fake(1.0, np.nan, np.nan, 2.0), fake(1.25, 2.0, np.nan, np.inf)]
    found = differences(Nowhere(), evaluators, [Point(0.0, 0.0)] * 4)
    assert [point["difference"] for point in found] == [0.25, np.inf, 0.0, np.inf]


@pytest.mark.parametrize(
    ("requested", "units", "tolerance", "used"),
    [
        ("auto", True, 1.0, "bfloat16"),
        ("auto", True, 1e-9, "float32"),
        ("auto", False, 1.0, "float32"),
        ("bfloat16", False, None, "bfloat16"),
    ],
)
def test_auto_takes_bfloat16_where_it_is_near_enough_and_faster(
    requested, units, tolerance, used, tmp_path, monkeypatch
):
    def load_surface(*arguments):
        module, directions = scene("bert")
        splits = {"train": sentences(20, True, 1), "dev": sentences(9, True, 2)}
        evaluators = [Evaluator(module, splits, 0, 256, dtype=dtype) for dtype in arguments[-1]]
        return setting.make_plane(module, directions, rows=evaluators[0].rows), evaluators

    monkeypatch.setattr(setting, "load_surface", load_surface)
    monkeypatch.setattr(device, "multiplies_bfloat16", lambda _: units)
    names = "config", "tokens", "start", "end"
    calibrate_precision(
        **{name: tmp_path / name for name in names},
        precision=tmp_path / "precision.json",
        surface={"kind": "plane", "range": [-1, 1], "points": 5, "group": None, "groups": None},
        requested=requested,
        tolerance=tolerance,
        context={"device": "cpu", "threads": 1, "token_budget": 256},
    )
    facts = json.loads((tmp_path / "precision.json").read_text())
    assert facts["precision"] == used
    if requested == "auto" and not units:
        assert facts["points"] == []
        assert facts["largest_difference"] is None
    else:
        assert len(facts["points"]) == 25
        assert 1e-6 < facts["largest_difference"] < 1
        assert facts["largest_difference"] == max(p["difference"] for p in facts["points"])


@pytest.mark.parametrize(
    ("flags", "expected"),
    [("fpu avx512f avx512_bf16 sha_ni", True), ("fpu amx_bf16", True), ("fpu avx512f f16c", False)],
)
def test_units_for_bfloat16_are_known_from_the_processors_flags(flags, expected, monkeypatch):
    monkeypatch.setattr(device.Path, "read_text", lambda path: f"flags\t\t: {flags}\n")
    assert device.multiplies_bfloat16(torch.device("cpu")) is expected


@pytest.mark.parametrize(
    ("gigabytes", "tokens"), [(0.1, 2048), (8, 2**15), (16, 2**16), (80, 2**16)]
)
def test_a_gpu_gets_as_many_tokens_as_its_memory_allows(gigabytes, tokens, monkeypatch):
    facts = SimpleNamespace(total_memory=int(gigabytes * 2**30))
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: facts)
    assert chosen_token_budget(None, torch.device("cuda")) == tokens
    assert chosen_token_budget(333, torch.device("cuda")) == 333
    assert chosen_token_budget(None, torch.device("cpu")) == 2048
