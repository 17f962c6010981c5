"""Draw trajectories on training-loss surfaces, from scratch and fine-tuned."""

from collections.abc import Sequence
from pathlib import Path

from workflow_scripts.common.titles import TaskTitle
from workflow_scripts.figures.inputs import read_surfaces
from workflow_scripts.figures.outcomes import with_outcomes
from workflow_scripts.figures.results import result_of
from workflow_scripts.figures.save import save_figure
from workflow_scripts.figures.trajectories import loss_trajectories
from workflow_scripts.rebuilds.step import run


def draw_trajectories(
    surfaces: list[Path],
    geometries: list[Path],
    trajectories: list[Path],
    pdf: Path,
    png: Path,
    csv: Path,
    tasks: list[dict],
    starts: list[str],
    scores: Sequence[Path] = (),
    scored: Sequence[dict] = (),
    ledger: Path | None = None,
    claims: Sequence[str] = (),
) -> None:
    """Write a figure of trajectories and its numbers; see ``trajectories.loss_trajectories``.

    Parameters
    ----------
    surfaces, geometries, trajectories : list of Path
        ``surface.parquet``, ``geometry.json`` and ``trajectory_target.parquet`` of the planes, in
        the same order.
    pdf, png, csv : Path
        Files to write.
    tasks : list of dict
        Fields of a ``TaskTitle`` each, in the order of the columns.
    starts : list of str
        In the order of the rows.
    scores : sequence of Path
        ``scores.parquet`` of the runs shown; see ``outcomes.with_outcomes``.
    scored : sequence of dict
        Which run each of them is.
    ledger : Path, optional
        Ledger of the claims that the figure is about; see ``results.result_of``.
    claims : sequence of str
        Their names.
    """
    planes = read_surfaces(surfaces, geometries, trajectories)
    titles = with_outcomes([TaskTitle(**task) for task in tasks], scores, scored)
    figure, numbers = loss_trajectories(planes, titles, starts)
    save_figure(figure, numbers, pdf, png, csv, result_of(ledger, claims))


if __name__ == "__main__":
    run(draw_trajectories, snakemake)
