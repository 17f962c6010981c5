import json

import numpy as np
import pandas as pd
import pytest
import torch

from tests.landscape.conftest import CONFIGS, classifier, moved, sentences
from workflow_scripts.common.errors import UserError
from workflow_scripts.dynamics.reading import (
    chosen_tokens,
    grouped_batches,
    hidden_states,
    load_pair,
    read_examples,
    rolled_back_states,
    token_distances,
)
from workflow_scripts.model.encoder import (
    layer_modules,
    layer_of,
    load_weights,
    shares_layers,
    write_weights,
)
from workflow_scripts.model.text import collate

OWN_LAYERS = [name for name in CONFIGS if name != "albert"]


def two_models(architecture: str):
    """A model and the same moved, with weights by name."""
    before, after = classifier(architecture), classifier(architecture)
    weights = {name: p.detach().clone() for name, p in before.named_parameters()}
    load_weights(after, moved(weights, seed=1))
    return before, after


def inputs(n: int = 5) -> dict:
    return collate(sentences(n, pairs=False), np.arange(n), pad_id=0)


def put_back(module, before, layer: int):
    """The slow way: a model of its own with the layer's weights copied."""
    old, mixed = dict(before.named_parameters()), {}
    for name, parameter in module.named_parameters():
        mixed[name] = (old[name] if layer_of(name) == layer else parameter).detach().clone()
    return mixed


@pytest.mark.parametrize("architecture", OWN_LAYERS)
def test_a_layer_put_back_is_a_model_with_that_layer_copied(architecture):
    before, after = two_models(architecture)
    batch = inputs()
    own, *back = rolled_back_states(after, before, batch)
    assert len(back) == 3
    with torch.no_grad():
        assert torch.equal(own, after.base_model(**batch).last_hidden_state)
        for layer, states in enumerate(back):
            whole = classifier(architecture)
            load_weights(whole, put_back(after, before, layer))
            assert torch.equal(states, whole.base_model(**batch).last_hidden_state)
            assert not torch.equal(states, own)


def test_layers_below_are_not_computed_again_and_the_model_stays_as_it_was():
    before, after = two_models("bert")
    batch, runs = inputs(), {"after": 0, "before": 0}

    def count(name):
        def hook(*_):
            runs[name] += 1

        return hook

    for name, module in (("after", after), ("before", before)):
        for layer in layer_modules(module):
            layer.attention.register_forward_hook(count(name))
    own, *_ = rolled_back_states(after, before, batch)
    # 3 layers, then 2, 1 and 0 of its own above the one put back.
    assert runs == {"after": 3 + 2 + 1, "before": 3}
    with torch.no_grad():
        assert torch.equal(own, after.base_model(**batch).last_hidden_state)
    assert not any("forward" in vars(layer) for layer in layer_modules(after))


def test_a_reader_who_stops_early_leaves_the_model_as_it_was():
    before, after = two_models("bert")
    batch = inputs()
    states = rolled_back_states(after, before, batch)
    own, _, _ = (next(states) for _ in range(3))
    states.close()
    with torch.no_grad():
        assert torch.equal(own, after.base_model(**batch).last_hidden_state)


def test_layers_that_share_weights_cannot_be_put_back():
    before, after = two_models("albert")
    assert shares_layers(after)
    with pytest.raises(UserError, match="none can be put back alone"):
        next(rolled_back_states(after, before, inputs()))


def test_models_of_different_depth_are_refused():
    before, after = two_models("bert")
    before.bert.encoder.layer = before.bert.encoder.layer[:2]
    with pytest.raises(UserError, match="one model has 3 layers, the other 2"):
        next(rolled_back_states(after, before, inputs()))


def test_hidden_states_are_the_embeddings_and_every_layer(architecture):
    module, batch = classifier(architecture), inputs()
    states = hidden_states(module, batch)
    assert len(states) == 4
    with torch.no_grad():
        assert torch.equal(states[-1], module.base_model(**batch).last_hidden_state)


def test_a_model_without_hidden_states_is_refused():
    class Bare(torch.nn.Module):
        @property
        def base_model(self):
            return self

        def forward(self, **_):
            return {}

    with pytest.raises(UserError, match="Bare returns no hidden states"):
        hidden_states(Bare(), {})


def test_every_example_is_in_one_batch_and_one_group():
    lengths = np.random.default_rng(0).integers(3, 31, 47)
    batches = grouped_batches(lengths, groups=5, budget=100, seed=3)
    seen = np.concatenate([batch.examples for batch in batches])
    assert sorted(seen) == list(range(47))
    sizes = [sum(len(b.examples) for b in batches if b.group == g) for g in range(5)]
    assert sorted(sizes) == [9, 9, 9, 10, 10]
    assert [b.group for b in batches] == sorted(b.group for b in batches)
    assert all(len(b.examples) * lengths[b.examples].max() <= 100 for b in batches)
    again = grouped_batches(lengths, groups=5, budget=100, seed=3)
    assert all(np.array_equal(a.examples, b.examples) for a, b in zip(batches, again, strict=True))
    # Not sorted by length: neighbours must have nothing in common.
    assert abs(np.corrcoef(lengths[seen][1:], lengths[seen][:-1])[0, 1]) < 0.4
    other = grouped_batches(lengths, groups=5, budget=100, seed=4)
    assert not np.array_equal(seen, np.concatenate([b.examples for b in other]))


def test_a_long_example_is_a_batch_of_its_own_and_groups_are_not_empty():
    batches = grouped_batches(np.array([50, 3, 3]), groups=9, budget=10, seed=0)
    assert sorted((b.group, len(b.examples)) for b in batches) == [(0, 1), (1, 1), (2, 1)]


def test_tokens_are_all_real_ones_or_the_first():
    mask = torch.tensor([[1, 1, 1, 0], [1, 0, 0, 0]])
    assert chosen_tokens(mask, "all").tolist() == (mask != 0).tolist()
    assert chosen_tokens(mask, "cls").tolist() == [[True, False, False, False]] * 2
    with pytest.raises(UserError, match="tokens: got 'sep', allowed: all, cls"):
        chosen_tokens(mask, "sep")


def test_distances_of_tokens_are_means_over_each_example():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 7, 4))
    example = np.array([0, 0, 0, 1, 1, 2, 2])
    found = token_distances(torch.tensor(x), torch.tensor(y), torch.tensor(example), 3)
    cosine = (x * y).sum(1) / np.linalg.norm(x, axis=1) / np.linalg.norm(y, axis=1)
    apart = np.linalg.norm(y - x, axis=1) / np.linalg.norm(x, axis=1)
    for name, values in (("cosine_distance", 1 - cosine), ("relative_l2", apart)):
        expected = [values[example == i].mean() for i in range(3)]
        np.testing.assert_allclose(found[name], expected, rtol=1e-12)


class Words:
    """A tokenizer that gives each letter a number."""

    model_max_length = 30

    def __call__(self, *texts, max_length, **_):
        rows = ["|".join(parts) for parts in zip(*texts, strict=True)]
        return {"input_ids": [[ord(letter) for letter in row][:max_length] for row in rows]}


def test_examples_of_several_tasks_stand_one_after_the_other(tmp_path):
    pairs = pd.DataFrame({"sentence1": ["a", "b"], "sentence2": ["c", "d"], "label": [0, 1]})
    single = pd.DataFrame({"sentence": ["ee", "ff", "gg"], "label": [1, 0, 1]})
    dev, cards = [], []
    for name, table in (("pairs", pairs), ("single", single)):
        dev.append(tmp_path / f"{name}.parquet")
        cards.append(tmp_path / f"{name}.json")
        table.to_parquet(dev[-1])
        cards[-1].write_text(json.dumps({"name": name, "labels": ["no", "yes"]}))
    read = read_examples(Words(), dev, cards, None, 0, 16)
    assert ["".join(map(chr, row)) for row in read.input_ids] == ["a|c", "b|d", "ee", "ff", "gg"]
    assert read.labels.tolist() == [0, 1, 1, 0, 1]
    assert len(read_examples(Words(), dev, cards, 2, 0, 16)) == 4
    with pytest.raises(UserError, match="pairs: dev asks for 3 examples, there are 2"):
        read_examples(Words(), dev, cards, 3, 0, 16)


def test_a_pair_may_have_different_numbers_of_labels(tmp_path):
    CONFIGS["bert"].save_pretrained(tmp_path)
    cards, weights = [], []
    for labels in (2, 3):
        cards.append(tmp_path / f"{labels}.json")
        cards[-1].write_text(json.dumps({"name": str(labels), "labels": list("abc")[:labels]}))
        module = classifier("bert", labels=labels)
        weights.append(tmp_path / f"{labels}.safetensors")
        write_weights(dict(module.named_parameters()), weights[-1])
    first, second = load_pair(tmp_path, cards, tuple(weights), torch.device("cpu"))
    assert (first.config.num_labels, second.config.num_labels) == (2, 3)
    batch = inputs()
    for module, labels in ((first, 2), (second, 3)):
        assert torch.equal(
            module(**batch).logits, classifier("bert", labels=labels)(**batch).logits
        )
    with pytest.raises(UserError, match="do not fit"):
        load_pair(tmp_path, cards[:1], tuple(weights), torch.device("cpu"))
