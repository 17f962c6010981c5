import math

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from tests.finetune.toy import recipe_of
from tests.landscape.conftest import classifier, sentences
from workflow_scripts.common.tables import read_table
from workflow_scripts.finetune import packed, training
from workflow_scripts.finetune.word_rows import WordRows, decay_of, rows_to_train
from workflow_scripts.model.encoder import read_weights
from workflow_scripts.model.text import encode, load_tokenizer

CPU = torch.device("cpu")
WORDS = "bert.embeddings.word_embeddings.weight"


@pytest.mark.parametrize("architecture", ["albert", "bert", "electra", "roberta"])
def test_the_gradient_is_that_of_each_step_alone(architecture):
    module = classifier(architecture)
    weight = module.base_model.embeddings.word_embeddings.weight
    encoded, forward = sentences(20, False), packed.forward_of(module, 0, CPU)
    batches = [np.arange(8), np.arange(5, 20), np.arange(3)]

    def of_loss(indices: np.ndarray) -> torch.Tensor:
        module.zero_grad()
        cross_entropy(forward(encoded, indices), torch.tensor(encoded.labels[indices])).backward()
        return weight.grad

    expected = [of_loss(indices) for indices in batches]
    rows = rows_to_train(encoded.input_ids, len(weight), recipe_of())
    kept = WordRows(module, rows)
    assert 0 < len(rows) < len(weight)
    for indices, gradient in zip(batches, expected, strict=True):
        assert of_loss(indices).is_sparse
        kept.take_gradient()
        assert weight.grad is None
        torch.testing.assert_close(kept.parameter.grad, gradient[rows])
        kept.parameter.grad *= 2  # as clipping does, in place


@pytest.mark.parametrize("decay", [0.0, 0.5])
@pytest.mark.parametrize("optimizer", ["adamw", "adam", "sgd"])
def test_a_run_ends_as_if_all_rows_had_been_trained(toy, train_run, monkeypatch, optimizer, decay):
    recipe = recipe_of(optimizer=optimizer, weight_decay=decay, epochs=2)
    table = read_table(toy / "train.parquet")
    found = read_weights(train_run("rows", recipe) / "epoch02.safetensors")
    monkeypatch.setattr(training, "rows_to_train", lambda _, words, __: np.arange(words))
    monkeypatch.setattr(training, "decay_of", lambda *_: 1.0)
    whole = train_run("whole", recipe)
    expected = read_weights(whole / "epoch02.safetensors")
    for name, tensor in expected.items():
        torch.testing.assert_close(found[name], tensor, rtol=1e-5, atol=1e-6)
    monkeypatch.undo()
    ids = encode(load_tokenizer(toy), table, 32).input_ids
    unused = np.setdiff1d(
        np.arange(len(expected[WORDS])), np.unique([i for row in ids for i in row])
    )
    assert len(unused) >= 2
    start = read_weights(whole / "epoch00.safetensors")[WORDS][unused]
    if optimizer != "adam":
        rates = read_table(whole / "history.parquet")["learning_rate"]
        factor = math.prod(1 - decay * rate for rate in rates)
        assert decay == 0 or factor < 0.995
        torch.testing.assert_close(found[WORDS][unused], start * factor)
    assert (len(rows_to_train(ids, 99, recipe)) == 99) == (optimizer == "adam" and decay > 0)


def test_unused_words_decay_as_in_adamw():
    parameter, rates = torch.nn.Parameter(torch.randn(50)), [1e-2, 3e-2, 2e-2]
    start = parameter.detach().clone()
    optimizer = torch.optim.AdamW([parameter], weight_decay=0.1)
    for rate in rates:
        optimizer.param_groups[0]["lr"] = rate
        parameter.grad = torch.zeros_like(parameter)
        optimizer.step()
    factor = decay_of(rates, recipe_of(weight_decay=0.1))
    torch.testing.assert_close(parameter.detach(), start * factor)
