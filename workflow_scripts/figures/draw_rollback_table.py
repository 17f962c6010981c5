"""Draw the table of accuracies with layer groups rolled back."""

from collections.abc import Sequence
from pathlib import Path

from workflow_scripts.common.tables import read_table, write_text
from workflow_scripts.common.titles import TaskTitle
from workflow_scripts.figures.outcomes import majority_note, outcome_note, with_outcomes
from workflow_scripts.figures.results import result_of
from workflow_scripts.figures.save import save_figure
from workflow_scripts.figures.tables import markdown, rollback_table, table_figure
from workflow_scripts.rebuilds.step import run


def draw_rollback_table(
    tables: list[Path],
    pdf: Path,
    png: Path,
    csv: Path,
    md: Path,
    tasks: list[dict],
    groups: list[str],
    paper: dict | None = None,
    scores: Sequence[Path] = (),
    scored: Sequence[dict] = (),
    ledger: Path | None = None,
    claims: Sequence[str] = (),
) -> None:
    """Write the table as figure, numbers and Markdown; see ``tables.rollback_table``.

    Parameters
    ----------
    tables : list of Path
        Rollback tables, in the order of ``tasks``.
    pdf, png, csv, md : Path
        Files to write.
    tasks : list of dict
        Fields of a ``TaskTitle`` each, in the order of the rows.
    groups : list of str
        Layer groups, in the order of the columns.
    paper : dict, optional
        The paper's accuracies by task.
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
    numbers = rollback_table([read_table(path) for path in tables], titles, groups, paper)
    notes = [note for note in (majority_note(titles), outcome_note(titles).strip()) if note]
    save_figure(table_figure(numbers, notes), numbers, pdf, png, csv, result_of(ledger, claims))
    write_text(markdown(numbers, notes), md)


if __name__ == "__main__":
    run(draw_rollback_table, snakemake)
