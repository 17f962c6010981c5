"""How every figure looks: fonts, colours, marks and sizes in print.

Widths are those of a two-column page (ACL): a figure is drawn at its final size, so a font of
7 pt here is 7 pt on paper. The font is the one that comes with matplotlib, so that a figure
has the same bytes on every machine.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import matplotlib
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

DOUBLE = 6.3  # inches, both columns of a page
SMALL, MEDIUM, LARGE = 7.0, 7.5, 8.5  # points

# Okabe and Ito's colours: distinct for colour-blind readers, and by their dashes in greyscale.
BLUE, VERMILLION, GREY = "#0072B2", "#D55E00", "#5A5A5A"
START_COLOUR = {"pretrained": BLUE, "scratch": VERMILLION}
START_DASH = {"pretrained": "solid", "scratch": (0, (3.2, 1.4))}
START_TITLE = {"pretrained": "Fine-tuned", "scratch": "From scratch"}
# Curves of one panel: each has its own colour, dash and marker. Okabe and Ito's yellow is left
# out, because it is hard to see on white.
CURVE_COLOURS = (BLUE, VERMILLION, "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "black", GREY)
CURVE_DASHES = ("solid", (0, (4, 1.4)), (0, (1.2, 1.2)), (0, (5, 1.3, 1.2, 1.3)))
CURVE_MARKERS = ("o", "s", "^", "D", "v", "P", "p", ">")

LOSS_MAP, ERROR_MAP = "viridis", "cividis"  # dark is low in both
# Darker is more similar in all three: a small divergence or distance, a large similarity.
DIVERGENCE_MAP, DISTANCE_MAP, SIMILARITY_MAP = "magma", "viridis", "viridis_r"
MISSING_FACE, MISSING_EDGE = "#E8E8E8", "#8A8A8A"

STYLE = {
    "font.family": "DejaVu Sans",
    "font.size": SMALL,
    "axes.titlesize": LARGE,
    "axes.titlepad": 4,
    "axes.labelsize": MEDIUM,
    "axes.labelpad": 2.5,
    "axes.linewidth": 0.6,
    "xtick.labelsize": SMALL,
    "ytick.labelsize": SMALL,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.pad": 2,
    "ytick.major.pad": 2,
    "legend.fontsize": SMALL,
    "legend.frameon": False,
    "hatch.linewidth": 0.5,
    "lines.linewidth": 1.3,
    "pdf.fonttype": 42,  # TrueType: text stays text
    "savefig.dpi": 200,
    "figure.dpi": 100,
}


@contextmanager
def paper_style() -> Iterator[None]:
    """Matplotlib with this project's settings, not the user's; a context or a decorator."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(STYLE)
        yield


def dot() -> dict:
    """Keyword arguments of the dot: start of a run, or the fine-tuned point of a group surface."""
    return {
        "marker": "o",
        "markersize": 5.5,
        "markerfacecolor": "black",
        "markeredgecolor": "white",
        "markeredgewidth": 0.9,
        "linestyle": "none",
        "zorder": 8,
    }


def star() -> dict:
    """Keyword arguments of the star: end of a run, or the point rolled back."""
    return {
        **dot(),
        "marker": "*",
        "markersize": 9.5,
        "markerfacecolor": VERMILLION,
        "markeredgewidth": 0.8,
    }


def dot_key(label: str) -> Line2D:
    """Key of the dot, for a legend."""
    return Line2D([], [], label=label, **dot())


def star_key(label: str) -> Line2D:
    """Key of the star, for a legend."""
    return Line2D([], [], label=label, **star())


# Chance: black dashes on a white line, legible on every colour.
CHANCE_DASH = (0, (3, 1.8))
CHANCE_WIDTH, CHANCE_EDGE = 1.0, 2.2


def chance_key(label: str) -> Line2D:
    """Key of the dashed line at chance, for a legend."""
    return Line2D([], [], color="black", linewidth=CHANCE_WIDTH, linestyle=CHANCE_DASH, label=label)


def missing_key(label: str = "no finite value") -> Patch:
    """Key of the hatching where values are not finite, for a legend."""
    return Patch(
        facecolor=MISSING_FACE, edgecolor=MISSING_EDGE, hatch="/////", linewidth=0, label=label
    )


def lost_key(label: str) -> Line2D:
    """Key of the crosses that mark values that are not finite, for a legend."""
    return Line2D([], [], color="black", marker="x", markersize=4, linestyle="none", label=label)


def point(size: float = 1.6) -> dict:
    """Look of a point of a surface that was evaluated, as keyword arguments of ``plot``."""
    return {
        "linestyle": "none",
        "marker": "o",
        "markersize": size,
        "markerfacecolor": "white",
        "markeredgecolor": "black",
        "markeredgewidth": 0.25,
    }


def point_key(label: str) -> Line2D:
    """Key of the evaluated points, for a legend."""
    return Line2D([], [], label=label, **point())


def curve_look(index: int) -> dict:
    """Colour, dash and marker of one of several curves in a panel, as keyword arguments.

    ``index`` counts the curves from 0; the first 32 all look different.
    """
    return {
        "color": CURVE_COLOURS[index % len(CURVE_COLOURS)],
        "linestyle": CURVE_DASHES[(index + index // len(CURVE_COLOURS)) % len(CURVE_DASHES)],
        "marker": CURVE_MARKERS[index % len(CURVE_MARKERS)],
    }
