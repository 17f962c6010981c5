"""Sums over tokens from which the similarity of two models' layers follows, in float64.

Row i of X and of Y is the same token in both models. The sums run over f(x) f(y)ᵀ with
f(x) = (x, |x|², 1), x relative to a point near the mean, the shift. This one matrix gives means,
covariance and all that the unbiased CKA needs, and a change of the shift is a linear map of it, so
that parts computed separately add up to what one pass gives.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from workflow_scripts.common.errors import UserError

# Rows that are converted to float64 at a time.
_BLOCK = 2048
# Eigenvalues up to this share of the largest are rounding, not variance.
_RANK = 1e-10
# A layer whose variance is a smaller share of its mean square is constant: float32 resolves
# relative differences of 6e-8, whose square is 4e-15.
_CONSTANT = 1e-20


class Moments:
    """Sums over the rows of two matrices, float64, on the device of the first rows.

    Memory is O(d²), whatever the number of rows.

    Parameters
    ----------
    lags : sequence of int
        Distances in rows for ``null``, each at least as long as the longest example; none by
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
        """Distances that ``null`` accepts."""
        return self._layers.lags

    def update(self, x, y) -> "Moments":
        """Add rows, in any chunks.

        Parameters
        ----------
        x, y : ndarray or Tensor of shape (n, d1), (n, d2)
            The same tokens in both models, of any floating type; no padding.

        Returns
        -------
        Moments
            Itself.

        Raises
        ------
        UserError
            If the numbers of rows differ, a width is not that of the earlier rows, or a value is
            NaN or infinite. Nothing is added then.
        """
        self._layers.update([x], [y])
        return self

    def merge(self, other: "Moments") -> "Moments":
        """Append the rows of ``other``, which does not change.

        Returns
        -------
        Moments
            Itself.

        Raises
        ------
        UserError
            If the widths or lags differ.
        """
        self._layers.merge(other._layers)
        return self

    def null(self, lag: int) -> "Moments":
        """The moments of mismatched rows: what unrelated models would give.

        Row t of X is paired with row t − lag of Y, and the first rows of X with the last of Y.
        Where the rows of an example follow one another and no example is longer than the lag, no
        token is paired with its own example, and the tokens of an example stay together. Every row
        is used once: means and variances are the same, only the covariance is that of chance. The
        result does not depend on the chunks. (Where neighbouring examples are equally long,
        similarity due to positions remains.)

        Parameters
        ----------
        lag : int
            One of ``lags``.

        Raises
        ------
        UserError
            If the moments were not made for this lag, or there are fewer than 2 lag rows.
        """
        if lag not in self.lags:
            raise UserError(f"lag: got {lag}, the moments were made for {list(self.lags)}")
        if self.n < 2 * lag:
            raise UserError(f"lag: {lag} needs at least {2 * lag} rows, got {self.n}")
        closing = self.x.head[:lag].T @ self.y.tail[-lag:]
        return self._with(Cross(self.cross.lagged[lag] + closing))

    def without(self, part: "Moments") -> "Moments":
        """The moments without the rows of ``part``, which were merged before; has no lags.

        Precise while ``part`` is small compared to the rest.
        """
        return self._layers.without(part._layers).pair(0, 0)

    def _with(self, cross: "Cross") -> "Moments":
        return _pair(self.x, self.y, cross, ())

    @property
    def x(self) -> "Side":
        """Sums over the rows of X alone."""
        return self._layers.xs[0]

    @property
    def y(self) -> "Side":
        """Sums over the rows of Y alone."""
        return self._layers.ys[0]

    @property
    def cross(self) -> "Cross":
        """Sums over the pairs of rows of X and Y."""
        return self._layers.crosses[0, 0]

    def arrays(self) -> dict[str, np.ndarray]:
        """All state as named arrays, for ``np.savez``."""
        return self._layers.arrays()

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> "Moments":
        """The moments from the result of ``arrays``, on the CPU."""
        moments = cls()
        moments._layers = LayerMoments.from_arrays(arrays)
        return moments


def _pair(x: "Side", y: "Side", cross: "Cross", lags: Sequence[int]) -> Moments:
    moments = Moments(lags)
    layers = moments._layers
    layers.xs, layers.ys, layers.crosses = {0: x}, {0: y}, {(0, 0): cross}
    return moments


def merged(parts: Sequence[Moments]) -> Moments:
    """One ``Moments`` of all parts' rows, in their order; the parts do not change."""
    total = Moments(parts[0].lags)
    for part in parts:
        total.merge(part)
    return total


class LayerMoments:
    """Moments of many layers of two models; the sums of one layer are shared by its pairs.

    Parameters
    ----------
    pairs : sequence of (int, int), optional
        Layer of the first model and of the second, from 0; all pairs by default. A pair takes
        8 (d1 + 2) (d2 + 2) bytes, and a layer alone as much: all pairs of two BERT-large (25
        layers each, d = 1024) 5.7 GB, those of equal layers 0.6 GB.
    lags : sequence of int
        As in ``Moments``; each takes as much as a pair again.
    lagged : sequence of (int, int), optional
        The pairs that have lags; all of ``pairs`` by default.
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
        xs, ys : sequence of ndarray or Tensor of shape (n, d)
            For each layer of either model, as in ``Moments.update``; layers that are in no pair
            are ignored.

        Returns
        -------
        LayerMoments
            Itself.

        Raises
        ------
        UserError
            If ``Moments.update`` raises it, or a pair's layer is not among those given.
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
        """Append the rows of ``other``, as in ``Moments.merge``; its pairs must be the same."""
        if other.lags != self.lags:
            raise UserError(f"lags differ: {list(self.lags)} and {list(other.lags)}")
        if other.lagged != self.lagged:
            raise UserError("moments whose lags are of different pairs cannot be merged")
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
        """Add the rows of ``other`` or, with sign -1 and without lags, remove them."""
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
        """Without the rows of ``part``, which were merged before, as in ``Moments.without``."""
        rest = LayerMoments(self.pairs)
        rest.xs, rest.ys = dict(self.xs), dict(self.ys)
        rest.crosses = {pair: Cross(cross.sums) for pair, cross in self.crosses.items()}
        rest._combine(part, -1)
        return rest

    def pair(self, i: int, j: int) -> Moments:
        """Current moments of layer ``i`` of the first model and ``j`` of the second.

        Raises
        ------
        KeyError
            If that is not one of the pairs, or there are no rows yet.
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
        """All state as named arrays, for ``np.savez``."""
        tensors = {"lags": torch.tensor(self.lags, dtype=torch.int64)}
        for name in ("pairs", "lagged"):
            if (pairs := getattr(self, name)) is not None:
                tensors[name] = torch.tensor(pairs, dtype=torch.int64).reshape(-1, 2)
        for name, sides in (("x", self.xs), ("y", self.ys)):
            for layer, side in sides.items():
                for part in fields(side):
                    tensor = torch.as_tensor(getattr(side, part.name))
                    tensors[f"{name}{layer}.{part.name}"] = tensor
        for (i, j), cross in self.crosses.items():
            tensors[f"x{i}y{j}.sums"] = cross.sums
            for lag, sums in cross.lagged.items():
                tensors[f"x{i}y{j}.lag{lag}"] = sums
        return {name: tensor.cpu().numpy() for name, tensor in tensors.items()}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> "LayerMoments":
        """The moments from the result of ``arrays``, on the CPU."""
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
    """Principal axes of a layer.

    Attributes
    ----------
    values : Tensor of shape (d,)
        Variances, descending.
    vectors : Tensor of shape (d, d)
        Directions, in columns.
    rank : int
        Number of variances that are not 0.
    """

    values: Tensor
    vectors: Tensor
    rank: int


@dataclass(frozen=True, eq=False)
class Side:
    """Sums over the rows of one layer alone.

    Attributes
    ----------
    shift : Tensor of shape (d,)
        The point to which x is relative.
    gram : Tensor of shape (d + 2, d + 2)
        Σ f(x) f(x)ᵀ.
    head, tail : Tensor of shape (up to ``reach``, d + 2)
        f of the first and of the last rows.
    reach : int
        The longest lag.
    """

    shift: Tensor
    gram: Tensor
    head: Tensor
    tail: Tensor
    reach: int

    @classmethod
    def empty(cls, rows: Tensor, reach: int) -> "Side":
        """No rows yet; the shift is the mean of ``rows``."""
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
        """F of each row, [n, d + 2]."""
        f = self.shift.new_ones(len(rows), self.d + 2)
        x = f[:, :-2]
        torch.sub(rows.to(self.shift.device), self.shift, out=x)
        torch.sum(x * x, dim=1, out=f[:, -2])
        return f

    def add(self, rows: Tensor) -> "Side":
        """With more rows, given by their f."""
        return self._plus(_gram(rows), rows, rows)

    def combine(self, other: "Side", sign: int) -> "Side":
        """With another's rows after its own, or (sign -1) without them; the shifts are equal."""
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
        """The same rows relative to another shift, on its device."""
        by = _gap(self, shift)
        head, tail = (_moved(rows.to(by.device).T, by).T for rows in (self.head, self.tail))
        return Side(shift, _moved_both(self.gram, by, by), head, tail, self.reach)

    @property
    def mean(self) -> Tensor:
        """Mean of the rows relative to ``shift``, [d]."""
        return self.gram[:-2, -1] / self.gram[-1, -1]

    def centred(self) -> Tensor:
        """``gram`` of the rows relative to their mean."""
        return _moved_both(self.gram, -self.mean, -self.mean)

    @cached_property
    def axes(self) -> Axes:
        """Principal axes, computed on first use and shared by all pairs of the layer.

        A layer that varies by less than 1e-10 of its size (float32 resolves 6e-8) has rank 0.
        """
        return self._axes(_covariance(self.gram))

    @cached_property
    def axes_per_neuron(self) -> Axes:
        """``axes`` of the rows with every neuron scaled to variance 1, constant neurons to 0.

        The directions include the scale, so that they apply to the unscaled rows.
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
    """What to add to a side's rows to make them relative to ``shift``."""
    return side.shift.to(shift.device) - shift


@dataclass(frozen=True, eq=False)
class Cross:
    """Sums over the pairs of rows of a layer of one model and a layer of the other.

    Attributes
    ----------
    sums : Tensor of shape (d1 + 2, d2 + 2)
        Σ f(x) f(y)ᵀ.
    lagged : dict of int to Tensor of shape (d1 + 2, d2 + 2)
        For each lag the same over the pairs of row t of x and row t − lag of y; the first rows of
        x (``head``) and the last of y (``tail``) are not yet paired.
    """

    sums: Tensor
    lagged: dict[int, Tensor] = field(default_factory=dict)

    @classmethod
    def empty(cls, x: Tensor, y: Tensor, lags: Sequence[int]) -> "Cross":
        """No rows yet, for layers as wide as ``x`` and ``y``."""
        none = x.new_zeros(x.shape[1], y.shape[1])
        return cls(none, dict.fromkeys(lags, none))

    def add(self, x: Tensor, y: Tensor, before: Tensor) -> "Cross":
        """With more rows; ``before`` are the last rows of y so far."""
        lagged = {}
        if self.lagged:
            longer = torch.cat([before, y])
            lagged = {
                lag: sums + _meet(x, longer, len(before) - lag) for lag, sums in self.lagged.items()
            }
        return Cross(self.sums + x.T @ y, lagged)

    def combine(self, other: "Cross", head: Tensor, tail: Tensor, sign: int) -> "Cross":
        """With another's rows after its own, or (sign -1) without them; the shifts are equal.

        ``head`` are the first rows of the other's x, ``tail`` the last of its own y.
        """
        lagged = {
            lag: sums + other.lagged[lag] + _meet(head[:lag], tail, len(tail) - lag)
            for lag, sums in self.lagged.items()
        }
        return Cross(self.sums + sign * other.sums, lagged)

    def moved(self, x: Tensor, y: Tensor) -> "Cross":
        """The same rows with ``x`` and ``y`` added to each."""
        lagged = {lag: _moved_both(sums, x, y) for lag, sums in self.lagged.items()}
        return Cross(_moved_both(self.sums, x, y), lagged)

    @property
    def covariance(self) -> Tensor:
        """Covariance of x and y, [d1, d2]."""
        return _covariance(self.sums)


# For these NumPy's LAPACK takes a fifth less time than PyTorch's, which is MKL's (on AMD's
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
        # NumPy recognises that the product is symmetric and computes half of it; PyTorch does not.
        array = rows.numpy()
        return torch.from_numpy(array.T @ array)
    return rows.T @ rows


def _meet(x: Tensor, y: Tensor, offset: int) -> Tensor:
    """Σ x_t y_{t + offset}ᵀ over the rows of x for which y has that row."""
    start = max(0, -offset)
    if start >= len(x):
        return x.new_zeros(x.shape[1], y.shape[1])
    return x[start:].T @ y[start + offset : len(x) + offset]
