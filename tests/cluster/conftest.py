"""The cluster that all tests here share."""

from collections.abc import Iterator

import pytest

from tests.cluster.lab import CannotRun, Lab, cluster


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    try:
        with cluster() as running:
            yield running
    except CannotRun as reason:
        pytest.skip(str(reason))
