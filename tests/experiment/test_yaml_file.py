"""Mistakes in a YAML file, each in one line with its place."""

import pytest
import yaml

from tests.workflow.conftest import ROOT
from workflow_scripts.common.errors import UserError
from workflow_scripts.experiment.yaml_file import Place, parse_yaml, read_yaml

# text; line and column of the first mistake; words of the message; number of mistakes
MISTAKES = {
    "a section twice": ("landscape:\n  points: 5\ntasks: {}\nlandscape:\n  range: 1\n", (4, 1),
                        "'landscape' is given twice, first in line 1", 1),
    "a key twice": ("a:\n  b: 1\n  c: 2\n  b: 3\n", (4, 3),
                    "'a.b' is given twice, first in line 2", 1),
    "a key twice in braces": ("a: {b: 1, c: 2, b: 3}\n", (1, 17), "'a.b' is given twice", 1),
    "a key twice, once in quotes": ("a: 1\n'a': 2\n", (2, 1), "'a' is given twice", 1),
    "three times": ("a: 1\na: 2\na: 3\n", (2, 1), "'a' is given twice, first in line 1", 2),
    "two keys twice": ("b: 1\nb: 1\na: {c: 1, c: 2}\n", (2, 1), "'b' is given twice", 2),
    "a key twice in a list": ("a:\n- {b: 1}\n- {b: 1, b: 2}\n", (3, 10),
                              "'a.1.b' is given twice", 1),
    "a tab": ("a:\n\tb: 1\n", (2, 1), "indent with spaces, not with a tab", 1),
    "a brace that is not closed": ("a: 1\ntasks: {x: {source: y}\nb: 2\n", (2, 8), "bracket", 1),
    "a bracket that is not closed": ("a: [1, 2\n", (1, 4), "is the bracket closed?", 1),
    "names with a hash": ("t:\n  text: [#1 String, #2 String]\n", (2, 9),
                          "a # begins a comment", 1),
    "a colon in a value": ("a: b: c\n", (1, 5), "put a value with a colon in quotes", 1),
    "wrong indentation": ("a:\n  b: 1\n c: 2\n", (3, 2), "", 1),
    "a quote that is not closed": ("a: 'b\n", (2, 1), "quoted scalar", 1),
    "an at sign": ("a: @b\n", (1, 4), "in quotes", 1),
    "an alias of nothing": ("a: *b\n", (1, 4), "undefined alias", 1),
    "a tag that makes objects": ("a: !!python/object:os.system x\n", (1, 4),
                                 "could not determine", 1),
    "two documents": ("a: 1\n---\nb: 2\n", (2, 1), "expected a single document", 1),
    "a key that is no text": ("tasks:\n  no: {source: x}\n", (2, 3), "got the key 'no'", 1),
    "a number as a key": ("tasks:\n  1: {source: x}\n", (2, 3), "got the key '1'", 1),
    "a list as a key": ("[a, b]: 1\n", (1, 1), "got the key a list or section", 2),
    "a list": ("- a\n- b\n", (1, 1), "got a list, expected sections", 1),
    "a word": ("hello\n", (1, 1), "got 'hello', expected sections", 1),
    "no date": ("a: 2020-99-99\n", (1, 1), "cannot be read as YAML", 1),
    "a control character": ("a: 1\nb: \x07\n", (2, 4), "U+0007 is not allowed", 1),
    "a mistake behind a key twice": ("a: 1\na: 2\nb: [\n", (3, 4), "is the bracket closed?", 1),
}  # fmt: skip


@pytest.mark.parametrize("case", MISTAKES)
def test_a_mistake_is_named_with_line_and_column(case, tmp_path):
    text, (line, column), words, count = MISTAKES[case]
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(UserError) as error:
        read_yaml(path)
    message = str(error.value)
    assert message.startswith(f"{path}: line {line}, column {column}: ")
    assert words in message
    assert message.splitlines() == [message]
    assert len(message) <= 500
    assert len(parse_yaml(path).mistakes) == count
    assert (f"(and {count - 1} more)" in message) == (count > 1)


def test_all_mistakes_come_at_once_in_the_order_of_the_file(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("a: {x: 1, x: 2}\nno: 1\na: {}\n")
    assert parse_yaml(path).mistakes == [
        f"{path}: line 1, column 11: 'a.x' is given twice, first in line 1",
        f"{path}: line 2, column 1: got the key 'no', expected text; put it in quotes",
        f"{path}: line 3, column 1: 'a' is given twice, first in line 1",
    ]


def test_a_long_name_does_not_make_a_long_message(tmp_path):
    path = tmp_path / "mine.yaml"
    name = "n" * 1000
    path.write_text(f"{name}: 1\n{name}: 2\n{name}: 3\n")
    with pytest.raises(UserError) as error:
        read_yaml(path)
    assert len(str(error.value)) <= 500
    assert str(error.value).endswith("(and 1 more)")


def test_a_missing_file_or_another_encoding_is_named(tmp_path):
    (tmp_path / "mine.yaml").write_text("a: 1\n")
    with pytest.raises(UserError) as error:
        read_yaml(tmp_path / "mime.yaml")
    assert str(error.value) == f"no file {tmp_path}/mime.yaml; did you mean 'mine.yaml'?"
    with pytest.raises(UserError, match="cannot be read"):
        read_yaml(tmp_path)
    (tmp_path / "mine.yaml").write_bytes(b"a: 1\nb: \xff\n")
    with pytest.raises(UserError, match="line 2 is not UTF-8"):
        read_yaml(tmp_path / "mine.yaml")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# nothing\n",
        "a: {b: 1}\nc: [1, 2.5, no, null, 'x']\n",
        "base: &base {a: 1, b: 2}\nmine: {<<: *base, b: 3}\n",
        "\ufeffa: 3e-5\n",
        '{"a": {"b": [1, {"c": 2}]}}',
    ],
)
def test_a_sound_file_is_read_as_pyyaml_reads_it(text, tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(text, encoding="utf-8")
    assert read_yaml(path).values == (yaml.safe_load(text) or {})


@pytest.mark.parametrize("path", [*sorted(ROOT.glob("experiments/*.yaml")), ROOT / "config.yaml"])
def test_the_files_of_the_repository_are_sound(path):
    assert read_yaml(path).values == yaml.safe_load(path.read_text(encoding="utf-8"))


def test_places_of_all_keys_are_known(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("landscape:\n  points: 5\nfinetune: {seeds: [{init: 0}, {init: 1}]}\n")
    assert read_yaml(path).places == {
        "landscape": Place(1, 1),
        "landscape.points": Place(2, 3),
        "finetune": Place(3, 1),
        "finetune.seeds": Place(3, 12),
        "finetune.seeds.0.init": Place(3, 21),
        "finetune.seeds.1.init": Place(3, 32),
    }
