"""The files of a repository, and what the names in them stand for."""

import ast
import os
from pathlib import Path

from workflow_scripts.codehash.definitions import (
    BUILTINS,
    Definition,
    Imported,
    Meaning,
    Module,
    Used,
    attribute_chain,
    meaning_of,
    read_module,
)

# Folders that hold no part of the program.
_APART = {"results", "runs", "node_modules", "__pycache__", "build", "dist"}

Target = Definition | Module | str  # a definition, a whole module, or a name from elsewhere
_Seen = frozenset[tuple[str, str]]  # modules and names that are being looked for


class Repository:
    """The Python files below a folder; each is read once.

    Parameters
    ----------
    root : the folder; dotted names of modules start here.
    """

    def __init__(self, root: Path):
        self.root = Path(root).resolve()
        self._modules: dict[str, Module | None] = {}
        self._meanings: dict[tuple[Definition, bool, bool], Meaning] = {}
        self._targets: dict[tuple[Definition, bool], list[tuple[Used, list[Target]]]] = {}
        self._packages: dict[str, bool] = {}
        self._below: dict[Path, list[Path]] = {}

    # Files

    def module(self, name: str) -> Module | None:
        """The module or package of a dotted name; None if it is not of this repository."""
        if name not in self._modules:
            place = self.root.joinpath(*name.split(".")) if name else self.root
            files = [place / "__init__.py", place.with_name(place.name + ".py")] if name else []
            found = next((path for path in files if path.is_file()), None)
            self._modules[name] = read_module(found, name) if found else None
        return self._modules[name]

    def script(self, path: str) -> Module:
        """A script, by its path relative to the root.

        Raises
        ------
        FileNotFoundError : if it is not there.
        """
        file = self.root / path
        if not file.is_file():
            raise FileNotFoundError(file)
        name = path.removesuffix(".py").replace("/", ".")
        module = self.module(name)
        if module is None or module.path != file:  # a folder's name may hold a dot
            module = self._modules[name] = read_module(file, name)
        return module

    def is_package(self, name: str) -> bool:
        """Whether a dotted name is a folder without ``__init__.py``."""
        if name not in self._packages:
            place = self.root.joinpath(*name.split("."))
            self._packages[name] = self.module(name) is None and place.is_dir()
        return self._packages[name]

    def below(self, folder: Path) -> list[Path]:
        """Files of the program below a folder, sorted."""
        if folder not in self._below:
            found: list[Path] = []
            for top, folders, files in os.walk(folder):
                if "pyvenv.cfg" in files:
                    folders.clear()
                    continue
                folders[:] = [f for f in folders if f not in _APART and not f.startswith(".")]
                found += [Path(top, file) for file in files if not file.startswith(".")]
            self._below[folder] = sorted(found)
        return self._below[folder]

    def holds(self, path: Path) -> bool:
        """Whether a path is in the repository, and not in a folder of results."""
        if not path.is_relative_to(self.root):
            return False
        parts = path.relative_to(self.root).parts
        return not parts or (parts[0] not in _APART and not parts[0].startswith("."))

    def relative(self, path: Path) -> str:
        return path.relative_to(self.root).as_posix()

    # Names

    def meaning(self, definition: Definition, docstrings: bool, annotations: bool) -> Meaning:
        key = definition, docstrings, annotations
        if key not in self._meanings:
            self._meanings[key] = meaning_of(definition, docstrings, annotations)
        return self._meanings[key]

    def targets(
        self, definition: Definition, docstrings: bool, annotations: bool
    ) -> list[tuple[Used, list[Target]]]:
        """What each name that a definition uses stands for."""
        key = definition, annotations  # a docstring uses no names
        if key not in self._targets:
            used = self.meaning(definition, docstrings, annotations).used
            self._targets[key] = [(name, self.resolve(definition.module, name)) for name in used]
        return self._targets[key]

    def resolve(self, module: Module, used: Used) -> list[Target]:
        """What a name stands for; empty for a builtin or a name that nothing binds."""
        if used.imported is not None:
            return self._imported(used.imported, used.attributes, frozenset())
        return self._named(module, used.root, used.attributes, frozenset())

    def resolve_expression(self, module: Module, node: ast.expr) -> list[Target]:
        """What ``name.attribute.attribute`` stands for; empty for other expressions."""
        root, attributes = attribute_chain(node)
        if not isinstance(root, ast.Name):
            return []
        return self.resolve(module, Used(root.id, attributes))

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
            other = self.module(star.module)
            if other is not None:
                starred = self._named(other, name, attributes, seen)
                if starred and name != "__all__":  # which decides whether it is this one
                    starred += self._named(other, "__all__", (), seen)
            elif not found and name not in BUILTINS:
                starred = [".".join((star.module, name, *attributes))]
            else:
                continue
            if starred and star.around is not None:
                starred.append(star.around)
            # The last one to bind a name comes last.
            later = star.line > module.last_line.get(name, 0)
            found = found + starred if later else starred + found
        return found

    def _imported(
        self, imported: Imported, attributes: tuple[str, ...], seen: _Seen
    ) -> list[Target]:
        first = (imported.attribute,) if imported.attribute else ()
        return self._attribute_of(imported.module, first + attributes, seen)

    def _attribute_of(self, name: str, attributes: tuple[str, ...], seen: _Seen) -> list[Target]:
        """What ``module.attribute.attribute`` stands for."""
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
        if self.module(below) is not None or self.is_package(below):
            found += self._attribute_of(below, tuple(rest), seen)
        if found:
            return found
        # Something that the module makes when it runs, such as a name set by setattr.
        return [module] if module else [".".join((name, *attributes))]
