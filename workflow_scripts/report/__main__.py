"""Command line: whether the published claims are what the result files say.

python -m workflow_scripts.report verify results/report/MODEL/atlas.html
"""

import argparse
import sys
from pathlib import Path

from workflow_scripts.common.errors import UserError


def main(words: list[str] | None = None) -> None:
    """``python -m workflow_scripts.report verify PATH``.

    Parameters
    ----------
    words : list of str, optional
        Of the command line; those of this process without it.
    """
    parser = argparse.ArgumentParser(
        prog="python -m workflow_scripts.report",
        description="whether the published claims are what the result files say",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    command = commands.add_parser(
        "verify",
        help="recompute the ledgers from the result files, and compare",
        description="Recompute the ledgers from the result files, and compare. Exit status: 0 if "
        "all agrees, 1 with a line for what differs, 2 if it cannot be recomputed.",
    )
    command.add_argument("path", type=Path, help="an atlas, or a ledger (.parquet, .csv)")
    path = parser.parse_args(words).path

    from workflow_scripts.report.verify import code_differs, verify

    try:
        verified = verify(path)
    except UserError as error:
        print(f"verify: {error}", file=sys.stderr)
        sys.exit(2)
    if verified.differences:
        print("\n".join(verified.differences))
        if code_differs(path):
            print("The code of the evaluation has changed since: run the workflow again.")
        sys.exit(1)
    ledgers = "ledger" if verified.ledgers == 1 else "ledgers"
    print(f"{verified.rows} rows of {verified.ledgers} {ledgers} agree")


if __name__ == "__main__":
    main()
