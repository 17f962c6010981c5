"""A text that holds the padding token is read as transformers reads it."""

import numpy as np
import pytest
import torch

from workflow_scripts.model.architecture import known_architecture
from workflow_scripts.model.packing import pack
from workflow_scripts.model.text import Encoded

TEXTS = [[0, 5, 6, 2], [0, 5, 1, 7, 2], [0, 1, 1, 7, 2], [0, 5, 6, 7, 8, 1, 2]]


@pytest.mark.parametrize(("kind", "padding"), [("roberta", 1), ("roberta", 3), ("bert", 1)])
def test_positions_are_those_of_transformers(kind, padding):
    from transformers.models.roberta.modeling_roberta import RobertaEmbeddings

    facts = {"model_type": kind, "pad_token_id": padding, "vocab_size": 20}
    lengths = np.array([len(text) for text in TEXTS])
    encoded = Encoded(TEXTS, None, lengths, np.zeros(len(TEXTS), np.int64))
    packed = pack(known_architecture(facts), encoded, np.arange(len(TEXTS)), "cpu")
    if kind == "roberta":
        count = RobertaEmbeddings.create_position_ids_from_input_ids
        expected = [count(torch.tensor([text]), padding)[0] for text in TEXTS]
    else:
        expected = [torch.arange(len(text)) for text in TEXTS]
    assert packed.positions.tolist() == torch.cat(expected).tolist()
