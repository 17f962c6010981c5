import numpy as np
import pytest

from tests.probing.conftest import FIXTURES, fixture
from workflow_scripts.common.errors import UserError
from workflow_scripts.probing.direct_probe import clustering, hull_distance, predict


@pytest.mark.parametrize("name", FIXTURES)
def test_the_nearest_hull_of_a_point_is_that_of_the_papers_code(name):
    arrays, reference = fixture(name)
    found = clustering(arrays["train_x"], arrays["train_y"])
    predicted = predict(arrays["test_x"], arrays["train_x"], found)
    assert np.mean(predicted.label == arrays["test_y"]) == reference["test_accuracy"]
    assert predicted.label.tolist() == [row[0][1] for row in reference["test_distances"]]
    assert predicted.certified.all()
    # The code's soft margin (C = 1e4) is off by up to 0.005 where a point is close to a hull.
    expected = [row[0][2] for row in reference["test_distances"]]
    assert predicted.distance == pytest.approx(expected, abs=1e-2)
    assert np.mean(np.abs(predicted.distance - expected) < 1e-3) > 0.9


@pytest.mark.parametrize("seed", range(5))
def test_a_prediction_is_the_nearest_of_all_hulls(seed):
    random = np.random.default_rng(seed)
    x, labels = random.normal(size=(80, 3)), random.integers(0, 3, 80)
    found = clustering(x, labels)
    points = 1.5 * random.normal(size=(25, 3))
    predicted = predict(points, x, found, tolerance=1e-9)
    for row, point in enumerate(points):
        distances = np.array(
            [hull_distance(x[found.index == k], point[None]) for k in range(len(found.labels))]
        )
        assert predicted.distance[row] == pytest.approx(distances.min(), rel=1e-6, abs=1e-9)
        assert distances[predicted.cluster[row]] == pytest.approx(distances.min(), abs=1e-8)
        others = distances[found.labels != predicted.label[row]]
        assert predicted.other[row] <= others.min() * (1 + 1e-9) + 1e-12
        if predicted.certified[row]:
            assert others.min() > predicted.distance[row] * (1 - 1e-9)
    assert predicted.certified.mean() > 0.9


def test_the_training_points_are_predicted_by_their_own_clusters():
    arrays, _ = fixture("overlap5")
    found = clustering(arrays["train_x"], arrays["train_y"])
    predicted = predict(arrays["train_x"], arrays["train_x"], found)
    assert predicted.label.tolist() == arrays["train_y"].tolist()
    assert predicted.distance.max() == 0


def test_a_point_of_two_labels_hulls_is_not_certified():
    x = np.array([[0.0, 0.0], [0.0, 0.0], [5.0, 5.0]])
    found = clustering(x, np.array([0, 1, 1]))
    predicted = predict(np.zeros((1, 2)), x, found)
    assert predicted.distance.tolist() == [0.0]
    assert not predicted.certified[0]
    assert predicted.cluster.tolist() == [0]


def test_one_label_only_has_no_rival():
    x = np.random.default_rng(0).normal(size=(9, 2))
    predicted = predict(x + 10, x, clustering(x, np.zeros(9, int)))
    assert predicted.other.tolist() == [np.inf] * 9
    assert predicted.certified.all()


def test_rows_must_be_those_of_the_clustering():
    x = np.random.default_rng(0).normal(size=(9, 2))
    with pytest.raises(UserError, match="got 8 rows, expected the 9 of the clustering"):
        predict(x, x[:8], clustering(x, np.zeros(9, int)))
