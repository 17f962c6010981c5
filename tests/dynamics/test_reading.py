import json

import numpy as np
import pandas as pd
import pytest
import torch
from tokenizers import Regex, models, pre_tokenizers, processors
from tokenizers import Tokenizer as Backend

from tests.landscape.conftest import CONFIGS, classifier
from workflow_scripts.common.errors import UserError
from workflow_scripts.dynamics.reading import (
    chosen_rows,
    equal_batches,
    grouped_batches,
    load_pair,
    read_examples,
    token_distances,
)
from workflow_scripts.model.encoder import write_weights
from workflow_scripts.model.text import Tokenizer


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


def test_examples_of_several_tasks_are_concatenated(tmp_path):
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
        load_pair(tmp_path, [cards[0], cards[0]], tuple(weights), torch.device("cpu"))
