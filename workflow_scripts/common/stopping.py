"""Being asked to stop: what is under way is brought to where it can be kept."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


@contextmanager
def stop_requests() -> Iterator[Callable[[], str | None]]:
    """Note SIGTERM and SIGINT (Ctrl-C) instead of ending at once; a second one ends at once.

    A signal that the process ignores, as one that a script starts with ``&`` does Ctrl-C, stays so.
    SLURM sends SIGTERM before the time limit's SIGKILL, half a minute as a rule (KillWait).

    Yields
    ------
    A function that tells the name of the first signal that came, None so far.
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
