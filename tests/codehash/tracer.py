"""Compares what the jobs of a run did with what the hashes of their scripts cover."""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from workflow_scripts.codehash.definitions import Definition
from workflow_scripts.codehash.reach import CodeClosure, DependencyGraph


def traced_environment(root: Path, folder: Path) -> dict[str, str]:
    """Variables with which the jobs of a run write what they do to a folder.

    Parameters
    ----------
    root : Path
        The repository.
    folder : Path
        Gets a file per job.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = [str(Path(__file__).with_name("tracing")), os.environ.get("PYTHONPATH", "")]
    return {
        "PYTHONPATH": os.pathsep.join(filter(None, paths)),
        "TRACED_ROOT": str(root.resolve()),
        "TRACED_TO": str(folder.resolve()),
    }


@dataclass
class Traced:
    """What the jobs did.

    Attributes
    ----------
    jobs, functions, files : int
        Jobs; pairs of a job and a function that ran in it, or a file that it opened.
    uncovered : list of str
        Functions and files that the hash of the job's script does not cover.
    """

    jobs: int = 0
    functions: int = 0
    files: int = 0
    uncovered: list[str] = field(default_factory=list)


def compare(root: Path, folder: Path, apart: tuple[str, ...] = ()) -> Traced:
    """Compare what jobs did with what the hashes of their scripts cover.

    Parameters
    ----------
    root : Path
        The repository.
    folder : Path
        That of ``traced_environment``.
    apart : tuple of str
        Folders of the repository, relative, that hold no part of it, such as that of the run.
    """
    root = root.resolve()
    graph, found = DependencyGraph(root), Traced()
    for path in sorted(folder.glob("*.json")):
        seen = json.loads(path.read_text(encoding="utf-8"))
        script = Path(seen["script"])
        closure = graph.of(script.relative_to(root).as_posix())
        found.jobs += 1
        uncovered = set(_functions(root, script, closure, seen["functions"], found))
        uncovered |= set(_files(root, script, closure, seen["opened"], apart, found))
        found.uncovered += [f"{script.name}: {what}" for what in sorted(uncovered)]
    return found


def _functions(root, script, closure: CodeClosure, functions, found: Traced) -> Iterator[str]:
    by_place: dict[Path, list[Definition]] = {}
    for thing in closure.things:
        if isinstance(thing, Definition):
            by_place.setdefault(thing.module.path, []).append(thing)
    for file, name, line, importing in functions:
        own = ".snakemake" in Path(file).parts
        place = script if own else Path(file)
        found.functions += 1
        # What runs as a plain module is imported binds names, and has no other effect.
        if importing and not own:
            relative = Path(importing).relative_to(root).as_posix()
            if relative in closure.modules and relative not in closure.whole:
                continue
        if not any(_holds(d, name, line, own) for d in by_place.get(place, [])):
            yield f"{place.relative_to(root)}: {name} ran"


def _holds(definition: Definition, name: str, line: int, own: bool) -> bool:
    if own:  # Snakemake writes lines above those of a script
        first = name.partition(".")[0]
        return first in definition.names or first.startswith("<")
    node = definition.node
    start = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", []))])
    return start <= line <= node.end_lineno


def _files(root, script, closure: CodeClosure, opened, apart, found: Traced) -> Iterator[str]:
    covered = {*closure.modules, *(dependency.file for dependency in closure.reached)}
    for file in opened:
        relative = Path(file).relative_to(root)
        if "__pycache__" in relative.parts or ".snakemake" in relative.parts:
            continue
        if str(relative).startswith(apart):
            continue
        found.files += 1
        if relative.as_posix() not in covered:
            yield f"{relative} was opened"
