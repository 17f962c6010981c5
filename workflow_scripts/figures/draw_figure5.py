"""Draw the training loss along the direction from start to end."""

from pathlib import Path

from workflow_scripts.figures.curves import loss_lines
from workflow_scripts.figures.inputs import read_surfaces
from workflow_scripts.figures.save import save_figure, save_numbers
from workflow_scripts.figures.style import paper_style
from workflow_scripts.rebuilds.step import run


def draw_figure5(
    lines: list[Path],
    geometries: list[Path],
    pdf: Path,
    png: Path,
    csv: Path,
    tasks: list[dict],
    starts: list[str],
) -> None:
    """Write figure 5 (``pdf``, ``png``) and its numbers (``csv``).

    ``lines`` : ``surface.parquet`` of lines; ``geometries`` : ``geometry.json`` of the planes of
    the same tasks and starts, in the same order. See ``curves.loss_lines`` for the rest.
    """
    with paper_style():
        figure, numbers = loss_lines(read_surfaces(lines, geometries), tasks, starts)
    save_figure(figure, pdf, png)
    save_numbers(numbers, csv)


if __name__ == "__main__":
    run(draw_figure5, snakemake)
