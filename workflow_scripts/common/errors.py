"""Errors that a user can fix, each in one line."""

import difflib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

# Longest message, and the most of it that goes to a list of names. With the name of the program or
# rule in front and that of the log at the end, a user sees 500 characters at most.
MOST_CHARACTERS = 430
_MOST_LISTED = 160


class UserError(ValueError):
    """Wrong input: the message says what was got and what is allowed."""


def nearest(name: str, allowed: Iterable[str]) -> str:
    """``"; did you mean 'x'?"`` for the closest allowed name, or an empty string."""
    close = difflib.get_close_matches(str(name), [str(a) for a in allowed], n=1, cutoff=0.5)
    return f"; did you mean {close[0]!r}?" if close else ""


def one_line(error: BaseException) -> str:
    """Message of an error on a single line, with its type unless it is a ``UserError``."""
    text = " ".join(str(error).split())
    if isinstance(error, UserError):
        return text
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def listed(names: Iterable[object], quoted: bool = False) -> str:
    """Names with commas between them; a long list, and a long name in it, is cut.

    Parameters
    ----------
    names : iterable
        Anything that has a text.
    quoted : bool
        Whether each name is shown as Python writes it.
    """
    every = [cut(repr(name) if quoted else str(name), 60) for name in names]
    shown = every[:1]
    for name in every[1:]:
        if sum(map(len, shown)) + len(name) > _MOST_LISTED:
            return f"{', '.join(shown)}, … ({len(every)} in all)"
        shown.append(name)
    return ", ".join(shown)


def cut(text: str, most: int) -> str:
    """A text on one line, of at most ``most`` characters: its middle gives way to "…"."""
    # Half a surrogate pair, which a JSON file may hold, cannot be printed.
    text = " ".join(text.splitlines()).encode(errors="backslashreplace").decode()
    if len(text) <= most:
        return text
    tail = most // 3
    return f"{text[: most - tail - 1]}…{text[len(text) - tail :]}"


@contextmanager
def in_one_line(start: str = "") -> Iterator[None]:
    """Raise a ``UserError`` of the block again, in one short line that begins with ``start``.

    So is what the operating system refuses: a folder that may not be read, a name that is too long.
    """
    try:
        yield
    except UserError as error:
        raise UserError(cut(f"{start}{error}", MOST_CHARACTERS)) from error.__cause__
    except OSError as error:
        raise UserError(cut(f"{start}{one_line(error)}", MOST_CHARACTERS)) from error
