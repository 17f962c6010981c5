"""Lengths of tasks."""

import numpy as np
import pytest

from workflow_scripts.common.errors import UserError
from workflow_scripts.plan.__main__ import read_settings
from workflow_scripts.plan.sizes import drawn_lengths, given_lengths, lengths_of


def test_lengths_of_a_synthetic_task_are_those_that_training_reads(tmp_path):
    from workflow_scripts.data.synthetic import generate
    from workflow_scripts.model.source import fetch
    from workflow_scripts.model.text import encode

    settings = read_settings([])
    found = lengths_of(settings, "nli", "minilm", tmp_path)
    task = settings.tasks["nli"]
    train, dev, _ = generate("nli", task.train, task.dev, task.seed)
    tokenizer = fetch(settings.models["minilm"].source).tokenizer
    assert np.array_equal(found.train, encode(tokenizer, train, 64).lengths)
    assert np.array_equal(found.dev, encode(tokenizer, dev, 64).lengths)


def test_words_are_counted_if_the_tokenizer_is_missing(tmp_path):
    overlay = tmp_path / "overlay.yaml"
    overlay.write_text(
        'models: {minilm: {source: "hub:google-bert/bert-base-uncased@06fa25dc1b6e"}}'
    )
    counted = lengths_of(read_settings([overlay]), "nli", "minilm", tmp_path)
    measured = lengths_of(read_settings([]), "nli", "minilm", tmp_path)
    assert counted.source.startswith("words")
    assert counted.train.mean() == pytest.approx(measured.train.mean(), rel=0.1)


@pytest.mark.parametrize(("mean", "spread"), [(40, 0.47), (13.3, 0.72)])
def test_drawn_lengths_have_the_mean_and_spread_that_are_asked_for(mean, spread):
    found = drawn_lengths(50_000, mean, spread, 512)
    assert found.mean() == pytest.approx(mean, rel=0.02)
    assert found.std() / found.mean() == pytest.approx(spread, rel=0.05)
    assert drawn_lengths(50_000, mean, spread, 20).max() == 20


@pytest.mark.parametrize("text", ["", "10", "10,5", "10,5,x", "10,5,30,1", "-1,5,30", "10,5,nan"])
def test_examples_that_are_not_three_numbers_are_refused(text):
    with pytest.raises(UserError, match="--examples: got"):
        given_lengths(text, 128)


def test_given_lengths():
    found = given_lengths("300,50,12.5", 128)
    assert len(found.train) == 300
    assert len(found.dev) == 50
    assert found.train.mean() == pytest.approx(12.5, rel=0.1)
