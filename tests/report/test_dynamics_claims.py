import numpy as np
import pandas as pd
import pytest

from workflow_scripts.common.errors import UserError
from workflow_scripts.common.intervals import jackknife_interval
from workflow_scripts.common.tables import write_table
from workflow_scripts.common.titles import PairTitle
from workflow_scripts.report import dynamics_claims as claims
from workflow_scripts.report.dynamics_claims import PairCurve
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
        }
        for layer, value in zip(range(-1, len(values)), [0.0, *values], strict=True)
        for measure in ("svcca", "procrustes")
    ]
    return pd.DataFrame(rows)


def titled(title: str, comparison: str) -> PairTitle:
    return PairTitle(name=title, title=title, comparison=comparison, first="a", second="b")


def verdicts(rows) -> list[str]:
    return [row.verdict for row in rows]


def test_a_rising_curve_supports_and_a_falling_one_contradicts():
    curve = claims.attention_curve(attention(RISING), 300)
    rows = claims.attention_changes_last("t", curve)
    assert verdicts(rows) == ["supported"] * 3
    assert rows[0].value == pytest.approx((0.3 + 0.6) / 2 - (0.05 + 0.1) / 2, rel=0.1)
    falling = claims.attention_curve(attention(RISING[::-1]), 300)
    assert verdicts(claims.attention_changes_last("t", falling)) == ["contradicted"] * 3
    flat = claims.similarity_curve(similarity(FLAT))
    assert verdicts(claims.representations_change_later("t", flat)) == ["inconclusive"] * 3


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
    value, low, high = curve.estimate(gap)
    left = [gap(sample) for sample in curve.samples]
    expected = jackknife_interval(value, left)
    assert (low, high) == (expected.low, expected.high)
    assert value == pytest.approx((0.05 + 0.1 - 0.01 - 0.02) / 2)


def test_the_rise_is_a_least_squares_slope_over_the_whole_depth():
    assert claims.slope(np.linspace(1, 3, 7)) == pytest.approx(2)
    assert claims.slope(np.array([0.0, 1, 0])) == pytest.approx(0)


def test_low_layers_are_the_papers_share_of_all():
    curve = claims.similarity_curve(similarity([0.02, 0.02, 0.02, 0.2, 0.2, 0.2]))
    rows = claims.low_layers_rolled_back("t", curve)
    assert verdicts(rows) == ["supported", "supported"]
    assert [row.value for row in rows] == pytest.approx([-0.18, 0.1])
    assert "3 lowest layers" in rows[0].measure
    deep = claims.similarity_curve(similarity(np.linspace(0.01, 0.24, 24)))
    assert "11 lowest layers" in claims.low_layers_rolled_back("t", deep)[0].measure
    high = claims.similarity_curve(similarity([0.2, 0.2, 0.2, 0.02, 0.02, 0.02]))
    assert verdicts(claims.low_layers_rolled_back("t", high)) == ["contradicted"] * 2


@pytest.mark.parametrize("kind", ["attention", "similarity"])
def test_pairs_of_tasks_are_compared_with_the_pair_before(kind):
    def curve(scale, seed):
        values = scale * np.array(RISING)
        if kind == "attention":
            return claims.attention_curve(attention(values, seed=seed), 300)
        return claims.similarity_curve(similarity(values, seed=seed))

    pairs = [
        PairCurve(titled(name, "tasks"), curve(scale, seed))
        for seed, (name, scale) in enumerate([("near", 0.5), ("far", 1), ("same", 1)])
    ]
    pairs.insert(1, PairCurve(titled("before and after", "change"), curve(9, 3)))
    rows = claims.dissimilar_tasks_differ_more(pairs)
    assert rows[0].value == pytest.approx(0.225, rel=0.1)
    assert verdicts(rows) == ["supported", "inconclusive"]
    assert "far - near" in rows[0].measure
    assert claims.dissimilar_tasks_differ_more(pairs[:1]) == []


def written(tmp_path, name, table):
    write_table(table, tmp_path / name)
    return tmp_path / name


@pytest.mark.parametrize("with_attention", [True, False])
def test_the_ledger_has_every_claim_for_which_there_are_tables(tmp_path, with_attention):
    pairs = [
        vars(titled(title, kind))
        for title, kind in (("a", "change"), ("a", "seeds"), ("a-b", "tasks"), ("b-c", "tasks"))
    ]
    files = {
        kind: [written(tmp_path, f"{kind}{i}.parquet", make(RISING, seed=i)) for i in range(4)]
        for kind, make in (("attention", attention), ("representations", similarity))
    }
    if not with_attention:
        files.pop("attention")
    targets = [tmp_path / f"ledger.{kind}" for kind in ("parquet", "csv", "md")]
    end = {"accuracy": [0.5, 0.75], "majority": 0.5}
    learned = written(tmp_path, "learned.parquet", pd.DataFrame(end | {"failed": [True, False]}))
    failed = written(tmp_path, "failed.parquet", pd.DataFrame(end | {"failed": True}))
    run = {"start": "pretrained", "seeds": "init0_order0"}
    evaluate_dynamics_claims(
        files["representations"],
        *targets,
        pairs,
        200,
        [learned, learned, learned, failed],
        [{"name": pair["name"], "task": pair["title"], **run} for pair in pairs],
        files.get("attention"),
        [written(tmp_path, "back.parquet", similarity(RISING))],
    )
    ledger = pd.read_csv(targets[1])
    names = [claim.name for claim in claims.CLAIMS]
    expected = [name for name in names if with_attention or "attention" not in name]
    assert ledger["claim"].drop_duplicates().tolist() == expected
    of_failed = ledger["task"] == "b-c"
    assert set(ledger["verdict"][~of_failed]) <= {"supported", "contradicted", "inconclusive"}
    assert set(ledger["verdict"][of_failed]) == {"not applicable"}
    assert ledger["low"].notna().all()
    page = targets[2].read_text()
    for claim in claims.CLAIMS:
        heading = f"## {claim.sentence} ({claim.source})"
        assert (heading in page) == (with_attention or "attention" not in claim.name)
