"""Whether importing a module does nothing but bind names.

A plain module has only imports, functions, classes and constants, each name bound once, made of
literals, names, and calls of the functions below, which have no effect. In doubt it is not plain.
"""

import ast
import re
from dataclasses import dataclass, field
from enum import IntEnum

from workflow_scripts.codehash.definitions import (
    BUILTINS,
    FUNCTIONS,
    Definition,
    Module,
    arguments_of,
    bound_by,
    defaults_of,
    own_nodes,
    text_of,
    values_of,
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
_CONTEXT = "contextlib.contextmanager"
# Expressions that give a value if all their parts are values.
_OPERATIONS = words("BinOp BoolOp Compare FormattedValue JoinedStr Slice UnaryOp")
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp)


class Kind(IntEnum):
    """What an expression gives."""

    UNKNOWN = 0  # evaluating it may run any code
    KEPT = 1  # an object that may be stored, and no more
    CALLABLE = 2  # a function or class; it is not called here
    VALUE = 3  # operators, methods and functions of it run no code of the repository


@dataclass
class _Place:
    """Where an expression is: its module, and what the names of a class or comprehension are."""

    module: Module
    names: dict[str, Kind] = field(default_factory=dict)


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
        for step in module.definitions:
            again = [name for name in step.names if len(module.bound[name]) > 1]
            if again and not step.main:
                return f"line {step.node.lineno}: {again[0]} is bound more than once"
            if not step.main and not self._statement(step.node, _Place(module)):
                return f"line {step.node.lineno}: {module.first_line(step.node)}"
        again = [name for name, bound in module.bound.items() if len(bound) > 1]
        return f"{again[0]} is bound more than once" if again else ""

    # Statements

    def _statement(self, node: ast.stmt, at: _Place) -> bool:
        """Whether a statement of a module or of a class only binds names."""
        if isinstance(node, FUNCTIONS):
            annotations = [a.annotation for a in arguments_of(node.args)] + [node.returns]
            return (
                all(self._decorator(d, at, _DECORATORS) for d in node.decorator_list)
                and all(self._kind(default, at) for default in defaults_of(node.args))
                and all(self._annotation(a, at) for a in annotations if a is not None)
            )
        if isinstance(node, ast.ClassDef):
            return self._class(node, at.module)
        if isinstance(node, ast.Assign):
            kind = self._kind(node.value, at)
            apart = not all(isinstance(target, ast.Name) for target in node.targets)
            if apart and kind is not Kind.VALUE and not isinstance(node.value, ast.Tuple):
                return False
            return bool(kind) and all(map(_binds, node.targets))
        if isinstance(node, ast.AnnAssign):
            value = node.value is None or self._kind(node.value, at)
            return _binds(node.target) and bool(value) and self._annotation(node.annotation, at)
        if isinstance(node, ast.Expr):
            return isinstance(node.value, ast.Constant)
        return isinstance(node, ast.Pass) or type(node).__name__ == "TypeAlias"

    def _decorator(self, node: ast.expr, at: _Place, known: frozenset[str]) -> bool:
        if isinstance(node, ast.Attribute) and node.attr in ("setter", "getter", "deleter"):
            return isinstance(node.value, ast.Name) and node.value.id in at.names
        values = values_of(node) if isinstance(node, ast.Call) else []
        function = self.repository.library(at.module, getattr(node, "func", node))
        # Calling a function that makes contexts does nothing before one of them is entered.
        maker = self._only(node.func, at, FUNCTIONS) if isinstance(node, ast.Call) else None
        by = maker.node.decorator_list if maker else []
        context = [self.repository.library(maker.module, d) for d in by] == [_CONTEXT]
        return (function in known or context) and self._least(values, at) is Kind.VALUE

    def _annotation(self, node: ast.expr, at: _Place) -> bool:
        reading = self._reading[at.module]  # only code that reads annotations could see it
        parts: list[ast.AST] = [node]
        if text_of(node) is not None or at.module.future:
            # It may name what only type checkers know.
            try:
                node = ast.parse(text_of(node) or ast.unparse(node), mode="eval").body
            except (SyntaxError, ValueError):
                return True
            parts = [n for n in ast.walk(node) if isinstance(n, (ast.Call, ast.NamedExpr))]
        known = all(isinstance(part, ast.Name) or self._kind(part, at) for part in parts)
        self._reading[at.module] = reading
        return known

    # Classes

    def _class(self, node: ast.ClassDef, module: Module) -> bool:
        """Whether a class statement only makes a class: in its body, and by its bases."""
        at = _Place(module)
        if not self._is_quiet(node, at):
            return False
        for statement in node.body:
            if not self._statement(statement, at):
                return False
            value = getattr(statement, "value", None)
            kind = self._kind(value, at) if value is not None else Kind.KEPT
            for name in {name for part in own_nodes(statement) for name in bound_by(part)}:
                at.names[name] = Kind.KEPT if name in at.names else kind
        return True

    def _is_quiet(self, node: ast.ClassDef, at: _Place) -> bool:
        """Whether no code of the repository runs as a class, or one derived from it, is made."""
        for word in node.keywords:
            if word.arg == "metaclass":
                if self.repository.library(at.module, word.value) not in _METACLASSES:
                    return False
            elif word.arg is None or self._kind(word.value, at) is not Kind.VALUE:
                return False
        roots = self._roots(node, at)
        # The members of an enumeration are made along with the class.
        making = any(root.startswith("enum.") for root in roots) and "making" in roots
        decorated = all(self._decorator(d, at, _CLASS_DECORATORS) for d in node.decorator_list)
        return decorated and not making and "" not in roots

    def _roots(self, node: ast.ClassDef, at: _Place) -> set[str]:
        """Classes of libraries that a class derives from; an empty text for one not known."""
        methods = {part.name for part in node.body if isinstance(part, FUNCTIONS)}
        found = {"making"} if methods & _MAKING else set()
        if methods & _HOOKS:
            found.add("")
        for base in node.bases:
            plain = base.value if isinstance(base, ast.Subscript) else base
            library = self.repository.library(at.module, plain)
            target = self._only(plain, at, ast.ClassDef)
            if library in _BASES or library.startswith("builtins."):
                found.add(library)
            elif target is not None and self._is_quiet_class(target):
                found |= self._roots(target.node, _Place(target.module))
            else:
                found.add("")
            if isinstance(base, ast.Subscript) and not self._kind(base.slice, at):
                found.add("")
        return found

    def _only(self, node: ast.expr, at: _Place, kind: type | tuple) -> Definition | None:
        """The class or function of the repository that an expression names."""
        targets = self.repository.resolve_in(at.module, node)
        one = len(targets) == 1 and isinstance(getattr(targets[0], "node", None), kind)
        return targets[0] if one else None

    def _is_quiet_class(self, target: Definition) -> bool:
        if target not in self._classes:
            self._classes[target] = False  # until it is known, against circles
            once = len(target.module.bound[target.node.name]) == 1
            self._reading.setdefault(target.module, False)
            quiet = once and self._is_quiet(target.node, _Place(target.module))
            self._classes[target] = quiet
        return self._classes[target]

    def _is_record(self, target: Definition) -> bool:
        """Whether calling a class only keeps its arguments: a dataclass or a named tuple."""
        at, node = _Place(target.module), target.node
        if not self._is_quiet_class(target):
            return False
        if node.bases:
            return self._roots(node, at) == {"typing.NamedTuple"}
        decorators = [getattr(d, "func", d) for d in node.decorator_list]
        made = {self.repository.library(at.module, decorator) for decorator in decorators}
        calls = re.search(r"default_factory=(?!(dict|list|set)\b)", ast.unparse(node))
        return "dataclasses.dataclass" in made and not calls and not self._roots(node, at)

    # Expressions

    def _kind(self, node: ast.AST, at: _Place) -> Kind:
        if isinstance(node, ast.Constant):
            return Kind.VALUE
        if type(node).__name__ in _OPERATIONS:
            return self._operation(node, at)
        if isinstance(node, _COMPREHENSIONS):
            return self._comprehension(node, at)
        if isinstance(node, ast.GeneratorExp):
            return min(Kind.KEPT, self._comprehension(node, at))
        method = getattr(self, f"_{type(node).__name__}", None)
        return method(node, at) if method else Kind.UNKNOWN

    def _least(self, nodes: list[ast.expr], at: _Place) -> Kind:
        """The least of several expressions; a value if there are none."""
        return min((self._kind(node, at) for node in nodes), default=Kind.VALUE)

    def _iterated(self, node: ast.AST, at: _Place) -> Kind:
        """What an expression gives to something that goes through it at once."""
        if isinstance(node, ast.GeneratorExp):
            return self._comprehension(node, at)
        function = node.func if isinstance(node, ast.Call) else None
        if self.repository.library(at.module, function) in _ITERATORS:
            return min((self._iterated(n, at) for n in node.args), default=Kind.UNKNOWN)
        return self._kind(node, at)

    def _operation(self, node: ast.expr, at: _Place) -> Kind:
        parts = [part for part in ast.iter_child_nodes(node) if isinstance(part, ast.expr)]
        kind = self._least(parts, at)
        if isinstance(getattr(node, "op", None), ast.BitOr) and kind is Kind.CALLABLE:
            return kind  # classes, in an annotation
        return _value(kind)

    def _Name(self, node: ast.Name, at: _Place) -> Kind:
        if node.id in at.names:
            return at.names[node.id]
        if node.id in ("__file__", "__name__", "__package__", "__doc__"):
            return Kind.VALUE
        if node.id not in at.module.bound and node.id in BUILTINS:
            return Kind.CALLABLE
        return self._named(node, at)

    def _Attribute(self, node: ast.Attribute, at: _Place) -> Kind:
        if self.repository.library(at.module, node).startswith("builtins."):
            return Kind.CALLABLE  # a method of a builtin class
        if self.repository.resolve_in(at.module, node):
            return self._named(node, at)
        return _attribute(self._kind(node.value, at), node.attr)

    def _named(self, node: ast.expr, at: _Place) -> Kind:
        targets = self.repository.resolve_in(at.module, node)
        if len(targets) != 1:
            return Kind.UNKNOWN
        target = targets[0]
        if isinstance(target, str):
            self._reading[at.module] |= target.startswith(_STATE)
            return Kind.VALUE
        self._reading[at.module] = True
        if isinstance(target, Module):
            return Kind.KEPT
        kind = Kind.CALLABLE
        if not isinstance(target.node, FUNCTIONS):
            kind = self._constant(target)
        own = isinstance(node, ast.Name) or node.attr in target.names
        return kind if own else _attribute(kind, node.attr)

    def _constant(self, target: Definition) -> Kind:
        if isinstance(target.node, ast.ClassDef):
            return Kind.CALLABLE if self._is_quiet_class(target) else Kind.UNKNOWN
        if target not in self._kinds:
            self._kinds[target] = Kind.UNKNOWN  # until it is known, against circles
            value = getattr(target.node, "value", None)
            once = all(len(target.module.bound[name]) == 1 for name in target.names)
            if once and isinstance(target.node, (ast.Assign, ast.AnnAssign)) and value is not None:
                self._reading.setdefault(target.module, False)
                self._kinds[target] = self._kind(value, _Place(target.module))
        return self._kinds[target]

    def _Tuple(self, node: ast.Tuple | ast.List, at: _Place) -> Kind:
        return _kept(self._least(node.elts, at))

    _List = _Tuple

    def _Set(self, node: ast.Set, at: _Place) -> Kind:
        return self._Dict(ast.Dict(node.elts, node.elts), at)

    def _Dict(self, node: ast.Dict, at: _Place) -> Kind:
        keys = self._least([key for key in node.keys if key is not None], at)
        merged = [v for k, v in zip(node.keys, node.values, strict=True) if k is None]
        if keys < Kind.CALLABLE or self._least(merged, at) is not Kind.VALUE:
            return Kind.UNKNOWN  # keys are hashed
        return _kept(min(keys, self._least(node.values, at)))

    def _Starred(self, node: ast.Starred, at: _Place) -> Kind:
        return _value(self._iterated(node.value, at))

    def _Subscript(self, node: ast.Subscript, at: _Place) -> Kind:
        below, index = self._kind(node.value, at), self._kind(node.slice, at)
        if index and below is Kind.CALLABLE:  # of a class, in an annotation
            return below
        if index and self.repository.library(at.module, node.value):
            return Kind.VALUE if index is Kind.VALUE else Kind.CALLABLE
        return _value(below, index)

    def _Lambda(self, node: ast.Lambda, at: _Place) -> Kind:
        return min(Kind.CALLABLE, self._least(defaults_of(node.args), at))

    def _comprehension(self, node, at: _Place) -> Kind:
        inner = _Place(at.module, dict(at.names))
        for part in node.generators:
            if part.is_async or self._iterated(part.iter, inner) is not Kind.VALUE:
                return Kind.UNKNOWN
            names = [name for below in ast.walk(part.target) for name in bound_by(below)]
            inner.names |= dict.fromkeys(names, Kind.VALUE)
            if self._least(part.ifs, inner) is not Kind.VALUE:
                return Kind.UNKNOWN
        if isinstance(node, ast.DictComp):
            return self._Dict(ast.Dict([node.key], [node.value]), inner)
        if isinstance(node, ast.SetComp):
            return self._Set(ast.Set([node.elt]), inner)
        return _kept(self._kind(node.elt, inner))

    def _Call(self, node: ast.Call, at: _Place) -> Kind:
        values, function = values_of(node), node.func
        given = min((self._iterated(value, at) for value in values), default=Kind.VALUE)
        if isinstance(function, ast.Name) and function.id in at.names:
            return Kind.UNKNOWN
        library = self.repository.library(at.module, function)
        if library in _ITERATORS:
            return min(Kind.KEPT, _value(given))
        if library in _VALUES:
            return _value(given)
        if library in _OBJECTS:
            return min(Kind.KEPT, self._least(values, at))
        if library:
            return Kind.UNKNOWN
        if isinstance(function, ast.Attribute) and function.attr in _METHODS:
            return _value(given, self._kind(function.value, at))
        self._reading[at.module] = True
        record = self._only(function, at, ast.ClassDef)
        if record is not None and self._is_record(record):
            return min(Kind.KEPT, self._least(values, at))
        return Kind.UNKNOWN


def _value(*kinds: Kind) -> Kind:
    return Kind.VALUE if all(kind is Kind.VALUE for kind in kinds) else Kind.UNKNOWN


def _kept(kind: Kind) -> Kind:
    return Kind.KEPT if kind is Kind.CALLABLE else kind


def _attribute(kind: Kind, name: str) -> Kind:
    """What an attribute of something is."""
    return kind if kind is Kind.VALUE and name in _PROPERTIES else min(kind, Kind.KEPT)


def _binds(target: ast.expr) -> bool:
    """Whether an assignment to it binds names, and takes apart no more than a tuple."""
    if isinstance(target, (ast.Tuple, ast.List)):
        return all(map(_binds, target.elts))
    return isinstance(target.value if isinstance(target, ast.Starred) else target, ast.Name)
