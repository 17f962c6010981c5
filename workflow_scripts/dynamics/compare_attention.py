"""Measure how much the attention of two models differs, example by example."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from workflow_scripts.common.progress import progress
from workflow_scripts.common.tables import write_table
from workflow_scripts.rebuilds.step import run


def compare_attention(
    config: Path,
    tokenizer: Path,
    tokenizer_config: Path,
    cards: list[Path],
    model_cards: list[Path],
    dev: list[Path],
    first: Path,
    second: Path,
    attention: Path,
    examples: int | None,
    seed: int,
    max_length: int,
    context: dict[str, Any],
) -> None:
    """Write the Jensen-Shannon divergence of two models' attention.

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
    attention : Path
        To write: see ``table``.
    examples : int or None
        Number of examples of each task, a seeded subset; None takes all.
    seed : int
        Of the subset.
    max_length : int
        Longest input in tokens.
    context : dict
        ``device``, ``threads``, ``token_budget``.

    Raises
    ------
    UserError
        If a file cannot be read or does not fit the model, a task has too few examples, the model
        returns no attention, its activations are not finite, or the device is not available.

    References
    ----------
    Hao et al. (2020), section 3.
    """
    from workflow_scripts.common.device import chosen_token_budget, reproducible
    from workflow_scripts.dynamics.attention import js_layers, mean_of_queries, query_types
    from workflow_scripts.dynamics.reading import equal_batches, load_pair, read_examples
    from workflow_scripts.model.text import collate, load_tokenizer

    loaded_tokenizer = load_tokenizer(config.parent)
    special = loaded_tokenizer.cls_token_id, loaded_tokenizer.sep_token_id
    with reproducible(context) as device:
        budget = chosen_token_budget(context["token_budget"], device)
        read = read_examples(loaded_tokenizer, dev, cards, examples, seed, max_length)
        models = load_pair(config.parent, model_cards, (first, second), device, attention="eager")
        batches = equal_batches(read.lengths, budget)
        parts = []
        for batch in progress(batches, "batches"):
            inputs = collate(read, batch, loaded_tokenizer.pad_token_id, device)
            mask = inputs["attention_mask"]
            kinds = query_types(inputs["input_ids"], mask, *special)
            for layer, js in enumerate(js_layers(*models, inputs)):
                means = {
                    name: mean_of_queries(js, chosen).cpu().numpy().astype(np.float64)
                    for name, chosen in {"all": mask, **kinds}.items()
                }
                parts.append(table(batch, layer, means))
    all_layers = pd.concat(parts).sort_values(["example", "layer"], ignore_index=True)
    write_table(all_layers, attention)


def table(examples: np.ndarray, layer: int, means: dict[str, np.ndarray]) -> pd.DataFrame:
    """Divergences of one layer.

    Parameters
    ----------
    examples : ndarray of shape (N,)
        Their indices.
    layer : int
        From 0.
    means : dict of str to ndarray of shape (N, H)
        Mean over the queries of each type (``all``, ``cls``, ``sep``, ``other``), nats; NaN where
        an example has no such query.

    Returns
    -------
    DataFrame
        For each example ``example``, ``layer``, ``js`` (mean over heads and queries, nats, 0 to
        ln 2), ``heads`` (list: the mean over queries of each head), ``cls``, ``sep``, ``other``
        (``js`` of the queries of a type).
    """
    return pd.DataFrame(
        {
            "example": examples,
            "layer": layer,
            "js": means["all"].mean(axis=1),
            "heads": list(means["all"]),
            **{kind: means[kind].mean(axis=1) for kind in ("cls", "sep", "other")},
        }
    )


if __name__ == "__main__":
    run(compare_attention, snakemake)
