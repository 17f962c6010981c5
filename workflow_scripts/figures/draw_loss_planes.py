"""Draw the loss planes through pre-trained, failed and successful weights."""

from pathlib import Path

from workflow_scripts.common.tables import read_table
from workflow_scripts.common.titles import TaskTitle
from workflow_scripts.figures.save import save_figure
from workflow_scripts.figures.sweeps import loss_planes
from workflow_scripts.rebuilds.step import run


def draw_loss_planes(
    planes: list[Path],
    barriers: list[Path],
    pdf: Path,
    png: Path,
    csv: Path,
    tasks: list[dict],
    recipe: str,
) -> None:
    """Write a figure and its numbers; see ``sweeps.loss_planes``.

    Parameters
    ----------
    planes, barriers : list of Path
        ``plane.parquet`` and ``barriers.parquet`` of the ``tasks``.
    pdf, png, csv : Path
        Files to write.
    tasks : list of dict
        Fields of a ``TaskTitle`` each, in the same order.
    recipe : str
        Of the runs.
    """
    titles = [TaskTitle(**task) for task in tasks]
    read = ([read_table(path) for path in paths] for paths in (planes, barriers))
    figure, numbers = loss_planes(list(zip(titles, *read, strict=True)), recipe)
    save_figure(figure, numbers, pdf, png, csv)


if __name__ == "__main__":
    run(draw_loss_planes, snakemake)
