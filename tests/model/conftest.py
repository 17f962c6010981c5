"""Small models with random weights, one for each class of encoders."""

from pathlib import Path

import pandas as pd
import pytest

from tests.hub_server import hub
from workflow_scripts.model.families import FAMILIES
from workflow_scripts.model.fetch_model import fetch_model

SENTENCES = [
    "The farmer sold her old horse.",
    "No.",
    "Nobody in the village had ever heard a story as strange as this one, or so they said.",
    "Crème brûlée, 東京 и 🙂!",
    "",
]


@pytest.fixture(scope="session")
def fetched(tmp_path_factory):
    """Function that fetches a model from a source into a folder of its own."""

    def fetch(source: str, sha256: str | None = None) -> Path:
        folder = tmp_path_factory.mktemp("model")
        fetch_model(
            config=folder / "config.json",
            weights=folder / "model.safetensors",
            tokenizer=folder / "tokenizer.json",
            tokenizer_config=folder / "tokenizer_config.json",
            card=folder / "card.json",
            name="tiny",
            source=source,
            sha256=sha256,
        )
        return folder

    return fetch


@pytest.fixture(scope="session", params=FAMILIES)
def model_dir(request, fetched) -> Path:
    """Folder of a random model with 3 layers, of each architecture in turn."""
    return fetched(f"random:{request.param}:num_hidden_layers=3,seed=5")


@pytest.fixture(scope="session")
def bert_dir(fetched) -> Path:
    return fetched("random:bert:num_hidden_layers=3,seed=5")


@pytest.fixture
def serve(tmp_path):
    """The stand-in of the hub, serving ``tmp_path / "hub"``."""
    folder = tmp_path / "hub"
    folder.mkdir()
    with hub(folder) as served:
        yield served


@pytest.fixture
def singles() -> pd.DataFrame:
    return pd.DataFrame({"sentence": SENTENCES, "label": [0, 1, 2, 0, 1]})


@pytest.fixture
def pairs() -> pd.DataFrame:
    return pd.DataFrame(
        {"sentence1": SENTENCES, "sentence2": SENTENCES[::-1], "label": [0, 1, 2, 0, 1]}
    )
