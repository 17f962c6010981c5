"""The page's JavaScript modules, tested by node's own test runner."""

import shutil
import subprocess
from pathlib import Path

import pytest


@pytest.mark.skipif(shutil.which("node") is None, reason="needs node")
def test_the_modules_pass_their_tests():
    files = sorted(map(str, (Path(__file__).parent / "js").glob("*.test.mjs")))
    assert len(files) == 4
    done = subprocess.run(
        ["node", "--test", *files], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stdout[-4000:]
    assert "# fail 0" in done.stdout or "ℹ fail 0" in done.stdout
