"""Requests to stop, so that work in progress can be saved first."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


@contextmanager
def stop_requests() -> Iterator[Callable[[], str | None]]:
    """Record SIGTERM and SIGINT (Ctrl-C) instead of ending at once; a second one ends at once.

    A signal that the process ignores stays ignored: a process started in a script with ``&``
    ignores Ctrl-C. SLURM sends SIGTERM before the SIGKILL of the time limit, usually half a minute
    (KillWait).

    Yields
    ------
    callable
        Returns the name of the first signal that came, None if none has come.
    """
    came: list[str] = []
    before = {number: signal.getsignal(number) for number in _SIGNALS}
    before = {number: old for number, old in before.items() if old != signal.SIG_IGN}

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def note(number: int, frame: FrameType | None) -> None:
        came.append(signal.Signals(number).name)
        restore()

    for number in before:
        signal.signal(number, note)
    try:
        yield lambda: came[0] if came else None
    finally:
        restore()
