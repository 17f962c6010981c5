"""What is read of finished experiments, and folders that are refused."""

import shutil
from pathlib import Path

import pytest

from workflow_scripts.common.errors import UserError
from workflow_scripts.common.tables import read_table, write_table
from workflow_scripts.compare.experiments import CURVES, read_experiments
from workflow_scripts.rebuilds.records import record_path
from workflow_scripts.report.files import ledger_files


def refused(*folders) -> str:
    with pytest.raises(UserError) as error:
        read_experiments([Path(folder) for folder in folders])
    return str(error.value)


def test_curves_are_those_of_the_tables_behind_the_ledgers(experiment):
    a, b = read_experiments([experiment("a"), experiment("b", level=0.1)])
    assert set(a.curves) == {curve.name for curve in CURVES}
    assert a.missing == {}

    def values(one, curve, **where):
        table = one.curves[curve]
        for column, value in where.items():
            table = table[table[column] == value]
        return table["y"].tolist()

    run = {"panel": "NLI (synthetic)", "series": "pretrained", "run": "init1_order1"}
    assert values(a, "accuracy", **run) == pytest.approx([50, 60, 71])
    assert values(b, "accuracy", **run) == pytest.approx([50, 70, 81])
    assert values(b, "loss_path", **run) == pytest.approx([0.7, 0.4, 0.2])
    assert values(a, "radii", **run, x="random") == [2.0]
    assert values(a, "radii", **run, x="beyond the end") == [5.0]
    assert len(a.curves["radii"]) == 2 * 8
    assert values(a, "rollback", panel="NLI (synthetic)", x="low") == [75, 75]
    of_pair = {"panel": "NLI (synthetic)"}
    assert values(a, "attention", **of_pair) == pytest.approx([0.2, 0.3])
    assert values(b, "cka", **of_pair) == pytest.approx([0.2, 0.4, 0.7])
    assert a.curves["cka"]["x"].tolist()[:3] == [0, 1, 2]
    assert values(a, "svcca", **of_pair) == pytest.approx([0.1, 0.3, 0.5])
    assert values(a, "failed", x="devlin") == [25]
    assert a.runs["failed"].sum() == 2


def test_a_missing_table_or_stage_costs_its_curve_alone(experiment):
    whole, part = experiment("whole"), experiment("part", sweeps=False)
    path = part / "results/tiny/nli/pretrained/init0_order0/radii.parquet"
    path.unlink()
    _, found = read_experiments([whole, part])
    assert found.missing == {
        "radii": f"{path}: no such file",
        "failed": "no record of stability_claims",
    }
    record = whole / record_path(ledger_files("claims", "tiny")["ledger"])
    record.unlink()
    found, _ = read_experiments([whole, part])
    assert set(found.missing) == {"accuracy", "loss_path", "radii", "rollback"}
    assert found.runs.empty


def test_tables_of_another_version_cost_their_curve_alone(experiment):
    a, b = experiment("a"), experiment("b")
    path = b / "results/tiny/nli/pretrained/init0_order0/scores.parquet"
    write_table(read_table(path).rename(columns={"accuracy": "score"}), path)
    (b / "results/tiny/nli/scratch/init0_order0/path.parquet").write_bytes(b"")
    _, found = read_experiments([a, b])
    assert found.missing["accuracy"] == "KeyError: 'accuracy'"
    assert "path.parquet: cannot be read as Parquet" in found.missing["loss_path"]
    assert len(found.missing) == 2


def test_labels_say_what_differs(experiment):
    folders = [experiment("a"), experiment("b")]
    assert [one.label for one in read_experiments(folders)] == ["a", "b"]
    shutil.copytree(folders[0], "runs/copy")
    twins = [folders[0], Path("runs/copy")]
    assert [one.label for one in read_experiments(twins)] == ["runs/a", "runs/copy"]
    both = experiment("both", models=("large", "tiny"))
    assert [one.label for one in read_experiments([both])] == ["both, large", "both, tiny"]


def test_folders_that_cannot_be_compared_are_refused(experiment):
    experiment("a")
    assert refused() == "experiments: got none, expected two or more to compare"
    assert refused("runs/a") == "experiments: got runs/a, expected two or more to compare"
    assert refused("runs/a", "runs/../runs/a") == "experiments: got runs/a twice"
    expected = "experiments: got runs/aa, no such folder; did you mean 'runs/a'?"
    assert refused("runs/a", "runs/aa") == expected
    Path("runs/empty").mkdir()
    assert refused("runs/a", "runs/empty") == "experiments: got runs/empty, which has no results"


def test_an_unfinished_run_is_refused(experiment):
    experiment("a")
    for name in ("claims", "dynamics_claims"):
        folder = experiment(f"without_{name}")
        ledger = folder / ledger_files(name, "tiny")["ledger"]
        ledger.unlink()
        expected = f"experiments: got {folder}, which is not finished: {ledger} is missing"
        assert refused("runs/a", folder) == expected
    started = Path("runs/started")
    (started / "results/model/tiny").mkdir(parents=True)
    assert "which is not finished" in refused("runs/a", started)


def test_ledgers_of_another_version_are_refused(experiment):
    experiment("a")
    folder = experiment("old")
    path = folder / ledger_files("claims", "tiny")["ledger"]
    write_table(read_table(path).drop(columns=["limit"]), path)
    expected = "has the columns of another version (differing: limit); run the workflow again"
    assert refused("runs/a", folder).startswith(f"{path}: {expected}")


def test_a_damaged_ledger_is_named(experiment):
    experiment("a")
    folder = experiment("damaged")
    path = folder / ledger_files("claims", "tiny")["ledger"]
    path.write_bytes(path.read_bytes()[:-20])
    assert refused("runs/a", folder).startswith(f"{path}: cannot be read as Parquet")
