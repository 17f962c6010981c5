"""What ``explain`` says of a small workflow with tracked inputs."""

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.codehash.repositories import change, write
from workflow_scripts.common.provenance import clear_cache, reach
from workflow_scripts.rebuilds.explain import _script_of, changed_definitions, explain
from workflow_scripts.rebuilds.records import TRACKED, read_output_record
from workflow_scripts.rebuilds.sources import sources_of

ROOT = Path(__file__).resolve().parents[2]
OUTPUT = "results/joined.txt"
SNAKEFILE = """
NAMED = {INPUTS}

rule join:
    input:
        **NAMED,
    output:
        joined="results/joined.txt",
    params:
        spec={{"size": 3}},
        code="c0de",
        drawing="joined",
        inputs=NAMED,
    log:
        "results/logs/join.log",
    script:
        "../scripts/{{params.drawing}}.py"
"""
SCRIPT = """
from workflow_scripts.rebuilds.step import run
from workflow_scripts.rebuilds.sources import sources_of


def join(joined, lines, planes, size):
    joined.write_text(f"{lines} {planes}")


run(join, snakemake)
"""
FIRST = {"lines": "a.txt", "planes": ["b.txt", "c.txt"]}


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """A folder in which the workflow has run once."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    for name in "abc":
        Path(f"{name}.txt").write_text(name)
    Path("scripts").mkdir()
    Path("scripts/joined.py").write_text(SCRIPT)
    rules_with(FIRST)
    command = [sys.executable, "-m", "snakemake", "-s", "rules/Snakefile", "-c1", "-q", "all"]
    done = subprocess.run([*command, "--", OUTPUT], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return tmp_path


def rules_with(inputs: dict) -> Path:
    """Write the workflow with these inputs of its rule."""
    path = Path("rules/Snakefile").absolute()
    path.parent.mkdir(exist_ok=True)
    path.write_text(SNAKEFILE.format(INPUTS=inputs))
    return path


def test_a_record_has_the_names_and_order_of_inputs(folder):
    record = read_output_record(OUTPUT)
    assert record["named_inputs"] == FIRST
    assert repr(FIRST) in record["params"]
    assert "inputs" in TRACKED


@pytest.mark.parametrize(
    ("inputs", "causes"),
    [
        pytest.param(FIRST, [], id="the same"),
        pytest.param(
            {"lines": "b.txt", "planes": ["a.txt", "c.txt"]},
            ["input lines: was a.txt, is b.txt", "input planes[0]: was b.txt, is a.txt"],
            id="exchanged",
        ),
        pytest.param(
            {"lines": "a.txt", "planes": ["c.txt", "b.txt"]},
            ["input planes[0]: was b.txt, is c.txt, and 1 more"],
            id="reversed",
        ),
        pytest.param(
            {"planes": ["b.txt", "c.txt"], "lines": "a.txt"},
            ["inputs in another order: was lines, planes, is planes, lines"],
            id="another order of names",
        ),
        pytest.param(
            {"lines": "a.txt", "planes": ["b.txt"]},
            ["no longer an input: c.txt", "input planes[1]: was c.txt, is nothing"],
            id="one less",
        ),
    ],
)
def test_inputs_that_changed_places_make_an_output_stale_and_are_named(folder, inputs, causes):
    answer = explain(OUTPUT, snakefile=rules_with(inputs))
    assert answer.stale == bool(causes)
    if causes:
        assert sorted(answer.causes) == sorted(causes)
    else:
        assert answer.causes == ["its code (c0de), settings and 3 inputs have not changed"]


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("../workflow_scripts/report/evaluate_claims.py", "report/evaluate_claims"),
        ("../workflow_scripts/{params.drawing}.py", "figures/draw_figure1"),
        ("../workflow_scripts/figures/draw_{wildcards.figure}.py", "figures/draw_figure2"),
    ],
)
def test_a_script_may_be_named_by_a_param_or_wildcard(script, expected):
    job = SimpleNamespace(
        rule=SimpleNamespace(script=script),
        params=SimpleNamespace(drawing="figures/draw_figure1"),
        wildcards=SimpleNamespace(figure="figure2"),
    )
    assert _script_of(job) == os.path.join("workflow_scripts", f"{expected}.py")


def test_a_module_that_counts_whole_is_named_with_the_line_that_is_the_reason(tmp_path):
    text = "from lib import f\ndef main(): return f()\nif __name__ == '__main__':\n    main()\n"
    write(tmp_path, f"--- a.py\n{text}--- lib.py\nKNOWN = []\nKNOWN.append(1)\n")
    change(tmp_path, "lib.py", "", "def f(): return 1\ndef g(): return 1\n")
    clear_cache()
    before = sources_of(reach("a.py", tmp_path))
    change(tmp_path, "lib.py", "g(): return 1", "g(): return 2")
    clear_cache()
    (cause,) = changed_definitions(reach("a.py", tmp_path), before)
    assert cause.startswith("lib.py: g has changed\nreached by: ")
    assert "(the module counts whole, it is not plain: line 2: KNOWN.append(1))" in cause
    assert "-    return 1\n+    return 2" in cause
