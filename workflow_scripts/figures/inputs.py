"""Surfaces and lines as figures take them: points together with their geometry."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.interpolate import RegularGridInterpolator

from workflow_scripts.common.errors import UserError
from workflow_scripts.common.tables import read_json, read_table
from workflow_scripts.figures.maps import Quantity


@dataclass(frozen=True)
class Surface:
    """A surface, group surface or line with its geometry.

    Attributes
    ----------
    geometry : dict
        Content of ``geometry.json``.
    points : DataFrame
        Rows of ``surface.parquet``; alpha and beta in units of ||delta_1||.
    trajectory : DataFrame or None
        Rows of ``trajectory_*.parquet``.
    """

    geometry: dict[str, Any]
    points: pd.DataFrame
    trajectory: pd.DataFrame | None = None

    @property
    def chance(self) -> float:
        """Loss of pure chance, ln K, in nats."""
        return float(np.log(self.geometry["labels"]))

    def grid(self, column: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Values of a column on the grid; points off the grid are left out.

        Parameters
        ----------
        column : str
            Of the points.

        Returns
        -------
        alpha, beta : ndarray of shape (A,) and (B,)
            Increasing coordinates.
        values : ndarray of shape (B, A)
            NaN where they are not finite.

        Raises
        ------
        KeyError
            If the points have no such column.
        """
        rows = self.points[self.points["on_grid"]]
        table = rows.pivot(index="beta", columns="alpha", values=column)
        values = table.to_numpy(dtype=float)
        values = np.where(np.isfinite(values), values, np.nan)
        return table.columns.to_numpy(dtype=float), table.index.to_numpy(dtype=float), values

    def interpolation_errors(self, column: str) -> np.ndarray:
        """How far bilinear interpolation on the grid is off at the exact points beside it.

        Parameters
        ----------
        column : str
            Of the points.

        Returns
        -------
        ndarray of shape (P,)
            Absolute differences, in the column's unit; those that are not finite left out.
        """
        alpha, beta, values = self.grid(column)
        beside = self.points[~self.points["on_grid"]]
        if beside.empty:
            return np.empty(0)
        interpolated = RegularGridInterpolator((beta, alpha), values, bounds_error=False)
        found = interpolated(beside[["beta", "alpha"]].to_numpy(dtype=float))
        errors = np.abs(found - beside[column].to_numpy(dtype=float))
        return errors[np.isfinite(errors)]

    def anchor(self, name: str) -> pd.Series:
        """The row of an exact point: ``start``, ``end``, ``fine_tuned`` or ``rollback``.

        Raises
        ------
        UserError
            If the surface has no point of that name.
        """
        rows = self.points[self.points["anchor"] == name]
        if rows.empty:
            geometry = self.geometry
            raise UserError(
                f"the surface of {geometry['task']}, {geometry['start']} has no point {name!r}"
            )
        return rows.iloc[0]

    def examples(self, split: str) -> int:
        """Number of examples of ``train`` or ``dev`` at every point."""
        return int(self.points[f"{split}_examples"].iloc[0])


def read_surfaces(
    surfaces: list[Path], geometries: list[Path], trajectories: list[Path] | None = None
) -> list[Surface]:
    """Read surfaces; the lists name the same surfaces in the same order.

    Parameters
    ----------
    surfaces : list of Path
        ``surface.parquet`` of each.
    geometries : list of Path
        ``geometry.json`` of each; a line has its plane's.
    trajectories : list of Path, optional
        A trajectory's Parquet file for each.

    Returns
    -------
    list of Surface

    Raises
    ------
    ValueError
        If the lists differ in length.
    """
    paths = trajectories or [None] * len(surfaces)
    return [
        Surface(
            geometry=read_json(geometry),
            points=read_table(surface),
            trajectory=read_table(path) if path else None,
        )
        for surface, geometry, path in zip(surfaces, geometries, paths, strict=True)
    ]


def precision_note(surfaces: Iterable[Surface]) -> str:
    """Sentence for a caption, after a space, where matrix products were not float32; else empty.

    It states the largest measured error of mean losses against float32, nats.
    """
    firsts = [surface.points.iloc[0] for surface in surfaces]
    lower = [point for point in firsts if point["precision"] != "float32"]
    if not lower:
        return ""
    names = " and ".join(sorted({point["precision"] for point in lower}))
    some = "" if len(lower) == len(firsts) else f" on {len(lower)} of {len(firsts)} surfaces"
    gap = np.max([point["precision_error"] for point in lower])  # NaN if one is
    if np.isfinite(gap):
        return f" Computed in {names}{some}: mean losses within {gap:.1e} nats of float32."
    return f" Computed in {names}{some}: some mean losses that were compared are not finite."


def interpolation_note(surfaces: Iterable[Surface], quantity: Quantity) -> str:
    """How far colours between evaluated points may be off, for a caption, after a space.

    Empty where the surfaces have no points beside their grids.

    Parameters
    ----------
    surfaces : iterable of Surface
        Of one figure.
    quantity : Quantity
        What its colours show.
    """
    errors = np.concatenate([s.interpolation_errors(quantity.column) for s in surfaces])
    if not len(errors):
        return ""
    mean, most = (quantity.difference(value) for value in (errors.mean(), errors.max()))
    return (
        f" Interpolated between evaluated points: off by {mean} on average and {most} at most "
        f"at {len(errors)} other points."
    )


def second_note(surfaces: Iterable[Surface]) -> str:
    """Where the second directions of planes come from, for a caption."""
    kinds = {
        "random": "random, filter-normalised",
        "pca": "the main direction of the trajectory orthogonal to δ₁",
    }
    seconds = {surface.geometry.get("second") for surface in surfaces}
    named = [words for kind, words in kinds.items() if kind in seconds]
    if seconds - set(kinds):
        named.insert(0, "from another task")
    return f"δ₂ {' or '.join(named)}, scaled to the length of δ₁"


def find(surfaces: list[Surface], **values: str) -> Surface:
    """The first surface whose geometry has these values, such as ``task`` and ``start``.

    Raises
    ------
    UserError
        If none has them.
    """
    for surface in surfaces:
        if all(surface.geometry.get(key) == value for key, value in values.items()):
            return surface
    words = ", ".join(f"{key} {value!r}" for key, value in values.items())
    raise UserError(f"no surface was given for {words}")


def labelled(table: pd.DataFrame, **columns: Any) -> pd.DataFrame:
    """``table`` with constant columns before its own."""
    table = table.drop(columns=[name for name in columns if name in table])
    return pd.concat([pd.DataFrame(columns, index=table.index), table], axis=1)
