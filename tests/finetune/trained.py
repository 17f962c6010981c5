"""Runs of Hugging Face's Trainer on small random models, for tests."""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import torch
from safetensors.torch import load_file, save_file

from workflow_scripts.common.tables import read_table, write_json, write_table
from workflow_scripts.data.tasks import read_task
from workflow_scripts.finetune.checkpoints import find_run
from workflow_scripts.finetune.import_run import import_run
from workflow_scripts.model.fetch_model import fetch_model

CONTEXT = {"device": "cpu", "threads": 1, "token_budget": 512}
LONGEST = 24
MODEL_FILES = ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json")


@dataclass(frozen=True)
class Trained:
    """A finished run: its folders, its data, and what the Trainer said at the end."""

    base: Path
    folder: Path
    data: Path
    evaluated: dict[str, float]


def write_base(architecture: str, folder: Path) -> Path:
    paths = [folder / name for name in (*MODEL_FILES, "card.json")]
    fetch_model(*paths, "tiny", f"random:{architecture}:num_hidden_layers=3,seed=1")
    return folder


def write_data(folder: Path) -> Path:
    """A task of two classes, as files of a user."""
    task = read_task("synthetic:sentiment", train_examples=40, dev_examples=40, seed=3)
    folder.mkdir(parents=True)
    for split, table in (("train", task.train), ("dev", task.dev)):
        table.to_csv(folder / f"{split}.tsv", sep="\t", index=False)
    return folder


LOG = [{"step": 5, "loss": 0.7}, {"step": 10, "loss": 0.6}, {"step": 15, "loss": 0.5}]


def write_checkpoint(base, folder, step, number, labels=2):
    """A checkpoint as the Trainer leaves it, that no training has made."""
    folder.mkdir(parents=True)
    torch.manual_seed(number)
    encoder = load_file(base / "model.safetensors")
    tensors = {f"bert.{name}": t + 0.01 * torch.randn_like(t) for name, t in encoder.items()}
    tensors["classifier.weight"] = torch.randn(labels, 32)
    tensors["classifier.bias"] = torch.zeros(labels)
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    shutil.copy(base / "tokenizer.json", folder)
    shutil.copy(base / "config.json", folder)
    edit(folder / "config.json", _name_or_path=str(base))
    state = {"global_step": step, "max_steps": 15, "log_history": LOG[:number]}
    (folder / "trainer_state.json").write_text(json.dumps(state))


def edit(path, **values):
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def train(
    base: Path, data: Path, folder: Path, adapter=None, callbacks=(), labels=None, **options
) -> Trained:
    """Fine-tune with the Trainer, in two epochs of five steps; a checkpoint after each."""
    from datasets import Dataset
    from transformers import (
        AutoModelForSequenceClassification,
        AutoTokenizer,
        Trainer,
        TrainingArguments,
        set_seed,
    )

    tokenizer = AutoTokenizer.from_pretrained(base)
    set_seed(0)
    model = AutoModelForSequenceClassification.from_pretrained(base, num_labels=2)
    if labels:
        model.config.id2label = dict(enumerate(labels))
        model.config.label2id = {name: number for number, name in enumerate(labels)}
    model.config.pad_token_id = tokenizer.pad_token_id
    if adapter is not None:
        from peft import get_peft_model

        model = get_peft_model(model, adapter)

    def split(name):
        table = pd.read_csv(data / f"{name}.tsv", sep="\t")
        columns = {"sentence": table["sentence"].tolist(), "label": table["label"].tolist()}
        return Dataset.from_dict(columns).map(
            lambda rows: tokenizer(rows["sentence"], truncation=True, max_length=LONGEST),
            batched=True,
        )

    arguments = {
        "num_train_epochs": 2,
        "per_device_train_batch_size": 8,
        "learning_rate": 1e-3,
        "save_strategy": "epoch",
        "eval_strategy": "epoch",
        "logging_steps": 2,
        "report_to": [],
        "use_cpu": True,
        "disable_tqdm": True,
    }
    trainer = Trainer(
        model,
        TrainingArguments(str(folder), **{**arguments, **options}),
        train_dataset=split("train"),
        eval_dataset=split("dev"),
        processing_class=tokenizer,
        callbacks=list(callbacks),
        compute_metrics=lambda found: {
            "accuracy": float((found.predictions.argmax(1) == found.label_ids).mean())
        },
    )
    torch.set_num_threads(1)
    trainer.train()
    return Trained(base, folder, data, trainer.evaluate())


def imported(run: Trained, out: Path, source=None) -> Path:
    """Import a run, without Snakemake."""
    found = find_run(source or f"dir:{run.folder}")
    task = read_task(f"dir:{run.data}")
    write_table(task.dev, out / "dev.parquet")
    write_json({"name": "reviews", **task.card}, out / "card.json")
    import_run(
        dev=out / "dev.parquet",
        card=out / "card.json",
        config=run.base / "config.json",
        tokenizer=run.base / "tokenizer.json",
        tokenizer_config=run.base / "tokenizer_config.json",
        weights=run.base / "model.safetensors",
        checkpoints=[
            out / f"epoch{number:02d}.safetensors" for number, _ in enumerate(found.steps)
        ],
        history=out / "history.parquet",
        scores=out / "scores.parquet",
        folders=[str(saved.folder) for saved in found.every],
        steps=found.steps,
        starts_at_zero=found.start is not None,
        gradients=str(found.gradients) if found.gradients else None,
        max_length=LONGEST,
        context=CONTEXT,
    )
    return out


def scores(out: Path) -> pd.DataFrame:
    return read_table(out / "scores.parquet")
