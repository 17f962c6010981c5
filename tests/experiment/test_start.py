"""What is said at the start and the end of a run."""

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
