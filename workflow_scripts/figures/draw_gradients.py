"""Draw the gradient norms of failed and of successful runs."""

from collections.abc import Sequence
from pathlib import Path

from workflow_scripts.figures.results import result_of
from workflow_scripts.figures.save import save_figure
from workflow_scripts.figures.sweeps import gradient_norms, read_sweeps
from workflow_scripts.rebuilds.step import run


def draw_gradients(
    runs: list[Path],
    histories: list[Path],
    pdf: Path,
    png: Path,
    csv: Path,
    tasks: list[dict],
    sweeps: list[dict],
    ledger: Path | None = None,
    claims: Sequence[str] = (),
) -> None:
    """Write a figure of gradient norms and its numbers; see ``sweeps.gradient_norms``.

    Parameters
    ----------
    runs, histories : list of Path
        ``runs.parquet`` and ``history.parquet`` of the ``sweeps``, in the same order.
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
    read = (read_sweeps(paths, tasks, sweeps) for paths in (runs, histories))
    figure, numbers = gradient_norms(*read)
    save_figure(figure, numbers, pdf, png, csv, result_of(ledger, claims))


if __name__ == "__main__":
    run(draw_gradients, snakemake)
