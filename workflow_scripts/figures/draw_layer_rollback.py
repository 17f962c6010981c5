"""Draw the distance of the last layer when one layer is rolled back, a curve per task."""

from collections.abc import Sequence
from pathlib import Path

from workflow_scripts.common.tables import read_table
from workflow_scripts.common.titles import TaskTitle
from workflow_scripts.figures.layers import HEADLINE, rollback_by_layer
from workflow_scripts.figures.outcomes import with_outcomes
from workflow_scripts.figures.results import result_of
from workflow_scripts.figures.save import save_figure
from workflow_scripts.rebuilds.step import run


def draw_layer_rollback(
    tables: list[Path],
    pdf: Path,
    png: Path,
    csv: Path,
    tasks: list[dict],
    measures: list[str] = HEADLINE,
    scores: Sequence[Path] = (),
    scored: Sequence[dict] = (),
    ledger: Path | None = None,
    claims: Sequence[str] = (),
) -> None:
    """Write a figure of layers rolled back and its numbers; see ``layers.rollback_by_layer``.

    Parameters
    ----------
    tables : list of Path
        ``rollback.parquet`` of the ``tasks``, in the same order.
    pdf, png, csv : Path
        Files to write.
    tasks : list of dict
        Fields of a ``TaskTitle`` each, in the order of the curves.
    measures : list of str
        Keys of ``layers.MEASURES``, a panel each.
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
    figure, numbers = rollback_by_layer([read_table(path) for path in tables], titles, measures)
    save_figure(figure, numbers, pdf, png, csv, result_of(ledger, claims))


if __name__ == "__main__":
    run(draw_layer_rollback, snakemake)
