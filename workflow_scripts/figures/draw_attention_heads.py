"""Draw the JS divergence of attention by layer and head, a map per pair of models."""

from pathlib import Path

from workflow_scripts.common.tables import read_table
from workflow_scripts.figures.matrices import attention_by_head
from workflow_scripts.figures.save import save_figure, save_numbers
from workflow_scripts.figures.style import paper_style
from workflow_scripts.rebuilds.step import run


def draw_attention_heads(
    tables: list[Path], pdf: Path, png: Path, csv: Path, pairs: list[dict]
) -> None:
    """Write dynamics_heads (``pdf``, ``png``) and its numbers (``csv``).

    ``tables`` : ``attention.parquet`` of the ``pairs``, in the same order. See
    ``matrices.attention_by_head`` for the rest.
    """
    columns = ["example", "layer", "heads"]
    with paper_style():
        figure, numbers = attention_by_head([read_table(path, columns) for path in tables], pairs)
    save_figure(figure, pdf, png)
    save_numbers(numbers, csv)


if __name__ == "__main__":
    run(draw_attention_heads, snakemake)
