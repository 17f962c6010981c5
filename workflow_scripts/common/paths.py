"""Paths as written in a configuration. Imports the standard library only."""

import os
import re
from pathlib import Path

from workflow_scripts.common.errors import UserError


def expanded(path: str, where: str) -> Path:
    """A path with ``~`` and ``$VARIABLES`` expanded.

    Parameters
    ----------
    path : str
        As written.
    where : str
        Start of the error message: the key, and what was got.

    Raises
    ------
    UserError
        If a variable is not set.
    """
    full = os.path.expanduser(os.path.expandvars(path))
    if missing := re.search(r"\$(\w+|\{[^}]*\})", full):
        raise UserError(f"{where}: the environment variable {missing[0]} is not set")
    return Path(full)
