"""Paths that know which runs, tasks and models they rest on."""

from collections.abc import Iterable
from typing import Self


class File(str):
    """A path below the folder of the run, or a pattern of paths.

    Parameters
    ----------
    path : str
        Relative to the folder of the run; ``{NAME}`` is filled in by Snakemake.
    rests_on : iterable of str
        Digest files of the tasks, models and runs that the file comes from: a job that takes the
        file takes these too. Snakemake looks again after a checkpoint, at the jobs that take one
        of its outputs, so a job must take the digests of all checkpoints that it rests on.
    by_digest : bool
        Whether the file's digest says if it has changed, instead of its time.
    """

    __slots__ = ("by_digest", "rests_on")

    def __new__(cls, path: str, rests_on: Iterable[str] = (), by_digest: bool = False) -> Self:
        file = super().__new__(cls, path)
        file.rests_on = tuple(dict.fromkeys(rests_on))
        file.by_digest = by_digest
        return file


Files = dict[str, "File | list[File]"]


def listed(files: "File | Iterable[File]") -> list[File]:
    """One file or many, as a list."""
    return [files] if isinstance(files, str) else list(files)


def digests_of(*files: "File | Iterable[File]") -> list[str]:
    """Digest files that these files rest on, sorted."""
    return sorted({digest for one in files for file in listed(one) for digest in file.rests_on})
