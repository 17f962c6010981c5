from dataclasses import replace
from itertools import combinations

import numpy as np
import pandas as pd
import pytest

from workflow_scripts.common.errors import UserError
from workflow_scripts.common.intervals import jackknife_interval
from workflow_scripts.common.tables import write_table
from workflow_scripts.common.titles import PairTitle
from workflow_scripts.report import dynamics_claims as claims
from workflow_scripts.report.dynamics_claims import PairCurves
from workflow_scripts.report.evaluate_dynamics_claims import evaluate_dynamics_claims

RISING = [0.01, 0.02, 0.05, 0.1, 0.3, 0.6]
FLAT = [0.2] * 6


def attention(means, n: int = 80, seed: int = 0) -> pd.DataFrame:
    """Divergences around a mean by layer, one row per example and layer."""
    rng = np.random.default_rng(seed)
    js = np.asarray(means) * rng.gamma(20, 1 / 20, size=(n, len(means)))
    places = np.indices(js.shape).reshape(2, -1)
    return pd.DataFrame({"example": places[0], "layer": places[1], "js": js.ravel()})


def similarity(values, spread: float = 0.02, seed: int = 0, groups: int = 10) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    rows = [
        {
            "layer": layer,
            "measure": measure,
            "value": value,
            "left_out": value * (1 + spread * rng.normal(size=groups) / groups),
            "null": 0.8,
        }
        for layer, value in zip(range(-1, len(values)), [0.0, *values], strict=True)
        for measure in ("svcca", "cka_unbiased_distance", "procrustes")
    ]
    return pd.DataFrame(rows)


def titled(title: str, comparison: str, name: str = "") -> PairTitle:
    return PairTitle(name=name or title, title=title, comparison=comparison, first="a", second="b")


def curves(values, seed: int = 0, with_attention: bool = True) -> dict[str, claims.Curve]:
    table = similarity(values, seed=seed)
    found = {measure: claims.similarity_curve(table, measure) for measure in claims.SIMILARITIES}
    if with_attention:
        found[claims.ATTENTION] = claims.attention_curve(attention(values, seed=seed), 300)
    return found


def runs_of(values, comparison: str = "change", count: int = 3, title: str = "t") -> claims.Runs:
    """Pairs of models, of as many runs, that share a curve but for noise."""
    title = titled(title, comparison)
    names = [f"init{i}" for i in range(count)]
    models = list(combinations(names, 2)) if comparison == "seeds" else [(n, n) for n in names]
    pairs = [PairCurves(title, pair, curves(values, i)) for i, pair in enumerate(models)]
    return claims.Runs(title, pairs)


def words(conclusion) -> str:
    return str(conclusion.verdict)


def test_a_rising_curve_supports_and_a_falling_one_contradicts():
    rising = claims.attention_changes_last(runs_of(RISING))
    assert words(rising) == "supported"
    expected = (0.3 + 0.6) / 2 - (0.01 + 0.02) / 2
    assert rising.rows[0].number.value == pytest.approx(expected, rel=0.1)
    falling = claims.attention_changes_last(runs_of(RISING[::-1]))
    assert words(falling) == "contradicted"
    assert words(claims.representations_change_later(runs_of(RISING))) == "supported"
    assert words(claims.representations_change_later(runs_of(RISING[::-1]))) == "contradicted"
    flat = claims.representations_change_later(runs_of(FLAT))
    assert flat.verdict.word == "inconclusive"


def test_one_run_only_agrees_and_runs_that_differ_decide_nothing():
    one = claims.attention_changes_last(runs_of(RISING, count=1))
    assert words(one) == "agrees (1 run)"
    title = titled("t", "change")
    tilted = [[0.2 + slope * x for x in range(6)] for slope in (0.03, 0.005, -0.02)]
    pairs = [
        PairCurves(title, (str(i), str(i)), curves(values, i)) for i, values in enumerate(tilted)
    ]
    mixed = claims.attention_changes_last(claims.Runs(title, pairs))
    assert mixed.verdict.word == "inconclusive"


def test_svcca_and_cka_must_agree():
    title = titled("t", "change")
    pairs = [
        PairCurves(
            title,
            (str(i), str(i)),
            {
                "svcca": claims.similarity_curve(similarity(RISING, seed=i)),
                "cka_unbiased_distance": claims.similarity_curve(
                    similarity(RISING[::-1], seed=i), "cka_unbiased_distance"
                ),
            },
        )
        for i in range(3)
    ]
    conclusion = claims.low_layers_rolled_back(claims.Runs(title, pairs))
    assert words(conclusion) == "inconclusive: SVCCA and CKA disagree"
    assert [row.verdict.word for row in conclusion.rows] == ["supported", "contradicted"]


def test_the_embeddings_and_other_measures_do_not_count():
    table = similarity(RISING)
    curve = claims.similarity_curve(table)
    assert curve.values.tolist() == RISING
    assert curve.samples.shape == (10, 6)
    with pytest.raises(UserError, match="got 'cka', the table has"):
        claims.similarity_curve(table, "cka")


def test_the_interval_of_a_difference_is_the_jackknifes():
    curve = claims.similarity_curve(similarity(RISING))
    gap = claims.third_gap("middle", "low")
    number = curve.estimate(gap)
    expected = jackknife_interval(number.value, [gap(sample) for sample in curve.samples])
    assert (number.low, number.high) == (expected.low, expected.high)
    assert number.value == pytest.approx((0.05 + 0.1 - 0.01 - 0.02) / 2)


def test_the_rise_is_a_least_squares_slope_over_the_whole_depth():
    assert claims.slope(np.linspace(1, 3, 7)) == pytest.approx(2)
    assert claims.slope(np.array([0.0, 1, 0])) == pytest.approx(0)


def test_layers_rolled_back_are_judged_by_all_of_them():
    # By the two lowest of six against the others this curve says the opposite of the three lowest.
    low, high = [0.02, 0.03, 0.2, 0.05, 0.1, 0.3], [0.3, 0.1, 0.05, 0.2, 0.03, 0.02]
    assert words(claims.low_layers_rolled_back(runs_of(low))) == "supported"
    assert words(claims.low_layers_rolled_back(runs_of(high))) == "contradicted"


def test_low_layers_agree_only_if_they_are_close_to_each_other():
    # Unrelated rows are at a distance of 0.8 here.
    close, apart = runs_of(RISING, "seeds"), runs_of([0.6, 0.61, 0.62, 0.63, 0.64, 0.65], "seeds")
    conclusion = claims.low_layers_agree(close)
    assert words(conclusion) == "supported"
    share = conclusion.rows[0]
    assert share.number.value == pytest.approx(0.015 / 0.8)
    assert share.number.low >= 0
    assert {row.runs for row in conclusion.rows} == {3}
    assert words(claims.low_layers_agree(apart)) != "supported"
    two = claims.low_layers_agree(runs_of(RISING, "seeds", count=2))
    assert words(two) == "agrees (2 runs)"


def test_pairs_of_tasks_are_compared_with_the_pair_before():
    pairs = [
        runs_of(scale * np.array(RISING), "tasks", title=name)
        for name, scale in (("near", 0.5), ("far", 1), ("same", 1))
    ]
    conclusions = claims.dissimilar_tasks_differ_more(pairs)
    assert conclusions[0].rows[0].number.value == pytest.approx(0.225, rel=0.1)
    assert words(conclusions[0]) == "supported"
    assert conclusions[1].verdict.word == "inconclusive"
    assert "far - near" in conclusions[0].rows[0].measure
    assert claims.dissimilar_tasks_differ_more(pairs[:1]) == []


def test_the_difference_of_two_pairs_is_taken_over_the_same_groups_of_examples():
    near = claims.similarity_curve(similarity(RISING, spread=1.0))
    far = claims.Curve(near.values + 0.1, near.samples + 0.1, True, near.what, near.null)
    title = titled("t", "tasks")
    pairs = [
        claims.Runs(title, [PairCurves(title, ("a", "a"), dict.fromkeys(claims.SIMILARITIES, one))])
        for one in (near, far)
    ]
    number = claims.dissimilar_tasks_differ_more(pairs)[0].rows[0].number
    # Each curve alone varies; their difference does not.
    assert near.estimate(claims.third_mean("high")).high > near.values[-2:].mean() + 0.01
    assert (number.low, number.high) == pytest.approx((0.1, 0.1))


def test_no_verdict_rests_on_a_failed_run():
    runs = runs_of(RISING)
    failed = claims.Runs(runs.title, [*runs.pairs[:2], replace(runs.pairs[2], failed=True)])
    expected = "not applicable: failed runs: 1 of 3"
    assert words(claims.attention_changes_last(failed)) == expected


def written(tmp_path, name, table):
    write_table(table, tmp_path / name)
    return tmp_path / name


@pytest.mark.parametrize("with_attention", [True, False])
def test_the_ledger_has_every_claim_for_which_there_are_tables(tmp_path, with_attention):
    kinds = {"a": "change", "a2": "change", "s": "seeds", "ab": "tasks", "bc": "tasks"}
    pairs = [vars(titled(name, kind, name)) for name, kind in kinds.items()]
    files = {
        kind: [written(tmp_path, f"{kind}{i}.parquet", make(RISING, seed=i)) for i in range(5)]
        for kind, make in (("attention", attention), ("representations", similarity))
    }
    if not with_attention:
        files.pop("attention")
    targets = [tmp_path / f"dynamics_claims.{kind}" for kind in ("parquet", "csv", "md")]
    end = {"accuracy": [0.5, 0.75], "majority": 0.5}
    learned = written(tmp_path, "learned.parquet", pd.DataFrame(end | {"failed": [True, False]}))
    failed = written(tmp_path, "failed.parquet", pd.DataFrame(end | {"failed": True}))
    run = {"start": "pretrained", "seeds": "init0_order0"}
    evaluate_dynamics_claims(
        files["representations"],
        *targets,
        pairs,
        ["a", "a", "s", "ab", "bc"],
        [["0", "0"], ["1", "1"], ["0", "1"], ["0", "0"], ["0", "0"]],
        200,
        [learned, learned, learned, learned, failed],
        [{"name": pair["name"], "task": pair["title"], **run} for pair in pairs],
        files.get("attention"),
        [written(tmp_path, f"back{i}.parquet", similarity(RISING, seed=i)) for i in range(2)],
    )
    ledger = pd.read_csv(targets[1])
    names = [claim.name for claim in claims.CLAIMS]
    expected = [name for name in names if with_attention or "attention" not in name]
    assert ledger["claim"].drop_duplicates().tolist() == expected
    of_failed = ledger["task"] == "bc"
    change = ledger["claim"] == "representations_change_later"
    assert set(ledger["runs"][change]) == {2}
    assert set(ledger["conclusion"][change]) == {"agrees"}
    assert set(ledger["verdict"][~of_failed]) <= {"agrees", "inconclusive", "reported only"}
    assert set(ledger["verdict"][of_failed]) == {"not applicable"}
    assert ledger["low"].notna().all()
    page = targets[2].read_text()
    for claim in claims.CLAIMS:
        heading = f"## {claim.sentence} ({claim.source})"
        assert (heading in page) == (with_attention or "attention" not in claim.name)
