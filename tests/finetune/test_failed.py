"""When a run has learned nothing."""

import numpy as np
import pytest

from workflow_scripts.finetune.failed import Majority, is_failed, majority


def test_the_majority_class_is_that_of_the_most_frequent_label():
    found = majority(np.array([2, 0, 2, 1, 2]))
    assert (found.correct, found.examples, found.accuracy) == (3, 5, 0.6)


@pytest.mark.parametrize(
    ("right", "failed"), [(0, True), (145, True), (146, True), (147, False), (277, False)]
)
def test_a_run_fails_unless_it_gets_more_right_than_the_majority_class(right, failed):
    assert is_failed(right / 277, Majority(146, 277)) == failed


def test_a_diverged_run_has_failed():
    assert is_failed(float("nan"), Majority(0, 10))
