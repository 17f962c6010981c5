"""What is wrong ends the workflow with one line, before any job starts and nothing lost."""

import gzip
import json
from pathlib import Path

import pytest

GOOD_ROWS = "sentence\tlabel\nfine words\tgood\nbad words\tbad\n"


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def task(folder: Path, train: str = GOOD_ROWS, dev: str = GOOD_ROWS) -> dict:
    write(folder / "task" / "train.tsv", train)
    write(folder / "task" / "dev.tsv", dev)
    return {"tasks": {"entailment": {"source": f"dir:{folder}/task", "train": None, "dev": None}}}


def model(folder: Path, files: dict[str, str]) -> dict:
    for name, text in files.items():
        write(folder / "model" / name, text)
    (folder / "model").mkdir(parents=True, exist_ok=True)
    return {"models": {"tiny": {"source": f"dir:{folder}/model"}}}


CONFIG_JSON = json.dumps({"model_type": "bert", "num_hidden_layers": 3})

CASES = {
    "unknown key": (
        lambda d: {"landscape": {"pionts": 3}},
        ["landscape.pionts: unknown key", "did you mean 'points'?"],
    ),
    "wrong type": (lambda d: {"landscape": {"points": "x"}}, ["landscape.points: got 'x' (str)"]),
    "range reversed": (lambda d: {"landscape": {"range": [4, -4]}}, ["range: got [4, -4]"]),
    "second direction is the task": (
        lambda d: {"landscape": {"second": {"entailment": "entailment"}}},
        ["landscape.second.entailment", "the task itself"],
    ),
    "too many layers in a group": (
        lambda d: {"landscape": {"groups": {"low": [0, 7]}}},
        ["landscape.groups.low: got [0, 7]", "tiny has layers 0 to 2"],
    ),
    "layer groups of an ALBERT": (
        lambda d: {"models": {"tiny": {"source": "random:albert:num_hidden_layers=3"}}},
        ["ALBERT", "figures.group_tasks: []"],
    ),
    "task without label": (
        lambda d: task(d, train="sentence\tlabels\na\t1\n"),
        ["entailment", "train.tsv", "'label'", "did you mean 'labels'?"],
    ),
    "one class only": (
        lambda d: task(d, train="sentence\tlabel\na\t1\nb\t1\n"),
        ["entailment", "train.tsv", "class"],
    ),
    "missing file": (
        lambda d: {"tasks": {"entailment": {"source": f"dir:{d}/nowhere", "train": None}}},
        ["entailment", "nowhere"],
    ),
    "variable not set": (
        lambda d: {"tasks": {"entailment": {"source": "dir:$TUNESCAPE_UNSET/x"}}},
        ["entailment", "TUNESCAPE_UNSET"],
    ),
    "unknown task scheme": (
        lambda d: {"tasks": {"entailment": {"source": "dri:/x"}}},
        ["entailment", "did you mean 'dir'?"],
    ),
    "unknown model scheme": (
        lambda d: {"models": {"tiny": {"source": "hbu:a/b"}}},
        ["tiny", "did you mean 'hub'?"],
    ),
    "unknown synthetic task": (
        lambda d: {"tasks": {"entailment": {"source": "synthetic:nil"}}},
        ["entailment", "did you mean 'nli'?"],
    ),
    "hub task without a commit": (
        lambda d: {"tasks": {"entailment": {"source": "hub:nyu-mll/glue/mrpc@main"}}},
        ["entailment", "main"],
    ),
    "package not installed": (
        lambda d: {"models": {"tiny": {"source": "package:no_such_package/model"}}},
        ["no_such_package", "pip install"],
    ),
    "model folder without weights": (
        lambda d: model(d, {"config.json": CONFIG_JSON, "tokenizer.json": "{}"}),
        ["tiny", "no weights"],
    ),
    "model folder with pickled weights": (
        lambda d: model(d, {"config.json": CONFIG_JSON, "pytorch_model.bin": "x"}),
        ["tiny", "pytorch_model.bin", "safetensors"],
    ),
    "more examples on a surface than there are": (
        task,
        ["entailment", "train.tsv", "16 examples, the file has 2"],
    ),
    "more examples than there are": (
        lambda d: {"tasks": {"entailment": task(d)["tasks"]["entailment"] | {"train": 99}}},
        ["entailment", "99"],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_one_line_and_no_job(case, snakemake, tmp_path):
    make, expected = CASES[case]
    done = snakemake(config=make(tmp_path / "input"))
    lines = [line for line in done.stderr.splitlines() if line.startswith("Tunescape: ")]
    assert done.returncode == 1, done.stderr
    assert len(lines) == 1, done.stderr
    for words in expected:
        assert words in lines[0]
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "results").exists()


def test_nothing_is_lost_by_a_mistake(snakemake, tmp_path):
    kept = write(tmp_path / "results" / "data" / "entailment" / "card.json", "{}")
    assert snakemake(config={"landscape": {"points": 1}}).returncode == 1
    assert kept.read_text() == "{}"


def test_good_input_of_the_same_kind_is_planned(snakemake, tmp_path):
    # The cases above fail for what they say, not for how they are set up.
    config = task(tmp_path / "input")
    source = tmp_path / "input" / "task"
    with gzip.open(source / "dev.tsv.gz", "wt") as file:
        file.write(GOOD_ROWS)
    config["tasks"]["entailment"]["source"] = f"dir:{source}/train.tsv,dev.tsv.gz"
    config["landscape"] = {"train_examples": None, "dev_examples": 2}
    done = snakemake("results/figures/all", "--dry-run", "--quiet", config=config)
    assert done.returncode == 0, done.stderr
