"""Models and data sets from the hub's stand-in, read by the real client in a process of its own."""

import filecmp
import json
import re
import shutil
import subprocess
import sys

import pandas as pd
import pytest

from workflow_scripts.model.encoder import read_weights

# Fetches each source of the list given as JSON; prints the error, or null, of each.
FETCH = """
import json, sys
from pathlib import Path
from workflow_scripts.common.errors import UserError
from workflow_scripts.model.fetch_model import fetch_model
errors = []
for i, source in enumerate(json.loads(sys.argv[1])):
    d = Path(sys.argv[2]) / str(i)
    names = ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json")
    try:
        fetch_model(*(d / name for name in names), d / 'card.json', name="tiny", source=source)
        errors.append(None)
    except UserError as error:
        errors.append(str(error))
print(json.dumps(errors))
"""


@pytest.fixture
def fetch(serve, tmp_path):
    """Function that fetches sources from the stand-in into ``tmp_path / out / 0, 1, …``."""

    def run(sources: list[str], out: str, **environment) -> list[str | None]:
        done = subprocess.run(
            [sys.executable, "-c", FETCH, json.dumps(sources), str(tmp_path / out)],
            env=serve.environment(tmp_path / "cache") | environment,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        assert done.stderr == ""
        errors = json.loads(done.stdout)
        assert not any("\n" in error for error in errors if error)
        return errors

    return run


def test_a_model_comes_from_the_hub(serve, fetch, bert_dir, tmp_path):
    tiny = serve.folder / "models/tiny/bert"
    shutil.copytree(bert_dir, tiny)
    for unwanted in ("pytorch_model.bin", "modeling_bert.py", "onnx/model.onnx", "README.md"):
        (tiny / unwanted).parent.mkdir(exist_ok=True)
        (tiny / unwanted).write_text("not to be downloaded")
    pickled = serve.folder / "models/tiny/pickled"
    shutil.copytree(bert_dir, pickled)
    (pickled / "model.safetensors").rename(pickled / "pytorch_model.bin")
    commit, other = serve.commit("models", "tiny/bert"), serve.commit("models", "tiny/pickled")

    sources = [
        f"hub:tiny/bert@{commit}",
        f"hub:tiny/bert@{'0' * 40}",
        f"hub:tiny/none@{commit}",
        f"hub:tiny/pickled@{other}",
    ]
    errors = fetch(sources, "online")
    assert errors[0] is None
    assert "has no such commit" in errors[1]
    assert "no such repository" in errors[2]
    assert "has pytorch_model.bin but no model.safetensors; only safetensors is read" in errors[3]
    card = json.loads((tmp_path / "online/0/card.json").read_text())
    assert (card["revision"], card["source"]) == (commit, sources[0])
    fetched = read_weights(tmp_path / "online/0/model.safetensors")
    original = read_weights(bert_dir / "model.safetensors")
    assert all((fetched[name] == original[name]).all() for name in original)
    expected = {
        "config.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
        "card.json",
    }
    assert set(serve.downloads()) == expected - {"card.json"}

    # The second time everything comes from the cache, with or without a network.
    requests = len(serve.requests)
    errors = fetch(sources[:2], "offline", HF_HUB_OFFLINE="1")
    assert errors[0] is None
    assert "not in the cache" in errors[1]
    assert "HF_HUB_OFFLINE is set" in errors[1]
    assert len(serve.requests) == requests
    for name in expected:
        online, offline = tmp_path / "online/0" / name, tmp_path / "offline/0" / name
        assert filecmp.cmp(online, offline, shallow=False)


def test_an_abbreviated_commit_is_looked_up(serve, fetch, bert_dir, tmp_path):
    shutil.copytree(bert_dir, serve.folder / "models/tiny/bert")
    commit = serve.commit("models", "tiny/bert")
    short, unknown = f"hub:tiny/bert@{commit[:10]}", f"hub:tiny/bert@{'0' * 12}"

    errors = fetch([short, unknown, f"hub:tiny/none@{commit[:10]}"], "online")
    assert errors[0] is None
    assert errors[1].startswith(f"{unknown}: no commit of the main branch begins with")
    assert "no such repository" in errors[2]
    card = json.loads((tmp_path / "online/0/card.json").read_text())
    assert (card["revision"], card["source"]) == (commit, short)

    # The cache is used with or without a network.
    requests = len(serve.requests)
    errors = fetch([short, unknown], "offline", HF_HUB_OFFLINE="1")
    assert errors[0] is None
    assert "not in the cache" in errors[1]
    assert "HF_HUB_OFFLINE is set" in errors[1]
    assert json.loads((tmp_path / "offline/0/card.json").read_text()) == card
    (snapshots,) = (tmp_path / "cache").rglob("snapshots")
    (snapshots / f"{commit[:10]}{'0' * 30}").mkdir()
    (error,) = fetch([short], "two", HF_HUB_OFFLINE="1")
    assert "2 commits begin with these digits" in error
    assert commit in error
    assert len(serve.requests) == requests


@pytest.mark.slow
def test_a_hub_that_does_not_answer_is_named(fetch):
    # The client tries five times before it gives up.
    errors = fetch([f"hub:tiny/bert@{'0' * 40}"], "none", HF_ENDPOINT="http://127.0.0.1:9")
    assert re.search(r"not in the cache .*, and the hub cannot be reached \(.*refused", errors[0])


def test_a_data_set_comes_from_the_hub(serve, tmp_path):
    folder = serve.folder / "datasets/tiny/glue"
    for config in ("mrpc", "sst2"):
        (folder / config).mkdir(parents=True)
        for split in ("train", "validation"):
            table = pd.DataFrame({"sentence": [config, split], "label": [0, 1]})
            table.to_parquet(folder / config / f"{split}-00000-of-00001.parquet")
    entries = "".join(
        f"- config_name: {config}\n  data_files:\n"
        f"  - {{split: train, path: {config}/train-*}}\n"
        f"  - {{split: validation, path: {config}/validation-*}}\n"
        for config in ("mrpc", "sst2")
    )
    (folder / "README.md").write_text(f"---\nconfigs:\n{entries}---\n# tiny\n")
    commit = serve.commit("datasets", "tiny/glue")
    code = (
        "import json; from datasets import load_dataset\n"
        f"d = load_dataset('tiny/glue', 'mrpc', revision='{commit}')\n"
        "print(json.dumps({split: d[split]['sentence'][:] for split in d}))"
    )
    for offline in ("0", "1"):
        done = subprocess.run(
            [sys.executable, "-c", code],
            env=serve.environment(tmp_path / "cache") | {"HF_HUB_OFFLINE": offline},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout) == {
            "train": ["mrpc", "train"],
            "validation": ["mrpc", "validation"],
        }
    assert {path.split("/")[0] for path in serve.downloads()} == {"mrpc", "README.md"}
