"""Data files that reached code reads."""

from tests.codehash.repositories import changed_by, parametrize, write
from workflow_scripts.common.provenance import clear_cache, code_of, reached_by

# The statements of lib.py, and whether a file next to it counts: words.txt, more/one.json
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
        "wm",
    ),
    "pkgutil": ("import pkgutil\ndef f(): return pkgutil.get_data('pkg', 'words.txt')", "wm"),
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
    "folder that is only compared": (HERE + "def f(p): return p.is_relative_to(HERE)", "wm"),
    "name of the file": ("from pathlib import Path\ndef f(): return Path(__file__).stem", "wm"),
    "results": ("def f(): return open('results/words.txt')", ""),
    "text that is too long for a path": (f"def f(): return 'a/{'b' * 300}'", ""),
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
        clear_cache()
        counts = code_of("a.py", tmp_path) != before
        assert counts == (file.startswith("pkg/") and file[4] in expected), file
        path.write_text(kept)
    clear_cache()
    assert code_of("a.py", tmp_path) == before


def test_a_new_member_of_a_folder_counts_and_the_reason_is_shown(tmp_path):
    write(tmp_path, f"--- a.py\n{HERE}print([p.read_text() for p in (HERE / 'words').iterdir()])\n")
    write(tmp_path, "--- words/one.txt\none\n--- words/.hidden\n--- words/code.py\n")
    found = {r.file: r.unresolved for r in reached_by("a.py", tmp_path) if not r.name}
    reason = "a file below words is read"
    assert found == {"words/.hidden": reason, "words/one.txt": reason}
    assert changed_by(tmp_path, "words/two.txt", "", "two") == "a"


def test_a_missing_file_counts_once_it_is_there(tmp_path):
    write(
        tmp_path,
        "--- a.py\nfrom pathlib import Path\np = Path(__file__).with_name('x.txt')\n"
        "print(p.exists())\n",
    )
    assert changed_by(tmp_path, "x.txt", "", "one") == "a"
