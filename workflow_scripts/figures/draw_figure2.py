"""Draw the training loss over steps, from scratch and fine-tuned."""

from pathlib import Path

from workflow_scripts.common.tables import read_json, read_table
from workflow_scripts.figures.curves import learning_curves
from workflow_scripts.figures.save import save_figure, save_numbers
from workflow_scripts.figures.style import paper_style
from workflow_scripts.rebuilds.step import run


def draw_figure2(
    histories: list[Path],
    cards: list[Path],
    pdf: Path,
    png: Path,
    csv: Path,
    tasks: list[dict],
    starts: list[str],
    runs: list[dict],
    smoothing: float = 0.25,
) -> None:
    """Write figure 2 (``pdf``, ``png``) and its numbers (``csv``).

    ``histories`` : ``history.parquet`` of the ``runs`` (``task`` and ``start`` each), in the same
    order; ``cards`` : of all tasks. See ``curves.learning_curves`` for the rest.
    """
    tables = {
        (which["task"], which["start"]): read_table(path)
        for which, path in zip(runs, histories, strict=True)
    }
    labels = {card["name"]: len(card["labels"]) for card in map(read_json, cards)}
    with paper_style():
        figure, numbers = learning_curves(tables, labels, tasks, starts, smoothing)
    save_figure(figure, pdf, png)
    save_numbers(numbers, csv)


if __name__ == "__main__":
    run(draw_figure2, snakemake)
