"""Draw the distance of representations over layers, a curve per pair of models."""

from pathlib import Path

from workflow_scripts.common.tables import read_table
from workflow_scripts.figures.layers import HEADLINE, representations_by_layer
from workflow_scripts.figures.save import save_figure, save_numbers
from workflow_scripts.figures.style import paper_style
from workflow_scripts.rebuilds.step import run


def draw_representation_layers(
    tables: list[Path],
    pdf: Path,
    png: Path,
    csv: Path,
    pairs: list[dict],
    measures: list[str] = HEADLINE,
) -> None:
    """Write dynamics2, dynamics5 or dynamics7 (``pdf``, ``png``) and its numbers (``csv``).

    ``tables`` : ``representations.parquet`` of the ``pairs``, in the same order. See
    ``layers.representations_by_layer`` for the rest.
    """
    with paper_style():
        figure, numbers = representations_by_layer(
            [read_table(path) for path in tables], pairs, measures
        )
    save_figure(figure, pdf, png)
    save_numbers(numbers, csv)


if __name__ == "__main__":
    run(draw_representation_layers, snakemake)
