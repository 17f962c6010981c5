"""Import a run that was trained elsewhere: its checkpoints, its history, and scores."""

import logging
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from torch import Tensor

from workflow_scripts.common.device import chosen_token_budget, reproducible
from workflow_scripts.common.errors import UserError, in_one_line
from workflow_scripts.common.progress import progress
from workflow_scripts.common.tables import read_json, read_table, write_table
from workflow_scripts.finetune.adapters import merge_adapter
from workflow_scripts.finetune.checkpoints import (
    ADAPTER_CONFIG,
    INDEX,
    Saved,
    head_name,
    label_order,
    log_of,
)
from workflow_scripts.finetune.failed import is_failed, majority
from workflow_scripts.finetune.packed import forward_of
from workflow_scripts.finetune.scores import classification_scores, evaluate
from workflow_scripts.finetune.state import SCORES
from workflow_scripts.finetune.trainer_log import (
    history_of,
    missing_columns,
    reported_losses,
    train_losses,
)
from workflow_scripts.model.encoder import (
    build_classifier,
    load_weights,
    read_weights,
    write_weights,
)
from workflow_scripts.model.text import Tokenizer, encode, load_tokenizer
from workflow_scripts.rebuilds.step import run

log = logging.getLogger("tunescape")

# Largest share by which our loss on the dev set may differ from the Trainer's without a warning.
_MOST_DIFFERENCE = 0.01
# Dev examples of which two tokenizers' tokens are compared.
_COMPARED = 200


def import_run(
    dev: Path,
    card: Path,
    config: Path,
    tokenizer: Path,
    tokenizer_config: Path,
    weights: Path,
    checkpoints: list[Path],
    history: Path,
    scores: Path,
    folders: list[str],
    steps: list[int],
    starts_at_zero: bool,
    gradients: str | None,
    max_length: int,
    context: dict[str, Any],
) -> None:
    """Write a run's checkpoints, history and scores as ``finetune.finetune`` writes them.

    Step 0 is the base model with the head of the last checkpoint, unless ``starts_at_zero``.

    Parameters
    ----------
    dev, card : Path
        The task's dev table and card.
    config, tokenizer, tokenizer_config, weights : Path
        The base model's files, in one folder.
    checkpoints : list of Path
        To write: the classifier at each of the ``steps``.
    history : Path
        To write: see ``trainer_log.history_of``.
    scores : Path
        To write: a row per checkpoint, with the columns that ``finetune.finetune`` explains;
        ``epoch`` is the number of the checkpoint.
    folders : list of str
        Of the checkpoints that were saved, in their order.
    steps : list of int
        Optimizer steps of each point of the trajectory, from 0.
    starts_at_zero : bool
        Whether the first folder holds step 0, with its head.
    gradients : str or None
        Table of gradient norms by part of the model, where ``callback.SaveTrajectory`` wrote one.
    max_length : int
        Tokens; longer inputs are cut.
    context : dict
        ``device``, ``threads``, ``token_budget``.

    Raises
    ------
    UserError
        If the checkpoints do not fit the model or the task's labels, its tokenizer gives other
        tokens, a weight is not finite, ``max_length`` is more than the model takes, or the device
        is missing.
    """
    about, table = read_json(card), read_table(dev)
    text_tokenizer = load_tokenizer(config.parent)
    saved = [Saved(Path(f), s) for f, s in zip(folders, steps[-len(folders) :], strict=True)]
    with in_one_line():
        order = label_order(saved[-1], about["labels"], about["name"])
        _check_tokens(saved[-1].folder, text_tokenizer, table, max_length)
    if order != sorted(order):
        log.info("labels are put into the order of the task: rows %s of the head", order)
    written = log_of(saved[-1])
    norms = read_table(Path(gradients)) if gradients else None
    logged = history_of(written, steps, about["train"], norms)
    if missing := missing_columns(logged):
        log.info("not in the Trainer's log, left empty in %s: %s", history.name, missing)
    module = build_classifier(config.parent, len(about["labels"]))
    prefix = f"{module.base_model_prefix}."
    base = {prefix + name: tensor for name, tensor in read_weights(weights).items()}
    with reproducible(context) as device:
        encoded = encode(text_tokenizer, table, max_length)
        forward = forward_of(module.to(device), text_tokenizer.pad_token_id, device)
        budget = chosen_token_budget(context["token_budget"], device)
        rows = []
        points = trajectory_of(saved, base, order, whole=starts_at_zero)
        points = progress(points, "checkpoints", len(steps))
        for path, tensors in zip(checkpoints, points, strict=True):
            own = {name: tensors[name] for name, _ in module.named_parameters() if name in tensors}
            load_weights(module, own)
            rows.append(_scores(*evaluate(forward, encoded, budget), encoded.labels, order))
            write_weights(own, path)
    found = pd.DataFrame(rows).assign(
        epoch=range(len(steps)), step=steps, train_loss=train_losses(logged, steps)
    )
    _compare(found, reported_losses(written, steps))
    write_table(logged, history)
    write_table(found[list(SCORES)], scores)


def trajectory_of(
    saved: Sequence[Saved], base: Mapping[str, Tensor], order: list[int], whole: bool = False
) -> Iterator[dict[str, Tensor]]:
    """All weights of a run at each point of its trajectory, from step 0, in float32.

    Parameters
    ----------
    saved : sequence of Saved
        Checkpoints in their order.
    base : mapping of str to Tensor
        The base model's encoder, by full name.
    order : list of int
        Row of the saved heads for each label of the task.
    whole : bool
        Whether the first of ``saved`` is step 0; otherwise it is ``base`` with the head of the
        last checkpoint.
    """
    if not whole:
        yield reordered(read_classifier(saved[-1], base), order) | dict(base)
    for one in saved:
        yield reordered(read_classifier(one, base), order)


def read_classifier(saved: Saved, base: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """All weights of a checkpoint in float32, by full name.

    Parameters
    ----------
    saved : Saved
        Whole weights, in one file or several, or an adapter.
    base : mapping of str to Tensor
        The base model's, by full name, onto which an adapter is merged.
    """
    parts = [read_weights(path) for path in saved.weights if path.name != INDEX]
    tensors = {name: tensor for part in parts for name, tensor in part.items()}
    if saved.adapter:
        return merge_adapter(base, tensors, read_json(saved.folder / ADAPTER_CONFIG))
    return {name: tensor.float() for name, tensor in tensors.items()}


def reordered(tensors: dict[str, Tensor], order: list[int]) -> dict[str, Tensor]:
    """A classifier's weights with the rows of its head in another order.

    Parameters
    ----------
    tensors : dict of str to Tensor
        By full name.
    order : list of int
        Row of each label.
    """
    if order == sorted(order):
        return tensors
    head = head_name(tensors, Path())
    names = {head, head.removesuffix("weight") + "bias"} & set(tensors)
    return tensors | {name: tensors[name][order] for name in names}


def _check_tokens(folder: Path, tokenizer: Tokenizer, table: pd.DataFrame, max_length: int) -> None:
    """Check that the tokenizer beside a checkpoint gives the tokens of that of the base model."""
    from tokenizers import Tokenizer as Backend

    file = folder / "tokenizer.json"
    if not file.is_file():
        return
    own = Backend.from_file(str(file))
    own.no_padding()
    own.enable_truncation(max_length, direction=tokenizer.truncation_side)
    some = table.head(_COMPARED)
    columns = ["sentence"] if "sentence" in some else ["sentence1", "sentence2"]
    texts = [some[column].astype(str).tolist() for column in columns]
    rows = own.encode_batch(texts[0] if len(texts) == 1 else list(zip(*texts, strict=True)))
    if [row.ids for row in rows] != encode(tokenizer, some, max_length).input_ids:
        raise UserError(f"{folder}: its tokenizer gives other tokens than that of the base model")


def _scores(
    losses: np.ndarray, predictions: np.ndarray, labels: np.ndarray, order: list[int]
) -> dict[str, Any]:
    """Columns of a checkpoint's row that follow from the dev set."""
    baseline, loss = majority(labels), float(losses.mean())
    found = classification_scores(labels, predictions, len(order))
    diverged = not math.isfinite(loss)
    return {
        "dev_loss": loss,
        **found,
        "majority": baseline.accuracy,
        "diverged": diverged,
        "failed": diverged or is_failed(found["accuracy"], baseline),
        "predictions": predictions.tolist(),
    }


def _compare(found: pd.DataFrame, reported: list[float]) -> None:
    """Log our losses on the dev set and the Trainer's own, and warn where the last differ."""
    for row, theirs in zip(found.itertuples(), reported, strict=True):
        log.info(
            "step %d: dev loss %.5f (the Trainer's: %s), accuracy %.4f (majority class %.4f)",
            *(row.step, row.dev_loss, f"{theirs:.5f}" if np.isfinite(theirs) else "not logged"),
            *(row.accuracy, row.majority),
        )
    last, theirs = found.iloc[-1], reported[-1]
    if np.isfinite(theirs) and abs(last["dev_loss"] - theirs) > _MOST_DIFFERENCE * theirs:
        log.warning(
            "the dev loss of the last checkpoint is %.4f, the Trainer logged %.4f: other dev "
            "examples, another max_length (finetune.max_length) or another order of the labels?",
            *(last["dev_loss"], theirs),
        )


if __name__ == "__main__":
    run(import_run, snakemake)
