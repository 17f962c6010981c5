"""A run that was trained elsewhere, from the Trainer's folder to all figures."""

import pytest

from tests.finetune.trained import edit, train, write_base, write_data
from tests.workflow.conftest import run_snakemake
from tests.workflow.test_own_experiment import SMALL, figures_of, scores_of
from workflow_scripts.common.tables import read_json, read_table

pytestmark = pytest.mark.slow


def test_a_finished_run_is_taken_to_all_figures_without_training(tmp_path):
    base, data = write_base("bert", tmp_path / "my models/bert"), write_data(tmp_path / "reviews")
    # No loss is logged, as in short runs with the Trainer's defaults.
    trained = train(base, data, tmp_path / "my models/run {1}", logging_strategy="no")
    config = {
        **SMALL,
        "experiment": {"name": "mine", "tasks": ["reviews"], "runs": ["mine"]},
        "tasks": {"reviews": {"source": f"dir:{data}"}},
        "models": {"tiny": {"source": f"dir:{base}"}},
        "runs": {"mine": {"source": f"dir:{trained.folder}", "task": "reviews", "model": "tiny"}},
    }
    config["landscape"] = {**SMALL["landscape"], "second": "pca"}
    config["finetune"] = {**SMALL["finetune"], "max_length": 24}
    run = tmp_path / "run"
    done = run_snakemake(run, config=config, smoke=False)
    assert done.returncode == 0, done.stderr[-3000:]
    last = scores_of(run, "tiny", "pretrained", "mine")
    assert last["dev_loss"] == pytest.approx(trained.evaluated["eval_loss"], abs=1e-5)
    assert {path.name for path in (run / "results/finetune/tiny/reviews").iterdir()} == {
        "pretrained"
    }
    shown = figures_of(run, "tiny")
    assert {f"figure{k}" for k in (1, 2, 3, 5, 6, 7)} | {"table1", "radii"} <= shown
    assert "figure4" not in shown
    place = run / "results/landscape/tiny/reviews_pretrained"
    assert read_json(place / "geometry.json")["second"] == "pca"
    assert len(read_table(place / "trajectory_target.parquet")) == 3
    # Other weights make the run stale, and nothing else.
    nothing = run_snakemake(run, "--dry-run", config=config, smoke=False)
    assert "Nothing to be done" in nothing.stdout + nothing.stderr
    edit(trained.folder / "checkpoint-10/trainer_state.json", total_flos=1)
    again = run_snakemake(run, "--dry-run", config=config, smoke=False)
    assert "import_run_mine" in again.stdout
    assert "fetch_model" not in again.stdout
