"""Put groups of layers back to their pre-trained weights and score the model."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from workflow_scripts.common.progress import progress
from workflow_scripts.common.tables import read_json, read_table, write_table
from workflow_scripts.rebuilds.step import run


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
    """Write the accuracies of a fine-tuned model with each layer group put back.

    Parameters
    ----------
    config, tokenizer, tokenizer_config : the model's files of these names, in one folder.
    card, dev : the task's card and dev examples, all of which are scored.
    start, end : first and last checkpoint of the run; the head is that of ``end``.
    rollback : to write: see ``table``.
    groups : first and last layer of each group by name, both included, from 0; None for thirds.
    max_length : longest input in tokens.
    resamples : bootstrap samples of the examples.
    context : ``device``, ``threads``, ``token_budget``.

    Raises
    ------
    UserError : if a file cannot be read or does not fit the model, the model lacks a group's
        layers or shares them (ALBERT), or the device is not there.

    References
    ----------
    Hao et al. (2019), section 7 and table 1.
    """
    from workflow_scripts.common.device import reproducible
    from workflow_scripts.landscape.engine import Evaluator
    from workflow_scripts.model.encoder import (
        encoder_names,
        layer_count,
        load_classifier,
        load_weights,
        names_in_layers,
        read_weights,
    )
    from workflow_scripts.model.layers import layer_groups
    from workflow_scripts.model.text import encode, load_tokenizer

    budget = context["token_budget"]
    with reproducible(context) as device:
        labels = len(read_json(card)["labels"])
        before, after = read_weights(start), read_weights(end)
        module = load_classifier(config.parent, labels, after, device)
        words = load_tokenizer(config.parent)
        examples = read_table(dev)
        encoded = encode(words, examples, max_length)
        evaluate = Evaluator(module, {"dev": encoded}, words.pad_token_id, budget)
        correct = {}
        layers = {"none": None, **layer_groups(layer_count(module), groups)}
        for name, group in progress(list(layers.items()), "groups"):
            back = [] if group is None else names_in_layers(encoder_names(module), group)
            load_weights(module, after | {parameter: before[parameter] for parameter in back})
            correct[name] = evaluate()["dev"].prediction == examples["label"].to_numpy()
        write_table(table(correct, layers, resamples), rollback)


def table(
    correct: dict[str, np.ndarray], layers: dict[str, range | None], resamples: int
) -> pd.DataFrame:
    """Accuracies with layer groups put back.

    Parameters
    ----------
    correct : group -> whether each dev example is right [N]; ``none`` is the fine-tuned model.
    layers : group -> layers put back; None for ``none``.
    resamples : bootstrap samples of the examples; their seed is fixed.

    Returns
    -------
    One row per group: ``group``, ``first``, ``last``, ``accuracy`` (0 to 1), ``difference``
    from the fine-tuned model in percentage points (negative: the rollback loses), ``low``,
    ``high`` (its 95 % interval: the 2.5th and 97.5th percentiles of a paired bootstrap over
    examples), ``examples``.

    References
    ----------
    Hao et al. (2019), section 7 and table 1, which has no intervals.
    """
    n = len(correct["none"])
    counts = np.random.default_rng(0).multinomial(n, np.full(n, 1 / n), size=resamples)
    rows = []
    for name, right in correct.items():
        change = 100 * (right.astype(float) - correct["none"])
        low, high = np.percentile(counts @ change / n, [2.5, 97.5])
        rows.append(
            {
                "group": name,
                "first": layers[name].start if layers[name] else None,
                "last": layers[name].stop - 1 if layers[name] else None,
                "accuracy": right.mean(),
                "difference": change.mean(),
                "low": low,
                "high": high,
                "examples": n,
            }
        )
    frame = pd.DataFrame(rows)
    return frame.astype({"first": "Int64", "last": "Int64"})


if __name__ == "__main__":
    run(roll_back_groups, snakemake)
