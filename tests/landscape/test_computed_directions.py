"""Second directions that come from no other run, against formulas of their own."""

import numpy as np
import pytest
import torch

from tests.landscape.conftest import moved
from tests.landscape.test_engine import scene, weights_of
from workflow_scripts.common.errors import UserError
from workflow_scripts.common.tables import read_json, write_json
from workflow_scripts.landscape.directions import main_direction, random_direction
from workflow_scripts.landscape.measure_directions import measure_directions
from workflow_scripts.landscape.projection import project
from workflow_scripts.landscape.setting import Checkpoints, load_directions
from workflow_scripts.model.encoder import encoder_names, encoder_weights, write_weights

SHAPES = {"matrix": (5, 7), "bias": (5,), "embeddings.words": (11, 4), "kernel": (3, 2, 4)}


def drawn(seed: int) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return {name: torch.randn(shape, generator=generator) for name, shape in SHAPES.items()}


def flat(weights: dict[str, torch.Tensor]) -> np.ndarray:
    return np.concatenate([weights[name].double().numpy().ravel() for name in sorted(weights)])


def test_a_random_direction_has_the_norm_of_every_filter():
    end = drawn(0) | {"zero": torch.zeros(2, 3)}
    direction = random_direction(end, seed=5)
    for name, weights in end.items():
        if weights.ndim == 1:
            assert not direction[name].any()
            continue
        for row, filter_ in zip(direction[name].numpy(), weights.numpy(), strict=True):
            norms = [np.sqrt(np.sum(np.square(x, dtype=np.float64))) for x in (row, filter_)]
            assert norms[0] == pytest.approx(norms[1], rel=1e-6)


def test_a_random_direction_is_normal_noise_scaled_by_filter():
    end = drawn(0)
    # By the formula of Li et al.: d <- d / ||d|| * ||theta||, filter by filter, in order of names.
    generator = torch.Generator().manual_seed(9)
    direction = random_direction(end, seed=9)
    for name in sorted(end):
        if end[name].ndim > 1:
            noise = torch.randn(end[name].shape, generator=generator).double().numpy()
            for i, row in enumerate(noise):
                size = np.linalg.norm(end[name][i].double().numpy())
                expected = row / np.linalg.norm(row) * size
                np.testing.assert_allclose(direction[name][i].numpy(), expected, rtol=1e-6)
    values = np.concatenate([direction["matrix"].numpy().ravel()])
    assert (values > 0).any()
    assert (values < 0).any()


def test_a_random_direction_depends_on_the_seed_and_not_on_the_order_of_the_names():
    end = drawn(0)
    first = random_direction(end, seed=1)
    again = random_direction(dict(reversed(end.items())), seed=1)
    other = random_direction(end, seed=2)
    assert list(first) == list(end)
    for name in end:
        assert torch.equal(first[name], again[name])
    assert not torch.equal(first["matrix"], other["matrix"])


def path_of(length: int) -> tuple[dict, list[dict]]:
    steps = [drawn(seed) for seed in range(length)]
    total = {name: torch.zeros(shape) for name, shape in SHAPES.items()}
    path = []
    for step in steps:
        total = {name: total[name] + step[name] for name in total}
        path.append(total)
    return path[-1], path[:-1]


def test_the_main_direction_is_the_first_right_singular_vector_beside_the_first_direction():
    delta_1, path = path_of(6)
    main = main_direction(delta_1, path)
    first = flat(delta_1)
    rest = np.stack([flat(one) for one in path])
    rest -= np.outer(rest @ first / (first @ first), first)
    _, values, vectors = np.linalg.svd(rest, full_matrices=False)
    found = flat(main.delta)
    assert abs(found @ vectors[0]) == pytest.approx(1, abs=1e-6)
    assert np.linalg.norm(found) == pytest.approx(1, abs=1e-6)
    assert found @ first == pytest.approx(0, abs=1e-5)
    assert (rest @ found).sum() > 0
    assert main.explained == pytest.approx(values[0] ** 2 / (values**2).sum(), rel=1e-6)


def test_the_main_direction_explains_more_than_any_other():
    delta_1, path = path_of(5)

    def outside(direction: dict) -> float:
        length = np.linalg.norm(flat(delta_1)) / np.linalg.norm(flat(direction))
        scaled = {name: t * length for name, t in direction.items()}
        return sum((p := project(one, delta_1, scaled)).outside ** 2 * p.norm**2 for one in path)

    best = outside(main_direction(delta_1, path).delta)
    assert all(best < outside(other) for other in [*path, *(drawn(s) for s in range(20, 40))])


def test_a_straight_trajectory_has_no_main_direction():
    delta_1 = drawn(0)
    path = [{name: share * t for name, t in delta_1.items()} for share in (0.25, 0.5)]
    with pytest.raises(UserError, match="the trajectory is a straight line"):
        main_direction(delta_1, path)


@pytest.mark.parametrize("second", ["random", "pca"])
def test_a_surface_has_a_computed_direction_as_long_as_the_first(second, tmp_path):
    module, _ = scene("bert")
    start = weights_of(module)
    files = {name: tmp_path / f"{name}.safetensors" for name in ("start", "one", "two", "end")}
    for seed, path in enumerate(files.values()):
        write_weights(moved(start, seed) if seed else start, path)
    write_weights(encoder_weights(module, start), tmp_path / "encoder.safetensors")
    write_json({"name": "t", "synthetic": True, "labels": ["a", "b"]}, tmp_path / "card.json")
    between = [files["one"], files["two"]] if second == "pca" else None
    surface = {"kind": "plane", "range": [-1, 1], "points": 3, "group": None, "groups": None}
    surface |= {"second": second, "start": "pretrained"}
    surface |= {"seed": 4} if second == "random" else {}
    measure_directions(
        encoder=tmp_path / "encoder.safetensors",
        card=tmp_path / "card.json",
        start=files["start"],
        end=files["end"],
        geometry=tmp_path / "geometry.json",
        surface=surface,
        between=between,
    )
    facts = read_json(tmp_path / "geometry.json")
    assert facts["second"] == second
    span = Checkpoints(files["start"], files["end"], None, between or (), surface.get("seed"))
    found = load_directions(encoder_names(module), span)
    first, other = flat(found.delta_1), flat(found.delta_2)
    assert np.linalg.norm(other) == pytest.approx(np.linalg.norm(first), rel=1e-6)
    assert facts["cosine"] == pytest.approx(
        first @ other / np.linalg.norm(first) / np.linalg.norm(other), abs=1e-6
    )
    if second == "pca":
        assert facts["cosine"] == pytest.approx(0, abs=1e-6)
        assert 0.5 <= facts["explained"] <= 1
    else:
        assert "explained" not in facts
        # Before scaling every filter is as long as the end's: the distance of a whole unit is 1.
        assert facts["filter_distance_2"] == pytest.approx(found.scale, rel=1e-6)
