"""Experiments of a user's own task, and own model, in a few lines, run whole."""

import random
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file
from torch.nn.functional import cross_entropy
from transformers import AutoConfig, AutoModelForSequenceClassification, AutoTokenizer

from tests.workflow.conftest import run_snakemake
from workflow_scripts.common.tables import read_json, read_table

pytestmark = pytest.mark.slow

WORDS = {
    "good": ["good", "great", "lovely", "superb"],
    "bad": ["bad", "awful", "dull", "poor"],
}
# Sizes only: nothing here follows from the task.
SMALL = {
    "finetune": {
        "recipes": {
            "finetune": {"learning_rate": 1.0e-3, "epochs": 2},
            "scratch": {"learning_rate": 1.0e-3, "epochs": 2},
            "continued": {"learning_rate": 1.0e-3, "epochs": 1},
        }
    },
    "landscape": {
        "points": 5,
        "line_points": 6,
        "train_examples": 12,
        "dev_examples": 12,
        "rows_per_shard": 6,
        "width": {"resamples": 100},
    },
    "dynamics": {"groups": 4, "resamples": 100},
}
TINY = (
    "random:bert:num_hidden_layers=3,hidden_size=32,num_attention_heads=2,intermediate_size=64,"
    "seed=0"
)


def write_task(folder: Path) -> Path:
    """Reviews as a user has them; most dev examples are bad."""
    rng = random.Random(0)
    folder.mkdir(parents=True)
    for split, count in (("train", 48), ("dev", 30)):
        labels = ["good"] * (count // 3) + ["bad"] * (count - count // 3)
        lines = ["sentence\tlabel"]
        for i, label in enumerate(rng.sample(labels, count)):
            lines.append(f"the film number {i} was {rng.choice(WORDS[label])}\t{label}")
        (folder / f"{split}.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def two_lines(task: Path) -> dict:
    return {
        "experiment": {"name": "mine", "tasks": ["reviews"]},
        "tasks": {"reviews": {"source": f"dir:{task}"}},
    }


def figures_of(run: Path, model: str) -> set[str]:
    return {path.stem for path in (run / "results/figures" / model).glob("*.pdf")}


def scores_of(run: Path, model: str, start: str, recipe: str) -> pd.Series:
    folder = run / "results/finetune" / model / "reviews" / start / recipe / "init0_order0"
    return read_table(folder / "scores.parquet").iloc[-1]


def test_two_lines_are_run_whole_and_say_whether_the_runs_learned(tmp_path):
    config = two_lines(write_task(tmp_path / "reviews"))
    # The model beside the two lines is tiny, as are the sizes, for the time that it takes.
    config |= SMALL | {"models": {"tiny": {"source": TINY}}}
    run = tmp_path / "run"
    done = run_snakemake(run, config=config, smoke=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert {path.name for path in (run / "results/data").iterdir()} == {"reviews"}
    shown = figures_of(run, "tiny")
    assert {f"figure{i}" for i in range(1, 8)} | {"table1"} <= shown
    assert not {"dynamics6", "dynamics7"} & shown  # of pairs of tasks
    for start, recipe in (("pretrained", "finetune"), ("scratch", "scratch")):
        geometry = read_json(run / f"results/landscape/tiny/reviews_{start}/geometry.json")
        assert (geometry["second"], geometry["seed"]) == ("random", 0)
        end = scores_of(run, "tiny", start, recipe)
        assert end["majority"] == pytest.approx(20 / 30)
        assert end["failed"] == (end["accuracy"] <= end["majority"])
        page = (run / "results/report/tiny/claims.md").read_text(encoding="utf-8")
        outcome = f"{100 * end['accuracy']:.1f} % | 66.7 % | {'failed' if end['failed'] else ''} |"
        assert f"| reviews | {start} | init0_order0 | {outcome}" in page
    again = run_snakemake(run, config=config, smoke=False)
    assert "Nothing to be done" in again.stderr


def test_an_own_model_from_a_folder_is_a_third_line(tmp_path):
    config = two_lines(write_task(tmp_path / "reviews"))
    made = tmp_path / "made"
    first = run_snakemake(
        made,
        "results/model/tiny/model.safetensors",
        config=config | {"models": {"tiny": {"source": TINY}}},
        smoke=False,
    )
    assert first.returncode == 0, first.stderr[-3000:]
    config |= {"models": {"mine": {"source": f"dir:{made / 'results/model/tiny'}"}}}
    more = {"experiment": config["experiment"] | {"starts": ["pretrained"]}}
    more |= SMALL | {"landscape": SMALL["landscape"] | {"second": "pca"}}
    more["finetune"] = SMALL["finetune"] | {"seeds": [{"init": 0, "order": 0}]}
    run = tmp_path / "run"
    done = run_snakemake(run, config=config | more, smoke=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert figures_of(run, "mine") >= {"figure1", "figure4", "figure7", "dynamics1", "table1"}
    assert not {"dynamics4", "dynamics5"} & figures_of(run, "mine")  # of two seeds
    starts = {path.name for path in (run / "results/finetune/mine/reviews").iterdir()}
    assert starts == {"pretrained"}
    geometry = read_json(run / "results/landscape/mine/reviews_pretrained/geometry.json")
    assert geometry["second"] == "pca"
    assert geometry["cosine"] == pytest.approx(0, abs=1e-5)
    path = read_table(run / "results/landscape/mine/reviews_pretrained/trajectory_target.parquet")
    assert path["outside"].iloc[1:].max() < 1e-3  # one checkpoint between: the plane holds it
    claims = pd.read_csv(run / "results/report/mine/claims.csv")
    assert not claims["measure"].str.contains("scratch").any()


DECODERS = {
    kind: {"source": f"random:{kind}:num_hidden_layers=3,seed=0"}
    for kind in ("gpt2", "llama", "qwen2")
}


@pytest.fixture(scope="module")
def decoders(tmp_path_factory):
    """The two-line experiment on decoders: whole for GPT-2, the surfaces for the others."""
    folder = tmp_path_factory.mktemp("decoders")
    config = two_lines(write_task(folder / "reviews")) | SMALL
    config["experiment"] |= {"starts": ["pretrained"]}
    config["finetune"] = SMALL["finetune"] | {"seeds": [{"init": 0, "order": 0}]}
    whole, *others = DECODERS
    done = run_snakemake(
        folder / "run", config=config | {"models": {whole: DECODERS[whole]}}, smoke=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    targets = [
        f"results/landscape/{kind}/reviews_pretrained/{name}.parquet"
        for kind in others
        for name in ("surface", "trajectory_target")
    ]
    done = run_snakemake(
        folder / "run", *targets, config=config | {"models": DECODERS}, smoke=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return folder / "run"


def test_a_decoder_has_all_figures(decoders):
    figures = {f"figure{i}" for i in range(1, 8)} | {"table1", "dynamics1", "dynamics2"}
    figures |= {"dynamics3", "dynamics_heads", "dynamics_svcca", "dynamics_cka"}
    assert figures_of(decoders, "gpt2") >= figures


@pytest.mark.parametrize("kind", DECODERS)
def test_a_decoders_losses_are_those_of_transformers(decoders, kind):
    """On the surface and along the trajectory, computed again in float64, one text at a time."""
    model = decoders / "results/model" / kind
    run = decoders / "results/finetune" / kind / "reviews/pretrained/finetune/init0_order0"
    surface = decoders / "results/landscape" / kind / "reviews_pretrained"
    tokens = AutoTokenizer.from_pretrained(model)
    config = AutoConfig.from_pretrained(model, num_labels=2)
    # Without it transformers reads the last token of each text.
    config.pad_token_id = None
    module = AutoModelForSequenceClassification.from_config(config).double().eval()
    read = read_table(surface.parent / "tokens_reviews.parquet")
    labels = read["label"].tolist()
    path = read_table(surface / "trajectory_target.parquet")
    assert len(path) == 3
    assert tokens.pad_token_id is not None
    for epoch, row in path.iterrows():
        module.load_state_dict(load_file(run / f"epoch{epoch:02d}.safetensors"))
        losses = {"train": [], "dev": []}
        with torch.no_grad():
            for split, ids, label in zip(read["split"], read["input_ids"], labels, strict=True):
                logits = module(torch.tensor([list(ids)])).logits
                losses[split].append(float(cross_entropy(logits, torch.tensor([label]))))
        assert row["own_train_loss"] == pytest.approx(np.mean(losses["train"]), abs=2e-6)
        if epoch == len(path) - 1:
            points = read_table(surface / "examples.parquet")
            end = points[(points["alpha"] == 1) & (points["beta"] == 0)].iloc[0]
            for split in losses:
                assert list(end[f"{split}_loss"]) == pytest.approx(losses[split], abs=2e-6)
