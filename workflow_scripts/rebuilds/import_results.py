"""Import of results that Snakemake has no record of, from the records beside the results."""

import base64
import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from workflow_scripts.common.tables import atomic
from workflow_scripts.rebuilds.records import (
    content_digest,
    file_digest,
    read_output_record,
    recorded_outputs,
)

# Snakemake's version of its metadata format (9.27: persistence.RECORD_FORMAT_VERSION).
_FORMAT = 6
_LONGEST_NAME = 255
_LONG_AGO = 315532800  # 1980, the earliest time that all file systems keep


def _snakemake_path(kind: str, output: str) -> Path:
    """Where Snakemake keeps its metadata of an output: a path made of base64."""
    name = base64.urlsafe_b64encode(output.encode()).decode()
    step = _LONGEST_NAME - 1
    parts = [name[i : i + step] for i in range(0, len(name), step)]
    return Path(".snakemake", kind, *(f"@{part}" for part in parts[:-1]), parts[-1])


def unknown_outputs() -> list[str]:
    """Outputs that have a record of this workflow but no metadata of Snakemake, sorted.

    Without its metadata Snakemake compares time stamps only: changed settings and code would
    go unnoticed. Files that a killed job left behind are not among them: Snakemake knows those.
    """
    return sorted(
        output
        for output in recorded_outputs()
        if not _snakemake_path("metadata", output).exists()
        and os.path.exists(output)
        and not _snakemake_path("incomplete", output).exists()
    )


@dataclass
class Imported:
    """Outputs, by what ``import_results`` did with them.

    Parameters
    ----------
    as_recorded : list of str
        Imported; their inputs are those of their records.
    inputs_differ : list of str
        Imported, and marked as old, since their inputs have changed.
    damaged : list of str
        Left alone, since their content is not that of their records.
    """

    as_recorded: list[str] = field(default_factory=list)
    inputs_differ: list[str] = field(default_factory=list)
    damaged: list[str] = field(default_factory=list)


def import_results() -> Imported:
    """Give Snakemake, for each result without metadata, what the result's record says.

    Snakemake then finds out which of them today's code and settings make stale. A file whose
    inputs are no longer those of its record gets the time stamp of 1980, so that it is rebuilt. A
    file whose content is not that of its record is left alone.
    """
    done = Imported()
    for output in unknown_outputs():
        record = read_output_record(output)
        if record.get("content") != content_digest(Path(output)):
            done.damaged.append(output)
            continue
        with atomic(_snakemake_path("metadata", output)) as draft:
            draft.write_text(json.dumps(_as_metadata(record)), encoding="utf-8")
        if _inputs_unchanged(record):
            done.as_recorded.append(output)
        else:
            os.utime(output, (_LONG_AGO, _LONG_AGO))
            done.inputs_differ.append(output)
    return done


def _as_metadata(record: dict[str, Any]) -> dict[str, Any]:
    """A record in the form of Snakemake's metadata."""
    known = {path: digest for path, digest in record["inputs"].items() if digest}
    return {
        "rule": record["rule"],
        "input": record["input"],
        "log": sorted(record["log"]),
        "params": record["params"],
        "record_format_version": _FORMAT,
        "input_checksums": known,
        "incomplete": False,
        "starttime": 0.0,
        "endtime": 0.0,
    }


def _inputs_unchanged(record: dict[str, Any]) -> bool:
    """Whether the inputs that were small enough to be compared have the recorded digests."""
    return all(
        os.path.exists(path) and file_digest(Path(path)) == digest
        for path, digest in record["inputs"].items()
        if digest and path.startswith("results")
    )
