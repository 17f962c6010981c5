"""Pairs of clusters of one label by distance of their centroids, without an n × n matrix."""

import heapq
from collections.abc import Iterator

import numpy as np

# Neighbours of a cluster that are queued at a time.
BATCH = 16


class Linkage:
    """Clusters of one label, and a queue of their pairs by distance of the centroids.

    Every cluster's nearest neighbours wait in one queue, some at a time, with a mark at the
    distance up to which they do; a mark that comes up is replaced by more neighbours. A pair comes
    up when all closer ones have. Memory is O(n d).

    Parameters
    ----------
    x : ndarray of shape (n, d)
        Rows are points, all of one label.
    numbers : ndarray of shape (n,), int64
        Number of each point's cluster, increasing. A merged cluster gets a larger one; of pairs
        equally far apart those of lower numbers come first.
    """

    def __init__(self, x: np.ndarray, numbers: np.ndarray) -> None:
        self._centroids = x - x.mean(axis=0)
        self._squares = np.einsum("ij,ij->i", self._centroids, self._centroids)
        self._numbers = np.array(numbers, dtype=np.int64)
        self._sizes = np.ones(len(x), dtype=np.int64)
        self._alive = np.ones(len(x), dtype=bool)
        self._slot = {int(number): slot for slot, number in enumerate(numbers)}
        # Squared distances from inner products are off by at most this.
        self._slack = 1e-13 * max(float(self._squares.max()), 1e-300) * (x.shape[1] + 8)
        self._queue: list[tuple[float, int, int]] = []
        self._done: set[tuple[int, int]] = set()
        self._reached: dict[int, float] = {}
        for number in self._slot:
            self._refill(number)

    def pop(self) -> tuple[float, int, int] | None:
        """The closest pair that has not come up yet: squared distance and two numbers; or None."""
        if self.peek() is None:
            return None
        squared, low, high = heapq.heappop(self._queue)
        self._done.add((low, high))
        return squared, low, high

    def peek(self) -> tuple[float, int, int] | None:
        """The pair that ``pop`` would return."""
        while self._queue:
            _, low, high = self._queue[0]
            if high < 0:  # a mark: all neighbours of `low` up to here have been queued
                heapq.heappop(self._queue)
                if low in self._slot:
                    self._refill(low)
            elif low in self._slot and high in self._slot and (low, high) not in self._done:
                return self._queue[0]
            else:
                heapq.heappop(self._queue)
        return None

    def merge(self, low: int, high: int, number: int) -> None:
        """Replace two clusters by their union, under a new number."""
        kept, gone = self._slot.pop(low), self._slot.pop(high)
        sizes = self._sizes[kept], self._sizes[gone]
        total = sizes[0] * self._centroids[kept] + sizes[1] * self._centroids[gone]
        self._sizes[kept] = sum(sizes)
        self._centroids[kept] = total / self._sizes[kept]
        self._squares[kept] = self._centroids[kept] @ self._centroids[kept]
        self._numbers[kept] = number
        self._slot[number] = kept
        self._alive[gone] = False
        self._refill(number)
        if 2 * len(self._slot) < len(self._alive):
            self._compact()

    def remove(self, number: int) -> None:
        """Leave a cluster out of all further pairs."""
        self._alive[self._slot.pop(number)] = False

    def _refill(self, number: int) -> None:
        """Queue the next neighbours of a cluster, and a mark if more are left."""
        slot, reached = self._slot[number], self._reached.get(number, -np.inf)
        squared = (
            self._squares + self._squares[slot] - 2 * (self._centroids @ self._centroids[slot])
        )
        squared[slot] = -np.inf
        squared[~self._alive] = -np.inf
        # Those at the last mark come again: rounding may put them on either side of it.
        others = np.flatnonzero(squared > reached - 2 * self._slack)
        beyond = squared[others[squared[others] > reached]]
        if len(beyond) > BATCH:
            mark = float(np.partition(beyond, BATCH - 1)[BATCH - 1])
            others = others[squared[others] <= mark]
            self._reached[number] = mark
            heapq.heappush(self._queue, (mark - self._slack, number, -1))
        # Pairs are ordered by differences, not by inner products: equal points are 0 apart.
        difference = self._centroids[others] - self._centroids[slot]
        exact = np.einsum("ij,ij->i", difference, difference)
        for other, distance in zip(self._numbers[others].tolist(), exact.tolist(), strict=True):
            pair = (min(number, other), max(number, other))
            if pair not in self._done:
                heapq.heappush(self._queue, (distance, *pair))

    def _compact(self) -> None:
        kept = np.flatnonzero(self._alive)
        self._centroids, self._squares = self._centroids[kept], self._squares[kept]
        self._numbers, self._sizes = self._numbers[kept], self._sizes[kept]
        self._alive = np.ones(len(kept), dtype=bool)
        self._slot = {int(number): slot for slot, number in enumerate(self._numbers)}


def closest_first(linkages: dict[int, Linkage]) -> Iterator[tuple[int, int, int]]:
    """The next pair of all labels, again and again, until none is left: label and two numbers.

    Parameters
    ----------
    linkages : dict of int to Linkage
        By label; what was merged or removed meanwhile is seen.
    """
    while True:
        heads = [(head, label) for label, linkage in linkages.items() if (head := linkage.peek())]
        if not heads:
            return
        _, label = min(heads)
        popped = linkages[label].pop()
        assert popped is not None
        yield label, popped[1], popped[2]


def joining_order(x: np.ndarray) -> np.ndarray:
    """Rows in the order in which they join the largest cluster if every pair is merged.

    Parameters
    ----------
    x : ndarray of shape (n, d)
        Rows are points, all of one label.

    Returns
    -------
    ndarray of shape (n,), int64
        Where two clusters merge, the rows of the smaller come after those of the larger.
    """
    queue, number = Linkage(x, np.arange(len(x))), len(x)
    members = {row: [row] for row in range(len(x))}
    while pair := queue.pop():
        queue.merge(pair[1], pair[2], number)
        large, small = sorted((members.pop(k) for k in pair[1:]), key=len, reverse=True)
        large.extend(small)
        members[number] = large
        number += 1
    return np.array(members[number - 1], dtype=np.int64)
