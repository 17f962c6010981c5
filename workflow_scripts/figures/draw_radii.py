"""Draw how far the optima of all runs reach."""

from collections.abc import Sequence
from pathlib import Path

from workflow_scripts.common.tables import read_table
from workflow_scripts.common.titles import TaskTitle
from workflow_scripts.figures.outcomes import with_outcomes
from workflow_scripts.figures.radii import optimum_radii
from workflow_scripts.figures.results import result_of
from workflow_scripts.figures.save import save_figure
from workflow_scripts.rebuilds.step import run


def draw_radii(
    radii: list[Path],
    scores: Sequence[Path],
    pdf: Path,
    png: Path,
    csv: Path,
    tasks: list[dict],
    scored: Sequence[dict],
    ledger: Path | None = None,
    claims: Sequence[str] = (),
) -> None:
    """Write a figure of radii and its numbers; see ``radii.optimum_radii``.

    Parameters
    ----------
    radii, scores : list of Path
        ``radii.parquet`` and ``scores.parquet`` of all runs, in the same order.
    pdf, png, csv : Path
        Files to write.
    tasks : list of dict
        Fields of a ``TaskTitle`` each, from top to bottom.
    scored : sequence of dict
        Which runs they are; see ``outcomes.with_outcomes``.
    ledger : Path, optional
        Ledger of the claims that the figure is about; see ``results.result_of``.
    claims : sequence of str
        Their names.
    """
    titles = with_outcomes([TaskTitle(**task) for task in tasks], scores, scored)
    figure, numbers = optimum_radii([read_table(path) for path in radii], scored, titles)
    save_figure(figure, numbers, pdf, png, csv, result_of(ledger, claims))


if __name__ == "__main__":
    run(draw_radii, snakemake)
