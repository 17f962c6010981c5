"""What the start of a run warns of: results edited by hand, and a missing profile."""

import json
import os
import re
import shlex
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from workflow_scripts.common.tables import write_text
from workflow_scripts.rebuilds.records import (
    is_damaged,
    read_output_record,
    record_path,
    recorded_outputs,
)

_CHECKED = Path(".snakemake", "tunescape_checked.json")
# Checkpoints, of which `finetune.keep: ends` deletes those between the first and the last.
_CHECKPOINT = re.compile(r"(.*)/epoch(\d+)\.safetensors")


def edited_outputs() -> list[str]:
    """Outputs whose bytes differ from those that their jobs wrote, sorted.

    It is quick: the bytes are only compared if a file's size is another or its time is later than
    that of its record, and once for each state of a file.
    """
    try:
        known = json.loads(_CHECKED.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        known = {}
    edited, checked = [], {}
    for output in recorded_outputs():
        try:
            facts = os.stat(output)
            written = os.stat(record_path(output))
        except FileNotFoundError:
            continue
        state = [facts.st_size, facts.st_mtime_ns, facts.st_ino, written.st_mtime_ns]
        later = facts.st_mtime_ns > written.st_mtime_ns
        if not later and facts.st_size == read_output_record(output).get("size", facts.st_size):
            continue
        if known.get(output) != state and is_damaged(output):
            edited.append(output)
        else:
            checked[output] = state
    if checked != known:
        write_text(json.dumps(checked) + "\n", _CHECKED)
    return sorted(edited)


def edited_warning() -> str | None:
    """One line on outputs that were edited; None if there are none."""
    edited = edited_outputs()
    if not edited:
        return None
    some = f"{len(edited)} results are" if len(edited) > 1 else "1 result is"
    return (
        f"Tunescape: {some} not as written, such as {edited[0]} (edited by hand?); to see all: "
        f"python -m {__package__} check --directory {shlex.quote(os.getcwd())}"
    )


def trigger_warning(triggers: Iterable[Any]) -> str | None:
    """One line on a run without the workflow's profile; None if there is no need.

    Parameters
    ----------
    triggers : iterable
        ``workflow.dag_settings.rerun_triggers``, known as soon as Snakemake evaluates params.
    """
    names = {
        str(getattr(trigger, "name", trigger)).lower().replace("_", "-") for trigger in triggers
    }
    if "code" not in names:
        return None
    return (
        "Tunescape: Snakemake's rerun trigger `code` is on, so every result older than its script "
        "is rebuilt, as after each git clone or checkout; use this workflow's profile "
        "(--workflow-profile FOLDER/profiles/default), or add --rerun-triggers mtime params input "
        "software-env --max-checksum-file-size 20MB"
    )


def deleted_intermediates() -> list[str]:
    """Outputs that were deleted although a file that was made from them exists, sorted.

    Snakemake rebuilds such a file only if it is asked for by name, or if another job needs it.
    """
    present = [output for output in recorded_outputs() if os.path.exists(output)]
    inputs = {path for output in present for path in read_output_record(output).get("inputs", {})}
    gone = {o for o in recorded_outputs() if not os.path.exists(o)} & inputs
    ends: dict[str, list[int]] = {}
    for output in recorded_outputs():
        if match := _CHECKPOINT.fullmatch(output):
            ends.setdefault(match[1], []).append(int(match[2]))
    return sorted(output for output in gone if not _is_between(output, ends))


def _is_between(output: str, epochs: dict[str, list[int]]) -> bool:
    """Whether an output is a checkpoint between the first and the last of its run."""
    match = _CHECKPOINT.fullmatch(output)
    return bool(match) and min(epochs[match[1]]) < int(match[2]) < max(epochs[match[1]])
