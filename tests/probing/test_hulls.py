from fractions import Fraction

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.spatial import ConvexHull

from tests.probing.conftest import FIXTURES, fixture, lp_overlap
from workflow_scripts.common.errors import UserError
from workflow_scripts.probing.direct_probe import closest_points, hull_distance, separable
from workflow_scripts.probing.hulls import COINCIDE


def check_certificate(hulls, x, y) -> None:
    """Everything a result claims, from the points alone."""
    x, y = np.asarray(x, float), np.asarray(y, float)
    assert np.all(hulls.weights_x > 0)
    assert np.all(hulls.weights_y > 0)
    assert [hulls.weights_x.sum(), hulls.weights_y.sum()] == pytest.approx([1, 1], abs=1e-12)
    p, q = hulls.weights_x @ x[hulls.rows_x], hulls.weights_y @ y[hulls.rows_y]
    assert np.linalg.norm(p - q) == pytest.approx(hulls.upper, rel=1e-9, abs=1e-11 * hulls.scale)
    assert hulls.lower <= hulls.upper * (1 + 1e-9)
    if hulls.state == "separated":
        assert np.linalg.norm(hulls.direction) == pytest.approx(1)
        # In exact arithmetic: floating-point numbers are fractions.
        ends = [min(map(exact_dot(hulls.direction), x)), max(map(exact_dot(hulls.direction), y))]
        assert ends[0] > ends[1]
        assert float(ends[0] - ends[1]) >= hulls.lower
        assert (x @ hulls.direction).min() >= hulls.offset - 1e-9 * hulls.scale
        assert (y @ hulls.direction).max() <= hulls.offset + 1e-9 * hulls.scale
    elif hulls.state == "overlapping":
        assert len(hulls.rows_x) + len(hulls.rows_y) <= x.shape[1] + 2
        assert hulls.upper <= COINCIDE * hulls.scale
        assert hulls.lower == 0
        assert hulls.distance == 0


def exact_dot(direction):
    weights = [Fraction(float(v)) for v in direction]
    return lambda row: sum(w * Fraction(float(v)) for w, v in zip(weights, row, strict=True))


def instances():
    """Two sets each, over all that matters: dimension, numbers, distance, offset, scale."""
    random = np.random.default_rng(0)
    for number in range(60):
        d = int(random.integers(1, 12))
        n, m = (int(v) for v in random.integers(1, 30, 2))
        x = random.normal(size=(n, d))
        y = random.normal(size=(m, d)) + random.uniform(0, 3) / np.sqrt(d)
        scale, offset = 10.0 ** random.integers(-6, 7), random.normal(size=d) * (number % 3)
        yield scale * (x + offset), scale * (y + offset)


def test_two_sets_are_separated_or_overlapping_as_a_linear_program_says():
    states = []
    for x, y in instances():
        hulls = separable(x, y)
        scale = hulls.scale
        check_certificate(hulls, x, y)
        centre = x.mean(axis=0)
        expected = "overlapping" if lp_overlap((x - centre) / scale, (y - centre) / scale) else (
            "separated"
        )  # fmt: skip
        assert hulls.state == expected
        states.append(expected)
    assert min(states.count("overlapping"), states.count("separated")) > 10


def test_the_closest_points_are_those_of_a_general_solver():
    compared = 0
    for x, y in instances():
        hulls = closest_points(x, y)
        check_certificate(hulls, x, y)
        if hulls.state != "separated":
            continue
        assert hulls.upper - hulls.lower <= 1e-7 * hulls.upper
        if len(x) + len(y) > 25:
            continue
        n = len(x)
        weights = np.concatenate([np.full(len(x), 1 / len(x)), np.full(len(y), 1 / len(y))])
        both = np.vstack([x, -y]) / hulls.scale
        answer = minimize(
            lambda w, both=both: float(np.sum((w @ both) ** 2)),
            weights,
            jac=lambda w, both=both: 2 * both @ (w @ both),
            bounds=[(0, None)] * len(weights),
            constraints=[
                {"type": "eq", "fun": lambda w, n=n: w[:n].sum() - 1},
                {"type": "eq", "fun": lambda w, n=n: w[n:].sum() - 1},
            ],
            method="SLSQP",
            options={"ftol": 1e-15, "maxiter": 500},
        )
        assert hulls.distance == pytest.approx(np.sqrt(answer.fun) * hulls.scale, rel=1e-4)
        compared += 1
    assert compared > 5


def segment_distance(p, a, b) -> float:
    along = np.clip((p - a) @ (b - a) / ((b - a) @ (b - a)), 0, 1)
    return float(np.linalg.norm(p - a - along * (b - a)))


def test_in_the_plane_the_distance_is_that_of_corners_and_edges():
    random = np.random.default_rng(1)
    for gap in (0.5, 3.0, 40.0):
        x = random.normal(size=(25, 2))
        y = random.normal(size=(30, 2)) + np.array([8 + gap, gap])
        corners = [points[ConvexHull(points).vertices] for points in (x, y)]
        expected = min(
            segment_distance(p, a, b)
            for mine, theirs in (corners, corners[::-1])
            for p in mine
            for a, b in zip(theirs, np.roll(theirs, 1, axis=0), strict=True)
        )
        assert hull_distance(x, y) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("name", FIXTURES)
def test_distances_of_the_fixtures_are_those_of_the_papers_code(name):
    arrays, reference = fixture(name)
    clusters = np.array(reference["clusters"])
    for i, _, j, _, expected in reference["cluster_distances"]:
        x, y = (arrays["train_x"][clusters == k] for k in (i, j))
        hulls = closest_points(x, y)
        check_certificate(hulls, x, y)
        assert hulls.distance == pytest.approx(expected, abs=1e-3)


def test_many_points_are_answered_from_few():
    random = np.random.default_rng(2)
    x, y = random.normal(size=(3000, 20)), random.normal(size=(2000, 20))
    overlapping = closest_points(x, y)
    separated = closest_points(x, y + 4)
    for hulls, other in ((overlapping, y), (separated, y + 4)):
        check_certificate(hulls, x, other)
    assert (overlapping.state, separated.state) == ("overlapping", "separated")
    assert separated.upper - separated.lower <= 1e-8 * separated.upper


@pytest.mark.parametrize("gap", [1e-1, 1e-4, 1e-7, 1e-10])
def test_a_narrow_gap_is_detected(gap):
    random = np.random.default_rng(3)
    x, y = random.normal(size=(200, 10)), random.normal(size=(150, 10))
    x[:, 0] = np.abs(x[:, 0])
    y[:, 0] = -np.abs(y[:, 0]) - gap
    x[0, 0], y[0, 0] = 0, -gap
    hulls = closest_points(x, y)
    check_certificate(hulls, x, y)
    assert hulls.state == "separated"
    assert gap * 0.999 <= hulls.upper


def test_sets_that_touch_are_never_separated():
    corner = np.array([[1.0, 0.0]])
    square = np.array([[0.0, 0.0], [1.0, -1.0], [1.0, 1.0], [0.0, 1.0]])
    hulls = separable(corner, square)  # on an edge
    assert hulls.state == "overlapping"
    check_certificate(hulls, corner, square)


def test_a_shared_point_is_the_witness():
    random = np.random.default_rng(4)
    x, y = random.normal(size=(5, 8)), random.normal(size=(6, 8)) + 9
    y[3] = x[2]
    hulls = separable(x, y)
    assert hulls.state == "overlapping"
    assert (hulls.rows_x.tolist(), hulls.rows_y.tolist()) == ([2], [3])
    assert hulls.upper == 0


@pytest.mark.parametrize("shift", [0.0, 2.0])
def test_a_single_point_a_constant_feature_and_equal_points_are_no_special_case(shift):
    x = np.array([[1.0, 5.0, 0.0]] * 3)
    y = x[:1] + np.array([0, 0, shift])
    assert hull_distance(x, y) == pytest.approx(shift, abs=1e-12)
    assert separable(x, y).state == ("separated" if shift else "overlapping")
    assert bool(separable(x, y)) == bool(shift)


def test_the_answer_does_not_depend_on_a_large_offset():
    random = np.random.default_rng(5)
    x, y = random.normal(size=(40, 6)), random.normal(size=(40, 6)) + 2
    assert hull_distance(x + 2.0**20, y + 2.0**20) == pytest.approx(hull_distance(x, y), rel=1e-8)
    assert hull_distance(y, x) == pytest.approx(hull_distance(x, y), rel=1e-8)


def test_what_is_neither_shown_nor_refuted_is_undecided():
    # The gap is far below what float64 keeps of these numbers once they are centred.
    x = np.array([[0.0, 0.0], [1.0, 1.0]])
    y = np.array([[0.0, -1e-15], [1.0, -1.0], [0.5, 0.5 - 3e-15]])
    hulls = separable(x, y)
    assert hulls.state in ("undecided", "overlapping")
    assert not hulls
    assert hulls.lower == 0


def test_an_undecided_distance_is_not_a_number(monkeypatch):
    monkeypatch.setattr("workflow_scripts.probing.hulls._weights", lambda *_: None)
    random = np.random.default_rng(6)
    hulls = closest_points(random.normal(size=(9, 2)), random.normal(size=(9, 2)))
    assert hulls.state == "undecided"
    assert np.isnan(hulls.distance)
    assert not hulls


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (np.zeros((0, 2)), np.zeros((1, 2)), r"got shapes \(0, 2\), \(1, 2\)"),
        (np.zeros((2, 2)), np.zeros((1, 3)), r"got shapes \(2, 2\), \(1, 3\)"),
        (np.zeros(2), np.zeros((1, 2)), r"got shapes \(2,\)"),
        (np.array([[0.0], [np.nan]]), np.zeros((1, 1)), "row 1 has a value that is not finite"),
    ],
)
def test_bad_points_are_named(x, y, message):
    with pytest.raises(UserError, match=message):
        separable(x, y)


def faces(gap: float, d: int = 40, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Two hulls whose faces lie opposite each other at a distance; overlapping where it is < 0."""
    random = np.random.default_rng(seed)
    x, y = random.normal(size=(4 * d, d)), random.normal(size=(5 * d, d))
    x[:, 0], y[:, 0] = np.abs(x[:, 0]), -np.abs(y[:, 0]) - gap
    x[: 3 * d, 0], y[: 3 * d, 0] = 0.0, -gap
    rotation, _ = np.linalg.qr(random.normal(size=(d, d)))
    return x @ rotation, y @ rotation


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("gap", [1e-6, 1e-8, 1e-10, 1e-11, -1e-11, -1e-8, -1e-6])
def test_hulls_that_all_but_touch_are_decided_with_their_certificate(gap, seed):
    x, y = faces(gap, seed=seed)
    found = separable(x, y)
    check_certificate(found, x, y)
    if gap > 0:
        assert found.state == "separated"
        assert 0 < found.lower <= gap * (1 + 1e-3)
    else:
        assert found.state == "overlapping"


def test_vectors_that_lie_in_a_hyperplane_but_for_rounding_are_decided():
    """As those of a layer that ends in a normalisation: its float32 rounding is a dimension."""
    random = np.random.default_rng(0)
    states = {}
    for shift in (0.0, 0.6, 3.0):
        x, y = random.normal(size=(90, 24)), random.normal(size=(120, 24))
        y[:, :12] += shift
        sets = [(z - z.mean(axis=1, keepdims=True)).astype(np.float32) for z in (x, y)]
        found = separable(*sets)
        check_certificate(found, *(z.astype(float) for z in sets))
        states[shift] = found.state
    assert states[0.0] != "undecided"
    assert states[0.6] != "undecided"
    assert states[3.0] == "separated"
