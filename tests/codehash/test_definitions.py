"""What a definition means: which changes to its text count."""

import ast
from pathlib import Path

from tests.codehash.repositories import PAIR, USE, change, changed_by, codes, parametrize, write
from workflow_scripts.codehash.definitions import meaning_of, read_module
from workflow_scripts.rebuilds.sources import source_of

ROOT = Path(__file__).resolve().parents[2]


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


# Library, whether a script that uses `f` changes, and texts before and after, where they are not
# an annotation's or a docstring's.
ANNOTATIONS = {
    "field of a dataclass": (
        "from dataclasses import dataclass\n@dataclass\nclass f:\n    x: int = 0\n",
        "a",
    ),
    "what is no field of a dataclass": (
        "import dataclasses, typing\n@dataclasses.dataclass\nclass f:\n    x: int = 0\n",
        "a",
        "x: int",
        "x: typing.ClassVar[int]",
    ),
    "new field without a value": (
        "from dataclasses import dataclass\n@dataclass\nclass f:\n    x: int\n",
        "a",
        "x: int",
        "x: int\n    y: int",
    ),
    "field of a model": (
        "import pydantic\nclass f(pydantic.BaseModel):\n    x: int = 0\n",
        "a",
    ),
    "field of a tuple": (
        "from typing import NamedTuple\nclass f(NamedTuple):\n    x: int\n    y: int\n",
        "a",
        "x: int\n    y: int",
        "y: int\n    x: int",
    ),
    "class made a dataclass by a call": (
        "import dataclasses\nclass C:\n    x: int = 0\nf = dataclasses.dataclass(C)\n",
        "a",
    ),
    "name in a field": (
        "from dataclasses import dataclass\n"
        "Number = int\n"
        "@dataclass\n"
        "class f:\n"
        "    x: Number = 0\n",
        "a",
        "Number = int",
        "Number = float",
    ),
    "name in a string": (
        "import pydantic\n"
        "class P(pydantic.BaseModel):\n"
        "    x: int = 0\n"
        "class f(pydantic.BaseModel):\n"
        "    p: 'list[P]' = []\n",
        "a",
    ),
    "name in a string inside": (
        "import pydantic, typing\n"
        "class P(pydantic.BaseModel):\n"
        "    x: int = 0\n"
        "class f(pydantic.BaseModel):\n"
        "    p: typing.Optional['P'] = None\n",
        "a",
    ),
    "method of a dataclass": (
        "from dataclasses import dataclass\n"
        "@dataclass\n"
        "class f:\n"
        "    def g(self, x: int) -> int: return x\n",
        "",
        "x: int) -> int",
        "x: float)",
    ),
    "property": (
        "class f:\n"
        "    @property\n"
        "    def g(self) -> int: return 1\n"
        "    @g.setter\n"
        "    def g(self, x: int): pass\n",
        "",
        " -> int",
        "",
    ),
    "cached function": (
        "import functools\n@functools.cache\ndef f(x: int = 0): return x\n",
        "",
    ),
    "dispatched function": (
        "import functools\n"
        "@functools.singledispatch\n"
        "def f(x): return 0\n"
        "@f.register\n"
        "def _(x: int): return 1\n",
        "a",
    ),
    "function dispatched by a call": (
        "import functools\n"
        "@functools.singledispatch\n"
        "def f(x): return 0\n"
        "def g(x: int): return 1\n"
        "f.register(g)\n",
        "a",
    ),
    "registered function": (
        "def register(g):\n"
        "    KNOWN.append(g)\n"
        "    return g\n"
        "KNOWN = []\n"
        "@register\n"
        "def g(x: int): return x\n"
        "def f(): return 1\n",
        "a",
    ),
    "code that reads them": (
        "import typing\ndef g(x: int): return x\ndef f(): return typing.get_type_hints(g)\n",
        "a",
    ),
    "code that reads them by another name": (
        "from typing import get_type_hints as hints\n"
        "def g(x: int): return x\n"
        "def f(): return hints(g)\n",
        "a",
    ),
    "code that reads an attribute of a parameter": (
        "def hints(g): return g.__annotations__\n"
        "def g(x: int): return x\n"
        "def f(): return hints(g)\n",
        "a",
    ),
    "code that reads a signature's": (
        "import inspect\n"
        "def g(x: int): return x\n"
        "def f(): return [p.annotation for p in inspect.signature(g).parameters.values()]\n",
        "a",
    ),
    "annotations that stay strings": (
        "def f(x: int = 0): return x\n",
        "",
        "def f",
        "from __future__ import annotations\ndef f",
    ),
    "annotations of a class that stay strings": (
        "from dataclasses import dataclass\n@dataclass\nclass f:\n    x: int\n",
        "a",
        "from dataclasses",
        "from __future__ import annotations\nfrom dataclasses",
    ),
    "annotations that stay strings and are read": (
        "import typing\ndef g(x: int): return x\ndef f(): return typing.get_type_hints(g)\n",
        "a",
        "import typing",
        "from __future__ import annotations\nimport typing",
    ),
    "docstring that is read": (
        'def g():\n    """One."""\ndef f(): return g.__doc__\n',
        "a",
    ),
    "docstring of a parameter": (
        'def doc(g): return g.__doc__\ndef g():\n    """One."""\ndef f(): return doc(g)\n',
        "a",
    ),
    "docstring of a class, read by name": (
        'class C:\n    """One."""\ndef f(): return getattr(C, "__doc__")\n',
        "a",
    ),
    "docstring of the module": (
        '"""One."""\ndef f(): return __doc__\n',
        "a",
    ),
}


@parametrize(ANNOTATIONS)
def test_annotations_and_docstrings_count_where_they_do_something(tmp_path, case):
    text, expected, *edits = case
    if not edits:
        edits = ("x: int", "x: float") if "x: int" in text else ("One", "Two")
    write(tmp_path, f"{USE}--- lib.py\n{text}")
    assert changed_by(tmp_path, "lib.py", *edits) == expected


def test_every_definition_of_this_repository_means_the_same_without_its_layout(tmp_path):
    for path in sorted((ROOT / "workflow_scripts").rglob("*.py")):
        name = path.relative_to(ROOT).as_posix().removesuffix(".py").replace("/", ".")
        plain = tmp_path / path.name
        plain.write_text(ast.unparse(ast.parse(path.read_text())))
        own, again = (
            read_module(place, name, place.read_bytes()).definitions for place in (path, plain)
        )
        assert [meaning_of(d).text for d in own] == [meaning_of(d).text for d in again], path
        for definition in own:
            assert definition.label
            compile(source_of(definition), str(path), "exec")
