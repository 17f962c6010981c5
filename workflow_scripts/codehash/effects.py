"""Whether a statement does more than bind names when its module is imported."""

import ast

from workflow_scripts.codehash.definitions import (
    BUILTINS,
    CALLABLE,
    FUNCTIONS,
    Definition,
    Imported,
    Module,
    defaults_of,
    imported_by,
    words,
)
from workflow_scripts.codehash.repository import Repository, Target

# Calls that change nothing, by the beginning of their dotted names.
_PURE = words(
    "abc collections contextlib copy dataclasses datetime decimal enum fractions functools "
    "itertools logging.getLogger math operator os.environ.get os.fspath os.getenv os.path pathlib "
    "pydantic re string textwrap types typing typing_extensions numpy importlib.resources.files "
    "importlib.util.find_spec importlib.metadata.version torch.no_grad torch.inference_mode "
    "torch.device torch.tensor"
)
# Calls that change something all the same.
_IMPURE = words(
    "builtins.__import__ builtins.breakpoint builtins.delattr builtins.eval builtins.exec "
    "builtins.input builtins.open builtins.print builtins.setattr numpy.random.seed numpy.seterr "
    "numpy.seterrcall numpy.set_printoptions numpy.random.set_state numpy.save numpy.savez "
    "functools.singledispatch.register"
)
# Methods by their names alone, where the class of the object is not known.
_READERS = words(
    "copy count decode deleter encode endswith format fromkeys get getter index items join keys "
    "lower lstrip partition removeprefix removesuffix replace rpartition rsplit rstrip setter "
    "split splitlines startswith strip title union upper values"
)
_PATH_READERS = words(
    "absolute as_posix exists is_dir is_file joinpath read_bytes read_text relative_to resolve "
    "with_name with_stem with_suffix"
)
_MUTATORS = words(
    "add append appendleft clear discard extend extendleft insert pop popitem popleft register "
    "remove reverse setdefault sort update __setitem__ __delitem__ write"
)
# What makes an object that has no other name yet.
_FRESH = (ast.Constant, ast.List, ast.Dict, ast.Set, ast.Tuple, ast.BinOp, ast.JoinedStr)


class Effects:
    """Tells which statements of a repository act. In doubt a statement does."""

    def __init__(self, repository: Repository):
        self.repository = repository
        self._acts: dict[Definition, bool] = {}
        self._called: dict[Definition, tuple[bool, list[Definition]]] = {}

    def acts(self, definition: Definition) -> bool:
        """Whether a statement may do more than bind its names, when its module is imported."""
        if definition not in self._acts:
            look = _Look(self.repository, definition.module)
            self._acts[definition] = look.at_statement(definition.node) or any(
                map(self._changes_others, look.calls)
            )
        return self._acts[definition]

    def _changes_others(self, definition: Definition) -> bool:
        """Whether calling a function or class may change what is not its own."""
        seen, todo = {definition}, [definition]
        while todo:
            changes, calls = self._when_called(todo.pop())
            if changes:
                return True
            todo += [called for called in calls if called not in seen]
            seen.update(calls)
        return False

    def _when_called(self, definition: Definition) -> tuple[bool, list[Definition]]:
        """Whether a function or class changes others by itself, and what it calls."""
        if definition not in self._called:
            look = _Look(self.repository, definition.module)
            self._called[definition] = look.at_body(definition.node), look.calls
        return self._called[definition]


class _Look:
    """One look at a statement as it is imported, or at a function or class as it is called.

    Every method answers whether something may be changed that is known elsewhere. ``calls`` are
    the local functions and classes that are called on the way: what they do, the caller does.
    """

    def __init__(self, repository: Repository, module: Module):
        self.repository, self.module = repository, module
        self.calls: list[Definition] = []
        # Of the function that is looked at; none at the top level of a module.
        self.local: set[str] = set()
        self.shared: set[str] = set()  # local names of what may be known elsewhere too

    # As a module is imported

    def at_statement(self, node: ast.stmt) -> bool:
        if isinstance(node, FUNCTIONS):
            return any(map(self._decorator, node.decorator_list)) or any(
                map(self._expression, defaults_of(node.args))
            )
        if isinstance(node, ast.ClassDef):
            heads = (*node.bases, *(word.value for word in node.keywords))
            return (
                any(map(self._decorator, node.decorator_list))
                or any(map(self._expression, heads))
                or any(map(self._deriving, node.bases))
                or any(map(_is_metaclass, node.keywords))
                or any(map(self.at_statement, node.body))
            )
        if isinstance(node, (ast.Assign, ast.AnnAssign, ast.AugAssign)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if not all(map(self._only_binds, targets)):
                return True
            if isinstance(node, ast.AugAssign) and not self._is_own(node.target):
                return True
            return node.value is not None and self._expression(node.value)
        if isinstance(node, (ast.Import, ast.ImportFrom)):  # the walk follows them
            return isinstance(node, ast.ImportFrom) and node.module == "__future__"
        if isinstance(node, ast.Pass):
            return False
        if isinstance(node, ast.Expr):  # what else would it be there for
            return not isinstance(node.value, ast.Constant)
        if isinstance(node, (ast.If, ast.For, ast.While, ast.Try)):
            return any(map(self._part, ast.iter_child_nodes(node)))
        return type(node).__name__ != "TypeAlias"

    def _part(self, node: ast.AST) -> bool:
        if isinstance(node, ast.stmt):
            return self.at_statement(node)
        if isinstance(node, ast.ExceptHandler):
            return any(map(self.at_statement, node.body))
        return self._expression(node)

    def _decorator(self, node: ast.expr) -> bool:
        # A bare decorator is called too; of one with arguments the call stands there.
        bare = not isinstance(node, ast.Call)
        return self._expression(node) or (bare and self._call_of(node))

    def _only_binds(self, target: ast.expr) -> bool:
        """Whether an assignment binds names of this module only."""
        if isinstance(target, (ast.Tuple, ast.List)):
            return all(map(self._only_binds, target.elts))
        if isinstance(target, ast.Starred):
            return self._only_binds(target.value)
        if not isinstance(target, ast.Name):
            return False
        bound = self.module.bound.get(target.id, [])
        return not any(isinstance(b, Imported) and self.repository.module(b.module) for b in bound)

    def _is_own(self, target: ast.expr) -> bool:
        """Whether ``name += value`` cannot change an object that has other names."""
        return isinstance(target, ast.Name) and all(
            isinstance(bound, Definition)
            and (
                isinstance(bound.node, ast.AugAssign)
                or isinstance(value := getattr(bound.node, "value", None), _FRESH)
                or (isinstance(value, ast.Call) and not self._is_shared(value))
            )
            for bound in self.module.bound.get(target.id, [])
        )

    def _deriving(self, base: ast.expr) -> bool:
        """Whether deriving from a local class runs code of the class, or of its metaclass."""
        todo, seen = [(self.module, base)], set()
        while todo:
            module, node = todo.pop()
            if isinstance(node, ast.Call):  # a local function may make the class
                root = _root(node)
                if root is not None and _any_ours(self.repository.resolve_expression(module, root)):
                    return True
                continue
            for target in self.repository.resolve_expression(module, _without_index(node)):
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

    def _expression(self, node: ast.AST) -> bool:
        todo: list[ast.AST] = [node]
        while todo:
            part = todo.pop()
            if isinstance(part, ast.Lambda):  # its body does nothing until it is called
                todo += defaults_of(part.args)
                continue
            if isinstance(part, ast.Call):
                if self._call(part):
                    return True
                todo += [value.body for value in _values(part) if isinstance(value, ast.Lambda)]
            if isinstance(part, (ast.Await, ast.Yield, ast.YieldFrom)):
                return True
            todo += ast.iter_child_nodes(part)
        return False

    # Calls

    def _call(self, call: ast.Call) -> bool:
        return self._call_of(call.func) or self._passes(call)

    def _passes(self, call: ast.Call) -> bool:
        """Whether a call hands over a function that may change something, and may be called."""
        if self._targets(call.func) == ["functools.partial"]:
            return False
        for value in _values(call):
            for target in self._targets(value):
                if isinstance(target, Definition) and isinstance(target.node, CALLABLE):
                    self.calls.append(target)
                elif isinstance(target, str) and target in _IMPURE:
                    return True
        return False

    def _call_of(self, function: ast.expr) -> bool:
        """Whether calling what an expression stands for may change something."""
        if isinstance(function, ast.Name):
            return function.id not in self.local and self._call_of_name(function)
        if isinstance(function, ast.Attribute):
            return self._call_of_method(function)
        root = _root(function)
        return root is None or root.id not in self.local  # f(x)(y), table[x](y)

    def _call_of_name(self, function: ast.Name) -> bool:
        targets = self._targets(function)
        if targets:
            return any(map(self._call_of_target, targets))
        return function.id not in BUILTINS or not _is_pure(f"builtins.{function.id}")

    def _call_of_method(self, function: ast.Attribute) -> bool:
        method, left = function.attr, _leftmost(function)
        if not isinstance(left, ast.Name):
            if isinstance(left, (ast.BoolOp, ast.IfExp, ast.NamedExpr)):
                return method not in _READERS
            if isinstance(left, ast.BinOp):
                return method not in _READERS | _PATH_READERS
            return False  # a method of a literal
        if left.id in self.local:
            return left.id in self.shared and method not in _READERS | _PATH_READERS
        targets = self._targets(function)
        if targets and not _any_ours(targets):
            return any(map(self._call_of_target, targets))
        if method in _READERS:
            return False
        if method in _MUTATORS:
            return True
        if not isinstance(function.value, (ast.Name, ast.Attribute)):
            # A library's new object is nobody else's; a local function may hand out a shared one.
            return _any_ours(self._targets(left))
        if targets:
            return any(map(self._call_of_target, targets))
        return left.id not in BUILTINS

    def _call_of_target(self, target: Target) -> bool:
        if isinstance(target, str):
            return not _is_pure(target)
        if isinstance(target, Definition) and isinstance(target.node, CALLABLE):
            self.calls.append(target)
            return False
        return True  # a method of a module's object, or a name that the module makes as it runs

    def _targets(self, node: ast.expr) -> list[Target]:
        return self.repository.resolve_expression(self.module, node)

    # As a function is called

    def at_body(self, node: ast.stmt) -> bool:
        """As a function runs, or an object of a class is made and used."""
        if isinstance(node, ast.ClassDef):
            return (
                any(self.at_body(part) for part in node.body if isinstance(part, FUNCTIONS))
                or any(map(self._base, node.bases))
                or any(map(_is_metaclass, node.keywords))
            )
        parameters = {part.arg for part in ast.walk(node) if isinstance(part, ast.arg)}
        self.local = _locals(node) | parameters
        self.shared = parameters - {"self"}
        for part in ast.walk(node):
            self.shared |= self._shared_by(part)
        return any(self._inner(part) for statement in node.body for part in ast.walk(statement))

    def _base(self, node: ast.expr) -> bool:
        return any(map(self._call_of_target, self._targets(_without_index(node))))

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
        made = self._targets(root) if isinstance(value, ast.Call) else []
        return _any_ours(made) if made else root.id not in BUILTINS

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
            return root is not None and self._is_elsewhere(root)
        if isinstance(part, ast.Expr) and _calls_method_of_call(part.value):
            root = _root(part.value)
            return root is None or self._is_elsewhere(root)
        return isinstance(part, ast.Call) and self._call(part)

    def _is_elsewhere(self, root: ast.Name) -> bool:
        """Whether what a name stands for may be known outside the function."""
        return root.id not in self.local or root.id in self.shared


def _is_pure(dotted: str) -> bool:
    if dotted in _IMPURE:
        return False
    parts = dotted.split(".")
    if parts[0] == "builtins":
        return True
    return any(".".join(parts[: n + 1]) in _PURE for n in range(len(parts)))


def _any_ours(targets: list[Target]) -> bool:
    return any(not isinstance(target, str) for target in targets)


def _hooks_subclasses(node: ast.ClassDef) -> bool:
    return any(map(_is_metaclass, node.keywords)) or any(
        getattr(part, "name", None) == "__init_subclass__" for part in ast.walk(node)
    )


def _is_metaclass(word: ast.keyword) -> bool:
    return word.arg == "metaclass" and getattr(word.value, "id", "") not in ("ABCMeta", "EnumMeta")


def _without_index(node: ast.expr) -> ast.expr:
    """``Base`` of ``Base[int]``."""
    return node.value if isinstance(node, ast.Subscript) else node


def _calls_method_of_call(node: ast.expr) -> bool:
    """Such as ``logging.getLogger(name).setLevel(level)``."""
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Call)
    )


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
        elif isinstance(part, (*CALLABLE, ast.ExceptHandler)) and part is not node:
            found.add(part.name or "")
    return found
