"""What the code of a workflow script means, as a hash.

Snakemake notices a changed script by its modification time and does not look at the modules
that the script imports. A rule that passes ``code_of(script)`` among its ``params`` is rerun
exactly when the meaning of the script, or of a module of this repository that it imports
(directly or not), has changed: comments, docstrings, blank lines and formatting do not count,
and neither do modification times.
"""

import ast
import hashlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
ROOT = Path(__file__).resolve().parents[2]


def code_of(script: str, root: Path | None = None) -> str:
    """Hash (16 hex digits) of what a script and the local modules it reaches mean.

    Parameters
    ----------
    script : path of the script, relative to ``root``.
    root : folder of the workflow; this repository by default.
    """
    root = root or ROOT
    digest = hashlib.sha256()
    for name in reached_by(script, root):
        digest.update(f"{name}\0{_meaning(root / name)}\0".encode())
    return digest.hexdigest()[:16]


@cache
def reached_by(script: str, root: Path | None = None) -> tuple[str, ...]:
    """The script and every file of the repository that it imports, sorted, relative to ``root``."""
    root = root or ROOT
    todo, seen = [root / script], set()
    while todo:
        path = todo.pop()
        if path not in seen:
            seen.add(path)
            for name in _imports(path, root):
                todo += _files_of(name, root)
    return tuple(sorted(path.relative_to(root).as_posix() for path in seen))


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


@cache
def _meaning(path: Path) -> str:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        documented = isinstance(node, _DOCUMENTED)
        if documented and ast.get_docstring(node, clean=False) is not None:
            node.body = node.body[1:] or [ast.Pass()]
    return ast.unparse(tree)


def _imports(path: Path, root: Path) -> Iterator[str]:
    """Dotted names of all modules that a file may import, inside functions too."""
    package = path.relative_to(root).parent.parts
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join([*base, *([node.module] if node.module else [])])
            yield module
            yield from (f"{module}.{alias.name}" for alias in node.names)


def _files_of(name: str, root: Path) -> list[Path]:
    """Files under ``root`` that importing a module runs: its packages' and its own."""
    files, here = [], root
    for part in name.split(".") if name else []:
        here = here / part
        if (here / "__init__.py").is_file():
            files.append(here / "__init__.py")
        elif here.with_suffix(".py").is_file():
            files.append(here.with_suffix(".py"))
            break
        elif not here.is_dir():
            break
    return files
