"""The fixtures of the paper's code, and references that share no code with ours."""

import json
from pathlib import Path

import numpy as np
from scipy.optimize import linprog

FOLDER = Path(__file__).parent / "direct_probe"
REFERENCE = json.loads((FOLDER / "reference.json").read_text())["datasets"]
FIXTURES = sorted(REFERENCE)


def fixture(name: str) -> tuple[dict[str, np.ndarray], dict]:
    """Arrays of a fixture, and what the paper's code makes of them with a commercial solver."""
    with np.load(FOLDER / f"{name}.npz") as arrays:
        return dict(arrays), REFERENCE[name]["gurobi_lp"]


def same_partition(first, second) -> bool:
    """Whether two numberings divide the rows alike."""
    first, second = list(map(int, first)), list(map(int, second))
    pairs = set(zip(first, second, strict=True))
    return len(pairs) == len(set(first)) == len(set(second))


def lp_overlap(x: np.ndarray, y: np.ndarray) -> bool:
    """Whether two convex combinations coincide, by HiGHS; anything but a clear answer fails."""
    x, y = np.asarray(x, float), np.asarray(y, float)
    sums = np.zeros((2, len(x) + len(y)))
    sums[0, : len(x)] = sums[1, len(x) :] = 1
    answer = linprog(
        np.zeros(len(x) + len(y)),
        A_eq=np.vstack([np.hstack([x.T, -y.T]), sums]),
        b_eq=np.concatenate([np.zeros(x.shape[1]), [1, 1]]),
        method="highs",
    )
    assert answer.status in (0, 2), answer.message
    return answer.status == 0


def plain_clusters(x: np.ndarray, labels: np.ndarray, overlap=lp_overlap) -> np.ndarray:
    """The algorithm as the paper writes it, every decision by a solver: slow, nothing clever."""
    x = np.asarray(x, float)
    clusters = {i: [i] for i in range(len(x))}
    rejected: set[tuple[int, int]] = set()
    number = len(x)
    while True:
        centroids = {k: x[rows].mean(axis=0) for k, rows in clusters.items()}
        label = {k: labels[rows[0]] for k, rows in clusters.items()}
        pairs = [
            (np.linalg.norm(centroids[i] - centroids[j]), i, j)
            for i in clusters
            for j in clusters
            if i < j and label[i] == label[j] and (i, j) not in rejected
        ]
        if not pairs:
            break
        _, i, j = min(pairs)
        union = clusters[i] + clusters[j]
        others = [rows for k, rows in clusters.items() if label[k] != label[i]]
        if any(overlap(x[union], x[rows]) for rows in others):
            rejected.add((i, j))
            continue
        del clusters[i], clusters[j]
        clusters[number] = union
        number += 1
    index = np.empty(len(x), dtype=int)
    for k, rows in clusters.items():
        index[rows] = k
    return index
