"""Classifiers that are built without transformers, against those of transformers."""

import json
from dataclasses import asdict

import numpy as np
import pytest
import torch
from transformers import AlbertConfig, AutoConfig, ElectraConfig
from transformers.activations import ACT2FN

from tests.landscape.conftest import (
    BERT_LIKE,
    CONFIGS,
    KNOWN,
    SIZES,
    classifier,
    sentences,
    takes_pairs,
)
from tests.landscape.test_engine import plain_logits, weights_of
from workflow_scripts.common.errors import UserError
from workflow_scripts.landscape.engine import Evaluator
from workflow_scripts.model.architecture import Classifier
from workflow_scripts.model.encoder import classifier_of, load_classifier
from workflow_scripts.model.families import (
    ACTIVATIONS,
    FAMILIES,
    known_architecture,
    read_architecture,
)
from workflow_scripts.model.network import _FUNCTIONS

OTHERS = {
    "albert of several groups": AlbertConfig(
        **SIZES, **BERT_LIKE, embedding_size=32, num_hidden_groups=2, inner_group_num=2
    ),
    "electra with wide embeddings": ElectraConfig(**SIZES, **BERT_LIKE, embedding_size=32),
}


@pytest.mark.parametrize("kind", FAMILIES)
def test_keys_that_are_left_out_mean_what_they_mean_to_transformers(kind):
    theirs, family = AutoConfig.for_model(kind).to_dict(), FAMILIES[kind]
    own = asdict(read_architecture({"model_type": kind}))
    if not family.positions_after_padding:
        del own["pad_token_id"]
    if not family.has_embedding_size:
        assert own.pop("embedding_size") == own["hidden_size"]
    if not family.shares_layers:
        del own["num_hidden_groups"], own["inner_group_num"]
    read = {family.key(name): value for name, value in own.items()}
    read.pop(None, None)  # what transformers' configuration has no key for
    assert read == {key: theirs[key] for key in read}


@pytest.mark.parametrize("config", [*(CONFIGS[name] for name in KNOWN), *OTHERS.values()])
def test_names_and_shapes_are_those_of_transformers(config):
    module = classifier_of(config, 3)
    theirs = {n: tuple(p.shape) for n, p in module.named_parameters()}
    architecture = read_architecture(config.to_dict())
    assert architecture.shapes(3) == theirs
    own = {n: tuple(p.shape) for n, p in Classifier(architecture, 3).named_parameters()}
    assert own == theirs
    prefix = module.base_model_prefix
    encoder = sum(p.numel() for n, p in module.named_parameters() if n.startswith(f"{prefix}."))
    assert architecture.count(prefix) == encoder
    assert theirs[architecture.word_embeddings] == (99, architecture.embedding_size)


@pytest.mark.parametrize("config", [*(CONFIGS[name] for name in KNOWN), *OTHERS.values()])
def test_dropouts_are_all_of_the_modules_that_drop_units(config):
    module, architecture = classifier_of(config, 3), read_architecture(config.to_dict())
    theirs = {n for n, part in module.named_modules() if isinstance(part, torch.nn.Dropout)}
    own = {f"{architecture.embeddings}.dropout", architecture.head.dropout}
    for layer in architecture.layers():
        own |= {f"{layer}.{name}" for name in architecture.family.dropouts.values()}
    unused = {name for name in theirs - own if name.endswith(".dropout") and "albert" in name}
    assert own == theirs - unused


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations_are_those_of_transformers(name):
    states = torch.linspace(-6, 6, 1001)
    own = _FUNCTIONS[ACTIVATIONS[name]](states)
    torch.testing.assert_close(own, ACT2FN[name](states), rtol=0, atol=2e-6)


@pytest.mark.parametrize("name", [*KNOWN, *OTHERS])
def test_a_loaded_model_gives_the_logits_of_transformers(name, tmp_path, monkeypatch):
    monkeypatch.setattr("tests.landscape.conftest.CONFIGS", CONFIGS | OTHERS)
    theirs = classifier(name)
    theirs.config.save_pretrained(tmp_path)
    own = load_classifier(tmp_path, 3, weights_of(theirs), torch.device("cpu"))
    assert isinstance(own, Classifier)
    examples = sentences(30, pairs=takes_pairs(theirs))
    got = Evaluator(own, {"train": examples}, 0, 128).logits().numpy()
    assert np.abs(got - plain_logits(theirs, examples)).max() < 1e-5


@pytest.mark.parametrize(
    "change",
    [
        {"model_type": "mpnet"},
        {"is_decoder": True},
        {"add_cross_attention": True},
        {"position_embedding_type": "relative_key"},
        {"hidden_act": "mish"},
        {"hidden_size": 32.0},
        {"num_hidden_layers": None},
        {"num_attention_heads": 5},
        {"layer_norm_eps": "1e-12"},
    ],
)
def test_what_is_unusual_is_left_to_transformers(change):
    facts = CONFIGS["bert"].to_dict()
    assert known_architecture(facts) is not None
    assert known_architecture(facts | change) is None


@pytest.mark.parametrize("labels", [2, 3])
def test_weights_that_do_not_fit_are_refused(labels, tmp_path):
    facts = CONFIGS["bert"].to_dict()
    (tmp_path / "config.json").write_text(json.dumps(facts))
    weights = weights_of(classifier("bert"))
    if labels == 3:
        del weights["bert.pooler.dense.bias"]
    expected = {2: r"classifier\.weight has shape \[3, 32\]", 3: r"pooler\.dense\.bias missing"}
    with pytest.raises(UserError, match=f"weights do not fit .*{expected[labels]}"):
        load_classifier(tmp_path, labels, weights, torch.device("cpu"))
