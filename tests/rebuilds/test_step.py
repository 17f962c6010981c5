import json
import logging
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

# A stand-in for the object that Snakemake gives a script, with its kinds of named lists.
PRELUDE = """
import sys
from types import SimpleNamespace
from snakemake.iocontainers import InputFiles, OutputFiles, Params, Log
from workflow_scripts.rebuilds.step import run
from workflow_scripts.common.errors import UserError
from workflow_scripts.common.tables import write_json

snakemake = SimpleNamespace(
    rule="make_thing",
    input=InputFiles(fromdict={"one": "a.txt", "many": ["b.txt", "c.txt"], "none": []}),
    output=OutputFiles(fromdict={"thing": "thing.json"}),
    params=Params(fromdict={"spec": {"size": 3}, "code": "c0de", "context": {"device": "cpu"}}),
    log=Log(["make_thing.log"]),
)
"""


def run_script(body: str, folder: Path) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-c", PRELUDE + body],
        cwd=folder,
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_function_gets_paths_lists_and_its_spec(tmp_path):
    body = """
def make_thing(one, many, thing, size, context, none=None):
    write_json({"one": str(one), "many": [p.name for p in many], "size": size, "none": none,
                "device": context["device"]}, thing)
run(make_thing, snakemake)
"""
    done = run_script(body, tmp_path)
    assert done.returncode == 0, done.stderr
    thing = json.loads((tmp_path / "thing.json").read_text())
    provenance = thing.pop("provenance")
    assert thing == {
        "one": "a.txt",
        "many": ["b.txt", "c.txt"],
        "size": 3,
        "none": None,
        "device": "cpu",
    }
    assert provenance["rule"] == "make_thing"
    assert provenance["code"] == "c0de"
    assert provenance["versions"]["python"] == ".".join(map(str, sys.version_info[:3]))
    assert "done in" in (tmp_path / "make_thing.log").read_text()


@pytest.mark.parametrize(
    ("error", "line"),
    [
        ("UserError('x must be\\n positive')", "make_thing: x must be positive"),
        ("KeyError('loss')", "make_thing: KeyError: 'loss'"),
    ],
)
def test_an_error_is_one_line_on_the_terminal_and_a_traceback_in_the_log(tmp_path, error, line):
    body = f"""
def make_thing(one, many, thing, size):
    raise {error}
run(make_thing, snakemake)
"""
    done = run_script(body, tmp_path)
    assert done.returncode == 1
    assert done.stderr.strip() == f"{line} (log: make_thing.log)"
    assert "Traceback" in (tmp_path / "make_thing.log").read_text()
    assert not (tmp_path / "thing.json").exists()


def test_progress_says_how_much_is_done_and_left(caplog):
    from workflow_scripts.common.progress import progress

    with caplog.at_level(logging.INFO, logger="tunescape"):
        assert list(progress(range(3), "points", every=0)) == [0, 1, 2]
    assert len(caplog.messages) == 3
    assert caplog.messages[-1].startswith("points: 3 of 3")
    assert "0:00 left" in caplog.messages[-1]
