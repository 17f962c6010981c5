from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from workflow_scripts.report import claims, dynamics_claims
from workflow_scripts.report.claims import Line, Plane
from workflow_scripts.report.ledger import (
    Claim,
    LedgerRow,
    as_markdown,
    finite_interval,
    ledger_table,
    without_verdict,
)

ALPHA = np.round(np.linspace(-4, 4, 81), 12)


def line(curvature: float, n: int = 40, filter_distance: float = 1.0) -> Line:
    spread = np.random.default_rng(0).gamma(50, 1 / 50, size=n)
    return Line(ALPHA, (ALPHA[:, None] - 1) ** 2 * curvature * spread, filter_distance)


def verdicts(rows) -> list[str]:
    return [row.verdict for row in rows]


def test_a_flatter_line_is_wider_also_when_its_unit_counts():
    rows = claims.wider_optimum("t", line(0.25), line(1.0), [0.5], 200)
    assert rows[0].value == pytest.approx(2, rel=0.02)
    assert rows[0].low <= rows[0].value <= rows[0].high
    assert verdicts(rows) == ["supported"]
    shorter = claims.wider_optimum("t", line(0.25, filter_distance=0.1), line(1.0), [0.5], 200)
    assert shorter[0].value == pytest.approx(0.2, rel=0.02)
    assert verdicts(shorter) == ["contradicted"]


def test_a_run_that_diverged_leaves_the_claim_inconclusive():
    diverged = line(1.0)
    diverged.losses[ALPHA == 1] = np.nan
    rows = claims.wider_optimum("t", line(1.0), diverged, [0.5], 100)
    assert np.isnan(rows[0].value)
    assert verdicts(rows) == ["inconclusive"]


def history(losses) -> pd.DataFrame:
    return pd.DataFrame({"step": np.arange(1, len(losses) + 1), "loss": losses})


def test_a_faster_falling_loss_is_easier():
    steps = np.arange(200)
    fast, slow = history(np.exp(-steps / 20)), history(np.exp(-steps / 100))
    rows = claims.easier_optimisation("t", fast, slow, chance_loss=1.0)
    assert rows[0].value == pytest.approx((fast["loss"] - slow["loss"]).mean())
    assert verdicts(rows) == ["supported", "supported"]
    assert verdicts(claims.easier_optimisation("t", slow, fast, 1.0)) == ["contradicted"] * 2
    never = claims.easier_optimisation("t", fast, history(np.ones(200)), 1.0)
    assert never[1].value == 0


def test_a_barrier_between_start_and_end_contradicts():
    hill = np.exp(-((ALPHA - 0.5) ** 2) / 0.02) + (1 - np.clip(ALPHA, 0, 1)) * 0.5
    examples = np.random.default_rng(0).normal(0, 0.01, size=40)
    blocked = Line(ALPHA, hill[:, None] + examples, 1.0)
    rows = claims.no_loss_barrier("t", blocked, line(1.0), 200)
    assert rows[0].value > 0.5
    assert verdicts(rows) == ["contradicted", "reported only"]
    assert verdicts(claims.no_loss_barrier("t", line(1.0), blocked, 200)) == [
        "supported",
        "reported only",
    ]


def test_the_first_epochs_cosines_are_compared():
    pretrained = pd.DataFrame({"epoch": [0, 1, 2], "cosine": [np.nan, 0.9, 1.0]})
    scratch = pd.DataFrame({"epoch": [0, 1, 2], "cosine": [np.nan, 0.4, 1.0]})
    (row,) = claims.straight_path("t", pretrained, scratch)
    assert row.value == pytest.approx(0.5)
    assert verdicts([row]) == ["supported"]


@pytest.mark.parametrize(
    ("after", "verdict"), [(0.905, "inconclusive"), (0.70, "contradicted"), (0.99, "supported")]
)
def test_overfitting_is_judged_by_the_dev_error(after, verdict):
    def table(accuracy):
        return pd.DataFrame({"epoch": [0, 5], "accuracy": [0.5, accuracy]})

    rows = claims.robust_to_overfitting("t", table(0.9), table(after), 500)
    assert rows[0].value == pytest.approx(100 * (0.9 - after))
    assert verdicts(rows) == [verdict]


def test_rank_correlation_of_surfaces():
    rng = np.random.default_rng(0)
    loss = np.arange(50)[:, None] + rng.normal(size=(50, 30))
    error = (np.arange(50)[:, None] / 50 > rng.random((50, 200))).astype(float)
    noise = rng.integers(0, 2, size=(50, 200)).astype(float)
    rows = claims.consistent_surfaces("t", Plane(loss, error), Plane(loss, noise), 100)
    assert rows[0].value > 0.9
    assert abs(rows[0].value - rows[1].value) < 0.4
    assert verdicts(rows) == ["supported", "supported"]


def rollback(low: float, high: float) -> pd.DataFrame:
    rows = [("none", 0, 0, 0), ("low", low, low - 1, low + 1), ("high", high, high - 2, high + 2)]
    return pd.DataFrame(rows, columns=["group", "difference", "low", "high"])


def test_layers_are_judged_by_what_their_rollback_costs():
    assert verdicts(claims.invariant_low_layers("t", rollback(-1, -30))) == [
        "supported",
        "reported only",
        "supported",
    ]
    assert verdicts(claims.invariant_low_layers("t", rollback(-30, -1))) == [
        "contradicted",
        "reported only",
        "contradicted",
    ]


@pytest.mark.parametrize(
    ("value", "low", "high", "claimed", "verdict"),
    [
        (2.0, 1.5, 2.5, "above", "supported"),
        (2.0, 1.5, 2.5, "below", "contradicted"),
        (2.0, 0.5, 2.5, "above", "inconclusive"),
        (1.0, 1.0, 1.0, "above", "inconclusive"),
        (2.0, 1.5, 2.5, "", "reported only"),
        (2.0, np.nan, np.nan, "above", "supported"),
        (np.inf, np.nan, np.nan, "below", "contradicted"),
        (np.nan, np.nan, np.nan, "above", "inconclusive"),
    ],
)
def test_an_interval_on_one_side_of_the_bound_decides(value, low, high, claimed, verdict):
    assert LedgerRow("t", "m", value, low, high, claimed, 1).verdict == verdict


def test_no_verdict_rests_on_a_failed_run():
    row = LedgerRow("t", "m", 2.0, 1.5, 2.5, "above", 1)
    (failed,) = without_verdict([row], True)
    assert (row.verdict, failed.verdict) == ("supported", "not applicable")
    assert without_verdict([row], False) == [row]
    assert without_verdict([failed], False) == [failed]
    assert replace(failed, claimed="").verdict == "reported only"


def test_an_interval_holds_the_middle_95_percent_of_the_finite_draws():
    draws = np.append(np.arange(1001.0), [np.nan, np.inf])
    assert finite_interval(draws) == (25.0, 975.0)
    assert np.isnan(finite_interval(np.array([np.nan]))).all()


def test_a_ledger_evaluates_each_claim_on_the_evidence_that_it_reads():
    table = ledger_table(
        [
            Claim("long", "Words are long", "p. 1", str, lambda word: [number(word, len(word))]),
            Claim("odd", "Numbers are odd", "p. 2", int, lambda n: [number(str(n), n % 2)] * 2),
            Claim("short", "Words are short", "p. 3", str, lambda word: []),
        ],
        ["banana", 4, "fig"],
    )
    assert table["claim"].tolist() == ["long", "odd", "odd", "long"]
    assert table["task"].tolist() == ["banana", "4", "4", "fig"]
    assert table["value"].tolist() == [6.0, 0.0, 0.0, 3.0]
    assert table["bound"].dtype == float
    assert table["verdict"].tolist() == ["supported", "contradicted", "contradicted", "supported"]
    outcomes = pd.DataFrame(
        {"name": "t", "task": "t", "start": ["scratch", "pretrained"], "seeds": "init0_order0"}
        | {"accuracy": [0.5, 0.75], "majority": 0.5, "failed": [True, False]}
    )
    page = as_markdown(table, outcomes, "A ledger")
    assert "| t | scratch | init0_order0 | 50.0 % | 50.0 % | failed |" in page
    assert "| t | pretrained | init0_order0 | 75.0 % | 50.0 % |  |" in page
    assert page.count("## Words are long (p. 1)") == 1
    assert "| banana | m | 6 | none | above 1 | supported |" in page
    assert "short" not in page


def number(task: str, value: float) -> LedgerRow:
    return LedgerRow(task, "m", value, np.nan, np.nan, "above", 1)


def test_names_of_claims_are_unique():
    for module in (claims, dynamics_claims):
        names = [claim.name for claim in module.CLAIMS]
        assert len(set(names)) == len(names)
