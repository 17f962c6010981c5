"""Runs of Hugging Face's Trainer, imported: what it measured is what we measure."""

import json
import math
import shutil

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.finetune.trained import imported, scores, train, write_base, write_data
from workflow_scripts.common.errors import UserError
from workflow_scripts.common.tables import read_table
from workflow_scripts.finetune.adapters import merge_adapter
from workflow_scripts.finetune.callback import SaveTrajectory
from workflow_scripts.finetune.checkpoints import GRADIENTS, find_run
from workflow_scripts.finetune.trainer_log import history_of, train_losses

ARCHITECTURES = ("bert", "roberta", "distilbert", "deberta-v2", "gpt2")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_data(tmp_path_factory.mktemp("my data") / "reviews")


@pytest.fixture(scope="module")
def bases(tmp_path_factory):
    made = {}

    def base(architecture):
        if architecture not in made:
            folder = tmp_path_factory.mktemp("models") / architecture
            made[architecture] = write_base(architecture, folder)
        return made[architecture]

    return base


@pytest.fixture(scope="module")
def run(data, bases, tmp_path_factory):
    """A run of BERT with the callback."""
    folder = tmp_path_factory.mktemp("runs") / "reviews-run"
    return train(bases("bert"), data, folder, callbacks=[SaveTrajectory()], max_grad_norm=0.1)


def check_as_evaluated(run, out):
    last = scores(out).iloc[-1]
    assert last["dev_loss"] == pytest.approx(run.evaluated["eval_loss"], abs=1e-5)
    assert last["accuracy"] == pytest.approx(run.evaluated["eval_accuracy"], abs=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_last_checkpoint_has_the_loss_and_accuracy_of_the_trainer(
    architecture, data, bases, tmp_path
):
    run = train(bases(architecture), data, tmp_path / "run")
    out = imported(run, tmp_path / "out")
    check_as_evaluated(run, out)
    assert scores(out)["step"].tolist() == [0, 5, 10]
    # Step 0 is the base model with the last head.
    first, last = (load_file(out / f"epoch0{number}.safetensors") for number in (0, 2))
    encoder = load_file(run.base / "model.safetensors")
    for name, tensor in first.items():
        bare = name.partition(".")[2]
        assert torch.equal(tensor, encoder[bare] if bare in encoder else last[name]), name
    assert any(not torch.equal(first[name], last[name]) for name in first)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("architecture", "targets", "options"),
    [
        ("bert", ["query", "value"], {"use_rslora": True, "bias": "lora_only"}),
        ("bert", ["query", "word_embeddings"], {"alpha_pattern": {"query": 5}}),
        ("gpt2", ["c_attn", "c_proj"], {}),
    ],
)
def test_an_adapter_is_merged_as_peft_merges_it(
    architecture, targets, options, data, bases, tmp_path
):
    from peft import AutoPeftModelForSequenceClassification, LoraConfig

    adapter = LoraConfig(task_type="SEQ_CLS", r=4, lora_alpha=16, target_modules=targets, **options)
    run = train(bases(architecture), data, tmp_path / "run", adapter)
    out = imported(run, tmp_path / "out")
    check_as_evaluated(run, out)
    merged = AutoPeftModelForSequenceClassification.from_pretrained(
        tmp_path / "run/checkpoint-10", num_labels=2
    ).merge_and_unload()
    ours = load_file(out / "epoch02.safetensors")
    expected = dict(merged.named_parameters())
    assert ours.keys() == expected.keys()
    for name, tensor in expected.items():
        assert torch.allclose(ours[name], tensor, rtol=0, atol=1e-6), name


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("bert.a.lora_magnitude_vector", "a tensor of an unknown kind: bert.a.lora_magn"),
        ("bert.a.lora_B.weight", "the adapter of bert.a has one matrix only"),
        ("bert.b.lora_A.weight", "the adapter of bert.b has one matrix only, or no weight"),
    ],
)
def test_an_adapter_of_unknown_tensors_is_refused(name, words):
    base = {"bert.a.weight": torch.zeros(2, 2)}
    with pytest.raises(UserError, match=words):
        merge_adapter(base, {f"base_model.model.{name}": torch.zeros(2)}, {"lora_alpha": 8})


def test_step_0_of_the_callback_keeps_its_own_head(run, tmp_path):
    out = imported(run, tmp_path)
    check_as_evaluated(run, out)
    saved = load_file(run.folder / "step-0/model.safetensors")
    first = load_file(out / "epoch00.safetensors")
    assert all(torch.equal(first[name], saved[name]) for name in first)
    last = load_file(out / "epoch02.safetensors")
    assert not torch.equal(first["classifier.weight"], last["classifier.weight"])


def test_the_callback_measures_the_gradient_of_every_layer_before_clipping(run, tmp_path):
    table = read_table(run.folder / GRADIENTS)
    assert table["step"].tolist() == list(range(1, 11))
    parts = [f"gradient_norm_{part}" for part in
             ("embeddings", "layer00", "layer01", "layer02", "pooler", "head")]  # fmt: skip
    assert set(parts) == set(table) - {"step", "gradient_norm"}
    whole = np.sqrt(np.square(table[parts]).sum(axis=1))
    assert table["gradient_norm"].to_numpy() == pytest.approx(whole.to_numpy())
    # The Trainer's own is of the whole gradient, before clipping too.
    history = read_table(imported(run, tmp_path) / "history.parquet")
    logged = history.set_index("step")["gradient_norm"]
    assert len(logged) == 5
    assert (logged > 0.1).all()
    for step, norm in logged.items():
        ours = table.set_index("step")["gradient_norm"][step]
        assert ours == pytest.approx(norm, rel=1e-4)
        row = history.set_index("step").loc[step, parts]
        assert row.tolist() == table.set_index("step").loc[step, parts].tolist()


@pytest.mark.slow
def test_the_callback_goes_on_where_a_run_is_resumed(data, bases, tmp_path):
    def options(epochs):
        return {"num_train_epochs": epochs, "lr_scheduler_type": "constant"}

    first = tmp_path / "run"
    train(bases("bert"), data, first, callbacks=[SaveTrajectory()], **options(1))
    before = read_table(first / GRADIENTS)
    from transformers import Trainer

    whole = Trainer.train
    try:
        Trainer.train = lambda self: whole(self, resume_from_checkpoint=str(first / "checkpoint-5"))
        train(bases("bert"), data, first, callbacks=[SaveTrajectory()], **options(2))
    finally:
        Trainer.train = whole
    table = read_table(first / GRADIENTS)
    assert table["step"].tolist() == list(range(1, 11))
    pd.testing.assert_frame_equal(table.head(5), before)
    assert find_run(f"dir:{first}").steps == [0, 5, 10]


def test_labels_in_another_order_are_put_into_the_order_of_the_task(run, tmp_path):
    """The task's labels are no, yes; the model's yes, no."""
    data = tmp_path / "data"
    data.mkdir()
    for split in ("train", "dev"):
        table = pd.read_csv(run.data / f"{split}.tsv", sep="\t")
        table["label"] = table["label"].map({0: "yes", 1: "no"})
        table.to_csv(data / f"{split}.tsv", sep="\t", index=False)
    folder = tmp_path / "run"
    shutil.copytree(run.folder, folder)
    for config in folder.glob("*/config.json"):
        values = json.loads(config.read_text())
        values |= {"id2label": {"0": "Yes", "1": "No"}, "label2id": {"Yes": 0, "No": 1}}
        config.write_text(json.dumps(values))
    swapped = type(run)(run.base, folder, data, run.evaluated)
    out = imported(swapped, tmp_path / "out")
    check_as_evaluated(run, out)
    head = load_file(out / "epoch02.safetensors")["classifier.weight"]
    saved = load_file(run.folder / "checkpoint-10/model.safetensors")["classifier.weight"]
    assert torch.equal(head, saved.flip(0))


def test_weights_in_several_files_and_in_half_precision_are_read(run, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(run.folder, folder)
    for saved in folder.glob("*/model.safetensors"):
        tensors = {name: t.to(torch.bfloat16) for name, t in load_file(saved).items()}
        names = sorted(tensors)
        parts = {"model-00001-of-00002.safetensors": names[::2],
                 "model-00002-of-00002.safetensors": names[1::2]}  # fmt: skip
        for part, some in parts.items():
            save_file({n: tensors[n] for n in some}, saved.with_name(part), {"format": "pt"})
        index = {n: part for part, some in parts.items() for n in some}
        saved.with_name("model.safetensors.index.json").write_text(
            json.dumps({"metadata": {}, "weight_map": index})
        )
        saved.unlink()
    out = imported(type(run)(run.base, folder, run.data, run.evaluated), tmp_path / "out")
    last = load_file(out / "epoch02.safetensors")
    whole = load_file(run.folder / "checkpoint-10/model.safetensors")
    assert all(torch.equal(t, whole[n].to(torch.bfloat16).float()) for n, t in last.items())


def test_one_checkpoint_is_a_run_without_points_between(run, tmp_path):
    out = imported(run, tmp_path, f"dir:{run.folder / 'checkpoint-10'}")
    assert scores(out)["step"].tolist() == [0, 10]
    check_as_evaluated(run, out)


def test_folders_in_a_list_are_taken_in_their_order(run, tmp_path):
    folders = [f"dir:{run.folder}/checkpoint-{step}" for step in (5, 10)]
    assert find_run(folders).steps == [0, 5, 10]
    assert scores(imported(run, tmp_path, folders))["step"].tolist() == [0, 5, 10]


def test_a_log_becomes_a_history_and_what_it_lacks_is_empty():
    log = [
        {"step": 2, "epoch": 0.5, "loss": 0.8, "learning_rate": 1e-3},
        {"step": 4, "epoch": 1.0, "loss": 0.6, "learning_rate": 5e-4, "grad_norm": 2.0},
        {"step": 4, "epoch": 1.0, "eval_loss": 0.7},
        {"step": 6, "epoch": 1.5, "loss": math.nan},
        {"step": 8, "epoch": 2.0, "train_runtime": 3.0, "train_loss": 0.6},
    ]
    table = history_of(log, [0, 4, 8], train_examples=40)
    assert table["step"].tolist() == [2, 4, 6]
    assert table["epoch"].tolist() == [1, 1, 2]
    assert table["examples"].tolist() == [20, 20, 20]
    assert table["tokens"].isna().all()
    assert table["gradient_norm"].isna().tolist() == [True, False, True]
    assert train_losses(table, [0, 4, 8]) == pytest.approx([math.nan, 0.7, math.nan], nan_ok=True)


def test_a_log_without_losses_has_a_row_per_checkpoint():
    table = history_of([{"step": 8, "train_loss": 0.6}], [0, 4, 8], train_examples=40)
    assert table["step"].tolist() == [4, 8]
    assert table["loss"].isna().all()
    assert np.isnan(train_losses(table, [0, 4, 8])).all()


def test_a_loss_counts_as_often_as_the_steps_that_it_is_the_mean_of():
    log = [{"step": 1, "loss": 1.0}, {"step": 4, "loss": 2.0}]
    table = history_of(log, [0, 4], train_examples=8)
    assert train_losses(table, [0, 4])[1] == pytest.approx((1 * 1.0 + 3 * 2.0) / 4)
