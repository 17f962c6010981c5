"""Prepare a model's masked-LM head, and the masked text on which forgetting is measured."""

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from workflow_scripts.common.device import chosen_token_budget, reproducible
from workflow_scripts.common.errors import UserError
from workflow_scripts.common.paths import expanded
from workflow_scripts.common.tables import read_json, write_table
from workflow_scripts.data.synthetic import GRAMMARS, generate
from workflow_scripts.model.encoder import (
    build_classifier,
    load_classifier,
    read_weights,
    start_weights,
    write_weights,
)
from workflow_scripts.model.text import load_tokenizer
from workflow_scripts.rebuilds.step import run
from workflow_scripts.stability.masked_lm import (
    Head,
    MaskedText,
    head_of,
    mask,
    mask_token,
    own_head,
    states_at,
)

log = logging.getLogger("tunescape")
_WEIGHTS = ("*.safetensors", "model.safetensors.index.json")
_MASKINGS = 3  # of each sentence that the probe is trained on
_EPOCHS, _BATCH, _RATE = 30, 128, 2e-3
_EVERY = 5  # of the lines of a file, every so many are for the perplexity


def prepare_masked_lm(
    config: Path,
    tokenizer: Path,
    tokenizer_config: Path,
    weights: Path,
    model_card: Path,
    head: Path,
    text: Path,
    source: str,
    text_file: str | None,
    sentences: int,
    max_length: int,
    seed: int,
    context: dict[str, Any],
) -> None:
    """Write a model's masked-LM head and the text for its perplexity.

    A model whose source has a masked-LM head keeps it. For any other one a head of the same form,
    the masked-LM probe, is trained on the frozen pre-trained encoder.

    Parameters
    ----------
    config, tokenizer, tokenizer_config, weights, model_card : Path
        The model's files.
    head : Path
        To write: tensors of ``masked_lm.head_of``, ``words`` (the tokens among which it chooses: of
        a probe those of its text) and ``own`` (1 for the model's own head, else 0).
    text : Path
        To write: ``input_ids`` of each sentence, masked, ``token_type_ids`` where the model takes
        them, and ``places`` (in the sentence) and ``targets`` of the masked tokens.
    source : str
        The model's source.
    text_file : str or None
        A file with a text, a line each; None for sentences of the grammars.
    sentences : int
        Lines for the perplexity at most, and four times as many to train a probe.
    max_length : int
        Longest line in tokens; longer ones are cut.
    seed : int
        Of the masks and of the probe.
    context : dict
        ``device``, ``threads``, ``token_budget``.

    Raises
    ------
    UserError
        If the text is empty, the tokenizer has no mask token, or the architecture has no word
        embeddings of the usual name.
    """
    for_training, for_perplexity = (
        grammar_sentences(sentences, seed) if text_file is None else read_lines(Path(text_file))
    )
    words = load_tokenizer(config.parent)
    mask_id = mask_token(read_json(tokenizer_config), words)
    encoder = read_weights(weights)
    vocabulary = len(encoder.get("embeddings.word_embeddings.weight", ()))
    folder = checkpoint_folder(source, read_json(model_card).get("revision"))
    tensors = own_head(folder, vocabulary) if folder else None
    if tensors is not None:
        for_perplexity = [*for_perplexity, *for_training] if text_file else for_perplexity
    masked = mask(for_perplexity[:sentences], words, mask_id, max_length, seed)
    if tensors is None:
        trained_on = [
            mask(for_training[: 4 * sentences], words, mask_id, max_length, seed + 1 + repeat)
            for repeat in range(_MASKINGS)
        ]
        known = np.unique(np.concatenate([one.targets for one in (masked, *trained_on)]))
        with reproducible(context) as device:
            probe = head_of(config, encoder, None, torch.from_numpy(known))
            module = build_classifier(config.parent, 2)
            module = load_classifier(config.parent, 2, start_weights(module, encoder, 0), device)
            budget = chosen_token_budget(context["token_budget"], device)
            states = torch.cat(
                [states_at(module, one, words.pad_token_id, budget) for one in trained_on]
            )
            targets = torch.from_numpy(np.concatenate([one.targets for one in trained_on]))
            train_probe(probe, states, targets, seed)
        tensors = {name: tensor.detach() for name, tensor in probe.state_dict().items()}
        own = 0.0
    else:
        known, own = np.arange(vocabulary), 1.0
    facts = {"words": torch.from_numpy(known), "own": torch.tensor([own])}
    write_weights({**tensors, **facts}, head)
    write_table(text_table(masked), text)


def checkpoint_folder(source: str, revision: str | None) -> Path | None:
    """Folder with the files of a model's source, which has been fetched before.

    Parameters
    ----------
    source : str
        As in the configuration.
    revision : str or None
        Commit of a hub source, all digits.

    Returns
    -------
    Path or None
        None for a random model, and for one of a pip package: those carry encoders alone.
    """
    scheme, _, place = source.partition(":")
    if scheme == "dir":
        return expanded(place, source)
    if scheme == "hub":
        from huggingface_hub import snapshot_download

        repository = place.partition("@")[0]
        return Path(snapshot_download(repository, revision=revision, allow_patterns=[*_WEIGHTS]))
    return None


def grammar_sentences(count: int, seed: int) -> tuple[list[str], list[str]]:
    """Sentences of all grammars, for training and for the perplexity, which share none.

    Parameters
    ----------
    count : int
        For the perplexity; four times as many for training.
    seed : int
        Of the sentences.
    """
    found: list[list[str]] = [[], []]
    share = -(-count // len(GRAMMARS))
    for name in GRAMMARS:
        for place, table in enumerate(generate(name, 4 * share, share, seed)[:2]):
            columns = [column for column in table if column != "label"]
            sentences = [s for row in table[columns].to_numpy().tolist() for s in row]
            found[place] += list(dict.fromkeys(sentences))[: (4 * share, share)[place]]
    known = set(found[0])
    return found[0], [sentence for sentence in found[1] if sentence not in known]


def read_lines(path: Path) -> tuple[list[str], list[str]]:
    """Lines of a text file that are not empty: those to train a probe, those for the perplexity.

    Raises
    ------
    UserError
        If it has fewer than two.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"stability.forgetting.text: {path}: cannot be read ({error})") from None
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if len(lines) < 2:
        raise UserError(
            f"stability.forgetting.text: {path} has {len(lines) or 'no'} lines of text, expected 2 "
            "or more"
        )
    held_out = lines[::_EVERY]
    return [line for place, line in enumerate(lines) if place % _EVERY], held_out


def train_probe(probe: Head, states: torch.Tensor, targets: torch.Tensor, seed: int) -> None:
    """Train a head on fixed hidden states; the losses are in the log.

    Parameters
    ----------
    probe : Head
        Changed in place.
    states : Tensor of shape [M, H]
        Last hidden states of masked tokens.
    targets : Tensor of shape [M], int64
        The tokens.
    seed : int
        Of its first weights and of the order of the tokens.
    """
    torch.manual_seed(seed)
    with torch.no_grad():
        torch.nn.init.normal_(probe.dense.weight, std=0.02)
        torch.nn.init.zeros_(probe.dense.bias)
    optimizer = torch.optim.Adam(probe.parameters(), lr=_RATE)
    for epoch in range(_EPOCHS):
        for group in optimizer.param_groups:
            group["lr"] = _RATE * (1 - epoch / _EPOCHS)
        total = 0.0
        for batch in torch.randperm(len(targets)).split(_BATCH):
            loss = probe.losses(states[batch], targets[batch]).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(batch)
        log.info("masked-LM probe, epoch %d: %.3f nats", epoch + 1, total / len(targets))


def text_table(text: MaskedText) -> pd.DataFrame:
    """Masked sentences as a table, a row each; ``read_text`` reads it."""
    encoded = text.encoded
    ends = np.cumsum(encoded.lengths)
    cuts = np.searchsorted(text.places, ends[:-1])
    firsts = ends - encoded.lengths
    columns = {
        "input_ids": encoded.input_ids,
        "places": [
            (places - first).tolist()
            for places, first in zip(np.split(text.places, cuts), firsts, strict=True)
        ],
        "targets": [targets.tolist() for targets in np.split(text.targets, cuts)],
    }
    if encoded.token_type_ids is not None:
        columns["token_type_ids"] = encoded.token_type_ids
    return pd.DataFrame(columns)


if __name__ == "__main__":
    run(prepare_masked_lm, snakemake)
