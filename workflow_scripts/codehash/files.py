"""The files of a repository, with a record of everything that was looked at."""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

# Folders at the top that hold no part of the program.
_APART = {"results", "runs", "node_modules", "build", "dist", ".git"}
# Of larger files, such as data, size, inode and times are recorded instead of the content.
_LARGEST = 2_000_000


class Files:
    """The files of a repository.

    Each answer is recorded in ``seen``, such as ``{"isfile lib/work.py": "True"}``, so that a
    later process can find out whether it would see the same.
    """

    def __init__(self, root: Path):
        self.root = Path(root).resolve()
        self.seen: dict[str, str] = {}
        self._answers: dict[tuple[str, Path], str] = {}
        self._below: dict[Path, list[Path]] = {}

    def is_file(self, path: Path) -> bool:
        return self._ask("isfile", path) == "True"

    def is_dir(self, path: Path) -> bool:
        return self._ask("isdir", path) == "True"

    def read(self, path: Path) -> bytes:
        """Content of a file; empty if it cannot be read."""
        self._ask("content", path)
        try:
            return path.read_bytes()
        except OSError:
            return b""

    def below(self, folder: Path) -> list[Path]:
        """Files of the program below a folder, sorted; links to folders are followed."""
        if folder not in self._below:
            self._ask("below", folder)
            self._below[folder] = sorted(self._walk(folder))
        return self._below[folder]

    def holds(self, path: Path) -> bool:
        """Whether a path is in the repository, and not in a folder of results."""
        if not path.is_relative_to(self.root):
            return False
        first, *rest = path.relative_to(self.root).parts or ("",)
        hidden = first.startswith(".") and (rest or os.path.isdir(self.root / first))
        return first not in _APART and not hidden

    def relative(self, path: Path) -> str:
        return path.relative_to(self.root).as_posix()

    def unchanged(self, seen: dict[str, str]) -> bool:
        """Whether everything that another process looked at is the same now."""
        for key, answer in seen.items():
            kind, name = key.split(" ", 1)
            if self._look(kind, self.root / name) != answer:
                return False
        return True

    def _ask(self, kind: str, path: Path) -> str:
        if (kind, path) not in self._answers:
            answer = self._answers[kind, path] = self._look(kind, path)
            inside = str(path).startswith(f"{self.root}{os.sep}") and ".." not in path.parts
            name = self.relative(path) if inside else os.path.relpath(path, self.root)
            self.seen[f"{kind} {name}"] = answer
        return self._answers[kind, path]

    def _look(self, kind: str, path: Path) -> str:
        if kind in ("isfile", "isdir"):
            return str(getattr(os.path, kind)(path))  # a long text is no path
        try:
            if kind == "below":
                names = sorted(os.path.relpath(file, self.root) for file in self._walk(path))
                data = "\0".join(names).encode(errors="surrogateescape")
            elif (facts := path.stat()).st_size > _LARGEST:
                return f"{facts.st_size} {facts.st_ino} {facts.st_mtime_ns} {facts.st_ctime_ns}"
            else:
                data = path.read_bytes()
        except OSError as error:
            return type(error).__name__
        return hashlib.sha256(data).hexdigest()

    def _walk(self, folder: Path) -> Iterator[Path]:
        visited = set()
        for top, folders, files in os.walk(folder, followlinks=True):
            real = os.path.realpath(top)
            if "pyvenv.cfg" in files or real in visited:
                folders.clear()
                continue
            visited.add(real)
            kept = (f for f in folders if f != "__pycache__" and self.holds(Path(top, f)))
            folders[:] = sorted(kept)
            yield from (Path(top, file) for file in files)
