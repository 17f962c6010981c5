"""Modules that do more than bind names when they are imported count whole."""

from tests.codehash.repositories import USE, changed_by, parametrize, write
from workflow_scripts.common.provenance import reach, reached_by

# Statements of lib.py, which all scripts but b.py load. What acts holds a 3; `f` needs none of it.
ACTS = {
    "call": "import sys\nsys.setrecursionlimit(300)\n",
    "library": "import matplotlib\nmatplotlib.interactive(3)\n",
    "method of what a library keeps": "import logging\nlogging.getLogger('x').setLevel(3)\n",
    "entry of a table": "TABLE = {}\ndef g(): return 3\nTABLE['g'] = g\n",
    "attribute": "class A: pass\nA.size = 3\n",
    "registering decorator": (
        "KNOWN = []\n"
        "def register(g):\n"
        "    KNOWN.append(g)\n"
        "    return g\n"
        "@register\n"
        "def g(): return 3\n"
    ),
    "decorator of a library": "import atexit\n@atexit.register\ndef g(): return 3\n",
    "registering decorator of a class": (
        "KNOWN = {}\n"
        "def register(name):\n"
        "    def add(cls):\n"
        "        KNOWN[name] = cls\n"
        "        return cls\n"
        "    return add\n"
        "@register('x')\n"
        "class A:\n"
        "    size = 3\n"
    ),
    "value whose making registers": (
        "KNOWN = []\ndef add(x):\n    KNOWN.append(x)\n    return x\nONE = add(3)\n"
    ),
    "registration through another name": (
        "KNOWN = {}\ndef add(x):\n    table = KNOWN\n    table[x] = 1\n    return x\nONE = add(3)\n"
    ),
    "registration in a table that a call gives": (
        "KNOWN = {}\n"
        "def table(): return KNOWN\n"
        "def add(x):\n"
        "    known = table()\n"
        "    known[x] = 1\n"
        "    return x\n"
        "ONE = add(3)\n"
    ),
    "registration in a table handed over": (
        "class Table:\n"
        "    def enter(self, x): self.x = x\n"
        "KNOWN = Table()\n"
        "def add(table, x):\n"
        "    table.enter(x)\n"
        "    return x\n"
        "ONE = add(KNOWN, 3)\n"
    ),
    "functions that call each other": (
        "KNOWN = []\n"
        "def one(n):\n"
        "    if n: two(n - 1)\n"
        "    KNOWN.append(n)\n"
        "def two(n):\n"
        "    one(n)\n"
        "    return n\n"
        "X = one\n"
        "Y = two(3)\n"
    ),
    "object whose making registers": (
        "KNOWN = []\n"
        "class A:\n"
        "    def __init__(self, n):\n"
        "        self.n = n\n"
        "        self.enter()\n"
        "    def enter(self): KNOWN.append(self)\n"
        "ONE = A(3)\n"
    ),
    "function handed to a builtin": (
        "KNOWN = []\ndef add(x): KNOWN.append(x)\nDONE = list(map(add, [3]))\n"
    ),
    "lambda handed to a builtin": (
        "KNOWN = []\nDONE = list(map(lambda x: KNOWN.append(x), [3]))\n"
    ),
    "subclass": (
        "class Base:\n"
        "    known = []\n"
        "    def __init_subclass__(cls): Base.known.append(cls)\n"
        "class A(Base):\n"
        "    size = 3\n"
    ),
    "subclass of a subclass": (
        "class Base:\n"
        "    known = []\n"
        "    def __init_subclass__(cls): Base.known.append(cls)\n"
        "class Middle(Base): pass\n"
        "Other = Middle\n"
        "class A(Other):\n"
        "    size = 3\n"
    ),
    "metaclass": (
        "class Meta(type):\n"
        "    def __init__(cls, *a): print(cls)\n"
        "class Base(metaclass=Meta): pass\n"
        "class A(Base):\n"
        "    size = 3\n"
    ),
    "loop": "TABLE = {}\ndef g(): return 3\nfor name in ['x']:\n    TABLE[name] = g\n",
    "condition": "import os\nif os.name == 'nt':\n    raise SystemExit(3)\n",
    "with": "import warnings\nwith warnings.catch_warnings():\n    N = 3\n",
    "assert": "assert 3\n",
    "operators": "class A:\n    def __rshift__(self, o): return 3\nx = A()\nx >> x\n",
    "written file": ("from pathlib import Path\nHERE = Path('x')\n(HERE / 'y').write_text('3')\n"),
    "global": "N = 1\ndef g():\n    global N\n    N = 3\n    return 1\nX = g()\n",
    "import made by a call": "def load():\n    import more\n    return 3\nX = load()\n",
    "generated name": "globals()['x'] = 3\n",
    "setattr": "class A: pass\nsetattr(A, 'x', 3)\n",
}


@parametrize(ACTS)
def test_a_statement_that_acts_counts_for_all_that_load_it(tmp_path, case):
    write(
        tmp_path,
        f"{USE}--- b.py\nimport other\nother.g()\n--- c.py\nimport main\n--- main.py\nimport lib\n"
        f"--- lib.py\n{case}def f(): return 1\n--- other.py\ndef g(): return 1\n--- more.py\n",
    )
    assert changed_by(tmp_path, "lib.py", "3", "4") == "ac"


def test_what_counts_whole_names_the_line_and_who_loads_it(tmp_path):
    write(tmp_path, "--- a.py\nimport lib\nlib.f()\n--- lib.py\nimport more\ndef f(): return 1\n")
    write(tmp_path, "--- more.py\nprint('loaded')\n")
    (acting,) = [r for r in reached_by("a.py", tmp_path) if r.file == "more.py"]
    assert acting.name == "print('loaded')"
    reason = "line 1: print('loaded')"
    assert acting.unresolved == f"the module counts whole, it is not plain: {reason}"
    assert acting.by == "lib.py"
    assert reach("a.py", tmp_path).whole == {"a.py": "line 2: lib.f()", "more.py": reason}
