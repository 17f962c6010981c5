from types import SimpleNamespace

from workflow_scripts.common.files import File
from workflow_scripts.common.wiring import needs
from workflow_scripts.rebuilds.tracking import tracked

SCRIPT = "landscape/measure_width"


def wildcards(**values: str) -> SimpleNamespace:
    """Wildcards as Snakemake gives them: attributes, and ``items``."""
    return SimpleNamespace(**values, items=values.items)


def params(inputs, spec=None, **known: str) -> dict:
    """Params of a job, its functions called as Snakemake does."""
    hashes = SimpleNamespace(of=lambda path: SimpleNamespace(code=f"hash of {path}", libraries=[]))
    of_rule = tracked(hashes, SCRIPT, inputs, spec or {"a": 1}, "results/{task}.parquet", False)
    return {
        name: value(wildcards(**known)) if callable(value) else value
        for name, value in of_rule.items()
    }


def test_a_rule_tracks_its_settings_its_code_and_its_inputs():
    inputs = needs(line=File("results/{task}/line.parquet", ["d"]))
    assert params(inputs, task="nli") == {
        "spec": {"a": 1},
        "code": "hash of workflow_scripts/landscape/measure_width.py",
        "libraries": {},
        "inputs": {"line": ["results/nli/line.parquet"]},
    }


def test_swapped_inputs_change_the_params():
    one, two = File("results/1"), File("results/2")
    assert params(needs(x=one, y=two), task="t") != params(needs(x=two, y=one), task="t")
    assert params(needs(x=[one, two]), task="t") != params(needs(x=[two, one]), task="t")


def test_settings_in_another_order_are_the_same_params():
    inputs = needs(x=File("results/1"))
    orders = {"a": 1, "b": 2}, {"b": 2, "a": 1}
    assert len({repr(params(inputs, spec, task="t")["spec"]) for spec in orders}) == 1


def test_an_input_function_is_asked_for_the_job_at_hand():
    inputs = params(lambda job: needs(x=File(f"results/{job.task}")), task="nli")["inputs"]
    assert inputs == {"x": ["results/nli"]}


def test_braces_in_the_path_of_a_file_from_outside_are_no_wildcards():
    inputs = params(lambda job: {"files": ["/data/{a}/train.tsv"]}, task="nli")["inputs"]
    assert inputs == {"files": ["/data/{a}/train.tsv"]}
