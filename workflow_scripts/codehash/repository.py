"""The modules of a repository, and what the names in them refer to."""

import ast
from pathlib import Path

from workflow_scripts.codehash.definitions import (
    BUILTINS,
    FUNCTIONS,
    Definition,
    Imported,
    Meaning,
    Module,
    Used,
    attribute_chain,
    meaning_of,
    read_module,
    values_of,
    words,
)
from workflow_scripts.codehash.files import Files

# Libraries that do not look at the annotations or docstring of a function that they are given.
_DO_NOT_LOOK = words(
    "ast asyncio atexit bisect builtins collections concurrent contextlib contextvars copy "
    "dataclasses functools heapq itertools logging matplotlib multiprocessing numpy operator os "
    "pandas re scipy signal sys threading torch types typing warnings weakref"
)
Target = Definition | Module | str  # a definition, a whole module, or a name from elsewhere
_Seen = frozenset[tuple[str, str]]  # modules and names that are being looked for


class Repository:
    """The Python modules below a folder, where dotted names start; each is read once."""

    def __init__(self, root: Path):
        self.files = Files(root)
        self.root = self.files.root
        self._modules: dict[str, Module | None] = {}
        self._paths: dict[str, Path | None] = {}
        self._packages: dict[str, bool] = {}
        self._meanings: dict[tuple[Definition, bool], Meaning] = {}
        self._targets: dict[tuple[Definition, bool], list[tuple[Used, list[Target]]]] = {}

    # Modules

    def module(self, name: str) -> Module | None:
        """The module or package of a dotted name; None if it is not of this repository."""
        if name not in self._modules:
            path = self.path_of(name)
            self._modules[name] = self._read(path, name) if path else None
        return self._modules[name]

    def path_of(self, name: str) -> Path | None:
        """The file of a module or package; None if it is not of this repository."""
        if name not in self._paths:
            parts = name.split(".")
            place = self.root.joinpath(*parts)
            candidates = [place / "__init__.py", place.parent / f"{parts[-1]}.py"]
            found = [path for path in candidates if self.files.is_file(path)]
            self._paths[name] = found[0] if found and all(map(str.isidentifier, parts)) else None
        return self._paths[name]

    def script(self, path: str) -> Module:
        """A script, by its path relative to the root; see ``DependencyGraph.of``."""
        file = self.root / path
        if not self.files.is_file(file):
            raise FileNotFoundError(file)
        name = path.removesuffix(".py").replace("/", ".")
        module = self.module(name)
        if module is None or module.path != file:  # a folder's name may have a dot
            module = self._modules[name] = self._read(file, name)
        if module.broken:
            raise module.broken
        return module

    def is_package(self, name: str) -> bool:
        """Whether a dotted name is a folder without ``__init__.py``."""
        if name not in self._packages:
            place = self.root.joinpath(*name.split("."))
            self._packages[name] = self.path_of(name) is None and self.files.is_dir(place)
        return self._packages[name]

    def _read(self, path: Path, name: str) -> Module:
        try:
            return read_module(path, name, self.files.read(path))
        except SyntaxError as error:
            return Module(path, name, broken=error)

    # Names

    def meaning(self, definition: Definition, everything: bool) -> Meaning:
        """What a definition means, see ``meaning_of``."""
        key = definition, everything
        if key not in self._meanings:
            self._meanings[key] = meaning_of(definition, everything)
        return self._meanings[key]

    def targets(self, definition: Definition, everything: bool) -> list[tuple[Used, list[Target]]]:
        """What each name that a definition uses refers to."""
        key = definition, everything
        if key not in self._targets:
            used = self.meaning(definition, everything).used
            self._targets[key] = [(name, self.resolve(definition.module, name)) for name in used]
        return self._targets[key]

    def hands_over(self, definition: Definition) -> bool:
        """Whether it gives a function or class to a library that may look at its annotations."""
        for call in self.meaning(definition, False).calls:
            function = self.resolve_in(definition, call.func)
            libraries = {t.partition(".")[0] for t in function if isinstance(t, str)}
            if len(function) == 1 and libraries - _DO_NOT_LOOK:
                given = (self.resolve_in(definition, value) for value in values_of(call))
                nodes = (getattr(target, "node", None) for targets in given for target in targets)
                if any(isinstance(node, (*FUNCTIONS, ast.ClassDef)) for node in nodes):
                    return True
        return False

    def resolve_in(self, where: Module | Definition, node: ast.AST) -> list[Target]:
        """What ``name.attribute`` refers to; a definition may itself import the name."""
        root, attributes = attribute_chain(node)
        if not isinstance(root, ast.Name):
            return []
        own = isinstance(where, Definition)
        imports = self.meaning(where, False).imports.get(root.id, ()) if own else ()
        used = [Used(root.id, attributes, i) for i in imports] or [Used(root.id, attributes)]
        module = where.module if own else where
        return [target for use in used for target in self.resolve(module, use)]

    def resolve(self, module: Module, used: Used) -> list[Target]:
        """What a name refers to; empty for a builtin or a name that nothing binds."""
        if used.imported is not None:
            return self._imported(used.imported, used.attributes, frozenset())
        return self._named(module, used.root, used.attributes, frozenset())

    def library(self, where: Module | Definition, node: ast.AST) -> str:
        """Dotted name of what ``name.attribute`` refers to in a library or among the builtins."""
        root, attributes = attribute_chain(node)
        if not isinstance(root, ast.Name):
            return ""
        targets = self.resolve_in(where, node)
        if not targets and root.id in BUILTINS:
            return ".".join(("builtins", root.id, *attributes))  # such as dict.fromkeys
        return targets[0] if len(targets) == 1 and isinstance(targets[0], str) else ""

    def _named(
        self, module: Module, name: str, attributes: tuple[str, ...], seen: _Seen
    ) -> list[Target]:
        if (module.name, name) in seen:  # modules that star-import each other
            return []
        seen |= {(module.name, name)}
        found: list[Target] = []
        for bound in module.bound.get(name, []):
            if isinstance(bound, Imported):
                found += self._imported(bound, attributes, seen)
            else:
                found.append(bound)
        for star in module.stars:
            other = self.module(star)
            if other is not None:
                found += self._named(other, name, attributes, seen)
            elif not found and name not in BUILTINS:
                found.append(".".join((star, name, *attributes)))
        return found

    def _imported(
        self, imported: Imported, attributes: tuple[str, ...], seen: _Seen
    ) -> list[Target]:
        first = (imported.attribute,) if imported.attribute else ()
        return self._attribute_of(imported.module, first + attributes, seen)

    def _attribute_of(self, name: str, attributes: tuple[str, ...], seen: _Seen) -> list[Target]:
        """What ``module.attribute.attribute`` refers to."""
        module = self.module(name)
        if module is None and not self.is_package(name):
            return [".".join((name, *attributes))]
        if not attributes:
            return [module] if module else [name]
        first, *rest = attributes
        below = f"{name}.{first}"
        found: list[Target] = []
        if module is not None:
            found = self._named(module, first, tuple(rest), seen)
            # A function may have the name of the module that it comes from. Otherwise importing
            # a module below rebinds the name.
            if any(
                isinstance(b, Imported) and b.module == below for b in module.bound.get(first, ())
            ):
                return found
        if self.path_of(below) is not None or self.is_package(below):
            found += self._attribute_of(below, tuple(rest), seen)
        if found:
            return found
        # Something that the module makes when it runs, such as a name set by setattr.
        return [module] if module else [".".join((name, *attributes))]
