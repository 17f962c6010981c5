"""Draw the table of accuracies with layer groups rolled back."""

from pathlib import Path

from workflow_scripts.common.tables import read_table, write_text
from workflow_scripts.figures.save import save_figure, save_numbers
from workflow_scripts.figures.style import paper_style
from workflow_scripts.figures.tables import markdown, rollback_table, table_figure
from workflow_scripts.rebuilds.step import run


def draw_table1(
    tables: list[Path],
    pdf: Path,
    png: Path,
    csv: Path,
    md: Path,
    tasks: list[dict],
    groups: list[str],
    paper: dict | None = None,
) -> None:
    """Write table 1 as a figure (``pdf``, ``png``), as numbers (``csv``) and as text (``md``).

    ``tables`` : rollback tables, in the order of ``tasks``. See ``tables.rollback_table`` for the
    rest.
    """
    numbers = rollback_table([read_table(path) for path in tables], tasks, groups, paper)
    with paper_style():
        figure = table_figure(numbers)
    save_figure(figure, pdf, png)
    save_numbers(numbers, csv)
    write_text(markdown(numbers), md)


if __name__ == "__main__":
    run(draw_table1, snakemake)
