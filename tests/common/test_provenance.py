"""The code of a script: what it is, and that of this repository's own scripts."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.codehash.repositories import PAIR, change, codes, write
from workflow_scripts.common.provenance import clear_cache, code_of, reach, reached_by

ROOT = Path(__file__).resolve().parents[2]


def test_neither_time_nor_place_counts(tmp_path):
    here = write(
        tmp_path / "here", PAIR + "--- lib/words.txt\none\n--- c.py\nprint(open('lib/words.txt'))\n"
    )
    there = write(
        tmp_path / "else" / "where",
        PAIR + "--- lib/words.txt\none\n--- c.py\nprint(open('lib/words.txt'))\n",
    )
    for path in there.rglob("*.*"):
        os.utime(path, (1, 1))
    assert codes(here) == codes(there)
    assert len(set(codes(here).values())) == 3


def test_the_hash_is_the_same_in_every_process(tmp_path):
    write(tmp_path, PAIR)
    text = f"""
from pathlib import Path
from workflow_scripts.common.provenance import code_of
print(*[code_of(script, Path({str(tmp_path)!r})) for script in ("a.py", "b.py")])
"""
    found = [
        subprocess.run(
            [sys.executable, "-c", text],
            env={"PYTHONPATH": str(ROOT), "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.split()
        for seed in ("1", "2")
    ]
    assert found[0] == found[1] == list(codes(tmp_path).values())
    assert all(re.fullmatch("[0-9a-f]{16}", code) for code in found[0])


def test_files_are_read_once(tmp_path):
    write(tmp_path, PAIR)
    before = code_of("a.py", tmp_path)
    change(tmp_path, "lib/work.py", "n + 1", "n + 2")
    assert code_of("a.py", tmp_path) == before
    clear_cache()
    assert code_of("a.py", tmp_path) != before


@pytest.mark.parametrize("script", ["none.py", "lib", "lib/none.py"])
def test_a_missing_script_is_an_error(tmp_path, script):
    write(tmp_path, PAIR)
    with pytest.raises(FileNotFoundError, match=re.escape(script)):
        code_of(script, tmp_path)


def test_a_file_that_is_not_python_is_an_error(tmp_path):
    write(tmp_path, "--- a.py\nimport lib\n--- lib.py\ndef f(:\n--- b.py\nprint(1)\n")
    with pytest.raises(SyntaxError, match=r"lib\.py|invalid"):
        code_of("a.py", tmp_path)
    assert code_of("b.py", tmp_path)


def test_a_script_may_lie_in_a_folder_with_a_dot(tmp_path):
    write(tmp_path, "--- v1.2/a.py\nfrom lib import f\nf()\n--- lib.py\ndef f(): return 1\n")
    before = code_of("v1.2/a.py", tmp_path)
    change(tmp_path, "lib.py", "return 1", "return 2")
    clear_cache()
    assert code_of("v1.2/a.py", tmp_path) != before


# This repository

FETCH = "workflow_scripts/model/fetch_model.py"


def own_scripts() -> list[str]:
    """Files that rules run: those that take Snakemake's object where they are the main module."""
    paths = (ROOT / "workflow_scripts").glob("*/*.py")
    return sorted(
        str(path.relative_to(ROOT)) for path in paths if ", snakemake)\n" in path.read_text()
    )


def test_every_module_that_a_script_imports_is_reached():
    # Of a script only the imports at the top run: it does its work where it is the main module.
    # What a script adds to those before it is looked for in its own reach, and the whole in all.
    text = """
import json, runpy, sys
found = {}
for script in sys.argv[1:]:
    for name in [name for name in sys.modules if name.partition(".")[0] == "workflow_scripts"]:
        del sys.modules[name]
    runpy.run_path(script, run_name="not_main")
    files = (getattr(module, "__file__", None) for module in list(sys.modules.values()))
    found[script] = sorted(f for f in files if f and "/workflow_scripts/" in f)
print(json.dumps(found))
"""
    scripts = own_scripts()
    assert len(scripts) >= 20
    done = subprocess.run(
        [sys.executable, "-c", text, *scripts],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    for script in scripts:
        files = {Path(file).relative_to(ROOT).as_posix() for file in found[script]}
        assert len(files) > 3, script
        reached = reach(script)
        assert script in reached.modules
        assert files <= set(reached.modules), script


def test_own_scripts_have_codes_of_their_own_and_read_no_documents():
    codes_of_own = [code_of(script) for script in own_scripts()]
    assert len(set(codes_of_own)) == len(codes_of_own)
    for script in own_scripts():
        files = {reached.file for reached in reached_by(script)}
        # A package that is only named in the settings may be any, also that of the tests.
        other = ("docs/", "README") if script == FETCH else ("docs/", "tests/", "README")
        assert not any(file.startswith(other) for file in files), script


# Modules that a script reaches and that do more than bind names when they are imported: each
# counts whole for the scripts that load it, and why that does no harm.
NOT_PLAIN = {
    "workflow_scripts/data/grammars/classes.py": "its lists are parsed; one script uses it",
    "workflow_scripts/data/grammars/entailment.py": "its words are split; one script uses it",
    "workflow_scripts/data/grammars/lists.py": "its words are split; one script uses it",
    "workflow_scripts/data/grammars/sentiment.py": "its words are split; one script uses it",
    "workflow_scripts/data/grammars/nli.py": "its scales are parsed; one script uses it",
    "workflow_scripts/data/grammars/tags.py": "its words are split; one script uses it",
    "workflow_scripts/data/grammars/paraphrase.py": "its sets are parsed; one script uses it",
}


def test_own_modules_are_plain_so_that_they_count_by_definition():
    whole = {file: why for script in own_scripts() for file, why in reach(script).whole.items()}
    assert whole.keys() == NOT_PLAIN.keys(), whole
    for script in own_scripts():
        unresolved = {reached.unresolved for reached in reached_by(script) if reached.unresolved}
        assert all("not plain" in why or script == FETCH for why in unresolved), script
