"""Writing figures and their numbers: each file whole or not at all, the same bytes each time."""

from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from workflow_scripts.common.tables import atomic, write_text
from workflow_scripts.figures.results import add_result
from workflow_scripts.figures.style import STYLE, paper_style


@paper_style()
def save_figure(
    figure: Figure, numbers: pd.DataFrame, pdf: Path, png: Path, csv: Path, result: str = ""
) -> None:
    """Write a figure as vector and as raster file, and the numbers that it shows.

    Parameters
    ----------
    figure : Figure
        Written without a date, so that the same figure gives the same bytes.
    numbers : DataFrame
        Written with all digits and without the index; a missing number as NaN.
    pdf, png, csv : Path
        Files to write; the raster has 200 dots per inch.
    result : str
        What the runs say about the figure's claims; written below it.
    """
    add_result(figure, result)
    with atomic(pdf) as draft:
        figure.savefig(draft, format="pdf", metadata={"CreationDate": None})
    with atomic(png) as draft:
        figure.savefig(draft, format="png", dpi=STYLE["savefig.dpi"], metadata={"Software": None})
    write_text(numbers.to_csv(index=False, na_rep="NaN", lineterminator="\n"), csv)
