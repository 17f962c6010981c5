"""What names stand for: which definitions a script reaches through them."""

import re
from collections.abc import Iterator
from pathlib import Path

from tests.codehash.repositories import USE, change, changed_by, parametrize, write

# A repository. Another number where a line ends in `#: a` changes the code of a.py, and of no other
# script; with `#: none` of no script. Then other changes: file, text before, text after, scripts.
REACHED = {
    "alias of a module": """
        --- a.py
        import lib as tools
        tools.f()
        --- lib.py
        def f(): return 1  #: a
        def g(): return 3  #: none
    """,
    "alias of a function": """
        --- a.py
        from lib import f as run
        run()
        --- lib.py
        def f(): return 1  #: a
    """,
    "alias by assignment": """
        --- a.py
        from lib import run
        run()
        --- lib.py
        def f(): return 1  #: a
        def g(): return 3  #: none
        run = f
    """,
    "re-export through a package": (
        """
        --- a.py
        from pkg import f
        f()
        --- pkg/__init__.py
        from .deep import f, g
        --- pkg/deep/__init__.py
        from ._impl import *
        --- pkg/deep/_impl.py
        def f(): return 1  #: a
        def g(): return 3  #: a
        """,
        ("pkg/__init__.py", "import f, g", "import g as f", "a"),
    ),
    "function with the name of its module": """
        --- a.py
        from pkg import f
        f()
        --- pkg/__init__.py
        from .f import f
        --- pkg/f.py
        def f(): return 1  #: a
        def g(): return 3  #: none
    """,
    "module that rebinds a name of its package": """
        --- a.py
        import pkg.conf
        pkg.conf.f()
        --- pkg/__init__.py
        conf = None
        --- pkg/conf.py
        def f(): return 1  #: a
    """,
    "package goes before a module of the same name": """
        --- a.py
        from pkg import f
        f()
        --- pkg.py
        def f(): return 3  #: none
        --- pkg/__init__.py
        def f(): return 1  #: a
    """,
    "attributes through packages": """
        --- a.py
        import pkg.sub.mod
        pkg.sub.mod.f()
        --- pkg/__init__.py
        --- pkg/sub/__init__.py
        --- pkg/sub/mod.py
        def f(): return 1  #: a
        def g(): return 3  #: none
    """,
    "folders without __init__": """
        --- a.py
        import pkg.mod
        from pkg.sub import other
        pkg.mod.f(other.h)
        --- pkg/mod.py
        def f(x): return 1  #: a
        def g(): return 3  #: none
        --- pkg/sub/other.py
        h = 5  #: a
        i = 7  #: none
    """,
    "relative imports": """
        --- a.py
        from pkg.sub.mod import f
        f()
        --- pkg/__init__.py
        --- pkg/sub/__init__.py
        --- pkg/sub/mod.py
        from . import near
        from .. import far
        from ..far import g as h
        def f(): return near.x, far.y, h()
        --- pkg/sub/near.py
        x = 1  #: a
        --- pkg/far.py
        y = 2  #: a
        def g(): return 3  #: a
        z = 4  #: none
    """,
    "star import": (
        """
        --- a.py
        from lib import *
        f()
        --- lib.py
        from more import *
        def g(): return 3  #: a
        --- more.py
        def f(): return 1  #: a
        def h(): return 5  #: a
        """,
        ("lib.py", "def g", "def f(): return 1\ndef g", "a"),
    ),
    "__all__ decides which star binds a name": (
        """
        --- a.py
        from one import *
        from two import *
        f()
        --- one.py
        def f(): return 1
        --- two.py
        __all__ = ['g']
        def f(): return 3
        def g(): return 5  #: a
        """,
        ("two.py", "['g']", "['f', 'g']", "a"),
    ),
    "import inside a function": """
        --- a.py
        def main():
            from lib import f
            import more as m
            return f(), m.g()
        main()
        --- lib.py
        def f(): return 1  #: a
        --- more.py
        def g(): return 3  #: a
        def h(): return 5  #: none
    """,
    "import inside a class": """
        --- a.py
        from lib import A
        A().run()
        --- lib.py
        class A:
            from more import f
            def run(self): return self.f()
        --- more.py
        def f(self): return 1  #: a
    """,
    "import declared global": (
        """
        --- a.py
        from lib import load, use
        load()
        use()
        --- lib.py
        f = None
        def load():
            global f
            from more import f
        def use(): return f()
        --- more.py
        def f(): return 1  #: a
        """,
        ("lib.py", "f = None", "f = 0", "a"),
    ),
    "decorator": (
        """
        --- a.py
        from lib import f
        f()
        --- lib.py
        import functools
        def twice(g):
            @functools.wraps(g)
            def inner(): return g() * 2  #: a
            return inner
        def other(g): return g
        @twice
        def f(): return 1  #: a
        @other
        def h(): return 7  #: a
        """,
        ("lib.py", "@twice\n", "", "a"),
    ),
    "decorator with arguments, of a class": (
        """
        --- a.py
        from lib import A
        A()
        --- lib.py
        N = 3  #: a
        def named(n):
            def add(cls):
                cls.n = n
                return cls
            return add
        @named(N)
        class A: pass
        """,
        ("lib.py", "cls.n = n", "cls.m = n", "a"),
    ),
    "default arguments": """
        --- a.py
        from lib import f
        f()
        --- lib.py
        def g(): return 1  #: a
        K = 3  #: a
        def f(x=g, *, k=K): return x() + k
    """,
    "functools.partial": (
        """
        --- a.py
        from lib import half
        half()
        --- b.py
        from lib import other
        other()
        --- lib.py
        from functools import partial
        def write(to, n): to.append(n)
        def f(n): return n
        half = partial(write, n=2)  #: a
        def other(): return 7  #: b
        """,
        ("lib.py", "to.append(n)", "to.append(-n)", "a"),
    ),
    "function in a table": """
        --- a.py
        from lib import WAYS
        WAYS['x']()
        --- lib.py
        def f(): return 1  #: a
        def g(): return 3  #: none
        WAYS = {'x': f}
    """,
    "inheritance across files": (
        """
        --- a.py
        from lib import A
        A().run()
        --- lib.py
        import base as b
        class A(b.B): pass
        --- base.py
        from mixin import M
        class B(M):
            def run(self): return self.step() + K
        K = 1  #: a
        --- mixin.py
        class M:
            def step(self): return 3  #: a
        """,
        ("base.py", "B(M)", "B", "a"),
    ),
    "class attribute": """
        --- a.py
        from lib import A
        print(A.size)
        --- lib.py
        N = 3  #: a
        M = 5  #: none
        class A:
            size = N
            def f(self): return 1
    """,
    "metaclass": """
        --- a.py
        from lib import A
        A()
        --- lib.py
        class Meta(type):
            def __call__(cls): return 1  #: a
        class A(metaclass=Meta): pass
    """,
    "nested function and lambda": """
        --- a.py
        from lib import f
        f()
        --- lib.py
        def g(): return 1  #: a
        def h(): return 3  #: a
        def i(): return 5  #: none
        def f():
            def inner():
                return g()
            return inner() + (lambda: h())()
    """,
    "match": (
        """
        --- a.py
        from lib import f
        f(3)
        --- lib.py
        import names
        class P:
            x = 1  #: a
        def g(v): return v
        def left(): return 3  #: none
        rest = 7  #: none
        def f(v):
            match v:
                case P(x=1): return 0
                case names.ONE: return 1
                case [left, *rest]: return left
                case _ if g(v): return 2
        --- names.py
        ONE = 1  #: a
        """,
        ("lib.py", "return v\n", "return -v\n", "a"),
        ("lib.py", "P(x=1)", "P(x=2)", "a"),
    ),
    "walrus": """
        --- a.py
        from lib import f
        f()
        --- lib.py
        def g(): return 1  #: a
        def n(): return 3  #: none
        def f():
            if (n := g()) > 0:
                return n
            return [last := k for k in [1]], last
        last = 5  #: none
    """,
    "async": (
        """
        --- a.py
        import asyncio
        from lib import f
        asyncio.run(f())
        --- lib.py
        async def g(): return 1  #: a
        async def rows():
            yield 3  #: a
        async def f():
            async for row in rows():
                await g()
            return [row async for row in rows()]
        """,
        ("lib.py", "[row async for", "[-row async for", "a"),
        ("lib.py", "[-row async for", "[-row for", "a"),
    ),
    "augmented constant": """
        --- a.py
        from lib import ROWS
        print(ROWS)
        --- b.py
        from lib import f
        f()
        --- lib.py
        ROWS = [1]
        ROWS += [2]  #: ab
        def f(): return 5  #: ab
    """,
    "augmented constant of another module": """
        --- a.py
        import lib, table
        print(table.ROWS)
        --- table.py
        ROWS = [1]
        --- lib.py
        import table
        MINE = table.ROWS
        MINE += [2]  #: a
    """,
    "del": (
        """
        --- a.py
        from lib import f
        f()
        --- lib.py
        x = 1
        def f(): return x
        del x
        """,
        ("lib.py", "del x\n", "", "a"),
    ),
    "tuple assignment": (
        """
        --- a.py
        from lib import x
        print(x)
        --- lib.py
        x, (y, *z) = 1, (2, 3)
        w = 5  #: none
        """,
        ("lib.py", "= 1,", "= 9,", "a"),
    ),
    "conditional definition": """
        --- a.py
        from lib import f
        f()
        --- b.py
        from lib import other
        other()
        --- lib.py
        import sys
        if sys.version_info > (3, 12):  #: ab
            def f(): return 1  #: ab
        else:
            def f(): return 2  #: ab
        def other(): return 3  #: ab
    """,
    "conditional import": """
        --- a.py
        from lib import f
        f()
        --- b.py
        from lib import other
        other()
        --- lib.py
        import sys
        if sys.version_info > (3, 12):  #: ab
            from one import f
        else:
            from two import f
        def other(): return 3
        --- one.py
        def f(): return 1  #: a
        --- two.py
        def f(): return 2  #: a
    """,
    "import that may fail": (
        """
        --- a.py
        from lib import f
        f()
        --- b.py
        from lib import other
        other()
        --- lib.py
        try:
            from fast import f
        except ImportError:
            from slow import f
        def other(): return 3
        --- slow.py
        def f(): return 1  #: a
        def g(): return 7  #: none
        """,
        ("fast.py", "", "def f(): return 9\n", "a"),
        ("fast.py", "return 9", "return 10", "a"),
        ("lib.py", "except ImportError", "except OSError", "ab"),
    ),
    "function defined twice": (
        """
        --- a.py
        from lib import f
        f()
        --- lib.py
        def f(): return 1
        def f(): return 2
        """,
        (
            "lib.py",
            "def f(): return 1\ndef f(): return 2",
            "def f(): return 2\ndef f(): return 1",
            "a",
        ),
    ),
    "constant rebound after it was used": (
        """
        --- a.py
        from lib import Y
        print(Y)
        --- lib.py
        X = 1
        Y = X + 1
        X = 2
        """,
        ("lib.py", "Y = X + 1\nX = 2", "X = 2\nY = X + 1", "a"),
    ),
    "cyclic imports": """
        --- a.py
        from one import f
        f(3)
        --- one.py
        import two
        def f(n): return two.g(n) if n else X
        X = 1  #: a
        --- two.py
        import one
        from one import *
        def g(n): return one.f(n - 1)  #: a
        Y = 3  #: a
    """,
    "cyclic star imports": """
        --- a.py
        from one import f
        f()
        --- one.py
        from two import *
        --- two.py
        from one import *
        def f(): return 1  #: a
    """,
    "assigned attribute of a module": """
        --- a.py
        import lib, patch
        lib.f()
        --- lib.py
        def f(): return 1
        --- patch.py
        import lib
        def g(): return 3  #: a
        lib.f = g
    """,
    "main block of an imported module": (
        """
        --- a.py
        from lib import f
        f()
        --- lib.py
        K = 5  #: none
        def f(): return 1
        if __name__ == '__main__':
            from other import g
            g(K)
        --- other.py
        def g(k): print(k)
        g(3)  #: none
        """,
        ("lib.py", "g(K)", "g(-K)", ""),
    ),
    "type checking": (
        """
        --- a.py
        from lib import f
        f()
        --- lib.py
        import typing
        from typing import TYPE_CHECKING
        if TYPE_CHECKING:
            from more import T
        else:
            T = 7  #: a
        if typing.TYPE_CHECKING:
            import more
        def f(x: 'T' = None): return T
        --- more.py
        print(1)  #: none
        class T: pass
        """,
        ("lib.py", "    import more\n", "    import more, os\n", ""),
    ),
    "main block with an else": """
        --- a.py
        from lib import f,g
        if __name__ == '__main__':
            f()
        else:
            g()
        --- lib.py
        def f(): return 1  #: a
        def g(): return 3  #: a
    """,
    "one of two functions": """
        --- a.py
        import lib
        h = lib.f if 1 else lib.g
        h()
        --- lib.py
        def f(): return 1  #: a
        def g(): return 3  #: a
    """,
    "module that a package imports": """
        --- a.py
        import pkg.sub as s
        s.mod.f()
        --- pkg/__init__.py
        --- pkg/sub/__init__.py
        from . import mod
        --- pkg/sub/mod.py
        def f(): return 1  #: a
        def g(): return 3  #: none
    """,
    "star import in a condition": """
        --- a.py
        import sys
        if sys.argv:
            from lib import *
        f()
        --- lib.py
        def f(): return 1  #: a
    """,
    "star import that may fail": (
        """
        --- a.py
        from lib import h
        h()
        --- lib.py
        try:
            from fast import *
        except ImportError:
            from slow import *
        def h(): return f()
        --- slow.py
        def f(): return 1  #: a
        --- fast.py
        x=1
        """,
        ("lib.py", "except ImportError", "except OSError", "a"),
    ),
    "class in a function": """
        --- a.py
        from lib import f
        f()
        --- lib.py
        def g(): return 1  #: a
        def f():
            class A:
                def r(self): return g()
            return A().r()
    """,
    "value that may fail": """
        --- a.py
        from lib import X
        print(X)
        --- lib.py
        try:
            import json
            X = json.dumps(1)
        except ValueError:
            X = 2  #: a
        finally:
            Y = 3
    """,
    "default of a class method": """
        --- a.py
        from lib import A
        A.make()
        --- lib.py
        def g(): return 1  #: a
        class A:
            @classmethod
            def make(cls, f=g): return f()
    """,
    "order of imports that act": (
        """
        --- a.py
        import one, two
        --- one.py
        print(1)
        --- two.py
        print(2)
        """,
        ("a.py", "one, two", "two, one", "a"),
    ),
    "order of statements that act": (
        """
        --- a.py
        import one
        --- one.py
        X = []
        X.append(1)
        X.append(2)
        """,
        ("one.py", "X.append(1)\nX.append(2)", "X.append(2)\nX.append(1)", "a"),
    ),
    "order of a star import and a definition": (
        """
        --- a.py
        from lib import f
        f()
        --- lib.py
        from more import *
        def f(): return 1
        --- more.py
        def f(): return 3
        """,
        (
            "lib.py",
            "from more import *\ndef f(): return 1",
            "def f(): return 1\nfrom more import *",
            "a",
        ),
    ),
    "order of an import and a definition": (
        """
        --- a.py
        from lib import f
        f()
        --- lib.py
        from more import f
        def f(): return 1
        --- more.py
        def f(): return 3
        """,
        (
            "lib.py",
            "from more import f\ndef f(): return 1",
            "def f(): return 1\nfrom more import f",
            "a",
        ),
    ),
    "order of an import and a statement": (
        """
        --- a.py
        import lib
        --- lib.py
        import one
        print(2)
        --- one.py
        print(1)
        """,
        ("lib.py", "import one\nprint(2)", "print(2)\nimport one", "a"),
    ),
    "module as a class attribute": """
        --- a.py
        import lib as l
        class A:
            tool = l
        A().tool.f()
        --- lib.py
        def f(): return 1  #: a
    """,
    "module as an attribute": """
        --- a.py
        from lib import A
        A().go()
        --- lib.py
        import more
        class A:
            def __init__(self): self.m = more
            def go(self): self.m.f()
        --- more.py
        def f(): return 1  #: a
    """,
    "classes that are not used": """
        --- a.py
        from lib import f
        f()
        --- lib.py
        import abc, enum, pydantic
        from dataclasses import dataclass, field
        @dataclass(frozen=True)
        class A:
            x: int = field(default=1)  #: none
        class M(pydantic.BaseModel):
            y: int = pydantic.Field(2)  #: none
        class E(enum.Enum):
            z = enum.auto()
            w = 7  #: none
        def f(): return 3
    """,
    "registering method of an object": """
        --- a.py
        import lib
        lib.go()
        --- lib.py
        class App:
            def __init__(self): self.c = []
            def command(self, f):
                self.c.append(f)
                return f
        app = App()
        @app.command
        def x(): return 1  #: a
        def go():
            for c in app.c: c()
    """,
    "value of a function that is not followed": (
        """
        --- a.py
        from lib import f
        f()
        --- b.py
        from lib import N
        print(N)
        --- lib.py
        import re
        def count(n):
            found = []
            for k in range(n):
                found.append(k)
            return len(found) if n else count(n + 1)
        N = count(3)  #: ab
        WORD = re.compile('x')
        def f(): return 1
        """,
        ("lib.py", "append(k)", "append(-k)", "ab"),
        ("lib.py", "re.compile('x')", "re.compile('y')", "ab"),
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


@parametrize(REACHED)
def test_names_are_followed_to_their_definitions(tmp_path, case):
    text, *steps = [case] if isinstance(case, str) else case
    write(tmp_path, text)
    numbers = list(marked_numbers(tmp_path))
    assert numbers or steps
    for file, line, other, expected in numbers:
        assert changed_by(tmp_path, file, line, other) == expected, line
        change(tmp_path, file, other, line)
    for step in steps:
        file, *edits, expected = step
        assert changed_by(tmp_path, file, *edits) == expected, step


def marked_numbers(root: Path) -> Iterator[tuple[str, str, str, str]]:
    """File, line, the line with another last number, and the letters that it is marked with."""
    for path in sorted(root.rglob("*.py")):
        for line in path.read_text().splitlines():
            code, _, letters = line.partition("  #: ")
            if letters:
                other = re.sub(r"\d+(?=\D*$)", lambda number: f"9{number[0]}", code)
                assert other != code, line
                expected = "" if letters == "none" else letters
                yield str(path.relative_to(root)), line, f"{other}  #: {letters}", expected


@parametrize(SCOPES)
def test_a_name_belongs_to_its_scope(tmp_path, case):
    text, expected = case
    write(tmp_path, f"{USE}--- lib.py\ndef g(): return 1\n{text}")
    assert changed_by(tmp_path, "lib.py", "return 1", "return 9") == expected
