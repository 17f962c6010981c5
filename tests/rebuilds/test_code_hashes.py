"""Kept hashes are those that would be found now, or are not used."""

import json
import os
from pathlib import Path

import pytest

from tests.codehash.repositories import change, write
from workflow_scripts.common.provenance import clear_cache, reach
from workflow_scripts.rebuilds import code_hashes
from workflow_scripts.rebuilds.code_hashes import CodeHashes, program_digest


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
def test_a_change_with_the_old_time_put_back_is_seen(root, file, edits):
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
    monkeypatch.setattr(code_hashes, "_LARGEST", 3)
    before = program_digest(root)
    assert program_digest(root) == before
    times = (root / "table.txt").stat()
    change(root, "table.txt", "1 2 3", "1 2 4")
    os.utime(root / "table.txt", ns=(times.st_atime_ns, times.st_mtime_ns))
    assert program_digest(root) != before


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
