"""Which data files of the repository a definition reads."""

import ast
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from workflow_scripts.codehash.definitions import BUILTINS, Definition, Module, text_of, words
from workflow_scripts.codehash.repository import Repository

_RESOURCES = words(
    "importlib.resources.contents importlib.resources.files importlib.resources.is_resource "
    "importlib.resources.open_binary importlib.resources.open_text importlib.resources.path "
    "importlib.resources.read_binary importlib.resources.read_text pkgutil.get_data"
)
_SAME_PLACE = words("builtins.str os.fspath os.path.abspath os.path.realpath")
_OPENERS = words("pathlib.Path pathlib.PurePath builtins.open io.open")
_READING = ("pathlib.", "importlib.resources.", "pkgutil.get_data")


class DataFiles:
    """Finds the files of a repository that definitions read, other than by importing them."""

    def __init__(self, repository: Repository):
        self.repository = repository
        self._paths = _Paths(repository)
        self._read: dict[Definition, list[tuple[Path, str]]] = {}
        self._digests: dict[Path, str] = {}

    def read_by(self, definition: Definition) -> list[tuple[Path, str]]:
        """Files, sorted, with why they count where only their folder is known."""
        if definition not in self._read:
            self._read[definition] = sorted(self._look(definition).items())
        return self._read[definition]

    def named_by(self, texts: list[str]) -> Iterator[Path]:
        """Files whose paths, relative to the root, stand among these constants."""
        for text in texts:
            path = Path(os.path.normpath(self.repository.root / text))
            if self._is_data(path):
                yield path

    def digest(self, path: Path) -> str:
        if path not in self._digests:
            self._digests[path] = hashlib.sha256(path.read_bytes()).hexdigest()
        return self._digests[path]

    def _look(self, definition: Definition) -> dict[Path, str]:
        module = definition.module
        found: dict[Path, str] = {}
        if not self._may_read(definition) or self._only_names_a_folder(definition):
            return found
        todo: list[ast.AST] = list(ast.iter_child_nodes(definition.node))
        while todo:
            part = todo.pop()
            place = self._paths.of(part, module) if isinstance(part, ast.expr) else None
            if place is not None:
                self._add(Path(os.path.normpath(place)), found)
            elif _only_compares(part):
                todo.append(part.func)
            elif self._paths.is_of_unknown_package(part, module):
                self._add(self.repository.root, found)
            elif not self._only_looks_at_the_name(part, module):
                todo += ast.iter_child_nodes(part)
        return found

    def _add(self, place: Path, found: dict[Path, str]) -> None:
        """Count a file; of a folder all that is below it, since any of it may be read."""
        if self._is_data(place):
            found[place] = ""
        folder = place
        if place.suffix == ".py" or not place.exists():
            # The file of the code itself, where no more is known; or the start of a name.
            folder = place.parent
            if folder == self.repository.root:
                return
        if not folder.is_dir() or not self.repository.holds(folder):
            return
        for path in self.repository.below(folder):
            if path.suffix != ".py":
                why = f"a file below {self.repository.relative(folder)} is read"
                found.setdefault(path, why)

    def _is_data(self, path: Path) -> bool:
        return os.path.isfile(path) and self.repository.holds(path)  # a long text is no path

    def _may_read(self, definition: Definition) -> bool:
        """Whether it uses anything that a path could come from; most definitions do not."""
        for used, targets in self.repository.targets(definition, False, False):
            if used.root in ("__file__", "open"):
                return True
            for target in targets:
                if isinstance(target, str):
                    if target.startswith(_READING):
                        return True
                elif isinstance(target, Definition) and self._paths.of_constant(target) is not None:
                    return True
        return False

    def _only_names_a_folder(self, definition: Definition) -> bool:
        """Whether it is a constant that names a folder: it reads nothing, what uses it does."""
        if _constant(definition) is None:
            return False
        if len(definition.module.bound[definition.names[0]]) > 1:
            return False
        place = self._paths.of_constant(definition)
        return place is not None and place.is_dir()

    def _only_looks_at_the_name(self, node: ast.AST, module: Module) -> bool:
        return (
            isinstance(node, ast.Attribute)
            and node.attr in ("name", "stem", "suffix")
            and self._paths.of(node.value, module) is not None
        )


class _Paths:
    """Tells the path that an expression stands for; None where that cannot be told."""

    def __init__(self, repository: Repository):
        self.repository = repository
        self.looking: set[Definition] = set()  # constants may be defined in a circle

    def of(self, node: ast.expr, module: Module) -> Path | None:
        if isinstance(node, ast.Name) and node.id == "__file__":
            return module.path
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
            return self._joined(node.left, [node.right], module)
        if isinstance(node, ast.Attribute) and node.attr == "parent":
            return self._parent(node.value, module)
        if isinstance(node, ast.Subscript) and getattr(node.value, "attr", None) == "parents":
            return self._one_of_parents(node, module)
        if isinstance(node, (ast.Name, ast.Attribute)):
            return self._of_name(node, module)
        return self._of_call(node, module) if isinstance(node, ast.Call) else None

    def of_constant(self, definition: Definition) -> Path | None:
        """The path that a statement binds its one name to."""
        value = _constant(definition)
        if value is None or definition in self.looking:
            return None
        self.looking.add(definition)
        place = self.of(value, definition.module)
        self.looking.discard(definition)
        return place

    def is_of_unknown_package(self, node: ast.AST, module: Module) -> bool:
        """Whether it is ``files(package)`` of a package that is chosen as the program runs."""
        return (
            isinstance(node, ast.Call)
            and self._library(node.func, module) in _RESOURCES
            and self._anchor(node, module) is None
        )

    def _parent(self, node: ast.expr, module: Module) -> Path | None:
        place = self.of(node, module)
        return place.parent if place else None

    def _one_of_parents(self, node: ast.Subscript, module: Module) -> Path | None:
        place = self.of(node.value.value, module)
        step = getattr(node.slice, "value", None)
        if place is None:
            return None
        if not isinstance(step, int) or not 0 <= step < len(place.parents):
            return self.repository.root
        return place.parents[step]

    def _of_name(self, node: ast.Name | ast.Attribute, module: Module) -> Path | None:
        targets = self.repository.resolve_expression(module, node)
        target = targets[0] if len(targets) == 1 else None
        if not isinstance(target, Definition):
            return None
        if isinstance(node, ast.Attribute) and node.attr not in target.names:
            return None  # an attribute of the constant
        return self.of_constant(target)

    def _joined(self, left: ast.expr, rest: list[ast.expr], module: Module) -> Path | None:
        place = self.of(left, module)
        for text in map(text_of, rest):
            if place is None or text is None:
                return None
            place = place / text
        return place

    def _of_call(self, node: ast.Call, module: Module) -> Path | None:
        library = self._library(node.func, module)
        if library in _RESOURCES:
            return self._resource(node, module)
        if node.args and library in _OPENERS:
            return self._opened(node, library, module)
        if node.args and library in _SAME_PLACE:
            return self.of(node.args[0], module)
        if node.args and library == "os.path.dirname":
            return self._parent(node.args[0], module)
        if node.args and library == "os.path.join":
            return self._joined(node.args[0], node.args[1:], module)
        return self._of_method(node, module) if isinstance(node.func, ast.Attribute) else None

    def _opened(self, node: ast.Call, library: str, module: Module) -> Path | None:
        first, *rest = node.args
        if rest and library.startswith("pathlib"):
            return self._joined(first, rest, module)
        text = text_of(first)
        return self.of(first, module) if text is None else self.repository.root / text

    def _resource(self, node: ast.Call, module: Module) -> Path | None:
        place = self._anchor(node, module)
        name = text_of(node.args[1]) if len(node.args) > 1 else None
        return place if place is None or name is None else place / name

    def _of_method(self, node: ast.Call, module: Module) -> Path | None:
        method, value = node.func.attr, node.func.value
        if method == "joinpath":
            return self._joined(value, node.args, module)
        if method in ("resolve", "absolute", "open", "read_text", "read_bytes"):
            return self.of(value, module)
        if method in ("with_name", "with_stem", "with_suffix"):
            place = self.of(value, module)
            text = text_of(node.args[0]) if node.args else None
            if place is None:
                return None
            return place.parent if text is None else getattr(place, method)(text)
        return None

    def _library(self, function: ast.expr, module: Module) -> str:
        """Dotted name of a function of a library, or of a builtin; empty if it is none."""
        targets = self.repository.resolve_expression(module, function)
        if not targets and isinstance(function, ast.Name) and function.id in BUILTINS:
            return f"builtins.{function.id}"
        return targets[0] if len(targets) == 1 and isinstance(targets[0], str) else ""

    def _anchor(self, call: ast.Call, module: Module) -> Path | None:
        """Folder of the package that a function of ``importlib.resources`` is given."""
        if not call.args:
            return None if call.keywords else module.path.parent
        first = call.args[0]
        text = text_of(first)
        if text is not None:
            return self.repository.root.joinpath(*text.split("."))
        if getattr(first, "id", None) in ("__package__", "__name__"):
            return module.path.parent
        for target in self.repository.resolve_expression(module, first):
            if isinstance(target, Module):
                return target.path.parent
            if isinstance(target, str):
                return self.repository.root.joinpath(*target.split("."))
        return None


def _constant(definition: Definition) -> ast.expr | None:
    """The value of a statement that binds one name; None for other statements."""
    if isinstance(definition.node, (ast.Assign, ast.AnnAssign)) and len(definition.names) == 1:
        return definition.node.value
    return None


def _only_compares(node: ast.AST) -> bool:
    """Whether it is ``path.relative_to(folder)``: it reads nothing below the folder."""
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in ("relative_to", "is_relative_to")
    )
