"""Draw the table of accuracies with layer groups rolled back."""

from pathlib import Path

from workflow_scripts.common.tables import read_table, write_text
from workflow_scripts.common.titles import TaskTitle
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
    """
    titles = [TaskTitle(**task) for task in tasks]
    numbers = rollback_table([read_table(path) for path in tables], titles, groups, paper)
    save_figure(table_figure(numbers), numbers, pdf, png, csv)
    write_text(markdown(numbers), md)


if __name__ == "__main__":
    run(draw_rollback_table, snakemake)
