"""Steps of training against a plain Hugging Face loop and this machine's limit, in alternation.

    TUNESCAPE_DATA=/folder/of/MRPC,... make bench BENCH=training

One process, one thread, float32, MiniLM's real weights and real sentences, the same batches:

- a plain loop: AutoModelForSequenceClassification, batches padded to their longest, gradients
  clipped, PyTorch's AdamW with its default settings, and with ``fused=True``;
- the workflow's step (``finetune.training``), without padding; also with ``autocast: bfloat16``;
- the limit: the products that the workflow's step needs, at the rate of products of the same
  shapes, by the faster of PyTorch's two libraries.

Batches are cut in random order, as in most users' loops, and by length, as the workflow does. A
step of each way on each batch, so that whatever else the machine does hits all alike; times are
medians over the batches but the first, ratios medians of the batches' own ratios. Losses are
compared without dropout; the last rows have the model's own dropout. Prints Markdown. Times are the
process's own (it has one thread), so that waiting for other jobs does not count.
"""

import copy
import os
import time
from collections.abc import Callable
from functools import partial

import numpy as np
import pandas as pd
import torch
from torch.nn.functional import cross_entropy

from benchmarks.engine import Scene, flops, minilm, real_sentences, seconds
from workflow_scripts.finetune.batches import epoch_batches
from workflow_scripts.finetune.optimizer import set_step
from workflow_scripts.finetune.packed import _product
from workflow_scripts.finetune.recipe import Recipe
from workflow_scripts.finetune.stage import Recipe as Section
from workflow_scripts.finetune.training import Training
from workflow_scripts.model.encoder import load_weights
from workflow_scripts.model.text import collate

EXAMPLES, STEPS, RATE = 512, 4, 2e-5

Step = Callable[[np.ndarray], float]  # a step of training on a batch, and its loss


def fresh(scene: Scene, dropout: float | None) -> torch.nn.Module:
    """The scene's classifier at its start, to be trained."""
    module = copy.deepcopy(scene.module)
    load_weights(module, scene.start)
    if dropout is not None:
        for part in module.modules():
            if isinstance(part, torch.nn.Dropout):
                part.p = dropout
    torch.manual_seed(0)
    return module.train()


def plain(scene: Scene, dropout: float | None, **options) -> Step:
    module, data = fresh(scene, dropout), scene.examples
    optimizer = torch.optim.AdamW(module.parameters(), lr=RATE, **options)

    def step(batch: np.ndarray) -> float:
        labels = torch.tensor(data.labels[batch])
        loss = cross_entropy(module(**collate(data, batch, 0)).logits, labels)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(module.parameters(), 1.0)
        optimizer.step()
        return loss.item()

    return step


def ours(scene: Scene, dropout: float | None, autocast: str = "none") -> Step:
    # As the plain loop's, but that biases and LayerNorms never decay.
    recipe = Section(learning_rate=RATE, batch_size=32, epochs=1, gradient_clip=1.0)
    changes = {"weight_decay": 0.01, "autocast": autocast}
    recipe = Recipe(**recipe.model_dump(exclude={"continues"}) | changes)
    module, data = fresh(scene, dropout), scene.examples
    training = Training(module, data, data, 2, 0, recipe, 0, torch.device("cpu"), 1024)
    count = 0

    def step(batch: np.ndarray) -> float:
        nonlocal count
        count += 1
        set_step(training.optimizer, count, RATE, recipe)
        return float(training._step(batch)[0])

    return step


def products(config, tokens: int) -> tuple[list[Callable[[], None]], float]:
    """The products of one layer over a batch, forward and backward, and their operations.

    By MKL and by oneDNN; a layer could take the faster of both for every one of them.
    """
    width, inner = config.hidden_size, config.intermediate_size
    shapes = [(width, 3 * width), (width, width), (width, inner), (inner, width)]
    generator = torch.Generator().manual_seed(0)
    runs = []
    for ins, outs in shapes:
        states, weight, above = (
            torch.randn(*shape, generator=generator)
            for shape in ((tokens, ins), (outs, ins), (tokens, outs))
        )
        pairs = (states, weight), (above, weight.t()), (above.t(), states.t())
        runs += [(partial(torch.mm, a, b.t()), partial(_product, a, b)) for a, b in pairs]
    return runs, sum(6.0 * tokens * ins * outs for ins, outs in shapes)


def needed(scene: Scene, batch: np.ndarray) -> float:
    """Operations of a step without padding: those of a forward pass, and twice as many back."""
    config = scene.module.config
    return 3 * flops(config, scene.examples.lengths[batch], config.num_hidden_layers)


def compare(scene: Scene, size: int, buckets: int, dropout: float | None) -> list[str]:
    """Cells of a row: how fast every way takes the same steps, and how near to the limit."""
    lengths = scene.examples.lengths
    batches = epoch_batches(lengths, size, buckets, 0, 1)[: STEPS + 1]
    tokens = [int(lengths[batch].sum()) for batch in batches]
    ways = {
        "plain": plain(scene, dropout),
        "fused": plain(scene, dropout, fused=True),
        "ours": ours(scene, dropout),
        "bfloat16": ours(scene, dropout, "bfloat16"),
    }
    runs, work = products(scene.module.config, int(np.mean(tokens)))
    rows, losses = [], []
    for batch in batches:
        row, lost = {}, {}
        for name, step in ways.items():
            began = time.process_time()
            lost[name] = step(batch)
            row[name] = time.process_time() - began
        rate = work / sum(min(map(seconds, pair)) for pair in runs)
        rows.append({**row, "rate": rate, "limit": needed(scene, batch) / rate})
        losses.append(lost)
    times, losses = pd.DataFrame(rows[1:]), pd.DataFrame(losses)
    median = times.median()
    padded = sum(len(batch) * lengths[batch].max() for batch in batches) / sum(tokens)
    gap = (losses["ours"] - losses["plain"]).abs().max()
    kind = ("by length" if buckets > 1 else "random order") + ("" if dropout == 0 else ", dropout")
    return [
        f"{size}, {kind}",
        f"{padded:.2f}",
        *(f"{1000 * median[name]:.0f}" for name in ways),
        *(f"{(times[name] / times['ours']).median():.2f}" for name in ("plain", "fused")),
        f"{(times['ours'] / times['bfloat16']).median():.2f}",
        f"{100 * (times['limit'] / times['ours']).median():.0f} %",
        f"{median['rate'] / 1e9:.0f}",
        f"{gap:.0e}" if dropout == 0 else "",
    ]


HEADER = (
    "batch | padded tokens per token | plain loop, ms a step | fused AdamW, ms | ours, ms "
    "| ours in bfloat16, ms | times the plain loop | times the fused one | bfloat16 to float32 "
    "| of the limit | limit, GFLOP/s "
    "| largest difference of losses"
)


def main() -> None:
    torch.set_num_threads(1)
    print(
        f"## Training\n\nOne thread, {torch.backends.cpu.get_cpu_capability()}, "
        f"torch {torch.__version__}."
    )
    folder = os.environ.get("TUNESCAPE_DATA")
    if not folder:
        print("\nSkipped: TUNESCAPE_DATA names no folder of real data sets.")
        return
    kinds = [(16, 1, 0.0), (32, 1, 0.0), (16, 16, 0.0), (32, 16, 0.0), (32, 16, None)]
    for task in ("MRPC", "MNLI"):
        scene = minilm(real_sentences(task, folder, EXAMPLES))
        print(f"\n### {task}\n\n| {HEADER} |\n|---|" + "--:|" * 11)
        for kind in kinds:
            print("| " + " | ".join(compare(scene, *kind)) + " |", flush=True)


if __name__ == "__main__":
    main()
