"""Masked language modelling: masked text, and a head on an encoder's hidden states."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.nn import functional
from transformers.activations import ACT2FN

from workflow_scripts.common.errors import UserError
from workflow_scripts.common.tables import read_json
from workflow_scripts.model.families import ACTIVATIONS
from workflow_scripts.model.running import hidden_states
from workflow_scripts.model.text import Encoded, Tokenizer, encode, token_batches

MASKED, AS_MASK, AS_RANDOM = 0.15, 0.8, 0.1  # Devlin et al. (2018), section 3.1
# Names in checkpoints of BERT, RoBERTa and ALBERT, those of TensorFlow too.
_OWN = {
    "dense.weight": r"(cls\.predictions\.transform|lm_head|predictions)\.dense\.weight",
    "dense.bias": r"(cls\.predictions\.transform|lm_head|predictions)\.dense\.bias",
    "norm.weight": r"(cls\.predictions\.transform|lm_head|predictions)"
    r"\.(LayerNorm|layer_norm)\.(weight|gamma)",
    "norm.bias": r"(cls\.predictions\.transform|lm_head|predictions)"
    r"\.(LayerNorm|layer_norm)\.(bias|beta)",
    "bias": r"(cls\.predictions|lm_head|predictions)\.bias",
}


@dataclass(frozen=True)
class MaskedText:
    """Sentences of which some tokens are masked.

    Attributes
    ----------
    encoded : Encoded
        The sentences, masked.
    places : ndarray of shape (M,), int64
        Of the masked tokens among those of all sentences, one sentence after the other.
    targets : ndarray of shape (M,), int64
        The tokens that were there.
    """

    encoded: Encoded
    places: np.ndarray
    targets: np.ndarray


def mask_token(settings: dict[str, Any], tokenizer: Tokenizer) -> int:
    """Id of a tokenizer's mask.

    Parameters
    ----------
    settings : dict
        Content of ``tokenizer_config.json``.
    tokenizer : Tokenizer

    Raises
    ------
    UserError
        If it has none.
    """
    token = settings.get("mask_token")
    content = token["content"] if isinstance(token, dict) else token
    found = None if content is None else tokenizer.backend.token_to_id(content)
    if found is None:
        raise UserError(
            "the tokenizer has no mask token, so forgetting cannot be measured; set "
            "stability.forgetting.runs: 0"
        )
    return found


def mask(
    sentences: Sequence[str], tokenizer: Tokenizer, mask_id: int, max_length: int, seed: int
) -> MaskedText:
    """Mask 15 % of the tokens of each sentence, at least one, as BERT's training does.

    Of them 80 % become the mask token, 10 % a random token, 10 % stay; special tokens are not
    masked.

    Parameters
    ----------
    sentences : sequence of str
        Longer ones are cut.
    tokenizer : Tokenizer
    mask_id : int
        The mask token.
    max_length : int
        Tokens of a sentence at most.
    seed : int
        The same seed and sentences give the same masks.

    Raises
    ------
    UserError
        If no sentence has a token that could be masked.

    References
    ----------
    Devlin et al. (2018), section 3.1.
    """
    encoded = encode(tokenizer, pd.DataFrame({"sentence": list(sentences), "label": 0}), max_length)
    special = [
        number
        for number, token in tokenizer.backend.get_added_tokens_decoder().items()
        if token.special
    ]
    words = np.setdiff1d(np.arange(tokenizer.backend.get_vocab_size()), special)
    tokens = np.concatenate([np.asarray(ids, np.int64) for ids in encoded.input_ids])
    rng = np.random.default_rng(seed)
    places = []
    for first, length in zip(
        np.cumsum(encoded.lengths) - encoded.lengths, encoded.lengths, strict=True
    ):
        usable = first + np.flatnonzero(~np.isin(tokens[first : first + length], special))
        if len(usable):
            count = max(1, round(MASKED * len(usable)))
            places.append(np.sort(rng.choice(usable, count, replace=False)))
    if not places:
        raise UserError("the text for masked language modelling has no words")
    place = np.concatenate(places)
    targets = tokens[place].copy()
    lot = rng.random(len(place))
    replaced = np.where(lot < AS_MASK, mask_id, targets)
    random = rng.choice(words, len(place))
    tokens[place] = np.where(lot >= 1 - AS_RANDOM, random, replaced)
    parts = np.split(tokens, np.cumsum(encoded.lengths)[:-1])
    masked = Encoded(
        [part.tolist() for part in parts],
        encoded.token_type_ids,
        encoded.lengths,
        encoded.labels,
    )
    return MaskedText(masked, place, targets)


def states_at(module: torch.nn.Module, text: MaskedText, pad_id: int, token_budget: int) -> Tensor:
    """Last hidden states of the masked tokens, float32 of shape [M, H], on the CPU.

    Parameters
    ----------
    module : nn.Module
        Classifier, of which the encoder is used.
    text : MaskedText
    pad_id : int
        Padding token.
    token_budget : int
        Tokens of one forward pass.
    """
    lengths = text.encoded.lengths
    firsts = np.cumsum(lengths) - lengths
    every = None
    for batch in token_batches(lengths, token_budget):
        states = hidden_states(module, text.encoded, batch, pad_id)[-1].float().cpu()
        if every is None:
            every = torch.empty(int(lengths.sum()), states.shape[1])
        rows = np.concatenate([np.arange(firsts[i], firsts[i] + lengths[i]) for i in batch])
        every[torch.from_numpy(rows)] = states
    return every[torch.from_numpy(text.places)]


class Head(torch.nn.Module):
    """A masked-LM head: a transform, and a decoder tied to the word embeddings.

    Parameters
    ----------
    embeddings : Tensor of shape [V, E]
        The pre-trained word embeddings; they are not trained.
    hidden : int
        Width of the hidden states.
    words : Tensor of shape [W], int64
        The tokens among which the head chooses.
    activation : str
        As ``config.json`` names it.
    eps : float
        Of the LayerNorm.
    """

    def __init__(
        self, embeddings: Tensor, hidden: int, words: Tensor, activation: str, eps: float
    ) -> None:
        super().__init__()
        width = embeddings.shape[1]
        self.dense = torch.nn.Linear(hidden, width)
        self.norm = torch.nn.LayerNorm(width, eps=eps)
        self.bias = torch.nn.Parameter(torch.zeros(len(words)))
        self.function = ACT2FN[activation]
        self.decoder = embeddings[words].clone()
        self.places = torch.full((len(embeddings),), -1)
        self.places[words] = torch.arange(len(words))

    def losses(self, states: Tensor, targets: Tensor) -> Tensor:
        """Cross-entropy of each masked token, nats.

        Parameters
        ----------
        states : Tensor of shape [M, H]
            Last hidden states.
        targets : Tensor of shape [M], int64
            The tokens that were masked, all of them among the head's words.
        """
        out = self.norm(self.function(self.dense(states)))
        logits = functional.linear(out, self.decoder, self.bias)
        return functional.cross_entropy(logits, self.places[targets], reduction="none")


def head_of(
    config: Path, encoder: dict[str, Tensor], tensors: dict[str, Tensor] | None, words: Tensor
) -> Head:
    """A masked-LM head for an encoder, with given weights or untrained ones.

    Parameters
    ----------
    config : Path
        The model's ``config.json``.
    encoder : dict of str to Tensor
        The pre-trained weights, names without prefix.
    tensors : dict of str to Tensor, or None
        ``dense.weight``, ``dense.bias``, ``norm.weight``, ``norm.bias`` and ``bias``; None for
        untrained ones.
    words : Tensor
        See ``Head``.

    Raises
    ------
    UserError
        If the encoder has no word embeddings of the usual name.
    """
    settings = read_json(config)
    name = "embeddings.word_embeddings.weight"
    if name not in encoder or settings.get("hidden_act", "gelu") not in ACTIVATIONS:
        raise UserError(
            f"architecture {settings.get('model_type')!r}: no masked-LM head is known for it; set "
            "stability.forgetting.runs: 0"
        )
    hidden = settings["hidden_size"]
    eps = settings.get("layer_norm_eps", 1e-12)
    head = Head(encoder[name], hidden, words, settings.get("hidden_act", "gelu"), eps)
    if tensors is not None:
        head.load_state_dict(tensors)
    return head


def own_head(folder: Path, vocabulary: int) -> dict[str, Tensor] | None:
    """Weights of the masked-LM head in a checkpoint; None if it has none.

    Parameters
    ----------
    folder : Path
        With the checkpoint's safetensors files.
    vocabulary : int
        Number of tokens of the model.
    """
    from safetensors import safe_open

    found: dict[str, Tensor] = {}
    for file in sorted(folder.glob("*.safetensors")):
        with safe_open(file, "pt") as tensors:
            for name in tensors.keys():  # noqa: SIM118
                for part, pattern in _OWN.items():
                    if re.fullmatch(pattern, name):
                        found[part] = tensors.get_tensor(name).float()
    whole = set(found) == set(_OWN) and found["bias"].shape == (vocabulary,)
    return found if whole else None
