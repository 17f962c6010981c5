"""Sums over the tokens from which the likeness of two models' layers follows, in float64.

Row i of X and of Y is the same token in both models. The sums run over f(x) f(y)ᵀ with
f(x) = (x, |x|², 1), x counted from a point near the mean. That one matrix holds means, covariance
and all that the unbiased CKA needs, and moving the point is a linear map of it: parts that were
made apart add up as if they had been made at once.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from workflow_scripts.common.errors import UserError

# Rows that are turned into float64 at a time.
_BLOCK = 2048
# Eigenvalues up to this share of the largest are rounding, not variance.
_RANK = 1e-10
# A layer whose variance is a smaller share of its mean square is constant: float32 resolves
# relative differences of 6e-8, whose square is 4e-15.
_CONSTANT = 1e-20


class Moments:
    """Sums over the rows of two matrices, float64, on the device of the first rows.

    Memory is O(d²), however many rows there are.

    Parameters
    ----------
    lags : distances in rows for ``null``, each at least as long as the longest example; none by
        default. Each costs a product as large as that of X and Y.
    """

    def __init__(self, lags: Sequence[int] = ()):
        self._layers = LayerMoments([(0, 0)], lags)

    @property
    def n(self) -> int:
        """Number of rows so far."""
        return self._layers.n

    @property
    def lags(self) -> tuple[int, ...]:
        """Distances for which ``null`` can be asked."""
        return self._layers.lags

    def update(self, x, y) -> "Moments":
        """Add rows, in any chunks.

        Parameters
        ----------
        x, y : the same tokens in both models, [n, d1] and [n, d2], arrays or tensors of any
            floating type; only real tokens, no padding.

        Returns
        -------
        Itself.

        Raises
        ------
        UserError : if the numbers of rows differ, a width is not that of the rows before, or a
            value is NaN or infinite. Nothing is added then.
        """
        self._layers.update([x], [y])
        return self

    def merge(self, other: "Moments") -> "Moments":
        """Add the rows of ``other``, which stays as it is, as if they came after its own.

        Returns
        -------
        Itself.

        Raises
        ------
        UserError : if the widths or lags differ.
        """
        self._layers.merge(other._layers)
        return self

    def null(self, lag: int) -> "Moments":
        """The moments of rows that do not belong together: what unrelated models would give.

        Row t of X meets row t − lag of Y; the first rows of X meet the last of Y. Where the rows
        of an example follow one another and no example is longer than the lag, no token meets its
        own example, and the tokens of an example stay together. Every row is used once: means and
        variances are the same, only the covariance is that of chance. It does not depend on the
        chunks. (Where neighbouring examples are equally long, what positions have in common stays.)

        Raises
        ------
        UserError : if the lag was not asked for at the start, or there are fewer than 2 lag rows.
        """
        if lag not in self.lags:
            raise UserError(f"lag: got {lag}, the moments were made for {list(self.lags)}")
        if self.n < 2 * lag:
            raise UserError(f"lag: {lag} needs at least {2 * lag} rows, got {self.n}")
        closing = self.x.head[:lag].T @ self.y.tail[-lag:]
        return self._with(Cross(self.cross.lagged[lag] + closing))

    def without(self, part: "Moments") -> "Moments":
        """The moments of all rows but those of ``part``, which were merged before; has no lags.

        Precise while ``part`` is small beside the rest.
        """
        return self._layers.without(part._layers).pair(0, 0)

    def _with(self, cross: "Cross") -> "Moments":
        return _pair(self.x, self.y, cross, ())

    @property
    def x(self) -> "Side":
        """What the rows of X have with themselves."""
        return self._layers.xs[0]

    @property
    def y(self) -> "Side":
        """What the rows of Y have with themselves."""
        return self._layers.ys[0]

    @property
    def cross(self) -> "Cross":
        """What the rows of X have with those of Y."""
        return self._layers.crosses[0, 0]

    def arrays(self) -> dict[str, np.ndarray]:
        """Everything as named arrays, for ``np.savez``."""
        return self._layers.arrays()

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> "Moments":
        """The moments that ``arrays`` gave, on the CPU."""
        moments = cls()
        moments._layers = LayerMoments.from_arrays(arrays)
        return moments


def _pair(x: "Side", y: "Side", cross: "Cross", lags: Sequence[int]) -> Moments:
    moments = Moments(lags)
    layers = moments._layers
    layers.xs, layers.ys, layers.crosses = {0: x}, {0: y}, {(0, 0): cross}
    return moments


def merged(parts: Sequence[Moments]) -> Moments:
    """One ``Moments`` of all parts' rows, in their order; the parts stay as they are."""
    total = Moments(parts[0].lags)
    for part in parts:
        total.merge(part)
    return total


class LayerMoments:
    """Moments of many layers of two models at once; what a layer has with itself is made once.

    Parameters
    ----------
    pairs : (layer of the first model, layer of the second), counted from 0; None for all pairs.
        A pair takes 8 (d1 + 2) (d2 + 2) bytes, and a layer as much with itself: all pairs of two
        BERT-large (25 layers each, d = 1024) 5.7 GB, those of equal layers 0.6 GB.
    lags : as in ``Moments``; each takes as much as a pair again.
    lagged : the pairs that have them, of ``pairs``; None for all.
    """

    def __init__(
        self,
        pairs: Sequence[tuple[int, int]] | None = None,
        lags: Sequence[int] = (),
        lagged: Sequence[tuple[int, int]] | None = None,
    ):
        if any(lag < 1 for lag in lags):
            raise UserError(f"lags: got {list(lags)}, each must be 1 or more")
        self.lags = tuple(sorted(set(lags)))
        self.pairs = None if pairs is None else sorted(set(pairs))
        self.lagged = None if lagged is None else sorted(set(lagged))
        self.xs: dict[int, Side] = {}
        self.ys: dict[int, Side] = {}
        self.crosses: dict[tuple[int, int], Cross] = {}

    @property
    def n(self) -> int:
        """Number of rows so far."""
        return next(iter(self.xs.values())).n if self.xs else 0

    def update(self, xs: Sequence, ys: Sequence) -> "LayerMoments":
        """Add rows.

        Parameters
        ----------
        xs, ys : a matrix per layer of either model, [n, d], as in ``Moments.update``; layers that
            are in no pair are not looked at.

        Returns
        -------
        Itself.

        Raises
        ------
        UserError : as ``Moments.update``; or if a pair's layer is not among those given.
        """
        pairs = self.pairs
        if pairs is None:
            pairs = [(i, j) for i in range(len(xs)) for j in range(len(ys))]
        left = {i: _matrix(xs, i, "x") for i in sorted({i for i, _ in pairs})}
        right = {j: _matrix(ys, j, "y") for j in sorted({j for _, j in pairs})}
        sizes = sorted({len(rows) for rows in (*left.values(), *right.values())})
        if len(sizes) != 1:
            raise UserError(
                f"x and y must have the same rows, got {' and '.join(map(str, sizes)) or 'no'} rows"
            )
        for name, sides, given in (("x", self.xs, left), ("y", self.ys, right)):
            for layer, rows in given.items():
                if layer in sides and sides[layer].d != rows.shape[1]:
                    raise UserError(
                        f"{name}: got rows {rows.shape[1]} wide, those before are "
                        f"{sides[layer].d} wide"
                    )
        self.pairs = pairs
        for first in range(0, sizes[0], _BLOCK):
            block = slice(first, first + _BLOCK)
            self._add(
                {i: rows[block] for i, rows in left.items()},
                {j: rows[block] for j, rows in right.items()},
            )
        return self

    def _add(self, left: dict[int, Tensor], right: dict[int, Tensor]) -> None:
        for sides, given in ((self.xs, left), (self.ys, right)):
            for layer, rows in given.items():
                if layer not in sides:
                    sides[layer] = Side.empty(rows, max(self.lags, default=0))
        ys = {j: self.ys[j].features(rows) for j, rows in right.items()}
        for i, rows in left.items():
            x = self.xs[i].features(rows)
            for j in (second for first, second in self.pairs if first == i):
                cross = self.crosses.get((i, j)) or Cross.empty(x, ys[j], self._lags_of(i, j))
                self.crosses[i, j] = cross.add(x, ys[j], self.ys[j].tail)
            self.xs[i] = self.xs[i].add(x)
        for j, y in ys.items():
            self.ys[j] = self.ys[j].add(y)

    def _lags_of(self, i: int, j: int) -> tuple[int, ...]:
        return self.lags if self.lagged is None or (i, j) in self.lagged else ()

    def merge(self, other: "LayerMoments") -> "LayerMoments":
        """Add the rows of ``other``, as in ``Moments.merge``; its pairs must be the same."""
        if other.lags != self.lags:
            raise UserError(f"lags differ: {list(self.lags)} and {list(other.lags)}")
        if other.lagged != self.lagged:
            raise UserError("moments of which other pairs have lags cannot be merged")
        if None not in (self.pairs, other.pairs) and self.pairs != other.pairs:
            raise UserError("moments of different pairs of layers cannot be merged")
        self.pairs = self.pairs or other.pairs
        if self.n and other.n:
            self._combine(other, 1)
        elif other.n:
            self.xs, self.ys = dict(other.xs), dict(other.ys)
            self.crosses = dict(other.crosses)
        return self

    def _combine(self, other: "LayerMoments", sign: int) -> None:
        """Add the rows of ``other`` or, with -1 and without lags, take them away."""
        for name, ours, theirs in (("x", self.xs, other.xs), ("y", self.ys, other.ys)):
            for layer, side in ours.items():
                if side.d != theirs[layer].d:
                    raise UserError(
                        f"{name}: widths differ, {side.d} and {theirs[layer].d}: moments of "
                        "different layers cannot be merged"
                    )
        xs = {i: side.moved(self.xs[i].shift) for i, side in other.xs.items()}
        ys = {j: side.moved(self.ys[j].shift) for j, side in other.ys.items()}
        for (i, j), cross in self.crosses.items():
            moved = other.crosses[i, j].moved(
                _gap(other.xs[i], self.xs[i].shift), _gap(other.ys[j], self.ys[j].shift)
            )
            self.crosses[i, j] = cross.combine(moved, xs[i].head, self.ys[j].tail, sign)
        self.xs = {i: side.combine(xs[i], sign) for i, side in self.xs.items()}
        self.ys = {j: side.combine(ys[j], sign) for j, side in self.ys.items()}

    def without(self, part: "LayerMoments") -> "LayerMoments":
        """All rows but those of ``part``, which were merged before, as in ``Moments.without``."""
        rest = LayerMoments(self.pairs)
        rest.xs, rest.ys = dict(self.xs), dict(self.ys)
        rest.crosses = {pair: Cross(cross.sums) for pair, cross in self.crosses.items()}
        rest._combine(part, -1)
        return rest

    def pair(self, i: int, j: int) -> Moments:
        """Moments of layer ``i`` of the first model and ``j`` of the second, as they are now.

        Raises
        ------
        KeyError : if that is not one of the pairs, or there are no rows yet.
        """
        return _pair(self.xs[i], self.ys[j], self.crosses[i, j], self._lags_of(i, j))

    def matrix(self, measure: Callable[[Moments], float]) -> np.ndarray:
        """A number for each pair: [layers of the first, layers of the second], NaN elsewhere."""
        shape = [1 + max(sides, default=-1) for sides in (self.xs, self.ys)]
        values = np.full(shape, np.nan)
        for i, j in self.crosses:
            values[i, j] = measure(self.pair(i, j))
        return values

    def arrays(self) -> dict[str, np.ndarray]:
        """Everything as named arrays, for ``np.savez``."""
        found = {"lags": torch.tensor(self.lags, dtype=torch.int64)}
        for name in ("pairs", "lagged"):
            if (pairs := getattr(self, name)) is not None:
                found[name] = torch.tensor(pairs, dtype=torch.int64).reshape(-1, 2)
        for name, sides in (("x", self.xs), ("y", self.ys)):
            for layer, side in sides.items():
                for part in fields(side):
                    found[f"{name}{layer}.{part.name}"] = torch.as_tensor(getattr(side, part.name))
        for (i, j), cross in self.crosses.items():
            found[f"x{i}y{j}.sums"] = cross.sums
            for lag, sums in cross.lagged.items():
                found[f"x{i}y{j}.lag{lag}"] = sums
        return {name: tensor.cpu().numpy() for name, tensor in found.items()}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> "LayerMoments":
        """The moments that ``arrays`` gave, on the CPU."""
        pairs, lagged = (
            [tuple(pair) for pair in arrays[name].tolist()] if name in arrays else None
            for name in ("pairs", "lagged")
        )
        layers = cls(pairs, arrays["lags"].tolist(), lagged)

        def tensor(name: str) -> Tensor:
            return torch.from_numpy(np.array(arrays[name]))

        for i, j in pairs or []:
            if f"x{i}y{j}.sums" not in arrays:
                continue
            shifted = {lag: tensor(f"x{i}y{j}.lag{lag}") for lag in layers._lags_of(i, j)}
            layers.crosses[i, j] = Cross(tensor(f"x{i}y{j}.sums"), shifted)
            for name, sides, layer in (("x", layers.xs, i), ("y", layers.ys, j)):
                if layer not in sides:
                    parts = {f.name: tensor(f"{name}{layer}.{f.name}") for f in fields(Side)}
                    sides[layer] = Side(**parts | {"reach": int(parts["reach"])})
        return layers


def _matrix(layers: Sequence, layer: int, name: str) -> Tensor:
    if not 0 <= layer < len(layers):
        raise UserError(f"{name}: got {len(layers)} layers, counted from 0; asked for {layer}")
    rows = torch.as_tensor(layers[layer]).detach()
    if rows.ndim != 2:
        raise UserError(f"{name}: got shape {list(rows.shape)}, expected [rows, width]")
    # The sum of a row is not finite if one of its values is not.
    broken = int((~torch.isfinite(rows.sum(dim=1, dtype=torch.float64))).sum())
    if broken:
        where = f"{name}, layer {layer}" if len(layers) > 1 else name
        raise UserError(
            f"{where}: {broken} of {len(rows)} rows hold NaN or infinite values: "
            "the model's activations are not finite"
        )
    return rows


def _moved(sums: Tensor, by: Tensor) -> Tensor:
    """Σ f(x + by) gᵀ from Σ f(x) gᵀ, for f(x) = (x, |x|², 1) along the first axis."""
    x, square, one = sums[:-2], sums[-2:-1], sums[-1:]
    return torch.cat([x + by[:, None] * one, square + 2 * (by @ x) + (by @ by) * one, one])


def _moved_both(sums: Tensor, left: Tensor, right: Tensor) -> Tensor:
    return _moved(_moved(sums.to(left.device), left).T, right).T


def _covariance(sums: Tensor) -> Tensor:
    n = sums[-1, -1]
    return sums[:-2, :-2] / n - torch.outer(sums[:-2, -1] / n, sums[-1, :-2] / n)


@dataclass(frozen=True, eq=False)
class Axes:
    """Principal axes: variances ``values`` [d], descending, of which ``rank`` are not 0;
    directions ``vectors`` [d, d], in columns.
    """

    values: Tensor
    vectors: Tensor
    rank: int


@dataclass(frozen=True, eq=False)
class Side:
    """What the rows of one layer have with themselves.

    ``shift`` [d], the point from which x counts; ``gram`` = Σ f(x) f(x)ᵀ [d + 2, d + 2];
    ``head`` and ``tail``: f of the first and of the last rows, up to ``reach`` of them.
    """

    shift: Tensor
    gram: Tensor
    head: Tensor
    tail: Tensor
    reach: int

    @classmethod
    def empty(cls, rows: Tensor, reach: int) -> "Side":
        """No rows yet; those that come count from the mean of ``rows``."""
        shift = rows.double().mean(dim=0)
        size = len(shift) + 2
        none = shift.new_zeros(0, size)
        return cls(shift, shift.new_zeros(size, size), none, none, reach)

    @property
    def d(self) -> int:
        """Width of the layer."""
        return len(self.shift)

    @property
    def n(self) -> int:
        """Number of rows."""
        return round(self.gram[-1, -1].item())

    def features(self, rows: Tensor) -> Tensor:
        """f of each row, [n, d + 2]."""
        found = self.shift.new_ones(len(rows), self.d + 2)
        x = found[:, :-2]
        torch.sub(rows.to(self.shift.device), self.shift, out=x)
        torch.sum(x * x, dim=1, out=found[:, -2])
        return found

    def add(self, rows: Tensor) -> "Side":
        """With rows (their f) that come behind."""
        return self._plus(_gram(rows), rows, rows)

    def combine(self, other: "Side", sign: int) -> "Side":
        """With another's rows behind its own, or without them (-1), counted from one point."""
        return self._plus(sign * other.gram, other.head, other.tail)

    def _plus(self, gram: Tensor, head: Tensor, tail: Tensor) -> "Side":
        if not self.reach:
            return replace(self, gram=self.gram + gram)
        return Side(
            self.shift,
            self.gram + gram,
            torch.cat([self.head, head[: self.reach - len(self.head)]]),
            # A copy: a slice would keep all of the chunk in memory.
            torch.cat([self.tail, tail])[-self.reach :].clone(),
            self.reach,
        )

    def moved(self, shift: Tensor) -> "Side":
        """The same rows, counted from another point and held on its device."""
        by = _gap(self, shift)
        head, tail = (_moved(rows.to(by.device).T, by).T for rows in (self.head, self.tail))
        return Side(shift, _moved_both(self.gram, by, by), head, tail, self.reach)

    @property
    def mean(self) -> Tensor:
        """Mean of the rows, counted from ``shift``, [d]."""
        return self.gram[:-2, -1] / self.gram[-1, -1]

    def centred(self) -> Tensor:
        """``gram``, counted from the mean."""
        return _moved_both(self.gram, -self.mean, -self.mean)

    @cached_property
    def axes(self) -> Axes:
        """Computed when first asked for; all pairs that the layer is in share it.

        A layer that varies by less than 1e-10 of its size (float32 resolves 6e-8) has rank 0.
        """
        return self._axes(_covariance(self.gram))

    @cached_property
    def axes_per_neuron(self) -> Axes:
        """``axes`` of the rows with every neuron scaled to variance 1; constant ones count 0.

        The directions apply to the rows as they are: they are scaled instead.
        """
        covariance = _covariance(self.gram)
        variance = covariance.diagonal()
        scale = variance.clamp(min=0).rsqrt()
        scale = scale.where(variance > _RANK * variance.max(), 0)
        axes = self._axes(covariance * torch.outer(scale, scale))
        return replace(axes, vectors=scale[:, None] * axes.vectors)

    def _axes(self, covariance: Tensor) -> Axes:
        values, vectors = eigh(covariance)
        values, vectors = values.flip(0).clamp(min=0), vectors.flip(1)
        mean = self.shift + self.mean
        if _covariance(self.gram).trace() <= _CONSTANT * (mean @ mean):
            values = torch.zeros_like(values)
        return Axes(values, vectors, int((values > _RANK * values[0]).sum()))


def _gap(side: Side, shift: Tensor) -> Tensor:
    """What is added to a side's rows so that they count from ``shift``."""
    return side.shift.to(shift.device) - shift


@dataclass(frozen=True, eq=False)
class Cross:
    """What a layer of one model has with one of the other: ``sums`` = Σ f(x) f(y)ᵀ.

    ``lagged[lag]`` is the same over the pairs (row t of x, row t − lag of y) that have met so
    far; the first rows of x, in ``head``, and the last of y, in ``tail``, still wait.
    """

    sums: Tensor
    lagged: dict[int, Tensor] = field(default_factory=dict)

    @classmethod
    def empty(cls, x: Tensor, y: Tensor, lags: Sequence[int]) -> "Cross":
        """Before the first rows, as wide as ``x`` and ``y``."""
        none = x.new_zeros(x.shape[1], y.shape[1])
        return cls(none, dict.fromkeys(lags, none))

    def add(self, x: Tensor, y: Tensor, before: Tensor) -> "Cross":
        """With rows that come behind; ``before`` are the last rows of y so far."""
        lagged = {}
        if self.lagged:
            longer = torch.cat([before, y])
            lagged = {
                lag: sums + _meet(x, longer, len(before) - lag) for lag, sums in self.lagged.items()
            }
        return Cross(self.sums + x.T @ y, lagged)

    def combine(self, other: "Cross", head: Tensor, tail: Tensor, sign: int) -> "Cross":
        """With another's rows behind its own, or without them (-1), counted from one point.

        ``head`` are the first rows of the other's x, ``tail`` the last of its own y.
        """
        lagged = {
            lag: sums + other.lagged[lag] + _meet(head[:lag], tail, len(tail) - lag)
            for lag, sums in self.lagged.items()
        }
        return Cross(self.sums + sign * other.sums, lagged)

    def moved(self, x: Tensor, y: Tensor) -> "Cross":
        """The same rows, ``x`` and ``y`` being added to each."""
        lagged = {lag: _moved_both(sums, x, y) for lag, sums in self.lagged.items()}
        return Cross(_moved_both(self.sums, x, y), lagged)

    @property
    def covariance(self) -> Tensor:
        """Covariance of x and y, [d1, d2]."""
        return _covariance(self.sums)


# NumPy's LAPACK takes a fifth less time for these than PyTorch's, which is that of MKL (on AMD's
# processors).


def eigh(matrix: Tensor) -> tuple[Tensor, Tensor]:
    """Eigenvalues of a symmetric matrix, ascending [d], and eigenvectors in columns [d, d]."""
    if matrix.device.type != "cpu":
        return torch.linalg.eigh(matrix)
    values, vectors = np.linalg.eigh(matrix.numpy())
    return torch.from_numpy(values), torch.from_numpy(vectors)


def svdvals(matrix: Tensor) -> Tensor:
    """Singular values of a matrix [m, n], descending [min(m, n)]."""
    if matrix.device.type != "cpu":
        return torch.linalg.svdvals(matrix)
    return torch.from_numpy(np.linalg.svd(matrix.numpy(), compute_uv=False))


def _gram(rows: Tensor) -> Tensor:
    """Σ f fᵀ of rows [n, d]."""
    if rows.device.type == "cpu":
        # NumPy sees that the product is symmetric and computes half of it; PyTorch does not.
        array = rows.numpy()
        return torch.from_numpy(array.T @ array)
    return rows.T @ rows


def _meet(x: Tensor, y: Tensor, offset: int) -> Tensor:
    """Σ x_t y_{t + offset}ᵀ over the rows of x for which y has that row."""
    start = max(0, -offset)
    if start >= len(x):
        return x.new_zeros(x.shape[1], y.shape[1])
    return x[start:].T @ y[start + offset : len(x) + offset]
