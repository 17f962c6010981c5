import pytest
import torch

from tests.landscape.conftest import CONFIGS, classifier, moved, sentences
from workflow_scripts.common.errors import UserError
from workflow_scripts.landscape.engine import Evaluator
from workflow_scripts.model.encoder import layer_modules, load_weights
from workflow_scripts.model.running import hidden_states, rolled_back_states
from workflow_scripts.rollback.weights import rolled_back

OWN_LAYERS = [name for name in CONFIGS if name != "albert"]


def weights_before_and_after(architecture: str):
    start = {n: p.detach().clone() for n, p in classifier(architecture).named_parameters()}
    return start, moved(start, seed=1)


def loaded(architecture: str, weights):
    module = classifier(architecture)
    load_weights(module, weights)
    return module


@pytest.mark.parametrize("architecture", OWN_LAYERS)
def test_the_chosen_layers_are_the_pretrained_ones_and_nothing_else_is(architecture):
    start, end = weights_before_and_after(architecture)
    mixed = rolled_back(end, start, range(1, 3))
    before, after, module = (loaded(architecture, weights) for weights in (start, end, mixed))
    layers = zip(*map(layer_modules, (before, after, module)), strict=True)
    inside = set()
    for index, parts in enumerate(layers):
        old, new, got = (dict(part.named_parameters()) for part in parts)
        expected = old if index in (1, 2) else new
        assert all(torch.equal(got[name], expected[name]) for name in got)
        inside |= {id(p) for p in parts[2].parameters()}
    outside = [n for n, p in module.named_parameters() if id(p) not in inside]
    assert outside
    assert all(torch.equal(mixed[name], end[name]) for name in outside)
    assert list(mixed) == list(end)


@pytest.mark.parametrize("architecture", OWN_LAYERS)
def test_single_layers_and_groups_are_rolled_back_in_the_same_way(architecture):
    """The passes of ``roll_back_layers`` against whole models made as in ``roll_back_groups``."""
    start, end = weights_before_and_after(architecture)
    before, after = (loaded(architecture, weights) for weights in (start, end))
    examples = sentences(5, pairs=False)
    order = torch.arange(5).numpy()
    _, *back = rolled_back_states(after, before, examples, order, 0)
    for layer, states in enumerate(back):
        whole = loaded(architecture, rolled_back(end, start, range(layer, layer + 1)))
        expected = hidden_states(whole, examples, order, 0)[-1]
        torch.testing.assert_close(states, expected, rtol=0, atol=1e-6)


def test_all_layers_rolled_back_keep_the_fine_tuned_embeddings_and_head():
    start, end = weights_before_and_after("bert")
    logits = [
        Evaluator(loaded("bert", weights), {"dev": sentences(9, False)}, 0, 256).logits()
        for weights in (start, end, rolled_back(end, start, range(3)))
    ]
    assert (logits[2] - logits[0]).abs().max() > 1e-3
    assert (logits[2] - logits[1]).abs().max() > 1e-3


def test_layers_that_are_shared_or_missing_cannot_be_rolled_back():
    with pytest.raises(UserError, match="ALBERT's layers share one set of weights"):
        rolled_back(*weights_before_and_after("albert"), range(1))
    with pytest.raises(UserError, match="the model has no layer from 3 to 4"):
        rolled_back(*weights_before_and_after("bert"), range(3, 5))
