"""A sweep's run against a bare Hugging Face loop on the same batches, in alternation.

    make bench BENCH=stability

One process, one thread, float32, MiniLM's real weights, the embedded default's task and recipe
(`devlin`, 3 epochs). Both train the same batches with dropout, clip gradients, and score the dev
set after each epoch; neither writes a checkpoint.

- the bare loop: AutoModelForSequenceClassification, batches padded to their longest, PyTorch's
  AdamW with a linear schedule, the dev set in batches of 32 after each epoch;
- the sweep's run (``stability.sweep``): the same, and besides the dev set before the first step,
  the gradient norm of every layer at every step, and the prediction of every dev example at the
  end.

What a job of the sweep does once for all of its runs is timed apart. Times are the process's own
(it has one thread), so that waiting for other jobs does not count. Prints Markdown.
"""

import tempfile
import time
from pathlib import Path

import numpy as np
import torch
import yaml
from torch.nn.functional import cross_entropy

from workflow_scripts.data.synthetic import generate
from workflow_scripts.experiment.config import validated
from workflow_scripts.finetune.batches import dropout_seed, epoch_batches
from workflow_scripts.finetune.recipe import Recipe
from workflow_scripts.model.encoder import (
    build_classifier,
    load_weights,
    read_weights,
    start_weights,
)
from workflow_scripts.model.fetch_model import fetch_model
from workflow_scripts.model.text import Encoded, collate, encode, load_tokenizer
from workflow_scripts.stability.sweep import Sample, Trainer

ROOT = Path(__file__).resolve().parents[1]
SEEDS = 3
MODEL = ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json", "card.json")


def bare_loop(folder: Path, train: Encoded, dev: Encoded, recipe: Recipe, seed: int) -> float:
    """Train and score as a plain script does; the accuracy at the end."""
    module = build_classifier(folder, 2)
    start = start_weights(module, read_weights(folder / "model.safetensors"), seed)
    load_weights(module, start)
    decayed = [p for p in module.parameters() if p.ndim > 1]
    others = [p for p in module.parameters() if p.ndim <= 1]
    groups = [
        {"params": decayed, "weight_decay": recipe.weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=recipe.learning_rate, eps=recipe.eps)
    epochs = [
        epoch_batches(train.lengths, recipe.batch_size, recipe.bucket_batches, seed, epoch)
        for epoch in range(1, recipe.epochs + 1)
    ]
    steps = sum(map(len, epochs))
    rise = max(1, round(recipe.warmup * steps))
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda done: min(done / rise, (steps - done) / (steps - rise))
    )
    accuracy = 0.0
    for epoch, batches in enumerate(epochs, start=1):
        torch.manual_seed(dropout_seed(seed, epoch))
        module.train()
        for batch in batches:
            labels = torch.tensor(train.labels[batch])
            loss = cross_entropy(module(**collate(train, batch, 0)).logits, labels)
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(module.parameters(), recipe.gradient_clip)
            optimizer.step()
            schedule.step()
            loss.item()
        module.eval()
        right = 0
        with torch.no_grad():
            for batch in np.array_split(np.arange(len(dev)), -(-len(dev) // 32)):
                answers = module(**collate(dev, batch, 0)).logits.argmax(1).numpy()
                right += int((answers == dev.labels[batch]).sum())
        accuracy = right / len(dev)
    return accuracy


def main() -> None:
    torch.set_num_threads(1)
    settings = validated(yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8")))
    task, length = settings.tasks["entailment"], settings.finetune.max_length
    fields = settings.finetune.recipes["devlin"].model_dump(exclude={"continues"})
    train, dev, _ = generate("entailment", task.train, task.dev, task.seed)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source = settings.models["minilm"].source
        fetch_model(*(folder / file for file in MODEL), "minilm", source)
        began = time.process_time()
        trainer = Trainer(
            folder,
            2,
            folder / "model.safetensors",
            train,
            dev,
            Sample(None, False, None),
            fields,
            length,
            None,
            torch.device("cpu"),
        )
        shared = time.process_time() - began
        tokenizer = load_tokenizer(folder)
        examples = [encode(tokenizer, table, length) for table in (train, dev)]
        print(
            f"## A run of a sweep\n\nOne thread, {torch.backends.cpu.get_cpu_capability()}, torch "
            f"{torch.__version__}; {len(train)} training examples, {len(dev)} dev, "
            f"{fields['epochs']} epochs. Once for a block of runs: {shared:.1f} s.\n\n"
            "| seed | bare loop, s | run of the sweep, s | sweep / bare loop | accuracies |\n"
            "|---|--:|--:|--:|---|"
        )
        ratios = []
        for seed in range(SEEDS):
            began = time.process_time()
            theirs = bare_loop(folder, *examples, trainer.recipe, seed)
            between = time.process_time()
            ours = trainer.train(seed, seed)["scores"]["accuracy"].iloc[-1]
            ended = time.process_time()
            ratios.append((ended - between) / (between - began))
            print(
                f"| {seed} | {between - began:.1f} | {ended - between:.1f} | {ratios[-1]:.2f} "
                f"| {theirs:.2f}, {ours:.2f} |",
                flush=True,
            )
        print(f"\nMedian: {np.median(ratios):.2f} of the bare loop.")


if __name__ == "__main__":
    main()
