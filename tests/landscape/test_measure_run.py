"""Losses along a run and radii of its end, against transformers' own model in float64."""

import json
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import save_file

from tests.landscape.conftest import CONFIGS, classifier, moved, sentences
from workflow_scripts.common.errors import UserError
from workflow_scripts.common.tables import read_table, write_table
from workflow_scripts.common.thresholds import WIDTH_LEVEL
from workflow_scripts.landscape.directions import random_direction
from workflow_scripts.landscape.measure_run import measure_run
from workflow_scripts.landscape.tokens import tabulate
from workflow_scripts.model.encoder import encoder_names

CONTEXT = {"device": "cpu", "threads": 1, "token_budget": None}
FILES = ("trajectory", "path", "ray", "radii")


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """A tiny BERT, three checkpoints, and what ``measure_run`` says of them."""
    folder = tmp_path_factory.mktemp("run")
    module = classifier("bert")
    start = {name: p.detach().clone() for name, p in module.named_parameters()}
    head = {name for name in start if name.startswith("classifier")}
    middle = moved(start, 1, 0.02)
    end = moved(middle, 2, 0.02)
    weights = [start, middle, end]
    (folder / "config.json").write_text(json.dumps(CONFIGS["bert"].to_dict()))
    checkpoints = [folder / f"epoch{epoch:02d}.safetensors" for epoch in range(3)]
    for path, checkpoint in zip(checkpoints, weights, strict=True):
        save_file(checkpoint, path)
    # The end's own answers as labels, so that its loss is low and it is an optimum.
    examples = sentences(12, pairs=True)
    module.load_state_dict(end, strict=False)
    module = module.double().eval()
    answers = logits_of(module, end, examples).argmax(1).numpy()
    examples = SimpleNamespace(**{**vars(examples), "labels": answers})
    split = pd.Series(["train"] * 8 + ["dev"] * 4)
    write_table(tabulate(split, examples, 0, 3), folder / "tokens.parquet")
    settings = {"directions": 4, "seed": 7, "level": WIDTH_LEVEL, "longest": 8.0}
    settings |= {"path_points": 5, "ray_points": 3, "rolled_back": True, "groups": None}
    outputs = {name: folder / f"{name}.parquet" for name in FILES}
    measure_run(
        folder / "config.json",
        folder / "tokens.parquet",
        checkpoints,
        **outputs,
        **settings,
        context=CONTEXT,
    )
    tables = {name: read_table(path) for name, path in outputs.items()}
    names = encoder_names(classifier("bert"))

    def loss(weights: dict) -> np.ndarray:
        """Of each training example, nats."""
        logits = logits_of(module, weights, examples)[:8]
        labels = torch.from_numpy(answers[:8])
        return torch.nn.functional.cross_entropy(logits, labels, reduction="none").numpy()

    return SimpleNamespace(
        **tables, weights=weights, names=names, head=head, loss=loss, folder=folder
    )


def logits_of(module, weights: dict, examples) -> torch.Tensor:
    with torch.inference_mode():
        module.load_state_dict({n: t.double() for n, t in weights.items()}, strict=False)
        return torch.cat(
            [
                module(input_ids=torch.tensor([ids]), token_type_ids=torch.tensor([types])).logits
                for ids, types in zip(examples.input_ids, examples.token_type_ids, strict=True)
            ]
        )


def at(run, origin: dict, direction: dict, distance: float) -> dict:
    """Weights at a distance along a direction of the encoder, with the end's head."""
    end = {name: t.double() for name, t in run.weights[2].items()}
    return end | {
        name: origin[name].double() + distance * delta.double() for name, delta in direction.items()
    }


def between(run, a: int, b: int, names=None) -> dict:
    return {
        name: run.weights[b][name].double() - run.weights[a][name].double()
        for name in names or run.names
    }


def length(direction: dict) -> float:
    return (
        float(torch.stack([delta.double().square().sum() for delta in direction.values()]).sum())
        ** 0.5
    )


def test_checkpoints_have_their_own_heads_and_their_distances(measured):
    whole, first = length(between(measured, 0, 2)), length(between(measured, 0, 1))
    second = length(between(measured, 1, 2))
    expected = [measured.loss(w).mean() for w in measured.weights]
    assert measured.trajectory["train_loss"].to_numpy() == pytest.approx(expected, rel=1e-5)
    assert measured.trajectory["norm"].tolist() == pytest.approx([0, first / whole, 1])
    assert measured.trajectory["step"].tolist() == pytest.approx([0, first / whole, second / whole])
    assert np.isnan(measured.trajectory["cosine"][0])
    assert measured.trajectory["cosine"][2] == pytest.approx(1)
    inner = sum(
        float((a * b).sum())
        for a, b in zip(
            between(measured, 0, 1).values(), between(measured, 0, 2).values(), strict=True
        )
    )
    assert measured.trajectory["cosine"][1] == pytest.approx(inner / whole / first)


def test_the_path_and_the_ray_have_the_ends_head(measured):
    direction = between(measured, 0, 2)
    for row in measured.path.itertuples():
        expected = measured.loss(at(measured, measured.weights[0], direction, row.position))
        assert np.asarray(row.train_loss) == pytest.approx(expected, rel=1e-4, abs=1e-6)
    first = between(measured, 0, 1)
    assert measured.ray["place"].iloc[-1] == pytest.approx(2 * length(direction) / length(first))
    for row in measured.ray.itertuples():
        expected = measured.loss(at(measured, measured.weights[0], first, row.place)).mean()
        assert row.train_loss == pytest.approx(expected, rel=1e-4)


def test_every_radius_is_where_the_loss_reaches_its_level(measured):
    end = measured.weights[2]
    at_end = measured.loss(end).mean()
    level = at_end + WIDTH_LEVEL * (np.log(3) - at_end)
    assert at_end < level
    whole = between(measured, 0, 2)

    def group(first: int, sign: int) -> dict:
        inside = [n for n in measured.names if f"encoder.layer.{first}." in n]
        return {name: sign * whole[name] for name in inside}

    directions = {
        ("random", seed): random_direction({n: end[n] for n in measured.names}, 7 + seed)
        for seed in range(4)
    }
    directions[("onward", 0)] = whole
    for i, name in enumerate(("low", "middle", "high")):
        directions[(name, 0)], directions[(name, 1)] = group(i, 1), group(i, -1)
    assert measured.radii["level"].to_numpy() == pytest.approx(np.full(11, level), rel=1e-5)
    for row in measured.radii.itertuples():
        delta = directions.pop((row.direction, row.number))
        reached = measured.loss(at(measured, end, delta, row.radius)).mean()
        if row.censored:
            assert row.radius == 8
            assert reached < level
        else:
            # Within what a halved bracket leaves.
            near, far = (
                measured.loss(at(measured, end, delta, row.radius * f)).mean() for f in (0.97, 1.03)
            )
            assert near < level < far
            assert row.error > 0
    assert not directions


def test_an_encoder_that_did_not_move_is_refused(measured, tmp_path):
    first = measured.folder / "epoch00.safetensors"
    outputs = {name: tmp_path / f"{name}.parquet" for name in FILES}
    with pytest.raises(UserError, match="did not move the encoder"):
        measure_run(
            measured.folder / "config.json",
            measured.folder / "tokens.parquet",
            [first, first],
            **outputs,
            directions=4,
            seed=0,
            level=0.2,
            longest=8.0,
            path_points=5,
            ray_points=3,
            rolled_back=False,
            groups=None,
            context=CONTEXT,
        )
