"""Draw the training loss along the direction from start to end."""

from collections.abc import Sequence
from pathlib import Path

from workflow_scripts.common.titles import TaskTitle
from workflow_scripts.figures.curves import loss_lines
from workflow_scripts.figures.inputs import read_surfaces
from workflow_scripts.figures.outcomes import with_outcomes
from workflow_scripts.figures.results import result_of
from workflow_scripts.figures.save import save_figure
from workflow_scripts.rebuilds.step import run


def draw_lines(
    lines: list[Path],
    geometries: list[Path],
    pdf: Path,
    png: Path,
    csv: Path,
    tasks: list[dict],
    starts: list[str],
    scores: Sequence[Path] = (),
    scored: Sequence[dict] = (),
    ledger: Path | None = None,
    claims: Sequence[str] = (),
) -> None:
    """Write a figure of losses along lines and its numbers; see ``curves.loss_lines``.

    Parameters
    ----------
    lines : list of Path
        ``surface.parquet`` of the lines.
    geometries : list of Path
        ``geometry.json`` of the planes of the same tasks and starts, in the same order.
    pdf, png, csv : Path
        Files to write.
    tasks : list of dict
        Fields of a ``TaskTitle`` each, in the order of the panels.
    starts : list of str
        What to show, in this order.
    scores : sequence of Path
        ``scores.parquet`` of the runs shown; see ``outcomes.with_outcomes``.
    scored : sequence of dict
        Which run each of them is.
    ledger : Path, optional
        Ledger of the claims that the figure is about; see ``results.result_of``.
    claims : sequence of str
        Their names.
    """
    titles = with_outcomes([TaskTitle(**task) for task in tasks], scores, scored)
    figure, numbers = loss_lines(read_surfaces(lines, geometries), titles, starts)
    save_figure(figure, numbers, pdf, png, csv, result_of(ledger, claims))


if __name__ == "__main__":
    run(draw_lines, snakemake)
