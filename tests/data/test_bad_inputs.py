"""Inputs that people stumbled over: each is refused in one short line, at planning and in the job.

What is sound though it looks unusual is in ``test_unusual_inputs.py``.
"""

import gzip
import io
import json

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from workflow_scripts.common.errors import UserError
from workflow_scripts.data.checks import check_task
from workflow_scripts.data.tasks import read_task

ROWS = [(f"The lamp number {i} was lost.", i % 2) for i in range(24)]
COMMIT = "0123456789abcdef" * 2 + "01234567"


def table(rows=ROWS, header=("sentence", "label"), separator="\t", end="\n") -> bytes:
    lines = [header, *rows]
    return "".join(separator.join(map(str, line)) + end for line in lines).encode()


def objects(rows) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def parquet(**columns) -> bytes:
    file = io.BytesIO()
    pd.DataFrame(columns).to_parquet(file)
    return file.getvalue()


def not_utf8() -> bytes:
    """A string column, as it calls itself, with other bytes in it."""
    strings = pa.array([b"a", b"\xff", b"b"]).buffers()
    table = pa.table(
        {"sentence": pa.Array.from_buffers(pa.string(), 3, strings), "label": [0, 1, 0]}
    )
    file = io.BytesIO()
    pq.write_table(table, file)
    return file.getvalue()


def example(i, **changed) -> dict:
    return {"sentence": ROWS[i][0], "label": ROWS[i][1], **changed}


def with_row(row, at=5) -> bytes:
    """A valid jsonl file except for one row, in line ``at + 1``."""
    rows = [example(i) for i in range(24)]
    return objects([*rows[:at], row, *rows[at:]])


TEXTS = [text for text, _ in ROWS]
LABELS = [label for _, label in ROWS]
DEV = {"dev.tsv": table(ROWS[:8])}
TRAIN = {"train.tsv": table()}
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a2146\nsize 4404\n"


def text_of(value) -> dict[str, bytes]:
    return {"train.jsonl": with_row(example(5, sentence=value)), **DEV}


def label_of(value) -> dict[str, bytes]:
    return {"train.jsonl": with_row(example(5, label=value)), **DEV}


def in_train(content: bytes, name="train.tsv") -> dict[str, bytes]:
    return {name: content, **DEV}


def in_dev(content: bytes, name="dev.tsv") -> dict[str, bytes]:
    return {**TRAIN, name: content}


# files of the folder; words of the message; more keys of the task
FILES = {
    # text and label
    "text is a list": (
        text_of(["The", "lamp"]),
        ["train.jsonl: line 6: column 'sentence' holds a list, expected text"],
    ),
    "text is an object": (text_of({"en": "x"}), ["line 6: column 'sentence' holds an object"]),
    "text is an empty list": (text_of([]), ["line 6: column 'sentence' holds a list"]),
    "text is null": (text_of(None), ["1 of 25 rows have no text in column 'sentence'", "line 6"]),
    "text is blank": (text_of(" \u00a0\t"), ["have no text in column 'sentence'", "line 6"]),
    "text is half a surrogate pair": (
        text_of("cut \ud83d"),
        ["line 6", "'sentence' holds half a surrogate pair (\\ud83d)"],
    ),
    "text is the other half": (
        text_of("\udc00 cut"),
        ["line 6", "half a surrogate pair (\\udc00)"],
    ),
    "text is a list in parquet": (
        in_train(parquet(sentence=[["a"]] * 4, label=[0, 1, 0, 1]), "train.parquet"),
        ["train.parquet: row 1: column 'sentence' holds a list, expected text"],
    ),
    "text is an object in parquet": (
        in_train(parquet(sentence=[{"en": "a"}] * 4, label=[0, 1, 0, 1]), "train.parquet"),
        ["column 'sentence' holds an object"],
    ),
    "text is no UTF-8 in parquet": (
        in_train(parquet(sentence=[b"a", b"\xff", b"b"], label=[0, 1, 0]), "train.parquet"),
        ["train.parquet: row 2: column 'sentence' holds bytes that are not UTF-8"],
    ),
    "text is missing in parquet": (
        in_train(parquet(sentence=["a", None, "b"], label=[0, 1, 0]), "train.parquet"),
        ["1 of 3 rows have no text in column 'sentence', the first of them row 2"],
    ),
    "label is a list": (
        label_of([0, 1]),
        ["line 6: column 'label' holds a list, expected one label a row"],
    ),
    "label is an object": (label_of({"a": 1}), ["line 6: column 'label' holds an object"]),
    "label is a list in parquet": (
        in_train(parquet(sentence=TEXTS, label=[[0], [1]] * 12), "train.parquet"),
        ["train.parquet: row 1: column 'label' holds a list, expected one label a row"],
    ),
    "label is no UTF-8": (
        in_train(parquet(sentence=["a", "b"], label=[b"good", b"\xfe"]), "train.parquet"),
        ["row 2: column 'label' holds bytes that are not UTF-8"],
    ),
    "label is half a surrogate pair": (
        label_of("\ud83d"),
        ["line 6", "'label' holds half a surrogate pair"],
    ),
    "label is null": (
        label_of(None),
        ["1 of 25 rows have no label in column 'label'", "line 6", "`unlabeled: drop`"],
    ),
    "label is NaN": (label_of(float("nan")), ["1 of 25 rows have no label"]),
    "label is an empty field": (
        in_train(table([*ROWS, ("x", "")])),
        ["1 of 25 rows have no label", "line 26"],
    ),
    "label is missing in parquet": (
        in_train(parquet(sentence=["a", "b", "c"], label=[1.0, None, 0.0]), "train.parquet"),
        ["1 of 3 rows have no label", "row 2"],
    ),
    "no row has a label": (
        in_train(table([(t, "-") for t in TEXTS])),
        ["no row has a label in column 'label'"],
        {"unlabeled": "drop"},
    ),
    "labels of dev are hidden": (
        in_dev(table([(t, -1) for t in TEXTS])),
        ["dev.tsv: label '-1' is not in the training set", "`unlabeled: drop`"],
    ),
    "a label that training lacks": (
        in_dev(table([*ROWS, ("x", 2)])),
        ["dev.tsv: label '2' is not in the training set, whose labels are '0', '1'"],
    ),
    "many labels that training lacks": (
        in_dev(table([(f"t {i}", f"label {i:03d}") for i in range(500)])),
        ["(500 in all)", "whose labels are"],
    ),
    "one class": (
        in_train(table([(t, 1) for t in TEXTS])),
        ["every row has the label '1', a task needs two classes"],
    ),
    "one class in two spellings": (
        in_train(table([*[(t, 1) for t in TEXTS], ("x", "1.0")])),
        ["every row has the label '1'"],
    ),
    "measurements": (
        in_train(table([(f"t {i}", i / 7) for i in range(40)])),
        ["40 different numbers with fractions"],
    ),
    "one class is left": (
        in_train(table([(t, -label) for t, label in ROWS])),
        ["every row has the label '0'"],
        {"unlabeled": "drop"},
    ),
    "rows with a label are too few": (
        in_train(table([*ROWS[:4], ("x", "-")])),
        ["train asks for 5 examples, the file has 4 with a label"],
        {"unlabeled": "drop", "train": 5},
    ),
    # columns
    "no label column": (
        in_train(table(header=("sentence", "labels"))),
        ["no label column 'label'; its columns are sentence, labels; did you mean 'labels'?"],
    ),
    "no label column in dev": (
        in_dev(table(header=("sentence", "gold"))),
        ["dev.tsv: no label column 'label'"],
    ),
    "no text column": (
        in_train(table(header=("words", "label"))),
        ["no text column; its columns are words, label", "under `text`"],
    ),
    "another text column": (
        in_train(table()),
        ["no text column 'sentense'", "did you mean 'sentence'?"],
        {"text": ["sentense"]},
    ),
    "pairs in training only": (
        {
            "train.tsv": table([(t, t, y) for t, y in ROWS], ("sentence1", "sentence2", "label")),
            **DEV,
        },
        ["train.tsv has the text in 'sentence1' and 'sentence2'", "dev.tsv in 'sentence'"],
    ),
    "pairs in dev only": (
        {
            **TRAIN,
            "dev.tsv": table([(t, t, y) for t, y in ROWS], ("premise", "hypothesis", "label")),
        },
        ["dev.tsv in 'premise' and 'hypothesis'"],
    ),
    "columns of other names in dev": (
        in_dev(table(header=("text", "label"))),
        ["in 'sentence'", "dev.tsv in 'text'"],
    ),
    "two columns of one name": (
        in_train(table([(t, t, y) for t, y in ROWS], ("sentence", "sentence", "label"))),
        ["two columns 'sentence'"],
    ),
    "two label columns": (
        in_train(table([(t, y, y) for t, y in ROWS], ("sentence", "label", "label"))),
        ["two columns 'label'"],
    ),
    "thousands of columns": (
        in_train(table([], [f"column {i}" for i in range(5000)])),
        ["its columns are column 0, column 1", "(5000 in all)"],
    ),
    "a column with a very long name": (
        in_train(table([], ["c" * 70_000])),
        ["its columns are ccc"],
    ),
    "a text as header": (
        in_train(table(ROWS, ("The lamp " * 5000, "1"))),
        ["no label column 'label'"],
    ),
    "a header with half a surrogate pair": (
        in_train(objects([{"\ud83d": 1}] * 3), "train.jsonl"),
        ["no label column 'label'; its columns are \\ud83d"],
    ),
    "semicolons": (
        in_train(table(separator=";"), "train.csv"),
        [
            "the header seems to be separated by semicolons",
            "but fields of a .csv file are separated by commas",
        ],
    ),
    "tabs in a .csv": (
        in_train(table(), "train.csv"),
        ["separated by tabs, but fields of a .csv file are separated by commas"],
    ),
    "commas in a .tsv": (
        in_train(table(separator=",")),
        ["separated by commas, but fields of a .tsv file are separated by tabs"],
    ),
    "bars in a .tsv": (in_train(table(separator="|")), ["separated by bars"]),
    "quotes of CSV in a .tsv": (
        in_train(table([*ROWS, ('"She said ""stop"" and left."', 1)])),
        ["line 26", "in a .tsv file a quote is a character"],
    ),
    # files
    "empty": (in_train(b""), ["train.tsv: is empty"]),
    "only blank lines": (in_train(b"\n\n\r\n"), ["train.tsv: is empty"]),
    "empty objects": (in_train(b"\n", "train.jsonl"), ["train.jsonl: is empty"]),
    "a header alone": (in_train(b"sentence\tlabel\n"), ["train.tsv: has no rows"]),
    "parquet without rows": (
        in_train(parquet(sentence=[], label=[]), "train.parquet"),
        ["train.parquet: has no rows"],
    ),
    "too many fields": (
        in_train(table([*ROWS[:6], ("a", "b", 1)])),
        ["line 8 has 3 fields, the header 2 (sentence, label)"],
    ),
    "too few fields": (in_train(table([*ROWS[:6], ("a",)])), ["line 8 has 1 fields, the header 2"]),
    "too few fields behind blank lines": (
        in_train(b"\nsentence\tlabel\n\n\na\t0\nb\n"),
        ["line 6 has 1 fields"],
    ),
    "a row of two lines before": (
        in_train(b'sentence,label\n"a\nb",0\nc\n', "train.csv"),
        ["line 4 has 1 fields"],
    ),
    "UTF-16": (
        in_train(table().decode().encode("utf-16")),
        ["train.tsv: is UTF-16, expected UTF-8"],
    ),
    "Latin-1": (
        in_train(table([*ROWS, ("caf\u00e9", 1)]).decode().encode("latin-1")),
        ["line 26 is not UTF-8 (byte 0xe9)"],
    ),
    "Latin-1, packed": (
        in_train(gzip.compress(b"sentence\tlabel\n\xe9\t1\n"), "train.tsv.gz"),
        ["line 2 is not UTF-8 (byte 0xe9)"],
    ),
    "an open quote": (
        in_train(b'sentence,label\n"a,1\n', "train.csv"),
        ["line 2 cannot be read as CSV"],
    ),
    "text behind a quote": (
        in_train(b'sentence,label\na,0\n"b" c,1\n', "train.csv"),
        ["line 3 cannot be read as CSV"],
    ),
    "not JSON": (
        in_train(b'{"sentence": "a", "label": 1}\n\n{"sent\n', "train.jsonl"),
        ["line 3 is not JSON"],
    ),
    "a list of JSON": (
        in_train(b'["a", 1]\n', "train.jsonl"),
        ["line 1 holds list, allowed: an object"],
    ),
    "JSON over several lines": (
        in_train(b'{\n"sentence": "a"}\n', "train.jsonl"),
        ["line 1 is not JSON"],
    ),
    "JSON without end": (in_train(b"[" * 100_000 + b"\n", "train.jsonl"), ["train.jsonl: "]),
    "a number of 5000 digits": (
        in_train(b'{"sentence": "a", "label": ' + b"1" * 5000 + b"}\n", "train.jsonl"),
        ["train.jsonl: "],
    ),
    "no gzip": (in_train(table(), "train.tsv.gz"), ["train.tsv.gz: cannot be read (BadGzipFile"]),
    "gzip cut off": (
        in_train(gzip.compress(table() * 50)[:60], "train.tsv.gz"),
        ["train.tsv.gz: cannot be read"],
    ),
    "gzip with wrong bytes": (
        in_train(gzip.compress(table())[:12] + b"\xff" * 40, "train.csv.gz"),
        ["train.csv.gz: cannot be read"],
    ),
    "text in parquet that is no UTF-8": (
        in_train(not_utf8(), "train.parquet"),
        ["train.parquet: cannot be read (UnicodeDecodeError"],
    ),
    "no parquet": (
        in_train(b"PAR1 or not", "train.parquet"),
        ["train.parquet: cannot be read (ArrowInvalid"],
    ),
    "parquet cut off": (
        in_train(parquet(sentence=TEXTS, label=LABELS)[:-30], "train.parquet"),
        ["train.parquet: cannot be read"],
    ),
    "a Git LFS pointer": (in_train(POINTER), ["train.tsv: is a Git LFS pointer", "git lfs pull"]),
    "a Git LFS pointer as parquet": (in_train(POINTER, "train.parquet"), ["is a Git LFS pointer"]),
    "two training files": (
        {**TRAIN, **DEV, "train.csv": table(separator=",")},
        ["more than one file could be the training set: train.csv, train.tsv"],
    ),
    "a packed training file beside": (
        {**TRAIN, **DEV, "train.tsv.gz": gzip.compress(table())},
        ["train.tsv, train.tsv.gz"],
    ),
    "two dev files": (
        {**TRAIN, **DEV, "dev.jsonl": objects([example(0)])},
        ["more than one file could be the dev set: dev.jsonl, dev.tsv"],
    ),
    "two dev files of other names": (
        {**TRAIN, **DEV, "validation.tsv": table()},
        ["dev.tsv, validation.tsv"],
    ),
    "two files of the split": (
        {**TRAIN, "test.tsv": table(), "test.csv": table()},
        ["test.csv, test.tsv"],
        {"dev_split": "test"},
    ),
    "no training file": (DEV, ["no file train (", "it holds dev.tsv"]),
    "no dev file": (TRAIN, ["no file dev or validation", "it holds train.tsv"]),
    "no files": ({"notes.txt": b"x"}, ["no file train (", "it holds no tables"]),
    "names in part of the files": ({"my_train.tsv": table(), **DEV}, ["did you mean 'my_train'?"]),
    "another dev split": (
        {**TRAIN, **DEV},
        ["no file devel (", "did you mean 'dev'?"],
        {"dev_split": "devel"},
    ),
    "thousands of files": ({f"part{i:04d}.tsv": b"" for i in range(1000)}, ["(1000 in all)"]),
    "unknown word for rows without a label": (
        {**TRAIN, **DEV},
        ["unlabeled: got 'dorp', allowed: refuse, drop; did you mean 'drop'?"],
        {"unlabeled": "dorp"},
    ),
    "too many training examples": (
        {**TRAIN, **DEV},
        ["train asks for 25 examples, "],
        {"train": 25},
    ),
    "too many dev examples": ({**TRAIN, **DEV}, ["dev asks for 9 examples, "], {"dev": 9}),
}

# What a job would not refuse, but what cannot be evaluated.
PLANNED = {
    "two rows in dev": (
        {**TRAIN, "dev.tsv": table(ROWS[:2])},
        ["dev.tsv: has 2 examples, intervals need 3 or more"],
    ),
    "two rows in dev with a label": (
        {**TRAIN, "dev.tsv": table([*ROWS[:2], ("x", "-")])},
        ["has 2 examples"],
        {"unlabeled": "drop"},
    ),
    "two dev examples": ({**TRAIN, **DEV}, ["dev: got 2, intervals need 3 or more"], {"dev": 2}),
    "one training example": (
        {**TRAIN, **DEV},
        ["train: got 1, a task needs two classes or more"],
        {"train": 1},
    ),
}

SOURCES = {
    "no scheme": ("/data/RTE", ["got scheme '/data/RTE'", "did you mean 'dir:/data/RTE'?"]),
    "home without a scheme": ("~/RTE", ["did you mean 'dir:~/RTE'?"]),
    "a wrong scheme": ("hubb:a/b", ["did you mean 'hub'?"]),
    "nothing": ("", ["got scheme ''"]),
    "nothing behind the colon": ("dir:", ["nothing after the colon"]),
    "a branch": ("hub:a/b@main", ["'main', a name that can move"]),
    "a commit of 10 digits": ("hub:a/b@0123456789", ["a commit of 40 hex digits"]),
    "no commit": ("hub:a/b", ["no revision"]),
    "no owner": (f"hub:glue@{COMMIT}", ["got 'glue'"]),
    "an unknown grammar": ("synthetic:nil", ["did you mean 'nli'?"]),
    "an unset variable": ("dir:$NO_SUCH_TUNESCAPE/RTE", ["$NO_SUCH_TUNESCAPE is not set"]),
    "a relative path": ("dir:data/RTE", ["expected an absolute path"]),
    "a relative path with a comma": ("dir:train.tsv,dev.tsv", ["expected an absolute path"]),
    "no such folder": (
        "dir:/no/such/place",
        ["no folder /no/such/place; there is no folder /no/such either"],
    ),
    "a path of 3000 characters": ("dir:/" + "long/" * 600, ["no folder /long/"]),
    "a line break": ("dir:/a\n/b", ["no folder /a"]),
    "a name that is too long": ("dir:/" + "x" * 300, ["File name too long"]),
}


def refusal(function, *arguments, **named) -> str:
    with pytest.raises(UserError) as error:
        function(*arguments, **named)
    message = str(error.value)
    assert message.splitlines() == [message]
    assert len(message) <= 500
    message.encode()  # can be printed
    return message


def write(folder, files) -> str:
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return f"dir:{folder}"


@pytest.mark.parametrize("case", FILES)
def test_a_bad_file_is_refused_at_planning_and_in_the_job(case, tmp_path):
    files, words, *more = FILES[case]
    definition = {"source": write(tmp_path, files), **dict(*more)}
    planned = refusal(check_task, "mine", definition)
    renamed = {"train": "train_examples", "dev": "dev_examples"}
    read = refusal(read_task, **{renamed.get(key, key): v for key, v in definition.items()})
    assert planned.startswith("task mine: ")
    for word in words:
        assert word in planned
        # Only the job knows how many there are without reading a large file to its end.
        assert word in read or "asks for" in read


@pytest.mark.parametrize("case", PLANNED)
def test_what_cannot_be_evaluated_is_refused_at_planning(case, tmp_path):
    files, words, *more = PLANNED[case]
    planned = refusal(check_task, "mine", {"source": write(tmp_path, files), **dict(*more)})
    assert all(word in planned for word in words)


@pytest.mark.parametrize("case", SOURCES)
def test_a_bad_source_is_refused_at_planning_and_in_the_job(case):
    source, words = SOURCES[case]
    if not source.startswith("synthetic:"):
        assert all(word in refusal(read_task, source) for word in words)
    planned = refusal(check_task, "mine", {"source": source})
    assert planned.startswith("task mine: ")
    assert all(word in planned for word in words)


@pytest.mark.parametrize(
    ("source", "counts", "words"),
    [
        ("synthetic:nli", {"train": 50_000}, "train asks for 50000 examples, allowed: 3 to 20000"),
        ("synthetic:nli", {"dev": 5000}, "dev asks for 5000 examples, allowed: 3 to 4000"),
        ("synthetic:entailment", {"dev": 2}, "dev: got 2, intervals need 3 or more"),
        (f"hub:a/b@{COMMIT}", {"dev": 1}, "dev: got 1, intervals need 3 or more"),
        (f"hub:a/b@{COMMIT}", {"train": 1}, "train: got 1, a task needs two classes or more"),
    ],
)
def test_bad_numbers_of_examples_are_refused_for_every_source(source, counts, words):
    assert words in refusal(check_task, "mine", {"source": source, **counts})


def test_a_number_that_no_class_has_is_named(tmp_path):
    import datasets

    for split, labels in (("train", [0, 1, 0, 1]), ("dev", [0, 1, 1])):
        rows = datasets.Dataset.from_list(
            [{"text": f"t {i}", "label": y} for i, y in enumerate(labels)]
        )
        rows.cast_column("label", datasets.ClassLabel(names=["bad", "good"])).to_parquet(
            tmp_path / f"{split}.parquet"
        )
    table = pd.read_parquet(tmp_path / "dev.parquet")
    schema = pq.read_schema(tmp_path / "dev.parquet")
    pq.write_table(
        pa.Table.from_pandas(table.assign(label=7), schema=schema), tmp_path / "dev.parquet"
    )
    message = refusal(check_task, "mine", {"source": f"dir:{tmp_path}"})
    assert "dev.parquet: column 'label' holds 7, but names 2 classes only" in message


def test_many_inputs_are_tried():
    assert len(FILES) + len(PLANNED) + len(SOURCES) >= 100
