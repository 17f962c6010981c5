"""Word lists, and drawing from them: the same on every platform and in every version of Python."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


class Draw:
    """A stream of choices fixed by its key.

    ``random.Random`` seeds itself from text through SHA-512, and its ``random()`` is documented to
    give the same sequence in every version of Python. That is not so for ``choice`` and
    ``shuffle``, so the methods here use ``random()`` alone.

    Parameters
    ----------
    key : object
        Anything with a text; another key gives another stream.
    """

    def __init__(self, *key: object) -> None:
        self._random = random.Random(" ".join(str(part) for part in key)).random

    def below(self, n: int) -> int:
        """An integer in 0 .. n - 1."""
        return int(self._random() * n)

    def chance(self, probability: float) -> bool:
        return self._random() < probability

    def pick(self, items: Sequence[T]) -> T:
        if not items:
            raise IndexError("nothing to draw from")
        return items[self.below(len(items))]

    def shuffled(self, items: Sequence[T]) -> list[T]:
        """A new list in random order (Fisher and Yates)."""
        order = list(items)
        for last in range(len(order) - 1, 0, -1):
            other = self.below(last + 1)
            order[last], order[other] = order[other], order[last]
        return order

    def sample(self, items: Sequence[T], count: int) -> list[T]:
        """``count`` different items in random order."""
        return self.shuffled(items)[:count]


def words(text: str) -> tuple[str, ...]:
    """A word list: the parts between bars or, without any bar, the words between blanks."""
    return tuple(" ".join(p.split()) for p in (text.split("|") if "|" in text else text.split()))
