"""Second directions that come from no other run: random, or the trajectory's own."""

from dataclasses import dataclass

import numpy as np
import torch

from workflow_scripts.common.errors import UserError
from workflow_scripts.landscape.plane import Weights, gram

# Share of the squared length of the first direction below which a variance is rounding.
_ROUNDING = 1e-12


def random_direction(end: Weights, seed: int) -> Weights:
    """A random direction, filter-normalised.

    Its entries are drawn from a normal distribution; then each filter (row of a matrix: the weights
    of one neuron, or the vector of one word) is scaled to the Euclidean norm of the same filter of
    ``end``. Vectors (biases, LayerNorm) do not move.

    Parameters
    ----------
    end : dict of str to Tensor
        Weights at the end point, by name; the names are those of the direction.
    seed : int
        The direction depends on this and on names, shapes and weights of ``end``, not on their
        order.

    Returns
    -------
    dict of str to Tensor

    References
    ----------
    Li et al. (2018), section 4.
    """
    generator = torch.Generator().manual_seed(seed)
    drawn = {}
    for name in sorted(end):
        weights = end[name].cpu()
        if weights.ndim < 2:
            drawn[name] = torch.zeros_like(weights)
            continue
        noise = torch.randn(weights.shape, generator=generator)
        rows = noise.flatten(1).double()
        size = weights.flatten(1).double().norm(dim=1) / rows.norm(dim=1)
        drawn[name] = (rows * size[:, None]).to(weights.dtype).view(weights.shape)
    return {name: drawn[name] for name in end}


@dataclass(frozen=True)
class MainDirection:
    """The direction in which a trajectory leaves its own first direction most.

    Attributes
    ----------
    delta : dict of str to Tensor
        Orthogonal to the first direction, of length 1 within rounding.
    explained : float
        Share of the trajectory's squared distance from the first direction, 0 to 1.
    """

    delta: Weights
    explained: float


def main_direction(delta_1: Weights, path: list[Weights]) -> MainDirection:
    """First principal component of a trajectory orthogonal to its first direction.

    The checkpoints' differences from the start, less their parts along ``delta_1``, have this
    principal component; they are not centred, since the plane passes through the start. Its sign
    is that with which they lie on the positive side in sum.

    Parameters
    ----------
    delta_1 : dict of str to Tensor
        From the start to the end.
    path : list of dict of str to Tensor
        From the start to each checkpoint between them, one or more, with the names of ``delta_1``.

    Raises
    ------
    UserError
        If the trajectory is a straight line.

    References
    ----------
    Li et al. (2018), section 7, has both axes from the principal components; here the first is
    ``delta_1``, so that the plane holds start and end.
    """
    products = gram(delta_1, *path)
    along = products[0, 1:] / products[0, 0]
    residual = products[1:, 1:] - np.outer(along, along) * products[0, 0]
    variances, components = np.linalg.eigh(residual)
    if not variances[-1] > _ROUNDING * products[0, 0]:
        raise UserError(
            "landscape.second: got pca, but the trajectory is a straight line: it has no second "
            "direction; allowed besides: random or another task"
        )
    shares = components[:, -1] / variances[-1] ** 0.5
    if (residual @ shares).sum() < 0:
        shares = -shares
    summands = [(-float(shares @ along), delta_1), *zip(shares.tolist(), path, strict=True)]
    delta = {
        name: sum(share * one[name].double() for share, one in summands).to(first.dtype)
        for name, first in delta_1.items()
    }
    return MainDirection(delta, float(variances[-1] / variances.sum()))
