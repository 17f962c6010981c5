"""Draw the JS divergence of attention over layers, a curve per pair of models."""

from pathlib import Path

from workflow_scripts.common.tables import read_table
from workflow_scripts.figures.layers import attention_by_layer
from workflow_scripts.figures.save import save_figure, save_numbers
from workflow_scripts.figures.style import paper_style
from workflow_scripts.rebuilds.step import run


def draw_attention_layers(
    tables: list[Path],
    pdf: Path,
    png: Path,
    csv: Path,
    pairs: list[dict],
    resamples: int = 1000,
) -> None:
    """Write dynamics1, dynamics4 or dynamics6 (``pdf``, ``png``) and its numbers (``csv``).

    ``tables`` : ``attention.parquet`` of the ``pairs``, in the same order. See
    ``layers.attention_by_layer`` for the rest.
    """
    columns = ["example", "layer", "js", "cls", "sep", "other"]
    with paper_style():
        figure, numbers = attention_by_layer(
            [read_table(path, columns) for path in tables], pairs, resamples
        )
    save_figure(figure, pdf, png)
    save_numbers(numbers, csv)


if __name__ == "__main__":
    run(draw_attention_layers, snakemake)
