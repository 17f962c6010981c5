"""Draw the JS divergence of attention over layers, a curve per pair of models."""

from pathlib import Path

from workflow_scripts.common.tables import read_table
from workflow_scripts.common.titles import PairTitle
from workflow_scripts.figures.layers import attention_by_layer
from workflow_scripts.figures.save import save_figure
from workflow_scripts.rebuilds.step import run


def draw_attention_layers(
    tables: list[Path],
    pdf: Path,
    png: Path,
    csv: Path,
    pairs: list[dict],
    resamples: int = 1000,
) -> None:
    """Write a figure of attention by layer and its numbers; see ``layers.attention_by_layer``.

    Parameters
    ----------
    tables : list of Path
        ``attention.parquet`` of the ``pairs``, in the same order.
    pdf, png, csv : Path
        Files to write.
    pairs : list of dict
        Fields of a ``PairTitle`` each, in the order of the curves.
    resamples : int
        Bootstrap samples of the examples.
    """
    columns = ["example", "layer", "js", "cls", "sep", "other"]
    figure, numbers = attention_by_layer(
        [read_table(path, columns) for path in tables],
        [PairTitle(**pair) for pair in pairs],
        resamples,
    )
    save_figure(figure, numbers, pdf, png, csv)


if __name__ == "__main__":
    run(draw_attention_layers, snakemake)
