"""Draw trajectories on training-loss surfaces, from scratch and fine-tuned."""

from pathlib import Path

from workflow_scripts.figures.inputs import read_surfaces
from workflow_scripts.figures.save import save_figure, save_numbers
from workflow_scripts.figures.style import paper_style
from workflow_scripts.figures.trajectories import loss_trajectories
from workflow_scripts.rebuilds.step import run


def draw_figure3(
    surfaces: list[Path],
    geometries: list[Path],
    trajectories: list[Path],
    pdf: Path,
    png: Path,
    csv: Path,
    tasks: list[dict],
    starts: list[str],
) -> None:
    """Write figure 3 (``pdf``, ``png``) and its numbers (``csv``).

    ``surfaces``, ``geometries`` and ``trajectories`` : ``surface.parquet``, ``geometry.json`` and
    ``trajectory_target.parquet`` of the planes, in the same order. See
    ``trajectories.loss_trajectories`` for the rest.
    """
    with paper_style():
        figure, numbers = loss_trajectories(
            read_surfaces(surfaces, geometries, trajectories), tasks, starts
        )
    save_figure(figure, pdf, png)
    save_numbers(numbers, csv)


if __name__ == "__main__":
    run(draw_figure3, snakemake)
