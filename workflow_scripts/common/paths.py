"""Paths as people write them in a configuration. Only the standard library is imported."""

import os
import re
from collections.abc import Iterable
from pathlib import Path

from workflow_scripts.common.errors import UserError

_POINTER = b"version https://git-lfs.github.com/spec/"


def expanded(path: str, what: str) -> Path:
    """A path with ``~`` and ``$VARIABLES`` replaced; a path that exists is taken as it is.

    Parameters
    ----------
    path : str
        As it was written.
    what : str
        Begins the message: the key and its value.

    Raises
    ------
    UserError
        If a variable is not set.
    """
    if os.path.exists(path):
        return Path(path)
    result = os.path.expanduser(os.path.expandvars(path))
    if missing := re.search(r"\$(\w+|\{[^}]*\})", result):
        raise UserError(f"{what}: the environment variable {missing[0]} is not set")
    return Path(result)


def absolute(path: str, what: str) -> Path:
    """``expanded``, for a path that must mean the same wherever it is read from.

    Planning and the run may have different working directories.

    Raises
    ------
    UserError
        If a variable is not set, or the path is relative.
    """
    result = expanded(path, what)
    if result.is_absolute():
        return result
    here = Path.cwd()  # of a run, a folder of the repository
    near = next((p / result for p in (here, *here.parents) if (p / result).exists()), None)
    raise UserError(
        f"{what}: expected an absolute path, since a run may start in another folder"
        f"{f'; did you mean {near}?' if near else ''}"
    )


def check_not_pointer(path: Path) -> None:
    """Check that a file is not what git leaves in its place without Git LFS.

    Raises
    ------
    UserError
        If it is a Git LFS pointer.
    """
    with path.open("rb") as file:
        start = file.read(len(_POINTER))
    if start == _POINTER:
        raise UserError(f"{path}: is a Git LFS pointer, not the file itself; run `git lfs pull`")


def as_inputs(paths: Iterable[Path]) -> list[str]:
    """Source files as inputs of a rule; none if Snakemake would see a wildcard in one of them.

    Snakemake has no way to write ``{x}`` for a folder of that name. Such files are still read, and
    their digests among the rule's params still say when they change.
    """
    names = [str(path) for path in paths]
    return [] if any(re.search(r"\{\s*\w+\s*(,.*)?\}", name) for name in names) else names
