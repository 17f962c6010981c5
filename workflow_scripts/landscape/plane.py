"""A plane (or line) of weights, and a model that moves on it."""

import math
import re
from collections.abc import Iterable

import numpy as np
import torch

from workflow_scripts.common.errors import UserError
from workflow_scripts.landscape.grid import Point
from workflow_scripts.model.families import FAMILIES

Weights = dict[str, torch.Tensor]

# Entries of a tensor that are turned into float64 at a time: a processor's cache holds them.
_BLOCK = 2**16


def gram(*deltas: Weights) -> np.ndarray:
    """Inner products of every two of K sets of weights.

    Each runs over all entries of all tensors, accumulated in float64, in one pass over the memory.

    Parameters
    ----------
    *deltas : dict of str to Tensor
        By name, of equal sizes and on one device; names that the first lacks do not count.

    Returns
    -------
    ndarray of shape (K, K), float64

    Raises
    ------
    KeyError
        If another lacks a name of the first.
    """
    total = torch.zeros(len(deltas), len(deltas), dtype=torch.float64)
    for name in deltas[0]:
        for blocks in zip(*(delta[name].flatten().split(_BLOCK) for delta in deltas), strict=True):
            rows = torch.stack(blocks).double()
            total += (rows @ rows.T).cpu()
    return total.numpy()


def difference(end: Weights, start: Weights, names: Iterable[str]) -> Weights:
    """Direction from ``start`` to ``end``, ``end - start``, over the named parameters.

    Parameters
    ----------
    end, start : dict of str to Tensor
        By name, of the same shapes.
    names : iterable of str
        Other parameters are left out.

    Raises
    ------
    KeyError
        If either lacks one of the names.

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
    UserError
        If a direction has length 0: its run did not move.

    References
    ----------
    Hao et al. (2019), section 3.2.
    """
    norm_1, norm_2 = (gram(delta)[0, 0] ** 0.5 for delta in (delta_1, delta_2))
    for which, norm in (("first", norm_1), ("second", norm_2)):
        if norm == 0:
            raise UserError(f"the {which} direction has length 0: its run did not move the encoder")
    return float(norm_1 / norm_2)


class Plane:
    """Puts a model at origin + alpha delta_1 + beta delta_2, moving flat parameters in place.

    The model's moving parameters become views of one flat buffer, so that a point costs one
    pass over it; a row of points shares ``origin + beta delta_2``. Every point is computed from
    the origin, never from its neighbour: the same point has the same bits in any shard.

    Parameters
    ----------
    module : Module
        The model; its parameters named in ``delta_1`` move, the others do not.
    origin : dict of str to Tensor
        Weights at (0, 0). These and all other weights have the module's names and shapes; names
        that ``delta_1`` lacks are left out.
    delta_1, delta_2 : dict of str to Tensor
        The directions, already scaled; without ``delta_2`` it is a line.
    anchors : dict of Point to weights, optional
        Points at which a checkpoint's weights are used without arithmetic, since
        ``origin + 1.0 * (end - origin)`` misses ``end`` by rounding.
    rows : dict of str to Tensor, optional
        Rows (int64) of a matrix that matter, by its name; its other rows do not move. Names that
        ``delta_1`` lacks are left out.

    Raises
    ------
    KeyError
        If the module or any of the weights lack a name of ``delta_1``.

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
        anchors: dict[Point, Weights] | None = None,
        rows: dict[str, torch.Tensor] | None = None,
    ):
        parameters = dict(module.named_parameters())
        device = next(module.parameters()).device
        self.names = _memory_order(delta_1)
        self.rows = {name: rows[name] for name in self.names if name in (rows or {})}
        self.origin, self.delta_1 = self._flat(origin, device), self._flat(delta_1, device)
        self.delta_2 = None if delta_2 is None else self._flat(delta_2, device)
        self.anchors = anchors or {}
        self.buffer = self.origin.clone()
        self._views: Weights = {}
        # Of a matrix of which only some rows move, the buffer holds those rows: matrix, rows, view.
        self._scattered = []
        offset = 0
        for name in self.names:
            parameter = parameters[name]
            shape = parameter.shape
            if name in self.rows:
                shape = (len(self.rows[name]), *shape[1:])
            size = math.prod(shape)
            view = self._views[name] = self.buffer[offset : offset + size].view(shape)
            offset += size
            if name in self.rows:
                self._scattered.append((parameter.data, self.rows[name].to(device), view))
            else:
                parameter.data = view
        self._row: torch.Tensor = self.origin
        self._row_beta = 0.0

    @torch.inference_mode()
    def move(self, alpha: float, beta: float) -> None:
        """Set the model's moving parameters to those of a point.

        Parameters
        ----------
        alpha, beta : float
            In units of ``delta_1`` and ``delta_2``; on the grid or not.

        Raises
        ------
        ValueError
            If the plane is a line, and beta neither 0 nor an anchor's.
        """
        if (alpha, beta) in self.anchors:
            self.put(self.anchors[alpha, beta])
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
        self._scatter()

    @torch.inference_mode()
    def put(self, weights: Weights) -> None:
        """Set the model's moving parameters to the given weights, on the plane or not.

        Parameters
        ----------
        weights : dict of str to Tensor
            By name; parameters that do not move are left out.

        Raises
        ------
        KeyError
            If a moving parameter is missing.
        """
        for name, view in self._views.items():
            view.copy_(self._moving(name, weights))
        self._scatter()

    def _scatter(self) -> None:
        for matrix, rows, view in self._scattered:
            matrix.index_copy_(0, rows, view)

    def _moving(self, name: str, weights: Weights) -> torch.Tensor:
        return weights[name][self.rows[name]] if name in self.rows else weights[name]

    def _flat(self, weights: Weights, device: torch.device) -> torch.Tensor:
        return torch.cat([self._moving(name, weights).reshape(-1) for name in self.names]).to(
            device
        )


def _memory_order(names: Iterable[str]) -> list[str]:
    """Names, reordered so that query, key and value follow one another, weights and biases apart.

    So the three matrices of a layer are contiguous, and one product computes all three.
    """
    parts = [(f.parts["query"], f.parts["key"], f.parts["value"]) for f in FAMILIES.values()]
    three = sorted({part.rpartition(".")[2] for of_family in parts for part in of_family})
    order: dict[str, list[str]] = {}
    for name in names:
        order.setdefault(re.sub(rf"\.({'|'.join(three)})\.", ".", name), []).append(name)
    return [name for together in order.values() for name in together]
