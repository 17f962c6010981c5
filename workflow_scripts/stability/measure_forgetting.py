"""Measure how many layers must be reset until a masked language model is itself again."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from workflow_scripts.common.device import chosen_token_budget, reproducible
from workflow_scripts.common.progress import progress
from workflow_scripts.common.tables import read_json, read_table, write_table
from workflow_scripts.model.encoder import (
    layer_count,
    layer_of,
    load_classifier,
    load_weights,
    names_with_prefix,
    read_weights,
)
from workflow_scripts.model.text import Encoded, load_tokenizer
from workflow_scripts.rebuilds.step import run
from workflow_scripts.stability.masked_lm import MaskedText, head_of, states_at

Weights = dict[str, torch.Tensor]


def measure_forgetting(
    config: Path,
    tokenizer: Path,
    tokenizer_config: Path,
    card: Path,
    weights: Path,
    head: Path,
    text: Path,
    failed: list[Path],
    successful: list[Path],
    chosen: Path,
    forgetting: Path,
    context: dict[str, Any],
) -> None:
    """Write the masked-LM loss of fine-tuned encoders with their top layers reset.

    The head and its word embeddings are the pre-trained ones throughout.

    Parameters
    ----------
    config, tokenizer, tokenizer_config : Path
        The model's files of these names, in one folder.
    card : Path
        The task's card.
    weights : Path
        The pre-trained encoder.
    head, text : Path
        Of ``prepare_masked_lm``.
    failed, successful : list of Path
        Weights of runs; files without tensors are skipped.
    chosen : Path
        Which runs they are (``train_again``).
    forgetting : Path
        To write: for each run and number of ``layers_reset`` from the top ``loss`` (nats, mean over
        the masked tokens), ``perplexity``, ``outcome``, ``init``, ``order``, ``tokens`` and
        ``own_head``. With all layers reset the embeddings are too, so that the loss is that of the
        pre-trained encoder, which is a row of its own (``outcome`` pretrained).
    context : dict
        ``device``, ``threads``, ``token_budget``.

    Raises
    ------
    UserError
        If a file cannot be read or does not fit the model.

    References
    ----------
    Mosbach et al. (2021), section 4.1 and figure 2.
    """
    encoder, kept = read_weights(weights), read_weights(head)
    words, own = kept.pop("words").long(), bool(kept.pop("own").item())
    scorer = head_of(config, encoder, kept, words)
    masked = read_text(text)
    targets = torch.from_numpy(masked.targets)
    runs = read_table(chosen)
    files = [path for path in (*failed, *successful) if read_weights(path)]
    pad_id = load_tokenizer(config.parent).pad_token_id
    rows = []
    with reproducible(context) as device:
        budget = chosen_token_budget(context["token_budget"], device)
        module = None

        def loss_of(tensors: Weights) -> float:
            load_weights(module, tensors)
            with torch.no_grad():
                states = states_at(module, masked, pad_id, budget)
                return float(scorer.losses(states, targets).double().mean())

        labels = len(read_json(card)["labels"])
        for which, path in zip(runs.to_dict("records"), files, strict=True):
            tuned = read_weights(path)
            before = pretrained(encoder, tuned)
            if module is None:
                module = load_classifier(config.parent, labels, tuned, device)
                rows.append({"outcome": "pretrained", "loss": loss_of({**tuned, **before})})
            layers = layer_count(tuned)
            for count in progress(range(layers + 1), "layers reset"):
                loss = loss_of(with_top_reset(tuned, before, layers, count))
                facts = {key: which[key] for key in ("outcome", "init", "order")}
                rows.append({**facts, "layers_reset": count, "loss": loss})
    columns = ["outcome", "init", "order", "layers_reset", "loss"]
    table = pd.DataFrame(rows, columns=columns)
    table = table.astype(dict.fromkeys(["init", "order", "layers_reset"], "Int64"))
    table["perplexity"] = np.exp(table["loss"].astype(float))
    write_table(table.assign(tokens=len(masked.targets), own_head=own), forgetting)


def pretrained(encoder: Weights, classifier: Weights) -> Weights:
    """The pre-trained encoder under the names that it has in a classifier."""
    names = names_with_prefix(encoder, classifier)
    return dict(zip(names, encoder.values(), strict=True))


def with_top_reset(tuned: Weights, before: Weights, layers: int, count: int) -> Weights:
    """A fine-tuned classifier with its top layers reset.

    Parameters
    ----------
    tuned : dict of str to Tensor
        The fine-tuned classifier.
    before : dict of str to Tensor
        The pre-trained encoder, by the same names.
    layers : int
        Number of layers with separate weights.
    count : int
        How many are reset, from the top; all of them reset the rest of the encoder, too.
    """
    if count == layers:
        return {**tuned, **before}
    top = {
        name: tensor
        for name, tensor in before.items()
        if (layer := layer_of(name)) is not None and layer >= layers - count
    }
    return {**tuned, **top}


def read_text(path: Path) -> MaskedText:
    """The masked sentences of ``prepare_masked_lm``."""
    table = read_table(path)
    ids = [row.tolist() for row in table["input_ids"]]
    types = None
    if "token_type_ids" in table:
        types = [row.tolist() for row in table["token_type_ids"]]
    lengths = np.array([len(row) for row in ids], np.int64)
    firsts = np.cumsum(lengths) - lengths
    places = [first + row for first, row in zip(firsts, table["places"], strict=True)]
    return MaskedText(
        Encoded(ids, types, lengths, np.zeros(len(ids), np.int64)),
        np.concatenate(places).astype(np.int64),
        np.concatenate(table["targets"].to_list()).astype(np.int64),
    )


if __name__ == "__main__":
    run(measure_forgetting, snakemake)
