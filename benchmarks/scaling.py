"""How the time of surfaces grows: points, tokens, workers, and the fixed cost of a shard.

    make bench BENCH=scaling

MiniLM's size and weights, random sentences, float32, one thread a worker. Points and tokens:
processor time in one process, in alternation, medians. Workers: points that one process, and two
side by side, evaluate in the same time on the clock. Shards: rows of the smoke experiment, whose
model takes next to no time, one a job: time on the clock of a whole run of Snakemake, less that
of a run with one job, per further job. Prints Markdown.
"""

import copy
import multiprocessing
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch

from benchmarks.engine import Scene, minilm, random_sentences, rounds, seconds
from workflow_scripts.landscape.engine import Evaluator
from workflow_scripts.landscape.plane import Plane

ROOT = Path(__file__).resolve().parents[1]
ROUNDS, EXAMPLES, PASS = 3, 48, 2048
POINTS, SIZES = (1, 4, 16), (12, 24, 48, 96, 192)
SECONDS = 15  # that the workers are observed
SURFACE = "results/landscape/tiny/entailment_pretrained"


def walk(scene: Scene, points: int):
    """A function that evaluates so many points, some rows of a plane."""
    module = copy.deepcopy(scene.module)
    evaluate = Evaluator(module, {"train": scene.examples}, 0, PASS)
    plane = Plane(module, scene.start, *scene.deltas, rows=evaluate.rows)

    def run() -> None:
        for i in range(points):
            plane.move(0.1 * (i % 4), 0.2 * (i // 4 + 1))
            evaluate()

    return run


def growth() -> None:
    """Print the time of points, and of tokens."""
    scenes = {n: minilm(lambda tokenizer, n=n: random_sentences(tokenizer, n)) for n in SIZES}
    runs = {f"{n} points": walk(scenes[EXAMPLES], n) for n in POINTS}
    runs |= {f"{n} examples": walk(scenes[n], 1) for n in SIZES}
    table = rounds({name: lambda run=run: seconds(run) for name, run in runs.items()}, ROUNDS)
    times = table.median()
    print(f"| points of {EXAMPLES} examples | ms | ms per point |\n|--:|--:|--:|")
    for n in POINTS:
        spent = 1000 * times[f"{n} points"]
        print(f"| {n} | {spent:.0f} | {spent / n:.1f} |")
    print("\n| tokens of a point | ms | ms per 1000 tokens |\n|--:|--:|--:|")
    for n in SIZES:
        spent, tokens = 1000 * times[f"{n} examples"], int(scenes[n].examples.lengths.sum())
        print(f"| {tokens} | {spent:.0f} | {1000 * spent / tokens:.0f} |")


def worker(ready, points) -> None:
    """Evaluate points from the moment that all workers are ready, and report how many."""
    torch.set_num_threads(1)
    run = walk(minilm(lambda tokenizer: random_sentences(tokenizer, EXAMPLES)), 1)
    run()
    ready.wait()
    end, found = time.monotonic() + SECONDS, 0
    while time.monotonic() < end:
        run()
        found += 1
    points.put(found)


def workers() -> None:
    """Print what two workers do in the time of one."""
    context = multiprocessing.get_context("spawn")
    found: dict[int, list[int]] = {1: [], 2: []}
    for _ in range(ROUNDS):
        for count in found:
            ready, points = context.Barrier(count), context.Queue()
            started = [context.Process(target=worker, args=(ready, points)) for _ in range(count)]
            for process in started:
                process.start()
            found[count].append(sum(points.get() for _ in started))
            for process in started:
                process.join()
    ratios = [two / one for one, two in zip(found[1], found[2], strict=True)]
    print(f"\n| workers, one thread each | points in {SECONDS} s |\n|--:|--:|")
    for count, numbers in found.items():
        print(f"| {count} | {statistics.median(numbers):.0f} |")
    print(f"\nTwo workers do {statistics.median(ratios):.2f} times the points of one.")


def shards() -> None:
    """Print the cost of a job of one row without its points."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        overlay = folder / "overlay.yaml"
        overlay.write_text("landscape: {rows_per_shard: 1}\n")
        command = [Path(sys.executable).with_name("snakemake"), "--cores", "1"]
        command += ["--snakefile", ROOT / "Snakefile", "--directory", folder]
        options = ["--configfile", ROOT / "experiments/smoke.yaml", overlay]
        environment = os.environ | {"OMP_NUM_THREADS": "1"}

        def snakemake(*targets: str) -> float:
            began = time.monotonic()
            subprocess.run(
                [*command, *targets, *options],
                cwd=ROOT,
                env=environment,
                check=True,
                capture_output=True,
            )
            return time.monotonic() - began

        snakemake(f"{SURFACE}/surface.parquet")
        rows = sorted(path.name for path in (folder / SURFACE / "rows").glob("*.parquet"))
        spent = []
        for _ in range(ROUNDS):
            times = []
            for some in (rows[:1], rows):
                for row in some:
                    (folder / SURFACE / "rows" / row).unlink()
                times.append(snakemake(*(f"{SURFACE}/rows/{row}" for row in some)))
            spent.append((times[1] - times[0]) / (len(rows) - 1))
        shutil.rmtree(folder / "results")
    print(f"\nA shard of one row costs {statistics.median(spent):.1f} s besides its points.")


def main() -> None:
    torch.set_num_threads(1)
    growth()
    workers()
    shards()


if __name__ == "__main__":
    main()
