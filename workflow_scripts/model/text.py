"""Text to tokens, and tokens to batches."""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from workflow_scripts.common.errors import UserError, one_line
from workflow_scripts.common.tables import read_json
from workflow_scripts.model.words import pieces_of_words

log = logging.getLogger("tunescape")


@dataclass(frozen=True, eq=False)
class Targets:
    """Labelled words, or pairs of words, of N sentences, in the order of the sentences.

    Attributes
    ----------
    ends : ndarray of shape (N + 1,), int64
        Those of a sentence are from its entry to that of the next.
    first, stop : ndarray of shape (M, k), int64
        Tokens of each word: the first in its sentence, and the one after the last; k = 2 for pairs.
    rows : ndarray of shape (M,), int64
        Row of each in the task's table, without those that are not whole.
    cut, empty : int
        Rows left out: a token of the word is beyond the longest input; the tokenizer makes no token
        of it.
    """

    ends: np.ndarray
    first: np.ndarray
    stop: np.ndarray
    rows: np.ndarray
    cut: int
    empty: int


# Settings that ``fetch_model`` writes beside a tokenizer.
_NEEDED = ("model_input_names", "model_max_length")


@dataclass(frozen=True)
class Encoded:
    """Tokens of N examples, without padding.

    Attributes
    ----------
    input_ids : list of N lists of int
        Token ids of each example.
    token_type_ids : list of N lists of int, or None
        None if the model takes none.
    lengths : ndarray of shape (N,)
        Tokens of each example, special ones included.
    labels : ndarray of shape (N,), int64
        Label id of each example; of shape (M,), of each target, where labels belong to words.
    targets : Targets or None
        None where labels belong to examples.
    """

    input_ids: list[list[int]]
    token_type_ids: list[list[int]] | None
    lengths: np.ndarray
    labels: np.ndarray
    targets: Targets | None = None

    def __len__(self) -> int:
        return len(self.input_ids)

    def labels_of(self, examples: np.ndarray) -> np.ndarray:
        """Places in ``labels`` of some examples' labels, in the order of the examples."""
        if self.targets is None:
            return examples
        firsts, counts = self.targets.ends[examples], np.diff(self.targets.ends)[examples]
        skipped = np.cumsum(counts) - counts
        return np.repeat(firsts - skipped, counts) + np.arange(counts.sum())


@dataclass(frozen=True)
class Tokenizer:
    """A model's tokenizer, from ``load_tokenizer``.

    Attributes
    ----------
    backend : tokenizers.Tokenizer
    pad_token_id, cls_token_id, sep_token_id : int
        Ids of special tokens; the last two are None where there are none.
    model_max_length : int
        Longest input in tokens.
    truncation_side : str
        "right" or "left": the end at which a longer input is cut.
    takes_types : bool
        Whether the model takes ``token_type_ids``.
    """

    backend: Any
    pad_token_id: int
    cls_token_id: int | None
    sep_token_id: int | None
    model_max_length: int
    truncation_side: str
    takes_types: bool


def load_tokenizer(model_dir: Path) -> Tokenizer:
    """The tokenizer that ``fetch_model`` stored in a model's folder.

    The library of transformers' fast tokenizers reads it: importing transformers takes longer than
    encoding most tasks. ``source.fetch`` makes sure that both give the same tokens.

    Raises
    ------
    UserError
        If one of its files is missing or cannot be read.
    """
    file = Path(model_dir) / "tokenizer.json"
    settings_file = file.with_name("tokenizer_config.json")
    try:
        text, settings = file.read_text(encoding="utf-8"), read_json(settings_file)
        if missing := [key for key in _NEEDED if key not in settings]:
            raise UserError(
                f"{settings_file}: has no {' and no '.join(missing)}, as files of transformers may "
                f"have none; the function fetch reads them: fetch('dir:{model_dir}').tokenizer"
            )
        return tokenizer_of(text, settings)
    except UserError:
        raise
    except Exception as error:
        # tokenizers raises errors of many types.
        raise UserError(
            f"{file}: cannot be read as a tokenizer ({one_line(error)[:200]})"
        ) from None


def tokenizer_of(text: str, settings: dict[str, Any]) -> Tokenizer:
    """The tokenizer of a ``tokenizer.json``'s text and a ``tokenizer_config.json``'s settings."""
    from tokenizers import Tokenizer as Backend

    backend = Backend.from_str(text)
    backend.no_padding()
    backend.encode_special_tokens = settings.get("split_special_tokens", False)

    def special(kind: str) -> int | None:
        token = settings.get(f"{kind}_token")
        content = token["content"] if isinstance(token, dict) else token
        return None if content is None else backend.token_to_id(content)

    return Tokenizer(
        backend=backend,
        pad_token_id=special("pad"),
        cls_token_id=special("cls"),
        sep_token_id=special("sep"),
        model_max_length=settings["model_max_length"],
        truncation_side=settings.get("truncation_side", "right"),
        takes_types="token_type_ids" in settings["model_input_names"],
    )


def encode(tokenizer: Tokenizer, table: pd.DataFrame, max_length: int) -> Encoded:
    """Tokens of a task's examples, in the table's order.

    Parameters
    ----------
    tokenizer : Tokenizer
        From ``load_tokenizer``.
    table : DataFrame
        Columns ``sentence`` or ``sentence1`` and ``sentence2``, and ``label``. Where it has a row
        per word, its sentences are the examples, in the order of ``sentence_id``; those of which no
        labelled word is whole are left out.
    max_length : int
        Longest input in tokens, special ones included. A longer one is cut at its end; a pair
        first loses tokens of the longer sentence.

    Raises
    ------
    UserError
        If ``max_length`` is more than the model takes, or an example has no token.
    KeyError
        If a column is missing.
    """
    if max_length > tokenizer.model_max_length:
        raise UserError(
            f"max_length: got {max_length}, the model takes at most {tokenizer.model_max_length}"
        )
    if "sentence_id" in table:
        return _encode_words(tokenizer, table, max_length)
    columns = ["sentence"] if "sentence" in table else ["sentence1", "sentence2"]
    texts = [table[column].astype(str).tolist() for column in columns]
    tokenizer.backend.enable_truncation(
        max_length, strategy="longest_first", direction=tokenizer.truncation_side
    )
    rows = tokenizer.backend.encode_batch(
        texts[0] if len(texts) == 1 else list(zip(*texts, strict=True))
    )
    for text, row in zip(texts[0], rows, strict=True):
        if not len(row):
            raise UserError(f"the tokenizer makes no token of the text {text[:40]!r}")
    return Encoded(
        input_ids=[row.ids for row in rows],
        token_type_ids=[row.type_ids for row in rows] if tokenizer.takes_types else None,
        lengths=np.fromiter((len(row) for row in rows), np.int64, len(rows)),
        labels=table["label"].to_numpy(np.int64),
    )


def _encode_words(tokenizer: Tokenizer, table: pd.DataFrame, max_length: int) -> Encoded:
    """``encode`` where labels belong to words. A longer input is cut on the right, always."""
    firsts = table.drop_duplicates("sentence_id")
    texts = firsts["sentence"].astype(str).tolist()
    backend = tokenizer.backend
    backend.no_truncation()
    whole = backend.encode_batch(texts)
    backend.enable_truncation(max_length, strategy="longest_first", direction="right")
    rows = backend.encode_batch(texts)
    starts = [name for name in ("start", "head_start") if name in table]
    spans = {
        sentence: [
            group[[start, start.replace("start", "stop")]].to_numpy(np.int64) for start in starts
        ]
        for sentence, group in table.groupby("sentence_id")
    }
    places = table.groupby("sentence_id").indices
    kept, found, cut, empty = [], [], 0, 0
    for number, (sentence, full, row) in enumerate(
        zip(firsts["sentence_id"], whole, rows, strict=True)
    ):
        last = int(np.flatnonzero(np.asarray(row.special_tokens_mask) == 0).max(initial=-1))
        words = [
            pieces_of_words(np.array(full.offsets), of_word, last + 1)
            for of_word in spans[sentence]
        ]
        beyond = np.logical_or.reduce([pieces.cut for pieces in words])
        none = np.logical_or.reduce([pieces.empty for pieces in words])
        cut, empty = cut + int(beyond.sum()), empty + int((none & ~beyond).sum())
        good = ~(beyond | none)
        if good.any():
            kept.append(number)
            first, stop = (
                np.stack([getattr(pieces, name)[good] for pieces in words], axis=1)
                for name in ("first", "stop")
            )
            found.append((first, stop, places[sentence][good]))
    if not kept:
        raise UserError(f"no labelled word fits into max_length: {max_length} tokens")
    if cut or empty:
        log.warning(
            "%d of %d labelled words left out: %d are cut away at max_length %d, of %d the "
            "tokenizer makes no token",
            *(cut + empty, len(table), cut, max_length, empty),
        )
    first, stop, used = (np.concatenate(parts) for parts in zip(*found, strict=True))
    ends = np.cumsum([0, *(len(rows) for *_, rows in found)])
    return Encoded(
        input_ids=[rows[k].ids for k in kept],
        token_type_ids=[rows[k].type_ids for k in kept] if tokenizer.takes_types else None,
        lengths=np.fromiter((len(rows[k]) for k in kept), np.int64, len(kept)),
        labels=table["label"].to_numpy(np.int64)[used],
        targets=Targets(ends, first, stop, used, cut, empty),
    )


def joined(parts: list[Encoded]) -> Encoded:
    """The examples of all parts, one part after the other; labels are of examples, not words."""
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
    lengths : ndarray of shape (N,)
        Tokens of each example.
    budget : int
        Most tokens of a batch with its padding; a longer example is a separate batch.
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
    encoded : Encoded
    indices : ndarray of shape (n,)
        Indices in ``encoded``, in the order of the batch; one or more.
    pad_id : int
        Token that fills up shorter examples.
    device : torch.device
        Where the tensors are placed.

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
