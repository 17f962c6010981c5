"""The text of what a script's hash covers, so that a later run can show what has changed."""

import ast
import hashlib
from pathlib import Path

from workflow_scripts.codehash.definitions import FUNCTIONS, Definition, meaningful
from workflow_scripts.codehash.reach import CodeClosure


def sources_of(closure: CodeClosure) -> dict[str, str]:
    """Text of each definition, and digest of each file, by its place."""
    found: dict[str, str] = {}
    for thing, reached in zip(closure.things, closure.reached, strict=True):
        if isinstance(thing, Path):
            digest = hashlib.sha256(thing.read_bytes() if thing.is_file() else b"")
            found[reached.place] = f"sha256 {digest.hexdigest()}"
        else:  # two statements may share their first words, or bind the same name
            text = found.get(reached.place)
            source = source_of(thing)
            found[reached.place] = f"{text}\n{source}" if text else source
    return found


def source_of(definition: Definition) -> str:
    """The statement without comments, docstrings and the source's own formatting."""
    node = definition.node
    try:
        tree = ast.parse(ast.unparse(node))
        for part in ast.walk(tree):
            if isinstance(part, (*FUNCTIONS, ast.ClassDef)):
                part.body = meaningful(part.body) or [ast.Pass()]
        return ast.unparse(tree)
    except RecursionError:  # one that is nested too deep to be printed
        return "\n".join(definition.module.lines[node.lineno - 1 : node.end_lineno])
