import numpy as np
import pytest
from scipy.cluster.hierarchy import linkage, to_tree
from scipy.spatial.distance import pdist

from tests.probing.conftest import FIXTURES, fixture, lp_overlap, plain_clusters, same_partition
from tests.probing.test_hulls import check_certificate
from workflow_scripts.common.errors import UserError
from workflow_scripts.probing import clustering as module
from workflow_scripts.probing.direct_probe import (
    cluster,
    cluster_distances,
    clustering,
    label_distances,
    label_pairs,
    mean_cluster_distances,
    separable,
)
from workflow_scripts.probing.linkage import Linkage, closest_first, joining_order


def check_clustering(found, x, labels) -> None:
    """That no hull meets another label's, and that each two clusters of a label had to stay two."""
    x, labels = np.asarray(x, float), np.asarray(labels)
    names = np.arange(len(found.labels))
    assert np.unique(found.index).tolist() == names.tolist()
    twins = {row for row, _ in found.duplicates}
    for row, other in found.duplicates:
        assert (x[row] == x[other]).all()
        assert labels[row] != labels[other]
    for k in names:
        assert set(labels[found.index == k]) == {found.labels[k]}
        for other in names[found.labels > found.labels[k]]:
            rows = [np.flatnonzero(found.index == m) for m in (k, other)]
            if not (set(rows[0].tolist()) | set(rows[1].tolist())) & twins:
                assert not lp_overlap(x[rows[0]], x[rows[1]])
    for rejection in found.rejections:
        assert not rejection.undecided
        assert set(labels[rejection.rows]) == {rejection.label}
        assert rejection.label not in labels[rejection.other_rows]
        p = rejection.weights @ x[rejection.rows]
        q = rejection.other_weights @ x[rejection.other_rows]
        assert p == pytest.approx(q, abs=1e-11 * np.abs(x).max())
    for k in names:
        for other in names[k + 1 :]:
            if found.labels[k] == found.labels[other]:
                pair = set(np.flatnonzero(np.isin(found.index, [k, other])).tolist())
                assert pair & twins or any(kept_apart(found, pair, r) for r in found.rejections)


def kept_apart(found, pair, rejection) -> bool:
    """Whether an overlap is one of the pair's union and a single other cluster."""
    sides = (rejection.rows, rejection.other_rows)
    return any(
        set(mine.tolist()) <= pair and len(set(found.index[theirs].tolist())) == 1
        for mine, theirs in (sides, sides[::-1])
    )


@pytest.mark.parametrize("name", FIXTURES)
def test_the_partition_is_that_of_the_papers_code(name):
    arrays, reference = fixture(name)
    found = clustering(arrays["train_x"], arrays["train_y"])
    assert same_partition(found.index, reference["clusters"])
    assert found.linear == (name == "linear3")
    assert found.undecided == 0
    check_clustering(found, arrays["train_x"], arrays["train_y"])
    assert (cluster(arrays["train_x"], arrays["train_y"]) == found.index).all()


@pytest.mark.parametrize("name", FIXTURES)
def test_distances_of_labels_are_those_of_the_papers_code(name):
    arrays, reference = fixture(name)
    found = clustering(arrays["train_x"], arrays["train_y"])
    means = mean_cluster_distances(found, cluster_distances(arrays["train_x"], found))
    assert means == pytest.approx(reference["label_dis_vec"], abs=1e-3)
    distances = label_distances(arrays["train_x"], arrays["train_y"])
    assert distances.linear == found.linear
    if distances.linear:
        assert distances.distance == pytest.approx(means, rel=1e-7)
        assert distances.nearest == pytest.approx(reference["outside_min"], abs=1e-3)


@pytest.mark.parametrize("seed", range(16))
def test_the_partition_is_that_of_the_plain_algorithm(seed):
    random = np.random.default_rng(seed)
    d, k = int(random.integers(1, 6)), int(random.integers(2, 5))
    n = int(random.integers(8, 46))
    labels = random.integers(0, k, n)
    x = random.normal(size=(n, d)) + random.uniform(0, 3) * random.normal(size=(k, d))[labels]
    found = clustering(x, labels)
    assert same_partition(found.index, plain_clusters(x, labels))
    check_clustering(found, x, labels)


def test_many_clusters_of_shuffled_labels_are_those_of_the_plain_algorithm():
    random = np.random.default_rng(100)
    x, labels = random.normal(size=(45, 2)), random.integers(0, 3, 45)
    found = clustering(x, labels)
    assert len(found.labels) > 12
    assert same_partition(found.index, plain_clusters(x, labels))
    check_clustering(found, x, labels)


@pytest.mark.parametrize(
    ("n", "d", "seed"), [(150, 6, 0), (150, 6, 1), pytest.param(300, 15, 2, marks=pytest.mark.slow)]
)
def test_the_decisions_of_many_points_are_those_of_the_plain_algorithm(n, d, seed):
    random = np.random.default_rng(seed)
    labels = random.integers(0, 3, n)
    x = random.normal(size=(n, d)) + 0.4 * random.normal(size=(3, d))[labels]
    found = clustering(x, labels)
    assert 5 < len(found.labels) < 40
    check_clustering(found, x, labels)
    expected = plain_clusters(x, labels, lambda *two: separable(*two).state != "separated")
    assert same_partition(found.index, expected)


def test_a_label_that_is_separated_from_all_others_is_one_cluster_of_few_tests(monkeypatch):
    random = np.random.default_rng(0)
    labels = np.repeat([0, 1, 2], 60)
    x = random.normal(size=(180, 3)) + 30 * (labels == 2)[:, None]
    merged = []
    original = module._Merging.__init__

    def seen(self, points, own, touching):
        merged.append(sorted(set(own.tolist())))
        original(self, points, own, touching)

    monkeypatch.setattr(module._Merging, "__init__", seen)
    found = clustering(x, labels)
    assert merged == [[0, 1]]
    assert len(set(found.index[labels == 2].tolist())) == 1


def test_every_pair_of_labels_has_its_certificate():
    random = np.random.default_rng(1)
    labels = np.repeat([3, 7, 11, 20], 40)
    x = random.normal(size=(160, 5)) + 3 * random.normal(size=(4, 5))[labels % 4]
    pairs = label_pairs(x, labels)
    assert [(p.first, p.second) for p in pairs] == [
        (3, 7), (3, 11), (3, 20), (7, 11), (7, 20), (11, 20)
    ]  # fmt: skip
    for pair in pairs:
        sides = [x[labels == name] for name in (pair.first, pair.second)]
        assert (pair.hulls.state == "overlapping") == lp_overlap(*sides)
        # Rows are those of the data: back to those of each label.
        own = [np.flatnonzero(labels == name) for name in (pair.first, pair.second)]
        assert set(pair.hulls.rows_x) <= set(own[0])
        assert set(pair.hulls.rows_y) <= set(own[1])
        rows = [
            np.searchsorted(rows, used)
            for rows, used in zip(own, (pair.hulls.rows_x, pair.hulls.rows_y), strict=True)
        ]
        fields = {**vars(pair.hulls), "rows_x": rows[0], "rows_y": rows[1]}
        check_certificate(type(pair.hulls)(**fields), *sides)


def test_equal_vectors_of_different_labels_overlap_and_stay_alone():
    random = np.random.default_rng(2)
    x = random.normal(size=(40, 3))
    labels = np.repeat([0, 1], 20)
    x[labels == 1] += 6
    x[25] = x[4]
    x[5] = x[4]  # of the same label
    found = clustering(x, labels)
    assert found.duplicates == ((4, 25), (5, 25), (25, 4))
    assert not found.linear
    assert found.pairs[0].hulls.state == "overlapping"
    for row in (4, 5, 25):
        assert (found.index == found.index[row]).sum() == 1
    assert same_partition(found.index, plain_clusters(x, labels))
    check_clustering(found, x, labels)


def test_all_vectors_equal_give_a_cluster_each():
    found = clustering(np.ones((6, 4)), np.array([0, 0, 0, 1, 1, 1]))
    assert len(found.labels) == 6
    assert not found.linear
    distances = label_distances(np.ones((6, 4)), np.array([0, 0, 0, 1, 1, 1]))
    assert distances.distance.tolist() == [0.0]


def test_one_example_of_a_label_and_constant_features_are_no_special_case():
    random = np.random.default_rng(3)
    x = np.hstack([random.normal(size=(21, 2)), np.full((21, 2), 7.0)])
    labels = np.array([0] * 10 + [1] * 10 + [2])
    found = clustering(x, labels)
    assert same_partition(found.index, plain_clusters(x[:, :2], labels))
    assert (found.labels == 2).sum() == 1


def test_one_label_is_one_cluster():
    found = clustering(np.arange(6.0).reshape(3, 2), np.array([5, 5, 5]))
    assert found.index.tolist() == [0, 0, 0]
    assert found.labels.tolist() == [5]
    assert found.pairs == ()
    assert found.linear


def test_clusters_do_not_depend_on_order_offset_or_scale():
    arrays, _ = fixture("overlap5")
    x, labels = arrays["train_x"].astype(float), arrays["train_y"]
    expected = cluster(x, labels)
    order = np.random.default_rng(4).permutation(len(x))
    assert same_partition(cluster(x[order], labels[order]), expected[order])
    assert same_partition(cluster(1e4 * x + 100, labels), expected)
    names = np.array(["e", "d", "c", "b", "a"])[labels]
    assert cluster(x, names).tolist() == expected.tolist()


def test_what_is_undecided_is_counted_and_not_merged(monkeypatch):
    arrays, _ = fixture("xor2")
    monkeypatch.setattr("workflow_scripts.probing.hulls._weights", lambda *_: None)
    found = clustering(arrays["train_x"], arrays["train_y"])
    assert found.undecided > 0
    assert not found.linear
    assert any(r.undecided for r in found.rejections)


def test_labels_must_be_an_integer_per_row():
    with pytest.raises(UserError, match=r"got int64 of shape \(2,\), expected 3 integers"):
        clustering(np.zeros((3, 1)), np.array([0, 1]))
    with pytest.raises(UserError, match="expected 3 integers"):
        clustering(np.zeros((3, 1)), np.array([0.0, 1.0, 2.0]))


# --- the queue of pairs ---


@pytest.mark.parametrize("n", [2, 10, 200])
def test_merging_all_pairs_is_centroid_linkage(n):
    x = np.random.default_rng(n).normal(size=(n, 3))
    queue, number, heights = Linkage(x, np.arange(n)), n, []
    while pair := queue.pop():
        heights.append(np.sqrt(pair[0]))
        queue.merge(pair[1], pair[2], number)
        number += 1
    expected = linkage(x, "centroid")
    assert heights == pytest.approx(expected[:, 2], rel=1e-9)


def test_pairs_come_nearest_first_each_once():
    x = np.random.default_rng(5).normal(size=(60, 4))
    queue = Linkage(x, np.arange(60))
    pairs = []
    while pair := queue.pop():
        pairs.append(pair)
    assert len({(i, j) for _, i, j in pairs}) == len(pairs) == 60 * 59 // 2
    assert [squared for squared, _, _ in pairs] == pytest.approx(np.sort(pdist(x) ** 2), rel=1e-9)


def test_of_equal_distances_lower_numbers_come_first():
    x = np.array([[0.0], [1.0], [2.0], [3.0]] + [[3.0]] * 40)
    queue = Linkage(x, np.arange(len(x)))
    equal = [queue.pop()[1:] for _ in range(41 * 40 // 2)]
    assert equal == [(i, j) for i in range(3, 44) for j in range(i + 1, 44)]
    assert queue.pop()[1:] == (0, 1)


def test_removed_clusters_never_return():
    x = np.random.default_rng(6).normal(size=(30, 2))
    queues = {0: Linkage(x[:20], np.arange(20)), 1: Linkage(x[20:], np.arange(20, 30))}
    queues[0].remove(7)
    seen = {number for _, *pair in closest_first(queues) for number in pair}
    assert seen == set(range(30)) - {7}


def test_points_are_ordered_as_they_join_the_largest_cluster():
    x = np.random.default_rng(8).normal(size=(70, 3))
    order = joining_order(x).tolist()
    assert sorted(order) == list(range(70))
    node = to_tree(linkage(x, "centroid"))
    while not node.is_leaf():
        assert set(order[: node.count]) == set(node.pre_order())
        sizes = node.left.count, node.right.count
        if sizes[0] == sizes[1]:
            break  # either may be called the larger
        node = node.left if sizes[0] > sizes[1] else node.right
