import math

import numpy as np
import pytest
import torch

from tests.finetune.toy import toy_table
from workflow_scripts.finetune.packed import forward_of
from workflow_scripts.finetune.scores import classification_scores, evaluate


@pytest.mark.parametrize("classes", [2, 3, 5])
@pytest.mark.parametrize("kind", ["random", "perfect", "constant", "two of many", "one label"])
def test_scores_are_those_of_scikit_learn(classes, kind):
    from sklearn.metrics import accuracy_score, f1_score, matthews_corrcoef

    random = np.random.default_rng(classes)
    labels = random.integers(classes, size=40)
    predictions = {
        "random": random.integers(classes, size=40),
        "perfect": labels,
        "constant": np.zeros(40, int),
        "two of many": random.integers(2, size=40),
        "one label": random.integers(classes, size=40),
    }[kind]
    if kind == "one label":
        labels = np.ones(40, int)
    if kind == "two of many":
        labels = labels % 2
    average = "binary" if classes == 2 else "macro"
    assert classification_scores(labels, predictions, classes) == pytest.approx(
        {
            "accuracy": accuracy_score(labels, predictions),
            "f1": f1_score(labels, predictions, average=average, zero_division=0),
            "mcc": matthews_corrcoef(labels, predictions),
        }
    )


def test_an_example_without_prediction_makes_the_scores_nan():
    scores = classification_scores(np.array([0, 1]), np.array([0, -1]), 2)
    assert list(scores) == ["accuracy", "f1", "mcc"]
    assert all(map(math.isnan, scores.values()))


@pytest.fixture
def classifier(toy):
    from workflow_scripts.model.encoder import (
        build_classifier,
        load_weights,
        read_weights,
        start_weights,
    )
    from workflow_scripts.model.text import encode, load_tokenizer

    module = build_classifier(toy, 3)
    load_weights(module, start_weights(module, read_weights(toy / "model.safetensors"), 0))
    return module, encode(load_tokenizer(toy), toy_table(40, 5, classes=3), 32)


@pytest.mark.parametrize("budget", [12, 64, 10_000])
def test_losses_are_those_of_one_example_at_a_time(classifier, budget):
    module, encoded = classifier
    forward = forward_of(module, 0, torch.device("cpu"))
    losses, predictions = evaluate(forward, encoded, budget)
    assert losses.dtype == np.float64
    for i, ids in enumerate(encoded.input_ids):
        with torch.no_grad():
            logits = module(input_ids=torch.tensor([ids])).logits[0].double()
        expected = -torch.log_softmax(logits, 0)[encoded.labels[i]]
        assert losses[i] == pytest.approx(float(expected), abs=2e-6)
        assert predictions[i] == int(logits.argmax())


def test_what_is_not_a_number_has_no_prediction(classifier):
    module, encoded = classifier
    with torch.no_grad():
        module.classifier.bias[1] = torch.nan
    forward = forward_of(module, 0, torch.device("cpu"))
    losses, predictions = evaluate(forward, encoded, 256)
    assert np.isnan(losses).all()
    assert (predictions == -1).all()
