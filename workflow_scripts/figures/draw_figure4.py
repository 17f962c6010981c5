"""Draw a run and the run that continues it on the generalisation-error surface."""

from dataclasses import replace
from pathlib import Path

import pandas as pd

from workflow_scripts.common.tables import read_table
from workflow_scripts.figures.inputs import read_surfaces
from workflow_scripts.figures.save import save_figure, save_numbers
from workflow_scripts.figures.style import paper_style
from workflow_scripts.figures.trajectories import overfitting
from workflow_scripts.rebuilds.step import run


def draw_figure4(
    surface: Path,
    geometry: Path,
    trajectories: list[Path],
    pdf: Path,
    png: Path,
    csv: Path,
    task: dict,
    note: str | None = None,
) -> None:
    """Write figure 4 (``pdf``, ``png``) and its numbers (``csv``).

    ``surface`` and ``geometry`` : of the task's plane; ``trajectories`` : of its run and of the run
    that continues it. See ``trajectories.overfitting`` for the rest.
    """
    (plane,) = read_surfaces([surface], [geometry])
    runs = pd.concat([read_table(path) for path in trajectories], ignore_index=True)
    with paper_style():
        figure, numbers = overfitting(replace(plane, trajectory=runs), task, note)
    save_figure(figure, pdf, png)
    save_numbers(numbers, csv)


if __name__ == "__main__":
    run(draw_figure4, snakemake)
