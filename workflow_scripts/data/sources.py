"""Where a task's examples come from: what a source may be, and the files that it names.

Imported while the workflow is planned: only the standard library at the top.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from workflow_scripts.common.errors import UserError, listed, nearest
from workflow_scripts.common.paths import absolute

SCHEMES = {
    "synthetic": "synthetic:NAME",
    "hub": "hub:OWNER/NAME[/CONFIG]@COMMIT",
    "dir": "dir:/FOLDER or dir:/FOLDER/TRAIN,DEV",
}
CORPUS = "dir:/FOLDER, dir:/FOLDER/FILE.conllu or dir:/FOLDER/TRAIN,DEV"
# File formats; the text ones may be compressed with gzip as well.
TEXT_SUFFIXES = (".tsv", ".csv", ".jsonl")
SUFFIXES = (*TEXT_SUFFIXES, *(f"{suffix}.gz" for suffix in TEXT_SUFFIXES), ".parquet")
# Of files whose labels belong to words.
CORPUS_SUFFIXES = (".conllu", ".tsv")
# Usual names of a dev set.
DEV_NAMES = ("dev", "validation", "validation_matched", "dev_matched", "valid", "val")


@dataclass(frozen=True)
class Synthetic:
    """A task generated from a grammar of this project."""

    task: str


@dataclass(frozen=True)
class Hub:
    """A data set of the Hugging Face hub at one commit."""

    repo: str
    config: str | None
    revision: str


@dataclass(frozen=True)
class Files:
    """A folder with a training and a dev file, or the paths of the two, joined by a comma."""

    place: str


def parse_source(source: str) -> Synthetic | Hub | Files:
    """Parse a task's ``source``; files are not looked at.

    Raises
    ------
    UserError
        If the scheme is unknown, the source is malformed, or a hub source has no commit, so that
        its contents could change.
    """
    scheme, colon, rest = source.partition(":")
    if not colon or scheme not in SCHEMES:
        raise UserError(
            f"source {source!r}: got scheme {scheme!r}, allowed: {', '.join(SCHEMES.values())}"
            f"{_right_scheme(source)}"
        )
    if not rest:
        raise UserError(f"source {source!r}: nothing after the colon, allowed: {SCHEMES[scheme]}")
    return {"synthetic": Synthetic, "hub": _parse_hub, "dir": Files}[scheme](rest)


def _right_scheme(source: str) -> str:
    if source.startswith(("/", "~", "$", "./", "../")):
        return f"; did you mean 'dir:{source}'?"
    return nearest(source.partition(":")[0], SCHEMES)


def _parse_hub(rest: str) -> Hub:
    name, at, revision = rest.partition("@")
    parts = name.split("/")
    if not 2 <= len(parts) <= 3 or not all(parts):
        raise UserError(f"source 'hub:{rest}': got {name!r}, allowed: {SCHEMES['hub']}")
    if not re.fullmatch(r"[0-9a-f]{40}", revision):
        got = f"got {revision!r}, a name that can move" if at else "no revision"
        raise UserError(f"source 'hub:{rest}': {got}, allowed: @COMMIT, a commit of 40 hex digits")
    return Hub("/".join(parts[:2]), parts[2] if len(parts) == 3 else None, revision)


def find_corpora(source: Files, dev_split: str | None = None) -> list[Path]:
    """Files of a ``dir:`` source whose labels belong to words: one that is to be divided, or two.

    Parameters
    ----------
    source, dev_split
        As in ``find_files``; the source may also be one file, or a folder with one CoNLL-U file.

    Raises
    ------
    UserError
        If ``find_files`` would raise it.
    """
    whole = absolute(source.place, f"source 'dir:{source.place}'")
    if whole.is_file():
        format_of(whole, CORPUS_SUFFIXES)
        return [whole]
    if whole.is_dir() and dev_split is None:
        files = [path for path in sorted(whole.glob("*.conllu")) if path.is_file()]
        if len(files) == 1:
            return files
    return list(find_files(source, dev_split, CORPUS_SUFFIXES))


def find_files(
    source: Files, dev_split: str | None = None, suffixes: Sequence[str] = SUFFIXES
) -> tuple[Path, Path]:
    """The training and the dev file of a ``dir:`` source.

    ``~`` and environment variables are expanded. A comma may be part of a path: what exists
    decides how ``/FOLDER/TRAIN,DEV`` is split.

    Parameters
    ----------
    source : Files
        Of ``parse_source``.
    dev_split : str, optional
        The dev file of a folder, with or without its ending; by default one of ``DEV_NAMES``.
    suffixes : sequence of str
        Endings of the files.

    Raises
    ------
    UserError
        If the path is not absolute, a variable is not set, a file is missing, or more than one
        file could be meant.
    """
    what = f"source 'dir:{source.place}'"
    whole = absolute(source.place, what)
    if whole.is_dir():
        return _in_folder(whole, dev_split, suffixes)
    if whole.is_file():
        raise UserError(f"{whole} is a file, allowed: {SCHEMES['dir']}")
    if "," not in source.place:
        raise UserError(f"no folder {whole}{_nearby(whole)}")
    commas = [i for i, character in enumerate(source.place) if character == ","]
    splits = [_two_paths(source.place, comma, what) for comma in commas]
    present = [split for split in splits if all(path.is_file() for path in split)]
    if len(present) > 1:
        raise UserError(f"{what}: {len(present)} of its commas could separate two files")
    # What is missing is said of the likeliest split.
    likely = [split for split in splits if split[0].is_file()] or [
        split for split in splits if _ending(split[0], suffixes)
    ]
    train, dev = (present or likely or splits)[0]
    for path in (train, dev):
        if not path.is_file():
            raise UserError(f"no file {path}{_nearby(path)}")
        format_of(path, suffixes)
    if train.samefile(dev):
        raise UserError(f"{what}: {train} is training set and dev set at once")
    return train, dev


def _two_paths(place: str, comma: int, what: str) -> tuple[Path, Path]:
    """The second name is relative to the first one's folder, unless it is absolute."""
    train = absolute(place[:comma], what)
    dev = os.path.expanduser(os.path.expandvars(place[comma + 1 :].strip()))
    return train, train.parent / dev


def _in_folder(folder: Path, dev_split: str | None, suffixes: Sequence[str]) -> tuple[Path, Path]:
    files = [p for p in sorted(folder.iterdir()) if p.is_file() and not p.name.startswith(".")]
    tables = {path: path.name[: -len(end)] for path in files if (end := _ending(path, suffixes))}
    train = _only(folder, tables, ("train",), suffixes)
    if dev_split is not None and (folder / dev_split).is_file():
        format_of(folder / dev_split, suffixes)
        return train, folder / dev_split
    return train, _only(folder, tables, (dev_split,) if dev_split else DEV_NAMES, suffixes)


def _only(
    folder: Path, tables: dict[Path, str], names: Sequence[str], suffixes: Sequence[str]
) -> Path:
    """The one file whose name without its ending is among these."""
    matches = [path for path, stem in tables.items() if stem in names]
    if not matches:
        raise UserError(
            f"no file {' or '.join(names)} ({', '.join(suffixes)}) in {folder}; it holds "
            f"{listed(path.name for path in tables) or 'no tables'}"
            f"{nearest(names[0], tables.values())}"
        )
    if len(matches) > 1:
        split = "training set" if names == ("train",) else "dev set"
        raise UserError(
            f"{folder}: more than one file could be the {split}: "
            f"{listed(path.name for path in matches)}; name the two files to use: "
            "dir:/FOLDER/TRAIN,DEV"
        )
    return matches[0]


def _ending(path: Path, suffixes: Sequence[str]) -> str:
    """The ending of a table's name, in lower case; empty for other files."""
    name = path.name.lower()
    return next((s for s in suffixes if name.endswith(s) and name != s), "")


def format_of(path: Path, suffixes: Sequence[str] = SUFFIXES) -> str:
    """Format of a table by the last ending of its name: one of ``suffixes``."""
    if not (ending := _ending(path, suffixes)):
        raise UserError(f"{path}: got the ending {path.suffix!r}, allowed: {', '.join(suffixes)}")
    return ending


def _nearby(path: Path) -> str:
    """The nearest name in the folder of a missing path."""
    if not path.parent.is_dir():
        return f"; there is no folder {path.parent} either"
    return nearest(path.name, os.listdir(path.parent))
