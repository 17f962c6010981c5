"""Measure how much the hidden states of two models differ, layer by layer."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from workflow_scripts.common.errors import UserError
from workflow_scripts.common.progress import progress
from workflow_scripts.common.tables import write_table
from workflow_scripts.rebuilds.step import run


def compare_representations(
    config: Path,
    tokenizer: Path,
    tokenizer_config: Path,
    cards: list[Path],
    model_cards: list[Path],
    dev: list[Path],
    first: Path,
    second: Path,
    representations: Path,
    layers: Path,
    examples: int | None,
    seed: int,
    max_length: int,
    tokens: str,
    keep: float,
    groups: int,
    context: dict[str, Any],
) -> None:
    """Write the distances of two models' layers, and of all pairs of layers.

    Both models read every example once; only sums over its tokens are kept.

    Parameters
    ----------
    config, tokenizer, tokenizer_config : Path
        The model's files of these names, in one folder.
    cards, dev : list of Path
        Card and dev examples of each task that both models read.
    model_cards : list of Path
        Card of the task of each model.
    first, second : Path
        Checkpoints of the two models.
    representations : Path
        To write: ``similarity.layer_table``, and ``token_table`` below it.
    layers : Path
        To write: ``similarity.layer_matrix``.
    examples : int or None
        Number of examples of each task, a seeded subset; None takes all.
    seed : int
        Of the subset and of the groups.
    max_length : int
        Longest input in tokens.
    tokens : {"all", "cls"}
        Which hidden states to compare: of all tokens, or of each example's first.
    keep : float
        Share of the variance that SVCCA keeps.
    groups : int
        Groups of examples for the jackknife, 3 or more.
    context : dict
        ``device``, ``threads``, ``token_budget``.

    Raises
    ------
    UserError
        If a file cannot be read or does not fit the model, a task has too few examples, the
        activations are not finite, the models differ in depth, or the device is not available.

    References
    ----------
    Hao et al. (2020), section 4.
    """
    from workflow_scripts.common.device import chosen_token_budget, reproducible
    from workflow_scripts.dynamics.reading import (
        chosen_rows,
        grouped_batches,
        load_pair,
        read_examples,
        token_distances,
    )
    from workflow_scripts.dynamics.similarity import (
        EMBEDDINGS,
        BatchRows,
        LayerPair,
        gather,
        layer_matrix,
        layer_table,
    )
    from workflow_scripts.model.running import hidden_states
    from workflow_scripts.model.text import load_tokenizer

    loaded_tokenizer = load_tokenizer(config.parent)
    pad_id = loaded_tokenizer.pad_token_id
    with reproducible(context) as device:
        budget = chosen_token_budget(context["token_budget"], device)
        read = read_examples(loaded_tokenizer, dev, cards, examples, seed, max_length)
        models = load_pair(config.parent, model_cards, (first, second), device)
        batches = grouped_batches(read.lengths, groups, budget, seed)
        distances: list[list[pd.DataFrame]] = []  # by batch and layer

        def rows() -> Iterator[BatchRows]:
            for batch in progress(batches, "batches"):
                chosen, example = chosen_rows(read.lengths[batch.examples], tokens)
                states = (hidden_states(m, read, batch.examples, pad_id) for m in models)
                x, y = ([layer[chosen] for layer in model] for model in states)
                if len(x) != len(y):
                    raise UserError(
                        f"one model has {len(x) - 1} layers, the other {len(y) - 1}: "
                        "they cannot be compared layer by layer"
                    )
                distances.append(
                    [
                        token_distances(*pair, example, len(batch.examples))
                        for pair in zip(x, y, strict=True)
                    ]
                )
                yield BatchRows(batch.group, x, y)

        # Counted on one example: ALBERT has more layers than layers with weights of their own.
        depth = len(hidden_states(models[0], read, np.arange(1), pad_id))
        longest = int(read.lengths.max()) if tokens == "all" else 1
        pairs = {i + EMBEDDINGS: LayerPair(i, i) for i in range(depth)}
        gathered = gather(rows(), list(pairs.values()), longest, every=True)
        by_layer = layer_table(gathered, pairs, keep)
        sizes = by_layer.groupby("layer")[["n", "d"]].first()
        by_token = token_table(
            {n: pd.concat(batch[pair.first] for batch in distances) for n, pair in pairs.items()},
            sizes,
        )
        matrix = layer_matrix(gathered.all, keep)
    both = pd.concat([by_layer, by_token], ignore_index=True)
    both = both.astype(dict.fromkeys(("k1", "k2", "rank1", "rank2"), "Int64"))
    write_table(both.assign(examples=len(read)), representations)
    write_table(matrix.assign(examples=len(read)), layers)


def token_table(distances: dict[int, pd.DataFrame], sizes: pd.DataFrame) -> pd.DataFrame:
    """Mean distances of the same tokens, in the columns of ``similarity.layer_table``.

    Parameters
    ----------
    distances : dict of int to DataFrame
        For each layer the ``reading.token_distances`` of all examples.
    sizes : DataFrame
        ``n`` and ``d`` by layer.

    Returns
    -------
    DataFrame
        For each layer and measure ``value`` (mean over examples), its standard ``error``, ``low``
        and ``high`` (95 %: 1.96 standard errors to either side).
    """
    rows = []
    for layer, table in distances.items():
        for measure in table:
            value = table[measure].mean()
            error = table[measure].std(ddof=1) / np.sqrt(len(table))
            rows.append(
                {
                    "layer": layer,
                    "measure": measure,
                    "value": value,
                    "low": value - 1.96 * error,
                    "high": value + 1.96 * error,
                    "error": error,
                    "n": sizes.loc[layer, "n"],
                    "d": sizes.loc[layer, "d"],
                    "underdetermined": False,
                    "few": False,
                }
            )
    return pd.DataFrame(rows)


if __name__ == "__main__":
    run(compare_representations, snakemake)
