import numpy as np
import pytest

from workflow_scripts.landscape.projection import project


def directions(dimensions=1000, seed=0):
    rng = np.random.default_rng(seed)
    d1, d2 = rng.normal(size=(2, dimensions))
    return d1, d2 * np.linalg.norm(d1) / np.linalg.norm(d2), rng.normal(size=dimensions)


def test_the_papers_coordinates_are_those_of_equations_4_and_5():
    d1, d2, di = directions()
    place = project(di, d1, d2)
    cosine = di @ d1 / np.linalg.norm(di) / np.linalg.norm(d1)
    ratio = np.linalg.norm(di) / np.linalg.norm(d1)
    assert place.d_alpha == pytest.approx(cosine * ratio, rel=1e-12)
    assert place.d_beta == pytest.approx(ratio * np.sqrt(1 - cosine**2), rel=1e-12)
    assert place.cosine == pytest.approx(cosine, rel=1e-12)
    assert place.norm == pytest.approx(ratio, rel=1e-12)


def test_least_squares_agrees_with_numpy_also_for_slanted_directions():
    d1, d2, di = directions()
    d2 = 0.8 * d1 + 0.6 * d2
    basis = np.stack([d1, d2], axis=1)
    best, residual, *_ = np.linalg.lstsq(basis, di, rcond=None)
    place = project(di, d1, d2)
    assert (place.ls_alpha, place.ls_beta) == pytest.approx(best, rel=1e-9)
    assert place.outside == pytest.approx(np.sqrt(residual[0]) / np.linalg.norm(di), rel=1e-9)


def test_the_end_lies_at_one_zero_and_a_point_of_the_plane_is_found_again():
    d1, d2, _ = directions()
    end = project(d1, d1, d2)
    assert (end.d_alpha, end.d_beta, end.ls_alpha, end.ls_beta) == pytest.approx(
        (1, 0, 1, 0), abs=1e-7
    )
    inside = project(0.3 * d1 - 1.7 * d2, d1, d2)
    assert (inside.ls_alpha, inside.ls_beta) == pytest.approx((0.3, -1.7), abs=1e-9)
    assert inside.outside == pytest.approx(0, abs=1e-6)
    assert inside.d_beta > 0  # the paper's is a length


def test_the_start_has_no_angle_and_broken_weights_have_no_place():
    d1, d2, di = directions()
    start = project(0 * di, d1, d2)
    assert (start.d_alpha, start.d_beta, start.outside) == (0, 0, 0)
    assert np.isnan(start.cosine)
    assert np.isnan(project(di * np.nan, d1, d2).ls_alpha)


def test_float32_weights_are_summed_in_float64():
    rng = np.random.default_rng(1)
    d1, d2, di = rng.normal(size=(3, 2_000_000)).astype(np.float32)
    exact = float(di.astype(np.float64) @ d1.astype(np.float64))
    exact /= float(d1.astype(np.float64) @ d1.astype(np.float64))
    assert project(di, d1, d2).d_alpha == pytest.approx(exact, rel=1e-12)
