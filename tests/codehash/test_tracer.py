"""The tracer sees what jobs do, and finds what a hash does not cover."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.codehash.repositories import write
from tests.codehash.tracer import compare, traced_environment
from workflow_scripts.codehash import reach

WORKFLOW = """
--- Snakefile
rule one:
    output: "run/one.txt"
    script: "scripts/one.py"
--- scripts/one.py
from pathlib import Path
from lib.work import Shape, first, text
def local(): return [x for x in (1, 2)]
if __name__ == "__main__":
    Path(snakemake.output[0]).write_text(f"{first()} {Shape().area()} {local()} {text()}")
--- lib/work.py
from pathlib import Path
NAMES = tuple(name.upper() for name in ("a", "b"))
def first(): return second(3)
def second(n): return max(range(n), key=lambda x: -x)
def unused(): return 1
class Shape:
    def area(self): return 4
def text(): return Path(__file__).with_name("words.txt").read_text()
--- lib/words.txt
one
"""


@pytest.fixture
def traced(tmp_path) -> Path:
    root = write(tmp_path / "repository", WORKFLOW)
    subprocess.run(
        [sys.executable, "-m", "snakemake", "-c1", "-q", "all", "--", "run/one.txt"],
        cwd=root,
        env=os.environ | traced_environment(root, tmp_path / "traced"),
        check=True,
        capture_output=True,
    )
    return root


def test_all_that_a_job_does_is_covered(traced):
    found = compare(traced, traced.parent / "traced", ("run/",))
    assert found.uncovered == []
    assert found.jobs == 1
    assert found.functions >= 7
    assert found.files >= 2


def test_what_a_hash_leaves_out_is_found(traced, monkeypatch):
    follow = reach._Walk._follow

    def forgetful(walk, definition):
        if definition.names != ("first",):
            follow(walk, definition)

    monkeypatch.setattr(reach._Walk, "_follow", forgetful)
    monkeypatch.setattr(reach._Walk, "_reach_files", lambda *of: [])
    found = compare(traced, traced.parent / "traced", ("run/",))
    assert found.uncovered == [
        "one.py: lib/words.txt was opened",
        "one.py: lib/work.py: second ran",
        "one.py: lib/work.py: second.<locals>.<lambda> ran",
    ]
