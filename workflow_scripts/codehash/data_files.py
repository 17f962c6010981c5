"""Which data files of the repository a definition reads."""

import ast
import os
from collections.abc import Iterator
from pathlib import Path

from workflow_scripts.codehash.definitions import (
    Definition,
    Module,
    text_of,
    words,
)
from workflow_scripts.codehash.repository import Repository

_RESOURCES = words(
    "importlib.resources.contents importlib.resources.files importlib.resources.is_resource "
    "importlib.resources.open_binary importlib.resources.open_text importlib.resources.path "
    "importlib.resources.read_binary importlib.resources.read_text pkgutil.get_data"
)
_SAME_PLACE = words("builtins.str os.fspath os.path.abspath os.path.realpath os.path.normpath")
_OPENERS = words("pathlib.Path pathlib.PurePath builtins.open io.open")
_READING = ("pathlib.", "importlib.resources.", "pkgutil.get_data", "importlib.util.find_spec")
# With these, files are found in ways that are not followed: any of them may be read.
_ANYWHERE = words(
    "inspect.getfile inspect.getsourcefile inspect.getabsfile inspect.getmodule sys.path "
    "importlib.machinery.PathFinder pkgutil.get_loader pkgutil.find_loader"
)
_PLACES = words("__file__ __path__ __spec__ __loader__ __cached__ getsourcefile getabsfile")
_CLIMBING = words("parent parents dirname pardir")


class DataFiles:
    """Finds the files of a repository that definitions read, other than by importing them."""

    def __init__(self, repository: Repository):
        self.repository, self.files = repository, repository.files
        self._paths = _Paths(repository)
        self._read: dict[Definition, list[tuple[Path, str]]] = {}
        self.leaking: set[Definition] = set()  # definitions of which only a folder is known

    def read_by(self, definition: Definition) -> list[tuple[Path, str]]:
        """Files, sorted, each with the reason if only their folder is known."""
        if definition not in self._read:
            self._read[definition] = sorted(self._look(definition).items())
        return self._read[definition]

    def named_by(self, texts: list[str]) -> Iterator[Path]:
        """Files whose paths, relative to the root, are among these constants."""
        for text in texts:
            if "/" not in text or "\0" in text:
                continue
            path = Path(os.path.normpath(self.repository.root / text))
            if not self.files.holds(path) or path == self.repository.root:
                continue
            if self.files.is_file(path):
                yield path
            elif text.endswith("/") and self.files.is_dir(path):  # the start of a path
                yield from (p for p in self.files.below(path) if p.suffix != ".py")

    def anywhere(self) -> list[Path]:
        """All data files of the repository."""
        return [path for path in self.files.below(self.repository.root) if path.suffix != ".py"]

    def climbs(self, definition: Definition) -> bool:
        """Whether a definition goes from a path that is not known here to the folder above it."""
        if not self.repository.meaning(definition, False).mentions & _CLIMBING:
            return False
        return any(
            getattr(part, "attr", getattr(part, "id", "")) in _CLIMBING
            for part in self._unresolved(definition)
        )

    def _look(self, definition: Definition) -> dict[Path, str]:
        found: dict[Path, str] = {}
        if not self._may_read(definition) or self._only_names_a_folder(definition):
            return found
        scope = definition
        for part in self._unresolved(definition, found):
            library = self._paths.library(scope, part) if _is_name(part) else ""
            name = getattr(part, "id", getattr(part, "attr", text_of(part)))
            if (
                library in _ANYWHERE
                or library.startswith("sys.path.")
                or name in _PLACES
                or self._paths.is_of_unknown_package(part, scope)
            ):
                self._add(self.repository.root, found)
            elif library == "importlib.util.find_spec":
                for path in self._in_packages():
                    found.setdefault(path, "a file of any package may be read")
        return found

    def _in_packages(self) -> list[Path]:
        """Data files of the packages at the top that have an ``__init__.py``."""
        paths, root = self.anywhere(), self.repository.root
        packages = {path.parent for path in self.files.below(root) if path.name == "__init__.py"}
        return [
            p for p in paths if p.parent != root and p.parents[-len(root.parts) - 1] in packages
        ]

    def _unresolved(
        self, definition: Definition, found: dict[Path, str] | None = None
    ) -> Iterator[ast.AST]:
        """Parts of a definition that are no path that is known here; those that are go to ``found``."""
        scope = definition
        todo: list[ast.AST] = list(ast.iter_child_nodes(definition.node))
        while todo:
            part = todo.pop()
            place = self._paths.of(part, scope) if isinstance(part, ast.expr) else None
            if place is not None:
                place = Path(os.path.normpath(place))
                if place == scope.module.path or self.files.is_dir(place):
                    self.leaking.add(scope)
                if found is not None:
                    self._add(place, found)
            elif _only_compares(part):
                todo.append(part.func)
            elif not self._only_looks_at_the_name(part, scope):
                yield part
                todo += ast.iter_child_nodes(part)

    def _add(self, place: Path, found: dict[Path, str]) -> None:
        """Count a file; of a folder all that is below it, since any of it may be read."""
        if not self.files.holds(place):
            return
        if self.files.is_file(place):
            found[place] = ""
        folder = place
        if place.suffix == ".py" or not (self.files.is_file(place) or self.files.is_dir(place)):
            # The file of the code itself, where no more is known; or the start of a name.
            folder = place.parent
            if folder == self.repository.root:
                return
        if not self.files.is_dir(folder) or not self.files.holds(folder):
            return
        for path in self.files.below(folder):
            if path.suffix != ".py":
                reason = f"a file below {self.repository.files.relative(folder)} is read"
                found.setdefault(path, reason)

    def _may_read(self, definition: Definition) -> bool:
        """Whether it uses anything that a path could come from; most definitions do not."""
        mentions = self.repository.meaning(definition, False).mentions
        if mentions & _PLACES or "open" in mentions:
            return True
        for _, targets in self.repository.targets(definition, False):
            for target in targets:
                if isinstance(target, str):
                    if target.startswith((*_READING, "sys.path")) or target in _ANYWHERE:
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
        return place is not None and self.files.is_dir(place)

    def _only_looks_at_the_name(self, node: ast.AST, scope: Definition) -> bool:
        return (
            isinstance(node, ast.Attribute)
            and node.attr in ("name", "stem", "suffix")
            and self._paths.of(node.value, scope) is not None
        )


class _Paths:
    """Finds the path that an expression stands for; None where it is not known."""

    def __init__(self, repository: Repository):
        self.repository = repository
        self.looking: set[Definition] = set()  # constants may be defined in a circle

    def of(self, node: ast.expr, scope: Definition) -> Path | None:
        if isinstance(node, ast.Name) and node.id == "__file__":
            return scope.module.path
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
            return self._joined(node.left, [node.right], scope)
        if isinstance(node, ast.Attribute) and node.attr == "parent":
            return self._parent(node.value, scope)
        if isinstance(node, ast.Attribute) and node.attr == "__file__":
            other = self._module(node.value, scope)
            return other.path if other else None
        if isinstance(node, ast.Subscript):
            return self._of_index(node, scope)
        if isinstance(node, (ast.Name, ast.Attribute)):
            return self._of_name(node, scope)
        return self._of_call(node, scope) if isinstance(node, ast.Call) else None

    def of_constant(self, definition: Definition) -> Path | None:
        """The path that a statement binds its one name to."""
        value = _constant(definition)
        if value is None or definition in self.looking:
            return None
        self.looking.add(definition)
        place = self.of(value, definition)
        self.looking.discard(definition)
        return place

    def is_of_unknown_package(self, node: ast.AST, scope: Definition) -> bool:
        """Whether it is ``files(package)`` of a package that is chosen as the program runs."""
        return (
            isinstance(node, ast.Call)
            and self.library(scope, node.func) in _RESOURCES
            and self._anchor(node, scope) is None
        )

    def library(self, scope: Definition, node: ast.AST) -> str:
        """Dotted name of what a name in a definition refers to in a library or the builtins."""
        targets = self.repository.resolve_in(scope, node)
        if len(targets) == 1 and isinstance(targets[0], str):
            return targets[0]
        return "" if targets else self.repository.library(scope.module, node)

    def _module(self, node: ast.expr, scope: Definition) -> Module | None:
        targets = self.repository.resolve_in(scope, node)
        return targets[0] if len(targets) == 1 and isinstance(targets[0], Module) else None

    def _parent(self, node: ast.expr, scope: Definition) -> Path | None:
        place = self.of(node, scope)
        return place.parent if place else None

    def _of_index(self, node: ast.Subscript, scope: Definition) -> Path | None:
        """Of ``path.parents[1]`` or ``package.__path__[0]``."""
        below = node.value
        step = getattr(node.slice, "value", None)
        if isinstance(below, ast.Attribute) and below.attr == "__path__" and step == 0:
            other = self._module(below.value, scope)
            return other.path.parent if other else None
        place = self.of(below.value, scope) if getattr(below, "attr", "") == "parents" else None
        if place is None:
            return None
        if not isinstance(step, int) or not 0 <= step < len(place.parents):
            return self.repository.root
        return place.parents[step]

    def _of_name(self, node: ast.Name | ast.Attribute, scope: Definition) -> Path | None:
        targets = self.repository.resolve_in(scope, node)
        target = targets[0] if len(targets) == 1 else None
        if not isinstance(target, Definition):
            return None
        if isinstance(node, ast.Attribute) and node.attr not in target.names:
            return None  # an attribute of the constant
        return self.of_constant(target)

    def _joined(self, left: ast.expr, rest: list[ast.expr], scope: Definition) -> Path | None:
        place = self.of(left, scope)
        for text in map(text_of, rest):
            if place is None or text is None:
                return None
            place = place / text
        return place

    def _of_call(self, node: ast.Call, scope: Definition) -> Path | None:
        library = self.library(scope, node.func)
        if library in _RESOURCES:
            place = self._anchor(node, scope)
            name = text_of(node.args[1]) if len(node.args) > 1 else None
            return place if place is None or name is None else place / name
        if node.args and library in _OPENERS:
            first, *rest = node.args
            if rest and library.startswith("pathlib"):
                return self._joined(first, rest, scope)
            text = text_of(first)
            return self.of(first, scope) if text is None else self.repository.root / text
        if node.args and library in _SAME_PLACE:
            return self.of(node.args[0], scope)
        if node.args and library == "os.path.dirname":
            return self._parent(node.args[0], scope)
        if node.args and library == "os.path.join":
            return self._joined(node.args[0], node.args[1:], scope)
        return self._of_method(node, scope) if isinstance(node.func, ast.Attribute) else None

    def _of_method(self, node: ast.Call, scope: Definition) -> Path | None:
        method, value = node.func.attr, node.func.value
        if method == "joinpath":
            return self._joined(value, node.args, scope)
        if method in ("resolve", "absolute", "open", "read_text", "read_bytes"):
            return self.of(value, scope)
        if method in ("with_name", "with_stem", "with_suffix"):
            place = self.of(value, scope)
            text = text_of(node.args[0]) if node.args else None
            if place is None:
                return None
            return place.parent if text is None else getattr(place, method)(text)
        return None

    def _anchor(self, call: ast.Call, scope: Definition) -> Path | None:
        """Folder of the package that a function of ``importlib.resources`` is given."""
        if not call.args:
            return None if call.keywords else scope.module.path.parent
        first = call.args[0]
        text = text_of(first)
        if text is not None:
            return self.repository.root.joinpath(*text.split("."))
        if getattr(first, "id", None) in ("__package__", "__name__"):
            return scope.module.path.parent
        for target in self.repository.resolve_in(scope, first):
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


def _is_name(node: ast.AST) -> bool:
    return isinstance(node, (ast.Name, ast.Attribute))


def _only_compares(node: ast.AST) -> bool:
    """Whether it is ``path.relative_to(folder)``: it reads nothing below the folder."""
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in ("relative_to", "is_relative_to")
    )
