"""Draw what fine-tuned encoders have forgotten of masked language modelling."""

from collections.abc import Sequence
from pathlib import Path

from workflow_scripts.common.tables import read_table
from workflow_scripts.common.titles import TaskTitle
from workflow_scripts.figures.results import result_of
from workflow_scripts.figures.save import save_figure
from workflow_scripts.figures.sweeps import forgetting_curves
from workflow_scripts.rebuilds.step import run


def draw_forgetting(
    tables: list[Path],
    pdf: Path,
    png: Path,
    csv: Path,
    tasks: list[dict],
    recipe: str,
    ledger: Path | None = None,
    claims: Sequence[str] = (),
) -> None:
    """Write a figure and its numbers; see ``sweeps.forgetting_curves``.

    Parameters
    ----------
    tables : list of Path
        ``forgetting.parquet`` of the ``tasks``.
    pdf, png, csv : Path
        Files to write.
    tasks : list of dict
        Fields of a ``TaskTitle`` each, in the same order.
    recipe : str
        Of the runs.
    ledger : Path, optional
        The ledger with the verdicts on the ``claims`` that the figure is about.
    claims : sequence of str
        Their names.
    """
    titles = [TaskTitle(**task) for task in tasks]
    read = [read_table(path) for path in tables]
    figure, numbers = forgetting_curves(list(zip(titles, read, strict=True)), recipe)
    save_figure(figure, numbers, pdf, png, csv, result_of(ledger, claims))


if __name__ == "__main__":
    run(draw_forgetting, snakemake)
