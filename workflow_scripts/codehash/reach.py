"""Which definitions of the repository a script can reach.

Of a module that is plain, see ``plain``, only what names lead to counts. Any other module counts
whole. So does what is reached in a way that is not followed.
"""

import ast
import hashlib
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from workflow_scripts.codehash.data_files import DataFiles
from workflow_scripts.codehash.definitions import (
    Definition,
    Imported,
    Meaning,
    Module,
    Used,
    attribute_chain,
    text_of,
    words,
)
from workflow_scripts.codehash.plain import Plainness
from workflow_scripts.codehash.repository import Repository, Target

# Mentioned by reached code, these make annotations and docstrings part of what the program does.
_READ_EVERYTHING = words(
    "__annotations__ __doc__ annotation get_annotations get_type_hints getdoc getfullargspec "
    "jit model_json_schema return_annotation schema_json signature Signature singledispatch "
    "singledispatchmethod TypeAdapter validate_call validate_arguments create_model "
    "get_original_bases help pydoc"
)
# These make the text of the files part of it, with comments and line numbers.
_READ_TEXT = words(
    "co_consts co_firstlineno co_filename co_lines findsource getblock getcomments getframeinfo "
    "getsource getsourcelines jit linecache"
)
# These may lead to any name of any module that is loaded.
_LEAD_ANYWHERE = words(
    "__builtins__ __globals__ __subclasses__ _getframe currentframe f_back f_globals f_locals "
    "get_objects get_referents get_referrers getclasstree getclosurevars setprofile settrace"
)
# With these any name of the module may be used.
_EVALUATE = words("eval exec globals locals vars compile")
_ANY_NAME_HERE = _EVALUATE | {f"builtins.{name}" for name in _EVALUATE}
# These show where a definition is.
_TELL_PLACE = words("__module__ getmodule getmodulename pickle cloudpickle dill joblib shelve")
# With these a name or path that is only known when the program runs becomes a module.
_IMPORTS_BY_NAME = words(
    "builtins.__import__ importlib.__import__ importlib.import_module importlib.reload "
    "importlib.machinery.SourceFileLoader importlib.metadata.entry_points "
    "importlib.util.spec_from_file_location pickle.load pickle.loads pickle.Unpickler "
    "pkgutil.iter_modules pkgutil.resolve_name pkgutil.walk_packages pydoc.locate "
    "runpy.run_module runpy.run_path"
)
_STARTS_PROGRAMS = ("subprocess.", "os.system", "os.popen", "os.exec", "os.spawn", "os.posix_spawn")

# Why something counts that no name leads to.
_ANY_NAME = "any name of the module may be used"
_BELOW_PACKAGE = "any name of the package may be used"
_MADE_AS_IT_RUNS = "code or names made as it runs"
_IMPORTED_AS_IT_RUNS = "imported by a name made as it runs"
_IN_A_STRING = "named in a string"
_ALL_LOADED = "any name of any module may be used"
_ALL_STARRED = "all its names are imported"
_ALL_FILES = "any file of the repository may be read"
_NOT_PLAIN = "the module counts whole, it is not plain"
_TEXT = "the text of the file is read"


@dataclass(frozen=True)
class Dependency:
    """Something that a script's hash covers."""

    file: str  # relative to the repository
    name: str  # of the definition, the first words of a statement, or empty for a data file
    by: str | None = None  # file and name of what reaches it first; None for the script's own
    unresolved: str = ""  # why it counts although no name leads to it

    @property
    def place(self) -> str:
        return f"{self.file}: {self.name}" if self.name else self.file

    def __str__(self) -> str:
        return f"{self.place} ({self.unresolved})" if self.unresolved else self.place


@dataclass(frozen=True)
class CodeClosure:
    """All that a script reaches, in the order of discovery, and its hash."""

    code: str  # 16 hex digits
    reached: tuple[Dependency, ...]
    things: tuple[Definition | Path, ...]  # what each of them is: a definition, or a file
    modules: tuple[str, ...]  # files of modules that the script may import, relative, sorted
    libraries: tuple[str, ...]  # top-level names of modules from elsewhere, sorted
    whole: dict[str, str]  # files of modules that are not plain, and why


class DependencyGraph:
    """All that the scripts of a repository, a folder, reach. Each file is read once."""

    def __init__(self, root: Path):
        self.repository = Repository(root)
        self.plainness = Plainness(self.repository)
        self.data_files = DataFiles(self.repository)

    def of(self, script: str) -> CodeClosure:
        """All that a script can reach, by its path relative to the repository's root."""
        walk = _Walk(self, self.repository.script(script), everything=False)
        walk.go()
        if walk.mentioned & _READ_EVERYTHING:
            walk = _Walk(self, self.repository.script(script), everything=True)
            walk.go()
        return walk.result()


class _Walk:
    """One walk through the code of a script."""

    def __init__(self, graph: DependencyGraph, script: Module, everything: bool):
        self.repository, self.plainness = graph.repository, graph.plainness
        self.data_files, self.files = graph.data_files, graph.repository.files
        self.script, self.everything = script, everything
        self.script_place = self.files.relative(script.path)
        self.numbers: dict[Definition, int] = {}
        self.reached: dict[Definition | Path, Dependency] = {}
        self.todo: deque[Definition] = deque()
        self.parts: list[str] = []
        self.loaded: dict[Module, None] = {}
        self.order: list[str] = []  # of modules that see, or do, more than bind names
        self.whole: dict[tuple[Module, bool], int] = {}
        self.reasons: dict[str, str] = {}
        self.packages: dict[str, None] = {}
        self.libraries: set[str] = set()
        self.mentioned: set[str] = set()
        self.sure = True  # so far everything that is reached is imported for certain

    def go(self) -> None:
        self._load(self.script, None)
        order = list(self.order)
        for definition in self.script.definitions:
            if definition.main:
                self._reach(definition, None)
        while self.todo:
            self._follow(self.todo.popleft())
            if not self.todo:
                self._reach_below_packages()
            if not self.todo and self.mentioned & _LEAD_ANYWHERE:
                for module in list(self.loaded):
                    self._reach_all(module, self.script_place, _ALL_LOADED)
        self._add_files()
        if self.reasons:  # otherwise nothing that runs on import can be seen by anything else
            self.parts.append("\0".join(["order", *order]))

    def result(self) -> CodeClosure:
        return CodeClosure(
            hashlib.sha256("\1".join(self.parts).encode(errors="surrogatepass")).hexdigest()[:16],
            tuple(self.reached.values()),
            tuple(self.reached),
            tuple(sorted(self.repository.files.relative(module.path) for module in self.loaded)),
            tuple(sorted(self.libraries)),
            self.reasons,
        )

    def _follow(self, definition: Definition) -> None:
        """Reach what a definition uses."""
        module = definition.module
        everything = self.everything or bool(self.plainness.reason(module))
        meaning = self.repository.meaning(definition, everything)
        place = self.reached[definition].place
        edges: list[str] = ["future"] if module.future and meaning.typed else []
        for imported in meaning.loads:
            self._load_imported(imported, place)
        self.mentioned |= meaning.mentions
        for used, targets in self.repository.targets(definition, everything):
            if used.root in ("__file__", "__package__", "__name__", "__spec__", "__path__"):
                edges.append(self.files.relative(module.path))
            elif used.root == "__doc__":
                edges.append(str(module.docstring))
            edges += [f"{used.dotted}:{self._edge(target, place)}" for target in targets]
        if self.repository.hands_over(definition):
            self.mentioned.add("signature")
        self._reach_dynamic(definition, everything, place)
        edges += self._reach_files(definition, meaning, place)
        self.parts.append("\0".join([meaning.text, *edges]))

    # What names lead to

    def _edge(self, target: Target, by: str, unresolved: str = "") -> str:
        """Reach what a name refers to, and say what that is."""
        if isinstance(target, Definition):
            return str(self._reach(target, by, unresolved))
        if isinstance(target, Module):
            whole = f"module{self._reach_all(target, by, unresolved or _ANY_NAME)}"
            return f"{whole}:{target.docstring}" if self.everything else whole
        if self.repository.is_package(target):
            self.packages[target] = None
        else:
            self.libraries.add(target.partition(".")[0])
        self.mentioned.update(target.split("."))
        return target

    def _reach(self, definition: Definition, by: str | None, unresolved: str = "") -> int:
        """Number of a definition in the order of discovery."""
        if definition not in self.numbers:
            self.numbers[definition] = len(self.numbers)
            file = self.files.relative(definition.module.path)
            self.reached[definition] = Dependency(file, definition.label, by, unresolved)
            self.todo.append(definition)
            self._load(definition.module, self.reached[definition].place)
        return self.numbers[definition]

    def _reach_all(
        self, module: Module, by: str | None, why: str, names: bool = True, sure: bool = True
    ) -> int:
        """Count every definition of a module.

        With ``names`` any of its names may be used, those that it imports too, and what it does
        as the main module. It need not be valid Python, nor what it imports, if it is not ``sure``
        that the module is imported. Returns its number in the order of discovery.
        """
        self.sure &= sure
        if (module, names) in self.whole:
            return self.whole[module, names]
        number = self.whole[module, names] = len(self.whole)
        self._load(module, by)
        edges = [f"whole{number}"]
        for step in module.steps:
            if isinstance(step, Imported):
                edges.append(f"import {step.module} {step.attribute}")
            elif names or not step.main or module is self.script:
                edges.append(str(self._reach(step, by, why)))
        for star in module.stars:
            starred = self.repository.module(star)
            if starred is not None:
                edges.append(f"*:{self._reach_all(starred, by, _ALL_STARRED)}")
        if names:
            if module.path.name == "__init__.py":
                self.packages[module.name] = None
            for name, bound in module.bound.items():
                if any(isinstance(part, Imported) for part in bound):
                    for target in self.repository.resolve(module, Used(name)):
                        edges.append(f"{name}:{self._edge(target, by or '', why)}")
            edges += self._reach_listed(module, by, why)
        self.parts.append("\0".join(edges))
        return number

    def _reach_listed(self, module: Module, by: str | None, why: str) -> Iterator[str]:
        """Modules below a package that its ``__all__`` names."""
        for definition in module.bound.get("__all__", []):
            if isinstance(definition, Definition):
                for text in filter(None, map(text_of, ast.walk(definition.node))):
                    below = self.repository.module(f"{module.name}.{text}")
                    if below is not None:
                        yield f"{text}:{self._reach_all(below, by, why)}"

    def _reach_below_packages(self) -> None:
        """What a package's modules hold can be had from the package."""
        for package in list(self.packages):
            for module in list(self.loaded):
                if module.name.startswith(package + "."):
                    self._reach_all(module, package.replace(".", "/"), _BELOW_PACKAGE)

    # What importing a module does

    def _load(self, module: Module, by: str | None) -> None:
        """Count what importing a module does, and what the modules that it imports do."""
        if module in self.loaded:
            return
        self.loaded[module] = None
        if module.broken:
            if self.sure:
                raise module.broken
            self.parts.append(self._reach_file(module.path, by or "", "not valid Python"))
        if module is not self.script:  # Snakemake runs a script as a file, not as a module
            self._load_named(module.name.rpartition(".")[0], by)
        file = self.files.relative(module.path)
        for step in module.steps:
            if isinstance(step, Imported):
                self._load_imported(step, file)
        reason = self.plainness.reason(module)
        if reason:
            self.reasons[file] = reason
            why = f"{_NOT_PLAIN}: {reason}" if module is not self.script else ""
            self._reach_all(module, by if why else None, why, names=False)
        if reason or self.plainness.reads(module):
            self.order.append(file)

    def _load_imported(self, imported: Imported, by: str | None) -> None:
        self._load_named(imported.module, by)
        if imported.attribute:
            below = self.repository.module(f"{imported.module}.{imported.attribute}")
            if below is not None:
                self._load(below, by)

    def _load_named(self, name: str, by: str | None) -> None:
        """A module, and the packages that it is in, from the top."""
        parts = name.split(".") if name else []
        for end in range(1, len(parts) + 1):
            module = self.repository.module(".".join(parts[:end]))
            if module is not None:
                self._load(module, by)

    # What is only named as the program runs

    def _reach_dynamic(self, definition: Definition, everything: bool, place: str) -> None:
        """Modules named in strings, and all that code made from strings could use."""
        meaning = self.repository.meaning(definition, everything)
        if "str:'import_module';" in meaning.text or "str:'__import__';" in meaning.text:
            self._reach_unknown(place)  # by getattr
        in_strings = [self._reach_named(name, place) for name in meaning.names]
        for used, targets in self.repository.targets(definition, everything):
            dotted = [target for target in targets if isinstance(target, str)]
            if _ANY_NAME_HERE.intersection([used.dotted, *dotted]):
                self._reach_all(definition.module, place, _MADE_AS_IT_RUNS)
            if used.root == "__import__" or _IMPORTS_BY_NAME.intersection(dotted):
                self._import_by_name(definition, used.dotted, place)
            if any(name.startswith("sys.modules") for name in dotted):
                self._index_modules(definition, used.dotted, place)
            if any(name.startswith(("sys.path", "sys.meta_path")) for name in dotted):
                self._reach_unknown(place)
            starts = any(name.startswith(_STARTS_PROGRAMS) for name in dotted)
            python = starts and ("executable" in meaning.mentions or "python" in meaning.text)
            if python and not any([*in_strings, *self.data_files.named_by(meaning.paths)]):
                self._reach_unknown(place)

    def _reach_named(self, name: str, place: str) -> bool:
        """Reach the module of a dotted name, or the one that has what it names."""
        parts = name.replace(":", ".").split(".")
        for end in range(len(parts), 0, -1):
            module = self.repository.module(".".join(parts[:end]))
            if module is None:
                continue
            if end < len(parts) and module.path.name == "__init__.py":
                targets = self.repository.resolve(module, Used(parts[end], tuple(parts[end + 1 :])))
                self.parts += [self._edge(target, place, _IN_A_STRING) for target in targets]
                return bool(targets)  # otherwise a word after a package's name
            for found in (module, self.repository.module(f"{module.name}.__main__")):
                if found is not None:
                    self._reach_all(found, place, _IN_A_STRING, sure=False)
            return True
        return False

    def _reach_unknown(self, place: str) -> None:
        """Any module of the repository."""
        for path in self.files.below(self.repository.root):
            name = self.files.relative(path).removesuffix(".py").replace("/", ".")
            module = self.repository.module(name.removesuffix(".__init__"))
            if path.suffix == ".py" and module is not None:
                self._reach_all(module, place, _IMPORTED_AS_IT_RUNS, sure=False)

    def _import_by_name(self, definition: Definition, function: str, place: str) -> None:
        """What calls of ``import_module`` and its like import; anything, where that is unknown."""
        calls = [n for n in ast.walk(definition.node) if _dotted(getattr(n, "func", n)) == function]
        calls = [call for call in calls if isinstance(call, ast.Call)]
        texts = [text_of(call.args[0]) if call.args else None for call in calls]
        # It may have another name, or be passed on.
        if not calls or any(text is None or text.startswith(".") for text in texts):
            self._reach_unknown(place)
        for text in filter(None, texts):
            if "/" not in text:  # a path counts among the files that are read
                self._reach_named(text, place)

    def _index_modules(self, definition: Definition, dotted: str, place: str) -> None:
        """Any module that ``sys.modules`` may give; whether one is loaded, and names, say none."""
        uses = harmless = 0
        for node in ast.walk(definition.node):
            uses += _dotted(node) == dotted
            if isinstance(node, ast.Compare):
                harmless += sum(_dotted(part) == dotted for part in node.comparators)
            elif isinstance(node, (ast.comprehension, ast.For)):
                harmless += _dotted(node.iter) == dotted
        if uses > harmless:
            self._reach_unknown(place)

    # Files

    def _reach_file(self, path: Path, place: str, unresolved: str) -> str:
        file = self.files.relative(path)
        self.reached.setdefault(path, Dependency(file, "", place, unresolved))
        return f"{file}:{hashlib.sha256(self.files.read(path)).hexdigest()}"

    def _reach_files(self, definition: Definition, meaning: Meaning, place: str) -> list[str]:
        """Data files that a definition reads; scripts among them may be run."""
        found = dict(self.data_files.read_by(definition))
        for path in self.data_files.named_by(meaning.paths):
            found.setdefault(path, "")
        edges = []
        for path, unresolved in found.items():
            edge = self._reach_file(path, place, unresolved)
            edges.append(edge if unresolved else edge.rpartition(":")[2])
            if path.suffix == ".py" and path != definition.module.path:
                file = self.files.relative(path).removesuffix(".py")
                self._reach_named(file.replace("/", ".").removesuffix(".__init__"), place)
        return edges

    def _add_files(self) -> None:
        """What can only be known at the end: files that any reached code may read."""
        definitions = list(self.numbers)
        leaks = not self.data_files.leaking.isdisjoint(definitions)
        if leaks and any(map(self.data_files.climbs, definitions)):
            for path in self.data_files.anywhere():
                self.parts.append(self._reach_file(path, self.script_place, _ALL_FILES))
        if self.mentioned & _READ_TEXT:
            for module in self.loaded:
                self.parts.append(self._reach_file(module.path, self.script_place, _TEXT))
        if self.mentioned & _TELL_PLACE:
            self.parts += [self.files.relative(d.module.path) for d in definitions]


def _dotted(node: ast.expr) -> str:
    """``name.attribute.attribute``; empty for other expressions."""
    root, attributes = attribute_chain(node)
    return ".".join((root.id, *attributes)) if isinstance(root, ast.Name) else ""
