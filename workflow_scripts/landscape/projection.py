"""Where a checkpoint lies on a plane of directions."""

from dataclasses import asdict, dataclass

import numpy as np

from workflow_scripts.landscape.plane import Weights, gram


@dataclass(frozen=True)
class Coordinates:
    """A checkpoint's coordinates on a plane, in units of its directions.

    Attributes
    ----------
    d_alpha, d_beta : float
        The paper's coordinates; ``d_beta`` is the length of the part of delta_i that is
        orthogonal to delta_1, never negative, and not the coordinate along delta_2.
    ls_alpha, ls_beta : float
        Coordinates of the nearest point of the plane (least squares).
    outside : float
        Share of the checkpoint's distance from the origin that lies outside the plane,
        ||residual|| / ||delta_i||, 0 to 1.
    norm : float
        ||delta_i|| / ||delta_1||.
    cosine : float
        Between delta_i and delta_1; NaN at the origin.
    """

    d_alpha: float
    d_beta: float
    ls_alpha: float
    ls_beta: float
    outside: float
    norm: float
    cosine: float

    def as_dict(self) -> dict[str, float]:
        """All values by name, in the order above."""
        return asdict(self)


def project(delta_i: Weights, delta_1: Weights, delta_2: Weights) -> Coordinates:
    """Coordinates of a checkpoint at ``origin + delta_i``; sums are accumulated in float64.

    Parameters
    ----------
    delta_i, delta_1, delta_2 : dict of str to Tensor, or one tensor or array each
        Differences of weights, of the same names and shapes; ``delta_2`` already has the length of
        ``delta_1``.

    Returns
    -------
    Coordinates
        All are NaN if a sum is not finite.

    Raises
    ------
    ZeroDivisionError
        If ``delta_1`` has length 0.
    KeyError
        If a name is missing.

    References
    ----------
    Hao et al. (2019), section 3.3, equations 3 to 5 (the paper's cross is an inner product).
    """
    products = gram(*(_named(delta) for delta in (delta_i, delta_1, delta_2)))
    (ii, i1, i2), (_, g11, g12), (*_, g22) = products.tolist()
    norm = np.sqrt(ii / g11)
    d_alpha = i1 / g11
    if not np.isfinite(products).all():
        return Coordinates(*[float("nan")] * 7)
    best, *_ = np.linalg.lstsq(np.array([[g11, g12], [g12, g22]]), np.array([i1, i2]), rcond=None)
    residual = max(0.0, ii - float(best @ np.array([i1, i2])))
    return Coordinates(
        d_alpha=float(d_alpha),
        d_beta=float(np.sqrt(max(0.0, norm**2 - d_alpha**2))),
        ls_alpha=float(best[0]),
        ls_beta=float(best[1]),
        outside=float(np.sqrt(residual / ii)) if ii > 0 else 0.0,
        norm=float(norm),
        cosine=float(i1 / np.sqrt(ii * g11)) if ii > 0 else float("nan"),
    )


def _named(delta) -> Weights:
    import torch

    return delta if isinstance(delta, dict) else {"": torch.as_tensor(delta)}
