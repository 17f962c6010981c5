"""Python source as definitions: what each one means, and which names it uses.

A module's statements at the top level are its definitions: functions, classes, constants, and
statements that act when the module is imported. Comments, formatting, docstrings and annotations
that do nothing at run time are no part of what a definition means.
"""

import ast
import builtins
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

# Never part of what a definition means: positions are no fields, and these say nothing more.
_SILENT = {"ctx", "type_comment", "kind", "type_ignores"}
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
CALLABLE = (*FUNCTIONS, ast.ClassDef)
_DOCUMENTED = (ast.Module, *CALLABLE)
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_SCOPES = (*CALLABLE, ast.Lambda, *_COMPREHENSIONS)
_LEAVES = (ast.Name, ast.Constant)
BUILTINS = frozenset(dir(builtins))


def words(text: str) -> frozenset[str]:
    return frozenset(text.split())


@dataclass(frozen=True)
class Imported:
    """What an import statement binds a name to: a module, or an attribute of one."""

    module: str  # dotted, absolute
    attribute: str | None = None


@dataclass(frozen=True)
class Used:
    """A name of the module, or of an import inside a function, with the attributes behind it."""

    root: str
    attributes: tuple[str, ...] = ()
    imported: Imported | None = None  # where the function itself imported the name

    @property
    def dotted(self) -> str:
        return ".".join((self.root, *self.attributes))


@dataclass(eq=False)
class Definition:
    """One statement at the top level of a module.

    Parameters
    ----------
    module : where it stands.
    node : the statement.
    names : what it binds.
    main : it runs only where the module is the script itself.
    """

    module: "Module"
    node: ast.stmt
    names: tuple[str, ...]
    main: bool = False

    @property
    def label(self) -> str:
        """Its names, or the start of a statement without any."""
        if self.names:
            return ", ".join(self.names)
        text = ast.unparse(self.node).splitlines()[0]
        return text if len(text) <= 60 else text[:57] + "..."

    @property
    def source(self) -> str:
        """The statement without comments, docstrings and the source's own formatting."""
        return ast.unparse(_without_docstrings(ast.parse(ast.unparse(self.node))))


@dataclass(frozen=True)
class Star:
    """``from module import *``, and the statement around it, if there is one."""

    module: str
    line: int
    around: Definition | None


@dataclass(eq=False)
class Module:
    """A file of the repository, cut into definitions.

    Parameters
    ----------
    path : the file.
    name : dotted name.
    bound : what each name stands for; all of it where a name is bound more than once.
    last_line : of the last statement that binds a name.
    steps : what happens when the module is imported, in its order.
    """

    path: Path
    name: str
    definitions: list[Definition] = field(default_factory=list)
    bound: dict[str, list[Definition | Imported]] = field(default_factory=dict)
    last_line: dict[str, int] = field(default_factory=dict)
    steps: list[Definition | Imported] = field(default_factory=list)
    stars: list[Star] = field(default_factory=list)
    docstring: str | None = None

    @property
    def package(self) -> str:
        """Dotted name that relative imports start from."""
        return self.name if self.path.name == "__init__.py" else self.name.rpartition(".")[0]


def read_module(path: Path, name: str) -> Module:
    """Read a file.

    Raises
    ------
    SyntaxError : if it is no Python.
    """
    tree = ast.parse(path.read_text(encoding="utf-8"), filename=str(path))
    module = Module(path, name, docstring=ast.get_docstring(tree))
    _add_statements(module, tree.body)
    return module


def _add_statements(module: Module, statements: list[ast.stmt]) -> None:
    for node in statements:
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            continue
        if isinstance(node, ast.If) and _is_type_checking(node.test):
            _add_statements(module, node.orelse)
            continue
        imports, names = [], {}
        for part in _own_nodes(node):
            if isinstance(part, (ast.Import, ast.ImportFrom)):
                imports.append(part)
            else:
                names |= dict.fromkeys(_bound_by(part))
        bare = isinstance(node, (ast.Import, ast.ImportFrom))
        future = isinstance(node, ast.ImportFrom) and node.module == "__future__"
        definition = None
        if not bare or future:
            definition = Definition(module, node, (), main=_is_main(node))
        for part in imports:
            for name, imported in imported_by(part, module.package):
                if definition is None or not definition.main:
                    module.steps.append(imported)
                if name == "*":
                    module.stars.append(Star(imported.module, node.lineno, definition))
                    continue
                module.bound.setdefault(name, []).append(imported)
                module.last_line[name] = node.lineno
                if not bare and name.isidentifier():
                    names[name] = None  # the statement around decides what it stands for
        if definition is None:
            continue
        definition.names = tuple(names)
        module.definitions.append(definition)
        module.steps.append(definition)
        for name in names:
            module.bound.setdefault(name, []).append(definition)
            module.last_line[name] = node.lineno


def imported_by(node: ast.Import | ast.ImportFrom, package: str) -> Iterator[tuple[str, Imported]]:
    """The names that an import statement binds, with what they stand for; ``*`` for all."""
    if isinstance(node, ast.Import):
        for alias in node.names:
            if alias.asname:
                yield alias.asname, Imported(alias.name)
            else:  # `import a.b` binds a, and loads a.b
                yield alias.name.partition(".")[0], Imported(alias.name.partition(".")[0])
                if "." in alias.name:
                    yield alias.name, Imported(alias.name)
        return
    base = package.split(".") if node.level and package else []
    base = base[: len(base) - node.level + 1] if node.level else []
    module = ".".join([*base, *([node.module] if node.module else [])])
    for alias in node.names:
        if alias.name == "*":
            yield "*", Imported(module)
        else:
            yield alias.asname or alias.name, Imported(module, alias.name)


def attribute_chain(node: ast.expr) -> tuple[ast.expr, tuple[str, ...]]:
    """``x`` and ``("y", "z")`` of ``x.y.z``, where ``x`` is any expression but an attribute."""
    chain: list[str] = []
    while isinstance(node, ast.Attribute):
        chain.insert(0, node.attr)
        node = node.value
    return node, tuple(chain)


def text_of(node: ast.expr | None) -> str | None:
    """The value of a constant string; None for other expressions."""
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def defaults_of(arguments: ast.arguments) -> list[ast.expr]:
    """Default values of parameters; they belong to the scope around the function."""
    return [d for d in (*arguments.defaults, *arguments.kw_defaults) if d is not None]


def _is_type_checking(test: ast.expr) -> bool:
    name = test.attr if isinstance(test, ast.Attribute) else getattr(test, "id", None)
    return name == "TYPE_CHECKING"


def _is_main(node: ast.stmt) -> bool:
    """Whether it is ``if __name__ == "__main__":`` without an else."""
    return (
        isinstance(node, ast.If)
        and not node.orelse
        and isinstance(node.test, ast.Compare)
        and getattr(node.test.left, "id", None) == "__name__"
        and isinstance(node.test.ops[0], ast.Eq)
        and getattr(node.test.comparators[0], "value", None) == "__main__"
    )


def _own_nodes(node: ast.AST) -> Iterator[ast.AST]:
    """A node and all below it that run in the same scope, in their order."""
    todo = [node]
    while todo:
        part = todo.pop()
        yield part
        if type(part) not in _LEAVES:
            todo += reversed(_children_in_scope(part))


def _children_in_scope(node: ast.AST) -> list[ast.AST]:
    if type(node) not in _SCOPES:
        return _children(node)
    if isinstance(node, FUNCTIONS):
        return [*node.decorator_list, *defaults_of(node.args)]
    if isinstance(node, ast.ClassDef):
        return [*node.decorator_list, *node.bases, *(word.value for word in node.keywords)]
    if isinstance(node, ast.Lambda):
        return defaults_of(node.args)
    # The first iterable of a comprehension belongs to the scope around; names bound by := do too.
    return [node.generators[0].iter, *(n for n in ast.walk(node) if type(n) is ast.NamedExpr)]


def _children(node: ast.AST) -> list[ast.AST]:
    found: list[ast.AST] = []
    for name in node._fields:
        value = getattr(node, name, None)
        if isinstance(value, list):
            found += [item for item in value if isinstance(item, ast.AST)]
        elif isinstance(value, ast.AST) and name not in _SILENT:
            found.append(value)
    return found


def _bound_by(node: ast.AST) -> Iterator[str]:
    """Names that one node binds in its scope, imports aside."""
    if isinstance(node, ast.Name):
        if not isinstance(node.ctx, ast.Load):
            yield node.id
    elif isinstance(node, CALLABLE):
        yield node.name
    elif isinstance(node, (ast.ExceptHandler, ast.MatchAs, ast.MatchStar)):
        if node.name:
            yield node.name
    elif isinstance(node, ast.MatchMapping) and node.rest:
        yield node.rest


def _without_docstrings(tree: ast.AST) -> ast.AST:
    for node in ast.walk(tree):
        if isinstance(node, _DOCUMENTED):
            body = _meaningful(node.body)
            node.body = body or ([] if isinstance(node, ast.Module) else [ast.Pass()])
    return tree


def _meaningful(body: list[ast.stmt]) -> list[ast.stmt]:
    """Statements without docstrings, other lone constants and ``pass``, which do nothing."""
    return [
        node
        for node in body
        if not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))
        and not isinstance(node, ast.Pass)
    ]


@dataclass
class Meaning:
    """What a definition means.

    Parameters
    ----------
    text : its syntax tree, the same for all versions of Python.
    used : names of the module, or imported inside functions, that it uses, in their order.
    loads : modules that it imports when it runs.
    strings : constants that could be the dotted name of a module, or of something in one.
    paths : constants that could be the path of a file.
    mentions : all names and attributes in it, whatever they stand for.
    """

    text: str
    used: list[Used]
    loads: list[Imported]
    strings: list[str]
    paths: list[str]
    mentions: set[str]


@dataclass
class _Scope:
    names: set[str]
    imported: dict[str, Imported]
    of_module: tuple[str, ...] = ()  # names declared global
    is_class: bool = False


class _Reader:
    """Walks a definition once, for its text and the names it uses."""

    def __init__(self, package: str, docstrings: bool, annotations: bool):
        self.package, self.docstrings, self.annotations = package, docstrings, annotations
        self.out: list[str] = []
        self.used: dict[Used, None] = {}
        self.loads: list[Imported] = []
        self.strings: list[str] = []
        self.paths: list[str] = []
        self.mentions: set[str] = set()
        self.scopes: list[_Scope] = []

    def read(self, value) -> None:
        if isinstance(value, ast.AST):
            special = getattr(self, "_" + type(value).__name__, None)
            if special:
                special(value)
            else:
                self._any(value)
        elif isinstance(value, list):
            self.out.append("[")
            for item in value:
                self.read(item)
            self.out.append("]")
        else:
            self.out.append(f"{type(value).__name__}:{value!r};")

    def _any(self, node: ast.AST, without: tuple[str, ...] = ()) -> None:
        self.out.append(type(node).__name__ + "(")
        for name in node._fields:
            value = getattr(node, name, None)
            # Fields that newer versions of Python added are empty where they are not used.
            if name in _SILENT or name in without or value is None or value == []:
                continue
            self.out.append(name + "=")
            if name == "body" and isinstance(value, list) and not self.docstrings:
                value = _meaningful(value)
            self.read(value)
        self.out.append(")")

    def _Constant(self, node: ast.Constant) -> None:
        self.out.append(f"{type(node.value).__name__}:{node.value!r};")
        if type(node.value) is not str:
            return
        if node.value.startswith("__"):
            self.mentions.add(node.value)  # as in getattr(f, "__doc__")
        if "/" in node.value:
            self.paths.append(node.value)
        elif "." in node.value:
            dotted = node.value.replace(":", ".", 1)  # package.module:function
            if all(map(str.isidentifier, dotted.split("."))):
                self.strings.append(dotted)

    def _Name(self, node: ast.Name) -> None:
        self.out.append(f"Name({node.id})")
        if isinstance(node.ctx, ast.Load) or not (self.scopes and self.scopes[-1].is_class):
            self._use(node.id)  # what a class's body binds is the class's

    def _Attribute(self, node: ast.Attribute) -> None:
        below, chain = attribute_chain(node)
        self.mentions.update(chain)
        if isinstance(below, ast.Name):
            self.out.append(f"Name({below.id}).{'.'.join(chain)};")
            self._use(below.id, chain)
        else:
            self.read(below)
            self.out.append(f".{'.'.join(chain)};")

    def _use(self, name: str, attributes: tuple[str, ...] = ()) -> None:
        self.mentions.add(name)
        for depth, scope in enumerate(reversed(self.scopes)):
            if scope.is_class and depth:
                continue  # a class's names are not seen in its methods
            if name in scope.imported:
                self.used[Used(name, attributes, scope.imported[name])] = None
                if name not in scope.of_module:
                    return
            if name in scope.of_module:
                break
            if name in scope.names:
                return
        self.used[Used(name, attributes)] = None

    def _Import(self, node: ast.Import | ast.ImportFrom) -> None:
        # What the names stand for follows from where they are used, so that a definition that
        # moves to another file stays the same.
        self.out.append("Import(")
        for name, imported in imported_by(node, self.package):
            self.loads.append(imported)
            self.out.append(f"{name};")
        self.out.append(")")

    _ImportFrom = _Import

    def _AnnAssign(self, node: ast.AnnAssign) -> None:
        # In a class they may be the fields of a dataclass, a model or a typed tuple.
        if self.annotations or (self.scopes and self.scopes[-1].is_class):
            self._any(node)
            self._quoted(node.annotation)
        elif node.value is not None:
            self.out.append("Assign(targets=[")
            self.read(node.target)
            self.out.append("]value=")
            self.read(node.value)
            self.out.append(")")

    def _quoted(self, annotation: ast.expr) -> None:
        """Read an annotation that is written as a string, or holds one."""
        for part in ast.walk(annotation):
            if isinstance(part, ast.Constant) and isinstance(part.value, str):
                try:
                    inner = ast.parse(part.value, mode="eval")
                except SyntaxError:
                    continue
                self.read(inner.body)

    def _arguments(self, node: ast.arguments, annotated: bool) -> None:
        groups = (node.posonlyargs, node.args, [node.vararg], node.kwonlyargs, [node.kwarg])
        for group in groups:
            self.out.append("|")
            for argument in group:
                if argument is not None:
                    self.out.append(f"{argument.arg},")
                    if annotated and argument.annotation is not None:
                        self.read(argument.annotation)
                        self._quoted(argument.annotation)
        self.out.append("=")
        for default in (*node.defaults, None, *node.kw_defaults):
            if default is None:
                self.out.append("None;")
            else:
                self.read(default)

    def _FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        self.out.append(f"{type(node).__name__}({node.name}")
        self.read(node.decorator_list)
        annotated = self.annotations or not all(map(_is_harmless, node.decorator_list))
        self._arguments(node.args, annotated)
        if annotated and node.returns is not None:
            self.read(node.returns)
            self._quoted(node.returns)
        self._in_scope(node.args, node.body)
        self.out.append(")")

    _AsyncFunctionDef = _FunctionDef

    def _Lambda(self, node: ast.Lambda) -> None:
        self.out.append("Lambda(")
        self._arguments(node.args, annotated=False)
        self._in_scope(node.args, [node.body])
        self.out.append(")")

    def _in_scope(self, arguments: ast.arguments, body: list[ast.AST]) -> None:
        names = {argument.arg for argument in _all_arguments(arguments)}
        elsewhere: set[str] = set()
        of_module: list[str] = []
        imported: dict[str, Imported] = {}
        for statement in body:
            for part in _own_nodes(statement):
                if isinstance(part, ast.Global):
                    of_module += part.names
                elif isinstance(part, ast.Nonlocal):
                    elsewhere.update(part.names)
                elif isinstance(part, (ast.Import, ast.ImportFrom)):
                    imported |= dict(imported_by(part, self.package))
                else:
                    names.update(_bound_by(part))
        self.scopes.append(_Scope(names - elsewhere, imported, tuple(of_module)))
        for name in of_module:
            self._use(name)
        self.read(body if self.docstrings else _meaningful(body))
        self.scopes.pop()

    def _ClassDef(self, node: ast.ClassDef) -> None:
        self.out.append(f"ClassDef({node.name}")
        self.read(node.decorator_list)
        self.read(node.bases)
        self.read(node.keywords)
        imported: dict[str, Imported] = {}
        for statement in node.body:
            for part in _own_nodes(statement):
                if isinstance(part, (ast.Import, ast.ImportFrom)):
                    imported |= dict(imported_by(part, self.package))
        # No names: a class's body may read a module's name before it binds its own.
        self.scopes.append(_Scope(set(), imported, is_class=True))
        for name in imported:
            self._use(name)  # an attribute of the class
        self.read(node.body if self.docstrings else _meaningful(node.body))
        self.scopes.pop()
        self.out.append(")")

    def _comprehension_of(self, node) -> None:
        self.out.append(type(node).__name__ + "(")
        self.read(node.generators[0].iter)
        names = {
            name
            for generator in node.generators
            for part in ast.walk(generator.target)
            for name in _bound_by(part)
        }
        self.scopes.append(_Scope(names, {}))
        for position, generator in enumerate(node.generators):
            self.out.append(f"for{generator.is_async}")
            self.read(generator.target)
            if position:
                self.read(generator.iter)
            self.read(generator.ifs)
        for name in ("elt", "key", "value"):
            if hasattr(node, name):
                self.read(getattr(node, name))
        self.scopes.pop()
        self.out.append(")")

    _ListComp = _SetComp = _DictComp = _GeneratorExp = _comprehension_of


def _all_arguments(node: ast.arguments) -> Iterator[ast.arg]:
    yield from (*node.posonlyargs, *node.args, *node.kwonlyargs)
    yield from (argument for argument in (node.vararg, node.kwarg) if argument is not None)


# Decorators that do not look at a function's annotations, by the last part of their names.
_HARMLESS = words(
    "abstractmethod asynccontextmanager cache cached_property classmethod contextmanager "
    "field_validator final fixture inference_mode lru_cache model_validator no_grad overload "
    "override property setter getter deleter staticmethod total_ordering wraps"
)


def _is_harmless(decorator: ast.expr) -> bool:
    inner = decorator.func if isinstance(decorator, ast.Call) else decorator
    name = inner.attr if isinstance(inner, ast.Attribute) else getattr(inner, "id", None)
    return name in _HARMLESS


def meaning_of(
    definition: Definition, docstrings: bool = False, annotations: bool = False
) -> Meaning:
    """What a definition means.

    Parameters
    ----------
    docstrings, annotations : count them, for code that reads them.
    """
    reader = _Reader(definition.module.package, docstrings, annotations)
    reader.read(definition.node)
    return Meaning(
        "".join(reader.out),
        list(reader.used),
        reader.loads,
        reader.strings,
        reader.paths,
        reader.mentions,
    )
