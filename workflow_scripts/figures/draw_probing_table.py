"""Draw the table of probes, clusters and geometry before and after fine-tuning."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from workflow_scripts.common.tables import read_json, read_table, write_text
from workflow_scripts.common.titles import TaskTitle
from workflow_scripts.figures.outcomes import majority_note, run_note, with_outcomes
from workflow_scripts.figures.probing import HEADS, table_cells, table_rows
from workflow_scripts.figures.results import result_of
from workflow_scripts.figures.save import save_figure
from workflow_scripts.figures.tables import drawn_table, markdown_table
from workflow_scripts.rebuilds.step import run


def draw_probing_table(
    clusters: list[Path],
    controls: list[Path],
    probes: list[Path],
    distances: list[Path],
    abouts: list[Path],
    similarity: Path,
    card: Path,
    pdf: Path,
    png: Path,
    csv: Path,
    md: Path,
    tasks: list[dict],
    probed: list[dict[str, str]],
    paper: dict[str, Any] | None = None,
    scores: Sequence[Path] = (),
    scored: Sequence[dict] = (),
    ledger: Path | None = None,
    claims: Sequence[str] = (),
) -> None:
    """Write the table as figure, numbers and Markdown; see ``probing.table_rows``.

    Parameters
    ----------
    clusters, controls, probes, distances, abouts : list of Path
        Files of the runs that ``probed`` names, in their order.
    similarity : Path
        Of ``compare_geometry``.
    card : Path
        The model's.
    pdf, png, csv, md : Path
        Files to write.
    tasks : list of dict
        Fields of a ``TaskTitle`` each, in the order of the rows.
    probed : list of dict
        ``task`` and ``seeds`` of each run; the first one of a task is drawn.
    paper : dict, optional
        The paper's values by model and task.
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
    by_name = {title.name: title for title in titles}
    printed = (paper or {}).get(read_json(card)["name"], {})
    both = read_table(similarity)
    numbers = pd.concat(
        [
            table_rows(
                by_name[one["task"]],
                one["seeds"],
                read_json(about),
                *(read_table(path) for path in files),
                both,
                printed.get(one["task"]),
            )
            for one, about, *files in zip(
                probed, abouts, clusters, controls, probes, distances, strict=True
            )
        ],
        ignore_index=True,
    )
    firsts = numbers.drop_duplicates(["task", "state"])
    body, notes = table_cells(firsts, titles)
    notes += [note for note in (majority_note(titles), run_note(titles).strip()) if note]
    save_figure(
        drawn_table(list(HEADS), body, notes), numbers, pdf, png, csv, result_of(ledger, claims)
    )
    write_text(markdown_table(list(HEADS), body, notes), md)


if __name__ == "__main__":
    run(draw_probing_table, snakemake)
