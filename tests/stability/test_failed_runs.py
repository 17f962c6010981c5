import numpy as np
import pandas as pd
import pytest

from workflow_scripts.common.errors import UserError
from workflow_scripts.finetune.failed import Majority, is_failed, majority
from workflow_scripts.stability import failed_runs
from workflow_scripts.stability.failed_runs import outcome

RTE = Majority(146, 277)  # of the dev set: 0.527


def test_the_majority_classifier_answers_with_the_most_frequent_label():
    result = majority(np.array([2, 0, 2, 1, 2]))
    assert (result.correct, result.examples) == (3, 5)
    assert RTE.accuracy == pytest.approx(0.527, abs=5e-4)


@pytest.mark.parametrize(
    ("correct", "failed"), [(131, True), (146, True), (147, False), (200, False)]
)
def test_a_run_fails_that_is_no_better_than_the_majority_class(correct, failed):
    assert is_failed(correct / 277, RTE) is failed
    assert is_failed(float(np.float32(correct / 277)), RTE) is failed


def test_a_run_that_diverged_has_failed():
    assert is_failed(float("nan"), RTE)


def scores(accuracy, steps=None, diverged=None, losses=None) -> pd.DataFrame:
    n = len(accuracy)
    return pd.DataFrame(
        {
            "epoch": range(n),
            "step": steps or [10 * i for i in range(n)],
            "train_loss": losses or [np.nan, *(1 / i for i in range(1, n))],
            "accuracy": accuracy,
            "f1": [a / 2 for a in accuracy],
            "mcc": [0.0] * n,
            "diverged": diverged or [False] * n,
        }
    )


def test_scores_at_the_end_and_the_best_ones_are_kept_apart():
    result = outcome(scores([0.9, 0.6, 0.7, 0.5]), RTE, "f1")
    assert result.failed
    assert (result.accuracy, result.score) == (0.5, 0.25)
    assert (result.best_score, result.best_epoch) == (0.35, 2)  # epoch 0 is not trained
    assert result.train_loss == pytest.approx(1 / 3)
    assert (result.epochs, result.steps) == (3, 30)


def test_epochs_without_steps_have_no_training_loss_of_their_own():
    table = scores([0.5, 0.6, 0.7, 0.7], [0, 10, 15, 15], losses=[np.nan, 0.5, 0.2, np.nan])
    result = outcome(table, RTE, "accuracy")
    assert result.train_loss == 0.2
    assert not result.failed


def test_a_diverged_run_keeps_its_best_score_and_has_none_at_the_end():
    table = scores(
        [0.5, 0.6, np.nan, np.nan],
        [0, 10, 20, 20],
        [False, False, True, True],
        [np.nan, 0.5, np.nan, np.nan],
    )
    result = outcome(table, RTE, "accuracy")
    assert result.failed
    assert result.diverged
    assert np.isnan([result.score, result.accuracy, result.train_loss]).all()
    assert (result.best_score, result.best_epoch) == (0.6, 1)
    at_once = outcome(scores([0.5, np.nan], diverged=[False, True]), RTE, "accuracy")
    assert np.isnan(at_once.best_score)
    assert at_once.best_epoch == 0


def test_a_run_of_no_epoch_is_refused():
    with pytest.raises(UserError, match="epoch 0 only"):
        outcome(scores([0.5]), RTE, "accuracy")


def test_a_metric_that_does_not_fit_the_labels_is_refused_in_a_line():
    failed_runs.check_metric("mcc", 3)
    failed_runs.check_metric("f1", 2)
    with pytest.raises(UserError, match="got 'acuracy', allowed: accuracy, f1, mcc; did you mean"):
        failed_runs.check_metric("acuracy", 2)
    with pytest.raises(UserError, match="task of 3 labels; allowed: accuracy, mcc"):
        failed_runs.check_metric("f1", 3)


def history(layers: int = 6, steps: int = 20) -> pd.DataFrame:
    return pd.DataFrame(
        {"step": np.arange(1, steps + 1)}
        | {
            f"gradient_norm_layer{layer:02d}": (layer + 1.0) * np.arange(1, steps + 1)
            for layer in range(layers)
        }
    )


def test_the_lowest_third_of_the_layers_speaks_early_on():
    assert failed_runs.low_third(6) == ["layer00", "layer01"]
    assert failed_runs.low_third(24)[-1] == "layer07"
    norm = failed_runs.early_norm(history(), ["layer00", "layer01"], steps=20)
    assert norm == pytest.approx(2 * 5**0.5)  # step 2: norms 2 and 4
    assert failed_runs.early_norm(history(), ["layer00"], steps=3) == 1
    assert np.isnan(failed_runs.early_norm(history(), ["layer00"], steps=500))


def test_the_late_norm_is_a_geometric_mean_over_the_last_steps():
    result = failed_runs.late_norm(history(), ["layer00"])
    assert result == pytest.approx(np.prod(np.arange(11, 21.0)) ** 0.1)
    broken = history()
    broken.loc[15, "gradient_norm_layer00"] = np.nan
    assert np.isnan(failed_runs.late_norm(broken, ["layer00"]))
    assert np.isnan(failed_runs.late_norm(history().iloc[:0], ["layer00"]))


def test_a_part_that_the_history_lacks_is_named():
    with pytest.raises(UserError, match="got 'layer09', the history has layer00, layer01"):
        failed_runs.early_norm(history(), ["layer00", "layer09"], 20)
