"""Panels, keys and captions laid out in inches, so that nothing overlaps or is cut off."""

from dataclasses import dataclass
from functools import lru_cache
from math import ceil

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import text_to_path

from workflow_scripts.figures.style import DOUBLE, LARGE, SMALL

EDGE = 0.06  # inches kept free around everything
LINE = 1.28  # line height over font size
KEY = 0.42  # inches of a key's mark and the space after its label


@lru_cache(maxsize=4096)
def text_width(text: str, size: float = SMALL, bold: bool = False) -> float:
    """Width of a line of text, inches, for a font size in points."""
    if not text:
        return 0.0
    font = FontProperties(family="DejaVu Sans", weight="bold" if bold else "normal", size=size)
    return text_to_path.get_text_width_height_descent(text, font, ismath=False)[0] / 72


def balanced(text: str, width: float) -> list[str]:
    """Lines of a caption that fit ``width`` inches, as few as possible and about equally long."""
    best = wrap(text, width)
    for share in np.arange(0.97, 0.5, -0.03):
        lines = wrap(text, share * width)
        if len(lines) > len(best):
            break
        best = lines
    return best


def wrap(text: str, width: float, size: float = SMALL, bold: bool = False) -> list[str]:
    """Break a text into lines; line breaks in it are kept.

    Parameters
    ----------
    text : str
        To break.
    width : float
        Of a line, inches; a longer word is cut with an ellipsis.
    size : float
        Of the font, points.
    bold : bool
        Whether the font is bold.

    Returns
    -------
    list of str
    """
    lines: list[str] = []
    for paragraph in text.split("\n"):
        line = ""
        for word in paragraph.split():
            longer = f"{line} {word}".strip()
            if not line or text_width(longer, size, bold) <= width:
                line = longer
            else:
                lines.append(line)
                line = word
        lines.append(line)
    return [_cut(line, width, size, bold) for line in lines]


def _cut(line: str, width: float, size: float, bold: bool) -> str:
    if text_width(line, size, bold) <= width:
        return line
    while line and text_width(f"{line}…", size, bold) > width:
        line = line[:-1]
    return f"{line}…"


def height_of(lines: int, size: float = SMALL) -> float:
    """Height of lines of text, inches, for a font size in points."""
    return lines * size * LINE / 72


@dataclass(frozen=True)
class Footer:
    """Keys and a caption below the panels.

    Attributes
    ----------
    keys : list of Artist
        With labels.
    caption : str
        Line breaks in it are kept.
    """

    keys: list[Artist]
    caption: str

    def rows(self, width: float) -> list[list[Artist]]:
        """Keys in as few rows as fit ``width`` inches, about equally long."""
        best = self._rows(width)
        for share in np.arange(0.95, 0.4, -0.05):
            rows = self._rows(share * width)
            if len(rows) > len(best):
                break
            best = rows
        return best

    def _rows(self, width: float) -> list[list[Artist]]:
        rows: list[list[Artist]] = []
        used = 0.0
        for key in self.keys:
            need = KEY + text_width(key.get_label()) + 0.12
            if not rows or used + need > width:
                rows.append([])
                used = 0.0
            rows[-1].append(key)
            used += need
        return rows

    def lines(self, width: float) -> list[str]:
        """Lines of the caption in ``width`` inches."""
        return [line for part in self.caption.split("\n") if part for line in balanced(part, width)]

    def height(self, width: float) -> float:
        """Height of the footer of a sheet ``width`` inches wide, inches."""
        inner = width - 2 * EDGE
        return 0.17 * len(self.rows(inner)) + height_of(len(self.lines(inner))) + 0.04 + EDGE

    def draw(self, figure: Figure) -> None:
        """Draw the keys and the caption, centred, at the foot of ``figure``."""
        width, height = figure.get_size_inches()
        inner = width - 2 * EDGE
        y = self.height(width) - 0.02
        for row in self.rows(inner):
            figure.legend(
                handles=row,
                loc="upper center",
                bbox_to_anchor=(0.5, y / height),
                ncols=len(row),
                borderaxespad=0,
                borderpad=0,
                handlelength=1.8,
                handletextpad=0.5,
                columnspacing=1.4,
            )
            y -= 0.17
        for line in self.lines(inner):
            figure.text(0.5, y / height, line, ha="center", va="top", color="#333333")
            y -= height_of(1)


@dataclass(frozen=True)
class Sheet:
    """A figure with its panels.

    Attributes
    ----------
    figure : Figure
    panels : list of list of (Axes or None)
        By row and column.
    bar : Axes or None
        For a colour bar.
    """

    figure: Figure
    panels: list[list[Axes | None]]
    bar: Axes | None


def width_of_panels(
    columns: int,
    left: float = 0.6,
    right: float = EDGE,
    bar: float = 0.0,
    gap: float = 0.12,
    widest: float = 2.0,
) -> float:
    """Width in inches that ``sheet`` gives each panel; the arguments are its own."""
    return min(widest, (DOUBLE - left - max(bar, right) - gap * (columns - 1)) / columns)


def sheet(
    columns: int,
    heads: list[float],
    feet: list[float],
    footer: Footer,
    *,
    aspect: float = 1.0,
    left: float = 0.6,
    right: float = EDGE,
    bar: float = 0.0,
    gap: float = 0.12,
    widest: float = 2.0,
    narrowest: float = 0.0,
    present: list[list[bool]] | None = None,
) -> Sheet:
    """Lay out rows of equal panels, a column for a colour bar, keys and a caption.

    Parameters
    ----------
    columns : int
        Panels side by side.
    heads, feet : list of float
        Room above and below the panels of each row, for titles and tick labels, inches.
    footer : Footer
        Keys and caption.
    aspect : float
        Height of a panel over its width.
    left, right, gap : float
        Room left of the first panel, right of the last, and between panels, inches.
    bar : float
        Room right of the last panel for a colour bar, inches; 0 for none.
    widest : float
        Largest width of a panel, inches; a sheet with few panels is narrower.
    narrowest : float
        Smallest width of the whole sheet, inches.
    present : list of list of bool, optional
        Which panels exist, by row and column.

    Returns
    -------
    Sheet
    """
    width = width_of_panels(columns, left, right, bar, gap, widest)
    needed = left + max(bar, right) + gap * (columns - 1) + width * columns
    full = max(needed, narrowest)
    left += (full - needed) / 2
    rows = len(heads)
    panel = width * aspect
    total = sum(heads) + sum(feet) + rows * panel + footer.height(full)
    figure = Figure(figsize=(full, total))
    FigureCanvasAgg(figure)
    panels: list[list[Axes | None]] = []
    y = total
    for row in range(rows):
        y -= heads[row] + panel
        panels.append(
            [
                figure.add_axes(
                    (
                        (left + column * (width + gap)) / full,
                        y / total,
                        width / full,
                        panel / total,
                    )
                )
                if present is None or present[row][column]
                else None
                for column in range(columns)
            ]
        )
        y -= feet[row]
    axes = None
    if bar:
        bottom, top = footer.height(full) + feet[-1], total - heads[0]
        x = left + columns * width + (columns - 1) * gap + 0.36
        axes = figure.add_axes((x / full, bottom / total, 0.1 / full, (top - bottom) / total))
    footer.draw(figure)
    return Sheet(figure, panels, axes)


def blocks_of(count: int, most: int = 4) -> tuple[int, int]:
    """Number of blocks and of columns in which ``count`` tasks are laid out evenly."""
    blocks = ceil(count / most)
    return blocks, ceil(count / blocks)


def broken_titles(titles: list[str], width: float) -> list[list[str]]:
    """Titles, each as lines that fit a panel ``width`` inches wide."""
    return [wrap(title, width, LARGE) for title in titles]


def head_height(titles: list[list[str]]) -> float:
    """Room for titles above their panels, inches."""
    return height_of(max(len(lines) for lines in titles), LARGE) + 0.09


def head_heights(titles: list[list[str]], columns: int) -> list[float]:
    """Room for titles above each block of ``columns`` panels, inches."""
    return [
        head_height(titles[first : first + columns]) for first in range(0, len(titles), columns)
    ]


def set_title(axes: Axes, lines: list[str]) -> None:
    """Title above a panel; last lines of titles side by side are level, brackets are smaller."""
    for index, line in enumerate(reversed(lines)):
        axes.annotate(
            line,
            (0.5, 1),
            xycoords="axes fraction",
            xytext=(0, 4 + index * LARGE * LINE),
            textcoords="offset points",
            ha="center",
            va="baseline",
            fontsize=SMALL if line.startswith("(") else LARGE,
            annotation_clip=False,
        )


def row_margin(titles: list[list[str]], ticks: str) -> float:
    """Room left of the panels for row titles, the axis label and tick labels, inches.

    ``ticks`` is the longest tick label.
    """
    return EDGE + _beside(ticks) + height_of(max(len(lines) for lines in titles), LARGE)


def set_row_title(axes: Axes, lines: list[str], ticks: str) -> None:
    """Vertical title of a row of panels, left of its first panel's axis label.

    ``ticks`` is the longest tick label, as for ``row_margin``.
    """
    for index, line in enumerate(reversed(lines)):
        axes.annotate(
            line,
            (0, 0.5),
            xycoords="axes fraction",
            xytext=(-72 * _beside(ticks) - index * LARGE * LINE, 0),
            textcoords="offset points",
            rotation=90,
            rotation_mode="anchor",
            ha="center",
            va="baseline",
            fontsize=SMALL if line.startswith("(") else LARGE,
            annotation_clip=False,
        )


def _beside(ticks: str) -> float:
    """Room left of a panel for ticks, tick labels and the axis label, inches."""
    return text_width(ticks) + 0.31
