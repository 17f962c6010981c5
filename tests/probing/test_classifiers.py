import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from workflow_scripts.common.errors import UserError
from workflow_scripts.probing.classifiers import (
    Grid,
    Split,
    logistic_probe,
    majority,
    mlp_probe,
    paper_grid,
)

QUICK = Grid(hidden=((8, 8), (16,)), alphas=(1e-4, 10.0), max_iter=400, early_stopping=False)


def moons(seed, n=240) -> Split:
    """Labels that no hyperplane separates: inside and outside of a circle."""
    x = np.random.default_rng(seed).normal(size=(n, 2))
    return Split(x, (np.linalg.norm(x, axis=1) > 1.2).astype(int))


def test_a_network_learns_what_logistic_regression_cannot():
    train, dev = moons(0), moons(1)
    network, logistic = mlp_probe(train, dev, QUICK), logistic_probe(train, dev)
    chance = majority(train, dev)
    assert network.mean > 0.85
    assert logistic.mean < chance[1] + 0.1
    assert (len(network.train), len(network.dev), len(logistic.dev)) == (5, 5, 1)
    assert network.hidden in QUICK.hidden
    assert network.alpha == 1e-4
    assert network.selection > 0.8
    assert network.std == pytest.approx(np.std(network.dev, ddof=1))
    assert len(set(network.dev)) > 1
    assert np.isnan(logistic.std)


def test_the_same_seed_gives_the_same_bits_and_another_seed_others():
    train, dev = moons(0), moons(1)
    first, again = (mlp_probe(train, dev, QUICK, initialisations=2) for _ in range(2))
    assert first == again
    assert mlp_probe(train, dev, QUICK, initialisations=2, seed=9).dev != first.dev


def test_dev_examples_choose_nothing():
    train, dev = moons(0), moons(1)
    other = Split(dev.x, 1 - dev.labels)
    first, second = mlp_probe(train, dev, QUICK, 1), mlp_probe(train, other, QUICK, 1)
    assert (first.hidden, first.alpha, first.train) == (second.hidden, second.alpha, second.train)
    assert first.dev[0] == pytest.approx(1 - second.dev[0])


def test_logistic_regression_is_that_of_a_pipeline():
    random = np.random.default_rng(0)
    labels = random.integers(0, 3, 200)
    x = random.normal(size=(200, 6)) * [1, 100, 1, 1, 1e-3, 1] + labels[:, None]
    train, dev = Split(x[:150], labels[:150]), Split(x[150:], labels[150:])
    pipeline = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    pipeline.fit(train.x, train.labels)
    found = logistic_probe(train, dev)
    assert found.train[0] == pipeline.score(train.x, train.labels)
    assert found.dev[0] == pipeline.score(dev.x, dev.labels)
    assert found.unfinished == 0


def test_trainings_that_did_not_converge_are_counted():
    train, dev = moons(0), moons(1)
    short = Grid(hidden=((8,),), alphas=(1e-4,), max_iter=2, early_stopping=False)
    assert mlp_probe(train, dev, short, initialisations=2).unfinished == 3


def test_constant_features_and_labels_missing_in_training_are_reported_and_not_fatal():
    train, dev = moons(0), moons(1)
    train = Split(np.hstack([train.x, np.full((240, 1), 3.0)]), train.labels)
    dev = Split(np.hstack([dev.x, np.full((240, 1), 4.0)]), dev.labels.copy())
    dev.labels[:7] = 5
    found = logistic_probe(train, dev)
    assert found.unseen == 7
    assert np.isfinite(found.dev[0])


def test_early_stopping_is_left_out_where_a_label_has_one_example():
    train, dev = moons(0), moons(1)
    train.labels[0] = 2
    early = Grid(hidden=((8,),), alphas=(1e-4,), max_iter=30, early_stopping=True)
    assert mlp_probe(train, dev, early, initialisations=1).dev[0] > 0.5


def test_the_majority_label_is_that_of_the_training_examples():
    train = Split(np.zeros((3, 1)), np.array([4, 4, 7]))
    dev = Split(np.zeros((4, 1)), np.array([7, 7, 4, 9]))
    assert majority(train, dev) == (pytest.approx(2 / 3), 0.25)


def test_the_grid_of_the_paper_has_sixteen_networks_and_eight_penalties():
    assert len(set(paper_grid().hidden)) == 16
    assert (min(paper_grid().alphas), max(paper_grid().alphas)) == (1e-7, 1.0)
    assert len(paper_grid().alphas) == 8


def test_data_that_cannot_be_probed_are_refused():
    train, dev = moons(0), moons(1)
    with pytest.raises(UserError, match="all 240 examples have one label"):
        logistic_probe(Split(train.x, np.zeros(240, int)), dev)
    with pytest.raises(UserError, match="got width 1, expected 2"):
        logistic_probe(train, Split(dev.x[:, :1], dev.labels))
    with pytest.raises(UserError, match="got 0 initialisations of 2 × 2 networks"):
        mlp_probe(train, dev, QUICK, initialisations=0)
