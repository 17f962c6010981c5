"""What the code of a workflow script means, as a hash, and why an output is stale or fresh.

Snakemake notices a changed script by its modification time and does not look at the modules
that the script imports. A rule that passes ``code_of(script)`` among its ``params`` is rerun
exactly when the meaning of something that the script can reach has changed: a function, class,
constant or statement, in the script or in any module of this repository. Comments, docstrings,
formatting, annotations without effect and modification times do not count.
"""

import argparse
import os
import shlex
import sys
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from workflow_scripts.common.errors import UserError, nearest
from workflow_scripts.common.reach import Reach, Reached, Reaches
from workflow_scripts.common.records import (
    LIBRARIES,
    damaged_outputs,
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


def _why(arguments: argparse.Namespace) -> str:
    from workflow_scripts.common.why import why

    configfiles = [path.resolve() for path in arguments.configfile]
    os.chdir(arguments.directory)
    return "\n".join(why(arguments.output, configfiles).lines())


def _adopt(arguments: argparse.Namespace) -> str:
    from workflow_scripts.common.adopt import adopt

    os.chdir(arguments.directory)
    found = adopt()
    lines = [f"{len(found.as_recorded)} files taken over by their records"]
    lines += [f"made again, since their inputs differ: {o}" for o in found.inputs_differ]
    lines += [f"left alone, does not hold what its record says: {o}" for o in found.damaged]
    return "\n".join(lines)


def _check(arguments: argparse.Namespace) -> str:
    os.chdir(arguments.directory)
    damaged, looked_at = damaged_outputs()
    done = "deleted" if arguments.delete else "damaged"
    lines = [f"{done}: {o} ({read_output_record(o).get('rule')})" for o in damaged]
    lines.append(f"{looked_at - len(damaged)} of {looked_at} files are as they were written")
    if arguments.delete and damaged:
        for output in damaged:
            os.unlink(output)
        # Snakemake makes a file that is gone only for a job that has to run.
        again = shlex.join(["snakemake", *damaged, "--directory", os.getcwd()])
        lines.append(f"make them again, with the run's --configfile and --cores: {again}")
    elif damaged:
        print("\n".join(lines))
        sys.exit(1)
    return "\n".join(lines)


def _reached(arguments: argparse.Namespace) -> str:
    if not (ROOT / arguments.script).is_file():
        there = [p.relative_to(ROOT).as_posix() for p in ROOT.glob("workflow_scripts/*/*.py")]
        raise UserError(f"{arguments.script}: no such script{nearest(arguments.script, there)}")
    return "\n".join(map(str, reached_by(arguments.script)))


def main() -> None:
    """``python -m workflow_scripts.common.provenance why | adopt | check | reached``."""
    parser = argparse.ArgumentParser(
        prog="python -m workflow_scripts.common.provenance",
        description="what makes results stale",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    command = commands.add_parser("why", help="say why an output is stale or fresh")
    command.add_argument("output", help="such as results/figures/minilm/figure1.pdf")
    command.add_argument("--configfile", nargs="+", type=Path, default=[])
    command.set_defaults(does=_why)
    command.add_argument("--directory", type=Path, default=Path("."), help="the run's folder")
    command = commands.add_parser("adopt", help="take over results that Snakemake knows nothing of")
    command.add_argument("--directory", type=Path, default=Path("."), help="the run's folder")
    command.set_defaults(does=_adopt)
    command = commands.add_parser("check", help="find files that are not as they were written")
    command.add_argument("--directory", type=Path, default=Path("."), help="the run's folder")
    command.add_argument("--delete", action="store_true", help="so that they are made again")
    command.set_defaults(does=_check)
    command = commands.add_parser("reached", help="list what a script's hash covers")
    command.add_argument("script", help="such as workflow_scripts/landscape/evaluate_rows.py")
    command.set_defaults(does=_reached)
    arguments = parser.parse_args()
    try:
        print(arguments.does(arguments))
    except UserError as error:
        sys.exit(f"provenance: {error}")


if __name__ == "__main__":
    main()
