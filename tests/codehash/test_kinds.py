"""Kinds of changes that an analysis by names alone would miss, or take for one."""

from pathlib import Path

import pytest

from tests.codehash.repositories import change, changed_by, codes, parametrize, write
from workflow_scripts.common.provenance import clear_cache, code_of, reach
from workflow_scripts.rebuilds.sources import sources_of

# A repository with a script a.py, and an edit that changes what the script does: file, text before,
# text after. Further edits, each of the repository as it was, follow.
MISSED = {
    # A name that a function or class imports twice
    "import in a function that may fail": (
        """
        --- a.py
        from lib import use
        use()
        --- lib.py
        def use():
            try:
                from fast import f
            except ImportError:
                from slow import f
            return f()
        --- fast.py
        def f(): return 1
        --- slow.py
        def f(): return 1
        """,
        ("fast.py", "return 1", "return 2"),
        ("slow.py", "return 1", "return 2"),
    ),
    "import in a function by a condition": (
        """
        --- a.py
        import sys
        def use():
            if len(sys.argv) > 1:
                import fast as impl
            else:
                import slow as impl
            return impl.f()
        if __name__ == "__main__":
            use()
        --- fast.py
        def f(): return 1
        --- slow.py
        def f(): return 1
        """,
        ("fast.py", "return 1", "return 2"),
        ("slow.py", "return 1", "return 2"),
    ),
    "import in a class that may fail": (
        """
        --- a.py
        from lib import A
        A.f()
        --- lib.py
        class A:
            try:
                from fast import f
            except ImportError:
                from slow import f
        --- fast.py
        def f(): return 1
        --- slow.py
        def f(): return 1
        """,
        ("fast.py", "return 1", "return 2"),
    ),
    "import in a nested function": (
        """
        --- a.py
        from lib import use
        use()
        --- lib.py
        def use():
            def inner():
                from fast import f
                return f()
            def outer():
                from slow import f
                return f()
            return inner() + outer()
        --- fast.py
        def f(): return 1
        --- slow.py
        def f(): return 1
        """,
        ("fast.py", "return 1", "return 2"),
        ("slow.py", "return 1", "return 2"),
    ),
    # Data that another module, or a search, leads to
    "file beside another module": (
        """
        --- a.py
        from pathlib import Path
        import pkg
        print((Path(pkg.__file__).parent / "w.txt").read_text())
        --- pkg/__init__.py
        --- pkg/w.txt
        one
        """,
        ("pkg/w.txt", "one", "two"),
    ),
    "file beside a module imported in a function": (
        """
        --- a.py
        def read():
            import pathlib, pkg.deep as deep
            return pathlib.Path(deep.__file__).with_name("w.txt").read_text()
        read()
        --- pkg/__init__.py
        --- pkg/deep.py
        --- pkg/w.txt
        one
        """,
        ("pkg/w.txt", "one", "two"),
    ),
    "file below a package's path": (
        """
        --- a.py
        import os, pkg
        print(open(os.path.join(pkg.__path__[0], "w.txt")).read())
        --- pkg/__init__.py
        --- pkg/w.txt
        one
        """,
        ("pkg/w.txt", "one", "two"),
    ),
    "file below one of a package's paths": (
        """
        --- a.py
        import os, pkg
        for folder in pkg.__path__:
            print(open(os.path.join(folder, "w.txt")).read())
        --- pkg/__init__.py
        --- pkg/w.txt
        one
        """,
        ("pkg/w.txt", "one", "two"),
    ),
    "file beside that of a function": (
        """
        --- a.py
        import inspect, os
        from pkg.work import f
        print(open(os.path.dirname(inspect.getfile(f)) + "/w.txt").read())
        --- pkg/work.py
        def f(): return 1
        --- pkg/w.txt
        one
        """,
        ("pkg/w.txt", "one", "two"),
    ),
    "file beside that of a class, by another name": (
        """
        --- a.py
        from inspect import getsourcefile as where
        from pathlib import Path
        from pkg.work import A
        print(Path(where(A)).with_name("w.txt").read_text())
        --- pkg/work.py
        class A: pass
        --- pkg/w.txt
        one
        """,
        ("pkg/w.txt", "one", "two"),
    ),
    "file where a package is found": (
        """
        --- a.py
        from importlib.util import find_spec
        from pathlib import Path
        print((Path(find_spec("pkg").origin).parent / "w.txt").read_text())
        --- pkg/__init__.py
        --- pkg/w.txt
        one
        """,
        ("pkg/w.txt", "one", "two"),
    ),
    "file where a package of a computed name is found": (
        """
        --- a.py
        import importlib.util, pathlib, sys
        def read(name):
            place = importlib.util.find_spec(name).submodule_search_locations[0]
            return pathlib.Path(place, "w.txt").read_text()
        read(sys.argv[1])
        --- pkg/__init__.py
        --- pkg/w.txt
        one
        """,
        ("pkg/w.txt", "one", "two"),
    ),
    "file on the path of imports": (
        """
        --- a.py
        import sys
        print(open(sys.path[0] + "/w.txt").read())
        --- w.txt
        one
        """,
        ("w.txt", "one", "two"),
    ),
    "file of a module's specification": (
        """
        --- a.py
        import os, pkg.work
        print(open(os.path.dirname(pkg.work.__spec__.origin) + "/w.txt").read())
        --- pkg/__init__.py
        --- pkg/work.py
        --- pkg/w.txt
        one
        """,
        ("pkg/w.txt", "one", "two"),
    ),
    "file above a folder in a variable": (
        """
        --- a.py
        from pkg.deep.work import read
        read()
        --- pkg/deep/work.py
        from pathlib import Path
        def read():
            here = Path(__file__).parent
            return (here.parent / "w.txt").read_text()
        --- pkg/w.txt
        one
        """,
        ("pkg/w.txt", "one", "two"),
    ),
    # Files that are hidden, chosen as the program runs
    "hidden file, chosen as it runs": (
        """
        --- a.py
        import sys
        from pathlib import Path
        print((Path(__file__).parent / "pkg" / sys.argv[1]).read_text())
        --- pkg/.words
        one
        """,
        ("pkg/.words", "one", "two"),
    ),
    "hidden file in a folder that is listed": (
        """
        --- a.py
        from pathlib import Path
        HERE = Path(__file__).parent / "pkg"
        def read():
            return [path.read_text() for path in sorted(HERE.rglob("*"))]
        if __name__ == "__main__":
            print(read())
        --- pkg/.deep/words
        one
        """,
        ("pkg/.deep/words", "one", "two"),
    ),
    # Order at import, of what runs at once
    "default before a rebinding": (
        """
        --- a.py
        from lib import f
        f()
        --- lib.py
        N = 1
        def f(n=N): return n
        N = 2
        """,
        (
            "lib.py",
            "def f(n=N): return n\nN = 2",
            "N = 2\ndef f(n=N): return n",
        ),
    ),
    "attribute of a class before a rebinding": (
        """
        --- a.py
        from lib import A
        print(A.size)
        --- lib.py
        N = 1
        class A:
            size = N
        N = 2
        """,
        ("lib.py", "class A:\n    size = N\nN = 2", "N = 2\nclass A:\n    size = N"),
    ),
    "base class before a rebinding": (
        """
        --- a.py
        from lib import B
        B()
        --- lib.py
        class A: x = 1
        class B(A): pass
        class A: x = 2
        """,
        ("lib.py", "class B(A): pass\nclass A: x = 2", "class A: x = 2\nclass B(A): pass"),
    ),
    "decorator before a rebinding": (
        """
        --- a.py
        from lib import f
        f()
        --- lib.py
        def twice(g): return lambda: 2 * g()
        @twice
        def f(): return 1
        def twice(g): return g
        """,
        (
            "lib.py",
            "@twice\ndef f(): return 1\ndef twice(g): return g",
            "def twice(g): return g\n@twice\ndef f(): return 1",
        ),
    ),
    "default of a lambda before a rebinding": (
        """
        --- a.py
        from lib import f
        f()
        --- lib.py
        N = 1
        f = lambda n=N: n
        N = 2
        """,
        ("lib.py", "f = lambda n=N: n\nN = 2", "N = 2\nf = lambda n=N: n"),
    ),
    "default before another module rebinds its name": (
        """
        --- a.py
        import one
        import two
        from lib import f
        f()
        --- base.py
        N = 1
        --- one.py
        import base
        base.N = 2
        --- two.py
        from lib import f
        --- lib.py
        import base
        def f(n=base.N): return n
        """,
        ("a.py", "import one\nimport two", "import two\nimport one"),
    ),
    # Order of a statement that acts and one that only binds
    "copy before an entry": (
        """
        --- a.py
        from lib import SNAP
        print(SNAP)
        --- lib.py
        T = {"a": 1}
        T["b"] = 2
        SNAP = dict(T)
        """,
        ("lib.py", 'T["b"] = 2\nSNAP = dict(T)', 'SNAP = dict(T)\nT["b"] = 2'),
    ),
    "value of a function before a rebinding": (
        """
        --- a.py
        from lib import X
        print(X)
        --- lib.py
        N = 1
        def g(): return N
        N = 2
        X = g()
        """,
        ("lib.py", "N = 2\nX = g()", "X = g()\nN = 2"),
    ),
    "length before an append": (
        """
        --- a.py
        from lib import SIZE
        print(SIZE)
        --- lib.py
        ALL = [1]
        ALL.append(2)
        SIZE = len(ALL)
        """,
        ("lib.py", "ALL.append(2)\nSIZE = len(ALL)", "SIZE = len(ALL)\nALL.append(2)"),
    ),
    "copy before another module's entry": (
        """
        --- a.py
        import enter
        import snap
        print(snap.SNAP)
        --- table.py
        T = {"a": 1}
        --- enter.py
        import table
        table.T["b"] = 2
        --- snap.py
        import table
        SNAP = dict(table.T)
        """,
        ("a.py", "import enter\nimport snap", "import snap\nimport enter"),
    ),
    "early import of what copies": (
        """
        --- a.py
        import plain
        def main():
            import enter
            from snap import SNAP
            return SNAP
        if __name__ == "__main__":
            main()
        --- plain.py
        X = 1
        --- table.py
        T = {"a": 1}
        --- enter.py
        import table
        table.T["b"] = 2
        --- snap.py
        import table
        SNAP = dict(table.T)
        """,
        ("plain.py", "X = 1", "import snap\nX = 1"),
    ),
    # Subclasses that are looked up
    "subclass": (
        """
        --- a.py
        import lib
        print([k().run() for k in lib.Base.__subclasses__()])
        --- lib.py
        class Base: pass
        class One(Base):
            def run(self): return 1
        """,
        ("lib.py", "return 1", "return 2"),
        (
            "lib.py",
            "class One",
            "class Two(Base):\n    def run(self): return 1\nclass One",
        ),
    ),
    "subclass in another module, found by another name": (
        """
        --- a.py
        import more
        from lib import every
        every()
        --- lib.py
        class Base: pass
        def every():
            return [k().run() for k in getattr(Base, "__subclasses__")()]
        --- more.py
        from lib import Base
        class One(Base):
            def run(self): return 1
        """,
        ("more.py", "return 1", "return 2"),
    ),
    "subclass of a subclass": (
        """
        --- a.py
        import lib
        def tree(k): return [k, *map(tree, type.__subclasses__(k))]
        print(tree(lib.Base))
        --- lib.py
        class Base: pass
        class One(Base): size = 1
        class Two(One): size = 1
        """,
        ("lib.py", "class Two(One): size = 1", "class Two(One): size = 2"),
    ),
    # Objects that enter themselves
    "object that enters itself": (
        """
        --- a.py
        from lib import A
        print(A.known)
        --- lib.py
        class A:
            known = {}
            def __init__(self, name): self.known[name] = self
        A("one")
        ONE = A("x1")
        """,
        ("lib.py", '"x1"', '"x2"'),
    ),
    "object that enters its class": (
        """
        --- a.py
        from lib import A
        print(A.known)
        --- lib.py
        class A:
            known = []
            def __init__(self, size): type(self).known.append(size)
        ONE = A(1)
        """,
        ("lib.py", "A(1)", "A(2)"),
    ),
    "member that enters itself": (
        """
        --- a.py
        from lib import KNOWN
        print(KNOWN)
        --- lib.py
        import enum
        KNOWN = []
        class E(enum.Enum):
            ONE = 1
            def __init__(self, n): KNOWN.append(n)
        """,
        ("lib.py", "ONE = 1", "ONE = 2"),
    ),
    "descriptor that enters itself": (
        """
        --- a.py
        from lib import KNOWN
        print(KNOWN)
        --- lib.py
        from dataclasses import dataclass
        KNOWN = []
        @dataclass
        class Field:
            size: int
            def __set_name__(self, owner, name): KNOWN.append(self.size)
        class A:
            x = Field(1)
        """,
        ("lib.py", "Field(1)", "Field(2)"),
    ),
    # Values that are drawn from something shared
    "values drawn by next": (
        """
        --- a.py
        from lib import B
        print(B)
        --- lib.py
        import itertools
        N = itertools.count()
        A = next(N)
        B = next(N)
        """,
        ("lib.py", "A = next(N)\n", ""),
    ),
    "values drawn by islice": (
        """
        --- a.py
        from lib import B
        print(B)
        --- lib.py
        from itertools import count, islice
        N = count()
        A = list(islice(N, 1))
        B = list(islice(N, 2))
        """,
        ("lib.py", "islice(N, 1)", "islice(N, 3)"),
    ),
    "values drawn from a generator": (
        """
        --- a.py
        from lib import B
        print(B)
        --- lib.py
        N = (n for n in range(9))
        A = sum(n for n, _ in zip(N, "x1"))
        B = list(N)
        """,
        ("lib.py", '"x1"', '"x12"'),
    ),
    "values drawn from an iterator": (
        """
        --- a.py
        from lib import B
        print(B)
        --- lib.py
        N = enumerate("abc")
        A = dict(zip(N, "x1"))
        B = list(N)
        """,
        ("lib.py", '"x1"', '"x12"'),
    ),
    "entry of a defaultdict that is made as it is read": (
        """
        --- a.py
        from lib import IDS
        print(len(IDS))
        --- lib.py
        from collections import defaultdict
        IDS = defaultdict(lambda: len(IDS))
        A = IDS["a"]
        """,
        ("lib.py", 'IDS["a"]', 'IDS["b"]'),
    ),
    "get of a class of its own": (
        """
        --- a.py
        from lib import IDS
        print(IDS)
        --- lib.py
        class Ids(dict):
            def get(self, name): return self.setdefault(name, len(self))
        IDS = Ids()
        A = IDS.get("a")
        """,
        ("lib.py", '.get("a")', '.get("b")'),
    ),
    "attribute that acts": (
        """
        --- a.py
        from lib import KNOWN
        print(KNOWN)
        --- lib.py
        KNOWN = []
        class A:
            @property
            def one(self): KNOWN.append(1)
        X = A().one
        """,
        ("lib.py", "X = A().one", "X = A().one, A().one"),
    ),
    # Functions that are handed over or called by operators
    "function in a list that is handed over": (
        """
        --- a.py
        from lib import KNOWN
        print(KNOWN)
        --- lib.py
        KNOWN = []
        def enter(): KNOWN.append(1)
        def run(functions): return [f() for f in functions]
        DONE = run([enter])
        """,
        ("lib.py", "append(1)", "append(2)"),
        ("lib.py", "[enter]", "[enter, enter]"),
    ),
    "partial that is handed over": (
        """
        --- a.py
        from lib import KNOWN
        print(KNOWN)
        --- lib.py
        from functools import partial
        KNOWN = []
        def enter(n): KNOWN.append(n)
        def run(f): return f()
        DONE = run(partial(enter, 1))
        """,
        ("lib.py", "partial(enter, 1)", "partial(enter, 2)"),
    ),
    "method that is handed over": (
        """
        --- a.py
        from lib import KNOWN
        print(KNOWN)
        --- lib.py
        KNOWN = []
        DONE = list(map(KNOWN.append, [1]))
        """,
        ("lib.py", "[1]", "[2]"),
    ),
    "method that sorts by a key": (
        """
        --- a.py
        from lib import KNOWN
        print(KNOWN)
        --- lib.py
        KNOWN = []
        DONE = sorted([1], key=KNOWN.append)
        """,
        ("lib.py", "[1]", "[2]"),
    ),
    "operators that act": (
        """
        --- a.py
        from lib import KNOWN
        print(KNOWN)
        --- lib.py
        KNOWN = []
        class Node:
            def __rshift__(self, other): KNOWN.append(1)
        ONE, TWO = Node(), Node()
        LAST = ONE >> TWO
        """,
        ("lib.py", "append(1)", "append(2)"),
        ("lib.py", "ONE >> TWO", "ONE >> TWO, ONE >> ONE"),
    ),
    "operators of objects of another module": (
        """
        --- a.py
        import lib
        from nodes import KNOWN
        print(KNOWN)
        --- nodes.py
        KNOWN = []
        class Node:
            def __or__(self, other): KNOWN.append(other)
        ONE = Node()
        --- lib.py
        from nodes import ONE
        LAST = ONE | 1
        """,
        ("lib.py", "ONE | 1", "ONE | 2"),
    ),
    "comparison that acts": (
        """
        --- a.py
        import lib
        from nodes import KNOWN
        print(KNOWN)
        --- nodes.py
        from dataclasses import dataclass
        KNOWN = []
        @dataclass
        class Node:
            n: int
            def __lt__(self, other): KNOWN.append(other)
        ONE = Node(1)
        --- lib.py
        from nodes import ONE
        LAST = ONE < 1
        """,
        ("lib.py", "ONE < 1", "ONE < 2"),
    ),
    "text of an object that acts": (
        """
        --- a.py
        import lib
        from nodes import KNOWN
        print(KNOWN)
        --- nodes.py
        from typing import NamedTuple
        KNOWN = []
        class Node(NamedTuple):
            n: int
            def __str__(self): return str(KNOWN.append(self.n))
        --- lib.py
        from nodes import Node
        LAST = f"{Node(1)}"
        """,
        ("lib.py", "Node(1)", "Node(2)"),
    ),
    "annotation that acts": (
        """
        --- a.py
        from lib import KNOWN
        print(KNOWN)
        --- lib.py
        KNOWN = []
        def enter(n):
            KNOWN.append(n)
            return int
        def f(x: enter(1)): return x
        """,
        ("lib.py", "enter(1)", "enter(2)"),
    ),
    # Effects in libraries
    "random numbers of a shared stream": (
        """
        --- a.py
        import lib
        import numpy as np
        print(np.random.rand())
        --- lib.py
        import numpy as np
        NOISE = np.random.rand(2)
        """,
        ("lib.py", "rand(2)", "rand(3)"),
    ),
    "copy into an array, by a function that is called on import": (
        """
        --- a.py
        from lib import M
        print(M)
        --- lib.py
        import numpy as np
        M = np.zeros(1)
        def fill(value):
            np.copyto(M, value)
            return True
        DONE = fill(1)
        """,
        ("lib.py", "fill(1)", "fill(2)"),
    ),
    "context of decimals": (
        """
        --- a.py
        import lib
        import decimal
        print(decimal.Decimal(1) / 3)
        --- lib.py
        import decimal
        def set_up(digits):
            decimal.setcontext(decimal.Context(prec=digits))
            return digits
        DIGITS = set_up(1)
        """,
        ("lib.py", "set_up(1)", "set_up(2)"),
    ),
    "setting of a library": (
        """
        --- a.py
        import lib
        --- lib.py
        import pandas as pd
        pd.options.display.width = 1
        """,
        ("lib.py", "width = 1", "width = 2"),
    ),
    "environment": (
        """
        --- a.py
        import lib
        --- lib.py
        import os
        BEFORE = os.environ.setdefault("OMP_NUM_THREADS", "1")
        """,
        ("lib.py", '"1"', '"2"'),
    ),
    # Names that `__all__` lists
    "module that __all__ names": (
        """
        --- a.py
        from pkg import *
        one.f()
        --- pkg/__init__.py
        __all__ = ["one"]
        --- pkg/one.py
        def f(): return 1
        """,
        ("pkg/one.py", "return 1", "return 2"),
    ),
    "module that __all__ names, through another module": (
        """
        --- a.py
        from lib import one
        one.f()
        --- lib.py
        from pkg.sub import *
        --- pkg/__init__.py
        --- pkg/sub/__init__.py
        __all__ = ("one", "two")
        --- pkg/sub/one.py
        def f(): return 1
        --- pkg/sub/two.py
        """,
        ("pkg/sub/one.py", "return 1", "return 2"),
    ),
    # Names in strings
    "method named in a string": (
        """
        --- a.py
        import pkgutil
        pkgutil.resolve_name("pkg.one:A.f")()
        --- pkg/__init__.py
        --- pkg/one.py
        class A:
            def f(): return 1
        """,
        ("pkg/one.py", "return 1", "return 2"),
    ),
    "method named in a table": (
        """
        --- a.py
        import pkgutil
        KNOWN = {"x": "pkg.one:A.f"}
        def main(): return pkgutil.resolve_name(KNOWN["x"])()
        if __name__ == "__main__":
            main()
        --- pkg/one.py
        class A:
            def f(): return 1
        """,
        ("pkg/one.py", "return 1", "return 2"),
    ),
    "module in a command": (
        """
        --- a.py
        import os
        os.system("python -m pkg.one --size 3")
        --- pkg/__init__.py
        --- pkg/one.py
        print(1)
        """,
        ("pkg/one.py", "print(1)", "print(2)"),
    ),
    "module in a list of words": (
        """
        --- a.py
        import subprocess, sys
        subprocess.run([sys.executable, *"-u -m pkg.one x".split()])
        --- pkg/one.py
        print(1)
        """,
        ("pkg/one.py", "print(1)", "print(2)"),
    ),
    "script in a command": (
        """
        --- a.py
        import subprocess
        subprocess.run("cd . && python ./pkg/one.py x > y", shell=True)
        --- pkg/one.py
        from pkg.two import f
        f()
        --- pkg/two.py
        def f(): return 1
        """,
        ("pkg/two.py", "return 1", "return 2"),
    ),
    "package in a command": (
        """
        --- a.py
        import os
        os.system("python -m pkg.sub")
        --- pkg/__init__.py
        --- pkg/sub/__init__.py
        --- pkg/sub/__main__.py
        print(1)
        """,
        ("pkg/sub/__main__.py", "print(1)", "print(2)"),
    ),
    "module of a computed name in a command": (
        """
        --- a.py
        import subprocess, sys
        subprocess.run([sys.executable, "-m", "pk" + "g.one"])
        --- pkg/one.py
        print(1)
        """,
        ("pkg/one.py", "print(1)", "print(2)"),
    ),
    "module imported by a function that is looked up": (
        """
        --- a.py
        import importlib
        getattr(importlib, "import_module")("pk" + "g.one").f()
        --- pkg/one.py
        def f(): return 1
        """,
        ("pkg/one.py", "return 1", "return 2"),
    ),
    "files of a pattern": (
        """
        --- a.py
        import glob
        print([open(path).read() for path in glob.glob("pkg/*.txt")])
        --- pkg/w.txt
        one
        """,
        ("pkg/w.txt", "one", "two"),
    ),
    "member of a mixin that enters itself": (
        """
        --- a.py
        from lib import KNOWN
        print(KNOWN)
        --- lib.py
        import enum
        KNOWN = []
        class Mixin:
            def __init__(self, n): KNOWN.append(n)
        class E(Mixin, enum.Enum):
            ONE = 1
        """,
        ("lib.py", "ONE = 1", "ONE = 2"),
    ),
    # Names of another function, frame or module
    "globals of a function": (
        """
        --- a.py
        from lib import f
        print(f.__globals__["g"]())
        --- lib.py
        def f(): return 1
        def g(): return 1
        """,
        ("lib.py", "g(): return 1", "g(): return 2"),
    ),
    "globals of a function, by another name": (
        """
        --- a.py
        from lib import f
        names = getattr(f, "__globals__")
        print(names["g"]())
        --- lib.py
        from more import g
        def f(): return 1
        --- more.py
        def g(): return 1
        """,
        ("more.py", "g(): return 1", "g(): return 2"),
    ),
    "globals of a frame": (
        """
        --- a.py
        from lib import f
        f()
        --- lib.py
        from more import call
        def f(): return call("g")
        def g(): return 1
        --- more.py
        import sys
        def call(name): return sys._getframe(1).f_globals[name]()
        """,
        ("lib.py", "g(): return 1", "g(): return 2"),
    ),
    "objects of the collector": (
        """
        --- a.py
        import gc, lib
        print([f() for f in gc.get_objects() if getattr(f, "__name__", "") == "g"])
        --- lib.py
        def g(): return 1
        """,
        ("lib.py", "g(): return 1", "g(): return 2"),
    ),
    # Code that reads source, annotations, docstrings or places
    "comment that is read": (
        """
        --- a.py
        import inspect
        from lib import f
        print(inspect.getsource(f))
        --- lib.py
        def f():
            return 1  # one
        """,
        ("lib.py", "# one", "# two"),
    ),
    "comment that is read by another name": (
        """
        --- a.py
        from lib import f
        from more import lines_of
        print(lines_of(f))
        --- lib.py
        def f():
            return 1  # one
        --- more.py
        from inspect import getsourcelines as lines_of
        """,
        ("lib.py", "# one", "# two"),
    ),
    "lines that are cached": (
        """
        --- a.py
        import linecache, lib
        print(linecache.getline(lib.__file__, 2))
        --- lib.py
        def f():
            return 1  # one
        """,
        ("lib.py", "# one", "# two"),
    ),
    "annotation in a signature": (
        """
        --- a.py
        import inspect
        from lib import f
        print(str(inspect.signature(f)))
        --- lib.py
        def f(x: int): return 1
        """,
        ("lib.py", "x: int", "x: float"),
    ),
    "annotation that a compiler reads": (
        """
        --- a.py
        import torch
        from lib import f
        torch.jit.script(f)
        --- lib.py
        def f(x: int): return 1
        """,
        ("lib.py", "x: int", "x: float"),
    ),
    "annotation that a decorator, called, reads": (
        """
        --- a.py
        from lib import g
        g(1)
        --- lib.py
        import pydantic
        def f(x: int): return 1
        g = pydantic.validate_call(f)
        """,
        ("lib.py", "x: int", "x: float"),
    ),
    "annotation that a command line reads": (
        """
        --- a.py
        import typer
        from lib import f
        if __name__ == "__main__":
            typer.run(f)
        --- lib.py
        def f(x: int): return 1
        """,
        ("lib.py", "x: int", "x: float"),
    ),
    "docstring of a model's schema": (
        """
        --- a.py
        from lib import Model
        print(Model.model_json_schema())
        --- lib.py
        import pydantic
        class Model(pydantic.BaseModel):
            '''One.'''
            x: int
        """,
        ("lib.py", "One", "Two"),
    ),
    "docstring that help shows": (
        """
        --- a.py
        from lib import f
        help(f)
        --- lib.py
        def f():
            '''One.'''
        """,
        ("lib.py", "One", "Two"),
    ),
    "constants of compiled code": (
        """
        --- a.py
        from lib import f
        print(f.__code__.co_consts)
        --- lib.py
        def f():
            '''One.'''
            return 1
        """,
        ("lib.py", "One", "Two"),
    ),
    # What else shows the order, or holds code
    "metaclass": (
        """
        --- a.py
        import lib
        print(lib.Meta.known)
        --- lib.py
        class Meta(type):
            known = []
            def __new__(meta, *parts):
                meta.known.append(parts[0])
                return type.__new__(meta, *parts)
        class A1(metaclass=Meta): pass
        """,
        ("lib.py", "A1", "A2"),
    ),
    "class that is made by a call": (
        """
        --- a.py
        from lib import A
        A.f()
        --- lib.py
        def f(): return 1
        A = type("A", (), {"f": f})
        """,
        ("lib.py", "return 1", "return 2"),
    ),
    "name that type checkers do not own": (
        """
        --- a.py
        from lib import f
        f()
        --- lib.py
        TYPE_CHECKING = True
        if TYPE_CHECKING:
            def f(): return 1
        else:
            def f(): return 3
        """,
        ("lib.py", "return 1", "return 2"),
    ),
}


@parametrize(MISSED)
def test_a_change_counts(tmp_path, case):
    text, *edits = case
    for number, (file, old, new) in enumerate(edits):
        folder = write(tmp_path / str(number), text)
        assert changed_by(folder, file, old, new) == "a", (file, old, new)


MOVES = {
    "name of the module, in a function": "def f(): return __name__\n",
    "name of the module, in a class": "class f:\n    def show(self): return __name__\n",
    "module of a function": "def g(): pass\ndef f(): return g.__module__\n",
    "module of a class": "class A: pass\ndef f(): return getattr(A(), '__module__')\n",
    "pickled function": "import pickle\ndef g(): pass\ndef f(): return pickle.dumps(g)\n",
}


@parametrize(MOVES)
def test_a_move_counts_where_the_place_is_seen(tmp_path, case):
    write(tmp_path, f"--- a.py\nfrom lib import f\nf()\n--- lib.py\n{case}--- more.py\n")
    before = codes(tmp_path)
    (tmp_path / "lib.py").rename(tmp_path / "more.py")
    change(tmp_path, "a.py", "from lib", "from more")
    assert codes(tmp_path) != before


# What Python reads, and what it does not; the last script imports nothing of these.
@pytest.mark.parametrize(
    "data",
    [
        pytest.param("\ufeffdef f(): return 1\n".encode(), id="byte order mark"),
        pytest.param(
            b"\xef\xbb\xbf# -*- coding: utf-8 -*-\ndef f(): return 1\n", id="mark and coding"
        ),
        pytest.param(
            "# -*- coding: latin-1 -*-\ndef f(): return 1, 'é'\n".encode("latin-1"), id="latin-1"
        ),
        pytest.param(
            "#!/usr/bin/python\n# vim: set fileencoding=cp1252 :\ndef f(): return 1, '€'\n".encode(
                "cp1252"
            ),
            id="cp1252 in the second line",
        ),
        pytest.param(
            (
                "def f(x=3):\n    if x == 0: return 1\n"
                + "".join(f"    elif x == {n}: return {n}\n" for n in range(2, 900))
            ).encode(),
            id="long chain of elif",
        ),
        pytest.param(f"def f(): return 1 + {' + '.join('x' * 600)}\n".encode(), id="long sum"),
        pytest.param(f"X = {'[' * 80}{']' * 80}\ndef f(): return 1\n".encode(), id="deep list"),
        pytest.param(b"def f(): return 1\r\n", id="line ends of Windows"),
        pytest.param(b"def f(): return 1\x0c\n", id="form feed"),
    ],
)
def test_a_file_is_read_as_python_reads_it(tmp_path, data):
    compile(data, "lib.py", "exec")
    write(tmp_path, "--- a.py\nfrom lib import f\nf()\n")
    (tmp_path / "lib.py").write_bytes(data)
    before = codes(tmp_path)
    assert sources_of(reach("a.py", tmp_path))
    (tmp_path / "lib.py").write_bytes(data.replace(b"return 1", b"return 2"))
    assert codes(tmp_path) != before


@pytest.mark.parametrize(
    "data",
    [
        pytest.param("x = 'é'\n".encode("latin-1"), id="not UTF-8"),
        pytest.param(b"def f(:\n", id="syntax"),
        pytest.param(b"x = 1\0\n", id="null byte"),
        pytest.param(b"# -*- coding: no-such -*-\n", id="unknown coding"),
        pytest.param(b"print 'x'\n", id="Python 2"),
    ],
)
def test_a_file_that_is_not_python_stops_only_who_imports_it(tmp_path, data):
    text = "import importlib, sys\nimportlib.import_module(sys.argv[1])\n"
    write(
        tmp_path, f"--- a.py\n{text}--- b.py\nprint('tests.broken')\n--- c.py\nimport tests.broken"
    )
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests/broken.py").write_bytes(data)
    before = [code_of(script, tmp_path) for script in ("a.py", "b.py")]
    with pytest.raises(SyntaxError):
        code_of("c.py", tmp_path)
    (tmp_path / "tests/broken.py").write_bytes(b"def f(): return 1\n")
    clear_cache()
    assert code_of("a.py", tmp_path) != before[0]
    assert code_of("c.py", tmp_path)


# Library, and edits after which the script does the same.
UNCHANGED = {
    "sorted imports": (
        """
        --- a.py
        from lib import f
        f()
        --- lib.py
        from __future__ import annotations
        from one import g
        from two import h
        def f(): return g(), h()
        --- one.py
        from __future__ import annotations
        def g(): return 1
        --- two.py
        from __future__ import annotations
        def h(): return 1
        """,
        ("lib.py", "from one import g\nfrom two import h", "from two import h\nfrom one import g"),
        ("one.py", "from __future__ import annotations\n", ""),
    ),
    "sorted imports of constants": (
        """
        --- a.py
        import one, two
        def main(): return one.X, two.Y
        if __name__ == "__main__":
            main()
        --- one.py
        from base import N
        X = [N, 1]
        --- two.py
        from base import N
        Y = N + 1
        --- base.py
        N = 1
        """,
        ("a.py", "import one, two", "import two, one"),
    ),
    "overloads": (
        """
        --- a.py
        from lib import f
        f()
        --- lib.py
        import typing
        from typing import overload
        def f(x=1): return x
        """,
        (
            "lib.py",
            "def f",
            "@overload\ndef f(x: int) -> int: ...\n@typing.overload\ndef f(x: str): ...\ndef f",
        ),
    ),
    "name in __all__": (
        """
        --- a.py
        from lib import f
        f()
        --- lib.py
        __all__ = ["f"]
        def f(): return 1
        def g(): return 1
        """,
        ("lib.py", '["f"]', '["f", "g"]'),
        ("lib.py", "g(): return 1", "g(): return 2"),
    ),
    "unused class with a known metaclass": (
        """
        --- a.py
        from lib import f
        f()
        --- lib.py
        import abc
        import enum
        def f(): return 1
        """,
        (
            "lib.py",
            "def f",
            "class A(metaclass=abc.ABCMeta):\n    @abc.abstractmethod\n    def g(self): ...\ndef f",
        ),
        ("lib.py", "def f", "class A(enum.Enum, metaclass=enum.EnumMeta):\n    X = 1\ndef f"),
    ),
    "f of a text without a placeholder": (
        """
        --- a.py
        from lib import f
        f()
        --- lib.py
        def f(): return f"one", f'{1} two', f""
        """,
        ("lib.py", 'f"one"', '"one"'),
        ("lib.py", 'f""', '""'),
    ),
    "pass": (
        """
        --- a.py
        from lib import f
        f()
        --- lib.py
        def f(x=1):
            if x:
                x = 2
            else:
                pass
            for y in [x]:
                print(y)
            else:
                pass
            return x
        """,
        ("lib.py", "        print(y)\n    else:\n        pass\n", "        print(y)\n"),
        ("lib.py", "        x = 2\n    else:\n        pass\n", "        x = 2\n"),
    ),
    "unused record, table, pattern and type": (
        """
        --- a.py
        from lib import f
        f()
        --- lib.py
        import re, logging
        from dataclasses import dataclass, field
        from functools import partial
        from pathlib import Path
        from typing import NamedTuple, TypeVar
        LOG = logging.getLogger(__name__)
        HERE = Path(__file__).resolve().parent / "one"
        WORD = re.compile("one")
        T = TypeVar("T", bound="Record")
        @dataclass(frozen=True)
        class Record:
            x: int = 1
            y: list[int] = field(default_factory=list)
            @property
            def z(self) -> "Record": return self
        class Pair(NamedTuple):
            one: Record
            two: Record | None = None
        def words(text): return tuple(text.split())
        NAMES = tuple("one two".split())
        TABLE = {name: Record(len(name)) for name in ("one", "two")}
        PAIRS = [Pair(Record(1), TABLE), Pair(two=None, one=Record())]
        BOTH = {**{"one": 1}, **dict(zip("ab", range(2)))}
        g = partial(words, "one")
        def f(): return 1
        """,
        ("lib.py", '"one")\nT', '"two")\nT'),
        ("lib.py", "len(name)", "-len(name)"),
        ("lib.py", "tuple(text.split())", "list(text.split())"),
        ("lib.py", "return self", "return None"),
        ("lib.py", "Pair(Record(1)", "Pair(Record(2)"),
        ("lib.py", "range(2)", "range(3)"),
    ),
}


@parametrize(UNCHANGED)
def test_a_change_without_effect_does_not_count(tmp_path, case):
    text, *edits = case
    assert not reach_of_library(write(tmp_path / "plain", text))
    for number, (file, old, new) in enumerate(edits):
        folder = write(tmp_path / str(number), text)
        assert changed_by(folder, file, old, new) == "", (file, old, new)


def reach_of_library(root: Path) -> dict[str, str]:
    """Modules of a repository, without its script, that are not plain."""
    clear_cache()
    return {f: why for f, why in reach("a.py", root).whole.items() if f != "a.py"}
