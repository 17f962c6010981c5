"""Progress of long loops: rate and time left, in the log and, on a terminal, as a bar.

Jobs of the workflow share one terminal, on which Snakemake counts them, so they only log.
"""

import logging
import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

from workflow_scripts.common.tables import record

log = logging.getLogger("tunescape")
Item = TypeVar("Item")


def progress(
    items: Iterable[Item], label: str, total: int | None = None, every: float = 10.0
) -> Iterator[Item]:
    """Yield ``items``, and log how many are done and how much time is left.

    Parameters
    ----------
    items : iterable
        What to loop over.
    label : str
        What is counted, in the plural.
    total : int, optional
        Number of items; ``len(items)`` by default.
    every : float
        Seconds between lines of the log; the last item always has one.

    Raises
    ------
    TypeError
        If ``total`` is not given and the items have no length.
    """
    if total is None:
        total = len(items)  # type: ignore[arg-type]
    if sys.stderr.isatty() and not record():
        from rich.console import Console
        from rich.progress import track

        items = track(items, description=label, total=total, console=Console(stderr=True))
    began = last = time.monotonic()
    for done, item in enumerate(items, start=1):
        yield item
        now = time.monotonic()
        if now - last >= every or done == total:
            rate = done / max(now - began, 1e-9)
            left = _duration((total - done) / rate)
            log.info("%s: %d of %d, %.3g per second, %s left", label, done, total, rate, left)
            last = now


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
