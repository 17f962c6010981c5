"""Draw the training-loss surfaces of layer groups around the fine-tuned model."""

from pathlib import Path

from workflow_scripts.figures.inputs import read_surfaces
from workflow_scripts.figures.save import save_figure, save_numbers
from workflow_scripts.figures.style import paper_style
from workflow_scripts.figures.surfaces import group_surfaces
from workflow_scripts.rebuilds.step import run


def draw_figure7(
    surfaces: list[Path],
    geometries: list[Path],
    pdf: Path,
    png: Path,
    csv: Path,
    tasks: list[dict],
    groups: list[str],
) -> None:
    """Write figure 7 (``pdf``, ``png``) and its numbers (``csv``).

    ``surfaces`` and ``geometries`` : ``surface.parquet`` and ``geometry.json`` of the layer groups'
    surfaces, in the same order. See ``surfaces.group_surfaces`` for the rest.
    """
    with paper_style():
        figure, numbers = group_surfaces(read_surfaces(surfaces, geometries), tasks, groups)
    save_figure(figure, pdf, png)
    save_numbers(numbers, csv)


if __name__ == "__main__":
    run(draw_figure7, snakemake)
