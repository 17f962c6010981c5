"""Tiny random classifiers of the architectures that the engine is tested on."""

import numpy as np
import pytest
import torch
from transformers import (
    AlbertConfig,
    BertConfig,
    DebertaV2Config,
    DistilBertConfig,
    ElectraConfig,
    GPT2Config,
    LlamaConfig,
    ModernBertConfig,
    MPNetConfig,
    Qwen2Config,
    RobertaConfig,
)

from workflow_scripts.model.architecture import Classifier
from workflow_scripts.model.encoder import classifier_of, draw_encoder, load_weights, start_weights
from workflow_scripts.model.families import FAMILIES, GENERAL, known_architecture
from workflow_scripts.model.text import Encoded

SIZES = {"vocab_size": 99, "max_position_embeddings": 40}
BERT_LIKE = {
    "hidden_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 64,
}
SPECIAL = {
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "cls_token_id": 1,
    "sep_token_id": 2,
}
CONFIGS = {
    "bert": BertConfig(**SIZES, **BERT_LIKE),
    "roberta": RobertaConfig(**SIZES, **BERT_LIKE, type_vocab_size=1, pad_token_id=1),
    "albert": AlbertConfig(**SIZES, **BERT_LIKE, embedding_size=16),
    "electra": ElectraConfig(**SIZES, **BERT_LIKE, embedding_size=16),
    "distilbert": DistilBertConfig(**SIZES, dim=32, n_layers=3, n_heads=4, hidden_dim=64),
    "mpnet": MPNetConfig(**SIZES, **BERT_LIKE),
    "deberta-v2": DebertaV2Config(
        **SIZES,
        **BERT_LIKE,
        relative_attention=True,
        pos_att_type=["p2c", "c2p"],
        position_biased_input=False,
        share_att_key=True,
        position_buckets=8,
        norm_rel_ebd="layer_norm",
    ),
    "modernbert": ModernBertConfig(**SIZES, **BERT_LIKE, local_attention=8, **SPECIAL),
    "gpt2": GPT2Config(
        vocab_size=99, n_positions=40, n_embd=32, n_layer=3, n_head=4, pad_token_id=0
    ),
    "llama": LlamaConfig(**SIZES, **BERT_LIKE, num_key_value_heads=2, pad_token_id=0),
    "qwen2": Qwen2Config(**SIZES, **BERT_LIKE, num_key_value_heads=2, pad_token_id=0),
}
KNOWN = [name for name, config in CONFIGS.items() if config.model_type in FAMILIES]
DECODERS = [name for name, record in GENERAL.items() if record.decoder]


def classifier(architecture: str, labels: int = 3, seed: int = 0) -> torch.nn.Module:
    module = classifier_of(CONFIGS[architecture], labels)
    encoder = draw_encoder(CONFIGS[architecture], seed)
    # Ten times the usual spread: logits of a fresh model hardly differ between examples.
    encoder = {name: t * 10 if t.ndim > 1 else t for name, t in encoder.items()}
    load_weights(module, start_weights(module, encoder, seed))
    return module


def light(module: torch.nn.Module) -> torch.nn.Module:
    """The same classifier as the steps of a surface build it: without transformers if they can."""
    architecture = known_architecture(module.config.to_dict())
    if architecture is None:
        return module
    own = Classifier(architecture, module.config.num_labels)
    load_weights(own, dict(module.named_parameters()))
    return own


def takes_pairs(module: torch.nn.Module) -> bool:
    """Whether the model's family has a token type for the second sentence of a pair."""
    kind = module.config.model_type
    return kind in FAMILIES and FAMILIES[kind].token_types > 1


def moved(weights: dict, seed: int, length: float = 0.05) -> dict:
    """The weights with random steps added, as a training run would."""
    generator = torch.Generator().manual_seed(seed)
    return {
        name: t + length * torch.randn(t.shape, generator=generator) for name, t in weights.items()
    }


def sentences(n: int, pairs: bool, seed: int = 0) -> Encoded:
    """Random token sequences of 3 to 30 tokens; token types 0 and 1 for pairs."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(3, 31, n)
    return Encoded(
        input_ids=[rng.integers(4, 99, length).tolist() for length in lengths],
        token_type_ids=[
            [0] * (length - length // 2) + [1] * (length // 2) for length in lengths.tolist()
        ]
        if pairs
        else None,
        lengths=lengths,
        labels=rng.integers(0, 3, n),
    )


@pytest.fixture(params=list(CONFIGS))
def architecture(request) -> str:
    return request.param
