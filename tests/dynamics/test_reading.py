import json

import numpy as np
import pandas as pd
import pytest
import torch
from tokenizers import Regex, models, pre_tokenizers, processors
from tokenizers import Tokenizer as Backend
from transformers import AlbertConfig

from tests.landscape.conftest import BERT_LIKE, CONFIGS, SIZES, classifier, moved, sentences
from workflow_scripts.common.errors import UserError
from workflow_scripts.dynamics import reading
from workflow_scripts.dynamics.reading import (
    chosen_rows,
    equal_batches,
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
from workflow_scripts.model.text import Encoded, Tokenizer, collate

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


def put_back(module, before, layer: int):
    """The slow way: a model of its own with the layer's weights copied."""
    old, mixed = dict(before.named_parameters()), {}
    for name, parameter in module.named_parameters():
        mixed[name] = (old[name] if layer_of(name) == layer else parameter).detach().clone()
    return mixed


@pytest.mark.parametrize("architecture", OWN_LAYERS)
def test_a_layer_put_back_is_a_model_with_that_layer_copied(architecture):
    before, after = two_models(architecture)
    examples = sentences(5, pairs=False)
    own, *back = rolled_back_states(after, before, examples, ORDER, 0)
    assert len(back) == 3
    torch.testing.assert_close(own, through_transformers(after, examples)[-1], rtol=0, atol=1e-5)
    for layer, states in enumerate(back):
        whole = classifier(architecture)
        load_weights(whole, put_back(after, before, layer))
        assert torch.equal(states, hidden_states(whole, examples, ORDER, 0)[-1])
        expected = through_transformers(whole, examples)[-1]
        torch.testing.assert_close(states, expected, rtol=0, atol=1e-5)
        assert (states - own).abs().max() > 1e-3


def test_layers_below_are_not_computed_again(monkeypatch):
    before, after = two_models("bert")
    layers = []
    run_layer = reading.run_layer

    def counted(architecture, layer, *rest, **named):
        layers.append(layer.attention_norm[0].data_ptr())
        return run_layer(architecture, layer, *rest, **named)

    monkeypatch.setattr(reading, "run_layer", counted)
    list(rolled_back_states(after, before, sentences(5, pairs=False), ORDER, 0))
    norms = [
        [each.attention.output.LayerNorm.weight.data_ptr() for each in layer_modules(module)]
        for module in (after, before)
    ]
    # 3 layers, then 2, 1 and 0 of its own above the one put back.
    (own, old) = norms
    assert layers == [*own, old[0], own[1], own[2], old[1], own[2], old[2]]


def test_a_model_of_transformers_stays_as_it_was_though_a_reader_stops_early():
    before, after = two_models("distilbert")
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


def test_layers_that_share_weights_cannot_be_put_back():
    before, after = two_models("albert")
    assert shares_layers(after)
    with pytest.raises(UserError, match="none can be put back alone"):
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
    examples = sentences(5, pairs and architecture not in ("roberta", "distilbert"))
    states = hidden_states(module, examples, ORDER, 0)
    assert len(states) == (7 if architecture == "albert of groups" else 4)
    assert len(set(examples.lengths)) > 1
    for got, expected in zip(states, through_transformers(module, examples), strict=True):
        torch.testing.assert_close(got, expected, rtol=0, atol=1e-5)


def test_a_model_without_hidden_states_is_refused(monkeypatch):
    module = classifier("distilbert")
    monkeypatch.setattr(module.distilbert, "forward", lambda **_: {})
    with pytest.raises(UserError, match="DistilBertForSequenceClassification returns no hidden"):
        hidden_states(module, sentences(5, pairs=False), ORDER, 0)


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


def test_batches_of_equal_lengths_hold_every_example_once():
    lengths = np.array([7, 3, 7, 50, 3, 7, 3])
    batches = equal_batches(lengths, budget=15)
    assert [batch.tolist() for batch in batches] == [[1, 4, 6], [0, 2], [5], [3]]


def test_tokens_are_all_or_the_first_of_each_example():
    lengths = np.array([3, 1, 2])
    rows, example = chosen_rows(lengths, "all")
    assert rows.tolist() == [0, 1, 2, 3, 4, 5]
    assert example.tolist() == [0, 0, 0, 1, 2, 2]
    rows, example = chosen_rows(lengths, "cls")
    assert rows.tolist() == [0, 3, 4]
    assert example.tolist() == [0, 1, 2]
    with pytest.raises(UserError, match="tokens: got 'sep', allowed: all, cls"):
        chosen_rows(lengths, "sep")


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


LETTERS = "|abcdefg"


def letters() -> Tokenizer:
    """A tokenizer that makes each letter a token, and a pair two words with a bar between."""
    backend = Backend(models.WordLevel({letter: i for i, letter in enumerate(LETTERS)}, "|"))
    backend.pre_tokenizer = pre_tokenizers.Split(Regex("."), "isolated")
    backend.post_processor = processors.TemplateProcessing(
        single="$A", pair="$A | $B", special_tokens=[("|", 0)]
    )
    return Tokenizer(backend, 0, None, None, 30, "right", takes_types=False)


def test_examples_of_several_tasks_stand_one_after_the_other(tmp_path):
    pairs = pd.DataFrame({"sentence1": ["a", "b"], "sentence2": ["c", "d"], "label": [0, 1]})
    single = pd.DataFrame({"sentence": ["ee", "ff", "gg"], "label": [1, 0, 1]})
    dev, cards = [], []
    for name, table in (("pairs", pairs), ("single", single)):
        dev.append(tmp_path / f"{name}.parquet")
        cards.append(tmp_path / f"{name}.json")
        table.to_parquet(dev[-1])
        cards[-1].write_text(json.dumps({"name": name, "labels": ["no", "yes"]}))
    read = read_examples(letters(), dev, cards, None, 0, 16)
    found = ["".join(LETTERS[token] for token in row) for row in read.input_ids]
    assert found == ["a|c", "b|d", "ee", "ff", "gg"]
    assert read.labels.tolist() == [0, 1, 1, 0, 1]
    assert len(read_examples(letters(), dev, cards, 2, 0, 16)) == 4
    with pytest.raises(UserError, match="pairs: dev asks for 3 examples, there are 2"):
        read_examples(letters(), dev, cards, 3, 0, 16)


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
    for module, labels in ((first, 2), (second, 3)):
        expected = dict(classifier("bert", labels=labels).named_parameters())
        assert expected["classifier.weight"].shape[0] == labels
        for name, tensor in module.named_parameters():
            assert torch.equal(tensor, expected[name])
    with pytest.raises(UserError, match="do not fit"):
        load_pair(tmp_path, cards[:1], tuple(weights), torch.device("cpu"))
