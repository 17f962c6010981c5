import filecmp
import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from tests.finetune.toy import arguments, call, recipe_of, write_model
from workflow_scripts.common.errors import UserError
from workflow_scripts.common.stopping import stop_requests
from workflow_scripts.finetune.batches import epoch_batches
from workflow_scripts.model.encoder import (
    build_classifier,
    load_weights,
    part_of,
    read_weights,
    start_weights,
)
from workflow_scripts.model.text import collate, encode, load_tokenizer

ROOT = Path(__file__).resolve().parents[2]


def tables(out):
    return pd.read_parquet(out / "history.parquet"), pd.read_parquet(out / "scores.parquet")


def same(first, second):
    return first.keys() == second.keys() and all(torch.equal(first[n], second[n]) for n in first)


def distance(first, second):
    return sum(float((first[n] - second[n]).square().sum()) for n in first) ** 0.5


def checkpoint(out, epoch):
    return read_weights(out / f"epoch{epoch:02d}.safetensors")


def module_with(toy, weights, **options):
    module = build_classifier(toy, 2, **options)
    load_weights(module, weights)
    return module


def test_a_run_learns_a_learnable_task(train_run, toy):
    recipe = recipe_of(epochs=15)
    out = train_run("run", recipe)
    history, scores = tables(out)
    assert scores["train_loss"].iloc[-1] < 0.5 * scores["train_loss"].iloc[1]
    assert scores["dev_loss"].iloc[-1] < 0.5 * scores["dev_loss"].iloc[0]
    assert scores["accuracy"].iloc[-1] > 0.9

    assert history["step"].tolist() == list(range(1, 15 * 6 + 1))  # ceil(90 / 16) an epoch
    assert history.groupby("epoch")["examples"].sum().eq(90).all()
    assert list(history) == [
        *("step", "epoch", "learning_rate", "loss", "examples", "tokens", "gradient_norm"),
        *(f"gradient_norm_{p}" for p in ("embeddings", "layer00", "layer01", "pooler", "head")),
    ]
    lengths = encode(load_tokenizer(toy), pd.read_parquet(toy / "train.parquet"), 32).lengths
    assert history.groupby("epoch")["tokens"].sum().eq(lengths.sum()).all()
    assert list(scores) == [
        *("epoch", "step", "train_loss", "dev_loss", "accuracy", "majority", "f1", "mcc"),
        *("diverged", "failed", "predictions"),
    ]
    right = [
        (np.array(predictions) == pd.read_parquet(toy / "dev.parquet")["label"]).mean()
        for predictions in scores["predictions"]
    ]
    assert scores["accuracy"].tolist() == pytest.approx(right)
    dev = pd.read_parquet(toy / "dev.parquet")["label"]
    assert scores["majority"].eq(dev.value_counts().max() / len(dev)).all()
    assert scores["failed"].tolist() == (scores["accuracy"] <= scores["majority"]).tolist()
    assert not scores["failed"].iloc[-1]
    assert scores["epoch"].tolist() == list(range(16))
    assert scores["step"].tolist() == [6 * epoch for epoch in range(16)]
    assert np.isnan(scores["train_loss"][0])
    assert not scores["diverged"].any()
    means = history.groupby("epoch")["loss"].mean()
    assert scores["train_loss"].to_numpy()[1:] == pytest.approx(means.to_numpy())
    assert len(list(out.iterdir())) == 16 + 2
    assert not (out.parent / "run.state").exists()


def test_epoch_0_is_the_start_and_later_epochs_have_the_scores_of_their_checkpoints(train_run, toy):
    from sklearn.metrics import f1_score

    out = train_run("run", recipe_of(epochs=2), init=5)
    module = build_classifier(toy, 2)
    assert same(
        checkpoint(out, 0), start_weights(module, read_weights(toy / "model.safetensors"), 5)
    )
    table = pd.read_parquet(toy / "dev.parquet")
    encoded = encode(load_tokenizer(toy), table, 32)
    for row in tables(out)[1].itertuples():
        module = module_with(toy, checkpoint(out, row.epoch))
        with torch.no_grad():
            logits = module(**collate(encoded, np.arange(60), 0)).logits
        labels = torch.tensor(table["label"].to_numpy())
        loss = torch.nn.functional.cross_entropy(logits, labels)
        assert row.dev_loss == pytest.approx(float(loss), abs=1e-6)
        assert row.accuracy == (logits.argmax(1) == labels).double().mean()
        assert row.f1 == pytest.approx(f1_score(labels, logits.argmax(1)))


def test_loss_and_gradient_norms_are_those_of_the_batch(train_run, toy):
    recipe = recipe_of(dropout=0.0, epochs=1, gradient_clip=1e-3)
    out = train_run("run", recipe, order=7)
    module = module_with(toy, checkpoint(out, 0), dropout=0.0)
    table = pd.read_parquet(toy / "train.parquet")
    encoded = encode(load_tokenizer(toy), table, 32)
    batch = epoch_batches(encoded.lengths, 16, 2, order=7, epoch=1)[0]
    labels = torch.tensor(table["label"].to_numpy()[batch])
    loss = torch.nn.functional.cross_entropy(module(**collate(encoded, batch, 0)).logits, labels)
    loss.backward()
    row = tables(out)[0].iloc[0]
    assert row["loss"] == pytest.approx(loss.item(), rel=1e-6)
    squares = dict.fromkeys((c for c in row.index if c.startswith("gradient_norm_")), 0.0)
    for name, parameter in module.named_parameters():
        squares[f"gradient_norm_{part_of(name, 'bert')}"] += float(
            parameter.grad.double().square().sum()
        )
    for column, square in squares.items():
        assert row[column] == pytest.approx(square**0.5, rel=1e-5)
    assert row["gradient_norm"] == pytest.approx(sum(squares.values()) ** 0.5, rel=1e-5)


def test_clipping_bounds_the_step_and_the_history_keeps_the_norm_before_it(train_run):
    plain = {"optimizer": "sgd", "schedule": "constant", "warmup": 0.0, "weight_decay": 0.0}
    recipe = recipe_of(**plain, learning_rate=1.0, epochs=1, max_steps=1)
    for clip in (0.01, None):
        out = train_run(f"clip {clip}", replace(recipe, gradient_clip=clip))
        norm = tables(out)[0]["gradient_norm"].item()
        assert norm > 0.1
        moved = distance(checkpoint(out, 1), checkpoint(out, 0))
        assert moved == pytest.approx(clip or norm, rel=1e-3)


def test_init_and_order_are_separate_seeds(train_run):
    recipe = recipe_of(epochs=1)
    a, b, c, again = (
        train_run(name, recipe, init=init, order=order)
        for name, init, order in (("a", 0, 0), ("b", 1, 0), ("c", 0, 1), ("again", 0, 0))
    )
    torch.rand(3)  # the global random state plays no part
    names = sorted(path.name for path in a.iterdir())
    assert names == sorted(path.name for path in again.iterdir())
    assert filecmp.cmpfiles(a, again, names, shallow=False)[0] == names
    assert same(checkpoint(a, 0), checkpoint(c, 0))
    assert not same(checkpoint(a, 0), checkpoint(b, 0))
    assert tables(a)[0]["tokens"].equals(tables(b)[0]["tokens"])  # the same batches
    assert not tables(a)[0]["tokens"].equals(tables(c)[0]["tokens"])


def test_the_global_state_of_torch_is_left_alone(train_run):
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    train_run("run", recipe_of(epochs=1))
    assert torch.equal(torch.rand(3), expected)
    assert not torch.are_deterministic_algorithms_enabled()


def test_budget_and_threads_change_nothing_beyond_rounding(train_run):
    recipe = recipe_of(epochs=2)
    first = tables(train_run("a", recipe))[1]
    second = tables(train_run("b", recipe, context={"token_budget": 40, "threads": 2}))[1]
    pd.testing.assert_frame_equal(first, second, rtol=1e-4, atol=1e-5)


def test_a_continuing_run_starts_from_the_end_of_the_other_head_and_all(train_run):
    base = train_run("base", recipe_of(epochs=1))
    recipe = recipe_of(epochs=2)
    end = base / "epoch01.safetensors"
    out = train_run("more", recipe, init=9, weights=end, continues=True)
    assert same(checkpoint(out, 0), read_weights(end))
    history, scores = tables(out)
    assert scores["dev_loss"][0] == tables(base)[1]["dev_loss"][1]
    # A fresh schedule.
    assert history["step"].iloc[0] == 1
    assert history["learning_rate"].iloc[0] == 0


def test_max_steps_ends_schedule_and_training(train_run):
    out = train_run("run", recipe_of(epochs=3, max_steps=8))
    history, scores = tables(out)
    assert history["step"].tolist() == list(range(1, 9))
    assert history["learning_rate"].iloc[-1] == pytest.approx(3e-3 / 7)
    assert scores["step"].tolist() == [0, 6, 8, 8]
    assert np.isnan(scores["train_loss"][3])
    assert not scores["diverged"].any()
    assert scores["dev_loss"][3] == scores["dev_loss"][2]
    assert same(checkpoint(out, 3), checkpoint(out, 2))


def test_a_diverged_run_keeps_its_nan_and_is_marked(train_run):
    recipe = recipe_of(
        optimizer="sgd", learning_rate=1e30, warmup=0.0, gradient_clip=None, epochs=3
    )
    out = train_run("run", recipe)
    history, scores = tables(out)
    assert history["epoch"].eq(1).all()
    assert len(history) == 6
    assert np.isfinite(history["loss"][0])
    assert not np.isfinite(history["loss"].iloc[-1])
    assert scores["diverged"].tolist() == [False, True, True, True]
    assert scores["dev_loss"][1:].isna().all()
    assert scores["accuracy"][1:].isna().all()
    assert scores["failed"][1:].all()
    end = checkpoint(out, 3)
    assert any(tensor.isnan().any() for tensor in end.values())
    assert all(
        torch.equal(end[n].isnan(), tensor.isnan()) for n, tensor in checkpoint(out, 1).items()
    )


def test_a_run_that_learns_nothing_is_a_failed_run_and_its_log_says_so(train_run, caplog):
    recipe = recipe_of(optimizer="sgd", learning_rate=1e-12, epochs=1)
    with caplog.at_level("INFO", logger="tunescape"):
        scores = tables(train_run("run", recipe))[1]
    end = scores.iloc[-1]
    assert end["failed"] == (end["accuracy"] <= end["majority"])
    (line,) = [m for m in caplog.messages if m.startswith("epoch 1:")]
    assert f"accuracy {end['accuracy']:.4f} (majority class {end['majority']:.4f})" in line
    assert any(m.startswith("failed run: ") for m in caplog.messages) == end["failed"]


@pytest.mark.parametrize("changes", [{"autocast": "bfloat16"}, {"optimizer": "adam"}])
def test_other_recipes_run_and_differ(train_run, changes):
    plain, other = (
        tables(train_run(name, recipe_of(epochs=1, **c)))[0]["loss"]
        for name, c in (("plain", {}), ("other", changes))
    )
    assert other.to_numpy() == pytest.approx(plain.to_numpy(), abs=0.05)
    assert not other.equals(plain)


def test_dropout_of_the_recipe_replaces_the_models_own(train_run):
    with_own, without = (
        tables(train_run(str(dropout), recipe_of(epochs=1, dropout=dropout)))[0]["loss"]
        for dropout in (None, 0.0)
    )
    assert not with_own.equals(without)


def test_a_wrong_number_of_checkpoints_is_refused(toy, tmp_path):
    given = arguments(toy, tmp_path / "run", recipe_of(epochs=2))
    with pytest.raises(UserError, match="got 2 checkpoints to write, expected 3"):
        call({**given, "checkpoints": given["checkpoints"][:2]})


@pytest.mark.parametrize(
    ("kind", "parts"),
    [
        ("RobertaConfig", ["embeddings", "layer00", "layer01", "head"]),
        ("DistilBertConfig", ["embeddings", "layer00", "layer01", "head"]),
        ("ElectraConfig", ["embeddings", "other", "layer00", "layer01", "head"]),
        ("AlbertConfig", ["embeddings", "other", "layer00", "pooler", "head"]),
    ],
)
def test_other_architectures_train_in_all_their_parts(toy, tmp_path, kind, parts):
    write_model(tmp_path, kind)
    for name in ("train.parquet", "dev.parquet", "card.json"):
        shutil.copy(toy / name, tmp_path)
    out = tmp_path / "run"
    call(arguments(tmp_path, out, recipe_of(epochs=1)))
    norms = tables(out)[0].filter(like="gradient_norm_")
    assert sorted(norms) == sorted(f"gradient_norm_{part}" for part in parts)
    assert norms.gt(0).all(axis=None)
    assert np.isfinite(tables(out)[1]["dev_loss"]).all()


# Runs `finetune` in children that kill themselves, each at another moment, one after the other:
# every child continues from the state of the one before. Forked so that torch is imported once.
KILLED = """
import json, os, signal, sys
from pathlib import Path
from tests.finetune.toy import call
from workflow_scripts.finetune import state
from workflow_scripts.finetune.training import Training
from workflow_scripts.model import encoder, text

arguments = json.loads(sys.argv[1])
model = Path(arguments["config"]).parent
encoder.build_classifier(model, 2), text.load_tokenizer(model)  # imports what they need

def kill_in(owner, name, count):
    original, calls = getattr(owner, name), []
    def replacement(*given, **named):
        calls.append(name)
        if len(calls) == count:
            os.kill(os.getpid(), signal.SIGKILL)
        return original(*given, **named)
    setattr(owner, name, replacement)

for owner, name, count in json.loads(sys.argv[2]):
    child = os.fork()
    if child == 0:
        kill_in({"Training": Training, "state": state}[owner], name, count)
        call(arguments)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL, (name, count)
    print(json.load(open(arguments["state"] + "/state.json"))["epoch"])
"""


def test_a_killed_run_continues_to_the_same_bits(toy, tmp_path, train_run, caplog):
    recipe = recipe_of(epochs=5)
    left_alone = train_run("left alone", recipe)
    given = arguments(toy, tmp_path / "killed", recipe)
    moments = [
        ("Training", "_step", 9),  # in the middle of epoch 2
        ("Training", "_dev_scores", 2),  # between the last step of epoch 3 and its files
        ("state", "write_weights", 2),  # of epoch 3: weights written, optimizer not
        ("state", "write_json", 2),  # of epoch 4: all written, but not yet declared whole
        ("state", "same_file", 3),  # after epoch 5: some outputs exist, some do not
    ]
    seen = subprocess.run(
        [sys.executable, "-c", KILLED, json.dumps(given), json.dumps(moments)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert seen.returncode == 0, seen.stderr
    assert seen.stdout.split() == ["1", "2", "2", "3", "5"]
    assert len(list((tmp_path / "killed").glob("epoch*"))) == 2

    # Snakemake removes the outputs of a job that failed before it starts it again.
    for path in (tmp_path / "killed").iterdir():
        path.unlink()
    with caplog.at_level("INFO", "tunescape"):
        call(given)
    assert "going on after epoch 5" in caplog.text
    names = sorted(path.name for path in left_alone.iterdir())
    assert names == sorted(path.name for path in (tmp_path / "killed").iterdir())
    for name in names:
        assert filecmp.cmp(left_alone / name, tmp_path / "killed" / name, shallow=False), name
    assert not Path(given["state"]).exists()


@pytest.fixture
def ctrl_c():
    """Ctrl-C as in a terminal: where the tests run in the background, it may be ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("ctrl_c")
@pytest.mark.parametrize(
    ("stops", "after"),
    [
        ([signal.SIGTERM], [9]),  # in the middle of epoch 2
        ([signal.SIGINT, signal.SIGTERM], [8, 9]),  # at its end, then twice in one epoch
        ([signal.SIGTERM, signal.SIGTERM, signal.SIGTERM], [1, 2, 11]),
    ],
)
def test_a_run_that_is_asked_to_stop_loses_no_step(
    toy, tmp_path, train_run, monkeypatch, stops, after
):
    """Dropout and the moments of the optimizer continue where they were."""
    from workflow_scripts.finetune.training import Training

    recipe = recipe_of(epochs=3, dropout=0.3)
    left_alone = train_run("left alone", recipe)
    given = arguments(toy, tmp_path / "stopped", recipe)
    taken = []

    def step(self, batch, original=Training._step):
        taken.append(batch)
        if stops and len(taken) == after[0]:
            after.pop(0)
            os.kill(os.getpid(), stops.pop(0))
        return original(self, batch)

    monkeypatch.setattr(Training, "_step", step)
    handlers = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]
    for number, last in zip(list(stops), list(after), strict=True):
        with pytest.raises(UserError, match=f"stopped by {number.name} after step {last} of"):
            call(given)
        assert not Path(given["history"]).exists()
    call(given)
    assert handlers == [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]
    assert len(taken) == tables(left_alone)[0]["step"].iloc[-1]
    names = sorted(path.name for path in left_alone.iterdir())
    assert names == sorted(path.name for path in (tmp_path / "stopped").iterdir())
    assert filecmp.cmpfiles(left_alone, tmp_path / "stopped", names, shallow=False)[0] == names
    assert not Path(given["state"]).exists()


@pytest.mark.usefixtures("ctrl_c")
def test_a_second_signal_ends_at_once():
    with stop_requests() as asked:
        assert asked() is None
        os.kill(os.getpid(), signal.SIGINT)
        assert asked() == "SIGINT"
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)


@pytest.mark.usefixtures("ctrl_c")
def test_a_signal_that_is_ignored_stays_so():
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with stop_requests() as asked:
        os.kill(os.getpid(), signal.SIGINT)
        assert asked() is None
    assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN


@pytest.mark.parametrize(
    "change", [{"order": 1}, {"recipe": asdict(recipe_of(epochs=2, eps=1e-6))}]
)
def test_the_state_of_another_run_is_thrown_away(toy, tmp_path, monkeypatch, caplog, change):
    from workflow_scripts.finetune.training import Training

    out = tmp_path / "run"
    given = arguments(toy, out, recipe_of(epochs=2))
    steps = []

    def stop(self, batch, original=Training._step):
        steps.append(batch)
        if len(steps) == 9:
            raise KeyboardInterrupt
        return original(self, batch)

    with monkeypatch.context() as patched:
        patched.setattr(Training, "_step", stop)
        with pytest.raises(KeyboardInterrupt):
            call(given)
    assert json.loads((tmp_path / "run.state/state.json").read_text())["epoch"] == 1
    call({**given, **change})
    assert "is of another run" in caplog.text
    assert "starting afresh" in caplog.text
    fresh = tmp_path / "fresh"
    call({**arguments(toy, fresh, recipe_of(epochs=2)), **change})
    assert filecmp.cmp(out / "epoch02.safetensors", fresh / "epoch02.safetensors", shallow=False)


def test_an_unreadable_state_is_thrown_away(toy, tmp_path, caplog):
    given = arguments(toy, tmp_path / "run", recipe_of(epochs=1))
    Path(given["state"]).mkdir()
    (Path(given["state"]) / "state.json").write_text('{"key": ')
    call(given)
    assert "starting afresh" in caplog.text
    assert len(tables(tmp_path / "run")[0]) == 6
