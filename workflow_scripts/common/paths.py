"""Paths as people write them in a config. Only the standard library is imported."""

import os
import re
from pathlib import Path

from workflow_scripts.common.errors import UserError


def expanded(path: str, told: str) -> Path:
    """A path with ``~`` and ``$VARIABLES`` filled in.

    Parameters
    ----------
    path : as it was written.
    told : what the message begins with: the key, and what was got.

    Raises
    ------
    UserError : if a variable is not set.
    """
    found = os.path.expanduser(os.path.expandvars(path))
    if missing := re.search(r"\$(\w+|\{[^}]*\})", found):
        raise UserError(f"{told}: the environment variable {missing[0]} is not set")
    return Path(found)
