"""A plane (or line) of weights, and a model that moves on it."""

import math
from collections.abc import Iterable

import torch

from workflow_scripts.common.errors import UserError

Weights = dict[str, torch.Tensor]


def squared_sum(tensors: Iterable[torch.Tensor]) -> float:
    """Sum of squares over all entries of all tensors, accumulated in float64."""
    return sum(float(torch.sum(t.double().square())) for t in tensors)


def inner(first: Weights, second: Weights) -> float:
    """Inner product over all entries of all tensors, accumulated in float64.

    Parameters
    ----------
    first, second : tensors by name, of equal sizes and on one device; names that only
        ``second`` has do not count.

    Raises
    ------
    KeyError : if ``second`` lacks a name of ``first``.
    """
    return sum(
        float(torch.dot(first[name].double().flatten(), second[name].double().flatten()))
        for name in first
    )


def difference(end: Weights, start: Weights, names: Iterable[str]) -> Weights:
    """Direction from ``start`` to ``end``, ``end - start``, over the named parameters.

    Parameters
    ----------
    end, start : tensors by name, of the same shapes; other names than ``names`` are left out.

    Raises
    ------
    KeyError : if either lacks one of the names.

    References
    ----------
    Hao et al. (2019), sections 3.1 and 3.2.
    """
    return {name: end[name] - start[name] for name in names}


def second_scale(delta_1: Weights, delta_2: Weights) -> float:
    """Factor that gives the second direction the length of the first, ||delta_1|| / ||delta_2||.

    Both norms are Euclidean, over all tensors given (the whole encoder).

    Raises
    ------
    UserError : if a direction has length 0: its run did not move.

    References
    ----------
    Hao et al. (2019), section 3.2.
    """
    norm_1, norm_2 = squared_sum(delta_1.values()) ** 0.5, squared_sum(delta_2.values()) ** 0.5
    for which, norm in (("first", norm_1), ("second", norm_2)):
        if norm == 0:
            raise UserError(f"the {which} direction has length 0: its run did not move the encoder")
    return norm_1 / norm_2


class Plane:
    """Puts a model at origin + alpha delta_1 + beta delta_2, moving flat parameters in place.

    The model's moving parameters become views of one flat buffer, so that a point costs one
    pass over it; a row of points shares ``origin + beta delta_2``. Every point is computed from
    the origin, never from its neighbour: the same point has the same bits in any shard.

    Parameters
    ----------
    module : the model; its parameters named in ``delta_1`` move, the others stay.
    origin : weights at (0, 0).
    delta_1, delta_2 : the directions, already scaled; ``delta_2`` may be None (a line).
    anchors : points at which a checkpoint's weights are used as they are, since
        ``origin + 1.0 * (end - origin)`` misses ``end`` by rounding: (alpha, beta) -> weights.

    All weights are tensors by the module's names and of its shapes; names that ``delta_1`` lacks
    are left out.

    Raises
    ------
    KeyError : if the module or any of the weights lack a name of ``delta_1``.

    References
    ----------
    Hao et al. (2019), equations 1 and 2.
    """

    def __init__(
        self,
        module: torch.nn.Module,
        origin: Weights,
        delta_1: Weights,
        delta_2: Weights | None = None,
        anchors: dict[tuple[float, float], Weights] | None = None,
    ):
        parameters = dict(module.named_parameters())
        device = next(module.parameters()).device
        self.names = list(delta_1)
        self.origin = _flat(origin, self.names, device)
        self.delta_1 = _flat(delta_1, self.names, device)
        self.delta_2 = None if delta_2 is None else _flat(delta_2, self.names, device)
        self.anchors = {
            point: _flat(weights, self.names, device) for point, weights in (anchors or {}).items()
        }
        self.buffer = self.origin.clone()
        offset = 0
        for name in self.names:
            shape = parameters[name].shape
            size = math.prod(shape)
            parameters[name].data = self.buffer[offset : offset + size].view(shape)
            offset += size
        self._row: torch.Tensor = self.origin
        self._row_beta = 0.0

    @torch.inference_mode()
    def move(self, alpha: float, beta: float) -> None:
        """Set the model's moving parameters to those of a point.

        Parameters
        ----------
        alpha, beta : in units of ``delta_1`` and ``delta_2``; on the grid or not.

        Raises
        ------
        ValueError : if the plane is a line, and beta neither 0 nor an anchor's.
        """
        if (alpha, beta) in self.anchors:
            self.buffer.copy_(self.anchors[alpha, beta])
            return
        if beta != self._row_beta:
            if beta == 0:
                self._row = self.origin
            elif self.delta_2 is None:
                raise ValueError(f"a line has no point with beta = {beta:g}")
            else:
                if self._row is self.origin:
                    self._row = torch.empty_like(self.origin)
                torch.add(self.origin, self.delta_2, alpha=beta, out=self._row)
            self._row_beta = beta
        torch.add(self._row, self.delta_1, alpha=alpha, out=self.buffer)

    @torch.inference_mode()
    def put(self, weights: Weights) -> None:
        """Set the model's moving parameters to the given weights, on the plane or not.

        Parameters
        ----------
        weights : tensors by name; names that do not move are left out.

        Raises
        ------
        KeyError : if a moving parameter is missing.
        """
        self.buffer.copy_(_flat(weights, self.names, self.buffer.device))


def _flat(weights: Weights, names: list[str], device: torch.device) -> torch.Tensor:
    return torch.cat([weights[name].reshape(-1) for name in names]).to(device)
