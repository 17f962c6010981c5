import pytest

from tests.finetune.toy import CONTEXT, arguments, call, toy_table, write_model
from workflow_scripts.common.tables import write_json, write_table


@pytest.fixture(scope="session")
def toy(tmp_path_factory):
    """Folder with the task's and the model's files."""
    folder = tmp_path_factory.mktemp("toy")
    write_model(folder)
    write_table(toy_table(90, seed=0), folder / "train.parquet")
    write_table(toy_table(60, seed=1), folder / "dev.parquet")
    write_json({"labels": ["bad", "good"]}, folder / "card.json")
    return folder


@pytest.fixture
def train_run(toy, tmp_path):
    """``train_run("name", recipe, ...)`` trains a run and gives its folder."""

    def run(name, recipe, **options):
        out = tmp_path / name
        changes = options.pop("context", {})
        call({**arguments(toy, out, recipe, **options), "context": {**CONTEXT, **changes}})
        return out

    return run
