"""What the code of a workflow script means, as a hash, and why an output is stale or fresh.

Snakemake notices a changed script by its modification time and does not look at the modules
that the script imports. A rule that passes ``code_of(script)`` among its ``params`` is rerun
exactly when the meaning of something that the script can reach has changed: a function, class,
constant or statement, in the script or in any module of this repository. Comments, docstrings,
formatting, annotations without effect and modification times do not count.
"""

from collections.abc import Iterable
from functools import cache
from pathlib import Path

from workflow_scripts.codehash.reach import Reach, Reached, Reaches
from workflow_scripts.rebuilds.records import (
    LIBRARIES,
    read_output_record,
    versions,
)

ROOT = Path(__file__).resolve().parents[2]


def code_of(script: str, root: Path | None = None) -> str:
    """Hash (16 hex digits) of what a script means, with all that it can reach.

    Each file is read once in the life of a process.

    Parameters
    ----------
    script : path of the script, relative to ``root``.
    root : folder of the workflow; this repository by default.

    Raises
    ------
    FileNotFoundError : if there is no such script.
    SyntaxError : if a file that it reaches is no Python.
    """
    return reach(script, root).code


def reached_by(script: str, root: Path | None = None) -> tuple[Reached, ...]:
    """The definitions and data files that a script's hash covers, in the order of discovery.

    What counts because it could not be told apart says so in ``unresolved``.
    """
    return reach(script, root).reached


@cache
def reach(script: str, root: Path | None = None) -> Reach:
    """All that a script reaches, with its hash; see ``code_of``."""
    return _reaches(root or ROOT).of(script)


@cache
def _reaches(root: Path) -> Reaches:
    return Reaches(root)


def made_with(libraries: Iterable[str], output: str, renew: bool) -> dict[str, str]:
    """Versions of the libraries that a script uses, as the params of the job that makes an output.

    Snakemake runs a job again if they differ from those of the job that made the output. So they
    are those that the output's record tells, though others may be installed now, unless the user
    asks for ``renew``.

    Parameters
    ----------
    libraries : that the script uses, see ``Reach``.
    output : path of one of the job's outputs, relative to the folder of the run.
    renew : the versions installed now count.
    """
    installed = _versions()
    used = set(libraries)
    used |= {"tokenizers"} if "transformers" in used else set()
    now = {name: installed[name] for name in LIBRARIES if name in used and name in installed}
    known = read_output_record(output)
    told = known.get("libraries")
    if told is None:
        return now
    # What the job was told may be older than what it then ran with: it ran for another reason.
    ran_with = known.get("versions", {})
    if not renew or all(ran_with.get(name) == wanted for name, wanted in now.items()):
        return told
    # Where the versions of today are back, it was told them before; Snakemake wants a difference.
    return now if now != told else {name: f"{wanted} again" for name, wanted in now.items()}


_versions = cache(versions)


def forget() -> None:
    """Read all files again from now on."""
    reach.cache_clear()
    _reaches.cache_clear()
