"""Results that Snakemake knows nothing of: found, and taken over by their records."""

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
    versions,
)

# Snakemake's own numbering of what it keeps of an output (9.27: persistence.RECORD_FORMAT_VERSION).
_FORMAT = 6
_LONGEST_NAME = 255


def _snakemake_path(kind: str, output: str) -> Path:
    """Where Snakemake keeps what it knows of an output: a path made of base64."""
    name = base64.urlsafe_b64encode(output.encode()).decode()
    step = _LONGEST_NAME - 1
    parts = [name[i : i + step] for i in range(0, len(name), step)]
    return Path(".snakemake", kind, *(f"@{part}" for part in parts[:-1]), parts[-1])


def unknown_outputs() -> list[str]:
    """Outputs with a record of ours that Snakemake has none of, sorted.

    Without its own record Snakemake compares time stamps only: changed settings and code would
    go unnoticed. Files that a killed job left behind are not among them: Snakemake knows those.
    """
    return sorted(
        output
        for output in recorded_outputs()
        if not _snakemake_path("metadata", output).exists()
        and os.path.exists(output)
        and not _snakemake_path("incomplete", output).exists()
    )


def other_versions() -> dict[str, int]:
    """Libraries of which results were made with another version, with the number of files."""
    now, found = versions(), {}
    for output in recorded_outputs():
        record = read_output_record(output)
        for name in record.get("libraries") or {}:
            made_with = record.get("versions", {}).get(name)
            if name in now and made_with not in (None, now[name]) and os.path.exists(output):
                what = f"{name} {made_with} (now {now[name]})"
                found[what] = found.get(what, 0) + 1
    return found


@dataclass
class Adoption:
    """What ``adopt`` did: outputs by what was found of them."""

    as_recorded: list[str] = field(default_factory=list)
    inputs_differ: list[str] = field(default_factory=list)
    damaged: list[str] = field(default_factory=list)


def adopt() -> Adoption:
    """Tell Snakemake what the records say made each result that it does not know.

    It then sees by itself which of them today's code and settings would make otherwise. A file
    whose inputs are no longer those of its record gets the time stamp of 1980, so that it is made
    again. A file that does not hold what its record says is left alone.
    """
    found = Adoption()
    for output in unknown_outputs():
        record = read_output_record(output)
        if record.get("content") != content_digest(Path(output)):
            found.damaged.append(output)
            continue
        _write(_snakemake_path("metadata", output), _as_snakemake_keeps(record))
        if _inputs_hold(record):
            found.as_recorded.append(output)
        else:
            os.utime(output, (315532800, 315532800))
            found.inputs_differ.append(output)
    return found


def _as_snakemake_keeps(record: dict[str, Any]) -> dict[str, Any]:
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


def _inputs_hold(record: dict[str, Any]) -> bool:
    """Whether the inputs that were small enough to be compared hold what they held."""
    return all(
        os.path.exists(path) and file_digest(Path(path)) == digest
        for path, digest in record["inputs"].items()
        if digest and path.startswith("results")
    )


def _write(path: Path, value: dict[str, Any]) -> None:
    with atomic(path) as draft:
        draft.write_text(json.dumps(value), encoding="utf-8")
