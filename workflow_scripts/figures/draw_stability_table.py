"""Draw the table of the spread over seeds."""

from collections.abc import Sequence
from pathlib import Path

from workflow_scripts.common.tables import read_table, write_text
from workflow_scripts.common.titles import TaskTitle
from workflow_scripts.figures.results import result_of
from workflow_scripts.figures.save import save_figure
from workflow_scripts.figures.sweeps import stability_table, table_cells
from workflow_scripts.figures.tables import drawn_table, markdown_table
from workflow_scripts.rebuilds.step import run


def draw_stability_table(
    spreads: list[Path],
    tests: list[Path],
    pdf: Path,
    png: Path,
    csv: Path,
    md: Path,
    tasks: list[dict],
    metrics: list[str],
    paper: dict | None = None,
    ledger: Path | None = None,
    claims: Sequence[str] = (),
) -> None:
    """Write the table as figure, numbers and Markdown; see ``sweeps.stability_table``.

    Parameters
    ----------
    spreads, tests : list of Path
        ``spread.parquet`` and ``tests.parquet`` of the ``tasks``, in the same order.
    pdf, png, csv, md : Path
        Files to write.
    tasks : list of dict
        Fields of a ``TaskTitle`` each.
    metrics : list of str
        Metric of each task.
    paper : dict, optional
        The paper's numbers by task and sweep.
    ledger : Path, optional
        The ledger with the verdicts on the ``claims`` that the figure is about.
    claims : sequence of str
        Their names.
    """
    titles = [TaskTitle(**task) for task in tasks]
    read = [read_table(path) for path in spreads]
    numbers = stability_table(
        list(zip(titles, metrics, read, strict=True)), [read_table(path) for path in tests], paper
    )
    write_text(markdown_table(*table_cells(numbers)), md)
    save_figure(
        drawn_table(*table_cells(numbers)), numbers, pdf, png, csv, result_of(ledger, claims)
    )


if __name__ == "__main__":
    run(draw_stability_table, snakemake)
