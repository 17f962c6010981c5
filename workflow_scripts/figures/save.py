"""Writing figures and the numbers behind them: whole or not at all, the same bytes each time."""

from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from workflow_scripts.common.tables import atomic, write_text
from workflow_scripts.figures.style import STYLE, paper_style


def save_figure(figure: Figure, pdf: Path, png: Path) -> None:
    """Write ``figure`` as vector and as raster file (200 dots per inch), both without a date.

    Each appears whole or not at all. The same figure gives the same bytes.
    """
    with paper_style():
        with atomic(pdf) as draft:
            figure.savefig(draft, format="pdf", metadata={"CreationDate": None})
        with atomic(png) as draft:
            figure.savefig(
                draft, format="png", dpi=STYLE["savefig.dpi"], metadata={"Software": None}
            )


def save_numbers(numbers: pd.DataFrame, csv: Path) -> None:
    """Write the numbers behind a figure; a missing one is written as NaN, digits are kept.

    The index is not written.
    """
    write_text(numbers.to_csv(index=False, na_rep="NaN", lineterminator="\n"), csv)
