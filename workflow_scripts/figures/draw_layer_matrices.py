"""Draw how alike every layer of one model and of another are, a matrix per pair of models."""

from pathlib import Path

from workflow_scripts.common.tables import read_table
from workflow_scripts.figures.matrices import layers_by_layers
from workflow_scripts.figures.save import save_figure, save_numbers
from workflow_scripts.figures.style import paper_style
from workflow_scripts.rebuilds.step import run


def draw_layer_matrices(
    tables: list[Path], pdf: Path, png: Path, csv: Path, pairs: list[dict], measure: str
) -> None:
    """Write dynamics_svcca or dynamics_cka (``pdf``, ``png``) and its numbers (``csv``).

    ``tables`` : ``layers.parquet`` of the ``pairs``, in the same order. See
    ``matrices.layers_by_layers`` for the rest.
    """
    with paper_style():
        figure, numbers = layers_by_layers([read_table(path) for path in tables], pairs, measure)
    save_figure(figure, pdf, png)
    save_numbers(numbers, csv)


if __name__ == "__main__":
    run(draw_layer_matrices, snakemake)
