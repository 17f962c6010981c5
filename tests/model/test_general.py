"""Architectures that transformers computes, in float64, against its own classifiers."""

import json

import numpy as np
import pandas as pd
import pytest
import torch
from torch.nn.functional import cross_entropy
from transformers import AutoModelForSequenceClassification, PreTrainedTokenizerFast

from tests.landscape.conftest import DECODERS, moved, sentences
from tests.model.test_sound_models import refusal
from workflow_scripts.common.errors import UserError
from workflow_scripts.finetune.packed import forward_of
from workflow_scripts.landscape.plane import Plane, difference
from workflow_scripts.model.checks import random_settings
from workflow_scripts.model.encoder import (
    classifier_of,
    draw_encoder,
    encoder_names,
    layer_count,
    layer_of,
    load_weights,
    part_of,
    quiet,
    start_weights,
)
from workflow_scripts.model.families import GENERAL
from workflow_scripts.model.random_model import random_config
from workflow_scripts.model.running import attentions, hidden_states, rolled_back_states
from workflow_scripts.model.source import fetch
from workflow_scripts.model.text import Encoded, collate, encode

CPU = torch.device("cpu")
SETTINGS = "num_hidden_layers=3,num_attention_heads=4,vocab_size=99,max_position_embeddings=40"
PAD = 0  # a token of the examples, too
EVERY = np.arange(12)


def config_of(kind: str):
    return random_config(*random_settings(f"{kind}:{SETTINGS}"), 99)


def classifier(kind: str, attention: str = "eager") -> torch.nn.Module:
    """A tiny random classifier of ours, in float64, with weights four times as large as usual.

    The "eager" attention of most decoders has its softmax in float32 whatever their type.
    """
    config = config_of(kind)
    module = classifier_of(config, labels=3, attention=attention)
    weights = start_weights(module, draw_encoder(config, 0), 0)
    load_weights(module, {n: t * 4 if t.ndim > 1 else t for n, t in weights.items()})
    return module.double()


def of_transformers(module: torch.nn.Module) -> torch.nn.Module:
    """The classifier that transformers makes of the same configuration, with the same weights."""
    config = config_of(module.config.model_type)
    config.num_labels, config.pad_token_id = 3, None
    with quiet():
        theirs = AutoModelForSequenceClassification.from_config(config).double().eval()
    theirs.load_state_dict(module.state_dict())
    return theirs


def examples(last: int | None = None) -> Encoded:
    """12 random inputs of 3 to 30 tokens; ``last``, if given, is the last token of all."""
    drawn = sentences(12, pairs=False)
    rows = [ids if last is None else [*ids[:-1], last] for ids in drawn.input_ids]
    return Encoded(rows, None, drawn.lengths, drawn.labels)


def one_at_a_time(module, data: Encoded) -> torch.Tensor:
    return torch.cat([module(input_ids=torch.tensor([ids])).logits for ids in data.input_ids])


@pytest.mark.parametrize("kind", GENERAL)
@pytest.mark.parametrize("attention", ["eager", "sdpa"])
def test_logits_and_gradients_of_padded_examples_are_those_of_each_alone(kind, attention):
    module, data = classifier(kind, attention), examples()
    theirs, labels = of_transformers(module), torch.tensor(data.labels)
    expected = one_at_a_time(theirs, data)
    got = forward_of(module, PAD, CPU)(data, EVERY)
    assert expected.std(0).min() > 0.001
    torch.testing.assert_close(got, expected, rtol=0, atol=1e-6)
    for logits in (got, expected):
        cross_entropy(logits, labels).backward()
    own = dict(module.named_parameters())
    for name, parameter in theirs.named_parameters():
        if parameter.grad is not None:
            torch.testing.assert_close(own[name].grad, parameter.grad, rtol=0, atol=1e-6)


@pytest.mark.parametrize("kind", DECODERS)
@pytest.mark.parametrize("last", [PAD, 7])
def test_a_decoder_reads_the_last_token_even_if_it_is_the_padding_token(kind, last):
    module, data = classifier(kind), examples(last)
    expected = one_at_a_time(of_transformers(module), data)
    module.config.pad_token_id = PAD
    with torch.no_grad():
        got = forward_of(module, PAD, CPU)(data, EVERY)
        by_id = module(**collate(data, EVERY, PAD)).logits
    torch.testing.assert_close(got, expected, rtol=0, atol=1e-6)
    # What transformers takes for the last token.
    assert torch.allclose(by_id, expected, rtol=0, atol=1e-6) == (last != PAD)


@pytest.mark.parametrize("kind", DECODERS)
def test_a_decoder_does_not_see_what_follows(kind):
    module, data = classifier(kind), examples()
    longer = Encoded([[*ids, 50] for ids in data.input_ids], None, data.lengths + 1, data.labels)
    short, long = (hidden_states(module, each, EVERY, PAD) for each in (data, longer))
    kept = np.concatenate([np.arange(n + 1) < n for n in data.lengths])
    for layer, other in zip(short, long, strict=True):
        torch.testing.assert_close(layer, other[kept], rtol=0, atol=1e-9)


@pytest.mark.parametrize("kind", GENERAL)
def test_hidden_states_and_attention_are_those_of_each_alone(kind):
    module, data = classifier(kind), examples()
    theirs = of_transformers(module)
    theirs.set_attn_implementation("eager")
    states, weights = [], []
    with torch.no_grad():
        for ids in data.input_ids:
            out = theirs.base_model(
                torch.tensor([ids]), output_hidden_states=True, output_attentions=True
            )
            states.append([layer[0] for layer in out.hidden_states])
            weights.append(out.attentions)
    got = hidden_states(module, data, EVERY, PAD)
    assert len(got) == layer_count(module) + 1 == 4
    for layer, expected in zip(got, zip(*states, strict=True), strict=True):
        torch.testing.assert_close(layer, torch.cat(expected), rtol=0, atol=1e-6)
    for i in (0, 5):
        found = list(attentions(module, collate(data, np.array([i]), PAD)))
        for layer, expected in zip(found, weights[i], strict=True):
            torch.testing.assert_close(layer, expected, rtol=0, atol=1e-6)
            if GENERAL[kind].decoder:
                assert layer.triu(1).abs().max() == 0


@pytest.mark.parametrize("kind", GENERAL)
def test_a_rolled_back_layer_is_a_model_with_that_layer_copied(kind):
    before, after = classifier(kind), classifier(kind)
    old = {name: p.detach().clone() for name, p in before.named_parameters()}
    new = {name: t.double() for name, t in moved({n: t.float() for n, t in old.items()}, 1).items()}
    load_weights(after, new)
    data = examples()
    own, *back = rolled_back_states(after, before, data, EVERY, PAD)
    assert len(back) == 3
    for layer, states in enumerate(back):
        whole = classifier(kind)
        load_weights(whole, {n: (old if layer_of(n) == layer else new)[n] for n in new})
        expected = []
        with torch.no_grad():
            for ids in data.input_ids:
                expected.append(whole.base_model(torch.tensor([ids])).last_hidden_state[0])
        torch.testing.assert_close(states, torch.cat(expected), rtol=0, atol=1e-6)
        assert (states - own).abs().max() > 1e-3


@pytest.mark.parametrize("kind", GENERAL)
def test_points_of_a_plane_are_models_with_these_weights(kind):
    module, data = classifier(kind), examples()
    start = {name: p.detach().clone() for name, p in module.named_parameters()}
    ends = [
        {n: t.double() for n, t in moved({n: t.float() for n, t in start.items()}, seed).items()}
        for seed in (1, 2)
    ]
    first, second = (difference(end, start, encoder_names(module)) for end in ends)
    plane = Plane(module, start, first, second)
    plane.move(0.5, -1.5)
    fresh = classifier(kind)
    with torch.no_grad():
        for name in encoder_names(fresh):
            weight = start[name] + 0.5 * first[name] - 1.5 * second[name]
            fresh.get_parameter(name).copy_(weight)
        got = forward_of(module, PAD, CPU)(data, EVERY)
        expected = one_at_a_time(of_transformers(fresh), data)
    torch.testing.assert_close(got, expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("kind", DECODERS)
def test_the_parts_of_a_decoder_are_named(kind):
    module = classifier(kind)
    names = [name for name, _ in module.named_parameters()]
    parts = {part_of(name, module.base_model_prefix) for name in names}
    # "other" is the norm above the last layer.
    assert parts == {"embeddings", "layer00", "layer01", "layer02", "other", "head"}


@pytest.fixture
def gpt2(bert_dir, tmp_path):
    """Function that writes a GPT-2 with a tokenizer that ends texts, without a padding token."""

    def write(**special: str):
        folder = tmp_path / "gpt2"
        tokens = json.loads((bert_dir / "config.json").read_text())["vocab_size"]
        config = random_config(*random_settings(f"gpt2:vocab_size={tokens}"), tokens)
        config.pad_token_id = config.eos_token_id = None
        with quiet():
            AutoModelForSequenceClassification.from_config(config).save_pretrained(folder)
            PreTrainedTokenizerFast(
                tokenizer_file=str(bert_dir / "tokenizer.json"), unk_token="[UNK]", **special
            ).save_pretrained(folder)
        return folder

    return write


def test_a_tokenizer_without_padding_pads_with_the_token_that_ends_a_text(gpt2):
    model = fetch(f"dir:{gpt2(eos_token='[SEP]')}", attention=True)
    tokenizer = model.tokenizer
    assert model.config["pad_token_id"] == tokenizer.pad_token_id
    table = pd.DataFrame({"sentence": ["The lamp.", "Lost"], "label": 0})
    encoded = encode(tokenizer, table, 20)
    # Each text ends with it, and so would be read one token too early by its id.
    assert {ids[-1] for ids in encoded.input_ids} == {tokenizer.pad_token_id}


def test_a_tokenizer_with_neither_is_refused(gpt2):
    assert "tokenizer: has no padding token" in refusal(fetch, f"dir:{gpt2()}")


def test_a_text_without_tokens_is_refused(fetched):
    tokenizer = fetch("random:gpt2").tokenizer
    tokenizer.backend.post_processor = None
    table = pd.DataFrame({"sentence": ["word", ""], "label": 0})
    with pytest.raises(UserError, match="makes no token of the text ''"):
        encode(tokenizer, table, 20)
