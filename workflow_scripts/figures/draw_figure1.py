"""Draw the training-loss surfaces of all tasks, from scratch and fine-tuned."""

from pathlib import Path

from workflow_scripts.figures.inputs import read_surfaces
from workflow_scripts.figures.maps import LOSS
from workflow_scripts.figures.save import save_figure, save_numbers
from workflow_scripts.figures.style import paper_style
from workflow_scripts.figures.surfaces import start_and_end_surfaces
from workflow_scripts.rebuilds.step import run


def draw_figure1(
    surfaces: list[Path],
    geometries: list[Path],
    pdf: Path,
    png: Path,
    csv: Path,
    tasks: list[dict],
    starts: list[str],
) -> None:
    """Write figure 1 (``pdf``, ``png``) and its numbers (``csv``).

    ``surfaces`` and ``geometries`` : ``surface.parquet`` and ``geometry.json`` of the planes, in
    the same order. See ``surfaces.start_and_end_surfaces`` for the rest.
    """
    with paper_style():
        figure, numbers = start_and_end_surfaces(
            read_surfaces(surfaces, geometries), tasks, starts, LOSS
        )
    save_figure(figure, pdf, png)
    save_numbers(numbers, csv)


if __name__ == "__main__":
    run(draw_figure1, snakemake)
