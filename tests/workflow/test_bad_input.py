"""What is wrong ends the workflow with one line, before any job starts and nothing lost.

What only a job can find ends that job with one line. Snakemake is started where the way through it
is the point; elsewhere the same checks and steps run here, in one process.
"""

import contextlib
import gzip
import json
import shutil
import struct
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
from snakemake.iocontainers import InputFiles, Log, OutputFiles, Params
from snakemake.utils import update_config

from tests.workflow.conftest import ROOT
from workflow_scripts.common.errors import UserError
from workflow_scripts.experiment.checks import check_inputs
from workflow_scripts.experiment.config import validated
from workflow_scripts.plan.__main__ import read_settings
from workflow_scripts.rebuilds.__main__ import main as rebuilds
from workflow_scripts.rebuilds.records import damaged_outputs, file_digest, recorded_outputs
from workflow_scripts.rebuilds.step import run

GOOD_ROWS = "sentence\tlabel\nfine words\tgood\nbad words\tbad\n"
MANY_ROWS = GOOD_ROWS + GOOD_ROWS.partition("\n")[2] * 10


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


def raw(folder: Path, name: str, content: bytes, instead_of: str | None = None) -> dict:
    """A good task of which one file holds these bytes."""
    config = task(folder, MANY_ROWS, MANY_ROWS)
    if instead_of:
        (folder / "task" / instead_of).unlink()
    (folder / "task" / name).write_bytes(content)
    return config


def folder_instead(folder: Path, name: str) -> dict:
    config = task(folder, MANY_ROWS, MANY_ROWS)
    (folder / "task" / name).unlink()
    (folder / "task" / name).mkdir()
    return config


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
        # smoke.yaml names a task of figure 7.
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
    "infinite learning rate": (
        lambda d: {"finetune": {"recipes": {"finetune": {"learning_rate": float("inf")}}}},
        ["recipes.finetune.learning_rate: got inf"],
    ),
    "learning rate is no number": (
        lambda d: {"finetune": {"recipes": {"finetune": {"learning_rate": float("nan")}}}},
        ["recipes.finetune.learning_rate: got nan"],
    ),
    "the same seeds twice": (
        lambda d: {"finetune": {"seeds": [{"init": 0, "order": 0}, {"init": 0, "order": 0}]}},
        ["finetune.seeds", "duplicate value"],
    ),
    "the same pair twice": (
        lambda d: {
            "dynamics": {"task_pairs": [["entailment", "sentiment"], ["sentiment", "entailment"]]}
        },
        ["dynamics.task_pairs", "duplicate value"],
    ),
    "a layer group that is named like a line": (
        lambda d: {"landscape": {"groups": {"line": [0, 1]}}},
        ["landscape.groups: got the name 'line'"],
    ),
    "the label as text": (
        lambda d: {"tasks": {"entailment": {"text": ["label"]}}},
        ["tasks.entailment.text: 'label' is the column of the label"],
    ),
    "one column twice as text": (
        lambda d: {"tasks": {"entailment": {"text": ["a", "a"]}}},
        ["tasks.entailment.text: duplicate value 'a'"],
    ),
    "nothing where a section should be": (
        lambda d: {"landscape": None},
        ["landscape: got None"],
    ),
    "a recipe that continues itself": (
        lambda d: {"finetune": {"recipes": {"finetune": {"continues": "finetune"}}}},
        ["finetune.recipes.finetune.continues", "cycle"],
    ),
    "a name that is no folder": (
        lambda d: {"experiment": {"name": "../elsewhere"}},
        ["experiment.name: got '../elsewhere'"],
    ),
    "a task that is not there": (
        lambda d: {"experiment": {"tasks": ["entailment", "sentimen"]}},
        ["experiment.tasks: got 'sentimen'", "did you mean 'sentiment'?"],
    ),
    "a random model of no architecture": (
        lambda d: {"models": {"tiny": {"source": "random:brt:num_hidden_layers=3"}}},
        ["models.tiny", "did you mean 'bert'?"],
    ),
    "heads that do not divide the width": (
        lambda d: {
            "models": {"tiny": {"source": "random:bert:hidden_size=32,num_attention_heads=3"}}
        },
        ["models.tiny", "hidden_size 32 is not a multiple"],
    ),
    "an empty data file": (lambda d: task(d, MANY_ROWS, ""), ["entailment", "dev.tsv", "is empty"]),
    "a header and no rows": (
        lambda d: task(d, MANY_ROWS, "sentence\tlabel\n"),
        ["entailment", "dev.tsv", "has no rows"],
    ),
    "text in another encoding": (
        lambda d: raw(d, "dev.tsv", GOOD_ROWS.encode("utf-16")),
        ["entailment", "dev.tsv"],
    ),
    "a folder instead of a data file": (
        lambda d: folder_instead(d, "dev.tsv"),
        ["entailment", "no file dev"],
    ),
    "a gzipped file that is cut off": (
        lambda d: raw(d, "dev.tsv.gz", gzip.compress(GOOD_ROWS.encode() * 50)[:30], "dev.tsv"),
        ["entailment", "dev.tsv.gz", "cannot be read"],
    ),
    "a file that only claims to be gzipped": (
        lambda d: raw(d, "dev.tsv.gz", GOOD_ROWS.encode(), "dev.tsv"),
        ["entailment", "dev.tsv.gz", "cannot be read"],
    ),
    "a Parquet file that is cut off": (
        lambda d: raw(d, "dev.parquet", b"PAR1 and no more", "dev.tsv"),
        ["entailment", "dev.parquet", "cannot be read"],
    ),
    "JSON lines with a broken line": (
        lambda d: raw(d, "dev.jsonl", b'{"sentence": "a", "label": 1}\n{"sent', "dev.tsv"),
        ["entailment", "dev.jsonl", "line 2 is not JSON"],
    ),
    "two columns of one name": (
        lambda d: task(d, "sentence\tsentence\tlabel\n" + "a\tb\t1\nc\td\t0\n" * 8),
        ["entailment", "train.tsv", "two columns", "'sentence'"],
    ),
    "a configuration of a model that is no JSON": (
        lambda d: model(d, {"config.json": "{", "model.safetensors": "", "vocab.txt": "a"}),
        ["tiny", "config.json", "cannot be read as JSON"],
    ),
    "a model of no type": (
        lambda d: model(d, {"config.json": "{}", "model.safetensors": "", "vocab.txt": "a"}),
        ["tiny", "config.json", "does not name a model_type"],
    ),
    "quantized weights": (
        lambda d: model(
            d,
            {"config.json": '{"model_type": "bert", "quantization_config": {}}', "vocab.txt": "a"},
        ),
        ["tiny", "quantized"],
    ),
    "an index that names a missing part": (
        lambda d: model(
            d,
            {
                "config.json": CONFIG_JSON,
                "model.safetensors.index.json": '{"weight_map": {"a": "part1.safetensors"}}',
            },
        ),
        ["tiny", "part1.safetensors", "is missing"],
    ),
    "a model without a tokenizer": (
        lambda d: model(d, {"config.json": CONFIG_JSON, "model.safetensors": "x"}),
        ["tiny", "has no tokenizer"],
    ),
}


SMOKE = ROOT / "experiments" / "smoke.yaml"
THROUGH_SNAKEMAKE = ("unknown key", "too many layers in a group", "one class only")


@contextlib.contextmanager
def one_line_of(expected: list[str], within: float = 30):
    """What runs in the block must be refused, soon and in one line with these words."""
    started = time.monotonic()
    with pytest.raises((UserError, SystemExit)) as refused:
        yield
    line = str(refused.value)
    assert line.splitlines() == [line]
    for words in expected:
        assert words in line
    assert time.monotonic() - started < within


@pytest.mark.parametrize("case", CASES)
def test_one_line_before_any_job(case, tmp_path):
    make, expected = CASES[case]
    merged = read_settings([SMOKE]).model_dump()
    update_config(merged, make(tmp_path / "input"))
    with one_line_of(expected):
        check_inputs(validated(merged))


@pytest.mark.parametrize("case", THROUGH_SNAKEMAKE)
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
        file.write(MANY_ROWS)
    config["tasks"]["entailment"]["source"] = f"dir:{source}/train.tsv,dev.tsv.gz"
    config["landscape"] = {"train_examples": None, "dev_examples": 2}
    done = snakemake("results/figures/all", "--dry-run", "--quiet", config=config)
    assert done.returncode == 0, done.stderr


# What only a job finds


def step(function: Callable, inputs: dict, outputs: dict, spec: dict, state: str | None = None):
    """Run a step as its script would, in the working directory; SystemExit where it fails."""
    context = {"experiment": "test", "device": "cpu", "threads": 1, "token_budget": None}
    params = {"spec": spec, "code": "c0de", "libraries": {}, "context": context}
    if state:
        params["state"] = state
    snakemake = SimpleNamespace(
        rule=function.__name__,
        input=named(InputFiles(), inputs),
        output=named(OutputFiles(), outputs),
        params=Params(fromdict=params),
        log=Log([f"{function.__name__}.log"]),
    )
    run(function, snakemake)


def named(files, of: dict):
    """Fill one of Snakemake's lists: flat, with names for parts of it."""
    for name, paths in of.items():
        first = len(files)
        files.extend([paths] if isinstance(paths, str) else paths)
        files._set_name(name, first, None if isinstance(paths, str) else len(files))
    return files


MODEL = "results/model/tiny"
TOKENS = {name: f"{MODEL}/{name}.json" for name in ("config", "tokenizer", "tokenizer_config")}
TASK = "results/data/entailment"
RUN = "results/finetune/tiny/entailment/pretrained/finetune/init0_order0"
LINE = "results/landscape/tiny/entailment_pretrained_line"
ENCODED = "results/landscape/tiny/tokens_entailment.parquet"
TINY = "random:bert:num_hidden_layers=3,hidden_size=32,num_attention_heads=2,intermediate_size=64"


def prepare(source: str = "synthetic:entailment", **spec) -> None:
    from workflow_scripts.data.prepare_task import prepare_task

    outputs = {"train": f"{TASK}/train.parquet", "dev": f"{TASK}/dev.parquet"}
    outputs |= {"card": f"{TASK}/card.json", "digest": f"{TASK}/digest"}
    step(prepare_task, {}, outputs, {"name": "entailment", "source": source, **spec})


def fetch(source: str = TINY, **spec) -> None:
    from workflow_scripts.model.fetch_model import fetch_model

    outputs = TOKENS | {"weights": f"{MODEL}/model.safetensors", "card": f"{MODEL}/card.json"}
    outputs["digest"] = f"{MODEL}/digest"
    step(fetch_model, {}, outputs, {"name": "tiny", "source": source, **spec})


def train(max_length: int = 48) -> None:
    from workflow_scripts.finetune.finetune import finetune

    tables = {name: f"{TASK}/{name}.parquet" for name in ("train", "dev")}
    inputs = TOKENS | tables | {"card": f"{TASK}/card.json"}
    inputs["weights"] = f"{MODEL}/model.safetensors"
    outputs = {"checkpoints": [f"{RUN}/epoch{e:02d}.safetensors" for e in range(2)]}
    outputs |= {"history": f"{RUN}/history.parquet", "scores": f"{RUN}/scores.parquet"}
    outputs |= {"checkpoints_digest": f"{RUN}/weights.digest", "digest": f"{RUN}/digest"}
    recipe = read_settings([SMOKE]).finetune.recipes["finetune"].model_dump() | {"epochs": 1}
    recipe.pop("continues")
    spec = {"recipe": recipe, "init": 0, "order": 0, "max_length": max_length}
    step(finetune, inputs, outputs, spec | {"continues": False}, state=f"{RUN}/state")


def choose(train_examples: int = 4) -> None:
    from workflow_scripts.landscape.choose_examples import choose_examples

    inputs = {name: f"{TASK}/{name}.parquet" for name in ("train", "dev")}
    inputs["card"] = f"{TASK}/card.json"
    spec = {"train_examples": train_examples, "dev_examples": 4, "seed": 0}
    outputs = {"examples": "results/landscape/examples_entailment.parquet"}
    step(choose_examples, inputs, outputs, spec)


def encode() -> None:
    from workflow_scripts.landscape.encode_examples import encode_examples

    inputs = TOKENS | {"card": f"{TASK}/card.json"}
    inputs |= {"examples": "results/landscape/examples_entailment.parquet"}
    step(encode_examples, inputs, {"tokens": ENCODED}, {"max_length": 48})


def evaluate() -> None:
    from workflow_scripts.landscape.evaluate_rows import evaluate_rows

    inputs = {"config": TOKENS["config"], "tokens": ENCODED}
    inputs |= {"start": f"{RUN}/epoch00.safetensors", "end": f"{RUN}/epoch01.safetensors"}
    surface = {"kind": "line", "range": [-1, 1], "points": 3, "group": None, "groups": None}
    outputs = {"rows": [f"{LINE}/rows/000.parquet"]}
    step(evaluate_rows, inputs, outputs, {"surface": surface})


def merge() -> None:
    from workflow_scripts.landscape.merge_surface import merge_surface

    inputs = {"shards": [f"{LINE}/rows/000.parquet"]}
    inputs |= {"examples": "results/landscape/examples_entailment.parquet"}
    outputs = {"surface": f"{LINE}/surface.parquet", "point_examples": f"{LINE}/examples.parquet"}
    step(merge_surface, inputs, outputs, {"kind": "line", "range": [-1, 1], "points": 3})


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """Folder of a run, made step by step up to a merged line."""
    folder = tmp_path_factory.mktemp("made")
    with contextlib.chdir(folder):
        prepare(train_examples=8, dev_examples=6)
        fetch()
        train()
        choose()
        encode()
        evaluate()
        merge()
    return folder


@pytest.fixture
def run_folder(made, tmp_path, monkeypatch) -> Path:
    """A copy of that run, which is the working directory."""
    folder = tmp_path / "run"
    shutil.copytree(made, folder)
    monkeypatch.chdir(folder)
    return folder


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def flip(path: Path) -> None:
    """Change one bit in the middle."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


# A file, and the step that reads it.
READ_BY = {
    f"{TASK}/train.parquet": choose,
    f"{TASK}/card.json": train,
    f"{MODEL}/config.json": train,
    f"{MODEL}/tokenizer.json": train,
    f"{MODEL}/model.safetensors": train,
    f"{RUN}/epoch00.safetensors": evaluate,
    f"{RUN}/epoch01.safetensors": evaluate,
    "results/landscape/examples_entailment.parquet": merge,
    ENCODED: evaluate,
    f"{LINE}/rows/000.parquet": merge,
}


@pytest.mark.parametrize("damage", [cut, empty, flip])
@pytest.mark.parametrize("path", READ_BY)
def test_a_damaged_file_is_named(path, damage, run_folder):
    before = {output: file_digest(output) for output in recorded_outputs()}
    damage(Path(path))
    with one_line_of([path, "damaged", "check --delete --directory"]):
        READ_BY[path]()
    assert damaged_outputs()[0] == [path]
    # Nothing else was touched, and the file is made again to the same bytes.
    after = {output: file_digest(output) for output in recorded_outputs()}
    assert {output for output in before if after[output] != before[output]} == {path}


@pytest.mark.parametrize("damage", [cut, empty])
def test_a_broken_file_of_which_nothing_is_recorded_is_named_too(damage, run_folder):
    shutil.rmtree("results/provenance")
    damage(Path(f"{LINE}/rows/000.parquet"))
    with one_line_of([f"{LINE}/rows/000.parquet: cannot be read as parquet"]):
        merge()


def test_check_names_and_deletes_what_is_damaged_and_the_step_makes_it_again(run_folder, capsys):
    path = Path(f"{LINE}/rows/000.parquet")
    whole = file_digest(path)
    times = {p: p.stat().st_mtime_ns for p in Path("results").rglob("*.*") if p != path}
    flip(path)

    def check(*more: str) -> str:
        sys.argv = ["rebuilds", "check", "--directory", str(run_folder), *more]
        rebuilds()
        return capsys.readouterr().out

    with pytest.raises(SystemExit) as found:
        check()
    assert found.value.code == 1
    assert capsys.readouterr().out.startswith(f"damaged: {path} (evaluate_rows)\n")
    assert check("--delete").startswith(f"deleted: {path} (evaluate_rows)")
    assert not path.exists()
    evaluate()
    assert file_digest(path) == whole
    assert check().strip().endswith("files are as they were written")
    record = Path("results/provenance/landscape/tiny/entailment_pretrained_line/rows")
    untouched = {p: t for p, t in times.items() if p.parent != record}
    assert {p: p.stat().st_mtime_ns for p in untouched} == untouched


def model_folder(folder: Path, **changed: bytes | None) -> str:
    """A model folder made from the fetched one, some of its files changed."""
    shutil.copytree(MODEL, folder)
    for name, content in changed.items():
        path = folder / name.replace("__", ".")
        path.write_bytes(content) if content is not None else path.unlink()
    return f"dir:{folder}"


def other_config(**changed) -> bytes:
    return json.dumps(json.loads(Path(f"{MODEL}/config.json").read_text()) | changed).encode()


LENGTH = struct.pack("<Q", 2**40)
JOB_CASES = {
    "weights that are cut off": (
        lambda d: fetch(
            model_folder(
                d, model__safetensors=Path(f"{MODEL}/model.safetensors").read_bytes()[:999]
            )
        ),
        ["model.safetensors: is cut off"],
    ),
    "empty weights": (
        lambda d: fetch(model_folder(d, model__safetensors=b"")),
        ["model.safetensors: is empty"],
    ),
    "weights whose header has no end": (
        lambda d: fetch(model_folder(d, model__safetensors=LENGTH + b"{}")),
        ["model.safetensors: is no safetensors file"],
    ),
    "weights of another width": (
        lambda d: fetch(model_folder(d, config__json=other_config(hidden_size=64))),
        ["weights", "has shape"],
    ),
    "weights with fewer layers": (
        lambda d: fetch(model_folder(d, config__json=other_config(num_hidden_layers=5))),
        ["parameters of the encoder are missing"],
    ),
    "weights that are not those published": (
        lambda d: fetch(model_folder(d), sha256="0" * 64),
        ["weights have sha256", "expected 0000"],
    ),
    "a model type that nobody knows": (
        lambda d: fetch(model_folder(d, config__json=other_config(model_type="brt"))),
        ["config.json"],
    ),
    "a model that is no encoder": (
        lambda d: fetch(model_folder(d, config__json=b'{"model_type": "clip"}')),
        ["clip"],
    ),
    "a tokenizer that is no JSON": (
        lambda d: fetch(model_folder(d, tokenizer__json=b"{")),
        ["tokenizer"],
    ),
    "a vocabulary that is larger than the model's": (
        lambda d: fetch(model_folder(d, config__json=other_config(vocab_size=100))),
        ["weights"],
    ),
    "longer inputs than the model takes": (
        lambda d: train(max_length=4096),
        ["max_length: got 4096", "at most"],
    ),
    "more examples than there are": (
        lambda d: choose(train_examples=99),
        ["landscape.train_examples: got 99", "8 train examples"],
    ),
    "a dev label that was never trained on": (
        lambda d: prepare(task_source(d, dev="sentence\tlabel\na\tnew\n")),
        ["dev.tsv", "'new'", "not in the training set"],
    ),
    "a row with too few fields": (
        lambda d: prepare(task_source(d, train="sentence\tlabel\na\t1\nb\n")),
        ["train.tsv", "line 3 has 1 fields"],
    ),
    "a row without a label": (
        lambda d: prepare(task_source(d, train="sentence\tlabel\na\t1\nb\t\nc\t0\n")),
        ["train.tsv", "no label"],
    ),
    "labels that are measurements": (
        lambda d: prepare(task_source(d, train=measured_labels())),
        ["train.tsv", "measurements"],
    ),
    "a step that an earlier one did not make": (
        lambda d: (Path(f"{RUN}/epoch01.safetensors").unlink(), evaluate()),
        ["epoch01.safetensors", "no such file"],
    ),
    "weights of another task": (
        lambda d: (other_labels(), encode(), evaluate()),
        ["weights do not fit"],
    ),
}


def task_source(folder: Path, train: str = GOOD_ROWS, dev: str = GOOD_ROWS) -> str:
    return task(folder, train, dev)["tasks"]["entailment"]["source"]


def measured_labels() -> str:
    return "sentence\tlabel\n" + "".join(f"word {i}\t{i / 7:.4f}\n" for i in range(1, 60))


def other_labels() -> None:
    """A card of three classes, with a record to match: the other files do not fit."""
    prepare("synthetic:nli", train_examples=9, dev_examples=6)


@pytest.mark.parametrize("case", JOB_CASES)
def test_one_line_of_the_job(case, run_folder, tmp_path):
    do, expected = JOB_CASES[case]
    with one_line_of([*expected, "(log: "]):
        do(tmp_path / "input")


def test_the_steps_of_good_files_pass(made):
    # The cases above fail for what they say.
    merged = pd.read_parquet(made / LINE / "surface.parquet")
    assert len(merged) == 3
    assert merged["train_loss"].notna().all()
