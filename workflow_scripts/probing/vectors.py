"""Vectors of labelled examples, of all checkpoints and layers, in one file that is read in parts.

``vectors.npy`` is float32 of shape (checkpoints, layers, n, d). A layer of a checkpoint lies
together in it, so that one can be read without the others: memory is O(n d).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from workflow_scripts.common.tables import read_json, read_table
from workflow_scripts.probing.classifiers import Split

SPLITS = ("train", "dev")


@dataclass(frozen=True, eq=False)
class Layer:
    """Vectors of one layer of one checkpoint.

    Attributes
    ----------
    epoch : int
        Of the checkpoint; 0 is the start.
    layer : int
        From 0; -1 is the embeddings.
    last : bool
        Whether it is the model's last layer.
    end : bool
        Whether the checkpoint is the first or the last that was read.
    splits : dict of str to Split
        ``train`` and ``dev``.
    """

    epoch: int
    layer: int
    last: bool
    end: bool
    splits: dict[str, Split]


def layers(vectors: Path, rows: Path, about: Path, last_only: bool = False) -> Iterator[Layer]:
    """Read vectors layer by layer, the first checkpoint's lowest first.

    Parameters
    ----------
    vectors, rows, about : Path
        Files of ``extract_vectors``.
    last_only : bool
        Only the last layer of the first and the last checkpoint.
    """
    known, table = read_json(about), read_table(rows)
    stored = np.load(vectors, mmap_mode="r")
    labels = table["label"].to_numpy(np.int64)
    chosen = {split: np.flatnonzero(table["split"] == split) for split in SPLITS}
    for place, epoch in enumerate(known["epochs"]):
        end = place in (0, len(known["epochs"]) - 1)
        for index, layer in enumerate(known["layers"]):
            last = index == len(known["layers"]) - 1
            if last_only and not (last and end):
                continue
            found = np.asarray(stored[place, index], dtype=np.float64)
            splits = {name: Split(found[own], labels[own]) for name, own in chosen.items()}
            yield Layer(epoch, layer, last, end, splits)
