"""A text that holds the padding token is read as transformers reads it."""

import numpy as np
import pytest
import torch

from tests.landscape.conftest import CONFIGS, classifier
from workflow_scripts.model.architecture import known_architecture
from workflow_scripts.model.packing import pack, pack_batch
from workflow_scripts.model.running import hidden_states
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
    ids = torch.tensor(TEXTS[1:3])
    batch = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    packed = pack_batch(known_architecture(facts), batch)
    assert packed.positions.tolist() == torch.cat(expected[1:3]).tolist()


@pytest.mark.parametrize("architecture", CONFIGS)
def test_hidden_states_are_those_of_transformers(architecture):
    module = classifier(architecture)
    padding = module.config.pad_token_id
    texts = [[5, 6, 7, 8], [5, padding, 7, padding, 9, 8]]
    lengths = np.array([len(text) for text in texts])
    encoded = Encoded(texts, None, lengths, np.zeros(2, np.int64))
    states = hidden_states(module, encoded, np.arange(2), padding)[-1]
    with torch.no_grad():
        expected = [module.base_model(torch.tensor([text])).last_hidden_state[0] for text in texts]
    torch.testing.assert_close(states, torch.cat(expected), rtol=0, atol=1e-5)
