"""Invented tables of learning dynamics, in the form of the workflow's own. Nothing was measured.

Everything grows with depth, from a millionth in the lowest layer, and with the number of the pair.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from workflow_scripts.common.tables import write_table

TITLES = ["NLI", "Entailment", "Sentiment", "Paraphrase", "Questions", "A task with a long name"]
MEASURES = [
    "svcca",
    "svcca_hidden",
    "cca_full",
    "svcca_per_neuron",
    "cka_distance",
    "cka_unbiased_distance",
    "procrustes",
    "cosine_distance",
    "relative_l2",
]


def pair(index: int, comparison: str = "change", synthetic: bool = True) -> dict:
    """Fields of a ``PairTitle``."""
    title = TITLES[index]
    other = TITLES[(index + 1) % len(TITLES)]
    models = {
        "change": ("pre-trained", "fine-tuned"),
        "seeds": ("seed 0", "seed 1"),
        "tasks": (title, other),
    }[comparison]
    return {
        "name": f"{comparison}_{index}",
        "title": f"{title}–{other}" if comparison == "tasks" else title,
        "synthetic": synthetic,
        "comparison": comparison,
        "first": models[0],
        "second": models[1],
    }


class Dynamics:
    """Writes invented tables below a folder, one per pair."""

    def __init__(
        self,
        folder: Path,
        pairs: list[dict],
        layers: int = 6,
        heads: int = 12,
        examples: int = 40,
        seed: int = 3,
    ):
        self.folder, self.pairs = folder, pairs
        self.layers, self.heads, self.examples = layers, heads, examples
        self.rng = np.random.default_rng(seed)

    def attention(self, lost: bool = False, zero: bool = False) -> list[Path]:
        """``attention.parquet`` of each pair.

        ``lost`` : some values are not finite; ``zero`` : layer 0 does not differ at all.
        """
        paths = []
        for index, one in enumerate(self.pairs):
            depth = (np.arange(self.layers) + 1) / self.layers
            level = 10.0 ** (-5 + (4.0 - 0.2 * index) * depth)
            spread = self.rng.gamma(2.0, 0.5, (self.examples, self.layers, self.heads))
            by_head = np.exp(self.rng.normal(0, 0.9, (self.layers, self.heads)))
            js = np.minimum(level[:, None] * by_head * spread, 0.69)
            if zero:
                js[:, 0] = 0.0
            if lost:
                js[3, -1] = np.nan
            example, layer = np.divmod(np.arange(self.examples * self.layers), self.layers)
            flat = js.reshape(-1, self.heads)
            mean = flat.mean(axis=1)
            table = pd.DataFrame(
                {
                    "example": example,
                    "layer": layer,
                    "js": mean,
                    "heads": list(flat),
                    "cls": 1.3 * mean,
                    "sep": 0.7 * mean,
                    "other": np.where(example % 5 == 0, np.nan, mean),
                }
            )
            paths.append(self._write(table, "attention", one))
        return paths

    def representations(self, few: bool = False, lost: bool = False, scale: float = 0.3):
        """``representations.parquet`` of each pair; ``scale``: height of the curves."""
        return [
            self._write(self._distances(index, -1, few, lost, scale), "representations", one)
            for index, one in enumerate(self.pairs)
        ]

    def rollbacks(self, scale: float = 0.1) -> list[Path]:
        """``rollback.parquet`` of each pair, here used as a task."""
        return [
            self._write(self._distances(index, 0, False, False, scale), "rollback", one)
            for index, one in enumerate(self.pairs)
        ]

    def matrices(self, few: bool = False, lost: bool = False) -> list[Path]:
        """``layers.parquet`` of each pair; ``few`` : above, fewer tokens than axes."""
        paths = []
        for index, one in enumerate(self.pairs):
            layer = np.arange(-1, self.layers)
            first, second = (axis.ravel() for axis in np.meshgrid(layer, layer, indexing="ij"))
            near = np.exp(-np.abs(first - second) / (0.4 * self.layers))
            drift = 1 - 0.09 * (index + 1) * np.maximum(first, second) / self.layers
            cka = near * drift
            svcca = 0.75 * (1 - cka)
            if lost:
                cka[5], svcca[5] = np.nan, np.nan
            table = pd.DataFrame(
                {
                    "first": first,
                    "second": second,
                    "svcca": svcca,
                    "cka": cka,
                    "cka_unbiased": cka - 0.02,
                    "k1": 40 + 4 * first,
                    "k2": 40 + 4 * second,
                    "n": 4000 + 10 * index,
                    "underdetermined": few & (first + second > 1.2 * self.layers),
                    "few": few,
                }
            )
            paths.append(self._write(table, "layers", one))
        return paths

    def _distances(self, index, lowest, few, lost, scale) -> pd.DataFrame:
        layer = np.arange(lowest, self.layers)
        depth = (layer + 1) / self.layers
        parts = []
        for number, measure in enumerate(MEASURES):
            value = scale * (1 - 0.12 * index) * depth ** (1.5 + 0.3 * number)
            value = value + 0.01 * scale * self.rng.random(len(layer))
            error = 0.04 * value + 0.004 * scale
            null = 0.97 + 0.02 * depth if "cka" in measure else 0.55 + 0.1 * depth - 0.01 * index
            bounded = measure != "relative_l2"
            under = few & measure.startswith("svcca") & (layer >= self.layers - 2)
            if lost and index < 2:
                value[len(layer) // 2] = np.nan
            parts.append(
                pd.DataFrame(
                    {
                        "layer": layer,
                        "measure": measure,
                        "value": value,
                        "low": value - 1.96 * error if bounded else np.nan,
                        "high": value + 1.96 * error if bounded else np.nan,
                        "error": error if bounded else np.nan,
                        "null": null if bounded else np.nan,
                        "null_low": null - 0.01 if bounded else np.nan,
                        "null_high": null + 0.01 if bounded else np.nan,
                        "n": 4000 + 10 * index,
                        "examples": self.examples,
                        "d": 384,
                        "k1": 40,
                        "k2": 44,
                        "rank1": 384,
                        "rank2": 384,
                        "underdetermined": under,
                        "few": few,
                    }
                )
            )
        return pd.concat(parts, ignore_index=True)

    def _write(self, table: pd.DataFrame, kind: str, one: dict) -> Path:
        path = self.folder / one["name"] / f"{kind}.parquet"
        write_table(table, path)
        return path
