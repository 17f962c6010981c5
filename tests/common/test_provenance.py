"""Small repositories: which change to them changes the code of which script."""

import ast
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from workflow_scripts.common.definitions import meaning_of, read_module
from workflow_scripts.common.provenance import code_of, forget, reach, reached_by

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def _read_again():
    forget()
    yield
    forget()


def write(folder: Path, text: str) -> Path:
    """Write the files of a repository; ``--- name`` stands above each."""
    for part in re.split(r"^--- ", text, flags=re.M)[1:]:
        name, _, body = part.partition("\n")
        path = folder / name.strip()
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(body)
    return folder


def change(root: Path, file: str, *edits: str) -> None:
    """Replace texts of a file, given in turn: what was there and what is there now."""
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
    forget()
    return {script: code_of(script, root) for script in scripts_of(root)}


def changed_by(root: Path, file: str, *edits: str) -> str:
    """Letters of the scripts whose code a change to a file changes."""
    before = codes(root)
    change(root, file, *edits)
    after = codes(root)
    return "".join(script[0] for script in before if before[script] != after[script])


def parametrize(cases: dict[str, tuple]):
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

# change to PAIR -> letters of the scripts that change
PAIR_CASES = {
    "function": ("lib/work.py", "n + 1", "n + 2", "a"),
    "function that a function calls": ("lib/more.py", "x * _inner()", "x + _inner()", "a"),
    "function two calls away": ("lib/more.py", "return 2", "return 3", "a"),
    "constant": ("lib/work.py", "FACTOR = 2.5", "FACTOR = 3", "b"),
    "constant in a default": ("lib/work.py", "SIZE: int = 3", "SIZE: int = 4", "a"),
    "class": ("lib/more.py", "return self.n * ", "return self.n + ", "b"),
    "method that nothing calls": ("lib/more.py", "return 7", "return 8", "b"),
    "class attribute of a base": ("lib/more.py", "sides = 4", "sides = 5", "b"),
    "method of a base": ("lib/more.py", "return 1\n", "return 9\n", "b"),
    "base class": ("lib/more.py", "class Shape(Base)", "class Shape", "b"),
    "default": ("lib/work.py", "= SIZE", "= 4", "a"),
    "name of a local variable": ("lib/work.py", "total", "number", "a"),
    "name of a parameter": ("lib/work.py", "second(n)", "second(m)", "Form(n)", "Form(m)", "b"),
    "script": ("a.py", "first(3)", "first(4)", "a"),
    "main block of the script": ("b.py", "second(3)", "second(4)", "b"),
    "what an import binds": ("lib/work.py", "import helper,", "import _inner as helper,", "a"),
    "other import of the same name": ("lib/work.py", "Shape as Form", "Base as Form", "b"),
    "unused function": ("lib/work.py", "return TABLE", "return [TABLE]", ""),
    "unused constant": ("lib/work.py", 'TABLE = {"x": 1}', "TABLE = {}", ""),
    "new function": ("lib/work.py", "", "\n\ndef new():\n    return 3\n", ""),
    "new unused import": ("lib/work.py", "import math", "import math, itertools", ""),
    "new file": ("lib/other.py", "", "X = 3\n", ""),
    "comment": ("lib/work.py", "# a comment", "# another", ""),
    "comment at a constant": ("lib/work.py", "  # of all", "", ""),
    "docstring of a function": ("lib/work.py", '"""The first."""', '"""Another."""', ""),
    "no docstring of a function": ("lib/work.py", '    """The second."""\n', "", ""),
    "docstring of a class": ("lib/more.py", '"""A base."""', "pass", ""),
    "docstring of a module": ("lib/work.py", "What both share", "Shared", ""),
    "docstring of the script": ("a.py", "The first", "Another", ""),
    "formatting": ("lib/work.py", "[helper(total)]", "[\n        helper( total ),\n    ]", ""),
    "quotes": ("b.py", '"__main__"', "'__main__'", ""),
    "annotation of a parameter": ("lib/work.py", "n: int", "n: float", ""),
    "annotation of a result": ("lib/work.py", " -> list[int]", "", ""),
    "annotation of a variable": ("lib/work.py", "total: int", "total", ""),
    "annotation of a constant": ("lib/work.py", "SIZE: int", "SIZE", ""),
    "annotation of an argument that had none": ("lib/more.py", "helper(x)", "helper(x: str)", ""),
    "order of definitions": (
        "lib/more.py",
        "def _inner():\n    return 2\n",
        "",
        "def helper",
        "def _inner():\n    return 2\n\n\ndef helper",
        "",
    ),
    "name of an import": ("lib/work.py", "Shape as Form", "Shape", "Form(n)", "Shape(n)", "b"),
}


@parametrize(PAIR_CASES)
def test_a_change_counts_where_it_is_reached(tmp_path, case):
    file, *edits, expected = case
    write(tmp_path, PAIR)
    assert changed_by(tmp_path, file, *edits) == expected


# repository, changed file, texts before and after, letters of the scripts that change
REACHED = {
    "alias of a module": (
        "--- a.py\nimport lib as tools\ntools.f()\n--- lib.py\ndef f(): return 1\n"
        "def g(): return 3\n",
        [("lib.py", "return 1", "return 2", "a"), ("lib.py", "return 3", "return 4", "")],
    ),
    "alias of a function": (
        "--- a.py\nfrom lib import f as run\nrun()\n--- lib.py\ndef f(): return 1\n",
        [("lib.py", "return 1", "return 2", "a")],
    ),
    "alias by assignment": (
        "--- a.py\nfrom lib import run\nrun()\n--- lib.py\n"
        "def f(): return 1\ndef g(): return 3\nrun = f\n",
        [("lib.py", "return 1", "return 2", "a"), ("lib.py", "return 3", "return 4", "")],
    ),
    "re-export through a package": (
        "--- a.py\nfrom pkg import f\nf()\n--- pkg/__init__.py\nfrom .deep import f, g\n"
        "--- pkg/deep/__init__.py\nfrom ._impl import *\n"
        "--- pkg/deep/_impl.py\ndef f(): return 1\ndef g(): return 3\n",
        [
            ("pkg/deep/_impl.py", "return 1", "return 2", "a"),
            ("pkg/deep/_impl.py", "return 3", "return 4", ""),
            ("pkg/__init__.py", "import f, g", "import g as f", "a"),
        ],
    ),
    "function with the name of its module": (
        "--- a.py\nfrom pkg import f\nf()\n--- pkg/__init__.py\nfrom .f import f\n"
        "--- pkg/f.py\ndef f(): return 1\ndef g(): return 3\n",
        [("pkg/f.py", "return 1", "return 2", "a"), ("pkg/f.py", "return 3", "return 4", "")],
    ),
    "module that rebinds a name of its package": (
        "--- a.py\nimport pkg.conf\npkg.conf.f()\n--- pkg/__init__.py\nconf = None\n"
        "--- pkg/conf.py\ndef f(): return 1\n",
        [("pkg/conf.py", "return 1", "return 2", "a")],
    ),
    "package goes before a module of the same name": (
        "--- a.py\nfrom pkg import f\nf()\n--- pkg.py\ndef f(): return 3\n"
        "--- pkg/__init__.py\ndef f(): return 1\n",
        [("pkg/__init__.py", "return 1", "return 2", "a"), ("pkg.py", "return 3", "return 4", "")],
    ),
    "attributes through packages": (
        "--- a.py\nimport pkg.sub.mod\npkg.sub.mod.f()\n--- pkg/__init__.py\n"
        "--- pkg/sub/__init__.py\n--- pkg/sub/mod.py\ndef f(): return 1\ndef g(): return 3\n",
        [
            ("pkg/sub/mod.py", "return 1", "return 2", "a"),
            ("pkg/sub/mod.py", "return 3", "return 4", ""),
        ],
    ),
    "folders without __init__": (
        "--- a.py\nimport pkg.mod\nfrom pkg.sub import other\npkg.mod.f(other.h)\n"
        "--- pkg/mod.py\ndef f(x): return 1\ndef g(): return 3\n--- pkg/sub/other.py\nh = 5\n"
        "i = 7\n",
        [
            ("pkg/mod.py", "return 1", "return 2", "a"),
            ("pkg/mod.py", "return 3", "return 4", ""),
            ("pkg/sub/other.py", "h = 5", "h = 6", "a"),
            ("pkg/sub/other.py", "i = 7", "i = 8", ""),
        ],
    ),
    "relative imports": (
        "--- a.py\nfrom pkg.sub.mod import f\nf()\n--- pkg/__init__.py\n--- pkg/sub/__init__.py\n"
        "--- pkg/sub/mod.py\nfrom . import near\nfrom .. import far\nfrom ..far import g as h\n"
        "def f(): return near.x, far.y, h()\n"
        "--- pkg/sub/near.py\nx = 1\n--- pkg/far.py\ny = 2\ndef g(): return 3\nz = 4\n",
        [
            ("pkg/sub/near.py", "x = 1", "x = 5", "a"),
            ("pkg/far.py", "y = 2", "y = 5", "a"),
            ("pkg/far.py", "return 3", "return 5", "a"),
            ("pkg/far.py", "z = 4", "z = 5", ""),
        ],
    ),
    "star import": (
        "--- a.py\nfrom lib import *\nf()\n--- lib.py\nfrom more import *\ndef g(): return 3\n"
        "--- more.py\ndef f(): return 1\ndef h(): return 5\n",
        [
            ("more.py", "return 1", "return 2", "a"),
            ("more.py", "return 5", "return 6", ""),
            ("lib.py", "return 3", "return 4", ""),
            ("lib.py", "return 4", "return 4\ndef f(): return 1", "a"),
        ],
    ),
    "__all__ decides which star binds a name": (
        "--- a.py\nfrom one import *\nfrom two import *\nf()\n--- one.py\ndef f(): return 1\n"
        "--- two.py\n__all__ = ['g']\ndef f(): return 3\ndef g(): return 5\n",
        [("two.py", "['g']", "['f', 'g']", "a"), ("two.py", "return 5", "return 6", "")],
    ),
    "import inside a function": (
        "--- a.py\ndef main():\n    from lib import f\n    import more as m\n"
        "    return f(), m.g()\n"
        "main()\n--- lib.py\ndef f(): return 1\n--- more.py\ndef g(): return 3\n"
        "def h(): return 5\n",
        [
            ("lib.py", "return 1", "return 2", "a"),
            ("more.py", "return 3", "return 4", "a"),
            ("more.py", "return 5", "return 6", ""),
        ],
    ),
    "import inside a class": (
        "--- a.py\nfrom lib import A\nA().run()\n--- lib.py\nclass A:\n    from more import f\n"
        "    def run(self): return self.f()\n--- more.py\ndef f(self): return 1\n",
        [("more.py", "return 1", "return 2", "a")],
    ),
    "import declared global": (
        "--- a.py\nfrom lib import load, use\nload()\nuse()\n--- lib.py\nf = None\n"
        "def load():\n    global f\n    from more import f\ndef use(): return f()\n"
        "--- more.py\ndef f(): return 1\n",
        [("more.py", "return 1", "return 2", "a"), ("lib.py", "f = None", "f = 0", "a")],
    ),
    "decorator": (
        "--- a.py\nfrom lib import f\nf()\n--- lib.py\nimport functools\n"
        "def twice(g):\n    @functools.wraps(g)\n    def inner(): return g() * 2\n"
        "    return inner\n"
        "def other(g): return g\n"
        "@twice\ndef f(): return 1\n@other\ndef h(): return 7\n",
        [
            ("lib.py", "g() * 2", "g() * 3", "a"),
            ("lib.py", "return 1", "return 5", "a"),
            ("lib.py", "@twice\n", "", "a"),
            ("lib.py", "return 7", "return 8", ""),
        ],
    ),
    "decorator with arguments, of a class": (
        "--- a.py\nfrom lib import A\nA()\n--- lib.py\nN = 3\n"
        "def named(n):\n    def add(cls):\n        cls.n = n\n        return cls\n    return add\n"
        "@named(N)\nclass A: pass\n",
        [("lib.py", "N = 3", "N = 4", "a"), ("lib.py", "cls.n = n", "cls.m = n", "a")],
    ),
    "default arguments": (
        "--- a.py\nfrom lib import f\nf()\n--- lib.py\ndef g(): return 1\nK = 3\n"
        "def f(x=g, *, k=K): return x() + k\n",
        [("lib.py", "return 1", "return 2", "a"), ("lib.py", "K = 3", "K = 4", "a")],
    ),
    "functools.partial": (
        "--- a.py\nfrom lib import half\nhalf()\n--- b.py\nfrom lib import other\nother()\n"
        "--- lib.py\nfrom functools import partial\ndef write(to, n): to.append(n)\n"
        "def f(n): return n\nhalf = partial(write, n=2)\ndef other(): return 7\n",
        [
            ("lib.py", "to.append(n)", "to.append(-n)", "a"),
            ("lib.py", "n=2", "n=3", "a"),
            ("lib.py", "return 7", "return 8", "b"),
        ],
    ),
    "function in a table": (
        "--- a.py\nfrom lib import WAYS\nWAYS['x']()\n--- lib.py\ndef f(): return 1\n"
        "def g(): return 3\nWAYS = {'x': f}\n",
        [("lib.py", "return 1", "return 2", "a"), ("lib.py", "return 3", "return 4", "")],
    ),
    "inheritance across files": (
        "--- a.py\nfrom lib import A\nA().run()\n--- lib.py\nimport base as b\nclass A(b.B): pass\n"
        "--- base.py\nfrom mixin import M\nclass B(M):\n    def run(self): return self.step() + K\n"
        "K = 1\n--- mixin.py\nclass M:\n    def step(self): return 3\n",
        [
            ("base.py", "K = 1", "K = 2", "a"),
            ("mixin.py", "return 3", "return 4", "a"),
            ("base.py", "B(M)", "B", "a"),
        ],
    ),
    "class attribute": (
        "--- a.py\nfrom lib import A\nprint(A.size)\n--- lib.py\nN = 3\nM = 5\n"
        "class A:\n    size = N\n    def f(self): return 1\n",
        [("lib.py", "N = 3", "N = 4", "a"), ("lib.py", "M = 5", "M = 6", "")],
    ),
    "metaclass": (
        "--- a.py\nfrom lib import A\nA()\n--- lib.py\nclass Meta(type):\n"
        "    def __call__(cls): return 1\nclass A(metaclass=Meta): pass\n",
        [("lib.py", "return 1", "return 2", "a")],
    ),
    "nested function and lambda": (
        "--- a.py\nfrom lib import f\nf()\n--- lib.py\ndef g(): return 1\ndef h(): return 3\n"
        "def i(): return 5\ndef f():\n    def inner():\n        return g()\n"
        "    return inner() + (lambda: h())()\n",
        [
            ("lib.py", "return 1", "return 2", "a"),
            ("lib.py", "return 3", "return 4", "a"),
            ("lib.py", "return 5", "return 6", ""),
        ],
    ),
    "match": (
        "--- a.py\nfrom lib import f\nf(3)\n--- lib.py\nimport names\nclass P:\n    x = 1\n"
        "def g(v): return v\ndef left(): return 3\nrest = 7\ndef f(v):\n    match v:\n"
        "        case P(x=1): return 0\n        case names.ONE: return 1\n"
        "        case [left, *rest]: return left\n        case _ if g(v): return 2\n"
        "--- names.py\nONE = 1\n",
        [
            ("lib.py", "    x = 1", "    x = 2", "a"),
            ("lib.py", "return v\n", "return -v\n", "a"),
            ("names.py", "ONE = 1", "ONE = 2", "a"),
            ("lib.py", "P(x=1)", "P(x=2)", "a"),
            ("lib.py", "return 3", "return 4", ""),
            ("lib.py", "rest = 7", "rest = 8", ""),
        ],
    ),
    "walrus": (
        "--- a.py\nfrom lib import f\nf()\n--- lib.py\ndef g(): return 1\ndef n(): return 3\n"
        "def f():\n    if (n := g()) > 0:\n        return n\n"
        "    return [last := k for k in [1]], last\n"
        "last = 5\n",
        [
            ("lib.py", "return 1", "return 2", "a"),
            ("lib.py", "return 3", "return 4", ""),
            ("lib.py", "last = 5", "last = 6", ""),
        ],
    ),
    "async": (
        "--- a.py\nimport asyncio\nfrom lib import f\nasyncio.run(f())\n--- lib.py\n"
        "async def g(): return 1\nasync def rows():\n    yield 3\n"
        "async def f():\n    async for row in rows():\n        await g()\n"
        "    return [row async for row in rows()]\n",
        [
            ("lib.py", "return 1", "return 2", "a"),
            ("lib.py", "yield 3", "yield 4", "a"),
            ("lib.py", "[row async for", "[-row async for", "a"),
            ("lib.py", "[-row async for", "[-row for", "a"),
        ],
    ),
    "augmented constant": (
        "--- a.py\nfrom lib import ROWS\nprint(ROWS)\n--- b.py\nfrom lib import f\nf()\n"
        "--- lib.py\nROWS = [1]\nROWS += [2]\ndef f(): return 5\n",
        [("lib.py", "[2]", "[3]", "a"), ("lib.py", "return 5", "return 6", "b")],
    ),
    "augmented constant of another module": (
        "--- a.py\nimport lib, table\nprint(table.ROWS)\n--- table.py\nROWS = [1]\n"
        "--- lib.py\nimport table\nMINE = table.ROWS\nMINE += [2]\n",
        [("lib.py", "[2]", "[3]", "a")],
    ),
    "del": (
        "--- a.py\nfrom lib import f\nf()\n--- lib.py\nx = 1\ndef f(): return x\ndel x\n",
        [("lib.py", "del x\n", "", "a")],
    ),
    "tuple assignment": (
        "--- a.py\nfrom lib import x\nprint(x)\n--- lib.py\nx, (y, *z) = 1, (2, 3)\nw = 5\n",
        [("lib.py", "= 1,", "= 9,", "a"), ("lib.py", "w = 5", "w = 6", "")],
    ),
    "conditional definition": (
        "--- a.py\nfrom lib import f\nf()\n--- b.py\nfrom lib import other\nother()\n--- lib.py\n"
        "import sys\nif sys.version_info > (3, 12):\n    def f(): return 1\n"
        "else:\n    def f(): return 2\ndef other(): return 3\n",
        [
            ("lib.py", "return 1", "return 4", "a"),
            ("lib.py", "return 2", "return 5", "a"),
            ("lib.py", "(3, 12)", "(3, 13)", "a"),
            ("lib.py", "return 3", "return 6", "b"),
        ],
    ),
    "conditional import": (
        "--- a.py\nfrom lib import f\nf()\n--- b.py\nfrom lib import other\nother()\n--- lib.py\n"
        "import sys\nif sys.version_info > (3, 12):\n    from one import f\n"
        "else:\n    from two import f\ndef other(): return 3\n"
        "--- one.py\ndef f(): return 1\n--- two.py\ndef f(): return 2\n",
        [
            ("one.py", "return 1", "return 4", "a"),
            ("two.py", "return 2", "return 5", "a"),
            ("lib.py", "(3, 12)", "(3, 13)", "a"),
        ],
    ),
    "import that may fail": (
        "--- a.py\nfrom lib import f\nf()\n--- b.py\nfrom lib import other\nother()\n--- lib.py\n"
        "try:\n    from fast import f\nexcept ImportError:\n    from slow import f\n"
        "def other(): return 3\n--- slow.py\ndef f(): return 1\ndef g(): return 7\n",
        [
            ("slow.py", "return 1", "return 2", "a"),
            ("slow.py", "return 7", "return 8", ""),
            ("fast.py", "", "def f(): return 9\n", "a"),
            ("fast.py", "return 9", "return 10", "a"),
            ("lib.py", "except ImportError", "except OSError", "a"),
        ],
    ),
    "function defined twice": (
        "--- a.py\nfrom lib import f\nf()\n--- lib.py\ndef f(): return 1\ndef f(): return 2\n",
        [
            (
                "lib.py",
                "def f(): return 1\ndef f(): return 2",
                "def f(): return 2\ndef f(): return 1",
                "a",
            )
        ],
    ),
    "constant rebound after it was used": (
        "--- a.py\nfrom lib import Y\nprint(Y)\n--- lib.py\nX = 1\nY = X + 1\nX = 2\n",
        [("lib.py", "Y = X + 1\nX = 2", "X = 2\nY = X + 1", "a")],
    ),
    "cyclic imports": (
        "--- a.py\nfrom one import f\nf(3)\n--- one.py\nimport two\n"
        "def f(n): return two.g(n) if n else X\n"
        "X = 1\n--- two.py\nimport one\nfrom one import *\ndef g(n): return one.f(n - 1)\nY = 3\n",
        [
            ("one.py", "X = 1", "X = 2", "a"),
            ("two.py", "n - 1", "n - 2", "a"),
            ("two.py", "Y = 3", "Y = 4", ""),
        ],
    ),
    "cyclic star imports": (
        "--- a.py\nfrom one import f\nf()\n--- one.py\nfrom two import *\n--- two.py\n"
        "from one import *\n"
        "def f(): return 1\n",
        [("two.py", "return 1", "return 2", "a")],
    ),
    "assigned attribute of a module": (
        "--- a.py\nimport lib, patch\nlib.f()\n--- lib.py\ndef f(): return 1\n"
        "--- patch.py\nimport lib\ndef g(): return 3\nlib.f = g\n",
        [("patch.py", "return 3", "return 4", "a")],
    ),
    "main block of an imported module": (
        "--- a.py\nfrom lib import f\nf()\n--- lib.py\nK = 5\ndef f(): return 1\n"
        "if __name__ == '__main__':\n    from other import g\n    g(K)\n"
        "--- other.py\ndef g(k): print(k)\ng(3)\n",
        [
            ("lib.py", "g(K)", "g(-K)", ""),
            ("lib.py", "K = 5", "K = 6", ""),
            ("other.py", "g(3)", "g(4)", ""),
        ],
    ),
    "type checking": (
        "--- a.py\nfrom lib import f\nf()\n--- lib.py\nimport typing\n"
        "from typing import TYPE_CHECKING\n"
        "if TYPE_CHECKING:\n    from more import T\nelse:\n    T = 7\n"
        "if typing.TYPE_CHECKING:\n    import more\n"
        "def f(x: 'T' = None): return T\n--- more.py\nprint(1)\nclass T: pass\n",
        [
            ("more.py", "print(1)", "print(2)", ""),
            ("lib.py", "    import more\n", "    import more, os\n", ""),
            ("lib.py", "T = 7", "T = 8", "a"),
        ],
    ),
    "main block with an else": (
        "--- a.py\nfrom lib import f,g\nif __name__ == '__main__':\n    f()\nelse:\n    g()\n"
        "--- lib.py\ndef f(): return 1\ndef g(): return 3\n",
        [("lib.py", "return 1", "return 2", "a"), ("lib.py", "return 3", "return 4", "a")],
    ),
    "one of two functions": (
        "--- a.py\nimport lib\nh = lib.f if 1 else lib.g\nh()\n"
        "--- lib.py\ndef f(): return 1\ndef g(): return 3\n",
        [("lib.py", "return 1", "return 2", "a"), ("lib.py", "return 3", "return 4", "a")],
    ),
    "module that a package imports": (
        "--- a.py\nimport pkg.sub as s\ns.mod.f()\n"
        "--- pkg/__init__.py\n"
        "--- pkg/sub/__init__.py\nfrom . import mod\n"
        "--- pkg/sub/mod.py\ndef f(): return 1\ndef g(): return 3\n",
        [
            ("pkg/sub/mod.py", "return 1", "return 2", "a"),
            ("pkg/sub/mod.py", "return 3", "return 4", ""),
        ],
    ),
    "star import in a condition": (
        "--- a.py\nimport sys\nif sys.argv:\n    from lib import *\nf()\n"
        "--- lib.py\ndef f(): return 1\n",
        [("lib.py", "return 1", "return 2", "a")],
    ),
    "star import that may fail": (
        "--- a.py\nfrom lib import h\nh()\n"
        "--- lib.py\ntry:\n    from fast import *\nexcept ImportError:\n    from slow import *\n"
        "def h(): return f()\n"
        "--- slow.py\ndef f(): return 1\n"
        "--- fast.py\nx=1\n",
        [
            ("slow.py", "return 1", "return 2", "a"),
            ("lib.py", "except ImportError", "except OSError", "a"),
        ],
    ),
    "class in a function": (
        "--- a.py\nfrom lib import f\nf()\n"
        "--- lib.py\ndef g(): return 1\ndef f():\n    class A:\n"
        "        def r(self): return g()\n    return A().r()\n",
        [("lib.py", "return 1", "return 2", "a")],
    ),
    "value that may fail": (
        "--- a.py\nfrom lib import X\nprint(X)\n"
        "--- lib.py\ntry:\n    import json\n    X = json.dumps(1)\nexcept ValueError:\n"
        "    X = 2\nfinally:\n    Y = 3\n",
        [("lib.py", "X = 2", "X = 4", "a")],
    ),
    "default of a class method": (
        "--- a.py\nfrom lib import A\nA.make()\n"
        "--- lib.py\ndef g(): return 1\nclass A:\n    @classmethod\n"
        "    def make(cls, f=g): return f()\n",
        [("lib.py", "return 1", "return 2", "a")],
    ),
    "order of imports that act": (
        "--- a.py\nimport one, two\n--- one.py\nprint(1)\n--- two.py\nprint(2)\n",
        [("a.py", "one, two", "two, one", "a")],
    ),
    "order of statements that act": (
        "--- a.py\nimport one\n--- one.py\nX = []\nX.append(1)\nX.append(2)\n",
        [("one.py", "X.append(1)\nX.append(2)", "X.append(2)\nX.append(1)", "a")],
    ),
    "order of a star import and a definition": (
        "--- a.py\nfrom lib import f\nf()\n"
        "--- lib.py\nfrom more import *\ndef f(): return 1\n"
        "--- more.py\ndef f(): return 3\n",
        [
            (
                "lib.py",
                "from more import *\ndef f(): return 1",
                "def f(): return 1\nfrom more import *",
                "a",
            )
        ],
    ),
    "order of an import and a definition": (
        "--- a.py\nfrom lib import f\nf()\n"
        "--- lib.py\nfrom more import f\ndef f(): return 1\n"
        "--- more.py\ndef f(): return 3\n",
        [
            (
                "lib.py",
                "from more import f\ndef f(): return 1",
                "def f(): return 1\nfrom more import f",
                "a",
            )
        ],
    ),
    "order of an import and a statement": (
        "--- a.py\nimport lib\n--- lib.py\nimport one\nprint(2)\n--- one.py\nprint(1)\n",
        [("lib.py", "import one\nprint(2)", "print(2)\nimport one", "a")],
    ),
    "module as a class attribute": (
        "--- a.py\nimport lib as l\nclass A:\n    tool = l\nA().tool.f()\n"
        "--- lib.py\ndef f(): return 1\n",
        [("lib.py", "return 1", "return 2", "a")],
    ),
    "module as an attribute": (
        "--- a.py\nfrom lib import A\nA().go()\n"
        "--- lib.py\nimport more\nclass A:\n    def __init__(self): self.m = more\n"
        "    def go(self): self.m.f()\n"
        "--- more.py\ndef f(): return 1\n",
        [("more.py", "return 1", "return 2", "a")],
    ),
    "classes that are not used": (
        "--- a.py\nfrom lib import f\nf()\n"
        "--- lib.py\nimport abc, enum, pydantic\nfrom dataclasses import dataclass, field\n"
        "@dataclass(frozen=True)\nclass A:\n    x: int = field(default=1)\n"
        "class M(pydantic.BaseModel):\n    y: int = pydantic.Field(2)\nclass E(enum.Enum):\n"
        "    z = enum.auto()\n    w = 7\ndef f(): return 3\n",
        [
            ("lib.py", "default=1", "default=5", ""),
            ("lib.py", "Field(2)", "Field(4)", ""),
            ("lib.py", "w = 7", "w = 8", ""),
        ],
    ),
    "registering method of an object": (
        "--- a.py\nimport lib\nlib.go()\n"
        "--- lib.py\nclass App:\n    def __init__(self): self.c = []\n"
        "    def command(self, f):\n        self.c.append(f)\n        return f\napp = App()\n"
        "@app.command\ndef x(): return 1\ndef go():\n    for c in app.c: c()\n",
        [("lib.py", "return 1", "return 2", "a")],
    ),
    "pure value that is not used": (
        "--- a.py\nfrom lib import f\nf()\n--- b.py\nfrom lib import N\nprint(N)\n--- lib.py\n"
        "import re\n"
        "def count(n):\n    found = []\n    for k in range(n):\n        found.append(k)\n"
        "    return len(found) if n else count(n + 1)\n"
        "N = count(3)\nWORD = re.compile('x')\ndef f(): return 1\n",
        [
            ("lib.py", "N = count(3)", "N = count(4)", "b"),
            ("lib.py", "append(k)", "append(-k)", "b"),
            ("lib.py", "re.compile('x')", "re.compile('y')", ""),
        ],
    ),
}

# Names that stand for something else than the module's, or for the module's after all.
SCOPES = {
    "parameter": ("def f(g): return g()\n", ""),
    "parameter with a star": ("def f(*g, **k): return g, k\n", ""),
    "local variable": ("def f():\n    g = 3\n    return g\n", ""),
    "local variable of an enclosing function": (
        "def f():\n    g = 3\n    def inner(): return g\n    return inner()\n",
        "",
    ),
    "nonlocal": (
        "def f():\n    g = 3\n    def inner():\n        nonlocal g\n        g += 1\n"
        "    return inner()\n",
        "",
    ),
    "loop": ("def f():\n    for g in [1]:\n        print(g)\n", ""),
    "with": ("def f(x):\n    with x as g:\n        return g\n", ""),
    "except": (
        "def f():\n    try:\n        pass\n    except OSError as g:\n        print(g)\n",
        "",
    ),
    "tuple": ("def f():\n    (a, [g, *b]) = 1, [2]\n    return g\n", ""),
    "comprehension": ("def f(): return [g for g in [1]]\n", ""),
    "second target of a comprehension": ("def f(): return {g: x for x in [[1]] for g in x}\n", ""),
    "comprehension that reads it first": ("def f(): return [g for g in g()]\n", "a"),
    "name after a comprehension": ("def f():\n    [g for g in [1]]\n    return g()\n", "a"),
    "lambda": ("def f(): return (lambda g: g)(3)\n", ""),
    "default of a lambda": ("def f(): return (lambda g=g: g)()\n", "a"),
    "default of a parameter": ("def f(g=g): return g\n", "a"),
    "import in the function": ("def f():\n    import math as g\n    return g\n", ""),
    "global": ("def f():\n    global g\n    return g()\n", "a"),
    "global in a nested function": (
        "def f():\n    g = 3\n    def inner():\n        global g\n        return g()\n"
        "    return inner()\n",
        "a",
    ),
    "method is not seen from a method": (
        "class f:\n    def g(self): return 2\n    def h(self): return g()\n",
        "a",
    ),
    "method of the same name": (
        "class f:\n    def g(self): return 2\n    def h(self): return self.g()\n",
        "",
    ),
    "body of a class": ("class f:\n    h = g\n    g = 3\n", "a"),
    "attribute of something else": ("def f(x): return x.g\n", ""),
    "keyword of a call": ("def f(): return dict(g=1)\n", ""),
    "local function": ("def f():\n    def g(): return 2\n    return g()\n", ""),
}

FUTURE = "from __future__ import annotations\n"
# library, text before, text after, whether a script that uses `f` changes
ANNOTATIONS = {
    "field of a dataclass": (
        "from dataclasses import dataclass\n@dataclass\nclass f:\n    x: int = 0\n",
        "x: int",
        "x: float",
        "a",
    ),
    "what is no field of a dataclass": (
        "import dataclasses, typing\n@dataclasses.dataclass\nclass f:\n    x: int = 0\n",
        "x: int",
        "x: typing.ClassVar[int]",
        "a",
    ),
    "new field without a value": (
        "from dataclasses import dataclass\n@dataclass\nclass f:\n    x: int\n",
        "x: int",
        "x: int\n    y: int",
        "a",
    ),
    "field of a model": (
        "import pydantic\nclass f(pydantic.BaseModel):\n    x: int = 0\n",
        "x: int",
        "x: float",
        "a",
    ),
    "field of a tuple": (
        "from typing import NamedTuple\nclass f(NamedTuple):\n    x: int\n    y: int\n",
        "x: int\n    y: int",
        "y: int\n    x: int",
        "a",
    ),
    "class made a dataclass by a call": (
        "import dataclasses\nclass C:\n    x: int = 0\nf = dataclasses.dataclass(C)\n",
        "x: int",
        "x: float",
        "a",
    ),
    "name in a field": (
        "from dataclasses import dataclass\nNumber = int\n@dataclass\nclass f:\n"
        "    x: Number = 0\n",
        "Number = int",
        "Number = float",
        "a",
    ),
    "name in a string": (
        "import pydantic\nclass P(pydantic.BaseModel):\n    x: int = 0\n"
        "class f(pydantic.BaseModel):\n    p: 'list[P]' = []\n",
        "x: int",
        "x: float",
        "a",
    ),
    "name in a string inside": (
        "import pydantic, typing\nclass P(pydantic.BaseModel):\n    x: int = 0\n"
        "class f(pydantic.BaseModel):\n    p: typing.Optional['P'] = None\n",
        "x: int",
        "x: float",
        "a",
    ),
    "method of a dataclass": (
        "from dataclasses import dataclass\n@dataclass\nclass f:\n"
        "    def g(self, x: int) -> int: return x\n",
        "x: int) -> int",
        "x: float)",
        "",
    ),
    "property": (
        "class f:\n    @property\n    def g(self) -> int: return 1\n    @g.setter\n"
        "    def g(self, x: int): pass\n",
        " -> int",
        "",
        "",
    ),
    "cached function": (
        "import functools\n@functools.cache\ndef f(x: int = 0): return x\n",
        "x: int",
        "x: float",
        "",
    ),
    "dispatched function": (
        "import functools\n@functools.singledispatch\ndef f(x): return 0\n"
        "@f.register\ndef _(x: int): return 1\n",
        "x: int",
        "x: float",
        "a",
    ),
    "function dispatched by a call": (
        "import functools\n@functools.singledispatch\ndef f(x): return 0\n"
        "def g(x: int): return 1\nf.register(g)\n",
        "x: int",
        "x: float",
        "a",
    ),
    "registered function": (
        "def register(g):\n    KNOWN.append(g)\n    return g\nKNOWN = []\n"
        "@register\ndef g(x: int): return x\ndef f(): return 1\n",
        "x: int",
        "x: float",
        "a",
    ),
    "code that reads them": (
        "import typing\ndef g(x: int): return x\ndef f(): return typing.get_type_hints(g)\n",
        "x: int",
        "x: float",
        "a",
    ),
    "code that reads them by another name": (
        "from typing import get_type_hints as hints\ndef g(x: int): return x\n"
        "def f(): return hints(g)\n",
        "x: int",
        "x: float",
        "a",
    ),
    "code that reads an attribute of a parameter": (
        "def hints(g): return g.__annotations__\ndef g(x: int): return x\n"
        "def f(): return hints(g)\n",
        "x: int",
        "x: float",
        "a",
    ),
    "code that reads a signature's": (
        "import inspect\ndef g(x: int): return x\n"
        "def f(): return [p.annotation for p in inspect.signature(g).parameters.values()]\n",
        "x: int",
        "x: float",
        "a",
    ),
    "annotations that stay strings": (
        "def f(x: int = 0): return x\n",
        "def f",
        FUTURE + "def f",
        "a",
    ),
    "docstring that is read": (
        'def g():\n    """One."""\ndef f(): return g.__doc__\n',
        "One",
        "Two",
        "a",
    ),
    "docstring of a parameter": (
        'def doc(g): return g.__doc__\ndef g():\n    """One."""\ndef f(): return doc(g)\n',
        "One",
        "Two",
        "a",
    ),
    "docstring of a class, read by name": (
        'class C:\n    """One."""\ndef f(): return getattr(C, "__doc__")\n',
        "One",
        "Two",
        "a",
    ),
    "docstring of the module": ('"""One."""\ndef f(): return __doc__\n', "One", "Two", "a"),
}

USE = "--- a.py\nfrom lib import f\nf()\n"
# Everything here loads lib.py, which has a statement that acts; `f` needs none of it.
ACTS = {
    "call": ("import sys\nsys.setrecursionlimit(300)\n", "300", "400"),
    "library": ("import matplotlib\nmatplotlib.use('agg')\n", "agg", "svg"),
    "method of what a library keeps": (
        "import logging\nlogging.getLogger('x').setLevel(10)\n",
        "10",
        "20",
    ),
    "entry of a table": ("TABLE = {}\ndef g(): return 3\nTABLE['g'] = g\n", "return 3", "return 4"),
    "attribute": ("class A: pass\nA.size = 3\n", "= 3", "= 4"),
    "registering decorator": (
        "KNOWN = []\ndef register(g):\n    KNOWN.append(g)\n    return g\n"
        "@register\ndef g(): return 3\n",
        "return 3",
        "return 4",
    ),
    "decorator of a library": ("import atexit\n@atexit.register\ndef g(): return 3\n", "3", "4"),
    "registering decorator of a class": (
        "KNOWN = {}\ndef register(name):\n    def add(cls):\n        KNOWN[name] = cls\n"
        "        return cls\n    return add\n@register('x')\nclass A:\n    size = 3\n",
        "= 3",
        "= 4",
    ),
    "value whose making registers": (
        "KNOWN = []\ndef add(x):\n    KNOWN.append(x)\n    return x\nONE = add(3)\n",
        "add(3)",
        "add(4)",
    ),
    "registration through another name": (
        "KNOWN = {}\ndef add(x):\n    table = KNOWN\n    table[x] = 1\n    return x\n"
        "ONE = add(3)\n",
        "add(3)",
        "add(4)",
    ),
    "registration in a table that a call gives": (
        "KNOWN = {}\ndef table(): return KNOWN\ndef add(x):\n    known = table()\n"
        "    known[x] = 1\n"
        "    return x\nONE = add(3)\n",
        "add(3)",
        "add(4)",
    ),
    "registration in a table handed over": (
        "class Table:\n    def enter(self, x): self.x = x\nKNOWN = Table()\n"
        "def add(table, x):\n    table.enter(x)\n    return x\nONE = add(KNOWN, 3)\n",
        "KNOWN, 3",
        "KNOWN, 4",
    ),
    "functions that call each other": (
        "KNOWN = []\ndef one(n):\n    if n: two(n - 1)\n    KNOWN.append(n)\n"
        "def two(n):\n    one(n)\n    return n\nX = one\nY = two(3)\n",
        "two(3)",
        "two(4)",
    ),
    "object whose making registers": (
        "KNOWN = []\nclass A:\n    def __init__(self, n):\n        self.n = n\n"
        "        self.enter()\n"
        "    def enter(self): KNOWN.append(self)\nONE = A(3)\n",
        "A(3)",
        "A(4)",
    ),
    "function handed to a builtin": (
        "KNOWN = []\ndef add(x): KNOWN.append(x)\nDONE = list(map(add, [3]))\n",
        "[3]",
        "[4]",
    ),
    "lambda handed to a builtin": (
        "KNOWN = []\nDONE = list(map(lambda x: KNOWN.append(x), [3]))\n",
        "[3]",
        "[4]",
    ),
    "subclass": (
        "class Base:\n    known = []\n    def __init_subclass__(cls): Base.known.append(cls)\n"
        "class A(Base):\n    size = 3\n",
        "= 3",
        "= 4",
    ),
    "subclass of a subclass": (
        "class Base:\n    known = []\n    def __init_subclass__(cls): Base.known.append(cls)\n"
        "class Middle(Base): pass\nOther = Middle\nclass A(Other):\n    size = 3\n",
        "= 3",
        "= 4",
    ),
    "metaclass": (
        "class Meta(type):\n    def __init__(cls, *a): print(cls)\n"
        "class Base(metaclass=Meta): pass\n"
        "class A(Base):\n    size = 3\n",
        "= 3",
        "= 4",
    ),
    "loop": (
        "TABLE = {}\ndef g(): return 3\nfor name in ['x']:\n    TABLE[name] = g\n",
        "return 3",
        "return 4",
    ),
    "condition": ("import os\nif os.name == 'nt':\n    raise SystemExit(3)\n", "3", "4"),
    "with": ("import warnings\nwith warnings.catch_warnings():\n    N = 3\n", "= 3", "= 4"),
    "assert": ("assert 3\n", "3", "4"),
    "operators": ("class A:\n    def __rshift__(self, o): return 3\nx = A()\nx >> x\n", "3", "4"),
    "written file": (
        "from pathlib import Path\nHERE = Path('x')\n(HERE / 'y').write_text('3')\n",
        "3",
        "4",
    ),
    "global": (
        "N = 3\ndef g():\n    global N\n    N = 4\n    return 1\nX = g()\n",
        "N = 4",
        "N = 5",
    ),
    "import made by a call": (
        "def load():\n    import more\n    return 3\nX = load()\n",
        "return 3",
        "return 4",
    ),
    "generated name": ("globals()['x'] = 3\n", "3", "4"),
    "setattr": ("class A: pass\nsetattr(A, 'x', 3)\n", "3", "4"),
}


@parametrize(REACHED)
def test_names_are_followed_to_what_they_stand_for(tmp_path, case):
    text, steps = case
    write(tmp_path, text)
    for step in steps:
        file, *edits, expected = step
        assert changed_by(tmp_path, file, *edits) == expected, step


@parametrize(SCOPES)
def test_a_name_belongs_to_its_scope(tmp_path, case):
    text, expected = case
    write(tmp_path, f"{USE}--- lib.py\ndef g(): return 1\n{text}")
    assert changed_by(tmp_path, "lib.py", "return 1", "return 9") == expected


@parametrize(ANNOTATIONS)
def test_annotations_and_docstrings_count_where_they_do_something(tmp_path, case):
    text, old, new, expected = case
    write(tmp_path, f"{USE}--- lib.py\n{text}")
    assert changed_by(tmp_path, "lib.py", old, new) == expected


@parametrize(ACTS)
def test_a_statement_that_acts_counts_for_all_that_load_it(tmp_path, case):
    text, old, new = case
    write(
        tmp_path,
        f"{USE}--- b.py\nimport other\nother.g()\n--- c.py\nimport main\n--- main.py\nimport lib\n"
        f"--- lib.py\n{text}def f(): return 1\n--- other.py\ndef g(): return 1\n--- more.py\n",
    )
    assert changed_by(tmp_path, "lib.py", old, new) == "ac"


# repository, changed file, texts before and after, what the reason says
UNRESOLVED = {
    "module as a value": (
        "--- a.py\nimport lib\ngetattr(lib, 'f')()\n--- lib.py\ndef f(): return 1\n",
        "lib.py",
        "any name",
    ),
    "module in a table": (
        "--- a.py\nfrom pkg import one, two\nfor m in {'x': one, 'y': two}.values(): m.f()\n"
        "--- pkg/__init__.py\n--- pkg/one.py\ndef f(): return 1\n--- pkg/two.py\n"
        "def f(): return 3\n",
        "pkg/one.py",
        "any name",
    ),
    "module that a module as a value imports": (
        "--- a.py\nimport pkg\ngetattr(pkg, 'one').f()\n--- pkg/__init__.py\nfrom . import one\n"
        "--- pkg/one.py\ndef f(): return 1\n",
        "pkg/one.py",
        "any name",
    ),
    "module below a package as a value": (
        "--- a.py\nimport pkg.one\ngetattr(pkg, 'one').f()\n--- pkg/__init__.py\n"
        "--- pkg/one.py\ndef f(): return 1\n",
        "pkg/one.py",
        "any name",
    ),
    "function that a module as a value imports": (
        "--- a.py\nimport lib\ngetattr(lib, 'f')()\n--- lib.py\nfrom more import *\n"
        "--- more.py\ndef f(): return 1\n",
        "more.py",
        "any name",
    ),
    "name that the module makes": (
        "--- a.py\nimport lib\nlib.f()\n--- lib.py\ndef __getattr__(name): return 1\n",
        "lib.py",
        "any name",
    ),
    "constant name": (
        "--- a.py\nimport importlib\nimportlib.import_module('pkg.one').f()\n--- pkg/__init__.py\n"
        "--- pkg/one.py\ndef f(): return 1\n",
        "pkg/one.py",
        "named in a string",
    ),
    "constant name of one word": (
        "--- a.py\nfrom importlib import import_module as load\nload('lib').f()\n"
        "--- lib.py\ndef f(): return 1\n",
        "lib.py",
        "named in a string",
    ),
    "constant relative name": (
        "--- a.py\nfrom pkg.main import run\nrun()\n--- pkg/__init__.py\n--- pkg/main.py\n"
        "import importlib\ndef run(): importlib.import_module('.one', __package__).f()\n"
        "--- pkg/one.py\ndef f(): return 1\n",
        "pkg/one.py",
        "as it runs",
    ),
    "name that is not constant": (
        "--- a.py\nimport importlib, sys\nimportlib.import_module(sys.argv[1]).f()\n"
        "--- pkg/one.py\ndef f(): return 1\n",
        "pkg/one.py",
        "as it runs",
    ),
    "name of which the start is known": (
        "--- a.py\nimport importlib, sys\nimportlib.import_module(f'pkg.{sys.argv[1]}').f()\n"
        "--- pkg/one.py\ndef f(): return 1\n--- other.py\ndef f(): return 1\n",
        "pkg/one.py",
        "as it runs",
    ),
    "relative name of which the start is known": (
        "--- a.py\nfrom pkg.main import run\nrun('one')\n--- pkg/__init__.py\n--- pkg/main.py\n"
        "import importlib\ndef run(n): importlib.import_module(f'.{n}', __package__).f()\n"
        "--- pkg/one.py\ndef f(): return 1\n",
        "pkg/one.py",
        "as it runs",
    ),
    "import_module handed over": (
        "--- a.py\nimport importlib\nlist(map(importlib.import_module, ['one']))\n"
        "--- one.py\ndef f(): return 1\n",
        "one.py",
        "as it runs",
    ),
    "__import__": (
        "--- a.py\nimport sys\n__import__(sys.argv[1])\n--- one.py\ndef f(): return 1\n",
        "one.py",
        "as it runs",
    ),
    "plugins of a package": (
        "--- a.py\nimport pkg\npkg.load()\n--- pkg/__init__.py\nimport importlib, pkgutil\n"
        "def load():\n"
        "    for m in pkgutil.iter_modules(__path__):\n"
        "        importlib.import_module(f'{__name__}.{m.name}')\n"
        "--- pkg/one.py\ndef f(): return 1\n",
        "pkg/one.py",
        "as it runs",
    ),
    "sys.modules": (
        "--- a.py\nimport lib, sys\ngetattr(sys.modules['lib'.lower()], 'f')()\n"
        "--- lib.py\ndef f(): return 1\n",
        "lib.py",
        "as it runs",
    ),
    "sys.modules of itself": (
        "--- a.py\nimport lib\nlib.g()\n--- lib.py\nimport sys\ndef f(): return 1\n"
        "def g(): return getattr(sys.modules[__name__], 'f')()\n",
        "lib.py",
        "as it runs",
    ),
    "eval": (
        "--- a.py\nfrom lib import g\ng('f()')\n--- lib.py\ndef f(): return 1\n"
        "def g(x): return eval(x)\n",
        "lib.py",
        "as it runs",
    ),
    "globals": (
        "--- a.py\nfrom lib import g\ng('f')\n--- lib.py\ndef f(): return 1\n"
        "def g(x): return globals()[x]()\n",
        "lib.py",
        "as it runs",
    ),
    "module name in a string": (
        "--- a.py\nimport subprocess\nsubprocess.run(['python', '-m', 'pkg.one'])\n"
        "--- pkg/one.py\ndef f(): return 1\n",
        "pkg/one.py",
        "named in a string",
    ),
    "function name in a string": (
        "--- a.py\nENTRY = 'pkg.one:f'\nprint(ENTRY)\n--- pkg/one.py\ndef f(): return 1\n",
        "pkg/one.py",
        "named in a string",
    ),
    "path of a module in a string": (
        "--- a.py\nimport runpy\nrunpy.run_path('pkg/one.py')\n--- pkg/one.py\nfrom two import f\n"
        "--- two.py\ndef f(): return 1\n",
        "two.py",
        "named in a string",
    ),
}


@parametrize(UNRESOLVED)
def test_what_cannot_be_resolved_counts_and_says_so(tmp_path, case):
    text, file, why = case
    write(tmp_path, text)
    found = [r for r in reached_by("a.py", tmp_path) if r.file == file and r.unresolved]
    assert any(why in reached.unresolved for reached in found)
    assert all(reached.by for reached in found)
    assert changed_by(tmp_path, file, "return 1", "return 2") == "a"


def test_a_known_start_of_a_name_leaves_out_other_modules(tmp_path):
    write(tmp_path, UNRESOLVED["name of which the start is known"][0])
    assert changed_by(tmp_path, "other.py", "return 1", "return 2") == ""


def test_modules_that_change_places_count(tmp_path):
    write(tmp_path, UNRESOLVED["module in a table"][0])
    assert changed_by(tmp_path, "a.py", "import one, two", "import two as one, one as two") == "a"


def test_what_is_resolved_has_no_reason(tmp_path):
    write(tmp_path, PAIR)
    for script in ("a.py", "b.py"):
        assert not any(reached.unresolved for reached in reached_by(script, tmp_path))


# The statements of lib.py, and whether a file beside it counts: words.txt, more/one.json
HERE = "from pathlib import Path\nHERE = Path(__file__).parent\n"
DATA = {
    "with_name": (
        "from pathlib import Path\n"
        "def f(): return Path(__file__).with_name('words.txt').read_text()",
        "w",
    ),
    "constant folder": (HERE + "def f(): return (HERE / 'words.txt').read_text()", "w"),
    "annotated constant folder": (
        "from pathlib import Path\nHERE: Path = Path(__file__).parent\n"
        "def f(): return (HERE / 'words.txt').read_text()",
        "w",
    ),
    "folder below": (HERE + "def f(): return (HERE / 'more' / 'one.json').open()", "m"),
    "folder of another module": (
        "import places\ndef f(): return (places.HERE / 'words.txt').read_text()",
        "w",
    ),
    "imported folder": ("from places import HERE as H\ndef f(): return open(H / 'words.txt')", "w"),
    "constant file": (HERE + "WORDS = HERE / 'words.txt'\ndef f(): return WORDS.read_text()", "w"),
    "file of another module": ("import places\ndef f(): return places.WORDS.read_text()", "w"),
    "constant text": (
        HERE + "WORDS = (HERE / 'words.txt').read_text()\ndef f(): return WORDS",
        "w",
    ),
    "text of another module": ("import places\ndef f(): return places.TEXT", "w"),
    "pathlib as a module": (
        "import pathlib\ndef f(): return (pathlib.Path(__file__).parent / 'words.txt').read_text()",
        "w",
    ),
    "parents": (
        "from pathlib import Path\n"
        "def f(): return (Path(__file__).resolve().parents[1] / 'pkg/words.txt').open()",
        "w",
    ),
    "os.path": (
        "import os\ndef f(): return open(os.path.join(os.path.dirname(__file__), 'words.txt'))",
        "w",
    ),
    "joinpath": (HERE + "def f(): return HERE.joinpath('more', 'one.json').read_text()", "m"),
    "two dots": (HERE + "def f(): return (HERE / '..' / 'pkg' / 'words.txt').read_text()", "w"),
    "path of the repository": ("def f(): return open('pkg/words.txt')", "w"),
    "path that a library reads": (
        "import pandas\ndef f(): return pandas.read_csv('pkg/words.txt')",
        "w",
    ),
    "files of a named package": (
        "from importlib.resources import files\n"
        "def f(): return (files('pkg') / 'words.txt').read_text()",
        "w",
    ),
    "files of a package": (
        "import importlib.resources, pkg\n"
        "def f(): return importlib.resources.files(pkg).joinpath('words.txt').read_text()",
        "w",
    ),
    "files of a folder": (
        "from importlib import resources\nfrom pkg import more\n"
        "def f(): return (resources.files(more) / 'one.json').read_text()",
        "m",
    ),
    "files of its own package": (
        "from importlib import resources\n"
        "def f(): return (resources.files(__package__) / 'words.txt').open()",
        "w",
    ),
    "files of its own name": (
        "from importlib import resources\n"
        "def f(): return (resources.files(__name__) / 'words.txt').open()",
        "w",
    ),
    "read_text of resources": (
        "from importlib import resources\ndef f(): return resources.read_text('pkg', 'words.txt')",
        "w",
    ),
    "pkgutil": ("import pkgutil\ndef f(): return pkgutil.get_data('pkg', 'words.txt')", "w"),
    "member chosen as it runs": (HERE + "def f(): return (HERE / input()).read_text()", "wm"),
    "member named by a constant": (
        HERE + "NAME = 'words.txt'\ndef f(): return (HERE / NAME).read_text()",
        "wm",
    ),
    "member of a folder below": (HERE + "def f(): return list((HERE / 'more').glob('*'))", "m"),
    "name beside it chosen as it runs": (
        "from pathlib import Path\ndef f(): return Path(__file__).with_name(input()).read_text()",
        "wm",
    ),
    "folder in a local variable": (
        "from pathlib import Path\ndef f():\n    here = Path(__file__).parent\n"
        "    return (here / 'words.txt').read_text()",
        "wm",
    ),
    "folder that a function gives": (
        "from pathlib import Path\ndef here(): return Path(__file__).parent\n"
        "def f(): return (here() / 'words.txt').read_text()",
        "wm",
    ),
    "folder of a class": (
        "from pathlib import Path\nclass A:\n    here = Path(__file__).parent\n"
        "    def read(self): return (self.here / 'words.txt').read_text()\n"
        "def f(): return A().read()",
        "wm",
    ),
    "folder bound twice": (
        "from pathlib import Path\nHERE = Path('/tmp')\nHERE = Path(__file__).parent\n"
        "def f(): return (HERE / 'words.txt').read_text()",
        "wm",
    ),
    "start of a name": (HERE + "def f(): return open(str(HERE / 'wor') + 'ds.txt')", "wm"),
    "split file": (
        "import os\ndef f(): return open(os.path.split(__file__)[0] + '/words.txt')",
        "wm",
    ),
    "package chosen as it runs": (
        "from importlib.resources import files\n"
        "def f(p=None): return (files(p) / 'words.txt').open()",
        "wm",
    ),
    "file that only another function reads": (
        HERE + "WORDS = HERE / 'words.txt'\ndef g(): return WORDS.open()\ndef f(): return 3",
        "",
    ),
    "folder that is only compared": (HERE + "def f(p): return p.is_relative_to(HERE)", ""),
    "name of the file": ("from pathlib import Path\ndef f(): return Path(__file__).stem", ""),
    "results": ("def f(): return open('results/words.txt')", ""),
    "name that happens to be a file's": ("def f(): return 'words.txt'", ""),
}


@parametrize(DATA)
def test_files_that_are_read_count_by_content(tmp_path, case):
    text, expected = case
    write(
        tmp_path,
        f"--- a.py\nfrom pkg.lib import f\nf()\n--- pkg/__init__.py\n--- pkg/lib.py\n{text}\n"
        "--- pkg/words.txt\none\n--- pkg/more/one.json\n[1]\n--- results/words.txt\none\n"
        "--- places.py\n"
        "from pathlib import Path\nHERE = Path(__file__).parent / 'pkg'\n"
        "WORDS = HERE / 'words.txt'\n"
        "TEXT = WORDS.read_text()\n",
    )
    before = code_of("a.py", tmp_path)
    for file in ("pkg/words.txt", "pkg/more/one.json", "results/words.txt"):
        path = tmp_path / file
        kept = path.read_text()
        path.write_text("[2]\n")
        forget()
        counts = code_of("a.py", tmp_path) != before
        assert counts == (file.startswith("pkg/") and file[4] in expected), file
        path.write_text(kept)
    forget()
    assert code_of("a.py", tmp_path) == before


def test_a_new_member_of_a_folder_counts_and_the_reason_is_told(tmp_path):
    write(tmp_path, f"--- a.py\n{HERE}print([p.read_text() for p in (HERE / 'words').iterdir()])\n")
    write(tmp_path, "--- words/one.txt\none\n--- words/.hidden\n--- words/code.py\n")
    found = {r.file: r.unresolved for r in reached_by("a.py", tmp_path) if not r.name}
    assert found == {"words/one.txt": "a file below words is read"}
    assert changed_by(tmp_path, "words/two.txt", "", "two") == "a"


def test_a_missing_file_counts_once_it_is_there(tmp_path):
    write(
        tmp_path,
        "--- a.py\nfrom pathlib import Path\np = Path(__file__).with_name('x.txt')\n"
        "print(p.exists())\n",
    )
    assert changed_by(tmp_path, "x.txt", "", "one") == "a"


def test_a_definition_may_move_to_another_module(tmp_path):
    write(tmp_path, PAIR)
    before = codes(tmp_path)
    inner = "def _inner():\n    return 2\n"
    change(tmp_path, "lib/more.py", inner, "from lib.inner import _inner\n")
    change(tmp_path, "lib/inner.py", "", inner)
    change(tmp_path, "lib/work.py", "FACTOR = 2.5", "from lib.inner import FACTOR")
    change(tmp_path, "lib/inner.py", "", "FACTOR = 2.5\n")
    base = (tmp_path / "lib/more.py").read_text()
    shape = base[base.index("class Base") :]
    change(tmp_path, "lib/more.py", shape, "")
    change(tmp_path, "lib/shape.py", "", shape)
    change(
        tmp_path,
        "lib/work.py",
        "import helper, Shape as Form",
        "import helper\nfrom .shape import Shape as Form",
    )
    assert codes(tmp_path) == before


def test_the_way_to_a_definition_is_told(tmp_path):
    write(tmp_path, PAIR)
    by = {reached.place: reached.by for reached in reached_by("a.py", tmp_path)}
    assert by == {
        "a.py: first(3)": None,
        "lib/work.py: first": "a.py: first(3)",
        "lib/work.py: SIZE": "lib/work.py: first",
        "lib/more.py: helper": "lib/work.py: first",
        "lib/more.py: _inner": "lib/more.py: helper",
    }
    assert reach("a.py", tmp_path).modules == (
        "a.py",
        "lib/__init__.py",
        "lib/more.py",
        "lib/work.py",
    )


def test_what_acts_tells_who_loads_it(tmp_path):
    write(tmp_path, "--- a.py\nimport lib\nlib.f()\n--- lib.py\nimport more\ndef f(): return 1\n")
    write(tmp_path, "--- more.py\nprint('loaded')\n")
    (acting,) = [r for r in reached_by("a.py", tmp_path) if r.file == "more.py"]
    assert (acting.name, acting.unresolved) == ("print('loaded')", "acts on import")
    assert acting.by == "lib.py"


def test_libraries_are_those_that_reached_code_uses(tmp_path):
    write(
        tmp_path,
        "--- a.py\nimport lib\nlib.f()\n--- lib.py\nimport numpy as np\nimport torch\n"
        "from scipy.stats import norm\ndef f():\n    import pandas as pd\n"
        "    return np.abs(pd, norm.pdf)\n"
        "def g(): return torch.ones(3)\n",
    )
    assert set(reach("a.py", tmp_path).libraries) == {"numpy", "pandas", "scipy"}


def test_a_folder_named_like_a_library_hides_nothing(tmp_path):
    write(tmp_path, "--- a.py\nimport datasets\ndatasets.load(3)\n--- datasets/x.txt\n")
    assert reach("a.py", tmp_path).libraries == ("datasets",)


def test_neither_time_nor_place_counts(tmp_path):
    here = write(
        tmp_path / "here", PAIR + "--- lib/words.txt\none\n--- c.py\nprint(open('lib/words.txt'))\n"
    )
    there = write(
        tmp_path / "else" / "where",
        PAIR + "--- lib/words.txt\none\n--- c.py\nprint(open('lib/words.txt'))\n",
    )
    for path in there.rglob("*.*"):
        os.utime(path, (1, 1))
    assert codes(here) == codes(there)
    assert len(set(codes(here).values())) == 3


def test_the_hash_is_the_same_in_every_process(tmp_path):
    write(tmp_path, PAIR)
    text = f"""
from pathlib import Path
from workflow_scripts.common.provenance import code_of
print(*[code_of(script, Path({str(tmp_path)!r})) for script in ("a.py", "b.py")])
"""
    found = [
        subprocess.run(
            [sys.executable, "-c", text],
            env={"PYTHONPATH": str(ROOT), "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.split()
        for seed in ("1", "2")
    ]
    assert found[0] == found[1] == list(codes(tmp_path).values())
    assert all(re.fullmatch("[0-9a-f]{16}", code) for code in found[0])


def test_files_are_read_once(tmp_path):
    write(tmp_path, PAIR)
    before = code_of("a.py", tmp_path)
    change(tmp_path, "lib/work.py", "n + 1", "n + 2")
    assert code_of("a.py", tmp_path) == before
    forget()
    assert code_of("a.py", tmp_path) != before


@pytest.mark.parametrize("script", ["none.py", "lib", "lib/none.py"])
def test_a_missing_script_is_an_error(tmp_path, script):
    write(tmp_path, PAIR)
    with pytest.raises(FileNotFoundError, match=re.escape(script)):
        code_of(script, tmp_path)


def test_a_file_that_is_no_python_is_an_error(tmp_path):
    write(tmp_path, "--- a.py\nimport lib\n--- lib.py\ndef f(:\n--- b.py\nprint(1)\n")
    with pytest.raises(SyntaxError, match=r"lib\.py|invalid"):
        code_of("a.py", tmp_path)
    assert code_of("b.py", tmp_path)


def test_a_script_may_lie_in_a_folder_with_a_dot(tmp_path):
    write(tmp_path, "--- v1.2/a.py\nfrom lib import f\nf()\n--- lib.py\ndef f(): return 1\n")
    before = code_of("v1.2/a.py", tmp_path)
    change(tmp_path, "lib.py", "return 1", "return 2")
    forget()
    assert code_of("v1.2/a.py", tmp_path) != before


# This repository


def own_scripts() -> list[str]:
    rules = [path.read_text() for path in sorted((ROOT / "rules").glob("*.smk"))]
    found = {
        name for rule in rules for name in re.findall(r"\.\./(workflow_scripts/\S+\.py)", rule)
    }
    return sorted(found)


def test_every_module_that_a_script_imports_is_reached():
    # Of a script only the imports at the top run: it does its work where it is the main module.
    # What a script adds to those before it is looked for in its own reach, and the whole in all.
    text = """
import json, runpy, sys
found = {}
for script in sys.argv[1:]:
    for name in [name for name in sys.modules if name.partition(".")[0] == "workflow_scripts"]:
        del sys.modules[name]
    runpy.run_path(script, run_name="not_main")
    files = (getattr(module, "__file__", None) for module in list(sys.modules.values()))
    found[script] = sorted(f for f in files if f and "/workflow_scripts/" in f)
print(json.dumps(found))
"""
    scripts = own_scripts()
    assert len(scripts) >= 20
    done = subprocess.run(
        [sys.executable, "-c", text, *scripts],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    for script in scripts:
        files = {Path(file).relative_to(ROOT).as_posix() for file in found[script]}
        assert len(files) > 3, script
        reached = reach(script)
        assert script in reached.modules
        assert files <= set(reached.modules), script


def test_own_scripts_have_codes_of_their_own_and_read_no_documents():
    codes_of_own = [code_of(script) for script in own_scripts()]
    assert len(set(codes_of_own)) == len(codes_of_own)
    for script in own_scripts():
        files = {reached.file for reached in reached_by(script)}
        assert not any(file.startswith(("docs/", "tests/", "README")) for file in files), script


def test_every_definition_of_this_repository_means_the_same_without_its_layout(tmp_path):
    for path in sorted((ROOT / "workflow_scripts").rglob("*.py")):
        name = path.relative_to(ROOT).as_posix().removesuffix(".py").replace("/", ".")
        plain = tmp_path / path.name
        plain.write_text(ast.unparse(ast.parse(path.read_text())))
        own, again = (read_module(place, name).definitions for place in (path, plain))
        assert [meaning_of(d).text for d in own] == [meaning_of(d).text for d in again], path
        for definition in own:
            assert definition.label
            compile(definition.source, str(path), "exec")
