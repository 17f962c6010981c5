"""Similarity of the representations of two layers: SVCCA, CKA and Procrustes, from moments."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from workflow_scripts.common.errors import UserError
from workflow_scripts.common.intervals import Estimate, jackknife_interval
from workflow_scripts.dynamics.moments import (
    Axes,
    LayerMoments,
    Moments,
    Side,
    merged,
    svdvals,
)

__all__ = [
    "SVCCA",
    "LayerMoments",
    "Moments",
    "cca_full",
    "jackknife",
    "linear_cka",
    "merged",
    "procrustes",
    "svcca",
    "unbiased_cka",
]


@dataclass(frozen=True, eq=False)
class SVCCA:
    """Canonical correlations of two layers, and the distances that follow from them.

    Attributes
    ----------
    rho : ndarray of shape (min(k1, k2),)
        Correlations, 0 to 1, descending.
    k1, k2 : int
        Principal directions kept of each layer.
    rank1, rank2 : int
        Directions of each layer with any variance.
    n : int
        Rows.
    d1, d2 : int
        Widths of the layers.
    """

    rho: np.ndarray
    k1: int
    k2: int
    rank1: int
    rank2: int
    n: int
    d1: int
    d2: int

    @property
    def sum_rho(self) -> float:
        """Sum of the correlations, from which both distances follow."""
        return float(self.rho.sum())

    @property
    def distance(self) -> float:
        """1 − mean correlation over the kept directions, 0 to 1; NaN where a layer is constant."""
        return 1 - self.sum_rho / len(self.rho) if len(self.rho) else float("nan")

    @property
    def hidden(self) -> float:
        """1 − sum / hidden size, as the paper writes it.

        Not 0 for a model and itself where directions are left out: then it is 1 − k / d.
        """
        return 1 - self.sum_rho / min(self.d1, self.d2) if len(self.rho) else float("nan")

    @property
    def underdetermined(self) -> bool:
        """Fewer rows than directions kept: some correlations are 1 whatever the data."""
        return self.n < self.k1 + self.k2

    @property
    def few(self) -> bool:
        """Fewer than 10 rows per dimension: correlations are too high by chance (see ``null``)."""
        return self.n < 10 * max(self.d1, self.d2)

    def as_dict(self) -> dict[str, float]:
        """All numbers but ``rho``, by name."""
        names = ("k1", "k2", "rank1", "rank2", "n", "d1", "d2")
        derived = ("sum_rho", "distance", "hidden", "underdetermined", "few")
        return {name: getattr(self, name) for name in (*names, *derived)}


def svcca(moments: Moments, keep: float | int | None = 0.99, per_neuron: bool = False) -> SVCCA:
    """Canonical correlations of the principal directions of two layers.

    Compare only results for the same tokens: they depend on the number of rows.

    Parameters
    ----------
    moments : Moments
        Of at least 2 rows.
    keep : float, int or None
        Share of the variance in the kept directions, above 0 to 1 (a float); or their number (an
        int); or None for all, which is plain CCA. Directions of no variance (1e-10 of the largest)
        are always left out.
    per_neuron : bool
        Whether to scale every neuron to variance 1 first, so that the few outlier dimensions of
        BERT do not take up all of the kept variance; another metric than the paper's.

    Raises
    ------
    UserError
        If ``keep`` has another value, or there are fewer than 2 rows.

    References
    ----------
    Hao et al. (2020), section 4; Raghu et al. (2017).
    """
    allowed = keep is None or (keep >= 1 if isinstance(keep, int) else 0 < keep <= 1)
    if not allowed or isinstance(keep, bool):
        raise UserError(
            f"keep: got {keep!r}, allowed: a share above 0 up to 1.0, a number of directions, None"
        )
    x, y = _sides(moments)
    axes1, axes2 = (side.axes_per_neuron if per_neuron else side.axes for side in (x, y))
    k1, k2 = _kept(axes1, keep), _kept(axes2, keep)
    # Axes of scaled neurons are scaled too, so they apply to the unscaled rows.
    core = _whitening(axes1, k1).T @ moments.cross.covariance @ _whitening(axes2, k2)
    rho = svdvals(core) if min(k1, k2) else core.new_zeros(0)
    return SVCCA(
        rho=rho.clamp(0, 1).cpu().numpy(),
        k1=k1,
        k2=k2,
        rank1=axes1.rank,
        rank2=axes2.rank,
        n=moments.n,
        d1=x.d,
        d2=y.d,
    )


def _sides(moments: Moments, least: int = 2) -> tuple[Side, Side]:
    if moments.n < least:
        raise UserError(f"moments of {moments.n} rows: at least {least} are needed")
    return moments.x, moments.y


def _kept(axes: Axes, keep: float | int | None) -> int:
    if keep is None or axes.rank == 0:
        return axes.rank
    if isinstance(keep, int):
        return min(keep, axes.rank)
    values = axes.values.cpu().numpy()
    share = np.cumsum(values) / values.sum()
    return min(int(np.searchsorted(share, keep - 1e-15)) + 1, axes.rank)


def _whitening(axes: Axes, k: int) -> Tensor:
    """[d, k]: turns rows into k uncorrelated coordinates of variance 1."""
    return axes.vectors[:, :k] / axes.values[:k].sqrt()


def cca_full(moments: Moments) -> float:
    """Distance of plain CCA: 1 − mean correlation over all min(rank1, rank2) directions, 0 to 1."""
    return svcca(moments, keep=None).distance


def linear_cka(moments: Moments) -> float:
    """Linear centred kernel alignment, 0 to 1 (the same); NaN where a layer is constant.

    Too high for few rows: 0.1 for independent data of 500 rows and 50 dimensions.

    References
    ----------
    Kornblith et al. (2019), equation 5.
    """
    x, y = _sides(moments)
    if not x.axes.rank or not y.axes.rank:
        return float("nan")
    size = x.axes.values.norm() * y.axes.values.norm()
    return float(moments.cross.covariance.square().sum() / size)


def unbiased_cka(moments: Moments) -> float:
    """Linear CKA from unbiased estimates: about 0 for independent data, at most 1.

    NaN where a layer is constant.

    Raises
    ------
    UserError
        If there are fewer than 4 rows.

    References
    ----------
    Song et al. (2012), equation 5 (the estimate); here from sums of one pass.
    """
    x, y = _sides(moments, least=4)
    if not x.axes.rank or not y.axes.rank:
        return float("nan")
    # Relative to the means, no large numbers cancel.
    cross = moments.cross.moved(-x.mean, -y.mean).sums
    own = _hsic(x.centred()) * _hsic(y.centred())
    return _hsic(cross) / own**0.5 if own > 0 else float("nan")


def _hsic(sums: Tensor) -> float:
    """Unbiased estimate of the Hilbert-Schmidt independence criterion, linear kernels."""
    n = round(sums[-1, -1].item())
    xy, xb, ya, ab = sums[:-2, :-2], sums[:-2, -2], sums[-2, :-2], sums[-2, -2]
    x, y, a, b = sums[:-2, -1], sums[-1, :-2], sums[-2, -1], sums[-1, -2]
    total = xy.square().sum() - ab
    total = total + (x @ x - a) * (y @ y - b) / ((n - 1) * (n - 2))
    total = total - 2 * (x @ xy @ y - x @ xb - y @ ya + ab) / (n - 2)
    return float(total) / (n * (n - 3))


def procrustes(moments: Moments) -> float:
    """Squared Procrustes distance, 0 (equal up to rotation, shift and scale) to 2.

    Both layers are centred and scaled to norm 1. NaN where a layer is constant.

    References
    ----------
    Ding et al. (2021), section 2.2.
    """
    x, y = _sides(moments)
    if not x.axes.rank or not y.axes.rank:
        return float("nan")
    nuclear = svdvals(moments.cross.covariance).sum()
    size = (x.axes.values.sum() * y.axes.values.sum()).sqrt()
    return max(0.0, float(2 - 2 * nuclear / size))


def jackknife(
    groups: Sequence[Moments],
    measure: Callable[[Moments], float | np.ndarray],
    level: float = 0.95,
) -> Estimate:
    """A measure of all rows, with an interval from leaving out one group of examples at a time.

    Tokens of one example depend on each other, so rows must not be left out (or drawn) one by one:
    each example belongs to one group as a whole.

    Parameters
    ----------
    groups : sequence of Moments
        Of about equally many examples each, 3 or more, 20 as a rule.
    measure : callable
        From moments to a float or an array, for instance ``lambda m: svcca(m).distance``.
    level : float
        Of the interval, 0 to 1, see ``jackknife_interval``.

    Raises
    ------
    UserError
        If there are fewer than 3 groups, or a group has no rows.

    References
    ----------
    Efron & Tibshirani (1993), chapter 11.
    """
    if len(groups) < 3 or not all(group.n for group in groups):
        raise UserError(
            f"jackknife: got {len(groups)} groups of {[group.n for group in groups]} rows; at "
            "least 3 are needed, each with rows"
        )
    total = merged(groups)
    value = np.asarray(measure(total), dtype=float)
    left_out = np.stack([np.asarray(measure(total.without(group))) for group in groups])
    return jackknife_interval(value, left_out, level)
