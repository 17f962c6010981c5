"""Draw how far the last layer moves when one layer is put back, a curve per task."""

from pathlib import Path

from workflow_scripts.common.tables import read_table
from workflow_scripts.figures.layers import HEADLINE, rollback_by_layer
from workflow_scripts.figures.save import save_figure, save_numbers
from workflow_scripts.figures.style import paper_style
from workflow_scripts.rebuilds.step import run


def draw_layer_rollback(
    tables: list[Path],
    pdf: Path,
    png: Path,
    csv: Path,
    tasks: list[dict],
    measures: list[str] = HEADLINE,
) -> None:
    """Write dynamics3 (``pdf``, ``png``) and its numbers (``csv``).

    ``tables`` : ``rollback.parquet`` of the ``tasks``, in the same order. See
    ``layers.rollback_by_layer`` for the rest.
    """
    with paper_style():
        figure, numbers = rollback_by_layer([read_table(path) for path in tables], tasks, measures)
    save_figure(figure, pdf, png)
    save_numbers(numbers, csv)


if __name__ == "__main__":
    run(draw_layer_rollback, snakemake)
