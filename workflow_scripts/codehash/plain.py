"""Whether importing a module does nothing but bind names.

A module is plain if its top level has only imports, functions, classes and constants, each name
bound once, and evaluates nothing but literals, names, and calls of the few functions below, which
have no effect and look at nothing that could change. In doubt a module is not plain.
"""

import ast
from enum import IntEnum

from workflow_scripts.codehash.definitions import (
    BUILTINS,
    FUNCTIONS,
    Definition,
    Module,
    arguments_of,
    defaults_of,
    own_nodes,
    text_of,
    words,
)
from workflow_scripts.codehash.repository import Repository

# Functions whose results are values: what can be done with them runs no code of the repository.
_VALUES = words(
    "builtins.abs builtins.bool builtins.bytes builtins.dict builtins.dict.fromkeys builtins.dir "
    "builtins.float builtins.frozenset builtins.int builtins.len builtins.list "
    "builtins.max builtins.min builtins.range builtins.round builtins.set "
    "builtins.sorted builtins.str builtins.sum builtins.tuple math.exp math.log "
    "math.log2 math.log10 math.pow math.sqrt os.path.abspath os.path.basename os.path.dirname "
    "os.path.join os.path.realpath pathlib.Path pathlib.PurePath re.compile textwrap.dedent "
    "fractions.Fraction decimal.Decimal types.MappingProxyType"
)
# Functions whose results keep what they are given; nothing is called.
_OBJECTS = words(
    "collections.defaultdict collections.deque collections.namedtuple contextvars.ContextVar "
    "dataclasses.field enum.auto functools.partial itertools.count logging.getLogger "
    "numpy.array numpy.dtype operator.attrgetter operator.itemgetter pydantic.AfterValidator "
    "pydantic.BeforeValidator pydantic.ConfigDict pydantic.Field pydantic.PlainSerializer "
    "threading.Lock threading.RLock torch.device torch.dtype types.SimpleNamespace typing.NewType "
    "typing.ParamSpec typing.TypeVar typing.TypeVarTuple builtins.object builtins.property"
)
_METHODS = words(
    "absolute as_posix copy decode encode format get items join joinpath keys lower lstrip "
    "partition read_bytes read_text relative_to removeprefix removesuffix replace resolve rsplit "
    "rstrip split splitlines strip title union upper values with_name with_stem with_suffix"
)
# Attributes of values that are values too; others, such as methods, are only kept.
_PROPERTIES = words(
    "denominator flags imag name numerator parent parents parts pattern real stem suffix"
)
# What can be gone through once: a value only where that happens at once.
_ITERATORS = words("builtins.enumerate builtins.reversed builtins.zip")
_DECORATORS = words(
    "abc.abstractmethod builtins.classmethod builtins.property builtins.staticmethod "
    "contextlib.asynccontextmanager contextlib.contextmanager functools.cache "
    "functools.cached_property functools.lru_cache pydantic.computed_field "
    "pydantic.field_validator pydantic.model_validator torch.autograd.function.once_differentiable "
    "torch.inference_mode torch.no_grad typing.final typing.overload typing.override"
)
_CLASS_DECORATORS = words(
    "dataclasses.dataclass enum.unique functools.total_ordering typing.final "
    "typing.runtime_checkable"
)
_BASES = words(
    "abc.ABC enum.Enum enum.Flag enum.IntEnum enum.IntFlag enum.StrEnum pydantic.BaseModel "
    "torch.autograd.Function torch.nn.Module threading.Thread typing.Generic typing.NamedTuple "
    "typing.Protocol typing.TypedDict"
)
_METACLASSES = words("abc.ABCMeta enum.EnumMeta enum.EnumType")
# Methods that run when a class is made, a subclass of it, or a member of an enumeration.
_HOOKS = words(
    "__class_getitem__ __init_subclass__ __mro_entries__ __prepare__ __set_name__ "
    "_generate_next_value_ __pydantic_init_subclass__ __get_pydantic_core_schema__ "
    "__get_pydantic_json_schema__ __pydantic_on_complete__"
)
_MAKING = words("__init__ __new__ __post_init__ __setattr__ __hash__ __eq__ __get__ __set__")
_STATE = ("os.environ", "os.getenv", "sys.", "logging.root")


class Kind(IntEnum):
    """What an expression gives."""

    UNKNOWN = 0  # evaluating it may run any code
    KEPT = 1  # an object that may be stored, and no more
    CALLABLE = 2  # a function or class; it is not called here
    VALUE = 3  # operators, methods and functions of it run no code of the repository


_Names = dict[str, Kind]


class Plainness:
    """Finds out which modules of a repository are plain."""

    def __init__(self, repository: Repository):
        self.repository = repository
        self._reasons: dict[Module, str] = {}
        self._reading: dict[Module, bool] = {}
        self._kinds: dict[Definition, Kind] = {}
        self._classes: dict[Definition, bool] = {}

    def reason(self, module: Module) -> str:
        """Why a module is not plain, with the line; empty if it is plain."""
        if module not in self._reasons:
            self._reading[module] = False
            self._reasons[module] = self._find_reason(module)
        return self._reasons[module]

    def reads(self, module: Module) -> bool:
        """Whether importing a plain module reads something that others could have changed."""
        self.reason(module)
        return self._reading[module]

    def _find_reason(self, module: Module) -> str:
        if module.broken:
            return f"not valid Python: {module.broken.msg}"
        if module.stars:
            return f"from {module.stars[0]} import *"
        for step in module.steps:
            if not isinstance(step, Definition) or step.main:
                continue
            node = step.node
            again = [name for name in step.names if len(module.bound[name]) > 1]
            if again or not self._statement(node, module, {}):
                what = f"{again[0]} is bound more than once" if again else module.first_line(node)
                return f"line {node.lineno}: {what}"
        for name, bound in module.bound.items():
            if len(bound) > 1:
                return f"{name} is bound more than once"
        return ""

    # Statements

    def _statement(self, node: ast.stmt, module: Module, names: _Names) -> bool:
        """Whether a statement of a module or of a class only binds names."""
        if isinstance(node, FUNCTIONS):
            return self._function(node, module, names)
        if isinstance(node, ast.ClassDef):
            return self._class(node, module)
        if isinstance(node, ast.Assign):
            kind = self._kind(node.value, module, names)
            taken_apart = not all(isinstance(target, ast.Name) for target in node.targets)
            if taken_apart and kind is not Kind.VALUE and not isinstance(node.value, ast.Tuple):
                return False
            return bool(kind) and all(map(_is_name, node.targets))
        if isinstance(node, ast.AnnAssign):
            return (
                isinstance(node.target, ast.Name)
                and self._annotation(node.annotation, module, names)
                and (node.value is None or bool(self._kind(node.value, module, names)))
            )
        if isinstance(node, ast.Expr):
            return isinstance(node.value, ast.Constant)
        return isinstance(node, ast.Pass) or type(node).__name__ == "TypeAlias"

    def _function(self, node: ast.FunctionDef, module: Module, names: _Names) -> bool:
        annotations = [a.annotation for a in arguments_of(node.args)] + [node.returns]
        return (
            all(self._decorator(d, module, names) for d in node.decorator_list)
            and all(self._kind(default, module, names) for default in defaults_of(node.args))
            and all(self._annotation(a, module, names) for a in annotations if a is not None)
        )

    def _decorator(self, node: ast.expr, module: Module, names: _Names) -> bool:
        function, arguments = node, []
        if isinstance(node, ast.Call):
            function = node.func
            arguments = [*node.args, *(word.value for word in node.keywords)]
        if isinstance(node, ast.Attribute) and node.attr in ("setter", "getter", "deleter"):
            return isinstance(node.value, ast.Name) and node.value.id in names
        return self.repository.library(module, function) in _DECORATORS and all(
            self._kind(argument, module, names) is Kind.VALUE for argument in arguments
        )

    def _annotation(self, node: ast.expr, module: Module, names: _Names) -> bool:
        reading = self._reading[module]
        try:
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                node = ast.parse(node.value, mode="eval").body
            elif not module.future:
                return isinstance(node, ast.Name) or bool(self._kind(node, module, names))
        except (SyntaxError, ValueError):
            return True
        finally:
            self._reading[module] = reading  # only code that reads annotations could see it
        # It may name what only type checkers know.
        calls = [part for part in ast.walk(node) if isinstance(part, (ast.Call, ast.NamedExpr))]
        return all(self._kind(call, module, names) for call in calls)

    def _class(self, node: ast.ClassDef, module: Module) -> bool:
        """Whether a class statement only makes a class: in its body, and by its bases."""
        if not self._is_quiet(node, module):
            return False
        for decorator in node.decorator_list:
            call = isinstance(decorator, ast.Call)
            function = decorator.func if call else decorator
            values = [word.value for word in decorator.keywords] if call else []
            if (
                self.repository.library(module, function) not in _CLASS_DECORATORS
                or (call and decorator.args)
                or not all(self._kind(v, module, {}) is Kind.VALUE for v in values)
            ):
                return False
        names: _Names = {}
        for statement in node.body:
            if not self._statement(statement, module, names):
                return False
            for name in _bound_in(statement):
                value = getattr(statement, "value", None)
                kind = self._kind(value, module, names) if value is not None else Kind.KEPT
                names[name] = kind if name not in names else Kind.KEPT
        return True

    def _is_quiet(self, node: ast.ClassDef, module: Module) -> bool:
        """Whether no code of the repository runs as a class, or one that derives from it, is made."""
        methods = {part.name for part in node.body if isinstance(part, FUNCTIONS)}
        if methods & _HOOKS:
            return False
        for word in node.keywords:
            if word.arg == "metaclass":
                if self.repository.library(module, word.value) not in _METACLASSES:
                    return False
            elif word.arg is None or self._kind(word.value, module, {}) is not Kind.VALUE:
                return False
        roots = self._roots(node, module)
        if any(root.startswith("enum.") for root in roots) and methods & (_MAKING | {"__repr__"}):
            return False  # members are made along with the class
        return "" not in roots

    def _roots(self, node: ast.ClassDef, module: Module) -> set[str]:
        """Classes of libraries that a class derives from; an empty text for one not known."""
        found = set()
        for base in node.bases:
            index = base.slice if isinstance(base, ast.Subscript) else None
            plain = base.value if isinstance(base, ast.Subscript) else base
            library = self.repository.library(module, plain)
            if library:
                known = library in _BASES or library.startswith("builtins.")
                found.add(library if known else "")
            else:
                found.add("object" if self._is_quiet_class(module, plain) else "")
                for target in self._class_of(module, plain):
                    found |= self._roots(target.node, target.module)
            if index is not None and not self._kind(index, module, {}):
                found.add("")
        return found

    def _class_of(self, module: Module, node: ast.expr) -> list[Definition]:
        targets = self.repository.resolve_expression(module, node)
        if len(targets) == 1 and isinstance(targets[0], Definition):
            if isinstance(targets[0].node, ast.ClassDef):
                return targets
        return []

    def _is_quiet_class(self, module: Module, node: ast.expr) -> bool:
        """Whether an expression is a class of the repository from which others derive quietly."""
        for target in self._class_of(module, node):
            if target not in self._classes:
                self._classes[target] = False  # until it is known, against circles
                once = len(target.module.bound[target.node.name]) == 1
                decorated = all(
                    self.repository.library(target.module, getattr(d, "func", d))
                    in _CLASS_DECORATORS
                    for d in target.node.decorator_list
                )
                self._classes[target] = (
                    once and decorated and self._is_quiet(target.node, target.module)
                )
            return self._classes[target]
        return False

    def _is_record(self, module: Module, node: ast.expr) -> bool:
        """Whether calling a class only keeps its arguments: a dataclass or a named tuple."""
        for target in self._class_of(module, node):
            if not self._is_quiet_class(module, node) or _own_making(target.node):
                return False
            made = {
                self.repository.library(target.module, getattr(d, "func", d))
                for d in target.node.decorator_list
            }
            bases = target.node.bases
            if bases:
                return self._roots(target.node, target.module) == {"typing.NamedTuple"}
            return "dataclasses.dataclass" in made and not _calls_factories(target.node)
        return False

    # Expressions

    def _kind(self, node: ast.AST, module: Module, names: _Names) -> Kind:
        method = getattr(self, f"_{type(node).__name__}", None)
        return method(node, module, names) if method else Kind.UNKNOWN

    def _Constant(self, node: ast.Constant, module: Module, names: _Names) -> Kind:
        return Kind.VALUE

    def _Name(self, node: ast.Name, module: Module, names: _Names) -> Kind:
        if node.id in names:
            return names[node.id]
        if node.id in ("__file__", "__name__", "__package__", "__doc__"):
            return Kind.VALUE
        if node.id not in module.bound and node.id in BUILTINS:
            return Kind.CALLABLE
        return self._of_targets(node, module)

    def _Attribute(self, node: ast.Attribute, module: Module, names: _Names) -> Kind:
        targets = self.repository.resolve_expression(module, node)
        if targets:
            return self._of_targets(node, module)
        if isinstance(node.value, ast.Name) and node.value.id in BUILTINS:
            return Kind.CALLABLE  # a method of a builtin class
        kind = self._kind(node.value, module, names)
        if kind is Kind.VALUE and node.attr not in _PROPERTIES:
            return Kind.KEPT
        return kind if kind in (Kind.VALUE, Kind.KEPT) else Kind.UNKNOWN

    def _of_targets(self, node: ast.expr, module: Module) -> Kind:
        targets = self.repository.resolve_expression(module, node)
        if len(targets) != 1:
            return Kind.UNKNOWN
        target = targets[0]
        if isinstance(target, str):
            self._reading[module] |= target.startswith(_STATE)
            return Kind.VALUE
        self._reading[module] = True
        if isinstance(target, Module):
            return Kind.KEPT
        own = isinstance(node, ast.Name) or node.attr in target.names
        if isinstance(target.node, FUNCTIONS):
            return Kind.CALLABLE if own else Kind.KEPT
        if isinstance(target.node, ast.ClassDef):
            quiet = self._is_quiet_class(module, node if own else node.value)
            return (Kind.CALLABLE if own else Kind.KEPT) if quiet else Kind.UNKNOWN
        kind = self._of_constant(target)
        if own or not kind:
            return kind
        return kind if kind is Kind.VALUE and node.attr in _PROPERTIES else Kind.KEPT

    def _of_constant(self, target: Definition) -> Kind:
        if target not in self._kinds:
            self._kinds[target] = Kind.UNKNOWN  # until it is known, against circles
            node = target.node
            once = all(len(target.module.bound[name]) == 1 for name in target.names)
            if once and isinstance(node, (ast.Assign, ast.AnnAssign)) and node.value is not None:
                self._reading.setdefault(target.module, False)
                self._kinds[target] = self._kind(node.value, target.module, {})
        return self._kinds[target]

    def _all(self, nodes, module: Module, names: _Names) -> Kind:
        """The least of several expressions; a value if there are none."""
        return min((self._kind(node, module, names) for node in nodes), default=Kind.VALUE)

    def _kept(self, kind: Kind) -> Kind:
        return Kind.KEPT if kind is Kind.CALLABLE else kind

    def _Tuple(self, node: ast.Tuple | ast.List, module: Module, names: _Names) -> Kind:
        return self._kept(self._all(node.elts, module, names))

    _List = _Tuple

    def _Set(self, node: ast.Set, module: Module, names: _Names) -> Kind:
        kind = self._all(node.elts, module, names)
        return self._kept(kind) if kind >= Kind.CALLABLE else Kind.UNKNOWN  # hashed

    def _Dict(self, node: ast.Dict, module: Module, names: _Names) -> Kind:
        keys = self._all([key for key in node.keys if key is not None], module, names)
        merged = [v for k, v in zip(node.keys, node.values, strict=True) if k is None]
        if keys < Kind.CALLABLE or self._all(merged, module, names) is not Kind.VALUE:
            return Kind.UNKNOWN
        return self._kept(min(keys, self._all(node.values, module, names)))

    def _Starred(self, node: ast.Starred, module: Module, names: _Names) -> Kind:
        return self._value(self._iterated(node.value, module, names))

    def _value(self, *kinds: Kind) -> Kind:
        return Kind.VALUE if all(kind is Kind.VALUE for kind in kinds) else Kind.UNKNOWN

    def _JoinedStr(self, node: ast.JoinedStr, module: Module, names: _Names) -> Kind:
        return self._value(self._all(node.values, module, names))

    def _FormattedValue(self, node: ast.FormattedValue, module: Module, names: _Names) -> Kind:
        parts = [node.value, *([node.format_spec] if node.format_spec else [])]
        return self._value(self._all(parts, module, names))

    def _BinOp(self, node: ast.BinOp, module: Module, names: _Names) -> Kind:
        kind = self._all([node.left, node.right], module, names)
        if isinstance(node.op, ast.BitOr) and kind is Kind.CALLABLE:  # classes, in an annotation
            return Kind.CALLABLE
        return self._value(kind)

    def _BoolOp(self, node: ast.BoolOp, module: Module, names: _Names) -> Kind:
        return self._value(self._all(node.values, module, names))

    def _UnaryOp(self, node: ast.UnaryOp, module: Module, names: _Names) -> Kind:
        return self._value(self._kind(node.operand, module, names))

    def _Compare(self, node: ast.Compare, module: Module, names: _Names) -> Kind:
        return self._value(self._all([node.left, *node.comparators], module, names))

    def _IfExp(self, node: ast.IfExp, module: Module, names: _Names) -> Kind:
        if self._kind(node.test, module, names) is not Kind.VALUE:
            return Kind.UNKNOWN
        return self._all([node.body, node.orelse], module, names)

    def _Subscript(self, node: ast.Subscript, module: Module, names: _Names) -> Kind:
        below = self._kind(node.value, module, names)
        index = self._kind(node.slice, module, names)
        if below is Kind.CALLABLE and index:  # of a class, in an annotation
            quiet = self.repository.library(module, node.value)
            return below if quiet or self._is_quiet_class(module, node.value) else Kind.UNKNOWN
        if self.repository.library(module, node.value) and index:
            return Kind.VALUE if index is Kind.VALUE else Kind.CALLABLE
        return self._value(below, index)

    def _Slice(self, node: ast.Slice, module: Module, names: _Names) -> Kind:
        parts = [part for part in (node.lower, node.upper, node.step) if part is not None]
        return self._value(self._all(parts, module, names))

    def _Lambda(self, node: ast.Lambda, module: Module, names: _Names) -> Kind:
        return min(Kind.CALLABLE, self._all(defaults_of(node.args), module, names))

    def _ListComp(self, node, module: Module, names: _Names) -> Kind:
        inner = dict(names)
        for generator in node.generators:
            if (
                generator.is_async
                or self._iterated(generator.iter, module, inner) is not Kind.VALUE
            ):
                return Kind.UNKNOWN
            for part in ast.walk(generator.target):
                if isinstance(part, ast.Name):
                    inner[part.id] = Kind.VALUE
            if self._all(generator.ifs, module, inner) is not Kind.VALUE:
                return Kind.UNKNOWN
        if isinstance(node, ast.DictComp):
            return self._Dict(ast.Dict([node.key], [node.value]), module, inner)
        if isinstance(node, ast.SetComp):
            return self._Set(ast.Set([node.elt]), module, inner)
        return self._kept(self._kind(node.elt, module, inner))

    _SetComp = _DictComp = _ListComp

    def _GeneratorExp(self, node: ast.GeneratorExp, module: Module, names: _Names) -> Kind:
        return min(Kind.KEPT, self._ListComp(node, module, names))

    def _iterated(self, node: ast.AST, module: Module, names: _Names) -> Kind:
        """What an expression gives to something that goes through it at once."""
        if isinstance(node, ast.GeneratorExp):
            return self._ListComp(node, module, names)
        if isinstance(node, ast.Call) and self.repository.library(module, node.func) in _ITERATORS:
            return min((self._iterated(n, module, names) for n in node.args), default=Kind.UNKNOWN)
        return self._kind(node, module, names)

    def _Call(self, node: ast.Call, module: Module, names: _Names) -> Kind:
        arguments = [*node.args, *(word.value for word in node.keywords)]
        kind = self._all(arguments, module, names)
        local = isinstance(node.func, ast.Name) and node.func.id in names
        library = "" if local else self.repository.library(module, node.func)
        given = min((self._iterated(a, module, names) for a in arguments), default=Kind.VALUE)
        if library in _ITERATORS:
            return min(Kind.KEPT, self._value(given))
        if library in _VALUES:
            return self._value(given)
        if library in _OBJECTS:
            return min(Kind.KEPT, kind)
        if not library and isinstance(node.func, ast.Attribute) and node.func.attr in _METHODS:
            return self._value(given, self._kind(node.func.value, module, names))
        if not local and kind and self._is_record(module, node.func):
            self._reading[module] = True
            return Kind.KEPT
        if local or given is not Kind.VALUE:
            return Kind.UNKNOWN
        return self._returned(node.func, module)

    def _returned(self, function: ast.expr, module: Module) -> Kind:
        """What a function of one expression returns for values."""
        targets = self.repository.resolve_expression(module, function)
        target = targets[0] if len(targets) == 1 else None
        if not isinstance(target, Definition) or not isinstance(target.node, ast.FunctionDef):
            return Kind.UNKNOWN
        if target not in self._kinds:
            self._kinds[target] = Kind.UNKNOWN  # until it is known, against circles
            body = [
                part for part in target.node.body if text_of(getattr(part, "value", None)) is None
            ]
            names = {argument.arg: Kind.VALUE for argument in arguments_of(target.node.args)}
            if (
                len(body) == 1
                and isinstance(body[0], ast.Return)
                and body[0].value is not None
                and not target.node.decorator_list
                and len(target.module.bound[target.node.name]) == 1
            ):
                self._kinds[target] = self._kind(body[0].value, target.module, names)
        self._reading[module] = True
        return self._value(self._kinds[target])


def _is_name(target: ast.expr) -> bool:
    """Whether an assignment to it binds names, and takes apart no more than a tuple."""
    if isinstance(target, (ast.Tuple, ast.List)):
        return all(map(_is_name, target.elts))
    return isinstance(getattr(target, "value", target), ast.Name) and not isinstance(
        target, (ast.Attribute, ast.Subscript)
    )


def _bound_in(statement: ast.stmt) -> list[str]:
    if isinstance(statement, (*FUNCTIONS, ast.ClassDef)):
        return [statement.name]
    return [
        part.id
        for part in own_nodes(statement)
        if isinstance(part, ast.Name) and not isinstance(part.ctx, ast.Load)
    ]


def _own_making(node: ast.ClassDef) -> bool:
    """Whether a class says how its objects are made."""
    return any(part.name in _MAKING for part in node.body if isinstance(part, FUNCTIONS))


def _calls_factories(node: ast.ClassDef) -> bool:
    """Whether a dataclass may call a function to make a field's value."""
    return any(
        isinstance(part, ast.keyword)
        and part.arg == "default_factory"
        and getattr(part.value, "id", "") not in ("dict", "list", "set")
        for part in ast.walk(node)
    )
