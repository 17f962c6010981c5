"""Roll back one group of layers at a time and score the model."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from workflow_scripts.common.intervals import percentile_interval, resampled_means
from workflow_scripts.common.progress import progress
from workflow_scripts.common.tables import read_json, read_table, write_table
from workflow_scripts.rebuilds.step import run

_SEED = 0


def roll_back_groups(
    config: Path,
    tokenizer: Path,
    tokenizer_config: Path,
    card: Path,
    dev: Path,
    start: Path,
    end: Path,
    rollback: Path,
    groups: dict[str, list[int]] | None,
    max_length: int,
    resamples: int,
    context: dict[str, Any],
) -> None:
    """Write the accuracies of a fine-tuned model with each layer group rolled back.

    Parameters
    ----------
    config, tokenizer, tokenizer_config : Path
        The model's files of these names, in one folder.
    card, dev : Path
        The task's card and dev examples, all of which are scored.
    start, end : Path
        First and last checkpoint of the run; the head is that of ``end``.
    rollback : Path
        To write: see ``table``.
    groups : dict of str to [int, int], or None
        First and last layer of each group, both included, from 0; None for thirds.
    max_length : int
        Longest input in tokens.
    resamples : int
        Bootstrap samples of the examples.
    context : dict
        ``device``, ``threads``, ``token_budget``.

    Raises
    ------
    UserError
        If a file cannot be read or does not fit the model, the model lacks a group's layers or
        shares them (ALBERT), or the device is not available.

    References
    ----------
    Hao et al. (2019), section 7 and table 1.
    """
    from workflow_scripts.common.device import reproducible
    from workflow_scripts.landscape.engine import Evaluator
    from workflow_scripts.model.encoder import (
        layer_count,
        load_classifier,
        load_weights,
        read_weights,
    )
    from workflow_scripts.model.layers import layer_groups
    from workflow_scripts.model.text import encode, load_tokenizer
    from workflow_scripts.rollback.weights import rolled_back

    with reproducible(context) as device:
        labels = len(read_json(card)["labels"])
        before, after = read_weights(start), read_weights(end)
        module = load_classifier(config.parent, labels, after, device)
        loaded_tokenizer = load_tokenizer(config.parent)
        pad_id = loaded_tokenizer.pad_token_id
        examples = read_table(dev)
        encoded = encode(loaded_tokenizer, examples, max_length)
        evaluate = Evaluator(module, {"dev": encoded}, pad_id, context["token_budget"])
        layers = {"none": None, **layer_groups(layer_count(module), groups)}
        correct = {}
        for name, group in progress(list(layers.items()), "groups"):
            load_weights(module, after if group is None else rolled_back(after, before, group))
            correct[name] = evaluate()["dev"].prediction == examples["label"].to_numpy()
        write_table(table(correct, layers, resamples), rollback)


def table(
    correct: dict[str, np.ndarray], layers: dict[str, range | None], resamples: int
) -> pd.DataFrame:
    """Accuracies with layer groups rolled back.

    Parameters
    ----------
    correct : dict of str to ndarray of shape (N,), bool
        For each group whether each dev example is classified correctly with it rolled back;
        ``none`` is the fine-tuned model.
    layers : dict of str to range
        The layers of each group; None for ``none``.
    resamples : int
        Bootstrap samples of the examples; their seed is fixed.

    Returns
    -------
    DataFrame
        One row per group: ``group``, ``first``, ``last``, ``accuracy`` (0 to 1), ``difference``
        from the fine-tuned model in percentage points (negative: the rollback loses), ``low``,
        ``high`` (its 95 % interval: percentiles of a paired bootstrap over examples),
        ``examples``, ``correct`` (list of bool: each example).

    References
    ----------
    Hao et al. (2019), section 7 and table 1, which has no intervals.
    """
    none = correct["none"]
    changes = np.stack([100 * (right.astype(float) - none) for right in correct.values()])
    lows, highs = percentile_interval(resampled_means(changes, resamples, _SEED), axis=0)
    frame = pd.DataFrame(
        {
            "group": list(correct),
            "first": [layers[name].start if layers[name] else None for name in correct],
            "last": [layers[name].stop - 1 if layers[name] else None for name in correct],
            "accuracy": [right.mean() for right in correct.values()],
            "difference": [change.mean() for change in changes],
            "low": lows,
            "high": highs,
            "examples": len(none),
            "correct": list(correct.values()),
        }
    )
    return frame.astype({"first": "Int64", "last": "Int64"})


if __name__ == "__main__":
    run(roll_back_groups, snakemake)
