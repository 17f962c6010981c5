"""Sizes of models against the models themselves, and lengths of tasks."""

import json

import numpy as np
import pytest

from tests.workflow.conftest import ROOT
from workflow_scripts.common.errors import UserError
from workflow_scripts.experiment.config import Model
from workflow_scripts.plan.__main__ import read_settings
from workflow_scripts.plan.sizes import (
    KNOWN_MODELS,
    drawn_lengths,
    given_lengths,
    lengths_of,
    shape_in,
    shape_of,
)

SETTINGS = "num_hidden_layers=3,hidden_size=48,num_attention_heads=3,intermediate_size=80"
RANDOM = [f"random:{kind}:{SETTINGS}" for kind in ("bert", "roberta", "distilbert", "albert")]
RANDOM += [f"random:electra:{SETTINGS},embedding_size=20", f"random:electra:{SETTINGS}"]
RANDOM += [f"random:albert:{SETTINGS},embedding_size=20"]


@pytest.mark.parametrize("source", RANDOM)
def test_parameters_are_those_of_the_model(source, tmp_path):
    from workflow_scripts.model.source import fetch

    shape, _ = shape_of("m", Model(source=source), tmp_path)
    weights = fetch(source).weights
    assert shape.parameters == sum(tensor.numel() for tensor in weights.values())
    embeddings = next(t for name, t in weights.items() if "word_embeddings" in name)
    assert shape.moving == shape.parameters - embeddings.numel()


def test_parameters_of_bert_large_and_the_default_model():
    # Devlin et al. (2018) say 340 M; the published file of bert-large-cased holds these.
    assert KNOWN_MODELS["google-bert/bert-large-cased"].parameters == 333_579_264
    settings = read_settings([])
    shape, _ = shape_of("minilm", settings.models["minilm"], ROOT)
    assert shape.parameters == 22_713_216


def test_a_model_that_is_not_known_is_asked_for(tmp_path):
    model = Model(source="hub:google-bert/bert-large-case@06fa25dc1b6e")
    with pytest.raises(UserError, match=r"did you mean 'google-bert/bert-large-cased'\?.*--shape"):
        shape_of("m", model, tmp_path)
    config = {"model_type": "bert", "hidden_size": 48, "num_hidden_layers": 2}
    config |= {"num_attention_heads": 4, "vocab_size": 100}
    (tmp_path / "config.json").write_text(json.dumps(config))
    shape, _ = shape_in("m", tmp_path)
    assert (shape.layers, shape.intermediate, shape.positions) == (2, 192, 512)


def test_what_a_run_has_fetched_counts_before_what_is_known(tmp_path):
    source = "hub:google-bert/bert-large-cased@06fa25dc1b6e"
    folder = tmp_path / "results/model/m"
    folder.mkdir(parents=True)
    config = {"model_type": "bert", "hidden_size": 48, "num_hidden_layers": 2}
    config |= {"num_attention_heads": 4, "vocab_size": 100}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "card.json").write_text(json.dumps({"source": source}))
    assert shape_of("m", Model(source=source), tmp_path)[0].layers == 2
    (folder / "card.json").write_text(json.dumps({"source": "hub:another/model@06fa25dc1b6e"}))
    assert shape_of("m", Model(source=source), tmp_path)[0].layers == 24


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


def test_words_stand_for_tokens_where_the_tokenizer_is_not_here(tmp_path):
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
def test_examples_that_are_no_three_numbers_are_refused(text):
    with pytest.raises(UserError, match="--examples: got"):
        given_lengths(text, 128)


def test_given_lengths():
    found = given_lengths("300,50,12.5", 128)
    assert len(found.train) == 300
    assert len(found.dev) == 50
    assert found.train.mean() == pytest.approx(12.5, rel=0.1)
