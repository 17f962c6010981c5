from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from workflow_scripts.common.titles import TaskTitle
from workflow_scripts.landscape.radii import Bound
from workflow_scripts.report import claims, dynamics_claims
from workflow_scripts.report.claims import (
    ContinuationEvidence,
    DirectionEvidence,
    Plane,
    RollbackEvidence,
    RunEvidence,
    TaskEvidence,
)
from workflow_scripts.report.ledger import (
    Claim,
    as_markdown,
    claim_summary,
    concluded,
    decided,
    ledger_table,
    reported,
)
from workflow_scripts.report.statistics import Verdict
from workflow_scripts.stability.intervals import Interval

LN2 = float(np.log(2))
TITLE = TaskTitle(name="t", title="Task")


def run_of(
    radius: float = 1.0,
    onward: float = 1.0,
    losses=(0.7, 0.3, 0.05),
    seed: int = 0,
    path=(0.7, 0.05),
    best: float = 0.4,
    groups=(2.0, 1.0),
    censored: bool = False,
    failed: bool = False,
) -> RunEvidence:
    """A run with the given radii, losses at checkpoints, between its ends, and on the ray."""
    rng = np.random.default_rng(seed)
    directions = [("random", radius * factor) for factor in (0.97, 1.0, 1.02, 1.01)]
    directions += [("onward", onward)]
    for group, width in zip(("low", "high"), groups, strict=True):
        directions += [(group, 0.99 * width), (group, 1.01 * width)]
    radii = pd.DataFrame(directions, columns=["direction", "radius"])
    radii["radius"] *= 1 + 0.01 * rng.normal()
    radii = radii.assign(censored=censored, error=0.02, unit=1.0)
    steps = [0.0, *[1.0] * (len(losses) - 1)]
    trajectory = pd.DataFrame({"train_loss": losses, "step": steps})
    trajectory["train_loss"] *= 1 + 0.01 * rng.normal(size=len(losses))
    trajectory = trajectory.assign(norm=0.5, cosine=0.6)
    examples = 0.01 * rng.normal(size=30)
    line = np.interp(np.linspace(0, 1, 41), np.linspace(0, 1, len(path)), path)
    seen = 100.0 * np.arange(len(losses))
    name = f"init{seed}_order{seed}"
    return RunEvidence(
        name, trajectory, seen, line[:, None] + examples, np.array([best]), radii, failed
    )


def runs_of(count: int = 3, **more) -> list[RunEvidence]:
    return [run_of(seed=seed, **more) for seed in range(count)]


def task_of(pretrained, scratch=(), **more) -> TaskEvidence:
    more = {"planes": {}, "chance": LN2, "small": True, **more}
    return TaskEvidence(TITLE, list(pretrained), list(scratch), **more)


def verdict_of(conclusions) -> str:
    (conclusion,) = conclusions
    return str(conclusion.verdict)


def test_an_optimum_that_is_wider_by_both_measures_supports():
    wide, narrow = runs_of(radius=2, onward=3), runs_of(radius=1, onward=1)
    (conclusion,) = claims.wider_optimum(task_of(wide, narrow))
    assert [row.number.value for row in conclusion.rows[:2]] == pytest.approx([2, 3], rel=0.02)
    assert str(conclusion.verdict) == "supported"
    assert verdict_of(claims.wider_optimum(task_of(narrow, wide))) == "contradicted"
    one = claims.wider_optimum(task_of(wide[:1], narrow[:1]))
    assert verdict_of(one) == "agrees (1 run)"


def test_directions_that_disagree_give_no_verdict():
    mixed = task_of(runs_of(radius=2, onward=0.5), runs_of())
    assert verdict_of(claims.wider_optimum(mixed)).startswith("inconclusive")
    assert "disagree" in verdict_of(claims.wider_optimum(mixed))


def test_a_plateau_is_no_optimum_whatever_its_width():
    plateau = runs_of(radius=8, onward=8, losses=(0.7, 0.6, 0.74 * LN2), censored=True)
    assert verdict_of(claims.wider_optimum(task_of(runs_of(), plateau))).startswith(
        "not applicable: scratch (init0_order0) ended at 0.7"
    )


def test_a_width_that_was_cut_off_cannot_support_the_other():
    # True ratio 0.6; the scratch radii are lower bounds, so that the ratio is an upper one.
    cut = task_of(runs_of(radius=4, onward=4), runs_of(radius=2, onward=2, censored=True))
    (conclusion,) = claims.wider_optimum(cut)
    assert conclusion.rows[0].limit is Bound.AT_MOST
    assert conclusion.rows[0].number.low == 0
    assert conclusion.verdict.word == "inconclusive"


def test_a_loss_that_falls_faster_is_easier_and_one_run_decides_nothing():
    fast, slow = runs_of(losses=(0.7, 0.1, 0.05)), runs_of(losses=(0.7, 0.6, 0.5, 0.05))
    evidence = task_of(fast, slow, difference="learning rate 0.0001 / 0.0002")
    (conclusion,) = claims.easier_optimisation(evidence)
    assert str(conclusion.verdict) == "supported"
    assert "over the first 200 examples" in conclusion.rows[0].measure
    assert "learning rate 0.0001 / 0.0002" in conclusion.rows[0].measure
    assert verdict_of(claims.easier_optimisation(task_of(slow, fast))) == "contradicted"
    one = claims.easier_optimisation(task_of(fast[:1], slow[:1]))
    assert verdict_of(one) == "inconclusive: no interval"


def test_half_of_chance_that_is_never_reached_is_a_bound_and_not_zero():
    never = runs_of(losses=(0.7, 0.65, 0.6))
    (conclusion,) = claims.easier_optimisation(task_of(runs_of(), never))
    steps = conclusion.rows[1]
    assert steps.limit is Bound.AT_MOST
    assert 0 < steps.number.value < 1


def test_the_first_epoch_is_compared_with_a_random_walk_of_the_same_steps():
    # The ray reaches the end, against one that closes what a walk of two equal steps does.
    straight = runs_of(best=0.05)
    walk = runs_of(best=0.7 - 0.5 * 0.65)
    (conclusion,) = claims.first_epoch_direction(task_of(straight, walk))
    assert conclusion.rows[0].number.value == pytest.approx(0.5, abs=0.02)
    assert str(conclusion.verdict) == "supported"
    # A longer walk closes less; so does the run: nothing beyond a walk in either.
    longer = runs_of(best=0.7 - 0.25 * 0.65, losses=(0.7, 0.6, 0.5, 0.3, 0.05))
    same = claims.first_epoch_direction(task_of(walk, longer))
    assert same[0].rows[0].number.value == pytest.approx(0, abs=0.02)
    assert verdict_of(same) == "inconclusive"


def test_a_barrier_below_the_loss_of_the_start_contradicts():
    hill = runs_of(path=(2.0, 0.4, 1.6, 0.05))
    (conclusion,) = claims.no_loss_barrier(task_of(hill, runs_of()))
    assert conclusion.rows[0].number.value == pytest.approx(1.2, abs=0.1)
    assert str(conclusion.verdict) == "contradicted"
    assert [str(row.verdict) for row in conclusion.rows] == ["contradicted", "reported only"]
    assert verdict_of(claims.no_loss_barrier(task_of(runs_of(), hill))) == "supported"
    assert len(claims.no_loss_barrier(task_of(runs_of()))[0].rows) == 1


@pytest.mark.parametrize(
    ("worse", "expected"), [(0, "supported"), (4, "inconclusive"), (60, "contradicted")]
)
def test_training_on_may_cost_a_point_of_dev_error(worse, expected):
    before = np.arange(400) < 40
    after = before | (np.arange(400) >= 400 - worse)
    evidence = ContinuationEvidence(TITLE, [before] * 3, [after] * 3, [0.1, 0.2, 0.3], 8)
    (conclusion,) = claims.robust_to_overfitting(evidence)
    assert conclusion.rows[0].number.value == pytest.approx(worse / 4)
    assert conclusion.verdict.word == expected
    assert conclusion.rows[1].number.value == pytest.approx(0.2)
    unfinished = replace(evidence, unmet="pre-trained ended at 0.5 ln K")
    assert verdict_of(claims.robust_to_overfitting(unfinished)).startswith("not applicable")


def plane_of(related: bool, seed: int = 0) -> Plane:
    """A bowl of losses, and errors that follow it or not."""
    rng = np.random.default_rng(seed)
    x = np.linspace(-1, 1, 11)
    bowl = 0.05 + 0.5 * (x[:, None] ** 2 + x**2)
    losses = bowl[..., None] * rng.uniform(0.5, 1.5, size=60)
    rate = bowl if related else np.full(bowl.shape, 0.3)
    return Plane(losses, (rng.random((11, 11, 60)) < rate[..., None]).astype(float), (5, 5))


def test_surfaces_that_fall_together_agree_and_noise_decides_nothing():
    related = {start: plane_of(True, i) for i, start in enumerate(("pretrained", "scratch"))}
    evidence = task_of(runs_of(), runs_of(), planes=related)
    (conclusion,) = claims.consistent_surfaces(evidence)
    assert str(conclusion.verdict) == "agrees (1 run)"
    assert conclusion.rows[0].number.value > 0.8
    noise = task_of(runs_of(), planes={"pretrained": plane_of(False)})
    assert claims.consistent_surfaces(noise)[0].verdict.word in ("inconclusive", "disagrees")
    large = replace(evidence, small=False)
    assert verdict_of(claims.more_consistent_surfaces(large)) == (
        "not applicable: the training set is not a small one"
    )
    assert claims.more_consistent_surfaces(evidence)[0].verdict.word == "inconclusive"


def rollback_of(low: int, high: int, runs: int = 1) -> RollbackEvidence:
    """Of 400 examples, each group costs a number of those that the model gets right."""
    right = np.arange(400) < 360
    correct = {"none": right, "low": right.copy(), "middle": right.copy(), "high": right.copy()}
    correct["low"][:low] = False
    correct["high"][:high] = False
    return RollbackEvidence(TITLE, [correct] * runs)


def test_low_layers_are_judged_by_what_their_rollback_costs():
    (conclusion,) = claims.invariant_low_layers(rollback_of(2, 100))
    assert str(conclusion.verdict) == "supported: this model"
    values = [row.number.value for row in conclusion.rows]
    assert values == pytest.approx([0.5, 24.5, 0, 25])
    assert verdict_of(claims.invariant_low_layers(rollback_of(100, 2, 3))) == "contradicted"
    failed = replace(rollback_of(2, 100), unmet="failed runs: 1 of 1 pre-trained")
    assert verdict_of(claims.invariant_low_layers(failed)).startswith("not applicable")


def test_the_width_of_layer_groups_is_compared_lowest_with_highest():
    (conclusion,) = claims.wider_low_layers(task_of(runs_of(groups=(3.0, 1.0))))
    assert [row.number.value for row in conclusion.rows] == pytest.approx([3, 3], rel=0.01)
    assert str(conclusion.verdict) == "supported"
    without = run_of()
    without = replace(without, radii=without.radii[without.radii["direction"] == "random"])
    assert claims.wider_low_layers(task_of([without])) == []


def test_directions_of_pairs_of_tasks_are_nearly_orthogonal_or_not():
    def verdict(*cosines: float) -> str:
        pairs = {str(i): cosine for i, cosine in enumerate(cosines)}
        return verdict_of(claims.nearly_orthogonal(DirectionEvidence(TITLE, pairs)))

    assert verdict(0.02, -0.03, 0.01, 0.02) == "supported"
    assert verdict(0.17, -0.18, 0.16, 0.19) == "contradicted"
    assert verdict(0.02) == "agrees (1 run)"
    assert verdict(0.05, -0.2) == "inconclusive"


def test_the_loss_at_the_end_is_compared_over_paired_seeds():
    higher = runs_of(losses=(0.7, 0.5, 0.15))
    assert verdict_of(claims.scratch_ends_higher(task_of(runs_of(), higher))) == "supported"
    assert verdict_of(claims.scratch_ends_higher(task_of(higher, runs_of()))) == "contradicted"


@pytest.mark.parametrize("evaluate", [claims.wider_optimum, claims.scratch_ends_higher])
def test_no_verdict_rests_on_a_failed_run(evaluate):
    failed = [replace(run, failed=i == 1) for i, run in enumerate(runs_of())]
    assert verdict_of(evaluate(task_of(runs_of(), failed))) == (
        "not applicable: failed runs: 1 of 3 scratch"
    )


# --- the ledger ---------------------------------------------------------------------------------


def number(task: str, value: float):
    row = decided("m", Interval(value, value, value), "above", 1, 3)
    return concluded(TaskTitle(name=task, title=task, synthetic=task == "fig"), {"m": row})


def test_a_ledger_evaluates_each_claim_on_the_evidence_that_it_reads():
    table = ledger_table(
        [
            Claim("long", "Words are long", "p. 1", str, lambda word: [number(word, len(word))]),
            Claim("odd", "Numbers are odd", "p. 2", int, lambda n: [number(str(n), n % 2)]),
            Claim("short", "Words are short", "p. 3", str, lambda word: []),
        ],
        ["banana", 4, "fig"],
    )
    assert table["claim"].tolist() == ["long", "long", "odd"]
    assert table["task"].tolist() == ["banana", "fig", "4"]
    assert table["synthetic"].tolist() == [False, True, False]
    assert table["value"].tolist() == [6.0, 3.0, 0.0]
    assert table["bound"].dtype == float
    assert table["conclusion"].tolist() == ["supported", "supported", "contradicted"]
    outcomes = pd.DataFrame(
        {"name": "t", "task": "t", "start": ["scratch", "pretrained"], "seeds": "init0_order0"}
        | {"accuracy": [0.5, 0.75], "majority": 0.5, "failed": [True, False]}
    )
    page = as_markdown(table, outcomes, "A ledger")
    assert "| t | scratch | init0_order0 | 50.0 % | 50.0 % | failed |" in page
    assert "| t | pretrained | init0_order0 | 75.0 % | 50.0 % |  |" in page
    assert page.count("## Words are long (p. 1)") == 1
    assert "| banana | m | 6 | 6 to 6 | above 1 | 3 | supported | supported |" in page
    assert "| fig (synthetic) | m |" in page
    summary = page.index("Supported on 2 of 2 tasks; 6 runs. banana: m: 6 [6 to 6].")
    assert summary < page.index("## Words are long")
    assert "short" not in page


def test_a_ledger_without_evidence_has_its_columns():
    table = ledger_table([Claim("c", "s", "p", str, lambda word: [])], [])
    assert len(table) == 0
    assert {"claim", "task", "conclusion", "why"} <= set(table)


def test_numbers_that_disagree_are_shown_with_their_reason():
    above = decided("a", Interval(2, 1.5, 2.5), "above", 1, 3)
    below = decided("b", Interval(0.5, 0.4, 0.6), "above", 1, 3)
    conclusion = concluded(TITLE, {"α": above, "filters": below}, [reported("c", below.number, 3)])
    assert conclusion.verdict == Verdict("inconclusive", "α and filters disagree")
    table = ledger_table([Claim("c", "s", "p", str, lambda word: [conclusion])], ["t"])
    assert table["verdict"].tolist() == ["supported", "contradicted", "reported only"]
    assert set(table["conclusion"]) == {"inconclusive"}
    assert "α and filters disagree" in claim_summary(table)


def test_a_one_sided_interval_is_printed_with_its_bound():
    row = decided("r", Interval(2.1, 0, 2.2), "above", 1, 3, limit=Bound.AT_MOST)
    conclusion = concluded(TITLE, {"r": row})
    table = ledger_table([Claim("c", "s", "p", str, lambda word: [conclusion])], ["t"])
    assert "≤ 2.1 [0 to 2.2]" in claim_summary(table)


def test_a_number_that_is_not_defined_is_said_to_be():
    row = decided("r", Interval(np.nan, np.nan, np.nan), "above", 1, 3)
    table = ledger_table(
        [Claim("c", "s", "p", str, lambda word: [concluded(TITLE, {"r": row})])], ["t"]
    )
    assert ": r: not defined" in claim_summary(table)
    outcomes = pd.DataFrame(columns=["name", "task", "start", "seeds", "accuracy", "majority"])
    page = as_markdown(table, outcomes, "A ledger")
    assert "| r | not defined | none | above 1 |" in page
    assert "nan" not in page


def test_names_of_claims_are_unique():
    for module in (claims, dynamics_claims):
        names = [claim.name for claim in module.CLAIMS]
        assert len(set(names)) == len(names)
