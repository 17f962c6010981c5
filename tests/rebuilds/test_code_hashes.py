"""Kept hashes are those that would be found now, or are not used."""

import json
import os
from pathlib import Path

import pytest

from tests.codehash.repositories import change, parametrize, write
from workflow_scripts.codehash import files
from workflow_scripts.common.provenance import clear_cache, reach
from workflow_scripts.rebuilds import code_hashes
from workflow_scripts.rebuilds.code_hashes import CodeHashes


@pytest.fixture
def root(tmp_path) -> Path:
    clear_cache()
    return write(
        tmp_path / "repository",
        """
        --- a.py
        import json
        from help import size
        print(json.dumps(size()))
        --- b.py
        print(open("table.txt").read())
        --- help.py
        def size():
            return 30
        --- table.txt
        1 2 3
        """,
    )


def walked(root: Path, monkeypatch) -> list[str]:
    """Scripts that are looked through from now on."""
    found = []

    def look(script, root):
        found.append(script)
        return reach(script, root)

    monkeypatch.setattr(code_hashes, "reach", look)
    return found


def saved(root: Path) -> Path:
    path = root.parent / "codes.json"
    CodeHashes(path, root).save(["a.py", "b.py"])
    clear_cache()
    return path


def test_they_are_the_same_and_nothing_is_walked_again(root, monkeypatch):
    path = saved(root)
    looked_through = walked(root, monkeypatch)
    kept = CodeHashes(path, root)
    assert kept.of("a.py").code == reach("a.py", root).code
    assert kept.of("a.py").libraries == list(reach("a.py", root).libraries) == ["json"]
    assert kept.of("b.py").code == reach("b.py", root).code
    assert looked_through == []


@pytest.mark.parametrize(
    ("file", "edits"),
    [
        ("help.py", ("30", "40")),
        ("table.txt", ("1 2 3", "1 2 4")),
        ("help/__init__.py", ("", "size = int\n")),  # another file of the same name as a module
    ],
)
def test_a_change_with_the_old_time_restored_is_detected(root, file, edits):
    path = saved(root)
    place = root / file
    times = place.stat() if place.exists() else None
    before = CodeHashes(path, root).of("a.py"), CodeHashes(path, root).of("b.py")
    change(root, file, *edits)
    if times:
        os.utime(place, ns=(times.st_atime_ns, times.st_mtime_ns))
        assert place.stat().st_size == times.st_size
    clear_cache()
    now = CodeHashes(path, root)
    assert (now.of("a.py"), now.of("b.py")) != before
    assert now.of("a.py").code == reach("a.py", root).code


def test_a_large_file_counts_by_its_times(root, monkeypatch):
    monkeypatch.setattr(files, "_LARGEST", 3)
    path = saved(root)
    assert CodeHashes(path, root)._kept
    times = (root / "table.txt").stat()
    change(root, "table.txt", "1 2 3", "1 2 4")
    os.utime(root / "table.txt", ns=(times.st_atime_ns, times.st_mtime_ns))
    assert not CodeHashes(path, root)._kept


# A script's code, and a file that counts in a fresh walk: each with texts before and after.
SEEN = {
    "module in a folder named results": ("from lib.results import f\nf()", "lib/results.py"),
    "package in a folder named runs": ("from lib.runs.one import f\nf()", "lib/runs/one.py"),
    "package named build": ("import lib.build.work as w\nw.f()", "lib/build/work.py"),
    "package named dist": ("import lib.dist as d\nd.f()", "lib/dist/__init__.py"),
    "module below node_modules": (
        "from lib.node_modules.one import f\nf()",
        "lib/node_modules/one.py",
    ),
    "file with a dot": ("print(open('lib/.words').read())", "lib/.words"),
    "file with a dot, chosen as it runs": (
        "from pathlib import Path\nprint((Path(__file__).parent / 'lib' / input()).read_text())",
        "lib/.words",
    ),
    "file in a folder with a dot": (
        "print(open('lib/.more/words.txt').read())",
        "lib/.more/words.txt",
    ),
    "file in a folder named results": (
        "print(open('lib/results/x.txt').read())",
        "lib/results/x.txt",
    ),
    "new member of a folder": (
        "from pathlib import Path\nprint(list((Path(__file__).parent / 'lib').iterdir()))",
        "lib/runs/new.txt",
    ),
    "plugin in a folder named build": (
        "import importlib\nimportlib.import_module(f'lib.{input()}')",
        "lib/build/one.py",
    ),
}


@parametrize(SEEN)
def test_kept_hashes_see_what_a_fresh_walk_sees(tmp_path, case):
    text, file = case
    root = write(tmp_path / "repository", f"--- a.py\n{text}\n--- lib/__init__.py\n")
    if not file.endswith("new.txt"):
        change(root, file, "", "def f(): return 1\n")
    path = tmp_path / "codes.json"
    clear_cache()
    before = CodeHashes(path, root).of("a.py")
    CodeHashes(path, root).save(["a.py"])
    assert CodeHashes(path, root)._kept["a.py"] == before
    change(root, file, "", "def f(): return 2\n")
    clear_cache()
    fresh = reach("a.py", root).code
    assert CodeHashes(path, root).of("a.py").code == fresh != before.code


def test_kept_hashes_see_modules_and_files_behind_a_link(tmp_path):
    text = "from lib.far import f\nf(open('lib/far/words.txt'))"
    root = write(tmp_path / "repository", f"--- a.py\n{text}\n--- lib/__init__.py\n")
    far = write(tmp_path / "far", "--- __init__.py\ndef f(x): return 1\n--- words.txt\none\n")
    (root / "lib/far").symlink_to(far)
    path = tmp_path / "codes.json"
    for file, old, new in (("__init__.py", "1", "2"), ("words.txt", "one", "two")):
        clear_cache()
        before = CodeHashes(path, root).of("a.py")
        CodeHashes(path, root).save(["a.py"])
        change(far, file, old, new)
        clear_cache()
        fresh = reach("a.py", root).code
        assert CodeHashes(path, root).of("a.py").code == fresh != before.code, file


def test_an_edit_while_they_are_found_keeps_nothing(root):
    path = root.parent / "codes.json"
    hashes = CodeHashes(path, root)
    hashes.of("a.py")
    change(root, "help.py", "30", "40")
    hashes.save(["a.py", "b.py"])
    assert not path.exists()


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"program": 1, "scripts": [3]}', "null", "\x00"])
def test_a_broken_file_counts_as_none(root, text):
    path = root.parent / "codes.json"
    path.write_text(text)
    assert CodeHashes(path, root).of("a.py").code == reach("a.py", root).code


def test_a_file_of_the_right_program_and_wrong_content_counts_as_none(root):
    path = saved(root)
    held = json.loads(path.read_text())
    path.write_text(json.dumps(held | {"scripts": {"a.py": 7}}))
    assert CodeHashes(path, root).of("a.py").code == reach("a.py", root).code
