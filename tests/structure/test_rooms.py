"""The plan of the repository: imports follow the order of the rooms, and go round in no circle."""

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from workflow_scripts.stages import STAGES

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "workflow_scripts"
NAMES = [stage.name for stage in STAGES]
# Numerics of stages to come: functions to call, with no rules yet.
NUMERICS: list[str] = []
BEFORE_REPORT = NAMES.index("report")
# Each room may import from those before it, and from itself.
ORDER = (
    "codehash",
    "common",
    "rebuilds",
    *NAMES[:BEFORE_REPORT],
    *NUMERICS,
    *NAMES[BEFORE_REPORT:],
    "stages",
    "experiment",
    "plan",
    "compare",
    "reference",
)
MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts): path
    for path in sorted(PACKAGE.rglob("*.py"))
    if path.name != "__init__.py"
}


def imported(tree: ast.Module) -> Iterator[str]:
    """Modules of this repository that a module imports, in functions and for types too."""
    for node in ast.walk(tree):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names = [f"{node.module}.{alias.name}" for alias in node.names] + [node.module]
        for name in names:
            if name in MODULES:
                yield name


IMPORTS = {
    name: set(imported(ast.parse(path.read_text(encoding="utf-8"))))
    for name, path in MODULES.items()
}


def room_of(module: str) -> str:
    return module.split(".")[1]


def test_every_folder_has_its_place_in_the_order():
    assert {room_of(name) for name in MODULES} == set(ORDER)


@pytest.mark.parametrize("room", ORDER)
def test_no_room_imports_from_a_later_one(room):
    earlier = set(ORDER[: ORDER.index(room) + 1])
    upward = {
        f"{name} -> {other}"
        for name, others in IMPORTS.items()
        if room_of(name) == room
        for other in others
        if room_of(other) not in earlier
    }
    assert not upward


def test_no_modules_import_each_other_in_a_circle():
    try:
        TopologicalSorter(IMPORTS).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


def test_no_script_imports_what_a_stage_declares():
    """So that a new declaration changes no code hash."""
    declaring = {name for name in MODULES if name.endswith((".stage", ".figures", ".products"))}
    declaring |= {"workflow_scripts.stages", "workflow_scripts.common.stage"}
    scripts = [
        name for name, path in MODULES.items() if ", snakemake)" in path.read_text(encoding="utf-8")
    ]
    assert len(scripts) > 20
    for script in scripts:
        reached, to_visit = set(), [script]
        while to_visit:
            module = to_visit.pop()
            if module not in reached:
                reached.add(module)
                to_visit += IMPORTS[module]
        assert not reached & declaring, script


def test_every_stage_has_its_folder_and_its_rules():
    for stage in STAGES:
        assert (PACKAGE / stage.name / "stage.py").is_file()
        assert (ROOT / f"rules/{stage.name}.smk").is_file()
    assert {path.stem for path in (ROOT / "rules").glob("*.smk")} == {
        "common",
        *(stage.name for stage in STAGES),
    }
