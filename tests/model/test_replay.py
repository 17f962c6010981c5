"""Passes that are launched many times; fake CUDA graphs on machines without a GPU."""

import logging

import pytest
import torch

from tests.landscape.conftest import KNOWN, classifier, light, sentences
from tests.landscape.test_engine import scene
from workflow_scripts.landscape.engine import Evaluator
from workflow_scripts.landscape.setting import make_plane
from workflow_scripts.model.replay import Replay


class Graphs:
    """A fake: like a graph, it computes from the tensors that it was captured with."""

    def __init__(self, weights: dict[str, torch.Tensor]):
        self.weights, self.made, self.error, self.off = weights, 0, None, 0.0

    def run(self) -> torch.Tensor:
        return self.weights["w"] * 2

    def capture(self, _run):
        if self.error:
            raise self.error
        self.made += 1
        held = self.weights["w"]
        return lambda: held * 2 + self.off


def test_weights_may_change_and_other_weights_get_a_new_graph():
    weights = {"w": torch.ones(3)}
    graphs = Graphs(weights)
    replay = Replay(graphs.run, weights, graphs.capture)
    for value in (1.0, 5.0):
        weights["w"].fill_(value)
        assert replay().tolist() == [2 * value] * 3
    assert graphs.made == 1
    elsewhere = weights["w"] = torch.full((3,), 7.0)
    assert replay().tolist() == [14] * 3
    assert graphs.made == 2
    elsewhere.fill_(8)
    assert replay().tolist() == [16] * 3
    assert graphs.made == 2


@pytest.mark.parametrize("failure", ["cannot", "differs", "not worth it"])
def test_without_a_graph_the_pass_itself_is_run(failure, caplog):
    caplog.set_level(logging.INFO, "tunescape")
    weights = {"w": torch.ones(3)}
    graphs = Graphs(weights)
    capture = graphs.capture
    if failure == "cannot":
        graphs.error = RuntimeError("operation not permitted\nwhen stream is capturing")
    elif failure == "differs":
        graphs.off = 1e-6
    else:
        capture = lambda _: None  # noqa: E731
    replay = Replay(graphs.run, weights, capture)
    assert [replay().tolist() for _ in range(2)] == [[2, 2, 2]] * 2
    message = {
        "cannot": "no CUDA graph of a pass: operation not permitted",
        "differs": "not used, its bits differ",
        "not worth it": "",
    }[failure]
    assert caplog.text.count("graph") == (message != "")
    assert message in caplog.text


def test_too_little_memory_for_a_graph_is_raised_to_the_caller():
    weights = {"w": torch.ones(3)}
    graphs = Graphs(weights)
    graphs.error = torch.OutOfMemoryError("CUDA out of memory")
    with pytest.raises(torch.OutOfMemoryError):
        Replay(graphs.run, weights, graphs.capture)()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("architecture", KNOWN)
def test_a_pass_asks_nothing_of_its_numbers(architecture, dtype):
    """Tensors on the device "meta" have none: what a graph cannot hold raises there."""
    module = light(classifier(architecture)).to("meta")
    evaluate = Evaluator(module, {"train": sentences(20, False)}, 0, 128, dtype=dtype)
    assert len(evaluate._inputs) > 1
    logits = evaluate._joined()
    assert logits.device.type == "meta"
    assert logits.shape == (20, 3)
    with pytest.raises((RuntimeError, NotImplementedError)):
        logits.sum().item()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
@pytest.mark.parametrize("fixed_below", [None, 2])
@pytest.mark.parametrize("architecture", KNOWN)
def test_on_a_gpu_a_graph_gives_the_bits_of_the_pass(architecture, fixed_below, caplog):
    caplog.set_level(logging.INFO, "tunescape")
    module, directions = scene(architecture)
    module.to("cuda")
    examples = {"train": sentences(30, False)}
    plain, graph = (Evaluator(module, examples, 0, 256, fixed_below) for _ in range(2))
    plain._pass = plain._joined
    plane = make_plane(module, directions, rows=graph.rows)
    for alpha, beta in [(0.0, 0.0), (0.5, -1.0), (1.0, 0.0), (2.5, 2.5)]:
        if fixed_below is None:
            plane.move(alpha, beta)
        assert torch.equal(graph.logits(), plain.logits())
    assert "a CUDA graph of a pass: used" in caplog.text
