"""Data sets from the hub's stand-in on the loopback interface, read by the real client."""

import json
import subprocess
import sys

import pandas as pd
import pytest

from tests.hub_server import hub

READ = """
import json, sys
from workflow_scripts.common.errors import UserError
from workflow_scripts.data.tasks import read_task
answers = []
for arguments in json.loads(sys.argv[1]):
    try:
        task = read_task(**arguments)
        answers.append({"card": task.card, "train": task.train.to_dict("list"),
                        "dev": task.dev.to_dict("list")})
    except UserError as error:
        answers.append(str(error))
print(json.dumps(answers))
"""


SCRIPT = "raise SystemExit('code of the repository was run')"


def write_split(path, rows, names=None):
    import datasets

    table = datasets.Dataset.from_list(rows)
    if names:
        table = table.cast_column("label", datasets.ClassLabel(names=names))
    path.parent.mkdir(parents=True, exist_ok=True)
    table.to_parquet(path)


def rows(labels):
    return [
        {"sentence1": f"one {i}", "sentence2": f"two {i}", "label": label, "idx": i}
        for i, label in enumerate(labels)
    ]


@pytest.fixture
def served(tmp_path):
    """Stand-in with ``tiny/glue``: two configurations, splits as GLUE has them."""
    repo = tmp_path / "hub/datasets/tiny/glue"
    names = ["not_entailment", "entailment"]
    for config, devs in (("rte", ["validation"]), ("mnli", ["validation_matched", "test_matched"])):
        write_split(repo / f"{config}/train-00000-of-00001.parquet", rows([0, 1, 1, 0, 1]), names)
        for split in devs:
            labels = [-1, -1] if split.startswith("test") else [1, 0, 1]
            write_split(repo / f"{config}/{split}-00000-of-00001.parquet", rows(labels), names)
        write_split(repo / f"{config}/test-00000-of-00001.parquet", rows([-1, -1]), names)
    configs = "".join(
        f"- config_name: {config}\n  data_files:\n"
        + "".join(
            f"  - split: {split}\n    path: {config}/{split}-*\n"
            for split in ("train", *devs, "test")
        )
        for config, devs in (("rte", ["validation"]), ("mnli", ["validation_matched"]))
    )
    (repo / "README.md").write_text(f"---\nconfigs:\n{configs}---\n")
    # A script of the repository's own name was once run to load it; any other is but a file.
    (repo / "helper.py").write_text(SCRIPT)
    write_split(repo.parent / "script/train.parquet", rows([0, 1]))
    (repo.parent / "script/script.py").write_text(SCRIPT)
    with hub(tmp_path / "hub") as server:
        yield server


def read(served, tmp_path, *arguments):
    done = subprocess.run(
        [sys.executable, "-c", READ, json.dumps(arguments)],
        env=served.environment(tmp_path / "cache"),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return json.loads(done.stdout)


def test_a_data_set_comes_from_the_hub(served, tmp_path):
    commit = served.commit("datasets", "tiny/glue")
    source = f"hub:tiny/glue/rte@{commit}"
    whole, part, matched, test, nobody, other, config = read(
        served,
        tmp_path,
        {"source": source},
        {"source": source, "train_examples": 3, "seed": 1},
        {"source": f"hub:tiny/glue/mnli@{commit}"},
        {"source": source, "dev_split": "test"},
        {"source": f"hub:tiny/none@{commit}"},
        {"source": source, "dev_split": "valdation"},
        {"source": f"hub:tiny/glue/rtee@{commit}"},
    )
    assert not isinstance(whole, str), whole
    # Labels by name, so their ids follow the names and not the numbers of the repository.
    assert whole["card"]["labels"] == ["entailment", "not_entailment"]
    assert whole["train"]["label"] == [1, 0, 0, 1, 0]
    assert whole["dev"]["label"] == [0, 1, 0]
    assert whole["train"]["sentence2"] == [f"two {i}" for i in range(5)]
    assert (whole["card"]["revision"], whole["card"]["synthetic"]) == (commit, False)
    assert len(part["train"]["label"]) == 3
    assert part["card"]["available"] == {"train": 5, "dev": 3}
    assert matched["card"]["dev"] == 3
    assert test == (
        f"{source} dev: 2 of 2 rows have no label in column 'label', the first of them row 1; "
        "`unlabeled: drop` leaves such rows out"
    )
    assert nobody.startswith(f"hub:tiny/none@{commit}: ")
    assert other == (
        "hub:tiny/glue/rte: no split valdation; it has train, validation, test; "
        "did you mean 'validation'?"
    )
    assert config.startswith(f"hub:tiny/glue/rtee@{commit}: ")
    assert "rte" in config
    for message in (test, nobody, other, config):
        assert "\n" not in message


def test_lacking_commits_and_code_of_a_repository_are_refused(served, tmp_path):
    script = f"hub:tiny/script@{served.commit('datasets', 'tiny/script')}"
    lacking = f"hub:tiny/glue/rte@{'0' * 40}"
    messages = read(served, tmp_path, {"source": lacking}, {"source": script})
    for message, source in zip(messages, (lacking, script), strict=True):
        assert message.startswith(f"{source}: ")
        assert "\n" not in message
    assert "Dataset scripts are no longer supported" in messages[1]


def test_tables_of_any_kind_are_read_and_integers_stay_numbers(tmp_path):
    repo = tmp_path / "hub/datasets/tiny/mine"
    repo.mkdir(parents=True)
    for split in ("train", "validation"):
        pd.DataFrame({"text": ["a", "b", "c"], "label": [10, 9, 10]}).to_csv(
            repo / f"{split}.csv", index=False
        )
    with hub(tmp_path / "hub") as server:
        commit = server.commit("datasets", "tiny/mine")
        (task,) = read(server, tmp_path, {"source": f"hub:tiny/mine@{commit}"})
    assert task["card"]["labels"] == ["9", "10"]
    assert task["train"] == {"sentence": ["a", "b", "c"], "label": [1, 0, 1]}


def test_what_the_hub_holds_is_checked_like_files(tmp_path):
    repos = {
        "lists": [{"text": ["a", "b"], "label": i % 2} for i in range(4)],
        "labels": [{"text": f"t {i}", "label": [0, i % 2]} for i in range(4)],
        "numbers": [{"text": f"t {i}", "label": float(i % 2)} for i in range(4)],
    }
    for name, rows in repos.items():
        for split in ("train", "validation"):
            write_split(tmp_path / f"hub/datasets/tiny/{name}/{split}.parquet", rows)
    for split in ("train", "dev", "validation"):
        write_split(tmp_path / f"hub/datasets/tiny/devs/{split}.parquet", repos["numbers"])
    (tmp_path / "hub/datasets/tiny/devs/README.md").write_text(
        "---\nconfigs:\n- config_name: default\n  data_files:\n"
        + "".join(
            f"  - {{split: {s}, path: {s}.parquet}}\n" for s in ("train", "dev", "validation")
        )
        + "---\n"
    )
    with hub(tmp_path / "hub") as server:
        sources = {
            name: f"hub:tiny/{name}@{server.commit('datasets', f'tiny/{name}')}"
            for name in (*repos, "devs")
        }
        lists, labels, numbers, devs, dev = read(
            server,
            tmp_path,
            *({"source": source} for source in sources.values()),
            {"source": sources["devs"], "dev_split": "dev"},
        )
    assert lists == f"{sources['lists']} train: row 1: column 'text' holds a list, expected text"
    assert labels == (
        f"{sources['labels']} train: row 1: column 'label' holds a list, expected one label a row"
    )
    assert numbers["card"]["labels"] == ["0", "1"]
    assert "more than one split could be the dev set: dev, validation" in devs
    assert dev["card"]["dev"] == 4


def test_rows_of_the_hub_without_a_label_are_dropped(served, tmp_path):
    source = f"hub:tiny/glue/rte@{served.commit('datasets', 'tiny/glue')}"
    message, kept = read(
        served,
        tmp_path,
        {"source": source, "dev_split": "test", "unlabeled": "drop"},
        {"source": source, "unlabeled": "drop"},
    )
    assert message == f"{source} dev: no row has a label in column 'label'"
    assert kept["card"]["unlabeled"] == {"train": 0, "dev": 0}
