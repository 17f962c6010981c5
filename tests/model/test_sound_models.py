"""Models that would give wrong numbers, or fail after training, are refused before."""

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, AutoModelForSequenceClassification

from workflow_scripts.common.errors import UserError
from workflow_scripts.model import checks
from workflow_scripts.model.checks import check_model
from workflow_scripts.model.encoder import quiet
from workflow_scripts.model.source import fetch

POINTER = (
    b"version https://git-lfs.github.com/spec/v1\n"
    b"oid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 44047\n"
)
CASED = [
    *("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "The", "the", "Lamp", "lamp", "US", "us"),
    *("May", "may", "lost", ".", "##s"),
]


@pytest.fixture
def folder(bert_dir, tmp_path):
    target = tmp_path / "mine"
    shutil.copytree(bert_dir, target)
    return target


def refusal(function, *arguments) -> str:
    with pytest.raises(UserError) as error:
        function(*arguments)
    message = str(error.value)
    assert "\n" not in message
    assert len(message) <= 500
    return message


def planned(folder, attention=False) -> str:
    return refusal(check_model, "m", {"source": f"dir:{folder}"}, attention)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_a_weight_that_is_not_finite_is_named(folder, value):
    weights = load_file(folder / "model.safetensors")
    name = "encoder.layer.1.attention.self.query.weight"
    weights[name][3, 4] = value
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    message = refusal(fetch, f"dir:{folder}")
    assert f"{name} has 1 of 1024 values that are not finite" in message


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda data: POINTER, "is a Git LFS pointer, not the file itself; run `git lfs pull`"),
        (lambda data: b"", "is empty"),
        (lambda data: data[:5], "is no safetensors file"),
        (lambda data: data[:200], "is cut off in its header, after 200 bytes"),
        (lambda data: data[:-1], "is cut off: it has "),
        (lambda data: data[: len(data) // 2], "is cut off: it has "),
        (lambda data: data + b"\n", "is too long: it has "),
        (lambda data: b"<!DOCTYPE html><html>" + data, "is no safetensors file"),
        (lambda data: (2).to_bytes(8, "little") + b"[]", "is no safetensors file"),
        (lambda data: (9).to_bytes(8, "little") + b'{"a": {}}', "is no safetensors file"),
    ],
)
def test_a_truncated_weight_file_is_detected_while_planning(folder, change, message):
    file = folder / "model.safetensors"
    file.write_bytes(change(file.read_bytes()))
    assert f"{file}: {message}" in planned(folder)
    (folder / "part.safetensors").write_bytes(file.read_bytes())
    file.unlink()
    index = {"weight_map": {"a": "part.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    assert f"{folder}/part.safetensors: {message}" in planned(folder)


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json"])
def test_any_other_file_that_is_a_pointer_is_detected_while_planning(folder, name):
    (folder / name).write_bytes(POINTER)
    assert f"{folder / name}: is a Git LFS pointer" in planned(folder)


def test_an_empty_tokenizer_is_detected_while_planning(folder):
    (folder / "tokenizer.json").write_bytes(b"")
    assert f"{folder}/tokenizer.json: is empty" in planned(folder)


def with_vocabulary(folder, words, settings=None):
    (folder / "tokenizer.json").unlink()
    (folder / "tokenizer_config.json").unlink()
    if settings is not None:
        (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    (folder / "vocab.txt").write_text("\n".join(words) + "\n")
    return fetch(f"dir:{folder}").tokenizer.backend


@pytest.mark.parametrize("settings", [None, {"model_max_length": 64}])
def test_a_vocabulary_with_upper_case_is_cased(folder, settings):
    backend = with_vocabulary(folder, CASED, settings)
    expected = ["[CLS]", "The", "Lamp", "US", "May", "lost", ".", "[SEP]"]
    assert backend.encode("The Lamp US May lost .").tokens == expected


def test_a_vocabulary_without_upper_case_or_one_that_says_so_is_lower_cased(folder, tmp_path):
    expected = ["[CLS]", "the", "lamp", "us", "may", "lost", ".", "[SEP]"]
    said = tmp_path / "said"
    shutil.copytree(folder, said)
    for backend in (
        with_vocabulary(folder, [w for w in CASED if w == w.lower() or w.startswith("[")]),
        with_vocabulary(said, CASED, {"do_lower_case": True}),
    ):
        assert backend.encode("The Lamp US May lost .").tokens == expected


SIZES = {"num_hidden_layers": 2, "num_attention_heads": 2, "hidden_size": 32}
OTHERS = {
    "xlnet": {"d_model": 32, "n_layer": 2, "n_head": 2, "d_inner": 64},
    "convbert": {**SIZES, "intermediate_size": 64},
    "longformer": {**SIZES, "intermediate_size": 64, "attention_window": [8, 8]},
    "bart": {"d_model": 32, "encoder_layers": 2, "decoder_layers": 2, "encoder_ffn_dim": 64,
             "decoder_ffn_dim": 64, "encoder_attention_heads": 2, "decoder_attention_heads": 2},
    "gpt2": {"n_embd": 32, "n_layer": 2, "n_head": 2},
}  # fmt: skip


@pytest.fixture
def other(bert_dir, tmp_path):
    """Function that writes a model of another architecture, with weights that matter."""

    def write(kind: str):
        folder = tmp_path / kind
        tokens = json.loads((bert_dir / "config.json").read_text())["vocab_size"]
        with quiet():
            config = AutoConfig.for_model(kind, vocab_size=tokens, **OTHERS[kind])
            model = AutoModelForSequenceClassification.from_config(config)
            generator = torch.Generator().manual_seed(0)
            with torch.no_grad():
                for p in model.parameters():
                    noise = torch.randn(p.shape, generator=generator)
                    p.copy_(0.2 * noise if p.ndim > 1 else p + 0.1 * noise)
            model.save_pretrained(folder)
        for name in ("tokenizer.json", "tokenizer_config.json"):
            shutil.copy(bert_dir / name, folder)
        return folder

    return write


def test_an_encoder_decoder_is_refused_while_planning(other):
    folder = other("bart")
    expected = "architecture 'bart' is not supported: it is an encoder-decoder"
    assert expected in planned(folder)
    assert expected in refusal(fetch, f"dir:{folder}")
    config = json.loads((folder / "config.json").read_text())
    config |= {"model_type": "another", "is_encoder_decoder": True}
    (folder / "config.json").write_text(json.dumps(config))
    assert "'another' is not supported: it is an encoder-decoder" in planned(folder)


@pytest.mark.parametrize("kind", ["xlnet", "convbert"])
def test_logits_that_depend_on_padding_are_refused(other, kind, monkeypatch):
    folder = other(kind)
    expected = f"architecture {kind!r} is not supported: its logits depend on padding"
    assert expected in planned(folder)
    # An architecture that is not known for it is tried.
    monkeypatch.setattr(checks, "DEPEND_ON_PADDING", ())
    assert check_model("m", {"source": f"dir:{folder}"})
    assert expected in refusal(fetch, f"dir:{folder}")


def test_attention_that_cannot_be_compared_is_reported_before_training(other, monkeypatch):
    folder = other("longformer")
    assert check_model("m", {"source": f"dir:{folder}"})
    assert "set dynamics.attention: false" in planned(folder, attention=True)
    monkeypatch.setattr(checks, "NO_ATTENTION", ())
    assert check_model("m", {"source": f"dir:{folder}"}, attention=True)
    assert fetch(f"dir:{folder}").config["model_type"] == "longformer"
    assert "set dynamics.attention: false" in refusal(fetch, f"dir:{folder}", None, True)


def test_a_decoder_is_given_the_padding_token_of_its_tokenizer(other):
    model = fetch(f"dir:{other('gpt2')}", attention=True)
    assert model.config["pad_token_id"] == model.tokenizer.pad_token_id
