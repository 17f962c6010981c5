"""What a synthetic task is made of."""

from collections.abc import Callable
from typing import NamedTuple

from workflow_scripts.data.grammars.draw import Draw


class Grammar(NamedTuple):
    """A synthetic task.

    ``labels`` : their names, in the order of their numbers.
    ``columns`` : of the text, one or two.
    ``symmetric`` : whether either sentence of a pair may come first.
    ``example(draw, label, fresh)`` : the texts of an example; ``fresh`` takes words held out of
    training.
    """

    labels: tuple[str, ...]
    columns: tuple[str, ...]
    symmetric: bool
    example: Callable[[Draw, int, bool], tuple[str, ...]]
