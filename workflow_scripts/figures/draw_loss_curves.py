"""Draw the training loss over steps, from scratch and fine-tuned."""

from collections.abc import Sequence
from pathlib import Path

from workflow_scripts.common.tables import read_json, read_table
from workflow_scripts.common.titles import TaskTitle
from workflow_scripts.figures.curves import learning_curves
from workflow_scripts.figures.outcomes import with_outcomes
from workflow_scripts.figures.results import result_of
from workflow_scripts.figures.save import save_figure
from workflow_scripts.rebuilds.step import run


def draw_loss_curves(
    histories: list[Path],
    cards: list[Path],
    pdf: Path,
    png: Path,
    csv: Path,
    tasks: list[dict],
    starts: list[str],
    runs: list[dict],
    smoothing: float = 0.25,
    note: str = "",
    scores: Sequence[Path] = (),
    scored: Sequence[dict] = (),
    ledger: Path | None = None,
    claims: Sequence[str] = (),
) -> None:
    """Write a figure of training losses and its numbers; see ``curves.learning_curves``.

    Parameters
    ----------
    histories : list of Path
        ``history.parquet`` of the ``runs``, in the same order.
    cards : list of Path
        ``card.json`` of all tasks.
    pdf, png, csv : Path
        Files to write.
    tasks : list of dict
        Fields of a ``TaskTitle`` each, in the order of the panels.
    starts : list of str
        What to show, in this order.
    runs : list of dict
        ``task`` and ``start`` of each history.
    smoothing : float
        Width of the moving average, epochs.
    note : str
        What differs between the recipes of the two starts.
    scores : sequence of Path
        ``scores.parquet`` of the runs shown; see ``outcomes.with_outcomes``.
    scored : sequence of dict
        Which run each of them is.
    ledger : Path, optional
        Ledger of the claims that the figure is about; see ``results.result_of``.
    claims : sequence of str
        Their names.
    """
    tables = {
        (which["task"], which["start"]): read_table(path)
        for which, path in zip(runs, histories, strict=True)
    }
    labels = {card["name"]: len(card["labels"]) for card in map(read_json, cards)}
    titles = with_outcomes([TaskTitle(**task) for task in tasks], scores, scored)
    figure, numbers = learning_curves(tables, labels, titles, starts, smoothing, note)
    save_figure(figure, numbers, pdf, png, csv, result_of(ledger, claims))


if __name__ == "__main__":
    run(draw_loss_curves, snakemake)
