"""Python source as definitions, the statements at the top level of a module.

Comments, formatting, docstrings and annotations that do nothing are no part of what one means.
"""

import ast
import builtins
import re
import symtable
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_SCOPES = (*FUNCTIONS, ast.ClassDef, ast.Lambda)
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
# Fields that say nothing more; positions are no fields.
_SILENT = {"ctx", "type_comment", "kind", "type_ignores"}
BUILTINS = frozenset(dir(builtins))

# In a string: dotted names, as in "python -m pkg.one" or "pkg.one:A.f", and paths.
_DOTTED = re.compile(r"(?<![\w./])[^\W\d]\w*(?:[.:][^\W\d]\w*)+")
_PATHS = re.compile(r"[^\s'\"=,;:()\[\]<>|&]*/[^\s'\"=,;:()\[\]<>|&]*")


def words(text: str) -> frozenset[str]:
    """The words of a text."""
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
    imported: Imported | None = None  # where the definition itself imports the name

    @property
    def dotted(self) -> str:
        return ".".join((self.root, *self.attributes))


@dataclass(eq=False)
class Definition:
    """A statement at the top level of a module."""

    module: "Module"
    node: ast.stmt
    names: tuple[str, ...]  # what it binds
    main: bool = False  # it runs only if the module is the script itself

    @property
    def label(self) -> str:
        """Its names, or the start of a statement without any."""
        if self.names:
            return ", ".join(self.names)
        return self.module.first_line(self.node)


@dataclass(eq=False)
class Module:
    """A file of the repository, cut into definitions."""

    path: Path
    name: str  # dotted
    lines: list[str] = field(default_factory=list)
    # What happens when the module is imported, in order.
    steps: list[Definition | Imported] = field(default_factory=list)
    # What each name refers to: everything that binds it.
    bound: dict[str, list[Definition | Imported]] = field(default_factory=dict)
    stars: list[str] = field(default_factory=list)  # modules of which all names are imported
    docstring: str | None = None
    future: bool = False  # annotations stay strings
    broken: SyntaxError | None = None  # why the file is not valid Python
    tables: list[symtable.SymbolTable] = field(default_factory=list)

    @property
    def definitions(self) -> list[Definition]:
        return [step for step in self.steps if isinstance(step, Definition)]

    @property
    def package(self) -> str:
        """Dotted name that relative imports start from."""
        return self.name if self.path.name == "__init__.py" else self.name.rpartition(".")[0]

    def first_line(self, node: ast.AST) -> str:
        """Start of the text of a statement."""
        text = self.lines[node.lineno - 1].strip()
        return text if len(text) <= 60 else text[:57] + "..."


def read_module(path: Path, name: str, data: bytes) -> Module:
    """Cut a file into definitions, reading its bytes as Python does; SyntaxError if it is none."""
    try:
        tree = ast.parse(data, filename=str(path))
        table = symtable.symtable(data, str(path), "exec")
    except (ValueError, RecursionError, MemoryError) as error:  # such as null bytes
        raise SyntaxError(f"{path}: {error}") from None
    text = data.decode("utf-8", errors="replace").removeprefix("\ufeff")
    module = Module(path, name, text.split("\n"), docstring=ast.get_docstring(tree))
    module.tables = table.get_children()
    for statement in tree.body:
        _add_statement(module, statement)
    return module


def _add_statement(module: Module, node: ast.stmt) -> None:
    if isinstance(node, ast.Pass) or (
        isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    ):
        return
    if isinstance(node, ast.If) and _is_typing(node.test, module, "TYPE_CHECKING"):
        for statement in node.orelse:
            _add_statement(module, statement)
        return
    if isinstance(node, ast.ImportFrom) and node.module == "__future__":
        module.future |= any(alias.name == "annotations" for alias in node.names)
        return
    decorators = node.decorator_list if isinstance(node, FUNCTIONS) else []
    if any(_is_typing(decorator, module, "overload") for decorator in decorators):
        return  # the implementation follows
    bare = isinstance(node, (ast.Import, ast.ImportFrom))
    definition = None if bare else Definition(module, node, (), main=_is_main(node))
    names: dict[str, None] = {}
    for part in own_nodes(node):
        if not isinstance(part, (ast.Import, ast.ImportFrom)):
            names |= dict.fromkeys(bound_by(part))
            continue
        for name, imported in imported_by(part, module.package):
            if not bare and name.isidentifier():
                names[name] = None  # the statement around decides what it refers to
            if definition is not None and definition.main:
                continue
            module.steps.append(imported)
            if name == "*":
                module.stars.append(imported.module)
            elif not bare or imported not in module.bound.get(name, ()):
                module.bound.setdefault(name, []).append(imported)
    if definition is not None:
        definition.names = tuple(names)
        module.steps.append(definition)
        for name in names:
            module.bound.setdefault(name, []).append(definition)


def imported_by(node: ast.Import | ast.ImportFrom, package: str) -> Iterator[tuple[str, Imported]]:
    """The names that an import statement binds, with what they refer to; ``*`` for all."""
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
        chain.append(node.attr)
        node = node.value
    return node, tuple(reversed(chain))


def text_of(node: ast.AST | None) -> str | None:
    """The value of a constant string; None for other expressions."""
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def values_of(call: ast.Call) -> list[ast.expr]:
    """The arguments of a call."""
    return [*call.args, *(word.value for word in call.keywords)]


def defaults_of(arguments: ast.arguments) -> list[ast.expr]:
    """Default values of parameters; they belong to the scope around the function."""
    return [d for d in (*arguments.defaults, *arguments.kw_defaults) if d is not None]


def arguments_of(arguments: ast.arguments) -> list[ast.arg]:
    """All parameters."""
    star = [argument for argument in (arguments.vararg, arguments.kwarg) if argument is not None]
    return [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, *star]


def _is_typing(node: ast.expr, module: Module, name: str) -> bool:
    """Whether an expression is something of that name in ``typing``."""
    root, chain = attribute_chain(node)
    bound = module.bound.get(getattr(root, "id", ""), [])
    return bound in ([Imported("typing", name)], [Imported("typing")]) and chain in ((), (name,))


def _is_main(node: ast.stmt) -> bool:
    """Whether it is ``if __name__ == "__main__":`` without an else."""
    plain = isinstance(node, ast.If) and not node.orelse
    return plain and ast.unparse(node.test) == "__name__ == '__main__'"


def own_nodes(node: ast.AST) -> Iterator[ast.AST]:
    """A node and all below it that run in the same scope, in order."""
    todo = [node]
    while todo:
        part = todo.pop()
        yield part
        if isinstance(part, FUNCTIONS):
            below = [*part.decorator_list, *defaults_of(part.args)]
        elif isinstance(part, ast.ClassDef):
            below = [*part.decorator_list, *part.bases, *(word.value for word in part.keywords)]
        elif isinstance(part, ast.Lambda):
            below = defaults_of(part.args)
        elif isinstance(part, _COMPREHENSIONS):  # its first iterable, and names bound by :=
            named = [n for n in ast.walk(part) if isinstance(n, ast.NamedExpr)]
            below = [part.generators[0].iter, *named]
        else:
            below = list(ast.iter_child_nodes(part))
        todo += reversed(below)


def bound_by(node: ast.AST) -> Iterator[str]:
    """Names that one node binds in its scope, imports aside."""
    if isinstance(node, ast.Name):
        if not isinstance(node.ctx, ast.Load):
            yield node.id
    elif isinstance(node, (*FUNCTIONS, ast.ClassDef)):
        yield node.name
    elif isinstance(node, (ast.ExceptHandler, ast.MatchAs, ast.MatchStar)):
        if node.name:
            yield node.name
    elif isinstance(node, ast.MatchMapping) and node.rest:
        yield node.rest


def meaningful(body: list[ast.stmt]) -> list[ast.stmt]:
    """Statements without docstrings, other lone constants and ``pass``, which do nothing."""
    return [
        node
        for node in body
        if not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))
        and not isinstance(node, ast.Pass)
    ]


@dataclass
class Meaning:
    """What a definition means."""

    text: str = ""  # its syntax tree, the same for all versions of Python
    # Names of the module, or imported inside functions, that it uses, in order.
    used: list[Used] = field(default_factory=list)
    loads: list[Imported] = field(default_factory=list)  # what it imports when it runs
    imports: dict[str, list[Imported]] = field(default_factory=dict)  # by the names that it binds
    names: list[str] = field(default_factory=list)  # dotted names in its strings
    paths: list[str] = field(default_factory=list)  # and paths
    # All names, attributes and one-word strings in it, whatever they refer to.
    mentions: set[str] = field(default_factory=set)
    calls: list[ast.Call] = field(default_factory=list)  # that are given something by its name
    typed: bool = False  # annotations count in it


def meaning_of(definition: Definition, everything: bool = False) -> Meaning:
    """What a definition means; ``everything``: docstrings and annotations count."""
    return _Reader(definition, everything).read()


class _Reader:
    """Reads a definition once, for its text and the names it uses. It does not recurse."""

    def __init__(self, definition: Definition, everything: bool):
        self.definition, self.everything = definition, everything
        self.meaning = Meaning()
        self.out: list[str] = []
        self.used: list[tuple[str, tuple[str, ...], str]] = []
        self.globals = _global_names(definition)
        self.todo: list = []
        self.harmless: set[ast.AST] = set()  # names of functions that count as none

    def read(self) -> Meaning:
        todo, out = self.todo, self.out
        todo.append((self.definition.node, ""))
        while todo:
            item = todo.pop()
            if isinstance(item, str):
                out.append(item)
                continue
            value, scope = item
            if isinstance(value, ast.AST):
                getattr(self, f"_{type(value).__name__}", self._any)(value, scope)
            elif isinstance(value, list):
                out.append("[")
                todo.append("]")
                todo += [(part, scope) for part in reversed(value)]
            else:
                out.append(f"{type(value).__name__}:{value!r};")
        self.meaning.text = "".join(out)
        self.meaning.used = list(dict.fromkeys(self._resolved()))
        return self.meaning

    def _resolved(self) -> Iterator[Used]:
        for name, attributes, scope in self.used:
            for imported in self.meaning.imports.get(name, ()):
                yield Used(name, attributes, imported)
            if name in self.globals or scope == "annotation":
                yield Used(name, attributes)

    def _push(self, *items) -> None:
        """Read these next, in this order: texts, and things with the kind of scope around them."""
        self.todo += reversed(items)

    def _any(self, node: ast.AST, scope: str) -> None:
        items: list = [f"{type(node).__name__}("]
        for name in node._fields:
            value = getattr(node, name, None)
            # Fields that newer versions of Python added are empty where they are not used.
            if value is None or name in _SILENT:
                continue
            if isinstance(value, list):
                if value and isinstance(value[0], ast.stmt) and not self.everything:
                    value = meaningful(value)
                if not value:
                    continue
            items += (f"{name}=", (value, scope))
        self._push(*items, ")")

    def _Constant(self, node: ast.Constant, scope: str) -> None:
        self.out.append(f"{type(node.value).__name__}:{node.value!r};")
        if not isinstance(node.value, str):
            return
        if node.value.isidentifier():
            self.meaning.mentions.add(node.value)  # as in getattr(f, "__doc__")
        elif "." in node.value or "/" in node.value:
            self.meaning.names += _DOTTED.findall(node.value)
            self.meaning.paths += [node.value, *_PATHS.findall(node.value)]
        if scope == "annotation":
            try:
                inner = ast.parse(node.value, mode="eval")
            except (SyntaxError, ValueError):
                return
            self._push((inner.body, scope))

    def _JoinedStr(self, node: ast.JoinedStr, scope: str) -> None:
        if all(isinstance(part, ast.Constant) for part in node.values):  # f"text"
            self._push((ast.Constant("".join(part.value for part in node.values)), scope))
        else:
            self._any(node, scope)

    def _Compare(self, node: ast.Compare, scope: str) -> None:
        # Whether a function has a parameter: nothing else of its signature is looked at.
        for part in node.comparators if isinstance(node.ops[0], (ast.In, ast.NotIn)) else ():
            if isinstance(part, ast.Attribute) and part.attr == "parameters":
                self.harmless.add(getattr(part.value, "func", part))
        self._any(node, scope)

    def _Call(self, node: ast.Call, scope: str) -> None:
        if any(isinstance(part, (ast.Name, ast.Attribute)) for part in values_of(node)):
            self.meaning.calls.append(node)
        self._any(node, scope)

    def _Name(self, node: ast.Name, scope: str) -> None:
        self.out.append(f"Name({node.id})")
        if node not in self.harmless:
            self._use(node.id, (), scope)

    def _Attribute(self, node: ast.Attribute, scope: str) -> None:
        below, chain = attribute_chain(node)
        if node in self.harmless:
            return self.out.append(ast.dump(node))
        self.meaning.mentions.update(chain)
        if isinstance(below, ast.Name):
            self.out.append(f"Name({below.id}).{'.'.join(chain)};")
            self._use(below.id, chain, scope)
        else:
            self._push((below, scope), f".{'.'.join(chain)};")

    def _use(self, name: str, attributes: tuple[str, ...], scope: str) -> None:
        self.meaning.mentions.add(name)
        self.used.append((name, attributes, scope))

    def _Global(self, node: ast.Global, scope: str) -> None:
        self._any(node, scope)
        for name in node.names:
            self._use(name, (), scope)

    def _Import(self, node: ast.Import | ast.ImportFrom, scope: str) -> None:
        # What the names refer to follows from their uses, so a definition may move to another file.
        names = []
        for name, imported in imported_by(node, self.definition.module.package):
            names.append(name)
            self.meaning.imports.setdefault(name, []).append(imported)
            self.meaning.loads.append(imported)
        self.out.append(f"Import({';'.join(names)})")
        if scope == "class":  # they are attributes of the class
            for name in names:
                self._use(name, (), scope)

    _ImportFrom = _Import

    def _AnnAssign(self, node: ast.AnnAssign, scope: str) -> None:
        # In a class they may be the fields of a dataclass, a model or a typed tuple.
        if self.everything or scope == "class":
            self.meaning.typed = True
            value = [(node.value, scope)] if node.value is not None else []
            annotation = (node.annotation, "annotation")
            self._push("AnnAssign(", (node.target, scope), ":", annotation, *value, ")")
        elif node.value is not None:
            self._push(
                "Assign(targets=[", (node.target, scope), "]value=", (node.value, scope), ")"
            )

    def _arguments(self, node: ast.arguments, scope: str) -> None:
        items: list = []
        groups = (node.posonlyargs, node.args, [node.vararg], node.kwonlyargs, [node.kwarg])
        for group in groups:
            items.append("|")
            for argument in filter(None, group):
                items.append(f"{argument.arg},")
                if self.everything and argument.annotation is not None:
                    items.append((argument.annotation, "annotation"))
        items.append("=")
        for default in (*node.defaults, None, *node.kw_defaults):
            items.append("None;" if default is None else (default, scope))
        self._push(*items)

    def _FunctionDef(self, node, scope: str) -> None:
        is_class = isinstance(node, ast.ClassDef)
        self.meaning.typed |= self.everything
        heads = [node.bases, node.keywords] if is_class else [node.args]
        heads = [node.decorator_list, *heads, getattr(node, "type_params", None) or []]
        items: list = [(part, scope) for part in heads]
        if self.everything and getattr(node, "returns", None) is not None:
            items.append((node.returns, "annotation"))
        body = node.body if self.everything else meaningful(node.body)
        items.append((body, "class" if is_class else "function"))
        self._push(f"{type(node).__name__}({node.name}", *items, ")")

    _AsyncFunctionDef = _ClassDef = _FunctionDef


def _global_names(definition: Definition) -> set[str]:
    """Names that may be the module's, by Python's own tables of symbols."""
    node = definition.node
    found = {
        name
        for part in own_nodes(node)
        for name in ([part.id] if isinstance(part, ast.Name) else bound_by(part))
    }
    first = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", []))])
    todo = [t for t in definition.module.tables if first <= t.get_lineno() <= node.end_lineno]
    while todo:
        table = todo.pop()
        todo += table.get_children()
        own_class = table.get_type() == "class"
        for symbol in table.get_symbols():
            # The body of a class may read a name of the module before it binds its own.
            if symbol.is_global() or (own_class and symbol.is_referenced()):
                found.add(symbol.get_name())
    return found
