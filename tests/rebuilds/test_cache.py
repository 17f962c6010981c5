"""Entries of the cache: whole or missing, and taken only by an identical job."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.rebuilds.test_step import PRELUDE, ROOT
from workflow_scripts.common.errors import UserError
from workflow_scripts.experiment.checks import cache_folder
from workflow_scripts.plan.__main__ import read_settings
from workflow_scripts.rebuilds.cache import cache_key, keep, take

KEY = "ab" * 16


@pytest.fixture
def cache(tmp_path) -> Path:
    """A cache with one entry of two files."""
    for name in ("a.txt", "b.json"):
        (tmp_path / name).write_text(name)
    keep(tmp_path / "cache", KEY, [tmp_path / "a.txt", tmp_path / "b.json"])
    return tmp_path / "cache"


def test_files_come_back_newer_than_they_were(cache, tmp_path):
    os.utime(tmp_path / "a.txt", (1, 1))
    outputs = [tmp_path / "x/a.txt", tmp_path / "x/b.json"]
    assert take(cache, KEY, outputs)
    assert [path.read_text() for path in outputs] == ["a.txt", "b.json"]
    assert outputs[0].stat().st_mtime > 1e9
    assert not take(cache, "cd" * 16, outputs)
    assert [path.name for path in cache.iterdir()] == [KEY]


@pytest.mark.parametrize("damage", ["changed", "gone", "cut", "no manifest", "broken manifest"])
def test_a_damaged_entry_is_deleted_and_counts_as_none(cache, tmp_path, damage, caplog):
    entry = cache / KEY
    {
        "changed": lambda: (entry / "000.txt").write_text("A.txt"),
        "gone": (entry / "001.json").unlink,
        "cut": lambda: (entry / "000.txt").write_text("a"),
        "no manifest": (entry / "manifest.json").unlink,
        "broken manifest": lambda: (entry / "manifest.json").write_text("["),
    }[damage]()
    outputs = [tmp_path / "x/a.txt", tmp_path / "x/b.json"]
    assert not take(cache, KEY, outputs)
    assert not any(path.exists() for path in outputs)
    assert not entry.exists()
    assert "damaged" in caplog.text


def test_a_cache_that_cannot_be_written_is_a_warning(tmp_path, caplog):
    (tmp_path / "cache").write_text("no folder")
    (tmp_path / "a.txt").write_text("a")
    keep(tmp_path / "cache", KEY, [tmp_path / "a.txt"])
    assert "not kept in the cache" in caplog.text


def test_the_same_entry_twice_is_kept_once(cache, tmp_path):
    keep(cache, KEY, [tmp_path / "a.txt", tmp_path / "b.json"])
    assert [path.name for path in cache.iterdir()] == [KEY]


def test_keys_follow_values_and_not_their_order():
    assert cache_key({"a": 1, "b": [2]}) == cache_key({"b": [2], "a": 1})
    assert cache_key({"a": 1}) != cache_key({"a": 1.5})


# Prints "called" where the step's function was called.
BODY = """
def make_thing(one, many, thing, size):
    print("called")
    write_json({"size": size}, thing)
snakemake.params = Params(fromdict={
    "spec": SPEC, "code": CODE, "libraries": {"numpy": "1"},
    "context": {"device": "cpu", "cache": "CACHE", "experiment": EXPERIMENT},
})
run(make_thing, snakemake)
"""


def called(
    folder: Path, cache: Path, one="1", size=3, code="c0de", experiment="first", extra=""
) -> bool:
    folder.mkdir(exist_ok=True)
    for name, text in {"a.txt": one, "b.txt": "2", "c.txt": "3"}.items():
        (folder / name).write_text(text)
    body = BODY.replace("SPEC", repr({"size": size})).replace("CODE", repr(code))
    body = body.replace("CACHE", str(cache)).replace("EXPERIMENT", repr(experiment))
    done = subprocess.run(
        [sys.executable, "-c", PRELUDE + extra + body],
        cwd=folder,
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads((folder / "thing.json").read_text())["size"] == size
    return done.stdout == "called\n"


def test_a_step_is_taken_from_the_cache_only_if_it_is_the_same(tmp_path):
    cache = tmp_path / "cache"
    assert called(tmp_path / "one", cache)
    assert not called(tmp_path / "two", cache, experiment="second")
    log = (tmp_path / "two/make_thing.log").read_text()
    assert "taken from the cache" in log
    assert called(tmp_path / "three", cache, one="other")
    assert called(tmp_path / "four", cache, size=4)
    assert called(tmp_path / "five", cache, code="0ther")
    versions = "import workflow_scripts.rebuilds.step as s; s.versions = lambda: {'torch': '9'}\n"
    assert called(tmp_path / "six", cache, extra=versions)
    assert len(list(cache.iterdir())) == 5


def test_an_entry_that_cannot_be_read_counts_as_none(cache, tmp_path, caplog):
    manifest = cache / KEY / "manifest.json"
    manifest.unlink()
    manifest.mkdir()
    assert not take(cache, KEY, [tmp_path / "a2.txt", tmp_path / "b2.json"])
    assert "cannot be read" in caplog.text
    assert manifest.exists()


def test_where_the_cache_is(monkeypatch, tmp_path):
    def folder(path: str | None) -> str | None:
        settings = read_settings([])
        compute = settings.compute.model_copy(update={"cache": path})
        return cache_folder(settings.model_copy(update={"compute": compute}))

    monkeypatch.setenv("SHARED", str(tmp_path))
    monkeypatch.delenv("NOWHERE", raising=False)
    assert folder(None) is None
    assert folder("$SHARED/cache") == f"{tmp_path}/cache"
    with pytest.raises(UserError, match=r"compute.cache: .* \$NOWHERE is not set"):
        folder("$NOWHERE/cache")
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="which is no folder"):
        folder("$SHARED/file")
