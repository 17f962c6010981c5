"""Which data files of the repository a definition reads."""

import ast
import os
import re
from collections.abc import Iterator
from pathlib import Path

from workflow_scripts.codehash.definitions import Definition, Module, text_of, words
from workflow_scripts.codehash.repository import Repository

_RESOURCES = ("importlib.resources.", "pkgutil.get_data")
_SAME_PLACE = words(
    "pathlib.Path pathlib.PurePath builtins.open io.open builtins.str os.fspath os.path.abspath "
    "os.path.realpath os.path.normpath absolute joinpath open read_bytes read_text resolve"
)
# With these, files are found in ways that are not followed: any of them may be read.
_ANYWHERE = (
    *("inspect.getfile", "inspect.getsourcefile", "inspect.getabsfile", "inspect.getmodule"),
    *("sys.path", "importlib.machinery.PathFinder", "pkgutil.get_loader", "pkgutil.find_loader"),
)
_PLACES = words("__file__ __path__ __spec__ __loader__ __cached__ getsourcefile getabsfile")
_FIND_SPEC = "importlib.util.find_spec"
_READING = ("pathlib.", *_RESOURCES, *_ANYWHERE, _FIND_SPEC)
_CLIMBING = words("parent parents dirname pardir")


class DataFiles:
    """Finds the files of a repository that definitions read, other than by importing them."""

    def __init__(self, repository: Repository):
        self.repository, self.files, self.root = repository, repository.files, repository.root
        self.leaking: set[Definition] = set()  # definitions of which only a folder is known
        self._read: dict[Definition, list[tuple[Path, str]]] = {}
        self._looking: set[Definition] = set()  # constants may be defined in a circle

    def read_by(self, definition: Definition) -> list[tuple[Path, str]]:
        """Files, sorted, each with the reason if only their folder is known."""
        if definition not in self._read:
            self._read[definition] = sorted(self._look(definition).items())
        return self._read[definition]

    def named_by(self, texts: list[str]) -> Iterator[Path]:
        """Files whose paths, relative to the root, are among these constants."""
        for text in (re.sub(r"[^/]*[*?{%].*", "", text) for text in texts):  # a pattern's start
            path = Path(os.path.normpath(self.root / text))
            if "/" not in text or path == self.root or not self.files.holds(path):
                continue
            if self.files.is_file(path):
                yield path
            elif text.endswith("/") and self.files.is_dir(path):  # the start of a path
                yield from (p for p in self.files.below(path) if p.suffix != ".py")

    def anywhere(self) -> list[Path]:
        """All data files of the repository."""
        return [path for path in self.files.below(self.root) if path.suffix != ".py"]

    def climbs(self, definition: Definition) -> bool:
        """Whether a definition goes from a path that is not known here to the folder above it."""
        if not self.repository.meaning(definition, False).mentions & _CLIMBING:
            return False
        names = (getattr(p, "attr", getattr(p, "id", "")) for p in self._unresolved(definition, {}))
        return any(name in _CLIMBING for name in names)

    def _look(self, scope: Definition) -> dict[Path, str]:
        found: dict[Path, str] = {}
        if not self._may_read(scope) or self._only_names_a_folder(scope):
            return found
        for part in self._unresolved(scope, found):
            library = self.repository.library(scope, part)
            name = getattr(part, "id", getattr(part, "attr", text_of(part)))
            if library.startswith((*_ANYWHERE, *_RESOURCES)) or name in _PLACES:
                self._add(self.root, found)
            elif library == _FIND_SPEC:
                packages = {p.parent for p in self.files.below(self.root) if p.stem == "__init__"}
                for path in self.anywhere():
                    if not packages.isdisjoint(path.parents):
                        found.setdefault(path, "a file of any package may be read")
        return found

    def _unresolved(self, scope: Definition, found: dict[Path, str]) -> Iterator[ast.AST]:
        """Parts of a definition that are no known path; files of known ones go to ``found``."""
        todo: list[ast.AST] = list(ast.iter_child_nodes(scope.node))
        while todo:
            part = todo.pop()
            place = self._path(part, scope) if isinstance(part, ast.expr) else None
            if place is None:
                yield part
                todo += ast.iter_child_nodes(part)
                continue
            place = Path(os.path.normpath(place))
            if place == scope.module.path or self.files.is_dir(place):
                self.leaking.add(scope)
            self._add(place, found)

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
            if folder == self.root:
                return
        if self.files.is_dir(folder) and self.files.holds(folder):
            reason = f"a file below {self.files.relative(folder)} is read"
            for path in self.files.below(folder):
                if path.suffix != ".py":
                    found.setdefault(path, reason)

    def _may_read(self, scope: Definition) -> bool:
        """Whether it uses anything that a path could come from; most definitions do not."""
        mentions = self.repository.meaning(scope, False).mentions
        if mentions & _PLACES or "open" in mentions:
            return True
        for _, targets in self.repository.targets(scope, False):
            for target in targets:
                if isinstance(target, str):
                    if target.startswith(_READING):
                        return True
                elif isinstance(target, Definition) and self._of_constant(target) is not None:
                    return True
        return False

    def _only_names_a_folder(self, scope: Definition) -> bool:
        """Whether it is a constant that names a folder: it reads nothing, what uses it does."""
        place = self._of_constant(scope)
        once = all(len(scope.module.bound[name]) == 1 for name in scope.names)
        return place is not None and once and self.files.is_dir(place)

    # The path that an expression stands for; None where it is not known

    def _path(self, node: ast.AST, scope: Definition) -> Path | None:
        if isinstance(node, ast.Name) and node.id == "__file__":
            return scope.module.path
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
            return self._joined(node.left, [node.right], scope)
        if isinstance(node, ast.Subscript):
            return self._of_index(node, scope)
        if isinstance(node, ast.Attribute) and node.attr == "parent":
            place = self._path(node.value, scope)
            return place.parent if place else None
        if isinstance(node, ast.Attribute) and node.attr == "__file__":
            return self._of_module(node.value, scope)
        if isinstance(node, (ast.Name, ast.Attribute)):
            targets = self.repository.resolve_in(scope, node)
            target = targets[0] if len(targets) == 1 else None
            own = isinstance(node, ast.Name) or node.attr in getattr(target, "names", ())
            return self._of_constant(target) if own and isinstance(target, Definition) else None
        return self._of_call(node, scope) if isinstance(node, ast.Call) else None

    def _of_constant(self, scope: Definition) -> Path | None:
        """The path that a statement binds its one name to."""
        node = scope.node
        if not isinstance(node, (ast.Assign, ast.AnnAssign)) or len(scope.names) != 1:
            return None
        if scope in self._looking or node.value is None:
            return None
        self._looking.add(scope)
        place = self._path(node.value, scope)
        self._looking.discard(scope)
        return place

    def _of_module(self, node: ast.expr, scope: Definition) -> Path | None:
        targets = self.repository.resolve_in(scope, node)
        known = len(targets) == 1 and isinstance(targets[0], Module)
        return targets[0].path if known else None

    def _of_index(self, node: ast.Subscript, scope: Definition) -> Path | None:
        """Of ``path.parents[1]`` or ``package.__path__[0]``."""
        below, step = node.value, getattr(node.slice, "value", None)
        if not isinstance(below, ast.Attribute):
            return None
        if below.attr == "__path__" and step == 0:
            place = self._of_module(below.value, scope)
            return place.parent if place else None
        place = self._path(below.value, scope) if below.attr == "parents" else None
        if place is None:
            return None
        known = isinstance(step, int) and 0 <= step < len(place.parents)
        return place.parents[step] if known else self.root

    def _joined(self, left: ast.expr, rest: list[ast.expr], scope: Definition) -> Path | None:
        text = text_of(left)
        place = self._path(left, scope) if text is None else self.root / text
        for text in map(text_of, rest):
            if place is None or text is None:
                return None
            place = place / text
        return place

    def _of_call(self, node: ast.Call, scope: Definition) -> Path | None:
        library = self.repository.library(scope, node.func)
        if library.startswith(_RESOURCES):
            return self._of_package(node, scope)
        method = "" if library or not isinstance(node.func, ast.Attribute) else node.func.attr
        values = [node.func.value, *node.args] if method else node.args
        if not values:
            return None
        if library == "os.path.dirname":
            place = self._path(values[0], scope)
            return place.parent if place else None
        if library == "os.path.join" or method == "joinpath" or library.startswith("pathlib"):
            return self._joined(values[0], values[1:], scope)
        if library in _SAME_PLACE or method in _SAME_PLACE:
            return None if method and text_of(values[0]) else self._joined(values[0], [], scope)
        if method in ("with_name", "with_stem", "with_suffix") and node.args:
            place, text = self._path(values[0], scope), text_of(node.args[0])
            if place is not None:
                return place.parent if text is None else getattr(place, method)(text)
        return None

    def _of_package(self, call: ast.Call, scope: Definition) -> Path | None:
        """Folder of the package that a function of ``importlib.resources`` is given."""
        first = call.args[0] if call.args else None
        if first is None or getattr(first, "id", None) in ("__package__", "__name__"):
            return None if call.keywords else scope.module.path.parent
        if text_of(first) is not None:
            return self.root.joinpath(*text_of(first).split("."))
        for target in self.repository.resolve_in(scope, first):
            if isinstance(target, Module):
                return target.path.parent
            if isinstance(target, str):
                return self.root.joinpath(*target.split("."))
        return None
