"""What is wrong with a run that was trained elsewhere is said in one line, before any job."""

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.data.conftest import singles, write_rows
from tests.experiment.settings import DEFAULT
from tests.finetune.trained import edit, write_base, write_checkpoint
from workflow_scripts.atlas.files import atlas_inputs
from workflow_scripts.common.errors import UserError
from workflow_scripts.experiment.checks import check_inputs
from workflow_scripts.experiment.config import validated
from workflow_scripts.experiment.products import all_targets, left_out, runs
from workflow_scripts.finetune.checkpoints import find_run
from workflow_scripts.finetune.files import checkpoint_files, import_spec
from workflow_scripts.finetune.runs import recipe_difference, run_of, runs_of, seeds_of
from workflow_scripts.report.files import claim_inputs, claim_spec
from workflow_scripts.stages import STAGES


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A base model, and a run of three checkpoints as the Trainer would leave it."""
    folder = tmp_path_factory.mktemp("made")
    base = write_base("bert", folder / "base")
    for number, step in enumerate((5, 10, 15), 1):
        write_checkpoint(base, folder / f"run/checkpoint-{step}", step, number)
    data = folder / "reviews"
    data.mkdir()
    write_rows(data / "train.tsv", singles(["good", "bad"] * 30))
    write_rows(data / "dev.tsv", singles(["good", "bad", "good"] * 20))
    return folder


@pytest.fixture
def copy(made, tmp_path):
    """A copy to spoil, and the experiment of it."""
    folder = tmp_path / "it's {mine}, a copy"
    shutil.copytree(made, folder)
    for config in folder.glob("run/*/config.json"):
        edit(config, _name_or_path=str(folder / "base"))
    return folder


def experiment(folder, **changes):
    """Settings of an experiment of the run; a key has two underscores for each dot."""
    written = {
        "experiment": {"name": "mine", "tasks": ["reviews"], "runs": ["mine"]},
        "tasks": {"reviews": {"source": f"dir:{folder / 'reviews'}"}},
        "runs": {"mine": {"source": f"dir:{folder / 'run'}", "task": "reviews"}},
    }
    for path, value in changes.items():
        *sections, key = path.split("__")
        place = written
        for section in sections:
            place = place.setdefault(section, {})
        place[key] = value
    config = json.loads(json.dumps(DEFAULT))
    for section, values in written.items():
        config[section] = {**config.get(section, {}), **values}
    return validated(config, written)


def problem(folder, **changes):
    with pytest.raises(UserError) as error:
        check_inputs(experiment(folder, **changes))
    (line,) = str(error.value).splitlines()
    assert len(line) <= 500
    return line


def test_three_lines_are_a_whole_experiment(made):
    settings = experiment(made)
    _, models, found = check_inputs(settings)
    assert settings.experiment.models == ["base"] == list(models)
    assert settings.experiment.starts == ["pretrained"]
    # Weights, configuration, state and tokenizer of each checkpoint.
    assert len(found["mine"]) == 12
    run = run_of(settings, "base", "reviews", "pretrained")
    place = "results/finetune/base/reviews/pretrained/mine/init0_order0"
    assert checkpoint_files(run) == [f"{place}/epoch0{k}.safetensors" for k in range(4)]
    assert runs(settings, "base") == [run]
    assert import_spec(settings, "mine")["steps"] == [0, 5, 10, 15]


def test_runs_of_one_task_are_its_seeds(copy):
    shutil.copytree(copy / "run", copy / "again")
    again = {"source": f"dir:{copy / 'again'}", "task": "reviews"}
    settings = experiment(copy, experiment__runs=["mine", "again"], runs__again=again)
    every = runs_of(settings, "base", "reviews", "pretrained")
    assert [(run.recipe, run.seeds) for run in every] == [
        ("mine", "init0_order0"),
        ("again", "init1_order1"),
    ]
    assert [(one.init, one.order) for one in seeds_of(settings, "reviews")] == [(0, 0), (1, 1)]


def test_a_run_from_scratch_is_trained_where_its_recipe_is_named(made):
    line = problem(made, experiment__starts=["pretrained", "scratch"])
    assert "recipe of its runs from scratch with finetune.exceptions.reviews.scratch" in line
    settings = experiment(
        made,
        experiment__starts=["pretrained", "scratch"],
        finetune__exceptions={"reviews": {"scratch": "scratch"}},
    )
    run = run_of(settings, "base", "reviews", "scratch")
    assert (run.recipe, run.epochs, run.seeds) == ("scratch", 16, "init0_order0")
    assert recipe_difference(settings, "reviews") == "imported run mine / recipe scratch"


def test_tasks_without_a_run_are_trained_here(made):
    settings = experiment(made, experiment__tasks=["reviews", "nli"])
    recipes = [run.recipe for run in runs(settings, "base")]
    assert dict.fromkeys(recipes) == dict.fromkeys(["mine", "finetune", "continued"])
    assert settings.figures.overfitting_task == "nli"


def test_what_needs_training_is_left_out_and_said(copy):
    lines = left_out(experiment(copy))
    assert "training on (figure 4), for the runs are imported (experiment.runs)" in lines
    assert not any("one checkpoint" in line for line in lines)
    for step in (5, 10):
        shutil.rmtree(copy / f"run/checkpoint-{step}")
    lines = left_out(experiment(copy))
    assert "points between start and end of run mine, for it has one checkpoint" in lines


def test_every_stage_knows_its_files_where_nothing_is_trained(made):
    settings = experiment(made)
    paths = set(map(str, all_targets(settings)))
    assert "results/report/base/atlas.html" in paths
    assert "results/figures/base/figure3.png" in paths
    assert "results/figures/base/figure4.png" not in paths
    assert len(atlas_inputs(settings, STAGES)["trajectories"]) == 1
    assert set(claim_inputs(settings)).isdisjoint({"dev", "continued"})
    assert "overfitting_task" not in claim_spec(settings)


def test_final_weights_count_where_the_run_went_on_after_its_last_checkpoint(copy):
    for name in ("model.safetensors", "config.json", "tokenizer.json"):
        shutil.copy(copy / f"run/checkpoint-15/{name}", copy / "run")
    assert find_run(f"dir:{copy / 'run'}").steps == [0, 5, 10, 15]
    shutil.rmtree(copy / "run/checkpoint-15")
    found = find_run(f"dir:{copy / 'run'}")
    assert found.steps == [0, 5, 10, 15]
    assert found.last.folder == copy / "run"
    shutil.copy(copy / "run/checkpoint-10/model.safetensors", copy / "run")
    assert find_run(f"dir:{copy / 'run'}").steps == [0, 5, 10]


def test_a_named_model_needs_no_name_in_the_files(copy):
    for config in copy.glob("run/*/config.json"):
        edit(config, _name_or_path=None)
    settings = experiment(
        copy,
        runs__mine={"source": f"dir:{copy / 'run'}", "task": "reviews", "model": "small"},
        models={"small": {"source": f"dir:{copy / 'base'}"}},
    )
    check_inputs(settings)
    assert settings.experiment.models == ["small"]


def test_step_0_of_the_callback_is_a_base_model(copy):
    for config in copy.glob("run/*/config.json"):
        edit(config, _name_or_path="bert-base-uncased")
    write_checkpoint(copy / "base", copy / "run/step-0", 0, 0)
    settings = experiment(copy)
    check_inputs(settings)
    assert settings.models["step-0"].source == f"dir:{copy / 'run/step-0'}"
    assert settings.runs["mine"].found.steps == [0, 5, 10, 15]


def adapter(copy, **changes):
    """Make adapters of the checkpoints."""
    for folder in copy.glob("run/*"):
        tensors = {
            "base_model.model.bert.encoder.layer.0.attention.self.query.lora_A.weight": (2, 32),
            "base_model.model.bert.encoder.layer.0.attention.self.query.lora_B.weight": (32, 2),
            "base_model.model.classifier.weight": (2, 32),
            "base_model.model.classifier.bias": (2,),
        }
        (folder / "model.safetensors").unlink()
        (folder / "config.json").unlink()
        save_file({n: torch.ones(s) for n, s in tensors.items()},
                  folder / "adapter_model.safetensors")  # fmt: skip
        config = {"peft_type": "LORA", "base_model_name_or_path": str(copy / "base"), "r": 2,
                  "lora_alpha": 4} | changes  # fmt: skip
        (folder / "adapter_config.json").write_text(json.dumps(config))


def test_adapters_name_their_base(copy):
    adapter(copy)
    settings = experiment(copy)
    assert len(check_inputs(settings)[2]["mine"]) == 12
    assert settings.experiment.models == ["base"]


def spoil_pickles(copy):
    for folder in copy.glob("run/*"):
        (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


def spoil_pickled_adapters(copy):
    adapter(copy)
    path = copy / "run/checkpoint-10/adapter_model.safetensors"
    path.rename(path.with_suffix(".bin"))


def spoil_weights(copy):
    (copy / "run/checkpoint-10/model.safetensors").unlink()


def spoil_cut(copy):
    path = copy / "run/checkpoint-10/model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])


def spoil_pointer(copy):
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 3\n"
    (copy / "run/checkpoint-10/model.safetensors").write_text(pointer)


def spoil_state(copy):
    (copy / "run/checkpoint-15/trainer_state.json").write_text('{"log_history": [')


def spoil_log(copy):
    edit(copy / "run/checkpoint-10/trainer_state.json", log_history=[{"step": 5, "loss": 0.1}])


def spoil_config(copy):
    (copy / "run/checkpoint-15/config.json").write_text("[]")


def spoil_base(copy):
    shutil.rmtree(copy / "base")


def spoil_base_name(copy):
    for config in copy.glob("run/*/config.json"):
        edit(config, _name_or_path=None)


def spoil_labels(copy):
    for folder in copy.glob("run/*"):
        tensors = load_file(folder / "model.safetensors")
        tensors |= {"classifier.weight": torch.zeros(3, 32), "classifier.bias": torch.zeros(3)}
        save_file(tensors, folder / "model.safetensors")


def spoil_label_names(copy):
    names = {"0": "negative", "1": "positive"}
    edit(copy / "run/checkpoint-15/config.json", id2label=names)


def spoil_head(copy):
    for folder in copy.glob("run/*"):
        tensors = load_file(folder / "model.safetensors")
        kept = {name: t for name, t in tensors.items() if not name.startswith("classifier")}
        save_file(kept, folder / "model.safetensors")


def spoil_tokenizer(copy):
    path = copy / "run/checkpoint-15/tokenizer.json"
    content = json.loads(path.read_text())
    vocabulary = content["model"]["vocab"]
    first, second = [word for word in vocabulary if word.isalpha()][:2]
    vocabulary[first], vocabulary[second] = vocabulary[second], vocabulary[first]
    path.write_text(json.dumps(content))


def spoil_shape(copy):
    for folder in copy.glob("run/*"):
        tensors = load_file(folder / "model.safetensors")
        tensors["bert.pooler.dense.bias"] = torch.zeros(31)
        save_file(tensors, folder / "model.safetensors")


def spoil_one_shape(copy):
    tensors = load_file(copy / "run/checkpoint-10/model.safetensors")
    tensors["bert.pooler.dense.bias"] = torch.zeros(31)
    save_file(tensors, copy / "run/checkpoint-10/model.safetensors")


def spoil_other_model(copy):
    for folder in copy.glob("run/*"):
        tensors = load_file(folder / "model.safetensors")
        tensors = {n.replace("bert.encoder", "gpt.h"): t for n, t in tensors.items()}
        save_file(tensors, folder / "model.safetensors")


def spoil_rank(copy):
    adapter(copy)
    shape = {"A": (2, 16), "B": (32, 2)}
    for folder in copy.glob("run/*"):
        name = "base_model.model.bert.encoder.layer.0.attention.self.query.lora_{}.weight"
        tensors = load_file(folder / "adapter_model.safetensors")
        tensors |= {name.format(k): torch.ones(s) for k, s in shape.items()}
        save_file(tensors, folder / "adapter_model.safetensors")


def spoil_mixed(copy):
    whole = copy / "whole"
    shutil.copytree(copy / "run/checkpoint-15", whole)
    adapter(copy)
    shutil.rmtree(copy / "run/checkpoint-15")
    whole.rename(copy / "run/checkpoint-15")


def spoil_empty(copy):
    shutil.rmtree(copy / "run")
    (copy / "run").mkdir()


def of_adapter(**changes):
    return lambda copy: adapter(copy, **changes)


BAD = {
    "pickles": (
        spoil_pickles,
        "has pytorch_model.bin but no safetensors; unpickling runs code",
        "python -c \"from transformers import AutoModelForSequenceClassification as M; M.from",
    ),
    "pickled adapters": (spoil_pickled_adapters, "has adapter_model.bin", "import torch; "),
    "no weights": (spoil_weights, "has no weights"),
    "cut off": (spoil_cut, "is cut off"),
    "LFS pointer": (spoil_pointer, "is a Git LFS pointer"),
    "state": (spoil_state, "trainer_state.json: cannot be read as JSON"),
    "log": (spoil_log, "checkpoint-5 and checkpoint-10 are of different runs: the log"),
    "configuration": (spoil_config, "config.json: expected a JSON object"),
    "missing base": (spoil_base, "its base model is", "no folder on this machine", "`model`"),
    "no name of a base": (spoil_base_name, "does not name the base model (_name", "MODEL="),
    "number of labels": (spoil_labels, "got a head of 3 labels, task reviews has 2 (bad, good)"),
    "names of labels": (
        spoil_label_names,
        "got the labels negative, positive (id2label), task reviews has bad, good",
    ),
    "no head": (spoil_head, "has no classification head"),
    "tokenizer": (spoil_tokenizer, "its tokenizer is another than that", "2 tokens differ"),
    "shape": (spoil_shape, "bert.pooler.dense.bias has shape [31], in the base model", "[32]"),
    "one shape": (spoil_one_shape, "different runs: the shape of bert.pooler.dense.bias is"),
    "another model": (spoil_other_model, "is it a checkpoint of that model?"),
    "adapter's shape": (spoil_rank, "is for weights of shape [32, 16], in the base", "[32, 32]"),
    "adapter and whole": (spoil_mixed, "are of different runs: only one of them is an adapter"),
    "empty folder": (spoil_empty, "has no checkpoint-N after step 0, and has no weights"),
    "IA3": (of_adapter(peft_type="IA3"), "an adapter of the kind 'IA3', expected LORA"),
    "DoRA": (of_adapter(use_dora=True), "use_dora is True, expected False; merge the adapter"),
    "PiSSA": (of_adapter(init_lora_weights="pissa_niter_4"), "which changes the base model"),
}  # fmt: skip


@pytest.mark.parametrize("spoil", BAD)
def test_a_run_that_cannot_work_is_refused_in_one_line(spoil, copy):
    change, *words = BAD[spoil]
    change(copy)
    line = problem(copy)
    assert "runs.mine.source: " in line
    for some in words:
        assert some in line, line


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"experiment__runs": ["mien"]},
            "experiment.runs: got 'mien', allowed: mine; did you",
        ),
        ({"experiment__runs": ["mine", "mine"]}, "experiment.runs: duplicate value 'mine'"),
        ({"runs__mine": {"source": "dir:run", "task": "reviews"}}, "expected an absolute path"),
        ({"runs__mine": {"source": "hub:a/b", "task": "reviews"}}, "expected dir:/FOLDER"),
        ({"runs__mine": {"source": [], "task": "reviews"}}, "got an empty list"),
        ({"runs__mine__source": 3}, "runs.mine.source: got 3 (int)"),
        ({"runs__mine__steps": [1]}, "runs.mine.steps: unknown key, allowed: source, task, model"),
        ({"runs__mine__task": "revews"}, "runs.mine.task: got 'revews', allowed: reviews"),
        ({"runs__mine__model": "nobody"}, "runs.mine.model: got 'nobody', allowed: minilm"),
        ({"experiment__models": ["minilm"]}, "but run mine is of model base; expected [base]"),
        ({"figures__overfitting_task": "reviews"}, "whose run is imported; it cannot train on"),
        (
            {"finetune__exceptions": {"reviews": {"seeds": [{"init": 3, "order": 3}]}}},
            "finetune.exceptions.reviews.seeds: the run of reviews is imported",
        ),
    ],
)
def test_a_mistake_in_the_configuration_is_named_by_its_key(changes, words, made):
    assert words in problem(made, **changes)


def test_a_run_may_not_have_the_name_of_a_recipe(made):
    run = {"source": f"dir:{made / 'run'}", "task": "reviews"}
    line = problem(made, experiment__runs=["finetune"], runs={"finetune": run})
    assert "got the name 'finetune', which is that of a recipe" in line
