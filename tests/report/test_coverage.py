"""Every interval holds the truth in nine of ten simulated experiments at least (nominal 95 %)."""

import pytest

from benchmarks.coverage import CASES, USUAL, coverage

TRIALS = 200


@pytest.mark.parametrize("name", CASES)
def test_the_interval_covers(name):
    assert coverage(CASES[name], TRIALS) >= 0.90


def test_the_percentile_bootstrap_that_they_replace_does_not():
    for name in ("standard deviation, 5 normal", "rank correlation, 20 + 20 examples"):
        assert coverage(USUAL[name], 40) < 0.8
