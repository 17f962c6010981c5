"""What the code of a workflow script means, as a hash.

Snakemake notices a changed script by its modification time and does not look at the modules
that the script imports. A rule that passes ``code_of(script)`` among its ``params`` is rerun
exactly when the meaning of something that the script can reach has changed: a function, class,
constant or statement, in the script or in any module of this repository. Comments, docstrings,
formatting, annotations without effect and modification times do not count.
"""

from functools import cache
from pathlib import Path

from workflow_scripts.codehash.reach import CodeClosure, Dependency, DependencyGraph

ROOT = Path(__file__).resolve().parents[2]


def code_of(script: str, root: Path | None = None) -> str:
    """Hash of what a script means, with all that it can reach.

    Each file is read once per process.

    Parameters
    ----------
    script : str
        Path of the script, relative to ``root``.
    root : Path, optional
        Folder of the workflow; this repository by default.

    Returns
    -------
    str
        16 hex digits.

    Raises
    ------
    FileNotFoundError
        If there is no such script.
    SyntaxError
        If a file that it imports is not valid Python.
    """
    return reach(script, root).code


def reached_by(script: str, root: Path | None = None) -> tuple[Dependency, ...]:
    """The definitions and data files that a script's hash covers, in the order of discovery.

    Where one counts although no name leads to it, ``unresolved`` says why.

    Parameters
    ----------
    script, root
        See ``code_of``.
    """
    return reach(script, root).reached


@cache
def reach(script: str, root: Path | None = None) -> CodeClosure:
    """All that a script reaches, with its hash; see ``code_of``."""
    return _graph(root or ROOT).of(script)


@cache
def _graph(root: Path) -> DependencyGraph:
    return DependencyGraph(root)


def files_seen(root: Path | None = None) -> dict[str, str]:
    """What was looked at to find the hashes of this process, see ``codehash.files``."""
    return dict(_graph(root or ROOT).repository.files.seen)


def clear_cache() -> None:
    """Read all files again from now on."""
    reach.cache_clear()
    _graph.cache_clear()
