import numpy as np
import pytest
import torch
from scipy.stats import t

from tests.dynamics.test_svcca import plain_svcca
from workflow_scripts.common.errors import UserError
from workflow_scripts.dynamics.similarity import (
    BatchRows,
    LayerPair,
    gather,
    layer_matrix,
    layer_table,
    measures,
)
from workflow_scripts.dynamics.svcca import Moments, svcca

LENGTH = 4  # tokens of every example
KEEP = 0.99
LAYERS = {-1: LayerPair(0, 0), 0: LayerPair(1, 1)}
ONE = [LayerPair(0, 0)]
MEASURES = {
    "svcca",
    "svcca_hidden",
    "svcca_per_neuron",
    "cca_full",
    "cka_distance",
    "cka_unbiased_distance",
    "procrustes",
}


def activations(examples: int = 60, d: int = 6, seed: int = 0):
    """Two layers of two models, and the group of each row, of 5."""
    rng = np.random.default_rng(seed)
    n = examples * LENGTH
    xs = [rng.normal(size=(n, d)) * np.arange(1, d + 1) for _ in range(2)]
    ys = [x @ rng.normal(size=(d, d)) + 0.5 * rng.normal(size=(n, d)) for x in xs]
    group = np.sort(np.arange(examples) % 5).repeat(LENGTH)
    return xs, ys, group


def gathered(every: bool = False, chunk: int = 7, **options):
    xs, ys, group = activations(**options)

    def rows():
        for number in range(5):
            mine = np.flatnonzero(group == number)
            for first in range(0, len(mine), chunk):
                part = mine[first : first + chunk]
                yield BatchRows(
                    number,
                    [torch.tensor(x[part]) for x in xs],
                    [torch.tensor(y[part]) for y in ys],
                )

    return gather(rows(), list(LAYERS.values()), LENGTH, every), xs, ys, group


def by_hand(x: np.ndarray, y: np.ndarray) -> dict[str, float]:
    """Measures from the rows themselves, as textbooks write them."""
    rho, full = plain_svcca(x, y), plain_svcca(x, y, keep=1 - 1e-12)
    x, y = x - x.mean(0), y - y.mean(0)
    scaled = plain_svcca(x / x.std(0), y / y.std(0))
    norms = np.linalg.norm(x.T @ x) * np.linalg.norm(y.T @ y)
    nuclear = np.linalg.svd(x.T @ y, compute_uv=False).sum()
    return {
        "svcca": 1 - rho.mean(),
        "svcca_hidden": 1 - rho.sum() / x.shape[1],
        "svcca_per_neuron": 1 - scaled.mean(),
        "cca_full": 1 - full.mean(),
        "cka_distance": 1 - np.linalg.norm(x.T @ y) ** 2 / norms,
        "procrustes": 2 - 2 * nuclear / np.linalg.norm(x) / np.linalg.norm(y),
    }


def test_values_are_those_of_the_rows_themselves():
    found, xs, ys, _ = gathered()
    table = layer_table(found, LAYERS, KEEP)
    assert set(table["measure"]) == MEASURES
    assert list(table["layer"].unique()) == [-1, 0]
    for layer, (i, j) in LAYERS.items():
        rows = table[table["layer"] == layer].set_index("measure")
        for name, value in by_hand(xs[i], ys[j]).items():
            assert rows.loc[name, "value"] == pytest.approx(value, abs=1e-10), name
        assert (rows["n"] == 240).all()
        assert (rows["d"] == 6).all()


def test_intervals_are_the_jackknife_over_groups_of_examples():
    found, xs, ys, group = gathered()
    rows = layer_table(found, {0: LayerPair(1, 1)}, KEEP).set_index("measure")
    for name in ("svcca", "cka_distance", "procrustes"):
        left = [by_hand(xs[1][group != g], ys[1][group != g])[name] for g in range(5)]
        np.testing.assert_allclose(rows.loc[name, "left_out"], left, atol=1e-10)
        error = np.sqrt(4 / 5 * ((left - np.mean(left)) ** 2).sum())
        assert rows.loc[name, "error"] == pytest.approx(error, abs=1e-10)
        half = t.ppf(0.975, 4) * error
        value, low, high = rows.loc[name, ["value", "low", "high"]]
        # No distance is negative.
        expected = max(value - half, 0), value + half
        assert (low, high) == (pytest.approx(expected[0]), pytest.approx(expected[1]))


def test_the_null_shifts_whole_examples_against_each_other():
    found, xs, ys, _ = gathered()
    rows = layer_table(found, {0: LayerPair(1, 1)}, KEEP).set_index("measure")
    # Row t of x meets row t - lag of y.
    shifted = [by_hand(xs[1], np.roll(ys[1], k * LENGTH, axis=0)) for k in (1, 2, 3)]
    for name in ("svcca", "cca_full", "procrustes"):
        values = [one[name] for one in shifted]
        expected = np.mean(values), np.min(values), np.max(values)
        got = rows.loc[name, ["null", "null_low", "null_high"]].tolist()
        assert got == pytest.approx(expected, abs=1e-10)
        assert rows.loc[name, "value"] < rows.loc[name, "null_low"]


def test_without_enough_rows_there_is_no_null():
    found, *_ = gathered(examples=5)  # 20 rows: lags of 4 and 8 fit, 12 does not
    assert layer_table(found, LAYERS, KEEP)["null"].notna().all()
    xs, ys = (torch.randn(6, 2, generator=torch.Generator().manual_seed(s)) for s in (0, 1))
    short = gather((BatchRows(g, [xs[g::3]], [ys[g::3]]) for g in range(3)), ONE, 5, False)
    table = layer_table(short, {0: ONE[0]}, KEEP)
    assert table[["null", "null_low", "null_high"]].isna().all(axis=None)
    assert table["few"].all()


def test_a_model_has_no_distance_from_itself():
    xs, _, _ = activations()
    found = measures(Moments().update(xs[0], xs[0]), KEEP)
    literal = found.pop("svcca_hidden")
    assert max(map(abs, found.values())) < 1e-12
    kept = svcca(Moments().update(xs[0], xs[0]), KEEP).k1
    assert literal == pytest.approx(1 - kept / 6)


def test_too_few_rows_are_flagged_as_vacuous():
    rng = np.random.default_rng(0)
    found = gather(
        (
            BatchRows(g, *([torch.tensor(rng.normal(size=(3, 8)))] for _ in range(2)))
            for g in range(4)
        ),
        ONE,
        1,
        False,
    )
    table = layer_table(found, {0: ONE[0]}, KEEP)
    assert table["underdetermined"].all()
    assert table["few"].all()


def test_every_layer_against_every_layer():
    found, xs, ys, _ = gathered(every=True)
    table = layer_matrix(found.all, KEEP)
    assert table[["first", "second"]].to_numpy().tolist() == [[-1, -1], [-1, 0], [0, -1], [0, 0]]
    for row in table.itertuples():
        expected = by_hand(xs[row.first + 1], ys[row.second + 1])
        assert row.svcca == pytest.approx(expected["svcca"], abs=1e-10)
        assert 1 - row.cka == pytest.approx(expected["cka_distance"], abs=1e-10)
    assert layer_matrix(found.all, KEEP, lowest=0)["first"].min() == 0


def test_the_chunks_do_not_matter():
    one = layer_table(gathered(chunk=1000)[0], LAYERS, KEEP)
    other = layer_table(gathered(chunk=1)[0], LAYERS, KEEP)
    numbers = ["value", "low", "high", "null"]
    np.testing.assert_allclose(one[numbers], other[numbers], rtol=1e-10, atol=1e-12)


def test_bad_rows_are_refused():
    rows = torch.ones(4, 2)
    with pytest.raises(UserError, match="got examples for 2 groups, intervals need at least 3"):
        gather((BatchRows(g, [rows], [rows]) for g in range(2)), ONE, 1, False)
    with pytest.raises(UserError, match="counted from 0; asked for 4"):
        gather((BatchRows(g, [rows], [rows]) for g in range(3)), [LayerPair(4, 0)], 1, False)
    broken = rows.clone()
    broken[2, 1] = torch.nan
    batches = (BatchRows(g, [rows, rows], [rows, broken]) for g in range(3))
    with pytest.raises(UserError, match=r"y, layer 1: 1 of 4 rows hold NaN or infinite values"):
        gather(batches, list(LAYERS.values()), 1, every=False)
