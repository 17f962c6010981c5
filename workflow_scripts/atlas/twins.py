"""Flat maps of surfaces as SVG, and what the page's script draws the same surfaces from."""

import base64
import io
from collections.abc import Iterable, Mapping
from html import escape
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
from contourpy import LineType, contour_generator
from matplotlib.colors import AsinhNorm, Normalize, to_hex
from PIL import Image

from workflow_scripts.figures import scales, style
from workflow_scripts.figures.inputs import Surface, interpolation_note, precision_note
from workflow_scripts.figures.maps import ERROR, LOSS, Quantity, line_colour

TRAIN_ERROR = Quantity(
    "train_error", style.ERROR_MAP, "training error (%)", 0.012, ERROR.text, ERROR.difference
)
QUANTITIES = (LOSS, TRAIN_ERROR, ERROR)
LEFT, TOP, SIDE = 46, 8, 300  # of the square that a map fills, in the units of the drawing
WIDTH, HEIGHT = 424, 350
STOPS = 24  # colours that a colour scale is given by
ANCHORS = {
    "start": "start θ₀",
    "end": "end θ₁",
    "fine_tuned": "fine-tuned θ₁",
    "rollback": "group rolled back",
}


def shared_scales(surfaces: Iterable[Surface]) -> dict[str, Normalize]:
    """A colour scale for each quantity that fits all surfaces, by its column."""
    surfaces = list(surfaces)
    return {
        quantity.column: (scales.loss_scale if quantity is LOSS else scales.error_scale)(
            [surface.grid(quantity.column)[2] for surface in surfaces]
        )
        for quantity in QUANTITIES
    }


def ticks_of(quantity: Quantity, scale: Normalize) -> dict[float, str]:
    """Values that a colour bar names, with their text."""
    if quantity is LOSS:
        return {v: f"{v:g}" for v in (0.0, *scales.loss_lines(scale), float(scale.vmax))}
    return {v: f"{100 * v:.0f}" for v in scales.tenth_ticks(scale)}


def scale_record(quantity: Quantity, scale: Normalize) -> dict[str, Any]:
    """A colour scale as the page's script takes it.

    Parameters
    ----------
    quantity : Quantity
        What the colours show.
    scale : Normalize
        Its scale, from 0.
    """
    colours = matplotlib.colormaps[quantity.colours]
    return {
        "label": quantity.label,
        "top": float(scale.vmax),
        "linear": scale.linear_width if isinstance(scale, AsinhNorm) else None,
        "ticks": [[value, text] for value, text in ticks_of(quantity, scale).items()],
        "colours": [to_hex(colours(step)) for step in np.linspace(0, 1, STOPS)],
    }


def surface_record(
    surface: Surface, which: Mapping[str, Any], trajectories: Mapping[str, pd.DataFrame]
) -> dict[str, Any]:
    """A surface as the page's script takes it, numbers with five digits.

    Parameters
    ----------
    surface : Surface
        A plane, or the plane of a layer group.
    which : mapping
        ``name``, ``task``, ``start`` and ``group``, or None for the whole encoder.
    trajectories : mapping of str to DataFrame
        Those projected on it, by the name of the run.
    """
    alpha, beta, _ = surface.grid(LOSS.column)
    points = surface.points[surface.points["anchor"].isin(ANCHORS)]
    columns = [quantity.column for quantity in QUANTITIES]
    return {
        **which,
        "group": which["group"] or "whole encoder",
        "alpha": _five(alpha),
        "beta": _five(beta),
        "chance": _five([surface.chance])[0],
        **{column: _five(surface.grid(column)[2].ravel()) for column in columns},
        "notes": {
            one.column: (interpolation_note([surface], one) + precision_note([surface])).strip()
            for one in QUANTITIES
        },
        "anchors": [
            {
                "name": ANCHORS[row["anchor"]],
                "end": row["anchor"] in ("end", "rollback"),
                **{key: _five([row[key]])[0] for key in ("alpha", "beta", *columns)},
            }
            for _, row in points.iterrows()
        ],
        "trajectories": [
            {
                "run": run,
                "epoch": [int(epoch) for epoch in table["epoch"]],
                "alpha": _five(table["ls_alpha"]),
                "beta": _five(table["ls_beta"]),
                "train_loss": _five(table["plane_train_loss"]),
                "dev_error": _five(table["plane_dev_error"]),
                "true_train_loss": _five(table["true_train_loss"]),
            }
            for run, table in trajectories.items()
        ],
    }


def _five(values: Iterable[float]) -> list[float | None]:
    """Five significant digits; None where a value is not finite."""
    return [float(f"{v:.5g}") if np.isfinite(v) else None for v in values]


def twin(
    surface: Surface,
    quantity: Quantity,
    scale: Normalize,
    trajectories: Mapping[str, pd.DataFrame],
    title: str,
) -> str:
    """A map of a surface as SVG; its clip path and hatching are those of the page.

    Parameters
    ----------
    surface : Surface
        What it shows.
    quantity : Quantity
        Of its points.
    scale : Normalize
        Of the colours.
    trajectories : mapping of str to DataFrame
        Those projected on it, by the name of the run.
    title : str
        What a screen reader says.
    """
    alpha, beta, values = surface.grid(quantity.column)

    def x(a: Any) -> Any:
        return LEFT + SIDE * (np.asarray(a) - alpha[0]) / (alpha[-1] - alpha[0])

    def y(b: Any) -> Any:
        return TOP + SIDE * (beta[-1] - np.asarray(b)) / (beta[-1] - beta[0])

    wide, high = SIDE / (len(alpha) - 1), SIDE / (len(beta) - 1)
    parts = [
        f'<image x="{LEFT - wide / 2:.1f}" y="{TOP - high / 2:.1f}" width="{SIDE + wide:.1f}" '
        f'height="{SIDE + high:.1f}" preserveAspectRatio="none" '
        f'href="{_picture(values[::-1], quantity, scale)}"/>'
    ]
    for row, column in np.argwhere(~np.isfinite(values)):
        left, top = x(alpha[column]) - wide / 2, y(beta[row]) - high / 2
        parts.append(
            f'<rect class="missing" x="{left:.1f}" y="{top:.1f}" width="{wide:.1f}" '
            f'height="{high:.1f}" fill="url(#hatch)"/>'
        )
    parts += _contours(x(alpha), y(beta), values, quantity, scale, surface.chance)
    for table in trajectories.values():
        places = " ".join(
            f"{a:.1f},{b:.1f}"
            for a, b in zip(x(table["ls_alpha"]), y(table["ls_beta"]), strict=True)
        )
        parts.append(f'<polyline class="path halo" points="{places}"/>')
        parts.append(f'<polyline class="path" points="{places}"/>')
    for _, point in surface.points[surface.points["anchor"].isin(ANCHORS)].iterrows():
        end = point["anchor"] in ("end", "rollback")
        name = escape(ANCHORS[point["anchor"]])
        place = f"translate({x(point['alpha']):.1f} {y(point['beta']):.1f})"
        shape = '<path d="M0-8 2.4-2.6 8-2.4 3.5 1.2 5 7 0 3.6-5 7-3.5 1.2-8-2.4-2.4-2.6Z"/>'
        mark = shape if end else '<circle r="5"/>'
        kind = "star" if end else "dot"
        parts.append(f'<g class="{kind}" transform="{place}"><title>{name}</title>{mark}</g>')
    return (
        f'<svg class="twin" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="{escape(title)}"><g clip-path="url(#square)">{"".join(parts)}</g>'
        f'<rect class="frame" x="{LEFT}" y="{TOP}" width="{SIDE}" height="{SIDE}"/>'
        f"{_axes(alpha, beta, x, y)}{_bar(quantity, scale, surface.chance)}</svg>"
    )


def _picture(values: np.ndarray, quantity: Quantity, scale: Normalize) -> str:
    """A pixel per value, transparent where it is not finite."""
    colours = matplotlib.colormaps[quantity.colours]
    pixels = colours(np.asarray(scale(np.nan_to_num(values))), bytes=True)
    pixels[~np.isfinite(values), 3] = 0
    return data_url(Image.fromarray(pixels), "png", optimize=True)


def data_url(image: Image.Image, kind: str, **how: Any) -> str:
    """An image as a URL that holds it."""
    held = io.BytesIO()
    image.save(held, kind, **how)
    return f"data:image/{kind};base64,{base64.b64encode(held.getvalue()).decode()}"


def _contours(
    x: np.ndarray,
    y: np.ndarray,
    values: np.ndarray,
    quantity: Quantity,
    scale: Normalize,
    chance: float,
) -> list[str]:
    """Lines of round values, and the dashed line of chance on a loss."""
    lines = scales.loss_lines(scale) if quantity is LOSS else scales.error_lines(scale)
    levels = [(v, "") for v in scales.readable_lines(values, lines, quantity.margin)]
    if quantity is LOSS:
        known = scales.readable_lines(values, [chance], quantity.margin)
        levels += [(v, look) for v in known for look in ("chance halo", "chance")]
    if min(values.shape) < 2:
        return []
    generator = contour_generator(x, y, np.ma.masked_invalid(values), line_type=LineType.Separate)
    drawn = []
    for level, look in levels:
        path = " ".join(
            "M" + " ".join(f"{a:.1f},{b:.1f}" for a, b in line) for line in generator.lines(level)
        )
        stroke = "" if look else f' stroke="{line_colour(level, quantity.colours, scale)}"'
        drawn.append(f'<path class="contour {look}" d="{path}"{stroke}/>' if path else "")
    return drawn


def _axes(alpha: np.ndarray, beta: np.ndarray, x: Any, y: Any) -> str:
    """Ticks at whole numbers, and the names of the axes."""

    def whole(ends: np.ndarray) -> list[int]:
        low, high = int(np.ceil(ends[0])), int(np.floor(ends[-1]))
        return list(range(low, high + 1, max(1, (high - low) // 6)))

    def text(value: int) -> str:
        return str(value).replace("-", "−")

    bottom = TOP + SIDE
    parts = [
        f'<text x="{x(a):.1f}" y="{bottom + 15}" text-anchor="middle">{text(a)}</text>'
        for a in whole(alpha)
    ]
    parts += [
        f'<text x="{LEFT - 6}" y="{y(b) + 4:.1f}" text-anchor="end">{text(b)}</text>'
        for b in whole(beta)
    ]
    middle = TOP + SIDE / 2
    return "".join(parts) + (
        f'<text class="name" x="{LEFT + SIDE / 2}" y="{bottom + 33}" text-anchor="middle">'
        "α (units of δ₁)</text>"
        f'<text class="name" x="14" y="{middle}" text-anchor="middle" '
        f'transform="rotate(-90 14 {middle})">β (units of δ₂)</text>'
    )


def _bar(quantity: Quantity, scale: Normalize, chance: float) -> str:
    """The colour bar, with the value of chance on a loss."""
    left = LEFT + SIDE + 16
    column = np.asarray(scale.inverse(np.linspace(1, 0, 64)), dtype=float)[:, None]
    parts = [
        f'<image x="{left}" y="{TOP}" width="12" height="{SIDE}" preserveAspectRatio="none" '
        f'href="{_picture(column, quantity, scale)}"/>'
    ]

    def height(value: float) -> float:
        return TOP + SIDE * (1 - float(scale(value)))

    for value, text in ticks_of(quantity, scale).items():
        parts.append(f'<text x="{left + 17}" y="{height(value) + 4:.1f}">{text}</text>')
    if quantity is LOSS and chance < scale.vmax:
        at = height(chance)
        parts.append(
            f'<path class="chance" d="M{left - 3} {at:.1f}H{left + 15}">'
            "<title>chance, ln K</title></path>"
        )
    middle = TOP + SIDE / 2
    return "".join(parts) + (
        f'<text class="name" x="{WIDTH - 6}" y="{middle}" text-anchor="middle" '
        f'transform="rotate(90 {WIDTH - 6} {middle})">{escape(quantity.label)}</text>'
    )
