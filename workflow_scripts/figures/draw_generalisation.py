"""Draw dev scores of many runs against their training losses, and over the epochs."""

from collections.abc import Sequence
from pathlib import Path

from workflow_scripts.figures.results import result_of
from workflow_scripts.figures.save import save_figure
from workflow_scripts.figures.sweeps import generalisation, read_sweeps
from workflow_scripts.rebuilds.step import run


def draw_generalisation(
    runs: list[Path],
    epochs: list[Path],
    pdf: Path,
    png: Path,
    csv: Path,
    tasks: list[dict],
    sweeps: list[dict],
    ledger: Path | None = None,
    claims: Sequence[str] = (),
) -> None:
    """Write a figure of dev scores and its numbers; see ``sweeps.generalisation``.

    Parameters
    ----------
    runs, epochs : list of Path
        ``runs.parquet`` and ``epochs.parquet`` of the ``sweeps``, in the same order.
    pdf, png, csv : Path
        Files to write.
    tasks : list of dict
        Fields of a ``TaskTitle`` each.
    sweeps : list of dict
        ``task``, ``sweep`` and ``metric`` of each.
    ledger : Path, optional
        The ledger with the verdicts on the ``claims`` that the figure is about.
    claims : sequence of str
        Their names.
    """
    read = (read_sweeps(paths, tasks, sweeps) for paths in (runs, epochs))
    figure, numbers = generalisation(*read)
    save_figure(figure, numbers, pdf, png, csv, result_of(ledger, claims))


if __name__ == "__main__":
    run(draw_generalisation, snakemake)
