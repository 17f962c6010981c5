import numpy as np
import pytest

from workflow_scripts.rollback.roll_back_groups import table

LAYERS = {"none": None, "low": range(0, 2), "high": range(2, 4)}


def correct(n: int = 400) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    none = rng.random(n) < 0.9
    return {"none": none, "low": none.copy(), "high": none & (rng.random(n) < 0.5)}


def test_accuracies_and_differences_are_plain_arithmetic():
    right = correct()
    rows = table(right, LAYERS, resamples=200).set_index("group")
    assert rows.loc["none", "accuracy"] == right["none"].mean()
    expected = 100 * (right["high"].mean() - right["none"].mean())
    assert rows.loc["high", "difference"] == pytest.approx(expected)
    assert (rows.loc["high", "first"], rows.loc["high", "last"]) == (2, 3)
    assert rows["first"].isna().tolist() == [True, False, False]


def test_the_interval_is_paired():
    rows = table(correct(), LAYERS, resamples=1000).set_index("group")
    # The same predictions: no spread at all, whatever the examples drawn.
    assert rows.loc["low", ["difference", "low", "high"]].tolist() == [0, 0, 0]
    low, value, high = rows.loc["high", ["low", "difference", "high"]]
    lost = (correct()["none"] & ~correct()["high"]).mean()
    spread = 1.96 * 100 * np.sqrt(lost * (1 - lost) / 400)
    assert value - low == pytest.approx(spread, rel=0.15)
    assert high - value == pytest.approx(spread, rel=0.15)
