"""What is said at the start and the end of a run."""

import pytest

from workflow_scripts.common.errors import UserError
from workflow_scripts.experiment import start


def test_where_the_figures_are_is_said_once_all_are_made(tmp_path, monkeypatch):
    run = tmp_path / "runs" / "mine"
    targets = ["results/figures/minilm/figure1.pdf", "results/report/minilm/claims.md"]
    run.mkdir(parents=True)
    monkeypatch.chdir(run)
    for target in targets:
        assert list(start.where_results_are(targets, str(tmp_path))) == []
        (run / target).parent.mkdir(parents=True)
        (run / target).touch()
    (line,) = start.where_results_are(targets, str(tmp_path))
    assert line == "every figure and table is in runs/mine/results/figures"
    (line,) = start.where_results_are(targets, str(tmp_path / "elsewhere"))
    assert line == f"every figure and table is in {run}/results/figures"
    (run / "results/report/minilm/atlas.html").touch()
    targets.append("results/report/minilm/atlas.html")
    _, line = start.where_results_are(targets, str(tmp_path))
    assert line == "all of it in one page: runs/mine/results/report/minilm/atlas.html"


@pytest.mark.parametrize(
    ("script", "problem"),
    [
        (None, "there is no command sinfo"),
        ("echo 'sinfo: error: no' >&2; echo 'sinfo: fatal: no controller' >&2; exit 1",
         "sinfo: fatal: no controller"),
        ("exit 3", "sinfo: exit status 3"),
    ],
)  # fmt: skip
def test_jobs_are_not_submitted_where_slurm_does_not_answer(script, problem, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    if script:
        (tmp_path / "sinfo").write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / "sinfo").chmod(0o755)
    start.check_slurm("local")
    with pytest.raises(UserError, match=rf"SLURM does not answer .*\({problem}\)") as error:
        start.check_slurm("slurm")
    assert "\n" not in str(error.value)


def test_jobs_are_submitted_where_slurm_answers(tmp_path, monkeypatch):
    (tmp_path / "sinfo").write_text("#!/bin/sh\necho 'gpu* up infinite'\n")
    (tmp_path / "sinfo").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    start.check_slurm("slurm")
