"""Which definitions of the repository a script can reach."""

import ast
import hashlib
import os
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from workflow_scripts.common.definitions import (
    BUILTINS,
    Definition,
    Imported,
    Meaning,
    Module,
    Used,
    imported_by,
    meaning_of,
    read_module,
)


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Folders that hold no part of the program.
_APART = {"results", "runs", "node_modules", "__pycache__", "build", "dist"}
# Mentioning these makes annotations, or docstrings, part of what the program does.
_READS_ANNOTATIONS = _words(
    "__annotations__ annotation get_annotations get_type_hints getfullargspec return_annotation "
    "singledispatch singledispatchmethod validate_call"
)
_READS_DOCSTRINGS = {"__doc__", "getdoc"}
# With these any name of the module may be used.
_DYNAMIC = {"eval", "exec", "globals", "locals", "vars"}
# With these a name or path that is only known when the program runs becomes a module.
_IMPORTS_BY_NAME = _words(
    "__import__ import_module importlib.import_module importlib.machinery.SourceFileLoader "
    "importlib.util.spec_from_file_location pkgutil.iter_modules pkgutil.resolve_name "
    "pkgutil.walk_packages pydoc.locate runpy.run_module runpy.run_path"
)

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_CALLABLE = (*_FUNCTIONS, ast.ClassDef)

Target = Definition | Module | str  # a definition, a whole module, or a name from elsewhere


@dataclass(frozen=True)
class Reached:
    """Something that a script's hash covers.

    Parameters
    ----------
    file : relative to the repository.
    name : of the definition, the first words of a statement, or empty for a data file.
    by : file and name of what reaches it first; None for the script's own statements.
    unresolved : why it counts though nothing names it; empty otherwise.
    """

    file: str
    name: str
    by: str | None = None
    unresolved: str = ""

    @property
    def place(self) -> str:
        return f"{self.file}: {self.name}" if self.name else self.file

    def __str__(self) -> str:
        return f"{self.place} ({self.unresolved})" if self.unresolved else self.place


@dataclass(frozen=True)
class Reach:
    """All that a script reaches, in the order of discovery, and its hash.

    Parameters
    ----------
    code : 16 hex digits.
    reached : without duplicates.
    things : what each of them is: a definition, or a data file.
    modules : files of the repository that the script may import, relative, sorted.
    libraries : top-level names of the modules from elsewhere that it uses, sorted.
    """

    code: str
    reached: tuple[Reached, ...]
    things: tuple[Definition | Path, ...]
    modules: tuple[str, ...]
    libraries: tuple[str, ...]

    def sources(self) -> dict[str, str]:
        """Text of each definition, and digest of each data file, by its place."""
        found: dict[str, str] = {}
        for thing, reached in zip(self.things, self.reached, strict=True):
            if isinstance(thing, Path):
                found[reached.place] = "sha256 " + hashlib.sha256(thing.read_bytes()).hexdigest()
            else:  # two statements may share their first words, or bind the same name
                text = found.get(reached.place)
                found[reached.place] = f"{text}\n{thing.source}" if text else thing.source
        return found


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
        self._files: dict[Definition, list[tuple[Path, str]]] = {}
        self._effects: dict[Definition, _Effects] = {}
        self._acts: dict[Definition, bool] = {}
        self._packages: dict[str, bool] = {}
        self._below: dict[Path, list[Path]] = {}
        self._digests: dict[Path, str] = {}
        self._data = _DataFiles(self)

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

    def meaning(self, definition: Definition, docstrings: bool, annotations: bool) -> Meaning:
        key = definition, docstrings, annotations
        if key not in self._meanings:
            self._meanings[key] = meaning_of(definition, docstrings, annotations)
        return self._meanings[key]

    def targets(
        self, definition: Definition, docstrings: bool, annotations: bool
    ) -> list[tuple[Used, list[Target]]]:
        """What each name that a definition uses stands for."""
        key = definition, annotations
        if key not in self._targets:
            used = self.meaning(definition, docstrings, annotations).used
            self._targets[key] = [(name, self.resolve(definition.module, name)) for name in used]
        return self._targets[key]

    def files(self, definition: Definition) -> list[tuple[Path, str]]:
        """Data files that a definition reads, with why they count if nothing names them."""
        if definition not in self._files:
            self._files[definition] = self._data.read_by(definition)
        return self._files[definition]

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

    def digest(self, path: Path) -> str:
        if path not in self._digests:
            self._digests[path] = hashlib.sha256(path.read_bytes()).hexdigest()
        return self._digests[path]

    def relative(self, path: Path) -> str:
        return path.relative_to(self.root).as_posix()

    def is_ours(self, path: Path) -> bool:
        """Whether a path is in the repository, and not in a folder of results."""
        if not path.is_relative_to(self.root):
            return False
        parts = path.relative_to(self.root).parts
        return not parts or (parts[0] not in _APART and not parts[0].startswith("."))

    def is_data(self, path: Path) -> bool:
        return path.is_relative_to(self.root) and path.is_file() and self.is_ours(path)

    def is_package(self, name: str) -> bool:
        """Whether a dotted name is a folder without ``__init__.py``."""
        if name not in self._packages:
            place = self.root.joinpath(*name.split("."))
            self._packages[name] = self.module(name) is None and place.is_dir()
        return self._packages[name]

    # Names

    def resolve(self, module: Module, used: Used) -> list[Target]:
        """What a name stands for; empty for a builtin or a name that nothing binds."""
        if used.imported is not None:
            return self._imported(used.imported, used.attributes)
        return self._named(module, used.root, used.attributes, set())

    def _named(
        self, module: Module, name: str, attributes: tuple[str, ...], seen: set[tuple[str, str]]
    ) -> list[Target]:
        if (module.name, name) in seen:  # modules that star-import each other
            return []
        seen = seen | {(module.name, name)}
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
        self,
        imported: Imported,
        attributes: tuple[str, ...],
        seen: frozenset | set[tuple[str, str]] = frozenset(),
    ) -> list[Target]:
        parts = [imported.attribute] if imported.attribute else []
        return self._attribute_of(imported.module, [*parts, *attributes], set(seen))

    def _attribute_of(
        self, name: str, attributes: list[str], seen: set[tuple[str, str]]
    ) -> list[Target]:
        """What ``module.attribute.attribute`` stands for."""
        module = self.module(name)
        if module is None and not self.is_package(name):
            return [".".join([name, *attributes])]
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
            found += self._attribute_of(below, rest, seen)
        if found:
            return found
        # Something that the module makes when it runs, such as a name set by setattr.
        return [module] if module else [".".join([name, *attributes])]

    def resolve_expression(self, module: Module, node: ast.expr | None) -> list[Target]:
        """What ``name.attribute.attribute`` stands for; empty for other expressions."""
        chain: list[str] = []
        while isinstance(node, ast.Attribute):
            chain.insert(0, node.attr)
            node = node.value
        if not isinstance(node, ast.Name):
            return []
        return self.resolve(module, Used(node.id, tuple(chain)))

    # Statements that act when a module is imported

    def acts(self, definition: Definition) -> bool:
        """Whether a statement may do more than bind its names, when its module is imported."""
        if definition not in self._acts:
            effects = _Effects(self, definition.module)
            self._acts[definition] = effects.statement(definition.node) or any(
                map(self.changes_others, effects.calls)
            )
        return self._acts[definition]

    def changes_others(self, definition: Definition) -> bool:
        """Whether calling a function or class may change what is not its own."""
        seen, todo = {definition}, [definition]
        while todo:
            effects = self._calling(todo.pop())
            if effects.found:
                return True
            todo += [called for called in effects.calls if called not in seen]
            seen.update(effects.calls)
        return False

    def _calling(self, definition: Definition) -> "_Effects":
        if definition not in self._effects:
            effects = _Effects(self, definition.module)
            effects.found = effects.body(definition.node)
            self._effects[definition] = effects
        return self._effects[definition]


# Calls that change nothing, by the beginning of their dotted names.
_PURE = _words(
    "abc collections contextlib copy dataclasses datetime decimal enum fractions functools "
    "itertools logging.getLogger math operator os.environ.get os.fspath os.getenv os.path pathlib "
    "pydantic re string textwrap types typing typing_extensions numpy importlib.resources.files "
    "importlib.util.find_spec importlib.metadata.version torch.no_grad torch.inference_mode "
    "torch.device torch.tensor"
)
_IMPURE = _words(
    "builtins.__import__ builtins.breakpoint builtins.delattr builtins.eval builtins.exec "
    "builtins.input builtins.open builtins.print builtins.setattr numpy.random.seed numpy.seterr "
    "numpy.seterrcall numpy.set_printoptions numpy.random.set_state numpy.save numpy.savez "
    "functools.singledispatch.register"
)
_READERS = _words(
    "copy count decode deleter encode endswith format fromkeys get getter index items join keys "
    "lower lstrip partition removeprefix removesuffix replace rpartition rsplit rstrip setter "
    "split splitlines startswith strip title union upper values"
)
_PATH_READERS = _words(
    "absolute as_posix exists is_dir is_file joinpath read_bytes read_text relative_to resolve "
    "with_name with_stem with_suffix"
)
_MUTATORS = _words(
    "add append appendleft clear discard extend extendleft insert pop popitem popleft register "
    "remove reverse setdefault sort update __setitem__ __delitem__ write"
)


def _is_pure(dotted: str) -> bool:
    if dotted in _IMPURE:
        return False
    parts = dotted.split(".")
    if parts[0] == "builtins":
        return True
    return any(".".join(parts[: n + 1]) in _PURE for n in range(len(parts)))


class _Effects:
    """Looks for what a statement does besides binding names. In doubt it does something.

    ``calls`` are the local functions and classes that it calls: what they do, it does.
    """

    def __init__(self, repository: Repository, module: Module):
        self.repository, self.module = repository, module
        self.local: set[str] = set()
        self.shared: set[str] = set()  # local names of what may be known elsewhere too
        self.calls: list[Definition] = []
        self.found = False

    def statement(self, node: ast.stmt) -> bool:
        if isinstance(node, _FUNCTIONS):
            defaults = (*node.args.defaults, *node.args.kw_defaults)
            return any(map(self.decorator, node.decorator_list)) or any(
                self.expression(default) for default in defaults if default is not None
            )
        if isinstance(node, ast.ClassDef):
            heads = (*node.bases, *(word.value for word in node.keywords))
            return (
                any(map(self.decorator, node.decorator_list))
                or any(map(self.expression, heads))
                or any(map(self._registers, node.bases))
                or any(map(_is_metaclass, node.keywords))
                or any(map(self.statement, node.body))
            )
        if isinstance(node, (ast.Assign, ast.AnnAssign, ast.AugAssign)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if not all(map(self._binds, targets)):
                return True
            if isinstance(node, ast.AugAssign) and not self._is_own(node.target):
                return True
            return node.value is not None and self.expression(node.value)
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            return isinstance(node, ast.ImportFrom) and node.module == "__future__"
        if isinstance(node, ast.Pass):
            return False
        if isinstance(node, ast.Expr):  # what else would it be there for
            return not isinstance(node.value, ast.Constant)
        if isinstance(node, (ast.If, ast.For, ast.While, ast.Try, ast.With)):
            return any(map(self._part, ast.iter_child_nodes(node)))
        return type(node).__name__ != "TypeAlias"

    def _part(self, node: ast.AST) -> bool:
        if isinstance(node, ast.stmt):
            return self.statement(node)
        if isinstance(node, ast.ExceptHandler):
            return any(map(self.statement, node.body))
        if isinstance(node, ast.withitem):
            return True
        return isinstance(node, ast.expr) and self.expression(node)

    def _binds(self, target: ast.expr) -> bool:
        """Whether an assignment binds names of this module only."""
        if isinstance(target, (ast.Tuple, ast.List)):
            return all(map(self._binds, target.elts))
        if isinstance(target, ast.Starred):
            return self._binds(target.value)
        if not isinstance(target, ast.Name):
            return False
        bound = self.module.bound.get(target.id, [])
        return not any(isinstance(b, Imported) and self.repository.module(b.module) for b in bound)

    def _is_own(self, target: ast.expr) -> bool:
        """Whether ``name += value`` cannot change an object that has other names."""
        new = (ast.Constant, ast.List, ast.Dict, ast.Set, ast.Tuple, ast.BinOp, ast.JoinedStr)
        return isinstance(target, ast.Name) and all(
            isinstance(bound, Definition)
            and (
                isinstance(bound.node, ast.AugAssign)
                or isinstance(value := getattr(bound.node, "value", None), new)
                or (isinstance(value, ast.Call) and not self._is_shared(value))
            )
            for bound in self.module.bound.get(target.id, [])
        )

    def _registers(self, base: ast.expr) -> bool:
        """Whether deriving from a local class runs code of the class, or of its metaclass."""
        todo, seen = [(self.module, base)], set()
        while todo:
            module, node = todo.pop()
            if isinstance(node, ast.Call):
                if any(not isinstance(t, str) for t in self._targets_in(module, _root(node))):
                    return True  # a local function makes the class
                continue
            for target in self._targets_in(module, _without_index(node)):
                if not isinstance(target, Definition) or target in seen:
                    continue
                seen.add(target)
                found = target.node
                if isinstance(found, (ast.Assign, ast.AnnAssign)) and found.value is not None:
                    todo.append((target.module, found.value))
                elif not isinstance(found, ast.ClassDef) or _hooks_subclasses(found):
                    return True
                else:
                    todo += [(target.module, below) for below in found.bases]
        return False

    def decorator(self, node: ast.expr) -> bool:
        inner = node.func if isinstance(node, ast.Call) else node
        return self.expression(node) or self._called(inner)

    def expression(self, node: ast.expr) -> bool:
        todo: list[ast.AST] = [node]
        while todo:
            part = todo.pop()
            if isinstance(part, ast.Lambda):  # its body does nothing until it is called
                todo += [d for d in (*part.args.defaults, *part.args.kw_defaults) if d is not None]
                continue
            if isinstance(part, ast.Call):
                if self._called(part.func) or self._passes(part):
                    return True
                todo += [a.body for a in _values(part) if isinstance(a, ast.Lambda)]
            if isinstance(part, (ast.Await, ast.Yield, ast.YieldFrom)):
                return True
            todo += ast.iter_child_nodes(part)
        return False

    def _passes(self, call: ast.Call) -> bool:
        """Whether it hands over a function that may change something, and may be called."""
        if self._targets(call.func) == ["functools.partial"]:
            return False
        for value in _values(call):
            for target in self._targets(value):
                if isinstance(target, Definition) and isinstance(target.node, _CALLABLE):
                    self.calls.append(target)
                elif isinstance(target, str) and target in _IMPURE:
                    return True
        return False

    def _called(self, function: ast.expr) -> bool:
        """Whether a call of what this expression stands for may change something."""
        root = _root(function)
        if isinstance(function, ast.Name):
            if function.id in self.local:
                return False
            targets = self._targets(function)
            if not targets:
                return function.id not in BUILTINS or not _is_pure(f"builtins.{function.id}")
            return any(map(self._target_changes, targets))
        if not isinstance(function, ast.Attribute):
            return root is None or root.id not in self.local  # f(x)(y), table[x](y)
        method = function.attr
        if root is None:
            if isinstance(_leftmost(function), (ast.BoolOp, ast.IfExp, ast.NamedExpr)):
                return method not in _READERS
            if isinstance(_leftmost(function), ast.BinOp):
                return method not in _READERS | _PATH_READERS
            return False  # a method of a literal
        if root.id in self.local:
            return root.id in self.shared and method not in _READERS | _PATH_READERS
        targets = self._targets(function)
        if targets and all(isinstance(target, str) for target in targets):
            return any(map(self._target_changes, targets))
        if method in _READERS:
            return False
        if method in _MUTATORS or not isinstance(function.value, (ast.Name, ast.Attribute)):
            # A library's new object is nobody else's; a local function may hand out a shared one.
            made = self._targets(root)
            return method in _MUTATORS or any(not isinstance(target, str) for target in made)
        if not targets:
            return root.id not in BUILTINS
        return any(map(self._target_changes, targets))

    def _target_changes(self, target: Target) -> bool:
        if isinstance(target, str):
            return not _is_pure(target)
        if isinstance(target, Definition) and isinstance(target.node, _CALLABLE):
            self.calls.append(target)
            return False
        return True  # a method of a module's object, or a name that the module makes as it runs

    def _targets(self, node: ast.expr) -> list[Target]:
        return self.repository.resolve_expression(self.module, node)

    def _targets_in(self, module: Module, node: ast.expr | None) -> list[Target]:
        return self.repository.resolve_expression(module, node)

    def body(self, node: ast.stmt) -> bool:
        """Whether running a function, or making and using an object of a class, does."""
        if isinstance(node, ast.ClassDef):
            return (
                any(self.body(part) for part in node.body if isinstance(part, _FUNCTIONS))
                or any(map(self._base_changes, node.bases))
                or any(map(_is_metaclass, node.keywords))
            )
        if not isinstance(node, _FUNCTIONS):
            return False
        parameters = {part.arg for part in ast.walk(node) if isinstance(part, ast.arg)}
        self.local = _locals(node) | parameters
        self.shared = parameters - {"self"}
        for part in ast.walk(node):
            self.shared |= self._shared_by(part)
        return any(self._inner(part) for statement in node.body for part in ast.walk(statement))

    def _shared_by(self, node: ast.AST) -> set[str]:
        """Local names that a statement binds to something that may have other names."""
        if isinstance(node, ast.Assign):
            targets, value = node.targets, node.value
        elif isinstance(node, (ast.AnnAssign, ast.NamedExpr)):
            targets, value = [node.target], node.value
        elif isinstance(node, (ast.For, ast.AsyncFor, ast.comprehension)):
            targets, value = [node.target], node.iter
        else:
            return set()
        if value is None or not any(map(self._is_shared, _choices(value))):
            return set()
        return {part.id for t in targets for part in ast.walk(t) if isinstance(part, ast.Name)}

    def _is_shared(self, value: ast.expr) -> bool:
        root = _root(value)
        if root is None or root.id == "self":
            return False
        if root.id in self.local:
            return root.id in self.shared
        # What a library or a builtin makes is new.
        made = isinstance(value, ast.Call) and self._targets(root)
        return (
            any(not isinstance(target, str) for target in made)
            if made
            else (root.id not in BUILTINS)
        )

    def _base_changes(self, base: ast.expr) -> bool:
        return any(map(self._target_changes, self._targets(_without_index(base))))

    def _inner(self, part: ast.AST) -> bool:
        if isinstance(part, ast.Global):
            return True
        if isinstance(part, (ast.Import, ast.ImportFrom)):
            return any(
                self.repository.module(imported.module) is not None
                for _, imported in imported_by(part, self.module.package)
            )
        if isinstance(part, (ast.Attribute, ast.Subscript)) and not isinstance(part.ctx, ast.Load):
            root = _root(part)
            if root is None:
                return False
            return root.id not in self.local or root.id in self.shared
        if isinstance(part, ast.Expr) and isinstance(part.value, ast.Call):
            function = part.value.func
            root = _root(function)
            # Such as logging.getLogger(name).setLevel(level).
            if isinstance(function, ast.Attribute) and isinstance(function.value, ast.Call):
                return root is None or root.id not in self.local or root.id in self.shared
        return isinstance(part, ast.Call) and (self._called(part.func) or self._passes(part))


def _hooks_subclasses(node: ast.ClassDef) -> bool:
    return any(map(_is_metaclass, node.keywords)) or any(
        getattr(part, "name", None) == "__init_subclass__" for part in ast.walk(node)
    )


def _is_metaclass(word: ast.keyword) -> bool:
    return word.arg == "metaclass" and getattr(word.value, "id", "") not in ("ABCMeta", "EnumMeta")


def _without_index(node: ast.expr) -> ast.expr:
    """``Base`` of ``Base[int]``."""
    return node.value if isinstance(node, ast.Subscript) else node


def _values(call: ast.Call) -> list[ast.expr]:
    return [*call.args, *(word.value for word in call.keywords)]


def _choices(value: ast.expr) -> list[ast.expr]:
    """Expressions whose value an expression may have."""
    if isinstance(value, ast.IfExp):
        return [value.body, value.orelse]
    if isinstance(value, ast.BoolOp):
        return value.values
    return [value.value if isinstance(value, ast.NamedExpr) else value]


def _leftmost(node: ast.AST) -> ast.AST:
    """What stands at the left end of ``(...).attribute[index](...)``."""
    while True:
        if isinstance(node, (ast.Attribute, ast.Subscript, ast.Starred)):
            node = node.value
        elif isinstance(node, ast.Call):
            node = node.func
        else:
            return node


def _root(node: ast.AST) -> ast.Name | None:
    """The name at the left end of ``name.attribute[index](...)``; None for a fresh value."""
    found = _leftmost(node)
    return found if isinstance(found, ast.Name) else None


def _locals(node: ast.FunctionDef | ast.AsyncFunctionDef) -> set[str]:
    found: set[str] = set()
    for part in ast.walk(node):
        if isinstance(part, ast.Name) and not isinstance(part.ctx, ast.Load):
            found.add(part.id)
        elif isinstance(part, (*_CALLABLE, ast.ExceptHandler)) and part is not node:
            found.add(part.name or "")
    return found


# The walk


class _Walk:
    """Follows names from a script's own statements to all that they can reach."""

    def __init__(self, repository: Repository, script: Module, docstrings: bool, annotations: bool):
        self.repository, self.script = repository, script
        self.docstrings, self.annotations = docstrings, annotations
        self.order: dict[Definition, int] = {}
        self.reached: dict[Definition | Path, Reached] = {}
        self.todo: deque[Definition] = deque()
        self.loaded: dict[Module, None] = {}
        self.whole: dict[Module, int] = {}
        self.packages: dict[str, None] = {}  # those of which any name may be used
        self.parts: list[str] = []
        self.libraries: dict[str, None] = {}
        self.mentioned: set[str] = set()

    def go(self) -> None:
        self._load(self.script, None)
        while self.todo:
            self._follow(self.todo.popleft())
            if not self.todo:
                self._reach_below_packages()

    def _reach(self, definition: Definition, by: str | None, unresolved: str = "") -> int:
        """Number of a definition in the order of discovery."""
        if definition not in self.order:
            self.order[definition] = len(self.order)
            file = self.repository.relative(definition.module.path)
            self.reached[definition] = Reached(file, definition.label, by, unresolved)
            self.todo.append(definition)
            self._load(definition.module, self.reached[definition].place)
        return self.order[definition]

    def _load(self, module: Module, by: str | None) -> None:
        """Count a module's statements that act, and those of the modules that it imports."""
        if module in self.loaded:
            return
        self.loaded[module] = None
        own = module is self.script
        if not own:  # Snakemake runs a script as a file, not as a module of its package
            self._load_named(module.name.rpartition(".")[0], by)
        for step in module.steps:
            if isinstance(step, Imported):
                self._load_imported(step, self.repository.relative(module.path))
            elif own if step.main else self.repository.acts(step):
                self._reach(step, None if own else by, "" if own else "acts on import")

    def _load_named(self, name: str, by: str | None) -> None:
        while name:
            module = self.repository.module(name)
            if module is not None:
                self._load(module, by)
            name = name.rpartition(".")[0]

    def _load_imported(self, imported: Imported, by: str | None) -> None:
        self._load_named(imported.module, by)
        if imported.attribute:
            below = self.repository.module(f"{imported.module}.{imported.attribute}")
            if below is not None:
                self._load(below, by)

    def _reach_all(self, module: Module, by: str, why: str) -> int:
        """Count every definition of a module: which of them is used is not known.

        Returns the module's number in the order of discovery.
        """
        if module in self.whole:
            return self.whole[module]
        self.whole[module] = len(self.whole)
        if module.path.name == "__init__.py":
            self.packages[module.name] = None
        self._load(module, by)
        for definition in module.definitions:
            self._reach(definition, by, why)
        edges = []
        for name, bound in module.bound.items():
            if any(isinstance(part, Imported) for part in bound):
                for target in self.repository.resolve(module, Used(name)):
                    edges.append(f"{name}:{self._edge(target, by, why)}")
        for star in module.stars:
            starred = self.repository.module(star.module)
            if starred is not None:
                edges.append(f"*:{self._reach_all(starred, by, why)}")
        self.parts.append("\0".join(edges))
        return self.whole[module]

    def _reach_below_packages(self) -> None:
        """What a package's modules hold can be had from the package."""
        for package in list(self.packages):
            for module in list(self.loaded):
                if module.name.startswith(package + "."):
                    place = package.replace(".", "/")
                    self._reach_all(module, place, "any name of the package may be used")

    def _edge(self, target: Target, by: str, unresolved: str = "") -> str:
        """Reach what a name stands for, and say what that is."""
        if isinstance(target, Definition):
            return str(self._reach(target, by, unresolved))
        if isinstance(target, Module):
            why = unresolved or "any name of the module may be used"
            whole = f"module{self._reach_all(target, by, why)}"
            return f"{whole}:{target.docstring}" if self.docstrings else whole
        if self.repository.is_package(target):
            self.packages[target] = None
        else:
            self.libraries.setdefault(target.partition(".")[0])
        self.mentioned.add(target.rpartition(".")[2])
        return target

    def _follow(self, definition: Definition) -> None:
        meaning = self.repository.meaning(definition, self.docstrings, self.annotations)
        targets = self.repository.targets(definition, self.docstrings, self.annotations)
        place = self.reached[definition].place
        module = definition.module
        edges: list[str] = []
        for imported in meaning.loads:
            self._load_imported(imported, place)
        self.mentioned |= meaning.mentions
        for used, found in targets:
            if used.root in ("__file__", "__package__"):
                edges.append(self.repository.relative(module.path))
            elif used.root == "__doc__":
                edges.append(str(module.docstring))
            for target in found:
                edge = self._edge(target, place)
                later = ">" if _is_rebound(definition, target) else ""
                edges.append(f"{used.dotted}:{edge}{later}")
        self._dynamic(definition, meaning, targets, place)
        edges += self._read_files(definition, meaning, place)
        self.parts.append("\0".join([meaning.text, *edges]))

    def _dynamic(self, definition: Definition, meaning: Meaning, targets, place: str) -> None:
        """Modules named in strings, and all that code made from strings could use."""
        for name in meaning.strings:
            self._reach_named(name, place)
        names = {used.dotted for used, _ in targets}
        for used, found in targets:
            if any(isinstance(t, str) and t in _IMPORTS_BY_NAME for t in found) or (
                used.root == "__import__" or used.dotted == "builtins.__import__"
            ):
                self._import_by_name(definition, used.dotted, place)
            if found and found[0] in ("sys.modules.get", "sys.modules.items", "sys.modules.values"):
                self._reach_unknown("", place)
            if found == ["sys.modules"]:
                for index in _indexes(definition.node, used.dotted):
                    if getattr(index, "id", None) == "__name__":
                        self._reach_all(definition.module, place, "code or names made as it runs")
                    elif not isinstance(index, ast.Constant):
                        self._reach_unknown("", place)
        last = {name.rpartition(".")[2] for name in names}
        last |= {t.rpartition(".")[2] for _, found in targets for t in found if isinstance(t, str)}
        if last & _DYNAMIC:
            self._reach_all(definition.module, place, "code or names made as it runs")

    def _reach_named(self, name: str, place: str) -> None:
        """The module of a dotted name, or the one that holds what it names."""
        module = self.repository.module(name)
        if module is None:
            module = self.repository.module(name.rpartition(".")[0])
            if module is not None and module.path.name == "__init__.py":
                module = None  # a word after a package's name
        if module is not None:
            self._reach_all(module, place, "named in a string")

    def _import_by_name(self, definition: Definition, function: str, place: str) -> None:
        """What calls of ``import_module`` and its like import; anything, where that is unknown."""
        calls = 0
        for call in ast.walk(definition.node):
            if not isinstance(call, ast.Call) or _dotted(call.func) != function:
                continue
            calls += 1
            name = call.args[0] if call.args else None
            text = getattr(name, "value", None)
            if isinstance(name, ast.Constant) and isinstance(text, str) and text[:1] != ".":
                if "/" not in text:
                    self._reach_named(text, place)
            else:
                parts = name.values if isinstance(name, ast.JoinedStr) else []
                known = parts and isinstance(parts[0], ast.Constant)
                self._reach_unknown(str(parts[0].value) if known else "", place)
        if not calls:  # it has another name, or is passed on
            self._reach_unknown("", place)

    def _reach_unknown(self, prefix: str, place: str) -> None:
        """Modules of the repository whose dotted name may start so."""
        folder = "" if prefix[:1] == "." else prefix.rpartition(".")[0]
        top = self.repository.root.joinpath(*folder.split("."))
        for path in self.repository.below(top):
            if path.suffix != ".py":
                continue
            name = self.repository.relative(path).removesuffix(".py").replace("/", ".")
            if folder and not name.startswith(prefix):
                continue
            try:
                module = self.repository.module(name.removesuffix(".__init__"))
            except SyntaxError:  # nothing can import it
                continue
            if module is not None:
                self._reach_all(module, place, "imported by a name made as it runs")

    def _read_files(self, definition: Definition, meaning: Meaning, place: str) -> list[str]:
        edges = []
        found = dict(self.repository.files(definition))
        for text in meaning.paths:
            path = Path(os.path.normpath(self.repository.root / text))
            if self.repository.is_data(path):
                found.setdefault(path, "")
        for path, unresolved in found.items():
            file = self.repository.relative(path)
            self.reached.setdefault(path, Reached(file, "", place, unresolved))
            edges.append(f"{file if unresolved else ''}:{self.repository.digest(path)}")
            if path.suffix == ".py" and path != definition.module.path:  # it may be run
                self._reach_named(file.removesuffix(".py").replace("/", "."), place)
        return edges

    def reach(self) -> Reach:
        code = hashlib.sha256("\1".join(self.parts).encode()).hexdigest()[:16]
        modules = sorted(self.repository.relative(module.path) for module in self.loaded)
        return Reach(
            code,
            tuple(self.reached.values()),
            tuple(self.reached),
            tuple(modules),
            tuple(sorted(self.libraries)),
        )


def _is_rebound(definition: Definition, target: Target) -> bool:
    """Whether a name means something else by the end of a module than it does to a statement."""
    return (
        isinstance(target, Definition)
        and target.module is definition.module
        and not isinstance(definition.node, _CALLABLE)
        and target.node.lineno > definition.node.lineno
    )


def _dotted(node: ast.expr) -> str:
    """``name.attribute.attribute``; empty for other expressions."""
    chain: list[str] = []
    while isinstance(node, ast.Attribute):
        chain.insert(0, node.attr)
        node = node.value
    return ".".join([node.id, *chain]) if isinstance(node, ast.Name) else ""


def _indexes(node: ast.AST, dotted: str) -> Iterator[ast.expr]:
    """Indexes of ``dotted[index]``."""
    for part in ast.walk(node):
        if isinstance(part, ast.Subscript) and _dotted(part.value) == dotted:
            yield part.slice


_RESOURCES = _words(
    "importlib.resources.contents importlib.resources.files importlib.resources.is_resource "
    "importlib.resources.open_binary importlib.resources.open_text importlib.resources.path "
    "importlib.resources.read_binary importlib.resources.read_text pkgutil.get_data"
)
_SAME_PLACE = {"builtins.str", "os.fspath", "os.path.abspath", "os.path.realpath"}
_READING = ("pathlib.", "importlib.resources.", "pkgutil.get_data")


class _DataFiles:
    """Finds the files of the repository that a definition reads, other than by importing them."""

    def __init__(self, repository: Repository):
        self.repository = repository
        self.looking: set[Definition] = set()

    def read_by(self, definition: Definition) -> list[tuple[Path, str]]:
        """Files, with why they count where only their folder is known."""
        node, module = definition.node, definition.module
        if not self._may_read(definition):
            return []
        # A constant that only names a folder reads nothing; what uses it does.
        if _constant(definition) is not None and len(module.bound[definition.names[0]]) == 1:
            place = self._place(_constant(definition), module)
            if place is not None and place.is_dir():
                return []
        found: dict[Path, str] = {}
        todo: list[ast.AST] = list(ast.iter_child_nodes(node))
        while todo:
            part = todo.pop()
            place = self._place(part, module) if isinstance(part, ast.expr) else None
            if place is not None:
                self._add(Path(os.path.normpath(place)), found)
            elif self._only_compares(part):
                todo.append(part.func)
            elif self._is_unknown(part, module):
                self._add(self.repository.root, found)
            elif not self._only_names(part, module):
                todo += ast.iter_child_nodes(part)
        return sorted(found.items())

    def _add(self, place: Path, found: dict[Path, str]) -> None:
        if self.repository.is_data(place):
            found[place] = ""
        folder = place
        if place.suffix == ".py" or not place.exists():
            # The file of the code itself, where no more is known; or the start of a name.
            folder = place.parent
            if folder == self.repository.root:
                return
        if not folder.is_dir() or not self.repository.is_ours(folder):
            return
        for path in self.repository.below(folder):
            if path.suffix != ".py":
                why = f"a file below {self.repository.relative(folder)} is read"
                found.setdefault(path, why)

    def _may_read(self, definition: Definition) -> bool:
        for used, targets in self.repository.targets(definition, False, False):
            if used.root in ("__file__", "open"):
                return True
            for target in targets:
                if isinstance(target, str):
                    if target.startswith(_READING):
                        return True
                elif isinstance(target, Definition) and self._names_a_place(target):
                    return True
        return False

    def _names_a_place(self, definition: Definition) -> bool:
        value = _constant(definition)
        return value is not None and self._place(value, definition.module) is not None

    def _only_names(self, node: ast.AST, module: Module) -> bool:
        """Whether it only looks at the name of a file."""
        return (
            isinstance(node, ast.Attribute)
            and node.attr in ("name", "stem", "suffix")
            and self._place(node.value, module) is not None
        )

    def _only_compares(self, node: ast.AST) -> bool:
        """Whether it is ``path.relative_to(folder)``: it reads nothing below the folder."""
        return (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr in ("relative_to", "is_relative_to")
        )

    def _is_unknown(self, node: ast.AST, module: Module) -> bool:
        """Whether it is ``files(package)`` of a package that is chosen as the program runs."""
        return (
            isinstance(node, ast.Call)
            and self._library(node.func, module) in _RESOURCES
            and self._anchor(node, module) is None
        )

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
        if isinstance(first, ast.Constant) and isinstance(first.value, str):
            return self.repository.root.joinpath(*first.value.split("."))
        if getattr(first, "id", None) in ("__package__", "__name__"):
            return module.path.parent
        for target in self.repository.resolve_expression(module, first):
            if isinstance(target, Module):
                return target.path.parent
            if isinstance(target, str):
                return self.repository.root.joinpath(*target.split("."))
        return None

    def _place(self, node: ast.expr, module: Module) -> Path | None:
        """The path that an expression stands for, where that can be told."""
        if isinstance(node, ast.Name) and node.id == "__file__":
            return module.path
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
            return self._joined(node.left, [node.right], module)
        if isinstance(node, ast.Attribute) and node.attr == "parent":
            place = self._place(node.value, module)
            return place.parent if place else None
        if isinstance(node, ast.Subscript) and getattr(node.value, "attr", None) == "parents":
            place = self._place(node.value.value, module)
            step = getattr(node.slice, "value", None)
            if place is None:
                return None
            if not isinstance(step, int) or not 0 <= step < len(place.parents):
                return self.repository.root
            return place.parents[step]
        if isinstance(node, (ast.Name, ast.Attribute)):
            return self._place_of_constant(node, module)
        return self._called(node, module) if isinstance(node, ast.Call) else None

    def _place_of_constant(self, node: ast.expr, module: Module) -> Path | None:
        targets = self.repository.resolve_expression(module, node)
        target = targets[0] if len(targets) == 1 else None
        if not isinstance(target, Definition) or _constant(target) is None:
            return None
        if isinstance(node, ast.Attribute) and node.attr not in target.names:
            return None  # an attribute of the constant
        if target in self.looking:
            return None
        self.looking.add(target)
        place = self._place(_constant(target), target.module)
        self.looking.discard(target)
        return place

    def _joined(self, left: ast.expr, rest: list[ast.expr], module: Module) -> Path | None:
        place = self._place(left, module)
        for part in rest:
            if place is None or not isinstance(getattr(part, "value", None), str):
                return None
            place = place / part.value
        return place

    def _called(self, node: ast.Call, module: Module) -> Path | None:
        function = node.func
        first = node.args[0] if node.args else None
        text = first.value if isinstance(first, ast.Constant) else None
        library = self._library(function, module)
        if library in ("pathlib.Path", "pathlib.PurePath", "builtins.open", "io.open"):
            if len(node.args) > 1 and library.startswith("pathlib"):
                return self._joined(first, node.args[1:], module)
            if isinstance(text, str):
                return self.repository.root / text
            return self._place(first, module) if first is not None else None
        if library in _SAME_PLACE:
            return self._place(first, module) if first is not None else None
        if library == "os.path.dirname" and first is not None:
            place = self._place(first, module)
            return place.parent if place else None
        if library == "os.path.join" and first is not None:
            return self._joined(first, node.args[1:], module)
        if library in _RESOURCES:
            place = self._anchor(node, module)
            name = node.args[1] if len(node.args) > 1 else None
            if place is None or name is None:
                return place
            known = isinstance(name, ast.Constant) and isinstance(name.value, str)
            return place / name.value if known else place
        if not isinstance(function, ast.Attribute):
            return None
        method = function.attr
        if method == "joinpath":
            return self._joined(function.value, node.args, module)
        if method in ("resolve", "absolute", "open", "read_text", "read_bytes"):
            return self._place(function.value, module)
        if method in ("with_name", "with_stem", "with_suffix"):
            place = self._place(function.value, module)
            if place is None:
                return None
            return getattr(place, method)(text) if isinstance(text, str) else place.parent
        return None


def _constant(definition: Definition) -> ast.expr | None:
    """The value of a statement that binds one name; None for other statements."""
    if isinstance(definition.node, (ast.Assign, ast.AnnAssign)) and len(definition.names) == 1:
        return definition.node.value
    return None


def reach_of(script: str, repository: Repository) -> Reach:
    """All that a script can reach.

    Parameters
    ----------
    script : path relative to the repository's root.

    Raises
    ------
    FileNotFoundError : if there is no such script.
    SyntaxError : if a file that it reaches is no Python.
    """
    module = repository.script(script)
    counted = False, False
    while True:
        walk = _Walk(repository, module, *counted)
        walk.go()
        reads = walk.mentioned & _READS_DOCSTRINGS, walk.mentioned & _READS_ANNOTATIONS
        # Annotations may name what in turn reads docstrings.
        found = bool(reads[0]) or counted[0], bool(reads[1]) or counted[1]
        if found == counted:
            return walk.reach()
        counted = found
