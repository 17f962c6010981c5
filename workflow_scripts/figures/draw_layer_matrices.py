"""Draw the similarity of every layer of one model and of another, a matrix per pair of models."""

from collections.abc import Sequence
from pathlib import Path

from workflow_scripts.common.tables import read_table
from workflow_scripts.common.titles import PairTitle
from workflow_scripts.figures.matrices import layers_by_layers
from workflow_scripts.figures.outcomes import with_outcomes
from workflow_scripts.figures.results import result_of
from workflow_scripts.figures.save import save_figure
from workflow_scripts.rebuilds.step import run


def draw_layer_matrices(
    tables: list[Path],
    pdf: Path,
    png: Path,
    csv: Path,
    pairs: list[dict],
    measure: str,
    scores: Sequence[Path] = (),
    scored: Sequence[dict] = (),
    ledger: Path | None = None,
    claims: Sequence[str] = (),
) -> None:
    """Write a figure of layer matrices and its numbers; see ``matrices.layers_by_layers``.

    Parameters
    ----------
    tables : list of Path
        ``layers.parquet`` of the ``pairs``, in the same order.
    pdf, png, csv : Path
        Files to write.
    pairs : list of dict
        Fields of a ``PairTitle`` each.
    measure : str
        Key of ``matrices.MEASURES``.
    scores : sequence of Path
        ``scores.parquet`` of the runs shown; see ``outcomes.with_outcomes``.
    scored : sequence of dict
        Which run each of them is.
    ledger : Path, optional
        Ledger of the claims that the figure is about; see ``results.result_of``.
    claims : sequence of str
        Their names.
    """
    titles = with_outcomes([PairTitle(**pair) for pair in pairs], scores, scored)
    figure, numbers = layers_by_layers([read_table(path) for path in tables], titles, measure)
    save_figure(figure, numbers, pdf, png, csv, result_of(ledger, claims))


if __name__ == "__main__":
    run(draw_layer_matrices, snakemake)
