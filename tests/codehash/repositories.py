"""Small repositories: which change to them changes the code of which script."""

import re
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from workflow_scripts.common.provenance import clear_cache, code_of


def write(folder: Path, text: str) -> Path:
    """Write the files of a repository; ``--- name`` precedes each."""
    for part in re.split(r"^--- ", dedent(text), flags=re.M)[1:]:
        name, _, body = part.partition("\n")
        path = folder / name.strip()
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(body)
    return folder


def change(root: Path, file: str, *edits: str) -> None:
    """Replace texts of a file, given as old and new in turn."""
    path = root / file
    text = path.read_text() if path.exists() else ""
    for old, new in zip(edits[::2], edits[1::2], strict=True):
        assert old in text
        text = text.replace(old, new) if old else text + new
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def scripts_of(root: Path) -> list[str]:
    return sorted(path.name for path in root.glob("?.py"))


def codes(root: Path) -> dict[str, str]:
    clear_cache()
    return {script: code_of(script, root) for script in scripts_of(root)}


def changed_by(root: Path, file: str, *edits: str) -> str:
    """Letters of the scripts whose code a change to a file changes."""
    before = codes(root)
    change(root, file, *edits)
    after = codes(root)
    return "".join(script[0] for script in before if before[script] != after[script])


def parametrize(cases: dict[str, Any]):
    return pytest.mark.parametrize("case", [pytest.param(c, id=name) for name, c in cases.items()])


# Two scripts and what they share. a.py reaches one function, b.py the other.
PAIR = '''
--- a.py
"""The first."""
from lib.work import first
first(3)
--- b.py
import lib.work as work
if __name__ == "__main__":
    work.second(3)
--- lib/__init__.py
--- lib/work.py
"""What both share."""
import math
from lib.more import helper, Shape as Form

SIZE: int = 3  # of all
FACTOR = 2.5
TABLE = {"x": 1}


def first(n: int = SIZE) -> list[int]:
    """The first."""
    # a comment
    total: int = n + 1
    return [helper(total)]


def second(n):
    """The second."""
    form = Form(n)
    return form.area() * FACTOR


def unused():
    return TABLE
--- lib/more.py
def helper(x):
    return x * _inner()


def _inner():
    return 2


class Base:
    """A base."""
    sides = 4

    def scale(self):
        return 1


class Shape(Base):
    def __init__(self, n):
        self.n = n

    def area(self):
        return self.n * self.sides

    def never_called(self):
        return 7
'''

# A script that uses `f`; a library with it follows.
USE = "--- a.py\nfrom lib import f\nf()\n"
