"""Records of outputs, kept beside the results, and digests of the content of files."""

import hashlib
import json
import os
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from workflow_scripts.common.tables import PROVENANCE, atomic

RESULTS = "results"
# Params of a rule that make its outputs stale: settings; hash of the script's code; versions of
# libraries; digests of source files; inputs by name, in order; the script of rules that share one.
TRACKED = ("spec", "code", "libraries", "sources", "inputs", "drawing")
# Libraries whose version can change a number.
LIBRARIES = ("torch", "transformers", "tokenizers", "datasets", "numpy", "scipy", "pandas")
# Snakemake compares the content, not the time, of inputs up to this size: see profiles/.
LARGEST_CHECKED = 20_000_000


def record_path(output: str) -> Path:
    """Path of an output's record, such as ``results/provenance/data/nli/card.json.json``.

    Parameters
    ----------
    output : str
        Path relative to the folder of the run, below ``results``.
    """
    return Path(RESULTS, "provenance", f"{Path(output).relative_to(RESULTS)}.json")


def read_output_record(output: str) -> dict[str, Any]:
    """Record of an output; empty if there is none, or none that can be read."""
    try:
        return json.loads(record_path(output).read_text(encoding="utf-8"))
    except (FileNotFoundError, json.JSONDecodeError):
        return {}


def write_output_record(output: str, known: dict[str, Any]) -> None:
    """Write an output's record, whole or not at all. Keys keep their order."""
    with atomic(record_path(output)) as draft:
        draft.write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")


def recorded_outputs() -> Iterator[str]:
    """Outputs that have a record, whether or not they still exist, in no particular order."""
    top = os.path.join(RESULTS, "provenance")
    for folder, _, files in os.walk(top):
        below = os.path.relpath(folder, top)
        for name in files:
            if name.endswith(".json") and not name.startswith("."):
                yield os.path.normpath(os.path.join(RESULTS, below, name.removesuffix(".json")))


def file_digest(path: Path) -> str:
    """``sha256:`` and the SHA-256 of a file's bytes, as Snakemake writes it."""
    with Path(path).open("rb") as file:
        return "sha256:" + hashlib.file_digest(file, "sha256").hexdigest()


def small_file_digest(path: Path) -> str | None:
    """``file_digest`` of a file that is not larger than ``LARGEST_CHECKED``, else None."""
    path = Path(path)
    return file_digest(path) if path.stat().st_size <= LARGEST_CHECKED else None


def content_digest(path: Path) -> str:
    """SHA-256 of the content of a file of the workflow, without the provenance inside it.

    The content is, for a Parquet file, the pages and the schema; for a safetensors file, the
    tensors with their names; for JSON, the values; for other files, the bytes.
    """
    path = Path(path)
    if path.suffix == ".parquet":
        return _parquet_digest(path)
    if path.suffix == ".safetensors":
        return _safetensors_digest(path)
    if path.suffix == ".json":
        held = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(held, dict):
            held.pop("provenance", None)
        return hashlib.sha256(json.dumps(held, sort_keys=True).encode()).hexdigest()
    return file_digest(path).removeprefix("sha256:")


def _parquet_digest(path: Path) -> str:
    import pyarrow.parquet as pq

    schema = pq.read_schema(path)
    kept = {key: value for key, value in (schema.metadata or {}).items() if key != PROVENANCE}
    digest = hashlib.sha256(schema.remove_metadata().to_string().encode())
    digest.update(repr(sorted(kept.items())).encode())
    with path.open("rb") as file:
        file.seek(-8, os.SEEK_END)
        footer = int.from_bytes(file.read(4), "little")
        _add_bytes(digest, file, 4, path.stat().st_size - 8 - footer)
    return digest.hexdigest()


def _safetensors_digest(path: Path) -> str:
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(length))
        header.pop("__metadata__", None)
        digest = hashlib.sha256(json.dumps(header, sort_keys=True).encode())
        _add_bytes(digest, file, 8 + length, path.stat().st_size)
    return digest.hexdigest()


def _add_bytes(digest, file, start: int, stop: int) -> None:
    file.seek(start)
    while start < stop:
        block = file.read(min(stop - start, 1 << 20))
        digest.update(block)
        start += len(block)


def is_damaged(output: str) -> bool:
    """Whether an output's bytes differ from those that its job wrote, by the output's record.

    An output that does not exist, or has no record, is not damaged. In results of earlier
    versions, whose records lack the checksum of the bytes, only the content counts.
    """
    path, known = Path(output), read_output_record(output)
    if not path.is_file():
        return False
    if "bytes" in known:
        return file_digest(path) != known["bytes"]
    try:
        return "content" in known and content_digest(path) != known["content"]
    except Exception:  # whatever a broken file makes its reader raise
        return True


def damaged_outputs() -> tuple[list[str], int]:
    """Damaged outputs below the working directory, sorted, and the number of outputs checked."""
    present = sorted(output for output in recorded_outputs() if os.path.isfile(output))
    return [output for output in present if is_damaged(output)], len(present)


def digest_lines(paths: list[Path]) -> str:
    """Text of a ``*.digest`` file: a line per file, the digest of its content and its name."""
    return "".join(f"{content_digest(path)}  {Path(path).name}\n" for path in paths)


def versions() -> dict[str, str]:
    """Versions of the installed libraries that can change a number, and of Python."""
    found = {"python": ".".join(map(str, sys.version_info[:3]))}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:  # the figures' environment has no torch
            continue
    return found


def folder_digests(paths: list[Path]) -> dict[str, dict[str, str]]:
    """``source_digests`` of files of several folders, by the folder."""
    folders = sorted({path.parent for path in paths})
    return {
        str(folder): source_digests([path for path in paths if path.parent == folder])
        for folder in folders
    }


def source_digests(paths: list[str]) -> dict[str, str]:
    """Digests of source files from outside, which may be large and may keep old time stamps.

    A digest is kept in ``.snakemake`` while size, times, inode and path are the same; the time of
    the last status change (ctime) cannot be set back.

    Parameters
    ----------
    paths : list of str
        The files.

    Returns
    -------
    dict of str to str
        Digest by the name of the file.

    Raises
    ------
    FileNotFoundError
        If a file does not exist.
    """
    kept_in = Path(".snakemake", "tunescape_sources.json")
    try:
        kept = json.loads(kept_in.read_text(encoding="utf-8"))
    except (FileNotFoundError, json.JSONDecodeError):
        kept = {}
    found, new = {}, False
    for path in sorted(map(str, paths)):
        stat = os.stat(path)
        facts = [stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino]
        if kept.get(path, [None])[0] != facts:
            kept[path], new = [facts, file_digest(Path(path))], True
        found[os.path.basename(path)] = kept[path][1]
    if new:
        with atomic(kept_in) as draft:
            draft.write_text(json.dumps(kept), encoding="utf-8")
    return found
