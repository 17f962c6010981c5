from dataclasses import replace

import numpy as np
import pytest

from workflow_scripts.common import thresholds
from workflow_scripts.report import stability_claims as claims
from workflow_scripts.report.stability_claims import Finding, Sweep, decided
from workflow_scripts.stability import statistics
from workflow_scripts.stability.intervals import Interval

LN2 = np.log(2)


def sweep(recipe: str, runs: int, failures: int, seed: int = 0, examples: int = 200) -> Sweep:
    """Runs of which the first ones fail: half the accuracy, and gradients that vanish."""
    rng = np.random.default_rng(seed)
    failed = np.arange(runs) < failures
    ease = np.clip(rng.beta(8, 1, examples) + rng.normal(0, 0.03, (runs, 1)), 0, 1)
    correct = np.where(failed[:, None], rng.random(examples) < 0.5, rng.random(ease.shape) < ease)
    norms = np.where(failed, 1e-4, 1.0) * np.exp(rng.normal(0, 0.3, runs))
    losses = np.where(failed, LN2, 0.01 * np.exp(rng.normal(0, 0.5, runs)))
    return Sweep(recipe, correct.mean(1), failed, losses, correct, norms, norms)


def words(findings: list[Finding]) -> list[str]:
    return [str(one.verdict) for one in decided(findings)]


def test_every_finding_belongs_to_a_claim():
    usual, strong = sweep("devlin", 15, 7), sweep("strong", 15, 0, seed=1)
    result = [
        *claims.spread_between_seeds("rte", usual, strong),
        *claims.fewer_failed_runs("failed_runs_removed", "rte", usual, strong),
        *claims.fewer_failed_runs("small_data", "rte", usual, strong),
        *claims.vanishing_gradients("rte", usual),
        *claims.forgetting("rte", np.zeros((3, 7))),
        *claims.same_loss_different_score("rte", strong, LN2),
    ]
    assert {f.claim for f in result} == set(claims.CLAIMS)


def test_an_unstable_recipe_is_distinguished_from_a_stable_one_by_enough_seeds():
    usual, strong = sweep("devlin", 15, 7), sweep("strong", 15, 0, seed=1)
    spread = claims.spread_between_seeds("rte", usual, strong)
    assert words(spread) == ["supported", *["reported only"] * 3]
    assert words(claims.spread_between_seeds("rte", strong, usual))[0] == "contradicted"
    failures = claims.fewer_failed_runs("failed_runs_removed", "rte", usual, strong)
    assert "devlin (7 of 15 failed) - strong (0 of 15 failed)" in failures[0].measure
    assert words(failures) == ["supported"]


def test_fewer_seeds_than_ten_decide_neither_spread_nor_failure_rates():
    usual, strong = sweep("devlin", 9, 9), sweep("strong", 9, 0)
    result = claims.fewer_failed_runs("failed_runs_removed", "rte", usual, strong)
    assert result[0].p_value < 0.001
    assert words(result) == ["inconclusive: 10 runs needed, got 9"]


def test_two_sweeps_of_one_recipe_are_not_distinguished():
    first, second = sweep("a", 12, 4), sweep("b", 12, 3, seed=5)
    findings = claims.fewer_failed_runs("failed_runs_removed", "rte", first, second)
    assert words(findings)[0].startswith("inconclusive: p = ")


def test_p_values_are_adjusted_for_the_tests_of_a_ledger_and_no_others():
    def one(p_value: float, claimed: str = "above", unmet: str = "") -> Finding:
        number = Interval(1, 0.5, 2)
        return Finding("small_data", "t", "m", number, claimed, 0, 20, 10, p_value, unmet)

    result = decided([one(0.03), one(0.02), one(0.9, ""), one(0.9, unmet="none failed")])
    assert [d.p_value for d in result[:2]] == pytest.approx([0.04, 0.04])
    assert [str(d.verdict) for d in result] == [
        "supported",
        "supported",
        "reported only",
        "not applicable: none failed",
    ]
    result = decided([one(0.03)] * 2)
    assert [str(d.verdict) for d in result] == ["inconclusive: p = 0.06"] * 2


def test_gradients_that_vanish_are_found_where_some_runs_failed_and_some_did_not():
    result = claims.vanishing_gradients("rte", sweep("devlin", 10, 4))
    assert result[0].number.value == pytest.approx(4, abs=0.3)
    assert result[1].number.value == 1
    assert words(result) == ["supported", "reported only"]
    none = claims.vanishing_gradients("rte", sweep("strong", 10, 0))
    assert words(none)[0] == "not applicable: no run of strong failed"
    every = claims.vanishing_gradients("rte", sweep("devlin", 10, 10))
    assert words(every)[0] == "not applicable: every run of devlin failed"
    two = claims.vanishing_gradients("rte", sweep("devlin", 10, 2))
    assert words(two)[0] == "agrees (2 runs)"


def test_forgetting_is_a_matter_of_the_top_layers_or_it_is_not():
    top = np.array(
        [[9.0, 5.0, 0.05, 0.0, 0.0, 0.0, 0.0], [9, 8, 4, 0, 0, 0, 0], [9, 3, 0, 0, 0, 0, 0]]
    )
    result = claims.forgetting("rte", top)
    assert result[0].number.value == pytest.approx((2 + 3 + 2) / 18)
    assert result[0].number.high > 0.5  # three runs say little
    assert words(result) == ["inconclusive"]
    assert words(claims.forgetting("rte", np.concatenate([top] * 4))) == ["supported"]
    all_the_way = np.repeat([[9.0, 9, 9, 9, 9, 9, 0]], 4, axis=0) - [[0], [1], [0], [1]]
    assert words(claims.forgetting("rte", all_the_way)) == ["contradicted"]
    apart = np.array([[9.0, 0, 0, 0, 0, 0, 0], [9, 9, 9, 9, 9, 9, 0], [9, 9, 9, 9, 0, 0, 0]])
    number = claims.forgetting("rte", apart)[0].number
    assert (number.low, number.high) == (0, 1)  # a share has no limits beyond these
    assert words(claims.forgetting("rte", np.empty((0, 7)))) == ["not applicable: no run failed"]


def test_runs_of_equal_loss_differ_beyond_the_flips_of_examples():
    result = claims.same_loss_different_score("rte", sweep("strong", 20, 2, examples=1000), LN2)
    assert result[0].runs == 18
    assert result[0].number.value == pytest.approx(2.2, abs=0.8)
    assert words(result) == ["supported"]
    # A failed run may fit its training set: it is left out all the same.
    fitted = replace(sweep("devlin", 10, 4), train_losses=np.full(10, 0.01))
    assert claims.same_loss_different_score("rte", fitted, LN2)[0].runs == 6
    few = claims.same_loss_different_score("rte", sweep("devlin", 10, 7), LN2)
    assert words(few) == ["not applicable: 3 of 10 runs fitted the training set, 4 needed"]
    unfitted = replace(sweep("devlin", 10, 0), train_losses=np.full(10, 0.5))
    assert "0 of 10 runs fitted" in words(claims.same_loss_different_score("rte", unfitted, LN2))[0]


def test_ten_seeds_are_the_fewest_that_often_decide():
    # Scores like the paper's RTE: 40 % of the runs of one recipe failed, none of the other.
    def rejects(seeds: int, trials: int = 200) -> float:
        result = 0
        for seed in range(trials):
            rng = np.random.default_rng(seed)
            failed = rng.random(seeds) < 0.4
            first, second = rng.normal(0.70, 0.024, (2, seeds))
            first = np.where(failed, 0.473, first)
            result += statistics.compare_spread(first, second).brown_forsythe < 0.05
        return result / trials

    assert rejects(5) < 0.15
    assert 0.35 < rejects(thresholds.LEAST_SEEDS) < 0.85
    assert rejects(25) > 0.98
