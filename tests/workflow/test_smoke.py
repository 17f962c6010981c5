"""The whole workflow on the smoke experiment, run once for all tests here."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.workflow.conftest import ROOT, run_snakemake
from workflow_scripts.common.tables import read_record, read_table
from workflow_scripts.landscape.grid import CELLS
from workflow_scripts.rebuilds.records import content_digest
from workflow_scripts.stages import STAGES

pytestmark = pytest.mark.slow

MODEL = "tiny"
RUN = Path("results/finetune") / MODEL


@pytest.fixture(scope="module")
def smoke(smoke_run, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("smoke") / "run"
    shutil.copytree(smoke_run, folder)
    return folder


def table(smoke: Path, name: str) -> pd.DataFrame:
    return read_table(smoke / "results" / name)


def test_every_figure_and_table_exists(smoke):
    folder = smoke / "results/figures" / MODEL
    names = [figure.name for stage in STAGES for figure in stage.figures]
    for name in names:
        assert (folder / f"{name}.pdf").read_bytes().startswith(b"%PDF"), name
        assert (folder / f"{name}.png").read_bytes().startswith(b"\x89PNG"), name
        assert len(pd.read_csv(folder / f"{name}.csv")), name
    assert "| " in (folder / "table1.md").read_text()


def test_the_scheduler_looks_for_jobs_only_when_one_has_ended(smoke_run):
    (log,) = (smoke_run / ".snakemake/log").glob("*.log")
    said = log.read_text()
    jobs, looks = said.count("Finished jobid"), said.count("Ready jobs:")
    assert jobs > 90
    assert 0 < looks <= 2 * jobs


def test_a_second_run_has_nothing_to_do(smoke):
    done = run_snakemake(smoke)
    assert done.returncode == 0
    assert "Nothing to be done" in done.stderr


def test_a_deleted_figure_is_drawn_again_and_has_the_same_bytes(smoke):
    figure = smoke / "results/figures" / MODEL / "figure5.png"
    before = figure.read_bytes()
    figure.unlink()
    done = run_snakemake(smoke)
    assert done.returncode == 0
    assert figure.read_bytes() == before
    assert "evaluate_rows" not in done.stderr


def test_what_does_not_change_numbers_makes_nothing_stale(smoke):
    config = {
        "experiment": {"name": "other"},
        "compute": {"device": "cpu", "threads": 2, "token_budget": 512},
        "landscape": {"rows_per_shard": 3},
        "stability": {"block": 3},
    }
    done = run_snakemake(smoke, "results/figures/all", "--dry-run", config=config)
    assert "Nothing to be done" in done.stdout + done.stderr, done.stdout[-2000:]


def test_a_changed_setting_makes_stale_what_uses_it_and_no_more(smoke):
    config = {"landscape": {"width": {"tolerances": [0.2]}}}
    done = run_snakemake(smoke, "results/figures/all", "--dry-run", "--quiet", "all", config=config)
    assert done.returncode == 0
    done = run_snakemake(smoke, "results/figures/all", "--dry-run", config=config)
    jobs = [line.split()[0] for line in done.stdout.splitlines() if line.strip()]
    assert "measure_width" in jobs
    # Claims rest on radii, not on these widths.
    others = {"finetune_finetune", "draw_figure1", "prepare_task", "evaluate_claims"}
    assert not others & set(jobs)
    assert not any(job.startswith("evaluate_rows") for job in jobs)


def test_checkpoints_that_only_a_trajectory_shows_can_be_deleted(smoke, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(smoke, folder)
    continued = RUN / "entailment/pretrained/continued/init0_order0"
    second = RUN / "sentiment/pretrained/finetune/init1_order1"
    trajectory = f"results/landscape/{MODEL}/entailment_pretrained/trajectory_continued.parquet"
    for run in (continued, second):
        shutil.rmtree(folder / run)
    attention = f"results/dynamics/{MODEL}/seeds_sentiment/attention.parquet"
    along = f"results/landscape/{MODEL}/runs/sentiment/pretrained/init1_order1/radii.parquet"
    for path in (trajectory, attention, along):
        (folder / path).unlink()
    ends = {"finetune": {"keep": "ends"}}
    done = run_snakemake(folder, trajectory, attention, along, "results/figures/all", config=ends)
    assert done.returncode == 0, done.stderr[-2000:]
    for run in (continued, second):
        kept = {path.name for path in (folder / run).glob("epoch*")}
        assert kept == {"epoch00.safetensors", "epoch02.safetensors"}
        for name in (*kept, "history.parquet", "scores.parquet"):
            assert content_digest(folder / run / name) == content_digest(smoke / run / name)
    for path in (trajectory, attention, along):
        assert content_digest(folder / path) == content_digest(smoke / path)
    for config in (ends, {"finetune": {"keep": "all"}}):
        done = run_snakemake(folder, "results/figures/all", "--dry-run", config=config)
        assert "Nothing to be done" in done.stdout + done.stderr, done.stdout[-2000:]


def test_a_training_is_taken_from_the_cache_of_another_experiment(smoke, tmp_path):
    run = RUN / "entailment/pretrained/continued/init0_order0"
    config = {"compute": {"cache": str(tmp_path / "cache")}}
    for name in ("first", "second"):
        folder = tmp_path / name
        shutil.copytree(smoke, folder)
        shutil.rmtree(folder / run)
        done = run_snakemake(folder, f"{run}/digest", config=config)
        assert done.returncode == 0, done.stderr[-2000:]
        log = "results/logs/finetune/finetune_continued/tiny_entailment_pretrained_init0_order0.log"
        taken = "taken from the cache" in (folder / log).read_text()
        assert taken == (name == "second")
        for path in (smoke / run).iterdir():
            assert content_digest(folder / run / path.name) == content_digest(path)
    assert len(list((tmp_path / "cache").iterdir())) == 1
    done = run_snakemake(tmp_path / "second", "results/figures/all", "--dry-run")
    assert "Nothing to be done" in done.stdout + done.stderr, done.stdout[-2000:]


@pytest.mark.parametrize("start", ["pretrained", "scratch"])
def test_the_surface_at_start_and_end_equals_evaluating_the_checkpoints(smoke, start):
    points = table(smoke, f"landscape/{MODEL}/entailment_{start}/surface.parquet")
    path = table(smoke, f"landscape/{MODEL}/entailment_{start}/trajectory_target.parquet")
    # The trajectory puts the checkpoints themselves into the model, not points of the plane.
    for anchor, epoch in (("start", 0), ("end", -1)):
        point = points[points["anchor"] == anchor].iloc[0]
        assert point["train_loss"] == path["true_train_loss"].iloc[epoch]
        assert point["dev_error"] == path["true_dev_error"].iloc[epoch]
    end = path.iloc[-1]
    assert end["own_train_loss"] == end["true_train_loss"]
    assert (end["d_alpha"], end["d_beta"]) == pytest.approx((1, 0), abs=1e-6)


def test_group_surfaces_hold_the_fine_tuned_and_the_rolled_back_model(smoke):
    whole = table(smoke, f"landscape/{MODEL}/entailment_pretrained/surface.parquet")
    end = whole[whole["anchor"] == "end"].iloc[0]
    for group in ("low", "middle", "high"):
        points = table(smoke, f"landscape/{MODEL}/entailment_pretrained_{group}/surface.parquet")
        centre = points[points["anchor"] == "fine_tuned"].iloc[0]
        assert centre["train_loss"] == pytest.approx(end["train_loss"], abs=1e-6)
        assert (points["anchor"] == "rollback").sum() == 1


def test_rows_are_the_same_to_the_bit_for_any_number_of_rows_a_job(smoke):
    rows = smoke / f"results/landscape/{MODEL}/sentiment_pretrained/rows"
    blocks = pd.concat([read_table(path) for path in sorted(rows.iterdir())])
    assert len(blocks) == 7 * 7 + 1 + CELLS  # 7 points miss alpha = 1
    for path in rows.iterdir():
        path.unlink()
    target = f"results/landscape/{MODEL}/sentiment_pretrained/surface.parquet"
    config = {"landscape": {"rows_per_shard": 1}}
    done = run_snakemake(smoke, target, "--forcerun", "merge_surface", config=config)
    assert done.returncode == 0, done.stderr[-2000:]
    single = pd.concat([read_table(path) for path in sorted(rows.iterdir())])
    for column in ("train_loss", "dev_loss"):
        assert np.stack(single[column]).tobytes() == np.stack(blocks[column]).tobytes()


def test_runs_of_a_sweep_are_the_same_to_the_bit_for_any_block(smoke):
    folder = smoke / f"results/stability/{MODEL}/entailment/strong"
    parts = ("histories", "scores", "predictions")
    before = {part: [read_table(p) for p in sorted((folder / part).iterdir())] for part in parts}
    for part in parts:
        shutil.rmtree(folder / part)
    target = f"results/stability/{MODEL}/entailment/strong/runs.parquet"
    config = {"stability": {"block": 3}}
    done = run_snakemake(smoke, target, "--forcerun", "merge_sweep", config=config)
    assert done.returncode == 0, done.stderr[-2000:]
    for part, tables in before.items():
        again = [read_table(path) for path in sorted((folder / part).iterdir())]
        assert len(again) == 3
        for one, other in zip(tables, again, strict=True):
            assert one.equals(other)


def test_the_loss_plane_and_forgetting_start_at_the_pre_trained_model(smoke):
    folder = f"stability/{MODEL}/entailment"
    chosen = table(smoke, f"{folder}/weights/chosen.parquet")
    assert len(chosen)
    assert chosen["repeated"].all()
    forgetting = table(smoke, f"{folder}/forgetting.parquet")
    before = forgetting[forgetting["outcome"] == "pretrained"]["loss"].item()
    assert (forgetting[forgetting["layers_reset"] == 3]["loss"] == before).all()
    plane = table(smoke, f"{folder}/plane.parquet")
    corners = plane[plane["corner"] == "pretrained"].groupby("head")["train_loss"]
    assert (corners.nunique() == 1).all()


def test_runs_have_their_checkpoints_history_and_scores(smoke):
    run = smoke / RUN / "entailment/pretrained/finetune/init0_order0"
    assert sorted(p.name for p in run.iterdir()) == [
        "digest",
        "epoch00.safetensors",
        "epoch01.safetensors",
        "epoch02.safetensors",
        "history.parquet",
        "scores.parquet",
        "weights.digest",
    ]
    history = read_table(run / "history.parquet")
    assert len(history) == 2 * 4
    assert np.isfinite(history["gradient_norm_layer00"]).all()
    continued = smoke / RUN / "entailment/pretrained/continued/init0_order0"
    from workflow_scripts.model.encoder import read_weights

    before, after = (
        read_weights(run / "epoch02.safetensors"),
        read_weights(continued / "epoch00.safetensors"),
    )
    assert all(before[name].equal(after[name]) for name in before)


def test_scratch_starts_from_the_same_random_encoder_on_every_task(smoke):
    from workflow_scripts.model.encoder import read_weights

    weights = [
        read_weights(smoke / RUN / task / "scratch/scratch/init0_order0/epoch00.safetensors")
        for task in ("entailment", "sentiment")
    ]
    encoder = [name for name in weights[0] if name.startswith("bert.")]
    assert len(encoder) > 20
    assert all(weights[0][name].equal(weights[1][name]) for name in encoder)


def plain_states(smoke: Path, checkpoint: str, task: str):
    """Attention [L, H, T, T] and hidden states [L + 1, T, d] of each dev example, read alone."""
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    folder = smoke / "results/model" / MODEL
    model = AutoModelForSequenceClassification.from_pretrained(
        folder, attn_implementation="eager", num_labels=2
    )
    from safetensors.torch import load_file

    model.load_state_dict(load_file(smoke / RUN / checkpoint))
    model.eval().double()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    for row in table(smoke, f"data/{task}/dev.parquet").itertuples():
        pair, cut = (row.sentence1, row.sentence2), {"truncation": True, "max_length": 48}
        words = tokenizer(*pair, **cut, return_tensors="pt")
        with torch.no_grad():
            got = model.bert(**words, output_attentions=True, output_hidden_states=True)
        yield torch.cat(got.attentions).numpy(), torch.cat(got.hidden_states).numpy()


def test_attention_and_hidden_states_are_those_of_plain_transformers(smoke):
    from scipy.spatial.distance import jensenshannon

    from tests.dynamics.test_svcca import plain_svcca

    run = "entailment/pretrained/finetune/init0_order0"
    before, after = (
        list(plain_states(smoke, f"{run}/epoch{epoch:02d}.safetensors", "entailment"))
        for epoch in (0, 2)
    )
    folder = f"dynamics/{MODEL}/change_entailment"
    attention = table(smoke, f"{folder}/attention.parquet")
    assert len(attention) == 32 * 3
    for row in attention.itertuples():
        p, q = (states[row.example][0][row.layer] for states in (before, after))
        heads = (jensenshannon(p, q, axis=-1) ** 2).mean(axis=1)
        np.testing.assert_allclose(row.heads, heads, rtol=2e-3, atol=1e-9)
        assert row.js == pytest.approx(heads.mean(), rel=1e-3)
    found = table(smoke, f"{folder}/representations.parquet")
    found = found[found["measure"] == "svcca"].set_index("layer")
    for layer in (-1, 0, 1, 2):
        x, y = (np.concatenate([s[1][layer + 1] for s in states]) for states in (before, after))
        assert found.loc[layer, "n"] == len(x)
        expected = 1 - plain_svcca(x, y).mean()
        assert found.loc[layer, "value"] == pytest.approx(expected, abs=1e-5)
    matrix = table(smoke, f"{folder}/layers.parquet").set_index(["first", "second"])
    for layer in (-1, 0, 1, 2):
        assert matrix.loc[(layer, layer), "svcca"] == pytest.approx(found.loc[layer, "value"])


def test_models_of_two_tasks_read_the_examples_of_both(smoke):
    folder = f"dynamics/{MODEL}/tasks_entailment+sentiment"
    assert table(smoke, f"{folder}/attention.parquet")["example"].nunique() == 2 * 16
    assert (table(smoke, f"{folder}/representations.parquet")["examples"] == 2 * 16).all()


def test_every_table_says_where_it_comes_from(smoke):
    for path in (
        RUN / "entailment/pretrained/finetune/init0_order0/history.parquet",
        RUN / "entailment/pretrained/finetune/init0_order0/epoch01.safetensors",
        Path(f"results/landscape/{MODEL}/entailment_pretrained/surface.parquet"),
        Path(f"results/landscape/{MODEL}/entailment_pretrained/geometry.json"),
        Path(f"results/rollback/{MODEL}/entailment/init0_order0/groups.parquet"),
        Path(f"results/dynamics/{MODEL}/change_entailment/attention.parquet"),
        Path(f"results/report/{MODEL}/claims.parquet"),
        Path(f"results/stability/{MODEL}/entailment/devlin/scores/init0_order0.parquet"),
        Path(f"results/stability/{MODEL}/entailment/spread.parquet"),
        Path(f"results/stability/{MODEL}/entailment/plane.parquet"),
        Path(f"results/report/{MODEL}/dynamics_claims.parquet"),
        Path(f"results/report/{MODEL}/stability_claims.parquet"),
    ):
        record = read_record(smoke / path)
        assert record["experiment"] == "smoke", path
        assert len(record["code"]) == 16, path
        assert record["rule"], path
        assert record["versions"]["numpy"] == np.__version__, path
        digests = record["digests"]
        card = json.loads((smoke / "results/data/entailment/card.json").read_text())
        assert digests["data/entailment"] == card["digest"], path


def test_logs_and_benchmarks_carry_the_rules_names(smoke):
    for room in ("logs", "benchmarks"):
        found = {path.name for path in (smoke / "results" / room).glob("*/*")}
        assert {"fetch_model", "finetune_scratch", "evaluate_rows", "draw_table1"} <= found
        for name in found:
            rule = "finetune" if name.startswith("finetune_") else name
            figure = name.removeprefix("draw_") in {f.name for s in STAGES for f in s.figures}
            assert figure or list((ROOT / "workflow_scripts").glob(f"*/{rule}.py")), name


def test_rules_scripts_logs_and_benchmarks_have_one_name():
    import re

    for path in sorted((ROOT / "rules").glob("*.smk")):
        stage = path.stem
        for name, body in re.findall(
            r"^(?:rule|checkpoint) (\w+):\n((?:    .*\n|\n)+)", path.read_text(), re.MULTILINE
        ):
            script = f'"{stage}/{name}"'
            assert f'"../workflow_scripts/{stage}/{name}.py"' in body, name
            for call in ("tracked", "log_file", "benchmark_file"):
                assert re.search(rf"{call}\(\s*{script}", body), (name, call)
            for directive in ("conda:", "threads:", "resources:", "message:"):
                assert directive in body, (name, directive)
