"""Draw the geometry of one task in models of others."""

from collections.abc import Sequence
from pathlib import Path

from workflow_scripts.common.tables import read_table
from workflow_scripts.common.titles import TaskTitle
from workflow_scripts.figures.outcomes import with_outcomes
from workflow_scripts.figures.probing import cross_tasks
from workflow_scripts.figures.save import save_figure
from workflow_scripts.rebuilds.step import run


def draw_cross_tasks(
    cross: Path,
    pdf: Path,
    png: Path,
    csv: Path,
    tasks: list[dict],
    scores: Sequence[Path] = (),
    scored: Sequence[dict] = (),
) -> None:
    """Write the figure and its numbers; see ``probing.cross_tasks``.

    Parameters
    ----------
    cross : Path
        ``cross.parquet``.
    pdf, png, csv : Path
        Files to write.
    tasks : list of dict
        Fields of a ``TaskTitle`` each.
    scores : sequence of Path
        ``scores.parquet`` of the runs shown; see ``outcomes.with_outcomes``.
    scored : sequence of dict
        Which run each of them is.
    """
    titles = with_outcomes([TaskTitle(**task) for task in tasks], scores, scored)
    figure, numbers = cross_tasks(read_table(cross), titles)
    save_figure(figure, numbers, pdf, png, csv)


if __name__ == "__main__":
    run(draw_cross_tasks, snakemake)
