"""The plans on the pages are those of the experiments as they are."""

import re

import pytest

from tests.workflow.conftest import ROOT
from workflow_scripts.reference import plans

PAGE = (ROOT / "docs/howto/plan.md").read_text(encoding="utf-8")


def row(name: str) -> list[str]:
    (line,) = re.findall(rf"(?m)^\|( {name} \|.*)\|$", PAGE)
    return [cell.strip() for cell in line.split("|")]


def test_every_experiment_that_can_be_planned_without_its_models_is_in_the_table():
    files = {path.stem for path in (ROOT / "experiments").glob("*.yaml")} - {"probing"}
    assert {name for name in plans.EXPERIMENTS if name} == files
    for name in plans.EXPERIMENTS:
        assert row(name or "the default")[1] == plans.MACHINES[plans.EXPERIMENTS[name]]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["smoke", ""])
def test_a_row_of_the_table_is_up_to_date(name):
    table = plans.table({name: plans.planned(name, plans.EXPERIMENTS[name])})
    assert f"{table.splitlines()[-1]}\n" in PAGE, "run python -m workflow_scripts.reference plans"


def test_other_pages_have_the_same_numbers():
    readme = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
    _, _, jobs, _, _, time, disk, memory = row("the default")
    assert f"{jobs} jobs, [planned](docs/howto/plan.md)" in readme
    assert 25 <= int(time.removesuffix(" min")) <= 35
    assert "at half an hour on 2 cores" in readme
    assert f"with {disk} of disk and {float(memory.removesuffix(' GB')):.0f} GB of memory" in readme
    slurm = (ROOT / "docs/howto/slurm.md").read_text(encoding="utf-8")
    assert f"of {row('paper')[2]} jobs are submitted" in slurm
