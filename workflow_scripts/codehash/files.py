"""The files of a repository, with a record of everything that was looked at."""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

# Folders at the top that hold no part of the program.
_APART = {"results", "runs", "node_modules", "build", "dist"}
# Of larger files, such as data, size, inode and times are recorded instead of the content.
_LARGEST = 2_000_000


class Files:
    """The files of a repository.

    Each answer is recorded in ``seen``, such as ``{"is_file lib/work.py": "True"}``, so that a
    later process can find out whether it would see the same.
    """

    def __init__(self, root: Path):
        self.root = Path(root).resolve()
        self.seen: dict[str, str] = {}
        self._are_files: dict[Path, bool] = {}
        self._bytes: dict[Path, bytes] = {}
        self._digests: dict[Path, str] = {}
        self._below: dict[Path, list[Path]] = {}

    def is_file(self, path: Path) -> bool:
        if path not in self._are_files:
            found = os.path.isfile(path)  # a long text is no path
            self._are_files[path] = self._answer("is_file", path, found)
        return self._are_files[path]

    def is_dir(self, path: Path) -> bool:
        return self._answer("is_dir", path, os.path.isdir(path))

    def read(self, path: Path) -> bytes:
        """Content of a file; it is read once."""
        if path not in self._bytes:
            self._bytes[path] = path.read_bytes()
            self._answer("state", path, _state(path, self._bytes[path]))
        return self._bytes[path]

    def digest(self, path: Path) -> str:
        """SHA-256 of a file's content, or of the reason why it cannot be read."""
        if path not in self._digests:
            try:
                data = path.read_bytes()
                self._answer("state", path, _state(path, data))
            except OSError as error:
                data = type(error).__name__.encode()
            self._digests[path] = hashlib.sha256(data).hexdigest()
        return self._digests[path]

    def below(self, folder: Path) -> list[Path]:
        """Files of the program below a folder, sorted; links to folders are followed."""
        if folder not in self._below:
            self._below[folder] = sorted(self._walk(folder))
            self._answer("below", folder, self._names_digest(self._below[folder]))
        return self._below[folder]

    def holds(self, path: Path) -> bool:
        """Whether a path is in the repository, and not in a folder of results."""
        if not path.is_relative_to(self.root):
            return False
        first, *rest = path.relative_to(self.root).parts or ("",)
        hidden = first.startswith(".") and (rest or os.path.isdir(self.root / first))
        return first not in _APART and first != ".git" and not hidden

    def relative(self, path: Path) -> str:
        return path.relative_to(self.root).as_posix()

    def unchanged(self, seen: dict[str, str]) -> bool:
        """Whether everything that another process looked at is the same now."""
        return all(self._now(*key.split(" ", 1)) == answer for key, answer in seen.items())

    def _now(self, kind: str, name: str) -> str:
        path = self.root / name
        if kind == "is_file":
            return str(os.path.isfile(path))
        if kind == "is_dir":
            return str(os.path.isdir(path))
        try:
            if kind == "state":
                size = path.stat().st_size
                return _state(path, path.read_bytes() if size <= _LARGEST else b"")
            return self._names_digest(sorted(self._walk(path)))
        except OSError as error:
            return type(error).__name__

    def _answer(self, kind: str, path: Path, answer):
        try:
            name = path.relative_to(self.root)
        except ValueError:  # found through `..`
            name = os.path.relpath(path, self.root)
        self.seen[f"{kind} {name}"] = str(answer)
        return answer

    def _names_digest(self, paths: list[Path]) -> str:
        names = "\0".join(os.path.relpath(path, self.root) for path in paths)
        return hashlib.sha256(names.encode(errors="surrogateescape")).hexdigest()

    def _walk(self, folder: Path) -> Iterator[Path]:
        visited = set()
        for top, folders, files in os.walk(folder, followlinks=True):
            real = os.path.realpath(top)
            if "pyvenv.cfg" in files or real in visited:
                folders.clear()
                continue
            visited.add(real)
            folders[:] = sorted(
                f for f in folders if f != "__pycache__" and self.holds(Path(top, f))
            )
            yield from (Path(top, file) for file in files)


def _state(path: Path, data: bytes) -> str:
    facts = path.stat()
    if facts.st_size <= _LARGEST:
        return hashlib.sha256(data).hexdigest()
    return f"{facts.st_size} {facts.st_ino} {facts.st_mtime_ns} {facts.st_ctime_ns}"
