"""SVCCA of one layer: moments of one pass against the usual SVDs of stored activations.

    make bench BENCH=svcca
    python -m benchmarks.svcca --rows 2000 --width 64      # a small trial

All read the same float32 activations of two models from disk, compute in float64 on one thread,
and run in processes of their own, in alternation. "Full SVD" is what a user would write: stack all
rows, centre, ``numpy.linalg.svd`` as it is by default, the singular values of the product of the
kept left vectors. "Economy SVD" is the same by one who sets ``full_matrices=False``, which leaves
out the n - d left vectors that nobody needs. "Published code" takes the steps of the code that
Raghu et al. published with SVCCA: the same economy SVDs, then CCA of the kept directions, whose
covariances are computed from all rows. Prints medians of the time, the largest memory beyond the
imported libraries, the ratios, and how far the distances are apart.
"""

import argparse
import multiprocessing
import os
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np

ROWS, WIDTH, CHUNK, ROUNDS = 20_000, 768, 2048, 3


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--width", type=int, default=WIDTH)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    sizes = parser.parse_args()
    # Read by the libraries when the processes below import them.
    for name in ("OMP", "OPENBLAS", "MKL"):
        os.environ[f"{name}_NUM_THREADS"] = "1"
    runs: dict[str, list[tuple[float, float, float]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / "x.f32", Path(folder) / "y.f32"]
        write_activations(paths, sizes.rows, sizes.width)
        for _ in range(sizes.rounds):
            for way in (with_moments, with_full_svd, with_economy_svd, with_published_code):
                with multiprocessing.get_context("spawn").Pool(1) as pool:
                    run = pool.apply(measured, (way, paths, sizes.width))
                runs.setdefault(way.__name__.removeprefix("with_").replace("_", " "), []).append(
                    run
                )
    medians = {
        name: [statistics.median(column) for column in zip(*found, strict=True)]
        for name, found in runs.items()
    }
    print(f"{sizes.rows} rows, {sizes.width} wide, float64, one thread")
    for name, (seconds, memory, distance) in medians.items():
        print(f"{name:>14}: {seconds:6.2f} s, {memory:6.0f} MiB, distance {distance:.6f}")
    ours = medians.pop("moments")
    for name, usual in medians.items():
        print(
            f"{name}: {usual[0] / ours[0]:.1f} times the time, {usual[1] / ours[1]:.1f} times the "
            f"memory; distances differ by {abs(usual[2] - ours[2]):.1e}"
        )


def write_activations(paths: list[Path], rows: int, width: int) -> None:
    """Two models' activations: a falling spectrum, one dimension that stands out, some drift."""
    rng = np.random.default_rng(0)
    mixing = (
        np.arange(1, width + 1)[:, None] ** -0.5 * np.linalg.qr(rng.normal(size=(width,) * 2))[0]
    )
    with paths[0].open("wb") as first, paths[1].open("wb") as second:
        for start in range(0, rows, CHUNK):
            shape = (min(CHUNK, rows - start), width)
            x = rng.normal(size=shape) @ mixing
            x[:, width // 3] = 12 * x[:, width // 3] + 30
            first.write(x.astype(np.float32).tobytes())
            second.write((x + 0.3 * rng.normal(size=shape) @ mixing).astype(np.float32).tobytes())


def measured(way, paths: list[Path], width: int) -> tuple[float, float, float]:
    """Seconds, MiB beyond what the libraries take, and the distance; in a fresh process."""
    way(paths, width, most=10 * width)  # libraries set themselves up on first use
    before = memory("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # resets the high-water mark
    began = time.perf_counter()
    distance = way(paths, width)
    return time.perf_counter() - began, memory("VmHWM") - before, distance


def memory(key: str) -> float:
    """A figure of this process's memory, MiB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(key)).split()[1]) / 1024


def chunks(path: Path, width: int, most: int | None):
    """Rows of a file, some thousand at a time, ``most`` in all."""
    left = path.stat().st_size // (4 * width) if most is None else most
    with path.open("rb") as file:
        while left > 0:
            rows = np.fromfile(file, np.float32, min(CHUNK, left) * width).reshape(-1, width)
            if not len(rows):
                return
            left -= len(rows)
            yield rows


def with_moments(paths: list[Path], width: int, most: int | None = None) -> float:
    """The distance, rows being dropped as soon as they are added."""
    from workflow_scripts.dynamics.svcca import Moments, svcca

    moments = Moments()
    for x, y in zip(*(chunks(path, width, most) for path in paths), strict=True):
        moments.update(x, y)
    return svcca(moments).distance


def with_full_svd(paths: list[Path], width: int, most: int | None = None) -> float:
    """The distance, from all rows at once, all left singular vectors being computed."""
    return with_economy_svd(paths, width, most, full=True)


def with_economy_svd(
    paths: list[Path], width: int, most: int | None = None, full: bool = False
) -> float:
    """The distance, from all rows at once."""
    first, second = (left for left, _ in decomposed(paths, width, most, full))
    return 1 - np.linalg.svd(first.T @ second, compute_uv=False).mean()


def with_published_code(paths: list[Path], width: int, most: int | None = None) -> float:
    """The distance, from all rows at once, by the CCA of the kept directions."""
    first, second = ((left * values).T for left, values in decomposed(paths, width, most))
    k = len(first)
    covariance = np.cov(first, second)
    roots = []
    for own in (covariance[:k, :k], covariance[k:, k:]):
        values, vectors = np.linalg.eigh(np.linalg.pinv(own / np.abs(own).max()))
        roots.append(vectors * np.sqrt(values) @ vectors.T / np.sqrt(np.abs(own).max()))
    core = roots[0] @ covariance[:k, k:] @ roots[1]
    return 1 - np.linalg.svd(core)[1].mean()


def decomposed(paths: list[Path], width: int, most: int | None, full: bool = False):
    """Left singular vectors and singular values of each model's rows, 99 % of the variance."""
    for path in paths:
        rows = np.concatenate(list(chunks(path, width, most))).astype(np.float64)
        left, values, _ = np.linalg.svd(rows - rows.mean(axis=0), full_matrices=full)
        share = np.cumsum(values**2) / np.sum(values**2)
        k = np.searchsorted(share, 0.99) + 1
        yield left[:, :k], values[:k]


if __name__ == "__main__":
    main()
