import numpy as np
import pandas as pd
import pytest

from workflow_scripts.report import claims
from workflow_scripts.report.claims import CLAIMS, Line
from workflow_scripts.report.ledger import row, with_verdicts

ALPHA = np.round(np.linspace(-4, 4, 81), 12)


def line(curvature: float, n: int = 40, filter_distance: float = 1.0) -> Line:
    spread = np.random.default_rng(0).gamma(50, 1 / 50, size=n)
    return Line(ALPHA, (ALPHA[:, None] - 1) ** 2 * curvature * spread, filter_distance)


def verdicts(rows) -> list[str]:
    return with_verdicts(rows, CLAIMS)["verdict"].tolist()


def test_a_flatter_line_is_wider_also_when_its_unit_counts():
    rows = claims.wider_optimum("t", line(0.25), line(1.0), [0.5], 200)
    assert rows[0]["value"] == pytest.approx(2, rel=0.02)
    assert rows[0]["low"] <= rows[0]["value"] <= rows[0]["high"]
    assert verdicts(rows) == ["holds"]
    shorter = claims.wider_optimum("t", line(0.25, filter_distance=0.1), line(1.0), [0.5], 200)
    assert shorter[0]["value"] == pytest.approx(0.2, rel=0.02)
    assert verdicts(shorter) == ["contradicted"]


def test_a_run_that_broke_leaves_the_claim_undecided():
    broken = line(1.0)
    broken.losses[ALPHA == 1] = np.nan
    rows = claims.wider_optimum("t", line(1.0), broken, [0.5], 100)
    assert np.isnan(rows[0]["value"])
    assert verdicts(rows) == ["undecided"]


def history(losses) -> pd.DataFrame:
    return pd.DataFrame({"step": np.arange(1, len(losses) + 1), "loss": losses})


def test_a_faster_falling_loss_is_easier():
    steps = np.arange(200)
    fast, slow = history(np.exp(-steps / 20)), history(np.exp(-steps / 100))
    rows = claims.easier_optimisation("t", fast, slow, chance_loss=1.0)
    assert rows[0]["value"] == pytest.approx((fast["loss"] - slow["loss"]).mean())
    assert verdicts(rows) == ["holds", "holds"]
    assert verdicts(claims.easier_optimisation("t", slow, fast, 1.0)) == ["contradicted"] * 2
    never = claims.easier_optimisation("t", fast, history(np.ones(200)), 1.0)
    assert never[1]["value"] == 0


def test_a_barrier_on_the_way_is_found():
    hill = np.exp(-((ALPHA - 0.5) ** 2) / 0.02) + (1 - np.clip(ALPHA, 0, 1)) * 0.5
    examples = np.random.default_rng(0).normal(0, 0.01, size=40)
    blocked = Line(ALPHA, hill[:, None] + examples, 1.0)
    rows = claims.free_path("t", blocked, line(1.0), 200)
    assert rows[0]["value"] > 0.5
    assert verdicts(rows) == ["contradicted", "shown beside"]
    assert verdicts(claims.free_path("t", line(1.0), blocked, 200)) == ["holds", "shown beside"]


def test_the_first_epochs_cosines_are_compared():
    pretrained = pd.DataFrame({"epoch": [0, 1, 2], "cosine": [np.nan, 0.9, 1.0]})
    scratch = pd.DataFrame({"epoch": [0, 1, 2], "cosine": [np.nan, 0.4, 1.0]})
    (found,) = claims.straight_path("t", pretrained, scratch)
    assert found["value"] == pytest.approx(0.5)
    assert verdicts([found]) == ["holds"]


@pytest.mark.parametrize(
    ("after", "verdict"), [(0.905, "undecided"), (0.70, "contradicted"), (0.99, "holds")]
)
def test_overfitting_is_judged_by_the_dev_error(after, verdict):
    def table(accuracy):
        return pd.DataFrame({"epoch": [0, 5], "accuracy": [0.5, accuracy]})

    rows = claims.robust_to_overfitting("t", table(0.9), table(after), 500)
    assert rows[0]["value"] == pytest.approx(100 * (0.9 - after))
    assert verdicts(rows) == [verdict]


def test_rank_correlation_of_surfaces():
    rng = np.random.default_rng(0)
    loss = np.arange(50)[:, None] + rng.normal(size=(50, 30))
    error = (np.arange(50)[:, None] / 50 > rng.random((50, 200))).astype(float)
    noise = rng.integers(0, 2, size=(50, 200)).astype(float)
    rows = claims.consistent_surfaces(
        "t", {"pretrained": (loss, error), "scratch": (loss, noise)}, 100
    )
    assert rows[0]["value"] > 0.9
    assert abs(rows[0]["value"] - rows[1]["value"]) < 0.4
    assert verdicts(rows) == ["holds", "holds"]


def rollback(low: float, high: float) -> pd.DataFrame:
    rows = [("none", 0, 0, 0), ("low", low, low - 1, low + 1), ("high", high, high - 2, high + 2)]
    return pd.DataFrame(rows, columns=["group", "difference", "low", "high"])


def test_layers_are_judged_by_what_their_rollback_costs():
    assert verdicts(claims.invariant_low_layers("t", rollback(-1, -30))) == [
        "holds",
        "shown beside",
        "holds",
    ]
    assert verdicts(claims.invariant_low_layers("t", rollback(-30, -1))) == [
        "contradicted",
        "shown beside",
        "contradicted",
    ]


def test_nan_and_a_straddling_interval_decide_nothing():
    rows = [
        row("free_path", "t", "m", (-1.0, 1.0), 0.5, "above", 0),
        row("free_path", "t", "m", (np.nan, np.nan), np.nan, "above", 0),
    ]
    assert verdicts(rows) == ["undecided", "undecided"]
