"""The loss plane: exact corners, lines and barriers; runs that are trained again."""

from dataclasses import asdict

import numpy as np
import pandas as pd
import pytest
import torch

from tests.finetune.toy import CONTEXT, recipe_of
from tests.stability.conftest import PARTS
from workflow_scripts.common.tables import read_table, write_table
from workflow_scripts.landscape.engine import Evaluator
from workflow_scripts.landscape.tokens import read_tokens, tabulate
from workflow_scripts.model.encoder import (
    build_classifier,
    load_classifier,
    names_with_prefix,
    read_weights,
    start_weights,
    write_weights,
)
from workflow_scripts.model.text import encode, load_tokenizer
from workflow_scripts.stability.measure_plane import barrier_row, measure_plane, plane_points
from workflow_scripts.stability.train_again import choose_runs, train_again


@pytest.fixture
def corners(toy, tmp_path):
    """Weights of two invented runs and the examples, as files."""
    encoder = read_weights(toy / "model.safetensors")
    module = build_classifier(toy, 2)
    tuned = {}
    for seed, outcome in enumerate(("failed", "successful")):
        start = start_weights(module, encoder, seed)
        torch.manual_seed(seed)
        tuned[outcome] = {name: w + 0.1 * torch.randn_like(w) for name, w in start.items()}
        write_weights(tuned[outcome], tmp_path / f"{outcome}.safetensors")
    write_weights({}, tmp_path / "nothing.safetensors")
    tokenizer = load_tokenizer(toy)
    examples = pd.concat(
        [
            read_table(toy / f"{split}.parquet").head(12).assign(split=split)
            for split in ("train", "dev")
        ],
        ignore_index=True,
    )
    encoded = encode(tokenizer, examples, 32)
    table = tabulate(examples["split"], encoded, tokenizer.pad_token_id, 2)
    write_table(table, tmp_path / "tokens.parquet")
    return encoder, tuned


def measured(toy, folder, failed="failed", successful="successful"):
    measure_plane(
        config=toy / "config.json",
        tokens=folder / "tokens.parquet",
        weights=toy / "model.safetensors",
        failed=folder / f"{failed}.safetensors",
        successful=folder / f"{successful}.safetensors",
        plane=folder / "plane.parquet",
        barriers=folder / "barriers.parquet",
        extent=[-1.5, 1.5],
        points=4,
        line_points=41,
        context=CONTEXT,
    )
    return read_table(folder / "plane.parquet"), read_table(folder / "barriers.parquet")


def direct(toy, folder, weights):
    """Mean training loss of a classifier, evaluated as it is."""
    examples = read_tokens(folder / "tokens.parquet")
    module = load_classifier(toy, 2, weights, torch.device("cpu"))
    splits = {"train": examples.splits["train"]}
    outcome = Evaluator(module, splits, examples.pad_id, 256)()
    return float(outcome["train"].loss.astype(np.float64).mean())


def test_corners_are_the_checkpoints_with_the_head_of_either_run(toy, corners, tmp_path):
    encoder, tuned = corners
    plane, _ = measured(toy, tmp_path)
    names = names_with_prefix(encoder, tuned["failed"])
    start = dict(zip(names, encoder.values(), strict=True))
    moved = {"pretrained": start} | {
        outcome: {name: weights[name] for name in names} for outcome, weights in tuned.items()
    }
    for head, weights in tuned.items():
        for corner, encoder_weights in moved.items():
            expected = direct(toy, tmp_path, {**weights, **encoder_weights})
            rows = plane[(plane["head"] == head) & (plane["corner"] == corner)]
            assert len(rows) == 2  # an end of two lines; the grid misses all three
            assert (rows["train_loss"] == expected).all()


def test_points_between_are_on_the_line_through_the_corners(toy, corners, tmp_path):
    encoder, tuned = corners
    plane, barriers = measured(toy, tmp_path)
    names = names_with_prefix(encoder, tuned["failed"])
    middle = {name: (tuned["failed"][name] + tuned["successful"][name]) / 2 for name in names}
    expected = direct(toy, tmp_path, {**tuned["successful"], **middle})
    line = plane[(plane["line"] == "failed-successful") & (plane["head"] == "successful")]
    assert len(line) == 41
    assert line[line["t"] == 0.5]["train_loss"].item() == pytest.approx(expected, abs=1e-5)
    assert len(barriers) == 2 * 3
    assert (barriers["points"] == 41).all()
    assert len(plane[plane["line"] == ""]) == 2 * 16


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ({"failed": "nothing"}, "pretrained-successful"),
        ({"successful": "nothing"}, "pretrained-failed"),
    ],
)
def test_without_one_of_the_runs_a_line_is_left(toy, corners, tmp_path, given, line):
    whole, _ = measured(toy, tmp_path)
    plane, barriers = measured(toy, tmp_path, **given)
    assert set(plane["line"]) == set(barriers["line"]) == {line}
    (head,) = set(plane["head"])
    same = whole[(whole["line"] == line) & (whole["head"] == head)]
    assert plane["train_loss"].tolist() == pytest.approx(same["train_loss"].tolist(), abs=1e-6)


def test_without_any_run_there_is_an_empty_table(toy, corners, tmp_path):
    plane, barriers = measured(toy, tmp_path, "nothing", "nothing")
    assert len(plane) == len(barriers) == 0
    assert "train_loss" in plane


def test_a_barrier_is_the_largest_rise_on_the_way():
    t = np.linspace(0, 1, 41)
    loss = 1 - t + 3 * np.exp(-(((t - 0.5) / 0.1) ** 2))
    line = pd.DataFrame({"head": "failed", "line": "a-b", "t": t, "train_loss": loss})
    row = barrier_row(line.sample(frac=1, random_state=0))
    assert row["excess"] == pytest.approx(3)
    assert row["rise"] == pytest.approx(3.5 - loss[:21].min())
    assert row["rise_back"] == pytest.approx(3.5 - loss[20:].min())
    assert (row["first_loss"], row["last_loss"]) == pytest.approx((1, 0), abs=1e-9)


def test_points_without_a_failed_run_hold_no_plane():
    assert set(plane_points(["successful"], -1, 1, 5, 41)["line"]) == {"pretrained-successful"}
    assert plane_points([], -1, 1, 5, 41).empty
    points = plane_points(["failed", "successful"], -1, 2, 4, 41)  # the grid holds 0 and 1
    assert (points["corner"] == "failed").sum() == 3


def test_the_first_failed_and_successful_runs_are_chosen_and_none_that_diverged():
    runs = pd.DataFrame(
        {"init": range(6), "failed": [1, 1, 0, 1, 0, 1], "diverged": [1, 0, 0, 0, 0, 0]}
    )
    chosen = choose_runs(runs, 2)
    assert chosen["outcome"].tolist() == ["failed", "failed", "successful", "successful"]
    assert chosen["init"].tolist() == [1, 3, 2, 4]


def test_runs_that_are_trained_again_repeat_to_the_bit(sweep_runs, toy, tmp_path):
    recipe = recipe_of(epochs=2)
    folder = sweep_runs("sweep", recipe, [0, 1])
    ends = [read_table(folder / PARTS[1] / f"init{s}_order{s}.parquet").iloc[-1] for s in (0, 1)]
    runs = pd.DataFrame(ends)[["accuracy", "train_loss"]].assign(
        init=[0, 1], order=[0, 1], failed=[False, False], diverged=False
    )
    write_table(runs, tmp_path / "runs.parquet")
    inputs = ("config.json", "tokenizer.json", "tokenizer_config.json", "card.json")
    inputs += ("train.parquet", "dev.parquet")
    targets = {
        outcome: [tmp_path / f"{outcome}{place}.safetensors" for place in (1, 2)]
        for outcome in ("failed", "successful")
    }
    train_again(
        **{name.split(".")[0]: toy / name for name in inputs},
        weights=toy / "model.safetensors",
        runs=tmp_path / "runs.parquet",
        **targets,
        chosen=tmp_path / "chosen.parquet",
        recipe=asdict(recipe),
        max_length=32,
        examples=None,
        same_steps=False,
        subset_seed=None,
        context=CONTEXT,
    )
    chosen = read_table(tmp_path / "chosen.parquet")
    assert chosen["repeated"].tolist() == [True, True]
    assert chosen["outcome"].tolist() == ["successful", "successful"]
    assert read_weights(targets["failed"][0]) == {}
    dev = read_table(toy / "dev.parquet")
    encoded = encode(load_tokenizer(toy), dev, 32)
    for place, path in enumerate(targets["successful"]):
        module = load_classifier(toy, 2, read_weights(path), torch.device("cpu"))
        predicted = Evaluator(module, {"dev": encoded}, 0, 256)()["dev"].prediction
        assert (predicted == dev["label"]).mean() == ends[place]["accuracy"]
