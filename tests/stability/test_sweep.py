"""Sweeps: the same bits in any block and after a stop, and the same as a run of ``finetune``."""

import json
import os
import signal

import numpy as np
import pandas as pd
import pytest

from tests.finetune.toy import CONTEXT, arguments, call, recipe_of
from tests.stability.conftest import PARTS
from workflow_scripts.common.errors import UserError
from workflow_scripts.common.tables import read_table
from workflow_scripts.stability import sweep as script
from workflow_scripts.stability.merge_sweep import merge_sweep
from workflow_scripts.stability.sweeps import seeds_in


def tables(folder, seed):
    return [read_table(folder / part / f"init{seed}_order{seed}.parquet") for part in PARTS]


def same(first, second):
    return all(
        list(a) == list(b)
        and all(a[c].to_numpy().tobytes() == b[c].to_numpy().tobytes() for c in a)
        for a, b in zip(first, second, strict=True)
    )


def test_a_run_of_a_sweep_is_the_run_of_finetune_to_the_bit(sweep_runs, toy, tmp_path):
    recipe = recipe_of(epochs=2)
    folder = sweep_runs("sweep", recipe, [0, 3])
    call(arguments(toy, tmp_path / "run", recipe, init=3, order=3))
    history, scores, predictions = tables(folder, 3)
    alone = [read_table(tmp_path / "run" / f"{name}.parquet") for name in ("history", "scores")]
    assert alone[1].pop("predictions").iloc[-1].tolist() == predictions["prediction"].tolist()
    assert same([history, scores], alone)
    labels = read_table(toy / "dev.parquet")["label"]
    assert (predictions["prediction"] == labels).mean() == scores["accuracy"].iloc[-1]


def test_runs_are_the_same_to_the_bit_for_any_block(sweep_runs):
    recipe = recipe_of(epochs=2)
    whole = sweep_runs("whole", recipe, [0, 1, 2])
    for seed in (2, 0, 1):
        alone = sweep_runs("alone", recipe, [seed])
        assert same(tables(alone, seed), tables(whole, seed))
    assert not same(tables(whole, 0), tables(whole, 1))
    assert not (whole / "state").exists()


def test_a_killed_sweep_continues_after_its_last_finished_run(sweep_runs, monkeypatch, tmp_path):
    recipe = recipe_of(epochs=2)
    undisturbed = sweep_runs("undisturbed", recipe, [0, 1, 2])
    trained = []
    train = script.Trainer.train

    def killed(self, init, order):
        if init == 2 and len(trained) == 2:
            raise KeyboardInterrupt
        trained.append(init)
        return train(self, init, order)

    monkeypatch.setattr(script.Trainer, "train", killed)
    with pytest.raises(KeyboardInterrupt):
        sweep_runs("sweep", recipe, [0, 1, 2])
    trained.append("killed")
    # Another block finds what is finished, too.
    folder = sweep_runs("sweep", recipe, [1, 2])
    assert trained == [0, 1, "killed", 2]
    folder = sweep_runs("sweep", recipe, [0])
    assert trained == [0, 1, "killed", 2]
    for seed in (0, 1, 2):
        assert same(tables(folder, seed), tables(undisturbed, seed))


def test_a_finished_run_of_another_recipe_does_not_count(sweep_runs, monkeypatch):
    folder = sweep_runs("sweep", recipe_of(epochs=1), [0])
    other = folder / "state/init0_order0"
    other.mkdir(parents=True)
    (other / "key.json").write_text(json.dumps({"recipe": {"epochs": 9}}))
    again = sweep_runs("sweep", recipe_of(epochs=1), [0])
    assert len(tables(again, 0)[1]) == 2


def test_a_sweep_that_is_asked_to_stop_says_what_is_kept(sweep_runs, monkeypatch):
    steps = []
    step = script.Training._step

    def stopped(self, batch):
        steps.append(batch)
        if len(steps) == 8:  # in the second run, of 6 steps each
            os.kill(os.getpid(), signal.SIGTERM)
        return step(self, batch)

    monkeypatch.setattr(script.Training, "_step", stopped)
    with pytest.raises(UserError, match="finished are kept, and the same command continues"):
        sweep_runs("sweep", recipe_of(epochs=1), [0, 1])
    sweep_runs("sweep", recipe_of(epochs=1), [0, 1])
    assert len(steps) == 8 + 6


def test_scores_are_those_of_scikit_learn(sweep_runs, toy):
    from sklearn.metrics import accuracy_score, f1_score, matthews_corrcoef

    _, scores, predictions = tables(sweep_runs("sweep", recipe_of(epochs=2), [5]), 5)
    pair = read_table(toy / "dev.parquet")["label"], predictions["prediction"]
    last = scores.iloc[-1]
    assert last["accuracy"] == pytest.approx(accuracy_score(*pair))
    assert last["f1"] == pytest.approx(f1_score(*pair))
    assert last["mcc"] == pytest.approx(matthews_corrcoef(*pair))


@pytest.mark.parametrize(("same_steps", "steps", "epochs"), [(False, 6, 3), (True, 18, 9)])
def test_a_small_training_set_has_the_same_epochs_or_the_same_steps(
    sweep_runs, toy, same_steps, steps, epochs
):
    small = {"examples": 20, "same_steps": same_steps, "subset_seed": 0}
    history, scores, _ = tables(sweep_runs("sweep", recipe_of(epochs=3), [0], **small), 0)
    assert len(history) == steps  # 90 examples in batches of 16 are 6 steps an epoch
    assert scores["epoch"].iloc[-1] == epochs
    assert history.groupby("epoch")["examples"].sum().eq(20).all()
    assert history["learning_rate"].iloc[-1] < history["learning_rate"].iloc[1]


def test_the_small_training_set_is_random_and_the_same_for_all_runs():
    table = pd.DataFrame({"sentence": list("abcdefgh"), "label": range(8)})
    drawn = [script.Sample(5, False, seed).drawn(table)["label"].tolist() for seed in (0, 0, 1)]
    assert drawn[0] == drawn[1] != drawn[2]
    assert drawn[0] == sorted(drawn[0])
    with pytest.raises(UserError, match="got 9, the task has 8 training examples"):
        script.Sample(9, False, 0).drawn(table)


def test_a_recipe_that_diverges_is_kept_and_counts_as_failed(sweep_runs, toy, tmp_path):
    recipe = recipe_of(learning_rate=1e30, warmup=0.0, gradient_clip=None, epochs=3)
    folder = sweep_runs("sweep", recipe, [0, 1])
    paths = {
        part: [folder / part / f"init{seed}_order{seed}.parquet" for seed in (0, 1)]
        for part in PARTS
    }
    merged = {
        f"merged_{name}": tmp_path / f"{name}.parquet"
        for name in ("runs", "epochs", "history", "predictions")
    }
    merge_sweep(**paths, dev=toy / "dev.parquet", **merged, metric="accuracy")
    runs = read_table(merged["merged_runs"])
    assert runs["failed"].all()
    assert runs["diverged"].all()
    assert runs["score"].isna().all()
    assert (read_table(merged["merged_predictions"])["prediction"] == -1).all()


def test_a_metric_that_does_not_fit_the_labels_is_refused_before_training(sweep_runs, toy):
    with pytest.raises(UserError, match="got 'acuracy', allowed: accuracy, f1, mcc"):
        sweep_runs("sweep", recipe_of(), [0], context={**CONTEXT, "metric": "acuracy"})


def test_merged_tables_have_every_run(sweep_runs, toy, tmp_path):
    folder = sweep_runs("sweep", recipe_of(epochs=2), [0, 1])
    paths = {
        part: [folder / part / f"init{seed}_order{seed}.parquet" for seed in (0, 1)]
        for part in PARTS
    }
    merged = {
        f"merged_{name}": tmp_path / f"{name}.parquet"
        for name in ("runs", "epochs", "history", "predictions")
    }
    merge_sweep(**paths, dev=toy / "dev.parquet", **merged, metric="mcc")
    runs, epochs, history, predictions = (read_table(path) for path in merged.values())
    assert runs[["init", "order"]].to_numpy().tolist() == [[0, 0], [1, 1]]
    last = epochs[epochs["epoch"] == 2]
    assert runs["score"].tolist() == last["mcc"].tolist()
    assert runs["accuracy"].tolist() == last["accuracy"].tolist()
    right = predictions.groupby("init")["correct"].mean()
    assert right.tolist() == runs["accuracy"].tolist()
    first = history[history["init"] == 0]
    assert runs["early_norm"][0] == first["gradient_norm_layer00"].iloc[0]  # 10 % of 12 steps
    late = first["gradient_norm_layer00"].iloc[6:]
    assert runs["late_norm"][0] == pytest.approx(np.exp(np.log(late).mean()))


def test_seeds_are_in_the_name_of_a_run():
    assert seeds_in("init4_order12") == (4, 12)
