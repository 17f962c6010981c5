"""What the runs say about the claims that a figure is about, as a line below it."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from workflow_scripts.common.tables import read_table
from workflow_scripts.figures.layout import EDGE, height_of, wrap
from workflow_scripts.figures.style import SMALL
from workflow_scripts.report.ledger import verdict_line


def result_of(ledger: Path | None, claims: Sequence[str]) -> str:
    """A sentence for each claim, with its verdict and the number of runs; empty without a ledger.

    Parameters
    ----------
    ledger : Path or None
        Table of ``report.ledger.ledger_table``.
    claims : sequence of str
        Names of claims; those that the ledger lacks are left out.
    """
    if ledger is None:
        return ""
    table = read_table(ledger)
    sentences = []
    for claim in claims:
        rows = table[table["claim"] == claim]
        if len(rows):
            sentences.append(f"{rows['text'].iloc[0]}: {verdict_line(rows)}")
    return "\n".join(sentences)


def add_result(figure: Figure, result: str) -> None:
    """Make a figure taller and write a text below everything that it shows.

    Parameters
    ----------
    figure : Figure
        Complete; its sizes in inches stay what they are.
    result : str
        Line breaks in it are kept; with an empty text the figure stays as it is.
    """
    if not result:
        return
    if figure.get_layout_engine() is not None:
        # What it has laid out stays where it is.
        figure.draw_without_rendering()
        figure.set_layout_engine("none")
    width, height = figure.get_size_inches()
    lines = wrap(result, width - 4 * EDGE, bold=True)
    more = height_of(len(lines)) + 2 * EDGE
    share = height / (height + more)
    anchors = [
        legend.get_bbox_to_anchor().transformed(figure.transFigure.inverted())
        for legend in figure.legends
    ]
    figure.set_size_inches(width, height + more)
    for axes in figure.axes:
        left, bottom, wide, high = axes.get_position().bounds
        axes.set_position((left, 1 - share * (1 - bottom), wide, share * high))
    for rule in (artist for artist in figure.artists if isinstance(artist, Line2D)):
        rule.set_ydata(1 - share * (1 - np.asarray(rule.get_ydata())))
    for text in figure.texts:
        text.set_y(1 - share * (1 - text.get_position()[1]))
    for legend, anchor in zip(figure.legends, anchors, strict=True):
        place = anchor.x0, 1 - share * (1 - anchor.y0), anchor.width, share * anchor.height
        legend.set_bbox_to_anchor(place, transform=figure.transFigure)
    y = (more - EDGE) / (height + more)
    for line in lines:
        figure.text(0.5, y, line, ha="center", va="top", size=SMALL, weight="bold", color="#333333")
        y -= height_of(1) / (height + more)
