"""Which rooms import which: an arrow upwards or a circle fails here."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = "workflow_scripts"
# From the ground up; a room may import itself and those before it.
LAYERS = ("codehash", "common", "rebuilds")


def imported(path: Path) -> Iterator[tuple[str, int]]:
    """Modules that a file imports anywhere in it, with the line."""
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            yield from ((f"{node.module}.{alias.name}", node.lineno) for alias in node.names)


def arrows(room: str) -> Iterator[tuple[str, str]]:
    """Rooms that a room imports, each with the file and line that does."""
    for path in sorted((ROOT / PACKAGE / room).glob("*.py")):
        for name, line in imported(path):
            package, _, rest = name.partition(".")
            if package == PACKAGE:
                yield rest.partition(".")[0], f"{path.relative_to(ROOT)}:{line}"


@pytest.mark.parametrize("room", LAYERS)
def test_a_room_imports_only_rooms_below_it(room):
    below = LAYERS[: LAYERS.index(room) + 1]
    up = [f"{place} imports {other}" for other, place in arrows(room) if other not in below]
    assert not up


def test_the_imports_of_a_room_are_seen():
    assert {other for other, _ in arrows("rebuilds")} == {"codehash", "common", "rebuilds"}
