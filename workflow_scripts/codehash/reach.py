"""Which definitions of the repository a script can reach."""

import ast
import hashlib
from collections import deque
from dataclasses import dataclass
from pathlib import Path

from workflow_scripts.codehash.data_files import DataFiles
from workflow_scripts.codehash.definitions import (
    CALLABLE,
    Definition,
    Imported,
    Meaning,
    Module,
    Used,
    attribute_chain,
    text_of,
    words,
)
from workflow_scripts.codehash.effects import Effects
from workflow_scripts.codehash.repository import Repository, Target

# Mentioning these makes annotations, or docstrings, part of what the program does.
_READS_ANNOTATIONS = words(
    "__annotations__ annotation get_annotations get_type_hints getfullargspec return_annotation "
    "singledispatch singledispatchmethod validate_call"
)
_READS_DOCSTRINGS = words("__doc__ getdoc")
# With these any name of the module may be used.
_DYNAMIC = words("eval exec globals locals vars")
# With these a name or path that is only known when the program runs becomes a module.
_IMPORTS_BY_NAME = words(
    "builtins.__import__ importlib.import_module importlib.machinery.SourceFileLoader "
    "importlib.util.spec_from_file_location pkgutil.iter_modules pkgutil.resolve_name "
    "pkgutil.walk_packages pydoc.locate runpy.run_module runpy.run_path"
)
_ANY_MODULE = words("sys.modules.get sys.modules.items sys.modules.values")

# Why something counts that no name leads to.
_ACTS = "acts on import"
_ANY_NAME = "any name of the module may be used"
_BELOW_PACKAGE = "any name of the package may be used"
_MADE_AS_IT_RUNS = "code or names made as it runs"
_IMPORTED_AS_IT_RUNS = "imported by a name made as it runs"
_IN_A_STRING = "named in a string"


@dataclass(frozen=True)
class Dependency:
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
class CodeClosure:
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
    reached: tuple[Dependency, ...]
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


class DependencyGraph:
    """All that the scripts of a repository reach. Each file is read once.

    Parameters
    ----------
    root : folder of the repository.
    """

    def __init__(self, root: Path):
        self.repository = Repository(root)
        self.effects = Effects(self.repository)
        self.data_files = DataFiles(self.repository)

    def of(self, script: str) -> CodeClosure:
        """All that a script can reach.

        Parameters
        ----------
        script : path relative to the repository's root.

        Raises
        ------
        FileNotFoundError : if there is no such script.
        SyntaxError : if a file that it reaches is no Python.
        """
        docstrings = annotations = False
        while True:
            walk = _Walk(self, self.repository.script(script), docstrings, annotations)
            walk.go()
            # What reads them may itself be reached through an annotation: so once more, with them.
            counted = docstrings, annotations
            docstrings = docstrings or bool(walk.mentioned & _READS_DOCSTRINGS)
            annotations = annotations or bool(walk.mentioned & _READS_ANNOTATIONS)
            if (docstrings, annotations) == counted:
                return walk.result()


class _Walk:
    """Follows names from a script's own statements to all that they can reach.

    The hash is of parts, one for each definition in the order of discovery: its text, and its
    edges, which say for each name in it the number of the definition that the name stands for.
    So a definition may move to another file, and a name may not come to mean another one.
    """

    def __init__(
        self, finder: DependencyGraph, script: Module, docstrings: bool, annotations: bool
    ):
        self.repository, self.effects = finder.repository, finder.effects
        self.data_files, self.script = finder.data_files, script
        self.docstrings, self.annotations = docstrings, annotations
        self.reached: dict[Definition | Path, Dependency] = {}
        self.numbers: dict[Definition, int] = {}
        self.todo: deque[Definition] = deque()
        self.parts: list[str] = []
        self.loaded: dict[Module, None] = {}  # a set that keeps its order
        self.whole: dict[Module, int] = {}  # modules of which any name may be used, numbered
        self.packages: dict[str, None] = {}  # the packages among them, in their order
        self.libraries: set[str] = set()
        self.mentioned: set[str] = set()

    def go(self) -> None:
        self._load(self.script, None)
        while self.todo:
            self._follow(self.todo.popleft())
            if not self.todo:
                self._reach_below_packages()

    def result(self) -> CodeClosure:
        return CodeClosure(
            hashlib.sha256("\1".join(self.parts).encode()).hexdigest()[:16],
            tuple(self.reached.values()),
            tuple(self.reached),
            tuple(sorted(self.repository.relative(module.path) for module in self.loaded)),
            tuple(sorted(self.libraries)),
        )

    def _follow(self, definition: Definition) -> None:
        """CodeClosure what a definition uses."""
        meaning = self.repository.meaning(definition, self.docstrings, self.annotations)
        names = self.repository.targets(definition, self.docstrings, self.annotations)
        place = self.reached[definition].place
        module = definition.module
        edges: list[str] = []
        for imported in meaning.loads:
            self._load_imported(imported, place)
        self.mentioned |= meaning.mentions
        for used, targets in names:
            if used.root in ("__file__", "__package__"):
                edges.append(self.repository.relative(module.path))
            elif used.root == "__doc__":
                edges.append(str(module.docstring))
            for target in targets:
                edge = self._edge(target, place)
                later = ">" if _is_rebound(definition, target) else ""
                edges.append(f"{used.dotted}:{edge}{later}")
        self._reach_dynamic(definition, meaning, names, place)
        edges += self._reach_files(definition, meaning, place)
        self.parts.append("\0".join([meaning.text, *edges]))

    # What names lead to

    def _edge(self, target: Target, by: str, unresolved: str = "") -> str:
        """CodeClosure what a name stands for, and say what that is."""
        if isinstance(target, Definition):
            return str(self._reach(target, by, unresolved))
        if isinstance(target, Module):
            whole = f"module{self._reach_all(target, by, unresolved or _ANY_NAME)}"
            return f"{whole}:{target.docstring}" if self.docstrings else whole
        if self.repository.is_package(target):
            self.packages[target] = None
        else:
            self.libraries.add(target.partition(".")[0])
        self.mentioned.add(target.rpartition(".")[2])
        return target

    def _reach(self, definition: Definition, by: str | None, unresolved: str = "") -> int:
        """Number of a definition in the order of discovery."""
        if definition not in self.numbers:
            self.numbers[definition] = len(self.numbers)
            file = self.repository.relative(definition.module.path)
            self.reached[definition] = Dependency(file, definition.label, by, unresolved)
            self.todo.append(definition)
            self._load(definition.module, self.reached[definition].place)
        return self.numbers[definition]

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
                    self._reach_all(module, package.replace(".", "/"), _BELOW_PACKAGE)

    # What importing a module does

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
            # A main block runs where the module is the script, and only there.
            elif own if step.main else self.effects.acts(step):
                self._reach(step, None if own else by, "" if own else _ACTS)

    def _load_imported(self, imported: Imported, by: str | None) -> None:
        self._load_named(imported.module, by)
        if imported.attribute:
            below = self.repository.module(f"{imported.module}.{imported.attribute}")
            if below is not None:
                self._load(below, by)

    def _load_named(self, name: str, by: str | None) -> None:
        """A module, and the packages that it lies in."""
        while name:
            module = self.repository.module(name)
            if module is not None:
                self._load(module, by)
            name = name.rpartition(".")[0]

    # What is only named as the program runs

    def _reach_dynamic(
        self,
        definition: Definition,
        meaning: Meaning,
        names: list[tuple[Used, list[Target]]],
        place: str,
    ) -> None:
        """Modules named in strings, and all that code made from strings could use."""
        for name in meaning.strings:
            self._reach_named(name, place)
        last_words = set()
        for used, targets in names:
            dotted = [target for target in targets if isinstance(target, str)]
            last_words |= {name.rpartition(".")[2] for name in (used.dotted, *dotted)}
            if used.root == "__import__" or _IMPORTS_BY_NAME.intersection(dotted):
                self._import_by_name(definition, used.dotted, place)
            if targets and targets[0] in _ANY_MODULE:
                self._reach_unknown("", place)
            if targets == ["sys.modules"]:
                self._index_modules(definition, used.dotted, place)
        if last_words & _DYNAMIC:
            self._reach_all(definition.module, place, _MADE_AS_IT_RUNS)

    def _reach_named(self, name: str, place: str) -> None:
        """The module of a dotted name, or the one that holds what it names."""
        module = self.repository.module(name)
        if module is None:
            module = self.repository.module(name.rpartition(".")[0])
            if module is not None and module.path.name == "__init__.py":
                module = None  # a word after a package's name
        if module is not None:
            self._reach_all(module, place, _IN_A_STRING)

    def _reach_unknown(self, start: str, place: str) -> None:
        """Modules of the repository whose dotted names may start so."""
        folder = "" if start[:1] == "." else start.rpartition(".")[0]
        top = self.repository.root.joinpath(*folder.split("."))
        for path in self.repository.below(top):
            if path.suffix != ".py":
                continue
            name = self.repository.relative(path).removesuffix(".py").replace("/", ".")
            if folder and not name.startswith(start):
                continue
            try:
                module = self.repository.module(name.removesuffix(".__init__"))
            except SyntaxError:  # nothing can import it
                continue
            if module is not None:
                self._reach_all(module, place, _IMPORTED_AS_IT_RUNS)

    def _import_by_name(self, definition: Definition, function: str, place: str) -> None:
        """What calls of ``import_module`` and its like import; anything, where that is unknown."""
        nodes = ast.walk(definition.node)
        calls = [n for n in nodes if isinstance(n, ast.Call) and _dotted(n.func) == function]
        for call in calls:
            name = call.args[0] if call.args else None
            text = text_of(name)
            if text is None or text[:1] == ".":
                self._reach_unknown(_start_of(name), place)
            elif "/" not in text:  # a path counts among the files that are read
                self._reach_named(text, place)
        if not calls:  # it has another name, or is passed on
            self._reach_unknown("", place)

    def _index_modules(self, definition: Definition, dotted: str, place: str) -> None:
        """What stands in ``sys.modules[index]``; a constant index counts among the strings."""
        for node in ast.walk(definition.node):
            if not isinstance(node, ast.Subscript) or _dotted(node.value) != dotted:
                continue
            if getattr(node.slice, "id", None) == "__name__":
                self._reach_all(definition.module, place, _MADE_AS_IT_RUNS)
            elif not isinstance(node.slice, ast.Constant):
                self._reach_unknown("", place)

    # Files

    def _reach_files(self, definition: Definition, meaning: Meaning, place: str) -> list[str]:
        """Data files that a definition reads; scripts among them may be run."""
        found = dict(self.data_files.read_by(definition))
        for path in self.data_files.named_by(meaning.paths):
            found.setdefault(path, "")
        edges = []
        for path, unresolved in found.items():
            file = self.repository.relative(path)
            self.reached.setdefault(path, Dependency(file, "", place, unresolved))
            edges.append(f"{file if unresolved else ''}:{self.data_files.digest(path)}")
            if path.suffix == ".py" and path != definition.module.path:
                self._reach_named(file.removesuffix(".py").replace("/", "."), place)
        return edges


def _is_rebound(definition: Definition, target: Target) -> bool:
    """Whether a name means something else by the end of a module than it does to a statement."""
    return (
        isinstance(target, Definition)
        and target.module is definition.module
        and not isinstance(definition.node, CALLABLE)
        and target.node.lineno > definition.node.lineno
    )


def _start_of(name: ast.expr | None) -> str:
    """What is known of the start of a name that is made as the program runs."""
    first = name.values[0] if isinstance(name, ast.JoinedStr) and name.values else None
    return text_of(first) or ""


def _dotted(node: ast.expr) -> str:
    """``name.attribute.attribute``; empty for other expressions."""
    root, attributes = attribute_chain(node)
    return ".".join((root.id, *attributes)) if isinstance(root, ast.Name) else ""
