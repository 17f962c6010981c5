"""Reading tasks: formats, label types, singles and pairs, subsets, and what is refused."""

import inspect
import json
import logging

import numpy as np
import pandas as pd
import pytest

from tests.data.conftest import FORMATS, singles, write_rows
from workflow_scripts.common.errors import UserError
from workflow_scripts.data.prepare_task import prepare_task
from workflow_scripts.data.tasks import read_task

# What formats and readers stumble over: quotes, commas, words that look like missing values, blanks
# at the ends, letters beyond ASCII, separators of lines that are none in these files.
TRICKY = [
    'He said "no',
    "NA",
    "null",
    "one, two; three",
    " blank ",
    "Crème brûlée, 東京 🙂",
    "12",
    "nan",
    "back\\slash \\t",
    "next\u2028line\x85here\x0b",
]


def rows(labels=("b", "a")) -> list[dict]:
    return [
        {"sentence1": text, "sentence2": text[::-1], "label": labels[i % len(labels)], "id": i}
        for i, text in enumerate(TRICKY)
    ]


@pytest.mark.parametrize("suffix", FORMATS)
def test_every_format_gives_the_same_task(folder, suffix):
    task = read_task(f"dir:{folder(rows(), suffix=suffix)}")
    assert list(task.train.columns) == ["sentence1", "sentence2", "label"]
    assert task.train["sentence1"].tolist() == TRICKY
    assert task.train["sentence2"].tolist() == [text[::-1] for text in TRICKY]
    assert task.train["label"].dtype == np.int64
    assert task.train["label"].tolist() == [1, 0] * 5
    assert task.dev["sentence1"].tolist() == TRICKY[:2]
    assert task.card["labels"] == ["a", "b"]
    assert task.card["pair"] is True
    assert task.card["label_counts"] == {"train": [5, 5], "dev": [1, 1]}
    assert len(task.card["digest"]) == 64


def test_the_digest_is_that_of_the_contents_not_of_the_file(folder, tmp_path):
    digests = {
        read_task(f"dir:{folder(rows(), suffix=suffix)}/train{suffix},dev{suffix}").card["digest"]
        for suffix in FORMATS
    }
    assert len(digests) == 1
    other = read_task(f"dir:{folder(rows(('a', 'b')))}/train.tsv,dev.tsv").card["digest"]
    assert other not in digests


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        (["yes", "no"], ["no", "yes"]),
        ([3, 1, 2], ["1", "2", "3"]),
        ([10, 9, -2], ["-2", "9", "10"]),
        ([True, False], ["False", "True"]),
        ([0.5, 1.0, 0.0], ["0", "0.5", "1"]),
        (["LOC:city", "NUM:date", "ABBR:exp"], ["ABBR:exp", "LOC:city", "NUM:date"]),
        ([f"class {i}" for i in range(50)], sorted(f"class {i}" for i in range(50))),
    ],
)  # fmt: skip
@pytest.mark.parametrize("suffix", [".tsv", ".jsonl", ".parquet"])
def test_any_type_and_number_of_labels(folder, labels, names, suffix):
    if suffix == ".tsv" and isinstance(labels[0], float):
        names = ["0.0", "0.5", "1.0"]  # text as the file has it
    found = read_task(f"dir:{folder(singles(labels * 2), suffix=suffix)}")
    assert found.card["labels"] == names
    values = {str(value): value for value in labels} | {"0": 0.0, "1": 1.0}
    got = [names[label] for label in found.train["label"]]
    assert [values[name] for name in got] == labels * 2


def test_integers_that_a_format_turned_into_fractions_keep_their_names(folder):
    train = singles([2.0, 1.0, 2.0])
    assert read_task(f"dir:{folder(train, singles([1]), '.parquet')}").card["labels"] == ["1", "2"]


@pytest.mark.parametrize(
    ("columns", "text", "expected"),
    [
        (["sentence"], None, ["sentence"]),
        (["text"], None, ["text"]),
        (["premise", "hypothesis"], None, ["premise", "hypothesis"]),
        (["hypothesis", "premise"], None, ["premise", "hypothesis"]),
        (["question", "sentence"], None, ["question", "sentence"]),
        (["question1", "question2"], None, ["question1", "question2"]),
        (["text1", "text2"], None, ["text1", "text2"]),
        (["title", "body"], ["body", "title"], ["body", "title"]),
        (["sentence1", "sentence2"], ["sentence2"], ["sentence2"]),
    ],
)
def test_text_columns_are_found_by_name(folder, columns, text, expected):
    train = [{**{c: f"{c} {i}" for c in columns}, "label": i % 2} for i in range(4)]
    task = read_task(f"dir:{folder(train)}", text=text)
    for name, original in zip(task.train.columns[:-1], expected, strict=True):
        assert task.train[name].tolist() == [f"{original} {i}" for i in range(4)]
    assert list(task.train)[:-1] == (
        ["sentence"] if len(expected) == 1 else ["sentence1", "sentence2"]
    )


def test_the_label_column_may_have_any_name(folder):
    train = [{"sentence": f"s {i}", "label": "x", "verdict": i % 2} for i in range(4)]
    assert read_task(f"dir:{folder(train)}", label="verdict").card["labels"] == ["0", "1"]


def test_files_of_other_names_and_places(folder, tmp_path, monkeypatch):
    (tmp_path / "data").mkdir()
    write_rows(tmp_path / "data/first.csv", singles("abab"))
    write_rows(tmp_path / "data/second.jsonl", singles("ba"))
    source = "dir:$TUNESCAPE_TEST_FOLDER/first.csv,second.jsonl"
    monkeypatch.setenv("TUNESCAPE_TEST_FOLDER", str(tmp_path / "data"))
    task = read_task(source)
    assert (task.card["train"], task.card["dev"]) == (4, 2)
    assert task.card["source"] == source, "the card must not depend on where the folder lies"
    # As the workflow does it: looked up before, and the variable may be gone by then.
    files = [tmp_path / "data/first.csv", tmp_path / "data/second.jsonl"]
    assert read_task(source, files=files).card == task.card
    for name in ("validation", "test"):
        write_rows(tmp_path / f"data/{name}.csv", singles("abb"))
    (tmp_path / "data/first.csv").rename(tmp_path / "data/train.csv")
    folder_source = f"dir:{tmp_path / 'data'}"
    for dev_split in (None, "test", "test.csv"):
        assert read_task(folder_source, dev_split=dev_split).card["dev"] == 3


def test_a_subset_is_seeded_nested_and_in_the_order_of_the_source(folder):
    source = f"dir:{folder(singles('abc' * 40), singles('abc' * 20))}"
    whole = read_task(source)

    def rows_of(size, seed=0):
        task = read_task(source, train_examples=size, dev_examples=10, seed=seed)
        kept = task.train["sentence"].tolist()
        assert len(kept) == size
        assert (task.card["train"], task.card["dev"]) == (size, 10)
        assert task.card["available"] == {"train": 120, "dev": 60}
        order = whole.train["sentence"].tolist()
        assert kept == sorted(kept, key=order.index)
        return kept

    assert rows_of(50) == rows_of(50)
    assert set(rows_of(30)) < set(rows_of(50))
    assert rows_of(50, seed=1) != rows_of(50)
    assert rows_of(120) == whole.train["sentence"].tolist()
    # The same for good: another draw would be another data set under the same seed.
    assert rows_of(4) == PINNED


PINNED = ["The 9 fish swam.", "The 10 fish swam.", "The 56 fish swam.", "The 98 fish swam."]


def test_label_ids_do_not_change_with_the_subset(folder):
    source = f"dir:{folder(singles(['c', 'b', 'a'] * 30))}"
    small = read_task(source, train_examples=4, dev_examples=1, seed=2)
    whole = read_task(source).train.set_index("sentence")["label"]
    assert small.card["labels"] == ["a", "b", "c"]
    assert small.train["label"].tolist() == whole[small.train["sentence"]].tolist()


def test_a_synthetic_task_says_so():
    task = read_task("synthetic:nli", train_examples=30, dev_examples=12, seed=5)
    assert task.card["synthetic"] is True
    assert task.card["labels"] == ["contradiction", "entailment", "neutral"]
    assert task.card["label_counts"] == {"train": [10, 10, 10], "dev": [4, 4, 4]}


def test_the_step_writes_tables_and_card(folder, tmp_path):
    source = f"dir:{folder(singles('ab' * 4))}"
    out = tmp_path / "out"
    names = ("train.parquet", "dev.parquet", "card.json")
    prepare_task(
        *(out / n for n in names), name="mine", source=source, label="label",
        text=None, train_examples=6, dev_examples=None, dev_split=None, seed=1,
        files=[tmp_path / "train.tsv", tmp_path / "dev.tsv"],
    )  # fmt: skip
    assert sorted(path.name for path in out.iterdir()) == sorted(names), "a draft was left behind"
    train, dev = (pd.read_parquet(out / n) for n in names[:2])
    card = json.loads((out / "card.json").read_text())
    assert list(train) == list(dev) == ["sentence", "label"]
    assert (card["name"], card["source"]) == ("mine", source)
    assert (card["train"], card["dev"], len(train), len(dev)) == (6, 2, 6, 2)
    assert [card["files"][split]["name"] for split in ("train", "dev")] == ["train.tsv", "dev.tsv"]
    required = {"synthetic", "labels", "pair", "label_counts", "digest", "revision"}
    assert required <= set(card)
    assert "files" in inspect.signature(prepare_task).parameters


REFUSED = {
    "empty text": (
        [*singles("ab"), {"sentence": " ", "label": "a"}], {},
        "{train}: 1 of 3 rows have no text in column 'sentence', the first of them line 4",
    ),
    "empty label": (
        [*singles("ab"), {"sentence": "x", "label": ""}], {},
        "{train}: 1 of 3 rows have no label in column 'label', the first of them line 4; "
        "`unlabeled: drop` leaves such rows out",
    ),
    "one class": (
        singles("aaa"), {},
        "{train}: every row has the label 'a', a task needs two classes or more",
    ),
    "no label column": (
        [{"sentence": "x", "labels": 1}] * 3, {},
        "{train}: no label column 'label'; its columns are sentence, labels; "
        "did you mean 'labels'?",
    ),
    "no text column": (
        [{"words": "x", "label": i} for i in range(3)], {},
        "{train}: no text column; its columns are words, label, known names: "
        "sentence1+sentence2, premise+hypothesis, question1+question2, text1+text2, "
        "question+sentence, sentence, text (others go under `text`)",
    ),
    "other text column": (
        singles("ab"), {"text": ["sentense"]},
        "{train}: no text column 'sentense'; its columns are sentence, label; "
        "did you mean 'sentence'?",
    ),
    "too few": (
        singles("abab"), {"train_examples": 5},
        "{train}: train asks for 5 examples, there are 4",
    ),
    "measurements": (
        singles([i / 7 for i in range(40)]), {},
        "{train}: column 'label' holds 40 different numbers with fractions, "
        "which are measurements, not classes",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_files_that_are_not_a_task_are_refused_in_one_line(folder, tmp_path, case):
    train, arguments, message = REFUSED[case]
    source = f"dir:{folder(train, train)}"
    with pytest.raises(UserError) as error:
        read_task(source, **arguments)
    assert str(error.value) == message.format(train=tmp_path / "train.tsv")


def test_a_label_that_training_lacks_is_named(folder, tmp_path):
    source = f"dir:{folder(singles('abab'), singles('axy'))}"
    with pytest.raises(UserError) as error:
        read_task(source)
    assert str(error.value) == (
        f"{tmp_path / 'dev.tsv'}: label 'x', 'y' are not in the training set, "
        "whose labels are 'a', 'b'"
    )


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (
            "train.tsv",
            b"sentence\tlabel\na\tb\tc\n",
            "line 2 has 3 fields, the header 2 (sentence, label)",
        ),
        ("train.tsv", b"", "is empty"),
        ("train.tsv", b"sentence\tlabel\n", "has no rows"),
        ("train.tsv", b"sentence\tlabel\n\xff\xfe\tb\n", "line 2 is not UTF-8 (byte 0xff)"),
        ("train.jsonl", b'{"sentence": "a", "label": 1}\n{"sentence"\n', "line 2 is not JSON ("),
        ("train.jsonl", b'["a", 1]\n', "line 1 holds list, allowed: an object"),
        ("train.csv.gz", b"no gzip at all", "cannot be read (BadGzipFile: "),
        ("train.csv", b'sentence,label\n"a,1\n', "line 2 cannot be read as CSV ("),
        ("train.parquet", b"PAR1 or not", "cannot be read (ArrowInvalid: "),
    ],
)
def test_a_broken_file_is_named_in_one_line(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    write_rows(tmp_path / "dev.tsv", singles("ab"))
    with pytest.raises(UserError) as error:
        read_task(f"dir:{tmp_path}")
    assert str(error.value).startswith(f"{tmp_path / name}: {message}")
    assert "\n" not in str(error.value)


def test_counts_go_to_the_log(folder, caplog):
    with caplog.at_level(logging.INFO, "tunescape"):
        read_task(f"dir:{folder(singles('abb'))}")
    assert "train: 3 examples, [1, 2]" in caplog.text
