"""Command line: what makes results stale, and which are damaged.

python -m workflow_scripts.rebuilds explain | import | check | reached
"""

import argparse
import os
import shlex
import sys
from pathlib import Path
from typing import Any

from workflow_scripts.common.errors import UserError, listed, nearest
from workflow_scripts.common.provenance import ROOT, reached_by
from workflow_scripts.rebuilds.records import (
    damaged_outputs,
    read_output_record,
    recorded_outputs,
)
from workflow_scripts.rebuilds.warnings import deleted_intermediates


def _explain(arguments: argparse.Namespace) -> str:
    from workflow_scripts.rebuilds.explain import explain

    configfiles = [path.resolve() for path in arguments.configfile]
    os.chdir(arguments.directory)
    return "\n".join(explain(arguments.output, configfiles).lines())


def _import(arguments: argparse.Namespace) -> str:
    from workflow_scripts.rebuilds.import_results import import_results

    _enter(arguments.directory)
    done = import_results()
    if not (done.as_recorded or done.inputs_differ or done.damaged):
        return "nothing to import: Snakemake knows all results of this folder"
    lines = [f"{len(done.as_recorded)} files imported from their records"]
    lines += [f"to be rebuilt, its inputs have changed: {o}" for o in done.inputs_differ]
    lines += [f"left alone, its content is not that of its record: {o}" for o in done.damaged]
    return "\n".join(lines)


def _enter(directory: Path) -> None:
    """Go to a run's folder.

    Raises
    ------
    UserError
        If it has no results.
    """
    if directory.is_dir():
        os.chdir(directory)
        if any(True for _ in recorded_outputs()):
            return
    runs = sorted(path.parent.as_posix() for path in ROOT.glob("runs/*/results"))
    near = f"; results are in: {listed(runs)}" if runs else ""
    raise UserError(f"--directory: got {directory}, which has no results{near}")


def _check(arguments: argparse.Namespace) -> str:
    _enter(arguments.directory)
    damaged, checked = damaged_outputs()
    done = "deleted" if arguments.delete else "damaged"
    lines = [f"{done}: {o} ({read_output_record(o).get('rule')})" for o in damaged]
    lines.append(f"{checked - len(damaged)} of {checked} files are as they were written")
    deleted = deleted_intermediates()
    lines += [f"deleted, although what was made from it exists: {o}" for o in deleted]
    if deleted:
        # Snakemake does not miss them.
        again = shlex.join(["snakemake", *deleted, "--directory", os.getcwd()])
        lines.append(f"if they are needed, with the run's --configfile and --cores: {again}")
    if arguments.delete and damaged:
        for output in damaged:
            os.unlink(output)
        # Snakemake rebuilds a deleted file only if a job that has to run needs it.
        again = shlex.join(["snakemake", *damaged, "--directory", os.getcwd()])
        lines.append(f"to rebuild them, with the run's --configfile and --cores: {again}")
    elif damaged:
        print("\n".join(lines))
        sys.exit(1)
    return "\n".join(lines)


def _reached(arguments: argparse.Namespace) -> str:
    if not (ROOT / arguments.script).is_file():
        scripts = [p.relative_to(ROOT).as_posix() for p in ROOT.glob("workflow_scripts/*/*.py")]
        raise UserError(f"{arguments.script}: no such script{nearest(arguments.script, scripts)}")
    return "\n".join(map(str, reached_by(arguments.script)))


def _of_a_run(command: argparse.ArgumentParser, does: Any, configfile: str) -> None:
    """Options that Snakemake takes too, so that its command line can be copied."""
    command.add_argument("--directory", type=Path, default=Path("."), help="the run's folder")
    command.add_argument("--configfile", nargs="+", type=Path, default=[], help=configfile)
    command.set_defaults(does=does)


def main() -> None:
    """``python -m workflow_scripts.rebuilds explain | import | check | reached``."""
    parser = argparse.ArgumentParser(
        prog="python -m workflow_scripts.rebuilds",
        description="what makes results stale, and which are damaged",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    command = commands.add_parser("explain", help="say why an output is stale or fresh")
    command.add_argument("output", help="such as results/figures/minilm/figure1.pdf")
    _of_a_run(command, _explain, "experiment, as for snakemake")
    command = commands.add_parser("import", help="import results that Snakemake has no record of")
    _of_a_run(command, _import, "taken as snakemake takes it; of no account, as records say all")
    command = commands.add_parser("check", help="find files that were edited, damaged or deleted")
    command.add_argument("--delete", action="store_true", help="so that they are rebuilt")
    _of_a_run(command, _check, "taken as snakemake takes it; of no account, as records say all")
    command = commands.add_parser("reached", help="list what a script's hash covers")
    command.add_argument("script", help="such as workflow_scripts/landscape/evaluate_rows.py")
    command.set_defaults(does=_reached)
    arguments = parser.parse_args()
    try:
        print(arguments.does(arguments), flush=True)
    except BrokenPipeError:  # of `| head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except UserError as error:
        sys.exit(f"rebuilds: {error}")


if __name__ == "__main__":
    main()
