"""Draw surfaces of the training loss or of the dev error, from scratch and fine-tuned."""

from collections.abc import Sequence
from pathlib import Path

from workflow_scripts.common.titles import TaskTitle
from workflow_scripts.figures.inputs import read_surfaces
from workflow_scripts.figures.maps import QUANTITIES
from workflow_scripts.figures.outcomes import with_outcomes
from workflow_scripts.figures.results import result_of
from workflow_scripts.figures.save import save_figure
from workflow_scripts.figures.surfaces import start_and_end_surfaces
from workflow_scripts.rebuilds.step import run


def draw_surfaces(
    surfaces: list[Path],
    geometries: list[Path],
    pdf: Path,
    png: Path,
    csv: Path,
    quantity: str,
    tasks: list[dict],
    starts: list[str],
    scores: Sequence[Path] = (),
    scored: Sequence[dict] = (),
    ledger: Path | None = None,
    claims: Sequence[str] = (),
) -> None:
    """Write a figure of surfaces and its numbers; see ``surfaces.start_and_end_surfaces``.

    Parameters
    ----------
    surfaces, geometries : list of Path
        ``surface.parquet`` and ``geometry.json`` of the planes, in the same order.
    pdf, png, csv : Path
        Files to write.
    quantity : str
        Key of ``maps.QUANTITIES``: ``loss`` or ``error``.
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
    figure, numbers = start_and_end_surfaces(
        read_surfaces(surfaces, geometries),
        with_outcomes([TaskTitle(**task) for task in tasks], scores, scored),
        starts,
        QUANTITIES[quantity],
    )
    save_figure(figure, numbers, pdf, png, csv, result_of(ledger, claims))


if __name__ == "__main__":
    run(draw_surfaces, snakemake)
