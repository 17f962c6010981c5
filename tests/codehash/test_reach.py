"""What a script reaches, how that is determined, and what counts because that is unknown."""

from tests.codehash.repositories import PAIR, changed_by, parametrize, write
from workflow_scripts.common.provenance import reach, reached_by

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
        "all its names are imported",
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
    "own module in sys.modules": (
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


def test_modules_that_change_places_count(tmp_path):
    write(tmp_path, UNRESOLVED["module in a table"][0])
    assert changed_by(tmp_path, "a.py", "import one, two", "import two as one, one as two") == "a"


def test_what_is_resolved_has_no_reason(tmp_path):
    write(tmp_path, PAIR)
    for script in ("a.py", "b.py"):
        assert not any(reached.unresolved for reached in reached_by(script, tmp_path))


def test_the_path_to_a_definition_is_shown(tmp_path):
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
