"""Hidden states, with and without layers rolled back, against those of transformers."""

import numpy as np
import pytest
import torch
from transformers import AlbertConfig

from tests.landscape.conftest import (
    BERT_LIKE,
    CONFIGS,
    SIZES,
    classifier,
    moved,
    sentences,
    takes_pairs,
)
from workflow_scripts.common.errors import UserError
from workflow_scripts.model import running
from workflow_scripts.model.encoder import layer_modules, layer_of, load_weights, shares_layers
from workflow_scripts.model.running import hidden_states, rolled_back_states
from workflow_scripts.model.text import Encoded, collate

OWN_LAYERS = [name for name in CONFIGS if name != "albert"]


def two_models(architecture: str):
    """A model and the same moved, with weights by name."""
    before, after = classifier(architecture), classifier(architecture)
    weights = {name: p.detach().clone() for name, p in before.named_parameters()}
    load_weights(after, moved(weights, seed=1))
    return before, after


ORDER = np.array([3, 0, 4, 1])  # neither sorted by length nor all


def in_order(padded: torch.Tensor, examples: Encoded) -> torch.Tensor:
    """What a padded forward pass of ``ORDER`` gives, without padding."""
    return torch.cat([padded[row, : examples.lengths[i]] for row, i in enumerate(ORDER)])


def through_transformers(module, examples: Encoded) -> list[torch.Tensor]:
    batch = collate(examples, ORDER, pad_id=0)
    with torch.no_grad():
        states = module.base_model(**batch, output_hidden_states=True).hidden_states
    return [in_order(each, examples) for each in states]


def rolled_back(module, before, layer: int):
    """The slow way: a model of its own with the layer's weights copied."""
    old, mixed = dict(before.named_parameters()), {}
    for name, parameter in module.named_parameters():
        mixed[name] = (old[name] if layer_of(name) == layer else parameter).detach().clone()
    return mixed


@pytest.mark.parametrize("architecture", OWN_LAYERS)
def test_a_rolled_back_layer_is_a_model_with_that_layer_copied(architecture):
    before, after = two_models(architecture)
    examples = sentences(5, pairs=False)
    own, *back = rolled_back_states(after, before, examples, ORDER, 0)
    assert len(back) == 3
    torch.testing.assert_close(own, through_transformers(after, examples)[-1], rtol=0, atol=1e-5)
    for layer, states in enumerate(back):
        whole = classifier(architecture)
        load_weights(whole, rolled_back(after, before, layer))
        assert torch.equal(states, hidden_states(whole, examples, ORDER, 0)[-1])
        expected = through_transformers(whole, examples)[-1]
        torch.testing.assert_close(states, expected, rtol=0, atol=1e-5)
        assert (states - own).abs().max() > 1e-3


def test_layers_below_are_not_computed_again(monkeypatch):
    before, after = two_models("bert")
    layers = []
    run_layer = running.run_layer

    def counted(architecture, layer, *rest, **named):
        layers.append(layer.attention_norm[0].data_ptr())
        return run_layer(architecture, layer, *rest, **named)

    monkeypatch.setattr(running, "run_layer", counted)
    list(rolled_back_states(after, before, sentences(5, pairs=False), ORDER, 0))
    norms = [
        [each.attention.output.LayerNorm.weight.data_ptr() for each in layer_modules(module)]
        for module in (after, before)
    ]
    # 3 layers, then 2, 1 and 0 of its own above the one rolled back.
    (own, old) = norms
    assert layers == [*own, old[0], own[1], own[2], old[1], own[2], old[2]]


def test_a_model_of_transformers_stays_as_it_was_though_a_reader_stops_early():
    before, after = two_models("mpnet")
    runs = {"after": 0, "before": 0}

    def count(name):
        def hook(*_):
            runs[name] += 1

        return hook

    hooks = [
        layer.attention.register_forward_hook(count(name))
        for name, module in (("after", after), ("before", before))
        for layer in layer_modules(module)
    ]
    examples = sentences(5, pairs=False)
    own, *_ = rolled_back_states(after, before, examples, ORDER, 0)
    assert runs == {"after": 3 + 2 + 1, "before": 3}
    for hook in hooks:
        hook.remove()
    states = rolled_back_states(after, before, examples, ORDER, 0)
    assert torch.equal(next(states), own)
    next(states)
    states.close()
    assert torch.equal(own, through_transformers(after, examples)[-1])
    assert not any("forward" in vars(layer) for layer in layer_modules(after))


def test_layers_that_share_weights_cannot_be_rolled_back():
    before, after = two_models("albert")
    assert shares_layers(after)
    with pytest.raises(UserError, match="none can be rolled back alone"):
        next(rolled_back_states(after, before, sentences(5, pairs=False), ORDER, 0))


def test_models_of_different_depth_are_refused():
    before, after = two_models("bert")
    before.bert.encoder.layer = before.bert.encoder.layer[:2]
    with pytest.raises(UserError, match="one model has 3 layers, the other 2"):
        next(rolled_back_states(after, before, sentences(5, pairs=False), ORDER, 0))


ALBERT_OF_GROUPS = AlbertConfig(
    **SIZES, **BERT_LIKE, embedding_size=32, num_hidden_groups=2, inner_group_num=2
)


@pytest.mark.parametrize("pairs", [False, True])
@pytest.mark.parametrize("architecture", [*CONFIGS, "albert of groups"])
def test_hidden_states_are_those_of_transformers(architecture, pairs, monkeypatch):
    monkeypatch.setitem(CONFIGS, "albert of groups", ALBERT_OF_GROUPS)
    module = classifier(architecture)
    examples = sentences(5, pairs and takes_pairs(module))
    states = hidden_states(module, examples, ORDER, 0)
    assert len(states) == (7 if architecture == "albert of groups" else 4)
    assert len(set(examples.lengths)) > 1
    for got, expected in zip(states, through_transformers(module, examples), strict=True):
        torch.testing.assert_close(got, expected, rtol=0, atol=1e-5)


def test_a_model_without_hidden_states_is_refused(monkeypatch):
    module = classifier("mpnet")
    monkeypatch.setattr(module.mpnet, "forward", lambda **_: {})
    with pytest.raises(UserError, match="MPNetForSequenceClassification returns no hidden"):
        hidden_states(module, sentences(5, pairs=False), ORDER, 0)
