"""Several finished experiments side by side, in one page.

python -m workflow_scripts.compare runs/a runs/b
"""

import argparse
import shlex
import sys
from pathlib import Path

from workflow_scripts.common.errors import UserError, in_one_line


def _words(text: str) -> list[Path]:
    try:
        return [Path(word) for word in shlex.split(text)]
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"got {text!r}: {error}") from None


def main(words: list[str] | None = None) -> None:
    """Write the page that the command line asks for.

    Parameters
    ----------
    words : list of str, optional
        Of the command line; those of this process without it.
    """
    options = argparse.ArgumentParser(
        prog="python -m workflow_scripts.compare", description=__doc__.split("\n")[0]
    )
    add = options.add_argument
    add("folders", nargs="*", type=Path, help="of finished experiments, each holds results/")
    add("--experiments", type=_words, default=[], help="more of them in one text, as for a shell")
    add(
        "--output", type=Path, default=Path("runs/compare.html"), help="page (default: %(default)s)"
    )
    arguments = options.parse_args(words)

    from workflow_scripts.common.tables import write_text
    from workflow_scripts.compare.experiments import read_experiments
    from workflow_scripts.compare.page import comparison

    try:
        with in_one_line():
            experiments = read_experiments([*arguments.folders, *arguments.experiments])
            write_text(comparison(experiments), arguments.output)
    except UserError as error:
        sys.exit(f"compare: {error}")
    print(f"{len(experiments)} experiments compared in {arguments.output}")


if __name__ == "__main__":
    main()
