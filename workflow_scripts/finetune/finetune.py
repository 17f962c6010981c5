"""Train one run: a task's classifier, from a start, by a recipe."""

import logging
from pathlib import Path
from typing import Any

from workflow_scripts.common.device import (
    chosen_token_budget,
    keep_few_kernels,
    keep_freed_memory,
    reproducible,
)
from workflow_scripts.common.errors import UserError
from workflow_scripts.common.stopping import stop_requests
from workflow_scripts.common.tables import read_json, read_table, record
from workflow_scripts.finetune.recipe import Recipe
from workflow_scripts.finetune.state import State, digest_of
from workflow_scripts.finetune.training import Training
from workflow_scripts.model.encoder import (
    build_classifier,
    build_word_classifier,
    load_weights,
    read_weights,
    start_weights,
)
from workflow_scripts.model.text import encode, load_tokenizer
from workflow_scripts.rebuilds.step import run

log = logging.getLogger("tunescape")

# Words that a label belongs to, where it does not belong to a sentence.
WORDS = {"word": 1, "pair": 2}


def finetune(
    train: Path,
    dev: Path,
    card: Path,
    config: Path,
    tokenizer: Path,
    tokenizer_config: Path,
    weights: Path,
    checkpoints: list[Path],
    history: Path,
    scores: Path,
    recipe: dict[str, Any],
    init: int,
    order: int,
    max_length: int,
    continues: bool,
    context: dict[str, Any],
    state: str,
) -> None:
    """Train a run and write its checkpoints, history and scores.

    A run that was killed continues after its last whole epoch, and one that was asked to stop
    (SIGTERM, Ctrl-C) after its last step, to the same bits.

    Parameters
    ----------
    train, dev, card : Path
        The task's tables and card.
    config, tokenizer, tokenizer_config : Path
        The model's files of these names, in one folder.
    weights : Path
        The encoder to start from, pre-trained or random; for a recipe that continues another, the
        last checkpoint of that run, whose head is kept too.
    checkpoints : list of Path
        To write: the classifier after epoch 0 (the start), 1, …, ``epochs``.
    history : Path
        To write: a line per step: ``step`` (from 1), ``epoch``, ``learning_rate``, ``loss`` (nats,
        mean of the batch, with dropout), ``examples``, ``tokens`` (without padding),
        ``gradient_norm`` (Euclidean, before clipping) and ``gradient_norm_PART`` for embeddings,
        layer00 …, pooler, other and head, as far as the model has them.
    scores : Path
        To write: a line per epoch from 0: ``epoch``, ``step``, ``train_loss`` (mean of the epoch's
        steps, NaN where it has none), ``dev_loss``, ``accuracy``, ``majority`` (accuracy of always
        answering with the most frequent label), ``f1``, ``mcc``, ``diverged`` (a loss of this or
        an earlier epoch was infinite or NaN; later epochs repeat that one), ``failed`` (diverged,
        or no better than the majority class), ``predictions`` (list: label id of each dev example,
        -1 where an output is not a number).
    recipe : dict
        Fields of ``finetune.recipe.Recipe``.
    init, order : int
        Seeds of the head, and of the order of the examples and dropout.
    max_length : int
        Tokens; longer inputs are cut.
    continues : bool
        Whether ``weights`` is a checkpoint to continue from.
    context : dict
        ``device``, ``threads``, ``token_budget``.
    state : str
        Folder for the files that a killed run needs to continue; removed at the end.

    Raises
    ------
    UserError
        If the checkpoints are not one more than the epochs, a file cannot be read, the weights do
        not fit the model, ``max_length`` is more than the model takes, the device is missing, or a
        stop was requested.
    """
    about, settings = read_json(card), Recipe(**recipe)
    labels, words = len(about["labels"]), WORDS.get(about.get("unit", "sentence"))
    if len(checkpoints) != settings.epochs + 1:
        raise UserError(
            f"got {len(checkpoints)} checkpoints to write, expected {settings.epochs + 1}"
        )
    inputs = (train, dev, config, tokenizer, tokenizer_config, weights)
    key = {
        "recipe": recipe,
        "seeds": {"init": init, "order": order},
        "max_length": max_length,
        "continues": continues,
        "inputs": {path.name: digest_of(path) for path in inputs},
        "code": record().get("code"),
        "versions": record().get("versions"),
    }
    text_tokenizer = load_tokenizer(config.parent)
    if words is None:
        module = build_classifier(config.parent, labels, settings.dropout)
    else:
        module = build_word_classifier(config.parent, labels, words, settings.dropout)
    start = read_weights(weights)
    load_weights(module, start if continues else start_weights(module, start, init))
    del start
    keep_freed_memory()
    keep_few_kernels()
    with reproducible(context) as device, stop_requests() as asked_to_stop:
        training = Training(
            module.to(device),
            encode(text_tokenizer, read_table(train), max_length),
            encode(text_tokenizer, read_table(dev), max_length),
            labels,
            text_tokenizer.pad_token_id,
            settings,
            order,
            device,
            chosen_token_budget(context["token_budget"], device),
            asked_to_stop,
        )
        kept = State(Path(state), key)
        training.run(kept)
    kept.publish(checkpoints, history, scores)
    kept.remove()


if __name__ == "__main__":
    run(finetune, snakemake)
