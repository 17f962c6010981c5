"""Surfaces and lines as the figures want them: points together with their geometry."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from workflow_scripts.common.errors import UserError
from workflow_scripts.common.tables import read_json, read_table


@dataclass(frozen=True)
class Surface:
    """A surface, group surface or line with what is known of it.

    geometry : content of ``geometry.json``
    points : rows of ``surface.parquet``; alpha and beta in units of ||delta_1||
    trajectory : rows of ``trajectory.parquet``, or None
    """

    geometry: dict[str, Any]
    points: pd.DataFrame
    trajectory: pd.DataFrame | None = None

    @property
    def chance(self) -> float:
        """Loss of pure chance, ln K, in nats."""
        return float(np.log(self.geometry["labels"]))

    def grid(self, column: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """alpha ``[A]``, beta ``[B]`` and ``column`` ``[B, A]``; NaN where it is not finite.

        Points off the grid are left out. The coordinates increase.

        Raises
        ------
        KeyError : if the points have no such column.
        """
        rows = self.points[self.points["on_grid"]]
        table = rows.pivot(index="beta", columns="alpha", values=column)
        values = table.to_numpy(dtype=float)
        values = np.where(np.isfinite(values), values, np.nan)
        return table.columns.to_numpy(dtype=float), table.index.to_numpy(dtype=float), values

    def anchor(self, name: str) -> pd.Series:
        """The row of an exact point: ``start``, ``end``, ``fine_tuned`` or ``rollback``.

        Raises
        ------
        UserError : if the surface has no point of that name.
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
    surfaces : ``surface.parquet`` of each.
    geometries : ``geometry.json`` of each; a line has its plane's.
    trajectories : a trajectory's Parquet file for each; None for none.

    Raises
    ------
    ValueError : if the lists differ in length.
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
    """Sentence for a caption, behind a space, where matrix products were not float32; else empty.

    It states how far mean losses lay from those of float32 at most, nats.
    """
    found = [surface.points.iloc[0] for surface in surfaces]
    lower = [row for row in found if row["precision"] != "float32"]
    if not lower:
        return ""
    names = " and ".join(sorted({row["precision"] for row in lower}))
    some = "" if len(lower) == len(found) else f" on {len(lower)} of {len(found)} surfaces"
    gap = np.max([row["precision_error"] for row in lower])  # NaN if one is
    if np.isfinite(gap):
        return f" Computed in {names}{some}: mean losses within {gap:.1e} nats of float32."
    return f" Computed in {names}{some}: some mean losses that were compared are not finite."


def find(surfaces: list[Surface], **wanted: str) -> Surface:
    """The first surface whose geometry has these values, such as ``task`` and ``start``.

    Raises
    ------
    UserError : if none has them.
    """
    for surface in surfaces:
        if all(surface.geometry.get(key) == value for key, value in wanted.items()):
            return surface
    words = ", ".join(f"{key} {value!r}" for key, value in wanted.items())
    raise UserError(f"no surface was given for {words}")


def labelled(table: pd.DataFrame, **columns: Any) -> pd.DataFrame:
    """``table`` with constant columns put before its own."""
    table = table.drop(columns=[name for name in columns if name in table])
    return pd.concat([pd.DataFrame(columns, index=table.index), table], axis=1)
