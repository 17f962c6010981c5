import itertools

import numpy as np
import pytest
import torch

from tests.dynamics.conftest import SVCCA as REFERENCE
from tests.dynamics.conftest import representations
from workflow_scripts.common.errors import UserError
from workflow_scripts.dynamics.svcca import (
    LayerMoments,
    Moments,
    cca_full,
    jackknife,
    linear_cka,
    merged,
    procrustes,
    svcca,
    unbiased_cka,
)

FIXTURES = REFERENCE["fixtures"]
VACUOUS = "fewer_points_than_dims"
DETERMINED = [name for name in FIXTURES if name != VACUOUS]
MEASURES = {
    "svcca": lambda m: svcca(m).distance,
    "cca_full": cca_full,
    "linear_cka": linear_cka,
    "unbiased_cka": unbiased_cka,
    "procrustes": procrustes,
}


def moments_of(x, y, chunk=997, lags=()) -> Moments:
    moments = Moments(lags)
    for first in range(0, len(x), chunk):
        moments.update(x[first : first + chunk], y[first : first + chunk])
    return moments


def sentences(n=60, d=6, seed=0, effect=1.0, noise=0.5):
    """X, Y and the example of each row: tokens of an example share much of their values."""
    random = np.random.default_rng(seed)
    lengths = random.integers(3, 9, n)
    example = np.repeat(np.arange(n), lengths)
    x = random.normal(size=(n, d))[example] + 0.3 * random.normal(size=(len(example), d))
    y = effect * x @ random.normal(size=(d, d)) + noise * random.normal(size=(n, d))[example]
    return x + 40, y - 7, example


def all_measures(moments) -> np.ndarray:
    return np.array([measure(moments) for measure in MEASURES.values()])


def plain_svcca(x, y, keep=0.99) -> np.ndarray:
    """As a user would write it: SVD of each, then the cosines of the principal angles."""
    bases = []
    for rows in (x, y):
        u, s, _ = np.linalg.svd(rows - rows.mean(axis=0), full_matrices=False)
        bases.append(u[:, : np.searchsorted(np.cumsum(s**2) / np.sum(s**2), keep) + 1])
    return np.linalg.svd(bases[0].T @ bases[1], compute_uv=False)


# --- against the reference ---


@pytest.mark.parametrize("name", FIXTURES)
def test_the_fixtures_are_rebuilt(name):
    x, y = representations(name)
    if "checksum" in FIXTURES[name]:
        expected = FIXTURES[name]["checksum"]
        assert [x.sum(), y.sum(), x[0, 0], y[-1, -1]] == pytest.approx(
            [expected[key] for key in ("x_sum", "y_sum", "x00", "y_last")], rel=1e-12
        )


@pytest.mark.parametrize("name", DETERMINED)
@pytest.mark.parametrize(("keep", "key"), [(0.99, "var99"), (0.999, "var999")])
def test_svcca_gives_the_gold_correlations(name, keep, key):
    gold = FIXTURES[name][f"gold_svcca_{key}"]
    got = svcca(moments_of(*representations(name)), keep)
    assert (got.k1, got.k2) == (gold["k1"], gold["k2"])
    assert np.abs(got.rho - gold["rho"]).max() < 1e-10
    assert got.distance == pytest.approx(1 - gold["mean"], abs=1e-10)


@pytest.mark.parametrize("name", DETERMINED)
@pytest.mark.parametrize(
    ("keep", "key"), [(0.99, "svcca_var99"), (0.999, "svcca_var999"), (20, "svcca_fixed20")]
)
def test_svcca_agrees_with_the_published_code(name, keep, key):
    published = FIXTURES[name][f"google_{key}"]
    if "error" in published:
        pytest.skip("the published code fails on it")
    got = svcca(moments_of(*representations(name)), keep)
    assert 1 - got.distance == pytest.approx(published["mean_all"], abs=1e-6)
    assert got.distance == pytest.approx(published["distance_over_kept"], abs=1e-6)
    assert got.hidden == pytest.approx(published["distance_over_hidden"], abs=1e-6)
    assert got.sum_rho == pytest.approx(published["sum"], abs=1e-4)


@pytest.mark.parametrize("name", DETERMINED)
def test_plain_cca_gives_the_gold_correlations_and_ranks(name):
    gold = FIXTURES[name]["gold"]
    moments = moments_of(*representations(name))
    got = svcca(moments, keep=None)
    assert (got.rank1, got.rank2) == (gold["rank_x"], gold["rank_y"])
    assert np.abs(got.rho - gold["rho"]).max() < 1e-10
    assert cca_full(moments) == pytest.approx(1 - gold["mean_over_min_rank"], abs=1e-10)


@pytest.mark.parametrize("name", DETERMINED)
def test_the_other_measures_agree(name):
    moments = moments_of(*representations(name))
    assert linear_cka(moments) == pytest.approx(FIXTURES[name]["linear_cka"], abs=1e-10)
    assert unbiased_cka(moments) == pytest.approx(FIXTURES[name]["unbiased_linear_cka"], abs=1e-10)
    assert procrustes(moments) == pytest.approx(FIXTURES[name]["procrustes_sq"], abs=1e-10)


@pytest.mark.parametrize(
    ("name", "mean", "kept"),
    [
        ("correlated", 0.9840949, (16, 16)),
        ("different_dims", 0.5930583, (21, 34)),
        ("linear_map", 1.0, (20, 16)),
        ("rank_deficient", 0.8576352, (19, 19)),
        ("bertlike_small_drift", 0.9489102, (14, 15)),
    ],
)
def test_headline_values(name, mean, kept):
    got = svcca(moments_of(*representations(name)))
    assert (1 - got.distance, (got.k1, got.k2)) == (pytest.approx(mean, abs=5e-8), kept)
    assert not got.underdetermined


def test_fewer_rows_than_dimensions_is_flagged():
    moments = moments_of(*representations(VACUOUS))
    full = svcca(moments, keep=None)
    assert full.rho == pytest.approx(1)  # whatever the data
    for result in (full, svcca(moments)):
        assert result.underdetermined
        assert result.few
    x, y, _ = sentences(400)
    plenty = svcca(moments_of(x, y))
    assert not plenty.underdetermined
    assert not plenty.few
    assert svcca(moments_of(x[:50], y[:50])).few


# --- sums ---


def test_chunks_do_not_matter():
    x, y = representations("bertlike_small_drift")
    expected = all_measures(moments_of(x, y, chunk=len(x)))
    for chunk in (1, 7, 640):
        part = slice(0, 700) if chunk == 1 else slice(None)
        whole = all_measures(moments_of(x[part], y[part], chunk=5000))
        assert all_measures(moments_of(x[part], y[part], chunk)) == pytest.approx(whole, rel=1e-12)
    assert all_measures(moments_of(x, y)) == pytest.approx(expected, rel=1e-12)


def test_merging_is_associative_and_gives_the_sums_of_all_rows():
    x, y = representations("correlated")
    x[:400] += 30  # parts of different means
    bounds = [(0, 400), (400, 1000), (1000, 1003), (1003, 2000)]

    def parts():
        return [moments_of(x[a:b], y[a:b], lags=(9,)) for a, b in bounds]

    a, b, c, d = parts()
    one_by_one = a.merge(b).merge(c).merge(d)
    a, b, c, d = parts()
    in_pairs = a.merge(b).merge(c.merge(d))
    a, b, c, d = parts()
    from_the_back = a.merge(b.merge(c.merge(d)))
    whole = moments_of(x, y, chunk=2000, lags=(9,))
    assert whole.n == one_by_one.n == 2000
    for found in (one_by_one, in_pairs, from_the_back, merged(parts())):
        assert all_measures(found) == pytest.approx(all_measures(whole), rel=1e-12)
        assert all_measures(found.null(9)) == pytest.approx(all_measures(whole.null(9)), rel=1e-12)
        # Not the measures alone: the covariances themselves.
        for side, other in ((found.x, whole.x), (found.y, whole.y)):
            apart = side.centred() - other.centred()
            assert apart.abs().max() < 1e-12 * other.centred().abs().max()


def test_merging_leaves_the_other_as_it_was_and_takes_an_empty_one():
    x, y, _ = sentences()
    other = moments_of(x[:50], y[:50])
    expected = all_measures(other)
    total = Moments().merge(other).merge(Moments()).update(x[50:], y[50:])
    assert all_measures(other) == pytest.approx(expected, rel=0)
    assert other.n == 50
    assert all_measures(total) == pytest.approx(all_measures(moments_of(x, y)), rel=1e-12)


def test_a_part_can_be_taken_away():
    x, y, _ = sentences(200)
    total, part = moments_of(x, y, lags=(9,)), moments_of(x[:60] + 0.0, y[:60], lags=(9,))
    rest = total.without(part)
    assert rest.n == len(x) - 60
    assert all_measures(rest) == pytest.approx(all_measures(moments_of(x[60:], y[60:])), rel=1e-10)


def test_a_large_mean_costs_no_precision():
    x, y, _ = sentences(300)
    near, far = moments_of(x, y), moments_of(x + 1e5, y - 1e5)
    assert all_measures(far) == pytest.approx(all_measures(near), rel=1e-8)


def test_memory_does_not_grow_with_the_rows():
    x, y, _ = sentences(500)
    sizes = [
        sum(array.nbytes for array in moments_of(x[:n], y[:n], lags=(10,)).arrays().values())
        for n in (100, len(x))
    ]
    assert sizes[0] == sizes[1]


def test_arrays_give_the_same_moments_again(tmp_path):
    x, y, _ = sentences()
    moments = moments_of(x, y, lags=(9, 20))
    np.savez(tmp_path / "moments.npz", **moments.arrays())
    with np.load(tmp_path / "moments.npz") as arrays:
        again = Moments.from_arrays(arrays)
    assert (again.n, again.lags) == (moments.n, (9, 20))
    for lag in (9, 20):
        assert (all_measures(again.null(lag)) == all_measures(moments.null(lag))).all()
    assert all_measures(again.update(x, y)) == pytest.approx(
        all_measures(moments.update(x, y)), rel=1e-15
    )
    assert Moments.from_arrays(Moments().arrays()).n == 0


def test_tensors_and_arrays_of_any_float_type_are_taken():
    x, y, _ = sentences()
    x, y = x.astype(np.float32), y.astype(np.float32)
    expected = all_measures(moments_of(x.astype(float), y.astype(float)))
    assert (all_measures(moments_of(x, y)) == expected).all()
    tensors = torch.tensor(x, requires_grad=True), torch.tensor(y)
    assert (all_measures(moments_of(*tensors)) == expected).all()


# --- what the measures mean ---


@pytest.mark.parametrize("keep", [0.99, 0.9, 3, None])
def test_svcca_is_that_of_the_stored_rows(keep):
    x, y, _ = sentences(200)
    got = svcca(moments_of(x, y), keep)
    if isinstance(keep, float):
        assert got.rho == pytest.approx(plain_svcca(x, y, keep), abs=1e-12)
    assert got.n == len(x)
    assert (got.d1, got.d2) == (6, 6)
    assert got.distance == pytest.approx(1 - got.rho.mean())
    assert got.hidden == pytest.approx(1 - got.rho.sum() / 6)
    if keep == 3:
        assert (got.k1, got.k2) == (3, 3)


def test_measures_are_symmetric():
    x, y, _ = sentences(200)
    assert all_measures(moments_of(x, y)) == pytest.approx(
        all_measures(moments_of(y, x)), rel=1e-12
    )


def test_a_layer_is_the_same_as_itself():
    x, _, _ = sentences(100)
    moments = moments_of(x, x)
    assert svcca(moments).distance == pytest.approx(0, abs=1e-13)
    assert linear_cka(moments) == pytest.approx(1, abs=1e-13)
    assert unbiased_cka(moments) == pytest.approx(1, abs=1e-13)
    assert procrustes(moments) == pytest.approx(0, abs=1e-12)
    turned = moments_of(x, 3 * x @ np.linalg.qr(np.random.default_rng(0).normal(size=(6, 6)))[0])
    assert procrustes(turned) == pytest.approx(0, abs=1e-12)
    assert linear_cka(turned) == pytest.approx(1, abs=1e-13)


def test_unbiased_cka_is_that_of_the_definition_and_0_for_independent_rows():
    random = np.random.default_rng(0)
    x, y = random.normal(size=(2, 500, 50)) + 3
    k, m = x @ x.T, y @ y.T
    np.fill_diagonal(k, 0)
    np.fill_diagonal(m, 0)

    def hsic(k, m):
        n = len(k)
        total = np.trace(k @ m) + k.sum() * m.sum() / ((n - 1) * (n - 2))
        return (total - 2 * (k.sum(axis=0) @ m.sum(axis=0)) / (n - 2)) / (n * (n - 3))

    got = moments_of(x, y)
    expected = hsic(k, m) / np.sqrt(hsic(k, k) * hsic(m, m))
    assert unbiased_cka(got) == pytest.approx(expected, abs=1e-10)
    assert abs(unbiased_cka(got)) < 0.01
    assert linear_cka(got) == pytest.approx(0.095, abs=0.01)


@pytest.mark.parametrize("noise", [0.0, 1e-15])
def test_a_constant_layer_gives_nan(noise):
    x, y, _ = sentences()
    constant = np.full_like(x, 0.7) + noise * x
    for moments in (moments_of(constant, y), moments_of(x, constant)):
        assert np.isnan(all_measures(moments)).all()
    assert svcca(moments_of(constant, y)).rank1 == 0


@pytest.mark.parametrize(("ratio", "mean"), [(2, 0.634), (5, 0.387), (10, 0.272), (20, 0.190)])
def test_independent_rows_have_the_correlations_of_chance(ratio, mean):
    x, y = np.random.default_rng(1).normal(size=(2, 64 * ratio, 64))
    got = svcca(moments_of(x, y), keep=None)
    assert got.rho.mean() == pytest.approx(mean, abs=0.02)
    assert got.few == (ratio < 10)


# --- null ---


def test_the_null_lets_each_token_meet_another_example():
    x, y, example = sentences()
    for lag in (8, 21, 60):
        assert (example != np.roll(example, lag)).all()
        expected = all_measures(moments_of(x, np.roll(y, lag, axis=0)))
        for chunk in (1, 3, 50, 1000):
            moments = moments_of(x, y, chunk, lags=(8, 21, 60))
            assert all_measures(moments.null(lag)) == pytest.approx(expected, rel=1e-10)
            assert all_measures(moments) == pytest.approx(all_measures(moments_of(x, y)), rel=1e-12)


@pytest.mark.parametrize("parts", [(2, 3, 5, 400), (400, 4), (30, 30, 30, 1)])
def test_the_null_of_merged_parts_is_that_of_all_rows(parts):
    x, y, _ = sentences(100)
    bounds = [0, *itertools.accumulate(parts), len(x)]
    found = merged(
        [moments_of(x[a:b] + 0.0, y[a:b], 11, (8, 21)) for a, b in itertools.pairwise(bounds)]
    )
    for lag in (8, 21):
        expected = all_measures(moments_of(x, np.roll(y, lag, axis=0)))
        assert all_measures(found.null(lag)) == pytest.approx(expected, rel=1e-10)


def test_the_null_separates_chance_from_similarity():
    x, y, _ = sentences(300, effect=0.0)
    unrelated = moments_of(x, y, lags=(8, 50, 100, 150))
    x, y, _ = sentences(300)
    related = moments_of(x, y, lags=(8, 50, 100, 150))
    for moments, likely in ((unrelated, True), (related, False)):
        nulls = [svcca(moments.null(lag)).distance for lag in moments.lags]
        assert (svcca(moments).distance > min(nulls) - 0.05) == likely
        # Tokens of an example are dependent: chance is larger than for as many single rows.
        assert np.mean(nulls) < 1 - 0.85 / np.sqrt(len(x) / 6)


# --- jackknife ---


def groups_of(x, y, example, groups=20) -> list[Moments]:
    parts = np.array_split(np.unique(example), groups)
    chosen = [np.isin(example, part) for part in parts]
    return [moments_of(x[rows], y[rows]) for rows in chosen]


def test_the_jackknife_leaves_out_one_group_at_a_time():
    x, y, example = sentences()
    got = jackknife(groups_of(x, y, example), all_measures)
    parts = np.array_split(np.unique(example), 20)
    kept = [~np.isin(example, part) for part in parts]
    without = np.array([all_measures(moments_of(x[rows], y[rows])) for rows in kept])
    error = np.sqrt(19 / 20 * ((without - without.mean(axis=0)) ** 2).sum(axis=0))
    assert got.value == pytest.approx(all_measures(moments_of(x, y)), rel=1e-10)
    assert got.error == pytest.approx(error, rel=1e-6)
    assert got.high - got.value == pytest.approx(2.093 * error, rel=1e-3)
    assert got.value - got.low == pytest.approx(2.093 * error, rel=1e-3)


def test_the_interval_covers_the_value_of_many_examples():
    x, y, example = sentences(20_000)
    truth = linear_cka(moments_of(x, y))
    hits = 0
    for first in range(0, 8000, 200):
        rows = (example >= first) & (example < first + 200)
        found = jackknife(groups_of(x[rows], y[rows], example[rows]), linear_cka)
        hits += found.low <= truth <= found.high
        assert isinstance(found.value, float)
    assert 34 <= hits <= 40  # 38 is what 95 % of 40 are


def test_a_jackknife_needs_groups_with_rows():
    x, y, _ = sentences()
    with pytest.raises(UserError, match="got 2 groups"):
        jackknife([moments_of(x, y)] * 2, linear_cka)
    with pytest.raises(UserError, match=r"of \[\d+, \d+, 0\] rows"):
        jackknife([moments_of(x, y), moments_of(x, y), Moments()], linear_cka)


# --- layers ---


def layers_of(count, d, seed, n=300):
    x = [sentences(n, d, seed)[0]]
    random = np.random.default_rng(seed)
    for _ in range(count - 1):
        x.append(np.tanh(x[-1] @ random.normal(size=(d, d)) / d) + x[-1] * 0.1)
    return x


def test_all_pairs_of_layers_are_those_of_single_moments():
    xs, ys = layers_of(3, 6, seed=0), [rows @ np.eye(6, 4) for rows in layers_of(4, 6, seed=0)]
    layers = LayerMoments(lags=(9,))
    for first in range(0, len(xs[0]), 500):
        layers.update([x[first : first + 500] for x in xs], [y[first : first + 500] for y in ys])
    assert layers.n == len(xs[0])
    for measure in MEASURES.values():
        got = layers.matrix(measure)
        expected = [[measure(moments_of(x, y)) for y in ys] for x in xs]
        assert got == pytest.approx(np.array(expected), rel=1e-10, abs=1e-12)
    single = moments_of(xs[1], ys[2], lags=(9,))
    assert all_measures(layers.pair(1, 2).null(9)) == pytest.approx(
        all_measures(single.null(9)), rel=1e-10
    )


def test_chosen_pairs_of_layers_in_parts_and_from_arrays():
    xs, ys = layers_of(3, 6, seed=0), layers_of(3, 6, seed=1)
    rows = min(len(xs[0]), len(ys[0]))
    pairs = [(0, 0), (2, 2), (0, 2)]

    def part(a, b):
        layers = LayerMoments(pairs, lags=(9,))
        return layers.update([x[a:b] for x in xs], [y[a:b] for y in ys])

    found = part(0, 100).merge(LayerMoments.from_arrays(part(100, rows).arrays()))
    for i, j in pairs:
        single = moments_of(xs[i][:rows], ys[j][:rows], lags=(9,))
        assert all_measures(found.pair(i, j)) == pytest.approx(all_measures(single), rel=1e-10)
        assert all_measures(found.pair(i, j).null(9)) == pytest.approx(
            all_measures(single.null(9)), rel=1e-10
        )
    assert set(found.xs) == {0, 2}
    matrix = found.matrix(linear_cka)
    assert matrix.shape == (3, 3)
    assert np.isfinite(matrix).sum() == 3
    with pytest.raises(UserError, match="different pairs of layers"):
        part(0, 50).merge(LayerMoments([(0, 0)], lags=(9,)))
    with pytest.raises(UserError, match="x: got 2 layers, counted from 0; asked for 2"):
        LayerMoments(pairs).update(xs[:2], ys)


def test_lags_of_some_pairs_alone():
    xs, ys = layers_of(2, 6, seed=0), layers_of(2, 6, seed=1)
    rows = min(len(xs[0]), len(ys[0]))

    def part(a, b, **options):
        layers = LayerMoments(lags=(9,), **options)
        return layers.update([x[a:b] for x in xs], [y[a:b] for y in ys])

    some, full = part(0, 100, lagged=[(1, 1)]), part(0, rows)
    found = some.merge(LayerMoments.from_arrays(part(100, rows, lagged=[(1, 1)]).arrays()))
    assert found.pair(1, 1).lags == (9,)
    assert all_measures(found.pair(1, 1).null(9)) == pytest.approx(
        all_measures(full.pair(1, 1).null(9)), rel=1e-10
    )
    for i, j in ((0, 0), (0, 1), (1, 0)):
        assert all_measures(found.pair(i, j)) == pytest.approx(
            all_measures(full.pair(i, j)), rel=1e-10
        )
        with pytest.raises(UserError, match=r"lag: got 9, the moments were made for \[\]"):
            found.pair(i, j).null(9)
    with pytest.raises(UserError, match="whose lags are of different pairs"):
        full.merge(some)


def test_a_pair_stays_as_it_was_when_rows_are_added():
    x, y, _ = sentences()
    layers = LayerMoments().update([x], [y])
    pair = layers.pair(0, 0)
    expected = all_measures(pair)
    layers.update([x[::-1] * 2], [y])
    assert all_measures(pair) == pytest.approx(expected, rel=0)


# --- errors ---


def broken(value):
    def spoil(x, y):
        y = y.copy()
        y[[2, 5], 1] = value
        return x, y

    return spoil


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda x, y: (x, y[:-1]), r"x and y must have the same rows, got \d+ and \d+ rows"),
        (lambda x, y: (x[:, :4], y), "x: got rows 4 wide, those before are 6 wide"),
        (lambda x, y: (x, y[0]), r"y: got shape \[6\], expected \[rows, width\]"),
        (broken(np.nan), r"y: 2 of \d+ rows hold NaN or infinite values: the model's activations"),
        (broken(-np.inf), r"y: 2 of \d+ rows hold NaN or infinite values"),
    ],
)
def test_wrong_rows_are_refused_and_nothing_is_added(spoil, message):
    x, y, _ = sentences()
    moments = moments_of(x, y)
    expected = all_measures(moments)
    with pytest.raises(UserError, match=message) as error:
        moments.update(*spoil(x, y))
    assert "\n" not in str(error.value)
    assert all_measures(moments) == pytest.approx(expected, rel=0)


def test_wrong_requests_are_refused():
    x, y, _ = sentences()
    moments = moments_of(x, y, lags=(9,))
    for keep in (0.0, 1.5, 0, True):
        with pytest.raises(UserError, match=f"keep: got {keep!r}, allowed"):
            svcca(moments, keep)
    with pytest.raises(UserError, match=r"lag: got 8, the moments were made for \[9\]"):
        moments.null(8)
    with pytest.raises(UserError, match="lag: 9 needs at least 18 rows, got 17"):
        moments_of(x[:17], y[:17], lags=(9,)).null(9)
    with pytest.raises(UserError, match=r"lags: got \[0\], each must be 1 or more"):
        Moments([0])
    with pytest.raises(UserError, match=r"lags differ: \[9\] and \[\]"):
        moments.merge(moments_of(x, y))
    with pytest.raises(UserError, match="y: widths differ, 6 and 3"):
        moments.merge(moments_of(x, y[:, :3], lags=(9,)))
    with pytest.raises(UserError, match="moments of 0 rows: at least 2"):
        svcca(Moments())
    with pytest.raises(UserError, match="moments of 3 rows: at least 4"):
        unbiased_cka(moments_of(x[:3], y[:3]))
