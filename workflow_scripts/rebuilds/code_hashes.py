"""Hashes of scripts' code, kept between the processes of a run."""

import json
import sys
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from workflow_scripts.codehash.files import Files
from workflow_scripts.common.provenance import ROOT, files_seen, reach
from workflow_scripts.common.tables import write_text


class Hashed(NamedTuple):
    """Hash of a script's code (16 hex digits) and the libraries that it uses."""

    code: str
    libraries: list[str]


class CodeHashes:
    """Hashes of the scripts of a repository, read from a file as long as they are the same.

    Hashing the code of all scripts takes about a second. The file also says what was looked at to
    find the hashes: contents of files, whether a file exists, names of the files below a folder.
    The hashes are the same as long as all of that is, which takes some hundredths of a second to
    find out.

    Parameters
    ----------
    path : Path
        JSON file of an earlier process; it need not exist.
    root : Path, optional
        Folder of the workflow; this repository by default.
    """

    def __init__(self, path: Path, root: Path = ROOT):
        self.path, self.root = Path(path), Path(root)

    def of(self, script: str) -> Hashed:
        """Hash of a script and the libraries it uses; see ``provenance.code_of``."""
        if script not in self._known:
            found = reach(script, self.root)
            self._known[script] = Hashed(found.code, list(found.libraries))
        return self._known[script]

    def save(self, scripts: list[str]) -> None:
        """Keep the hashes of these scripts for the processes that follow."""
        if self._kept and all(script in self._kept for script in scripts):
            return
        found = {script: reach(script, self.root) for script in scripts}
        hashed = {script: Hashed(c.code, list(c.libraries)) for script, c in found.items()}
        seen = files_seen(self.root)
        if Files(self.root).unchanged(seen):  # nothing was edited meanwhile
            kept = {"python": sys.version, "seen": seen, "scripts": hashed}
            write_text(json.dumps(kept) + "\n", self.path)

    @cached_property
    def _known(self) -> dict[str, Hashed]:
        return dict(self._kept)

    @cached_property
    def _kept(self) -> dict[str, Hashed]:
        """Hashes in the file; empty if it does not exist or they may differ by now."""
        try:
            held = json.loads(self.path.read_text(encoding="utf-8"))
            if held["python"] == sys.version and Files(self.root).unchanged(held["seen"]):
                return {name: Hashed(*of) for name, of in held["scripts"].items()}
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            pass
        return {}
