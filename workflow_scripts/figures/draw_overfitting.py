"""Draw a run and the run that continues it on the surface of the dev error."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd

from workflow_scripts.common.tables import read_table
from workflow_scripts.common.titles import TaskTitle
from workflow_scripts.figures.inputs import read_surfaces
from workflow_scripts.figures.outcomes import score_tables, with_outcomes
from workflow_scripts.figures.results import result_of
from workflow_scripts.figures.save import save_figure
from workflow_scripts.figures.trajectories import overfitting
from workflow_scripts.rebuilds.step import run


def draw_overfitting(
    surface: Path,
    geometry: Path,
    trajectories: list[Path],
    pdf: Path,
    png: Path,
    csv: Path,
    task: dict,
    scores: Sequence[Path],
    scored: Sequence[dict],
    note: str | None = None,
    ledger: Path | None = None,
    claims: Sequence[str] = (),
) -> None:
    """Write a figure of a continued run and its numbers; see ``trajectories.overfitting``.

    Parameters
    ----------
    surface, geometry : Path
        ``surface.parquet`` and ``geometry.json`` of the task's plane.
    trajectories : list of Path
        Of the task's run and of the run that continues it.
    pdf, png, csv : Path
        Files to write.
    task : dict
        Fields of a ``TaskTitle``.
    scores : sequence of Path
        ``scores.parquet`` of the run and of the one that continues it.
    scored : sequence of dict
        Which run each of them is; see ``outcomes.with_outcomes``.
    note : str, optional
        How the run was continued, for the caption.
    ledger : Path, optional
        Ledger of the claims that the figure is about; see ``results.result_of``.
    claims : sequence of str
        Their names.
    """
    (plane,) = read_surfaces([surface], [geometry])
    runs = pd.concat([read_table(path) for path in trajectories], ignore_index=True)
    (title,) = with_outcomes([TaskTitle(**task)], scores, scored)
    before, after = (read_table(path) for path in score_tables(scores))
    figure, numbers = overfitting(replace(plane, trajectory=runs), title, (before, after), note)
    save_figure(figure, numbers, pdf, png, csv, result_of(ledger, claims))


if __name__ == "__main__":
    run(draw_overfitting, snakemake)
