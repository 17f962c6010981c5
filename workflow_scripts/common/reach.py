"""Which definitions of the repository a script can reach."""

import ast
import hashlib
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
    meaning_of,
    read_module,
)

# Folders that hold no part of the program.
_APART = {"results", "runs", "node_modules", "__pycache__", "build", "dist"}
# Reading these makes annotations, or docstrings, part of what the program does.
_READS_ANNOTATIONS = {"__annotations__", "get_annotations", "get_type_hints"}
_READS_DOCSTRINGS = {"__doc__", "getdoc"}
# With these a name that is only known when the program runs becomes code.
_DYNAMIC = {"eval", "exec", "globals", "locals", "vars", "__import__", "import_module"}

_CALLABLE = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)

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
        self._effects: dict[Definition, bool] = {}
        self._acts: dict[Definition, bool] = {}

    def module(self, name: str) -> Module | None:
        """The module or package of a dotted name; None if it is not of this repository."""
        if name not in self._modules:
            place = self.root.joinpath(*name.split(".")) if name else self.root
            files = [place.with_suffix(".py"), place / "__init__.py"] if name else []
            found = next((path for path in files if path.is_file()), None)
            self._modules[name] = read_module(found, name) if found else None
        return self._modules[name]

    def script(self, path: str) -> Module:
        """A script, by its path relative to the root.

        Raises
        ------
        FileNotFoundError : if it is not there.
        """
        name = path.removesuffix(".py").replace("/", ".")
        if self.module(name) is None:
            raise FileNotFoundError(self.root / path)
        return self._modules[name]

    def meaning(self, definition: Definition, docstrings: bool, annotations: bool) -> Meaning:
        key = definition, docstrings, annotations
        if key not in self._meanings:
            self._meanings[key] = meaning_of(definition, docstrings, annotations)
        return self._meanings[key]

    def relative(self, path: Path) -> str:
        return path.relative_to(self.root).as_posix()

    def is_package(self, name: str) -> bool:
        """Whether a dotted name is a folder with Python in it, with or without ``__init__.py``."""
        return self.module(name) is None and self.root.joinpath(*name.split(".")).is_dir()

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
            other = self.module(star)
            if other is not None:
                found += self._named(other, name, attributes, seen)
            elif not found and name not in BUILTINS:
                found.append(".".join((star, name, *attributes)))
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
            return [module] if module else []
        first, *rest = attributes
        if module is not None:
            found = self._named(module, first, tuple(rest), seen)
            if found:
                return found
        below = f"{name}.{first}"
        if self.module(below) is not None or self.is_package(below):
            return self._attribute_of(below, rest, seen)
        # Something that the module makes when it runs, such as a name set by setattr.
        return [module] if module else []

    # Statements that act when a module is imported

    def acts(self, definition: Definition) -> bool:
        """Whether a statement may do more than bind its names, when its module is imported."""
        if definition not in self._acts:
            self._acts[definition] = False  # while it is being looked at
            scope = definition.module
            self._acts[definition] = _Effects(self, scope).statement(definition.node)
        return self._acts[definition]

    def changes_others(self, definition: Definition) -> bool:
        """Whether calling a function or class may change what is not its own."""
        if definition not in self._effects:
            self._effects[definition] = False
            self._effects[definition] = _Effects(self, definition.module).body(definition.node)
        return self._effects[definition]


# Calls that change nothing, by the beginning of their dotted names.
_PURE = set(
    "abc collections contextlib copy dataclasses datetime decimal enum fractions functools "
    "itertools logging.getLogger math operator os.environ.get os.fspath os.getenv os.path pathlib "
    "pydantic re string textwrap types typing typing_extensions numpy importlib.resources.files "
    "importlib.util.find_spec importlib.metadata.version torch.no_grad torch.inference_mode "
    "torch.device torch.tensor".split()
)
_IMPURE = set(
    "builtins.__import__ builtins.breakpoint builtins.delattr builtins.eval builtins.exec "
    "builtins.input builtins.open builtins.print builtins.setattr numpy.random.seed numpy.seterr "
    "numpy.seterrcall numpy.set_printoptions numpy.random.set_state numpy.save numpy.savez "
    "functools.singledispatch.register".split()
)
_READERS = set(
    "copy count decode encode endswith format fromkeys get index items join keys lower lstrip "
    "partition removeprefix removesuffix replace rpartition rsplit rstrip split splitlines "
    "startswith strip title union upper values".split()
)
_MUTATORS = set(
    "add append appendleft clear discard extend extendleft insert pop popitem popleft register "
    "remove reverse setdefault sort update __setitem__ __delitem__ write".split()
)


def _is_pure(dotted: str) -> bool:
    if dotted in _IMPURE:
        return False
    parts = dotted.split(".")
    if parts[0] == "builtins":
        return True
    return any(".".join(parts[: n + 1]) in _PURE for n in range(len(parts)))


class _Effects:
    """Looks for what a statement does besides binding names. In doubt it does something."""

    def __init__(self, repository: Repository, module: Module):
        self.repository, self.module = repository, module
        self.local: set[str] = set()
        self.parameters: set[str] = set()

    def statement(self, node: ast.stmt) -> bool:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
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
                or any(map(self.statement, node.body))
            )
        if isinstance(node, (ast.Assign, ast.AnnAssign, ast.AugAssign)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if not all(map(self._binds, targets)):
                return True
            return node.value is not None and self.expression(node.value)
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            return isinstance(node, ast.ImportFrom) and node.module == "__future__"
        if isinstance(node, ast.Pass):
            return False
        if isinstance(node, ast.Expr):
            return self.expression(node.value)
        if isinstance(node, (ast.If, ast.For, ast.While, ast.Try, ast.With)):
            return any(map(self._part, ast.iter_child_nodes(node)))
        return not type(node).__name__ == "TypeAlias"

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

    def _registers(self, base: ast.expr) -> bool:
        """Whether deriving from a local class runs code of its own."""
        return any(
            isinstance(target, Definition)
            and any(
                getattr(part, "name", None) == "__init_subclass__" for part in ast.walk(target.node)
            )
            for target in self._targets(base)
        )

    def decorator(self, node: ast.expr) -> bool:
        inner = node.func if isinstance(node, ast.Call) else node
        return self.expression(node) or self._called(inner)

    def expression(self, node: ast.expr) -> bool:
        todo: list[ast.AST] = [node]
        while todo:
            part = todo.pop()
            if isinstance(part, ast.Lambda):
                continue  # it does nothing until it is called
            if isinstance(part, ast.Call) and self._called(part.func):
                return True
            if isinstance(part, (ast.Await, ast.Yield, ast.YieldFrom)):
                return True
            todo += ast.iter_child_nodes(part)
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
            return False  # a method of a literal
        if root.id in self.local:
            return method in _MUTATORS and root.id in self.parameters
        targets = self._targets(function)
        if targets and all(isinstance(target, str) for target in targets):
            return any(map(self._target_changes, targets))
        if method in _READERS:
            return False
        if method in _MUTATORS or not isinstance(function.value, (ast.Name, ast.Attribute)):
            # A new object of a library is nobody else's; a local function may hand out a shared one.
            made = self._targets(root)
            return method in _MUTATORS or any(not isinstance(target, str) for target in made)
        if not targets:
            return root.id not in BUILTINS
        return any(map(self._target_changes, targets))

    def _target_changes(self, target: Target) -> bool:
        if isinstance(target, str):
            return not _is_pure(target)
        if isinstance(target, Definition) and isinstance(target.node, _CALLABLE):
            return self.repository.changes_others(target)
        return True  # a method of a module's object, or a name that the module makes as it runs

    def _targets(self, node: ast.expr) -> list[Target]:
        chain: list[str] = []
        while isinstance(node, ast.Attribute):
            chain.insert(0, node.attr)
            node = node.value
        if not isinstance(node, ast.Name):
            return []
        return self.repository.resolve(self.module, Used(node.id, tuple(chain)))

    def body(self, node: ast.stmt) -> bool:
        """Whether running a function, making an object of a class, or a constant's value does."""
        if isinstance(node, ast.ClassDef):
            makers = {"__init__", "__new__", "__post_init__", "__call__", "__set_name__"}
            return any(
                self.body(part) for part in node.body if getattr(part, "name", None) in makers
            ) or any(self._base_changes(base) for base in node.bases)
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            return False
        parameters = {part.arg for part in ast.walk(node) if isinstance(part, ast.arg)}
        self.local, self.parameters = _locals(node) | parameters, parameters - {"self", "cls"}
        return any(self._inner(part) for statement in node.body for part in ast.walk(statement))

    def _base_changes(self, base: ast.expr) -> bool:
        for target in self._targets(base):
            if isinstance(target, Definition) and self.repository.changes_others(target):
                return True
            if isinstance(target, str) and not _is_pure(target):
                return True
        return False

    def _inner(self, part: ast.AST) -> bool:
        if isinstance(part, ast.Global):
            return True
        if isinstance(part, (ast.Attribute, ast.Subscript)) and not isinstance(part.ctx, ast.Load):
            root = _root(part)
            if root is None:
                return False
            return root.id not in self.local or root.id in self.parameters
        return isinstance(part, ast.Call) and self._called(part.func)


def _root(node: ast.AST) -> ast.Name | None:
    """The name at the left end of ``name.attribute[index](...)``; None for a fresh value."""
    while True:
        if isinstance(node, ast.Name):
            return node
        if isinstance(node, (ast.Attribute, ast.Subscript, ast.Starred)):
            node = node.value
        elif isinstance(node, ast.Call):
            node = node.func
        else:
            return None


def _locals(node: ast.FunctionDef | ast.AsyncFunctionDef) -> set[str]:
    found: set[str] = set()
    for part in ast.walk(node):
        if isinstance(part, ast.Name) and not isinstance(part.ctx, ast.Load):
            found.add(part.id)
        elif isinstance(part, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            if part is not node:
                found.add(part.name)
        elif isinstance(part, ast.ExceptHandler) and part.name:
            found.add(part.name)
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
        self.whole: dict[Module, None] = {}
        self.parts: list[str] = []
        self.libraries: dict[str, None] = {}
        self.mentioned: set[str] = set()
        self.data = _DataFiles(repository)

    def go(self) -> None:
        self._load(self.script, None)
        while self.todo:
            self._follow(self.todo.popleft())

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
        self._load_named(module.name.rpartition(".")[0], by)
        for imported in module.loads:
            self._load_imported(imported, by or self.repository.relative(module.path))
        for definition in module.definitions:
            own = module is self.script
            if definition.main:
                if own:
                    self._reach(definition, None)
            elif self.repository.acts(definition):
                self._reach(definition, None if own else by, "" if own else "acts on import")

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
        module = self.repository.module(imported.module)
        for star in module.stars if module is not None else ():
            self._load_named(star, by)

    def _reach_all(self, module: Module, by: str, why: str) -> None:
        """Count every definition of a module: which of them is used is not known."""
        if module in self.whole:
            return
        self.whole[module] = None
        self._load(module, by)
        for definition in module.definitions:
            self._reach(definition, by, why)
        for bound in list(module.bound.values()):
            for imported in bound:
                if isinstance(imported, Imported):
                    for target in self.repository.resolve(module, Used("", (), imported)):
                        if isinstance(target, Definition):
                            self._reach(target, by, why)

    def _follow(self, definition: Definition) -> None:
        meaning = self.repository.meaning(definition, self.docstrings, self.annotations)
        place = self.reached[definition].place
        module = definition.module
        edges: list[str] = []
        for imported in meaning.loads:
            self._load_imported(imported, place)
        for used in meaning.used:
            self.mentioned.update((used.root, *used.attributes))
            if used.root in ("__file__", "__package__"):
                edges.append(self.repository.relative(module.path))
            for target in self.repository.resolve(module, used):
                if isinstance(target, Definition):
                    edges.append(f"{used.dotted}:{self._reach(target, place)}")
                elif isinstance(target, Module):
                    edges.append(f"{used.dotted}:module")
                    self._reach_all(target, place, "any name of the module may be used")
                else:
                    edges.append(f"{used.dotted}:{target}")
                    self.libraries.setdefault(target.partition(".")[0])
        self._dynamic(definition, meaning, place)
        edges += self._files(definition, meaning, place)
        self.parts.append("\0".join([meaning.text, *edges]))

    def _dynamic(self, definition: Definition, meaning: Meaning, place: str) -> None:
        """Modules named in strings, and all that code made from strings could use."""
        for name in meaning.strings:
            module = self.repository.module(name)
            if module is not None:
                self._reach_all(module, place, "named in a string")
        called = {used.attributes[-1] if used.attributes else used.root for used in meaning.used}
        if called & {"import_module", "__import__"}:
            for name, known in _imports_by_name(definition.node):
                if not known:
                    for module in self._below(name):
                        self._reach_all(module, place, "imported by a name made as it runs")
        if called & (_DYNAMIC - {"import_module", "__import__"}):
            self._reach_all(definition.module, place, "code or names made as it runs")

    def _below(self, prefix: str) -> Iterator[Module]:
        """Modules of the repository whose dotted name starts so, the script's own package first."""
        folder = prefix.rpartition(".")[0] or self.script.name.partition(".")[0]
        top = self.repository.root.joinpath(*folder.split("."))
        for path in sorted(top.rglob("*.py")):
            name = self.repository.relative(path).removesuffix(".py").replace("/", ".")
            module = self.repository.module(name.removesuffix(".__init__"))
            if name.startswith(prefix) and module is not None:
                yield module

    def _files(self, definition: Definition, meaning: Meaning, place: str) -> list[str]:
        edges = []
        for path, unresolved in self.data.read_by(definition, meaning):
            file = self.repository.relative(path)
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            self.reached.setdefault(path, Reached(file, "", place, unresolved))
            edges.append(f"{file if unresolved else ''}:{digest}")
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


def _imports_by_name(node: ast.AST) -> Iterator[tuple[str, bool]]:
    """Per import by name: how the name begins, and whether that is all of it."""
    for part in ast.walk(node):
        if isinstance(part, ast.Call):
            root = part.func.attr if isinstance(part.func, ast.Attribute) else None
            root = root or getattr(part.func, "id", None)
            if root in ("import_module", "__import__") and part.args:
                name = part.args[0]
                if isinstance(name, ast.Constant):
                    yield str(name.value), True
                elif isinstance(name, ast.JoinedStr) and isinstance(name.values[0], ast.Constant):
                    yield str(name.values[0].value), False
                else:
                    yield "", False


class _DataFiles:
    """Finds the files of the repository that a definition reads, other than by importing them."""

    def __init__(self, repository: Repository):
        self.repository = repository

    def read_by(self, definition: Definition, meaning: Meaning) -> list[tuple[Path, str]]:
        """Files, with why they count where only their folder is known."""
        if not self._may_read(definition, meaning):
            return []
        node = definition.node
        # A constant that only names a place reads nothing; what uses it does.
        if isinstance(node, ast.Assign) and self._place(node.value, definition.module) is not None:
            return []
        found: dict[Path, str] = {}
        todo: list[ast.AST] = list(ast.iter_child_nodes(node))
        while todo:
            part = todo.pop()
            place = self._place(part, definition.module) if isinstance(part, ast.expr) else None
            if place is None:
                todo += ast.iter_child_nodes(part)
            elif place.is_file() and self._is_ours(place):
                found[place] = ""
            elif place.is_dir() and self._is_ours(place):
                for path in sorted(place.rglob("*")):
                    if path.is_file() and path.suffix != ".py" and self._is_ours(path):
                        found[path] = f"a file below {self.repository.relative(place)} is read"
        return sorted(found.items())

    def _may_read(self, definition: Definition, meaning: Meaning) -> bool:
        for used in meaning.used:
            if used.root in ("__file__", "open"):
                return True
            for target in self.repository.resolve(definition.module, used):
                if isinstance(target, str) and target.startswith(("pathlib.", "importlib.res")):
                    return True
                if isinstance(target, Definition) and isinstance(target.node, ast.Assign):
                    if self._place(target.node.value, target.module) is not None:
                        return True
        return False

    def _is_ours(self, path: Path) -> bool:
        if not path.is_relative_to(self.repository.root):
            return False
        parts = path.relative_to(self.repository.root).parts
        return not any(part in _APART or part.startswith(".") for part in parts)

    def _place(self, node: ast.expr, module: Module) -> Path | None:
        """The path that an expression stands for, where that can be told."""
        if isinstance(node, ast.Name):
            if node.id == "__file__":
                return module.path
            for target in self.repository.resolve(module, Used(node.id)):
                if isinstance(target, Definition) and isinstance(target.node, ast.Assign):
                    return self._place(target.node.value, target.module)
            return None
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
            return self._joined(node.left, [node.right], module)
        if isinstance(node, ast.Attribute) and node.attr == "parent":
            place = self._place(node.value, module)
            return place.parent if place else None
        if isinstance(node, ast.Subscript) and getattr(node.value, "attr", None) == "parents":
            place = self._place(node.value.value, module)
            step = getattr(node.slice, "value", None)
            if place is None or not isinstance(step, int) or step >= len(place.parents):
                return None
            return place.parents[step]
        return self._called(node, module) if isinstance(node, ast.Call) else None

    def _joined(self, left: ast.expr, rest: list[ast.expr], module: Module) -> Path | None:
        place = self._place(left, module)
        for part in rest:
            if place is None or not isinstance(getattr(part, "value", None), str):
                return None
            place = place / part.value
        return place

    def _called(self, node: ast.Call, module: Module) -> Path | None:
        function = node.func
        name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
        first = node.args[0] if node.args else None
        text = first.value if isinstance(first, ast.Constant) else None
        if name in ("Path", "PurePath", "open") and isinstance(function, ast.Name):
            if isinstance(text, str):
                return self.repository.root / text
            return self._place(first, module) if first is not None else None
        if name in ("str", "fspath", "abspath", "realpath") and first is not None:
            return self._place(first, module)
        if name == "dirname" and first is not None:
            place = self._place(first, module)
            return place.parent if place else None
        if name == "files" and isinstance(text, str):
            return self.repository.root.joinpath(*text.split("."))
        if name == "files" and getattr(first, "id", None) == "__package__":
            return module.path.parent
        if not isinstance(function, ast.Attribute):
            return None
        if name == "join" and first is not None:
            return self._joined(first, node.args[1:], module)
        if name == "joinpath":
            return self._joined(function.value, node.args, module)
        place = self._place(function.value, module)
        if place is None:
            return None
        if name in ("resolve", "absolute"):
            return place
        if name in ("with_name", "with_suffix") and isinstance(text, str):
            return getattr(place, name)(text)
        if name in ("open", "read_text", "read_bytes"):
            return place
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
    walk = _Walk(repository, module, docstrings=False, annotations=False)
    walk.go()
    docstrings = bool(walk.mentioned & _READS_DOCSTRINGS)
    annotations = bool(walk.mentioned & _READS_ANNOTATIONS)
    if docstrings or annotations:
        walk = _Walk(repository, module, docstrings, annotations)
        walk.go()
    return walk.reach()
