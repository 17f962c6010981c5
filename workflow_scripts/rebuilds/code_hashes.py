"""Hashes of scripts' code, kept between the processes of a run."""

import hashlib
import json
import sys
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from workflow_scripts.codehash.repository import Repository
from workflow_scripts.common.provenance import ROOT, reach
from workflow_scripts.common.tables import write_text


class Hashed(NamedTuple):
    """Hash of a script's code (16 hex digits) and the libraries that it uses."""

    code: str
    libraries: list[str]


class CodeHashes:
    """Hashes of the scripts of a repository, read from a file as long as the program is the same.

    Hashing the code of all scripts takes about a second; comparing the program with that of the
    last time takes a few hundredths.

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
        found = {script: self.of(script) for script in scripts}
        if program_digest(self.root) == self._digest:  # nothing was edited meanwhile
            write_text(json.dumps({"program": self._digest, "scripts": found}) + "\n", self.path)

    @cached_property
    def _digest(self) -> str:
        return program_digest(self.root)

    @cached_property
    def _known(self) -> dict[str, Hashed]:
        now = self._digest  # of the program before anything of it is walked through
        try:
            held = json.loads(self.path.read_text(encoding="utf-8"))
            same = held["program"] == now
            return {name: Hashed(*of) for name, of in held["scripts"].items()} if same else {}
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return {}


# Larger files are no code; reading them would take longer than walking through it.
_LARGEST = 2_000_000


def program_digest(root: Path) -> str:
    """SHA-256 of all that the hashes of a repository's scripts can depend on.

    These are the names and contents of its files, without results, and the version of Python. For
    files above 2 MB, such as data, size, inode and times replace the content.
    """
    digest = hashlib.sha256(sys.version.encode())
    repository = Repository(root)
    for path in repository.below(repository.root):
        facts = path.stat()
        content = (
            path.read_bytes()
            if facts.st_size <= _LARGEST
            else repr((facts.st_ino, facts.st_mtime_ns, facts.st_ctime_ns)).encode()
        )
        digest.update(f"{repository.relative(path)}\0{facts.st_size}\0".encode())
        digest.update(content)
    return digest.hexdigest()
