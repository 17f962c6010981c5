"""Draw the training-loss surfaces of layer groups around the fine-tuned model."""

from collections.abc import Sequence
from pathlib import Path

from workflow_scripts.common.titles import TaskTitle
from workflow_scripts.figures.inputs import read_surfaces
from workflow_scripts.figures.outcomes import with_outcomes
from workflow_scripts.figures.results import result_of
from workflow_scripts.figures.save import save_figure
from workflow_scripts.figures.surfaces import group_surfaces
from workflow_scripts.rebuilds.step import run


def draw_group_surfaces(
    surfaces: list[Path],
    geometries: list[Path],
    pdf: Path,
    png: Path,
    csv: Path,
    tasks: list[dict],
    groups: list[str],
    scores: Sequence[Path] = (),
    scored: Sequence[dict] = (),
    ledger: Path | None = None,
    claims: Sequence[str] = (),
) -> None:
    """Write a figure of layer-group surfaces and its numbers; see ``surfaces.group_surfaces``.

    Parameters
    ----------
    surfaces, geometries : list of Path
        ``surface.parquet`` and ``geometry.json`` of the layer groups' surfaces, in the same order.
    pdf, png, csv : Path
        Files to write.
    tasks : list of dict
        Fields of a ``TaskTitle`` each, in the order of the rows.
    groups : list of str
        Layer groups, in the order of the columns.
    scores : sequence of Path
        ``scores.parquet`` of the runs shown; see ``outcomes.with_outcomes``.
    scored : sequence of dict
        Which run each of them is.
    ledger : Path, optional
        Ledger of the claims that the figure is about; see ``results.result_of``.
    claims : sequence of str
        Their names.
    """
    titles = with_outcomes([TaskTitle(**task) for task in tasks], scores, scored)
    figure, numbers = group_surfaces(read_surfaces(surfaces, geometries), titles, groups)
    save_figure(figure, numbers, pdf, png, csv, result_of(ledger, claims))


if __name__ == "__main__":
    run(draw_group_surfaces, snakemake)
