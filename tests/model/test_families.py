"""Every registered family against transformers: a new record is tested here without a change."""

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from tests.landscape.conftest import light
from workflow_scripts.finetune.packed import forward_of
from workflow_scripts.model.checks import random_architectures, random_settings
from workflow_scripts.model.encoder import (
    classifier_of,
    draw_encoder,
    load_weights,
    start_weights,
)
from workflow_scripts.model.families import FAMILIES, read_architecture
from workflow_scripts.model.random_model import random_config
from workflow_scripts.model.running import Runner, attentions, hidden_states
from workflow_scripts.model.text import Encoded, collate

SETTINGS = "num_hidden_layers=3,num_attention_heads=4,vocab_size=99,max_position_embeddings=40"
CPU = torch.device("cpu")
EVERY = np.arange(12)


def config_of(kind: str, more: str = ""):
    return random_config(*random_settings(f"{kind}:{SETTINGS}{more}"), 99)


def classifier(kind: str, more: str = "") -> torch.nn.Module:
    """A tiny random classifier of transformers, with weights ten times as large as usual."""
    config = config_of(kind, more)
    module = classifier_of(config, labels=3, attention="eager")
    weights = start_weights(module, draw_encoder(config, 0), 0)
    load_weights(module, {n: t * 10 if t.ndim > 1 else t for n, t in weights.items()})
    return module


def examples(kind: str) -> Encoded:
    """12 random inputs of three lengths; pairs where the family's models take token types."""
    rng = np.random.default_rng(0)
    lengths = rng.choice([5, 9, 14], size=12)
    return Encoded(
        input_ids=[rng.integers(5, 99, length).tolist() for length in lengths],
        token_type_ids=[[0] * (n // 2) + [1] * (n - n // 2) for n in lengths.tolist()]
        if FAMILIES[kind].token_types == 2
        else None,
        lengths=lengths,
        labels=rng.integers(0, 3, 12),
    )


def variants() -> list[tuple[str, str]]:
    wide = [kind for kind in FAMILIES if FAMILIES[kind].has_embedding_size]
    return [*((kind, "") for kind in FAMILIES), *((kind, ",embedding_size=20") for kind in wide)]


def test_every_family_can_be_a_random_model():
    assert set(FAMILIES) <= set(random_architectures())


@pytest.mark.parametrize("kind", FAMILIES)
def test_the_prefix_and_the_parameters_are_those_of_transformers(kind):
    module, architecture = classifier(kind), read_architecture(config_of(kind).to_dict())
    assert module.base_model_prefix == architecture.family.prefix
    theirs = {name: tuple(p.shape) for name, p in module.named_parameters()}
    assert architecture.shapes(3) == theirs


@pytest.mark.parametrize(("kind", "more"), variants())
def test_logits_hidden_states_and_attention_are_those_of_transformers(kind, more):
    module, data = classifier(kind, more), examples(kind)
    pad_id = module.config.pad_token_id
    batch = collate(data, EVERY, pad_id)
    with torch.no_grad():
        logits = module(**batch).logits
        states = module.base_model(**batch, output_hidden_states=True).hidden_states
    own = light(module)
    assert own is not module
    got = Runner(own, data, pad_id, token_budget=40).logits()
    assert logits.std(0).min() > 0.01
    torch.testing.assert_close(got, logits, rtol=0, atol=1e-5)
    real = batch["attention_mask"] != 0
    layers = hidden_states(own, data, EVERY, pad_id)
    for layer, theirs in zip(layers, states, strict=True):
        torch.testing.assert_close(layer, theirs[real], rtol=0, atol=1e-5)
    alike = collate(data, np.flatnonzero(data.lengths == 9), pad_id)
    with torch.no_grad():
        expected = module(**alike, output_attentions=True).attentions
    for layer, theirs in zip(attentions(own, alike), expected, strict=True):
        torch.testing.assert_close(layer, theirs, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(("kind", "more"), variants())
def test_gradients_are_those_of_transformers(kind, more):
    module, data = classifier(kind, more).double(), examples(kind)
    pad_id, labels = module.config.pad_token_id, torch.tensor(data.labels)
    found = []
    for logits in (module(**collate(data, EVERY, pad_id)).logits, forward_of(module, 0, CPU)):
        module.zero_grad()
        logits = logits(data, EVERY) if callable(logits) else logits
        cross_entropy(logits, labels).backward()
        found.append({name: p.grad.clone() for name, p in module.named_parameters()})
    norm = sum(float(g.square().sum()) for g in found[0].values()) ** 0.5
    for name, gradient in found[0].items():
        scale = max(gradient.norm(), 1e-3 * norm)
        assert (found[1][name] - gradient).norm() <= 1e-10 * scale, name


@pytest.mark.parametrize("kind", FAMILIES)
def test_training_drops_units_in_every_place_of_the_family(kind):
    module, data = classifier(kind), examples(kind)
    architecture = read_architecture(module.config.to_dict())
    places = [f"{architecture.embeddings}.dropout", architecture.head.dropout]
    places += [
        f"{architecture.layers()[1]}.{name}" for name in architecture.family.dropouts.values()
    ]
    forward = forward_of(module.eval(), 0, CPU)
    exact = forward(data, EVERY)
    for place in places:
        module.eval()
        module.get_submodule(place).train().p = 0.5
        torch.manual_seed(0)
        assert not torch.equal(forward(data, EVERY), exact), place
    module.eval()
    assert torch.equal(forward(data, EVERY), exact)
