"""Text to tokens, and tokens to batches."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from workflow_scripts.common.errors import UserError, one_line
from workflow_scripts.model.checks import tokenizer_files
from workflow_scripts.model.encoder import quiet


@dataclass(frozen=True)
class Encoded:
    """Tokens of N examples, without padding.

    ``input_ids``, and ``token_type_ids`` where the model takes them: a list of N lists;
    ``lengths`` (N,) tokens with the special ones; ``labels`` (N,) int64.
    """

    input_ids: list[list[int]]
    token_type_ids: list[list[int]] | None
    lengths: np.ndarray
    labels: np.ndarray

    def __len__(self) -> int:
        return len(self.input_ids)


def load_tokenizer(model_dir: Path):
    """The fast tokenizer of a model's folder; code that comes with a model is never run.

    Raises
    ------
    UserError : if the folder has no tokenizer files, they cannot be read, or the tokenizer is not
        a fast one or has no padding token.
    """
    from transformers import AutoTokenizer

    tokenizer_files(Path(model_dir))  # without any, transformers makes one that knows no words
    try:
        with quiet():
            tokenizer = AutoTokenizer.from_pretrained(
                model_dir, local_files_only=True, trust_remote_code=False, use_fast=True
            )
    except Exception as error:
        # transformers and tokenizers raise whatever the file makes them raise.
        raise UserError(f"{model_dir}: tokenizer: {one_line(error)[:300]}") from None
    if not tokenizer.is_fast:
        raise UserError(f"{model_dir}: tokenizer: no fast tokenizer (tokenizer.json) for it")
    if tokenizer.pad_token_id is None:
        raise UserError(f"{model_dir}: tokenizer: has no padding token")
    return tokenizer


def encode(tokenizer, table: pd.DataFrame, max_length: int) -> Encoded:
    """Tokens of a task's examples, in the table's order.

    Parameters
    ----------
    tokenizer : from ``load_tokenizer``.
    table : columns ``sentence`` or ``sentence1`` and ``sentence2``, and ``label``.
    max_length : longest input in tokens, special ones included. What is longer is cut at its
        end; of a pair, tokens go from the longer sentence first.

    Raises
    ------
    UserError : if ``max_length`` is more than the model takes.
    KeyError : if a column is missing.
    """
    if max_length > tokenizer.model_max_length:
        raise UserError(
            f"max_length: got {max_length}, the model takes at most {tokenizer.model_max_length}"
        )
    columns = ["sentence"] if "sentence" in table else ["sentence1", "sentence2"]
    texts = [table[column].astype(str).tolist() for column in columns]
    if not texts[0]:  # tokenizers refuse an empty batch
        return Encoded([], None, np.zeros(0, np.int64), np.zeros(0, np.int64))
    tokens = tokenizer(
        *texts,
        truncation="longest_first",
        max_length=max_length,
        padding=False,
        return_attention_mask=False,
        verbose=False,
    )
    ids = tokens["input_ids"]
    return Encoded(
        input_ids=ids,
        token_type_ids=tokens.get("token_type_ids"),
        lengths=np.fromiter((len(row) for row in ids), np.int64, len(ids)),
        labels=table["label"].to_numpy(np.int64),
    )


def joined(parts: list[Encoded]) -> Encoded:
    """The examples of all parts, one part after the other; all from one tokenizer."""
    types = [part.token_type_ids for part in parts if len(part)]
    return Encoded(
        input_ids=[ids for part in parts for ids in part.input_ids],
        token_type_ids=None if None in types else [row for part in types for row in part],
        lengths=np.concatenate([part.lengths for part in parts]),
        labels=np.concatenate([part.labels for part in parts]),
    )


def token_batches(lengths: np.ndarray, budget: int) -> list[np.ndarray]:
    """Batches of similar lengths: indices (int64), each index in exactly one batch.

    Parameters
    ----------
    lengths : (N,) tokens of each example.
    budget : most tokens of a batch with its padding; a longer example is a batch of its own.
    """
    order = np.argsort(lengths, kind="stable")
    batches, first = [], 0
    for last in range(1, len(order) + 1):
        # The batch would be as wide as its last example, the longest.
        if last == len(order) or (last + 1 - first) * lengths[order[last]] > budget:
            batches.append(order[first:last])
            first = last
    return batches


def collate(encoded: Encoded, indices: np.ndarray, pad_id: int, device="cpu") -> dict:
    """Inputs of a classifier for some examples, padded on the right to the longest of them.

    Parameters
    ----------
    indices : places in ``encoded``, one or more; they give the order of the rows.
    pad_id : token that fills up shorter examples.

    Returns
    -------
    ``input_ids``, ``attention_mask`` (1 for tokens, 0 for padding) and, where the model takes them,
    ``token_type_ids``: int64 tensors (len(indices), longest), on ``device``.
    """
    import torch

    width = int(encoded.lengths[indices].max())
    ids = np.full((len(indices), width), pad_id, dtype=np.int64)
    mask = np.zeros((len(indices), width), dtype=np.int64)
    types = np.zeros((len(indices), width), dtype=np.int64)
    for row, index in enumerate(indices):
        length = encoded.lengths[index]
        ids[row, :length] = encoded.input_ids[index]
        mask[row, :length] = 1
        if encoded.token_type_ids is not None:
            types[row, :length] = encoded.token_type_ids[index]
    inputs = {"input_ids": ids, "attention_mask": mask}
    if encoded.token_type_ids is not None:
        inputs["token_type_ids"] = types
    return {name: torch.from_numpy(array).to(device) for name, array in inputs.items()}
