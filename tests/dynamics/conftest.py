"""The reference numbers, and the data that they were made from."""

import json
from pathlib import Path

import numpy as np
import pytest

from tests.landscape.conftest import CONFIGS

HERE = Path(__file__).parent
SVCCA = json.loads((HERE / "svcca.json").read_text())
ATTENTION = json.loads((HERE / "attention_js.json").read_text())

_GENERATORS: dict = {"np": np}
exec("\n".join(SVCCA["meta"]["generators"].values()), _GENERATORS)


def representations(name: str) -> tuple[np.ndarray, np.ndarray]:
    """X and Y of a fixture of svcca.json, by the generator that it gives."""
    fixture = SVCCA["fixtures"][name]
    return _GENERATORS[fixture["generator"]](**fixture["kwargs"])


def attention_pair(seed, N, H, T, lens, drift):
    """Two attentions and their mask, as described in attention_js.json; float64."""
    random = np.random.RandomState(seed)
    logits = random.randn(N, H, T, T) * 2
    others = logits + drift * random.randn(N, H, T, T)
    mask = np.arange(T) < np.array(lens)[:, None]

    def softmax(values):
        values = np.where(mask[:, None, None], values, -np.inf)
        weights = np.exp(values - values.max(axis=-1, keepdims=True))
        return weights / weights.sum(axis=-1, keepdims=True)

    return softmax(logits), softmax(others), mask


@pytest.fixture(params=list(CONFIGS))
def architecture(request) -> str:
    return request.param
