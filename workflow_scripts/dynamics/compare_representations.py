"""Measure how far the hidden states of two models lie apart, layer by layer."""

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

    Both models read every example once; sums over their tokens are all that is kept of it.

    Parameters
    ----------
    config, tokenizer, tokenizer_config : the model's files of these names, in one folder.
    cards, dev : card and dev examples of the task, or of each model's task; both models read the
        examples of all.
    first, second : checkpoints of the two models.
    representations : to write: ``likeness.layer_table``, and ``token_table`` below it.
    layers : to write: ``likeness.layer_matrix``.
    examples : of each task, a seeded subset; None takes all.
    seed : of the subset and of the groups.
    max_length : longest input in tokens.
    tokens : rows to compare: ``all`` tokens, or each example's first (``cls``).
    keep : share of the variance that SVCCA keeps.
    groups : of examples, for the jackknife; 3 or more.
    context : ``device``, ``threads``, ``token_budget``.

    Raises
    ------
    UserError : if a file cannot be read or does not fit the model, there are too few examples, the
        activations are not finite, the models differ in depth, or the device is not there.

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
        gather,
        layer_matrix,
        layer_table,
    )
    from workflow_scripts.model.running import hidden_states
    from workflow_scripts.model.text import load_tokenizer

    words = load_tokenizer(config.parent)
    pad_id = words.pad_token_id
    with reproducible(context) as device:
        budget = chosen_token_budget(context["token_budget"], device)
        read = read_examples(words, dev, cards, examples, seed, max_length)
        models = load_pair(config.parent, cards, (first, second), device)
        batches = grouped_batches(read.lengths, groups, budget, seed)
        apart: list[list[pd.DataFrame]] = []

        def rows() -> Iterator[tuple[int, list, list]]:
            for batch in progress(batches, "batches"):
                chosen, example = chosen_rows(read.lengths[batch.examples], tokens)
                read_by = (hidden_states(m, read, batch.examples, pad_id) for m in models)
                pair = [[states[chosen] for states in layers] for layers in read_by]
                if len(pair[0]) != len(pair[1]):
                    raise UserError(
                        f"one model has {len(pair[0]) - 1} layers, the other {len(pair[1]) - 1}: "
                        "they cannot be compared layer by layer"
                    )
                apart.append(
                    [
                        token_distances(x, y, example, len(batch.examples))
                        for x, y in zip(*pair, strict=True)
                    ]
                )
                yield batch.group, *pair

        # One example tells: a layer of ALBERT may hold several.
        depth = len(hidden_states(models[0], read, np.arange(1), pad_id))
        longest = int(read.lengths.max()) if tokens == "all" else 1
        gathered = gather(rows(), [(i, i) for i in range(depth)], longest, every=True)
        numbers = {i + EMBEDDINGS: (i, i) for i in range(depth)}
        likeness = layer_table(gathered, numbers, keep)
        facts = likeness.groupby("layer")[["n", "d"]].first()
        direct = token_table(
            {layer: pd.concat(part[i] for part in apart) for layer, (i, _) in numbers.items()},
            facts,
        )
        matrix = layer_matrix(gathered.all, keep)
    found = pd.concat([likeness, direct], ignore_index=True)
    found = found.astype(dict.fromkeys(("k1", "k2", "rank1", "rank2"), "Int64"))
    write_table(found.assign(examples=len(read)), representations)
    write_table(matrix.assign(examples=len(read)), layers)


def token_table(distances: dict[int, pd.DataFrame], facts: pd.DataFrame) -> pd.DataFrame:
    """Mean distances of the same tokens, in the columns of ``likeness.layer_table``.

    Parameters
    ----------
    distances : layer -> ``reading.token_distances`` of all examples.
    facts : ``n`` and ``d`` by layer.

    Returns
    -------
    A row per layer and measure: ``value`` (mean over examples), its standard ``error``, ``low`` and
    ``high`` (95 %: 1.96 standard errors to either side).
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
                    "n": facts.loc[layer, "n"],
                    "d": facts.loc[layer, "d"],
                    "underdetermined": False,
                    "few": False,
                }
            )
    return pd.DataFrame(rows)


if __name__ == "__main__":
    run(compare_representations, snakemake)
