import numpy as np
import pytest
from scipy.spatial.distance import pdist
from scipy.stats import pearsonr
from sklearn.decomposition import PCA

from tests.probing.conftest import fixture
from workflow_scripts.common.errors import UserError
from workflow_scripts.probing.direct_probe import LabelDistances, clustering, label_distances
from workflow_scripts.probing.geometry import centroids, controls, paths, similarity, spreads


def distances(labels, seed=0, state="separated", values=None) -> LabelDistances:
    count = len(labels) * (len(labels) - 1) // 2
    values = np.random.default_rng(seed).uniform(1, 5, count) if values is None else values
    return LabelDistances(np.array(labels), values, values, np.full(count, state, dtype="U11"))


def test_similarity_is_pearsons_correlation():
    first, second = distances(range(5), 1), distances(range(5), 2)
    found = similarity(first, second)
    assert found.value == pytest.approx(pearsonr(first.distance, second.distance).statistic)
    assert (found.reason, found.labels) == (None, 5)
    assert similarity(first, first).value == pytest.approx(1)


def test_similarity_is_over_the_labels_that_both_have():
    x = np.random.default_rng(0).normal(size=(50, 60))
    labels = np.arange(50) % 5
    train, test = label_distances(x, labels), label_distances(x[:40] + 1, labels[:40])
    absent = label_distances(x[labels != 2], labels[labels != 2])
    found = similarity(train, absent)
    assert found.labels == 4
    assert found.value == pytest.approx(1)
    kept = [k for k, pair in enumerate(np.transpose(np.triu_indices(5, 1))) if 2 not in pair]
    assert train.among(absent.labels).distance == pytest.approx(train.distance[kept])
    assert similarity(train, test).value == pytest.approx(
        pearsonr(train.distance, test.distance).statistic
    )


@pytest.mark.parametrize(
    ("first", "second", "reason"),
    [
        (distances([0, 1, 2]), distances([1, 2, 3]), "2 labels in both, at least 3 are needed"),
        (
            distances([0, 1, 2], state="overlapping"),
            distances([0, 1, 2]),
            "train: 3 of 3 pairs of labels are overlapping",
        ),
        (
            distances([0, 1, 2]),
            distances([0, 1, 2], state="undecided"),
            "test: 3 of 3 pairs of labels are undecided",
        ),
        (
            distances([0, 1, 2], values=np.full(3, 2.0)),
            distances([0, 1, 2]),
            "train: all distances are equal",
        ),
    ],
)
def test_similarity_that_is_not_defined_says_why(first, second, reason):
    found = similarity(first, second, ("train", "test"))
    assert found.value is None
    assert found.reason == reason


def test_an_overlap_with_a_label_that_is_not_in_both_does_not_matter():
    first = distances([0, 1, 2, 3])
    first.state[2] = "overlapping"  # 0 and 3
    assert similarity(first, distances([0, 1, 2])).value is not None


def test_the_nearest_label_is_the_smallest_distance_known():
    found = distances([4, 5, 9], values=np.array([3.0, np.nan, 1.0]))
    assert found.nearest.tolist() == [3.0, 1.0, 1.0]
    assert np.isnan(distances([4]).nearest).all()


@pytest.mark.parametrize("name", ["linear3", "overlap5"])
def test_spreads_are_those_of_the_papers_code(name):
    arrays, reference = fixture(name)
    found = clustering(arrays["train_x"], arrays["train_y"])
    inside = spreads(arrays["train_x"], found)
    single = [(found.labels == spread.label).sum() == 1 for spread in inside]
    for key, values in (
        ("inside_mean", [spread.mean for spread in inside]),
        ("inside_max", [spread.largest for spread in inside]),
    ):
        same = np.array(values)[single], np.array(reference[key])[single]
        assert same[0] == pytest.approx(same[1], rel=1e-5)
    assert sum(single) >= 3


def test_spreads_are_over_pairs_of_the_same_cluster():
    arrays, _ = fixture("xor2")
    x = arrays["train_x"].astype(float)
    found = clustering(x, arrays["train_y"])
    for spread in spreads(x, found):
        pairs = np.concatenate(
            [pdist(x[found.index == k]) for k in np.flatnonzero(found.labels == spread.label)]
        )
        assert spread.pairs == len(pairs)
        assert [spread.mean, spread.largest] == pytest.approx([pairs.mean(), pairs.max()])


def test_a_label_of_single_points_has_no_spread():
    (spread,) = spreads(np.zeros((1, 2)), clustering(np.zeros((1, 2)), np.array([0])))
    assert spread.pairs == 0
    assert np.isnan([spread.mean, spread.largest]).all()


def test_many_points_are_taken_some_at_a_time():
    x = np.random.default_rng(0).normal(size=(700, 3)) + 100
    (spread,) = spreads(x, clustering(x, np.zeros(700, int)))
    assert [spread.mean, spread.largest] == pytest.approx([pdist(x).mean(), pdist(x).max()])


def test_centroids_are_means_and_absent_labels_have_none():
    x = np.random.default_rng(0).normal(size=(6, 3))
    found = centroids(x, np.array([0, 0, 0, 2, 2, 2]), np.array([0, 1, 2]))
    assert found[[0, 2]] == pytest.approx(np.stack([x[:3].mean(axis=0), x[3:].mean(axis=0)]))
    assert np.isnan(found[1]).all()


def test_paths_lie_in_the_principal_plane():
    steps = np.random.default_rng(0).normal(size=(4, 5, 9))
    found = paths(steps)
    expected = PCA(2, svd_solver="full").fit(steps.reshape(-1, 9))
    assert found.share == pytest.approx(expected.explained_variance_ratio_)
    assert np.abs(found.coordinates.reshape(-1, 2)) == pytest.approx(
        np.abs(expected.transform(steps.reshape(-1, 9)))
    )
    assert found.axes @ found.axes.T == pytest.approx(np.eye(2))
    assert all(axis[np.abs(axis).argmax()] > 0 for axis in found.axes)


def test_paths_of_absent_labels_or_without_change_are_drawn_as_far_as_they_go():
    steps = np.random.default_rng(0).normal(size=(3, 4, 5))
    steps[1, 2] = np.nan
    found = paths(steps)
    assert np.isnan(found.coordinates[1, 2]).all()
    assert np.isfinite(found.coordinates).sum() == 2 * 11
    still = paths(np.ones((3, 2, 5)))
    assert not still.coordinates.any()
    assert still.share.tolist() == [0, 0]
    with pytest.raises(UserError, match="no label has points"):
        paths(np.full((2, 2, 2), np.nan))
    with pytest.raises(UserError, match=r"got shape \(2, 2\)"):
        paths(np.zeros((2, 2)))


def test_controls_say_what_chance_would_give():
    random = np.random.default_rng(0)
    labels = np.array([0] * 5 + [1] * 60 + [2] * 60)
    x = random.normal(size=(125, 20)) + 20 * np.eye(20)[labels]
    states = label_distances(x, labels).state
    found = controls(x, labels, states, shuffles=10)
    assert [(c.first, c.second, c.n, c.smaller) for c in found] == [
        (0, 1, 65, 5), (0, 2, 65, 5), (1, 2, 120, 60)
    ]  # fmt: skip
    assert [c.n_per_d for c in found] == [3.25, 3.25, 6.0]
    assert {c.state for c in found} == {"separated"}
    # Few points of one label are separable whatever they are; 60 and 60 in 20 dimensions are not.
    assert found[0].shuffled >= 0.8
    assert found[0].vacuous
    assert found[2].shuffled == 0
    assert not found[2].vacuous
    assert found == controls(x, labels, states, shuffles=10)


def test_with_more_dimensions_than_points_every_shuffle_is_separable():
    random = np.random.default_rng(0)
    x, labels = random.normal(size=(30, 40)), np.arange(30) % 2
    (control,) = controls(x, labels, label_distances(x, labels).state)
    assert control.shuffled == 1
    assert control.vacuous


def test_controls_of_a_pair_do_not_depend_on_other_labels():
    random = np.random.default_rng(0)
    x, labels = random.normal(size=(60, 12)), np.arange(60) % 3
    every = controls(x, labels, label_distances(x, labels).state, shuffles=20)
    two = labels < 2
    (alone,) = controls(
        x[two], labels[two], label_distances(x[two], labels[two]).state, shuffles=20
    )
    assert alone == every[0]
    with pytest.raises(UserError, match="got 1, expected 3 pairs"):
        controls(x, labels, np.array(["separated"]))
    with pytest.raises(UserError, match="shuffles: got 0"):
        controls(x, labels, np.array(["separated"] * 3), shuffles=0)
