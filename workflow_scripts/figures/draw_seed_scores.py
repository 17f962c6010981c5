"""Draw the scores of many seeds, sweep by sweep."""

from collections.abc import Sequence
from pathlib import Path

from workflow_scripts.figures.results import result_of
from workflow_scripts.figures.save import save_figure
from workflow_scripts.figures.sweeps import read_sweeps, seed_scores
from workflow_scripts.rebuilds.step import run


def draw_seed_scores(
    runs: list[Path],
    pdf: Path,
    png: Path,
    csv: Path,
    tasks: list[dict],
    sweeps: list[dict],
    about: str,
    ledger: Path | None = None,
    claims: Sequence[str] = (),
) -> None:
    """Write a figure of scores over seeds and its numbers; see ``sweeps.seed_scores``.

    Parameters
    ----------
    runs : list of Path
        ``runs.parquet`` of the ``sweeps``, in the same order.
    pdf, png, csv : Path
        Files to write.
    tasks : list of dict
        Fields of a ``TaskTitle`` each.
    sweeps : list of dict
        ``task``, ``sweep`` and ``metric`` of each.
    about : str
        What the sweeps are, for the caption.
    ledger : Path, optional
        The ledger with the verdicts on the ``claims`` that the figure is about.
    claims : sequence of str
        Their names.
    """
    figure, numbers = seed_scores(read_sweeps(runs, tasks, sweeps), about)
    save_figure(figure, numbers, pdf, png, csv, result_of(ledger, claims))


if __name__ == "__main__":
    run(draw_seed_scores, snakemake)
