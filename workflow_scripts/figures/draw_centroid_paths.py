"""Draw paths of the labels' centroids over training and layers."""

from collections.abc import Sequence
from pathlib import Path

from workflow_scripts.common.tables import read_table
from workflow_scripts.common.titles import TaskTitle
from workflow_scripts.figures.outcomes import with_outcomes
from workflow_scripts.figures.probing import centroid_paths
from workflow_scripts.figures.results import result_of
from workflow_scripts.figures.save import save_figure
from workflow_scripts.rebuilds.step import run


def draw_centroid_paths(
    paths: Path,
    pdf: Path,
    png: Path,
    csv: Path,
    tasks: list[dict],
    shown: list[str],
    scores: Sequence[Path] = (),
    scored: Sequence[dict] = (),
    ledger: Path | None = None,
    claims: Sequence[str] = (),
) -> None:
    """Write the figure and its numbers; see ``probing.centroid_paths``.

    Parameters
    ----------
    paths : Path
        ``paths.parquet``.
    pdf, png, csv : Path
        Files to write.
    tasks : list of dict
        Fields of a ``TaskTitle`` each.
    shown : list of str
        Names of the tasks that are drawn.
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
    figure, numbers = centroid_paths(
        read_table(paths), [title for title in titles if title.name in shown]
    )
    save_figure(figure, numbers, pdf, png, csv, result_of(ledger, claims))


if __name__ == "__main__":
    run(draw_centroid_paths, snakemake)
