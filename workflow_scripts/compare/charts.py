"""Charts of the comparison as SVG: one panel each, with the colours of the experiments."""

import io
import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from workflow_scripts.compare.experiments import Curve
from workflow_scripts.figures import style

# The page's text colour, which differs between light and dark.
_INK = "#010203"
_STYLE = {
    "svg.fonttype": "none",
    **dict.fromkeys(
        ("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color"), _INK
    ),
}


def css_colour(place: int) -> str:
    """Colour of an experiment by its place: one of the style of the atlas, light and dark."""
    return f"var(--c{place % len(style.CURVE_COLOURS)})"


def _colour(place: int) -> str:
    """Placeholder of ``css_colour`` while matplotlib draws."""
    return f"#01{place % len(style.CURVE_COLOURS):02x}ff"


@style.paper_style()
def panel(curve: Curve, tables: Mapping[int, pd.DataFrame], ident: str) -> str:
    """One panel of a curve.

    Parameters
    ----------
    curve : Curve
        What is drawn.
    tables : mapping of int to DataFrame
        Rows of the panel, by the place of the experiment.
    ident : str
        Unique on the page: ids within the SVG begin with it.

    Returns
    -------
    str
        An ``svg`` element. Lines are means over runs; the band covers all of them.
    """
    with rc_context({**_STYLE, "svg.hashsalt": ident}):
        figure = Figure(figsize=(3.2, 2.2), layout="constrained")
        axes = figure.subplots()
        rows = pd.concat(tables.values())
        named = not pd.api.types.is_numeric_dtype(rows["x"])
        names = list(dict.fromkeys(rows["x"])) if named else []
        for order, (place, table) in enumerate(tables.items()):
            shift = 0.16 * (order - (len(tables) - 1) / 2) if named else 0.0
            for series, of_series in table.groupby("series", sort=False):
                means = of_series.groupby("x", sort=False)["y"].agg(["mean", "min", "max"])
                x = np.array([names.index(n) for n in means.index] if named else means.index, float)
                _draw(axes, x + shift, means, named, place, series)
        if named:
            axes.set_xticks(range(len(names)), names)
            axes.set_xlim(-0.5, len(names) - 0.5)
        else:
            axes.xaxis.set_major_locator(
                MaxNLocator(6, integer=pd.api.types.is_integer_dtype(rows["x"]))
            )
        if curve.log and (rows["y"] > 0).all():
            axes.set_yscale("log")
        axes.set_xlabel(curve.x)
        axes.set_ylabel(curve.y)
        axes.grid(color="#80808040", linewidth=0.4)
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
        text = io.StringIO()
        FigureCanvasSVG(figure).print_svg(text, metadata={"Date": None, "Creator": None})
    return _for_page(text.getvalue(), ident)


def _draw(axes: Any, x: np.ndarray, y: pd.DataFrame, named: bool, place: int, series: str) -> None:
    """One line, or points where the horizontal axis has names."""
    own = {"color": _colour(place), "marker": style.curve_look(place)["marker"]}
    dashes = style.START_DASH.get(series, "solid")
    hollow = {"markerfacecolor": "none"} if series == "scratch" else {}
    kind = {"linestyle": "none"} if named else {"linestyle": dashes, "linewidth": 1.2}
    every = max(1, len(x) // 8)
    axes.plot(x, y["mean"], **own, **kind, **hollow, markersize=3.5, markevery=every)
    if named:
        axes.vlines(x, y["min"], y["max"], color=own["color"], linewidth=1.0)
    else:
        axes.fill_between(x, y["min"], y["max"], color=own["color"], alpha=0.15, linewidth=0)


def _for_page(svg: str, ident: str) -> str:
    """An SVG within a page: unique ids, the page's colour of text, no prolog."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'\bid="', f'id="{ident}-', svg)
    svg = svg.replace('href="#', f'href="#{ident}-').replace("url(#", f"url(#{ident}-")
    for place in range(len(style.CURVE_COLOURS)):
        svg = svg.replace(_colour(place), css_colour(place))
    return svg.replace(_INK, "currentColor").strip()
