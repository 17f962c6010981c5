"""Read a YAML file strictly: mistakes that PyYAML lets pass are named with their place."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from workflow_scripts.common.errors import MOST_CHARACTERS, UserError, cut, nearest

_TAG = "tag:yaml.org,2002:"


@dataclass(frozen=True, order=True)
class Place:
    """A place in a file; lines and columns are counted from 1."""

    line: int
    column: int

    def __str__(self) -> str:
        return f"line {self.line}, column {self.column}"


@dataclass(frozen=True)
class YamlFile:
    """What a YAML file holds.

    Parameters
    ----------
    path : Path
        The file.
    values : dict
        Its content, as ``yaml.safe_load`` gives it; of a key that is given twice the last value.
        Empty if the file is not YAML.
    places : dict of str to Place
        Where each key is. Its name is joined by dots to those of the sections above it
        (``landscape.points``); an entry of a list has its index (``finetune.seeds.0.init``).
    mistakes : list of str
        All of them, each in one line with file, line and column. After a mistake in the syntax
        nothing is read.
    """

    path: Path
    values: dict[str, Any]
    places: dict[str, Place]
    mistakes: list[str]


def read_yaml(path: Path) -> YamlFile:
    """Read a YAML file that should hold one mapping, with text as keys and each key once.

    Raises
    ------
    UserError
        In one line, with the first mistake and the number of others.
    """
    read = parse_yaml(path)
    if read.mistakes:
        first, *others = read.mistakes
        more = f" (and {len(others)} more)" if others else ""
        raise UserError(f"{cut(first, MOST_CHARACTERS - len(more))}{more}")
    return read


def parse_yaml(path: Path) -> YamlFile:
    """Read a YAML file with all its mistakes.

    Raises
    ------
    UserError
        If there is no such file, or it is not UTF-8.
    """
    path = Path(path)
    text = _text(path)
    places: dict[str, Place] = {}
    mistakes: list[tuple[Place, str]] = []
    values: Any = {}
    try:
        loader = yaml.SafeLoader(text)
        node = loader.get_single_node()
        if node is not None:
            _walk(node, "", places, mistakes, set())
            values = loader.construct_document(node)
            if not isinstance(values, dict):
                got = "a list" if isinstance(values, list) else repr(values)
                mistakes.append(
                    (_place(node.start_mark), f"got {got}, expected sections (`name: value`)")
                )
    except yaml.MarkedYAMLError as error:
        mistakes.append(_syntax(error, text))
    except yaml.reader.ReaderError as error:
        before = text[: error.position]
        line = before.count("\n") + 1
        place = Place(line, len(before) - before.rfind("\n"))
        mistakes.append((place, f"the character U+{ord(text[error.position]):04X} is not allowed"))
    except (ValueError, TypeError, RecursionError) as error:
        # Of a value that has the form of a number or a date, but is none.
        mistakes.append((Place(1, 1), f"cannot be read as YAML ({cut(str(error), 200)})"))
    return YamlFile(
        path=path,
        values=values if isinstance(values, dict) else {},
        places=places,
        mistakes=[
            cut(f"{path}: {place}: {what}", MOST_CHARACTERS) for place, what in sorted(mistakes)
        ],
    )


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise UserError(f"{path}: line {line} is not UTF-8") from None
    except FileNotFoundError:
        folder = path.parent
        near = nearest(path.name, os.listdir(folder)) if folder.is_dir() else ""
        raise UserError(f"no file {path}{near}") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from None


def _place(mark: yaml.Mark) -> Place:
    return Place(mark.line + 1, mark.column + 1)


def _walk(
    node: yaml.Node,
    above: str,
    places: dict[str, Place],
    mistakes: list[tuple[Place, str]],
    visited: set[int],
) -> None:
    """Note the place of every key below a node, and keys that are given twice or are not text."""
    if id(node) in visited:  # an alias
        return
    visited.add(id(node))
    if isinstance(node, yaml.SequenceNode):
        for index, entry in enumerate(node.value):
            _walk(entry, f"{above}{index}.", places, mistakes, visited)
    if not isinstance(node, yaml.MappingNode):
        return
    first: dict[str, Place] = {}
    for key, value in node.value:
        place = _place(key.start_mark)
        if key.tag == f"{_TAG}merge":
            continue
        if key.tag != f"{_TAG}str":
            written = repr(key.value) if isinstance(key, yaml.ScalarNode) else "a list or section"
            mistakes.append((place, f"got the key {written}, expected text; put it in quotes"))
            continue
        name = f"{above}{key.value}"
        if key.value in first:
            mistakes.append(
                (place, f"{name!r} is given twice, first in line {first[key.value].line}")
            )
        first.setdefault(key.value, place)
        places[name] = place
        _walk(value, f"{name}.", places, mistakes, visited)


def _open_bracket(text: str) -> yaml.Mark | None:
    """Where the innermost bracket is that is still open at the end, or at a mistake."""
    opened: list[yaml.Mark] = []
    try:
        for token in yaml.scan(text):
            if isinstance(token, (yaml.FlowSequenceStartToken, yaml.FlowMappingStartToken)):
                opened.append(token.start_mark)
            elif isinstance(token, (yaml.FlowSequenceEndToken, yaml.FlowMappingEndToken)):
                del opened[-1:]
    except yaml.YAMLError:
        pass
    return opened[-1] if opened else None


def _syntax(error: yaml.MarkedYAMLError, text: str) -> tuple[Place, str]:
    """Place and description of a mistake in the syntax, with what usually helps."""
    problem, context = error.problem or "", error.context or ""
    mark, hint = error.problem_mark or error.context_mark, ""
    if "flow" in context:
        # The bracket that is not closed says more than the place where the reader gave up.
        mark = _open_bracket(text) or mark
        hint = "; is the bracket closed?"
        if "#" in text.split("\n")[mark.line]:
            hint = "; a # begins a comment: put text with a # in quotes"
    elif mark is None:
        return Place(1, 1), problem
    elif "\\t" in problem:
        hint = "; indent with spaces, not with a tab"
    elif "mapping values are not allowed" in problem:
        hint = "; put a value with a colon in quotes, and check the indentation"
    elif "alias" in context or "anchor" in context or "cannot start any token" in problem:
        hint = "; put text that begins with a special character in quotes"
    return _place(mark), " ".join(f"{context}: {problem}".strip(": ").split()) + hint
