"""Snakemake's output as one line that shows how far a run is; errors and warnings stay.

    PYTHONPATH=. snakemake --cores 8 results/figures/all --logger tunescape

A plugin of Snakemake's interface for loggers: https://pypi.org/project/snakemake-interface-logger-plugins
"""

import itertools
import logging
import re
import shutil
import sys
import threading
import time
from pathlib import Path
from typing import Any

from snakemake_interface_logger_plugins.base import LogHandlerBase
from snakemake_interface_logger_plugins.common import LogEvent

EVERY = 30.0  # seconds between two lines where there is no terminal
LONGEST = 500  # characters of the reason of a failed job
# Plain messages that a user needs; the others are Snakemake's own.
_SHOWN = ("Tunescape: ", "Nothing to be done", "Will exit after finishing currently running jobs")
# Snakemake says of a failed job again what its log and `JOB_ERROR` have said.
_AGAIN = ("RuleException", "CalledProcessError", "SpawnedJobError")
_NO_YAML = "Config file is not valid JSON or YAML"
_AT_THE_END = "At least one job did not complete successfully"


class LogHandler(LogHandlerBase):
    """Shows progress on a terminal in place, elsewhere as a line every half minute."""

    def __post_init__(self) -> None:
        self.stream = sys.stdout if self.common_settings.stdout else sys.stderr
        self.live = self.stream.isatty()
        self.progress: Any = None
        self._jobs: dict[int, tuple[str, dict[str, str]]] = {}
        self._total = 0
        self._cluster = False
        self._last = ""
        self._began = time.monotonic()
        self._stop = threading.Event()
        self._ticker: threading.Thread | None = None

    @property
    def writes_to_stream(self) -> bool:
        return True

    @property
    def writes_to_file(self) -> bool:
        return False

    @property
    def has_filter(self) -> bool:
        return False

    @property
    def has_formatter(self) -> bool:
        return False

    @property
    def needs_rulegraph(self) -> bool:
        return False

    def show_progress(self, progress: Any, total: int, cluster: bool) -> None:
        """Start to show the progress of a run.

        Parameters
        ----------
        progress : Progress or None
            See ``workflow_scripts.plan.progress``; None where nothing is known of the time.
        total : int
            Jobs, as Snakemake counts them.
        cluster : bool
            Whether jobs run elsewhere, so that what they print is not seen here.
        """
        with self.lock:
            self.progress, self._total, self._cluster = progress, total, cluster
        if progress:
            self._ticker = threading.Thread(target=self._tick, daemon=True)
            self._ticker.start()

    def emit(self, record: logging.LogRecord) -> None:
        """Take note of a record, and print it if a user needs it."""
        try:
            text = self._text(record)
            if text and text != "None":
                self._print(text)
        except Exception:
            self.handleError(record)

    def close(self) -> None:
        """Say how far the run came."""
        self._stop.set()
        if self._ticker:
            self._ticker.join()
            self._ticker = None
            minutes, seconds = divmod(round(time.monotonic() - self._began), 60)
            self._print(f"{self.progress.count()} in {minutes} min {seconds} s")
        super().close()

    # What records say

    def _text(self, record: logging.LogRecord) -> str | None:
        """What to print of a record; None if nothing."""
        event = getattr(record, "event", None)
        if self.common_settings.dryrun or self.common_settings.verbose:
            return self.format(record)
        if event == LogEvent.JOB_INFO:
            self._jobs[record.jobid] = (record.rule_name, dict(record.wildcards or {}))
            self._note("start", record.jobid, time.monotonic())
        elif event == LogEvent.JOB_FINISHED:
            self._note("end", record.job_id, time.monotonic())
        elif event == LogEvent.PROGRESS and self.progress:
            self.progress.dropped = self._total - record.total
        elif event == LogEvent.PROGRESS:
            return f"{record.done} of {record.total} jobs done"
        elif event == LogEvent.JOB_ERROR:
            self._note("fail", record.jobid)
            return _failure(record, self._cluster)
        elif event == LogEvent.ERROR:
            text = self.format(record)
            if record.exception in _AGAIN or _AT_THE_END in text:
                return None
            return (_NO_YAML in text and _yaml_mistake(sys.argv)) or _without_traceback(text)
        elif record.levelno >= logging.WARNING or record.getMessage().startswith(_SHOWN):
            return self.format(record)
        return None

    def _note(self, what: str, jobid: int, *now: float) -> None:
        if self.progress and jobid in self._jobs:
            getattr(self.progress, what)(*self._jobs[jobid], *now)

    # The stream

    def _tick(self) -> None:
        while not self._stop.wait(1.0 if self.live else EVERY):
            with self.lock:
                self._show()

    def _show(self) -> None:
        line = self.progress.line(time.monotonic())
        if self.live:
            width = shutil.get_terminal_size().columns - 1
            # The cursor goes back, so that a line that a job prints begins at the left.
            self._write(f"\x1b[2K{line[:width]}\r")
        elif line != self._last:
            self._write(f"{line}\n")
        self._last = line

    def _print(self, text: str) -> None:
        self._clear()
        self._write(f"{text}\n")

    def _clear(self) -> None:
        if self.live:
            self._write("\r\x1b[2K")

    def _write(self, text: str) -> None:
        self.stream.write(text)
        self.stream.flush()


def _failure(record: logging.LogRecord, cluster: bool) -> str | None:
    """A failed job, its reason and its logs, in one line; None if it has said so itself."""
    logs = [str(path) for path in record.log or []]
    reason = next(filter(None, map(_reason, logs)), "")
    if reason and not cluster:
        return None
    where = f" (log: {', '.join(logs)})" if logs else ""
    return f"{record.rule_name}: {reason or 'failed without a reason'}{where}"


def _reason(log: str) -> str:
    """The error in the log of a job that ended by itself: its traceback's last line."""
    try:
        text = Path(log).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    if "Traceback (most recent call last):" not in text:
        return ""
    last = text.rstrip().rpartition("\n")[2].strip()
    return re.sub(r"^(\w+\.)+UserError: ", "", last)[:LONGEST]


def _without_traceback(text: str) -> str:
    """An error without the lines of the code that it came from."""
    if "Traceback (most recent call last):" in text:
        return f"{text.rstrip().rpartition(chr(10))[2]} (more with VERBOSE=1)"
    lines = [line for line in text.splitlines() if not re.match(r'\s+File ".*", line \d+', line)]
    return "\n".join(lines).strip()


def _yaml_mistake(arguments: list[str]) -> str | None:
    """The first mistake in the files of ``--configfile``, with its place; Snakemake names none."""
    from workflow_scripts.common.errors import UserError
    from workflow_scripts.experiment.checks import check_configfiles

    after = itertools.dropwhile(
        lambda word: word not in ("--configfile", "--configfiles"), arguments
    )
    paths = itertools.takewhile(
        lambda word: not word.startswith("-"), itertools.islice(after, 1, None)
    )
    try:
        check_configfiles([Path(path) for path in paths])
    except UserError as error:
        return f"Tunescape: {error}"
    return None
