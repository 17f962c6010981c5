"""A page of invented results, made once."""

from pathlib import Path

import pytest

from tests.atlas.invented import Invented


@pytest.fixture(scope="session")
def invented(tmp_path_factory) -> Invented:
    """Results that tests only read; write pages under other names."""
    return Invented(tmp_path_factory.mktemp("atlas")).make()


@pytest.fixture(scope="session")
def page(invented) -> Path:
    """The page of them."""
    return invented.write()
