"""What makes results stale, asked on the command line.

python -m workflow_scripts.rebuilds explain | import | check | reached
"""

import argparse
import os
import shlex
import sys
from pathlib import Path

from workflow_scripts.common.errors import UserError, nearest
from workflow_scripts.common.provenance import ROOT, reached_by
from workflow_scripts.rebuilds.records import damaged_outputs, read_output_record


def _why(arguments: argparse.Namespace) -> str:
    from workflow_scripts.rebuilds.explain import why

    configfiles = [path.resolve() for path in arguments.configfile]
    os.chdir(arguments.directory)
    return "\n".join(why(arguments.output, configfiles).lines())


def _adopt(arguments: argparse.Namespace) -> str:
    from workflow_scripts.rebuilds.import_results import adopt

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
    """``python -m workflow_scripts.rebuilds explain | import | check | reached``."""
    parser = argparse.ArgumentParser(
        prog="python -m workflow_scripts.rebuilds",
        description="what makes results stale",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    command = commands.add_parser("explain", help="say why an output is stale or fresh")
    command.add_argument("output", help="such as results/figures/minilm/figure1.pdf")
    command.add_argument("--configfile", nargs="+", type=Path, default=[])
    command.set_defaults(does=_why)
    command.add_argument("--directory", type=Path, default=Path("."), help="the run's folder")
    command = commands.add_parser(
        "import", help="take over results that Snakemake knows nothing of"
    )
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
        sys.exit(f"rebuilds: {error}")


if __name__ == "__main__":
    main()
