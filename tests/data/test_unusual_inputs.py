"""Inputs that look unusual and are sound: each has one right reading."""

import gzip
import json
import logging
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.data.test_bad_inputs import LABELS, ROWS, TEXTS, objects, parquet, table, write
from workflow_scripts.common.errors import UserError
from workflow_scripts.common.paths import as_inputs
from workflow_scripts.data.checks import check_task
from workflow_scripts.data.sources import Files, find_files, parse_source
from workflow_scripts.data.tasks import read_task


def read(source: str, **definition):
    """The task, which planning accepts as well."""
    names = {"train": "train_examples", "dev": "dev_examples"}
    check_task("mine", {"source": source, **definition})
    return read_task(source, **{names.get(key, key): value for key, value in definition.items()})


def labelled(labels) -> list[tuple[str, object]]:
    return [(f"t {i}", label) for i, label in enumerate(labels)]


@pytest.mark.parametrize(
    ("train", "dev", "names"),
    [
        (["0", "1"], ["0.0", "1.0"], ["0", "1"]),
        (["0.0", "1.0"], ["0", "1"], ["0", "1"]),
        (["0", "1", "1.0", "0.00"], ["1"], ["0", "1"]),
        (["0.0", "1.0"], ["1.0"], ["0.0", "1.0"]),  # one spelling stays as it is
        (["1", "2"], ["01", "+2"], ["1", "2"]),
        (["-1", "1"], ["-1.0", "1e0"], ["-1", "1"]),
        (["10", "9"], ["1e1", "9."], ["9", "10"]),
        ([".5", "1"], ["0.50", "1.0"], ["0.5", "1"]),
        (["1", "1.0", "other"], ["other"], ["1", "other"]),
        # Beyond the precision of a float.
        (["9007199254740993", "9007199254740992"], ["9007199254740993"],
         ["9007199254740992", "9007199254740993"]),
        # These are not numbers.
        (["1_0", "10"], ["10"], ["10", "1_0"]),
        (["nan", "inf"], ["nan"], ["inf", "nan"]),
        (["0x1", "1"], ["1"], ["0x1", "1"]),
        (["true", "True"], ["True"], ["True", "true"]),
    ],
)  # fmt: skip
def test_one_number_in_several_spellings_is_one_class(train, dev, names, tmp_path, caplog):
    files = {"train.tsv": table(labelled(train * 3)), "dev.tsv": table(labelled(dev * 3))}
    with caplog.at_level(logging.WARNING, "tunescape"):
        task = read(write(tmp_path, files))
    assert task.card["labels"] == names
    values = dict(zip(names, names, strict=True))
    for spelled, got in zip(train, task.train["label"], strict=False):
        name = names[got]
        assert spelled == values[name] or float(spelled) == float(name)
    several = len({*train, *dev}) > len(names)
    assert ("also written" in caplog.text) == several


@pytest.mark.parametrize(
    "dev",
    [
        objects([{"sentence": t, "label": float(y)} for t, y in ROWS[:8]]),
        objects([{"sentence": t, "label": str(y)} for t, y in ROWS[:8]]),
        objects([{"sentence": t, "label": f"{y}.0"} for t, y in ROWS[:8]]),
    ],
)
def test_numbers_of_every_type_are_one_class(dev, tmp_path):
    files = {"train.parquet": parquet(sentence=TEXTS, label=LABELS), "dev.jsonl": dev}
    task = read(write(tmp_path, files))
    assert (task.card["labels"], task.dev["label"].tolist()) == (["0", "1"], LABELS[:8])


def test_bytes_are_text(tmp_path):
    names = [b"good" if y else b"bad" for y in LABELS]
    content = parquet(sentence=["Crème".encode(), *(t.encode() for t in TEXTS[1:])], label=names)
    task = read(write(tmp_path, {"train.parquet": content, "dev.parquet": content}))
    assert task.card["labels"] == ["bad", "good"]
    assert task.train["sentence"].tolist() == ["Crème", *TEXTS[1:]]
    assert task.train["label"].tolist() == LABELS


def hub_file(path, labels, **columns):
    import datasets

    rows = [{"sentence": f"t {i}", "label": label} for i, label in enumerate(labels)]
    names = datasets.ClassLabel(names=["entailment", "neutral", "contradiction"])
    datasets.Dataset.from_list(rows).cast_column("label", names).to_parquet(path)


def test_local_parquet_of_the_hub_has_the_names_of_its_classes(tmp_path):
    hub_file(tmp_path / "train.parquet", [0, 1, 2, 0])
    hub_file(tmp_path / "dev.parquet", [2, 1, 0])
    task = read(f"dir:{tmp_path}")
    assert task.card["labels"] == ["contradiction", "entailment", "neutral"]
    assert task.train["label"].tolist() == [1, 2, 0, 1]
    assert task.dev["label"].tolist() == [0, 2, 1]


def test_rows_without_a_label_in_local_parquet_of_the_hub(tmp_path):
    hub_file(tmp_path / "train.parquet", [0, -1, 1, 2, -1])
    hub_file(tmp_path / "dev.parquet", [2, 1, 0])
    with pytest.raises(
        UserError, match="2 of 5 rows have no label in column 'label', the first of them row 2"
    ):
        check_task("mine", {"source": f"dir:{tmp_path}"})
    task = read(f"dir:{tmp_path}", unlabeled="drop")
    assert task.train["sentence"].tolist() == ["t 0", "t 2", "t 3"]
    assert task.card["unlabeled"] == {"train": 2, "dev": 0}


@pytest.mark.parametrize("mark", ["-", "-1", "-1.0", ""])
def test_rows_without_a_label_are_dropped_and_counted(mark, tmp_path, caplog):
    rows = [("no label", mark), *ROWS, ("", mark)]
    files = {"train.tsv": table(rows), "dev.tsv": table(ROWS[:8])}
    with caplog.at_level(logging.INFO, "tunescape"):
        task = read(write(tmp_path, files), unlabeled="drop", train=24)
    assert (task.card["labels"], task.card["train"], task.card["dev"]) == (["0", "1"], 24, 8)
    assert task.card["available"] == {"train": 24, "dev": 8}
    assert task.card["unlabeled"] == {"train": 2, "dev": 0}
    assert "train: 2 rows without a label dropped" in caplog.text
    assert task.train["sentence"].tolist() == TEXTS


def test_rows_without_a_label_drop_in_json_lines(tmp_path):
    rows = [*({"sentence": t, "label": y} for t, y in ROWS), {"sentence": "x", "label": None},
            {"sentence": "y"}, {"sentence": "z", "label": -1}]  # fmt: skip
    files = {"train.jsonl": objects([rows[-2], *rows]), "dev.tsv": table(ROWS[:8])}
    task = read(write(tmp_path, files), unlabeled="drop")
    assert (task.card["train"], task.card["unlabeled"]["train"]) == (24, 4)


def test_minus_one_and_a_dash_are_classes_unless_they_are_dropped(tmp_path, caplog):
    files = {
        "train.tsv": table(labelled([-1, 0, 1, "-"] * 3)),
        "dev.tsv": table(labelled([0, 1, -1, 0, 1])),
    }
    task = read(write(tmp_path, files))
    assert task.card["labels"] == ["-", "-1", "0", "1"]
    assert task.card["unlabeled"] == {"train": 0, "dev": 0}
    assert "set `unlabeled: drop`" in caplog.text
    assert read(f"dir:{tmp_path}", unlabeled="drop").card["labels"] == ["0", "1"]


@pytest.mark.parametrize("separator", ["\t", ","])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("packed", [False, True])
def test_lines_may_end_in_any_way(separator, end, packed, tmp_path):
    rows = [(f"Line number {i}.", i % 2) for i in range(2000)]
    content = table(rows, separator=separator, end=end)
    name = "train.tsv" if separator == "\t" else "train.csv"
    files = {f"{name}.gz": gzip.compress(content)} if packed else {name: content}
    task = read(write(tmp_path, {**files, "dev.tsv": table(ROWS[:8])}))
    assert task.train["sentence"].tolist() == [text for text, _ in rows]
    assert task.card["labels"] == ["0", "1"]


def test_a_carriage_return_within_a_line_is_a_character(tmp_path):
    files = {"train.tsv": table([("a\rb", 0), ("c", 1)]), "dev.tsv": table(ROWS[:8])}
    assert read(write(tmp_path, files)).train["sentence"].tolist() == ["a\rb", "c"]
    content = b'sentence,label\n"a\rb",0\nc,1\n'
    (tmp_path / "train.tsv").unlink()
    (tmp_path / "train.csv").write_bytes(content)
    assert read(f"dir:{tmp_path}").train["sentence"].tolist() == ["a\rb", "c"]


@pytest.mark.parametrize("name", ["train.csv", "train.csv.gz", "train.tsv", "train.jsonl"])
def test_a_long_text_is_read_whole(name, tmp_path):
    text = "long " * 60_000
    rows = [*ROWS, (text, 1)]
    content = (
        objects([{"sentence": t, "label": y} for t, y in rows])
        if "jsonl" in name
        else table(rows, separator="\t" if "tsv" in name else ",")
    )
    content = gzip.compress(content) if name.endswith(".gz") else content
    task = read(write(tmp_path, {name: content, "dev.tsv": table(ROWS[:8])}))
    assert task.train["sentence"].iloc[-1] == text


def test_a_whole_surrogate_pair_is_a_character(tmp_path):
    content = b'{"sentence": "\\ud83d\\ude42", "label": 0}\n{"sentence": "b", "label": 1}\n'
    task = read(write(tmp_path, {"train.jsonl": content, "dev.tsv": table(ROWS[:8])}))
    assert task.train["sentence"].tolist() == ["🙂", "b"]


def test_quotes_in_a_tab_separated_file_are_characters(tmp_path):
    quoted = ['"whole"', 'one " alone', '"She said ""stop"" and left."', '""', '"']
    files = {"train.tsv": table([*ROWS, *((t, 1) for t in quoted)]), "dev.tsv": table(ROWS[:8])}
    assert read(write(tmp_path, files)).train["sentence"].tolist() == [*TEXTS, *quoted]


@pytest.mark.parametrize(
    "name",
    [
        "all.csv.tsv",
        "all.jsonl.tsv",
        "all.tsv.gz.tsv",
        "all.parquet.tsv",
        "ALL.TSV",
        "all.tsv",
        "a b.tsv",
        "a,b.tsv",
        "{all}.tsv",
        "it's.tsv",
        "a%20b#1?.tsv",
        "日本.tsv",
    ],
)
def test_the_last_ending_counts_and_a_name_may_be_any(name, tmp_path):
    rows = [(f"The, {text}", label) for text, label in ROWS]
    for folder in ("plain", "with, comma", "{x}", "it's (1) & more", "a:b"):
        (tmp_path / folder).mkdir()
        source = write(
            tmp_path / folder, {name: table(rows), "part.jsonl.csv": table(ROWS[:8], separator=",")}
        )
        task = read(f"{source}/{name},part.jsonl.csv")
        assert (task.card["train"], task.card["dev"]) == (24, 8)
        assert task.train["sentence"].tolist() == [text for text, _ in rows]
        absolute = read(f"{source}/{name}, {tmp_path}/{folder}/part.jsonl.csv")
        assert absolute.card["digest"] == task.card["digest"]


@pytest.mark.parametrize("folder", ["a, b", "a,b,c", "{x}", "$x", "it's", "~", "a\\b", " blank "])
@pytest.mark.parametrize("suffix", [".tsv", ".parquet"])
def test_a_folder_may_have_any_name(folder, suffix, tmp_path):
    (tmp_path / folder).mkdir()
    content = table() if suffix == ".tsv" else parquet(sentence=TEXTS, label=LABELS)
    source = write(tmp_path / folder, {f"train{suffix}": content, f"dev{suffix}": content})
    assert read(source).card["train"] == 24


def test_variables_and_the_home_folder_are_expanded(tmp_path, monkeypatch):
    (tmp_path / "a, b").mkdir()
    write(tmp_path / "a, b", {"train.tsv": table(), "dev.tsv": table(ROWS[:8])})
    monkeypatch.setenv("MINE", str(tmp_path / "a, b"))
    monkeypatch.setenv("HOME", str(tmp_path))
    for source in (
        "dir:$MINE",
        "dir:${MINE}/train.tsv,dev.tsv",
        "dir:~/a, b",
        "dir:$MINE/train.tsv,$MINE/dev.tsv",
    ):
        assert read(source).card["dev"] == 8


def test_a_comma_that_could_separate_two_pairs_of_files_is_refused(tmp_path):
    for name in ("a.tsv", "b.tsv,c.tsv", "a.tsv,b.tsv", "c.tsv"):
        (tmp_path / name).write_bytes(table())
    with pytest.raises(UserError, match="2 of its commas could separate two files"):
        find_files(Files(f"{tmp_path}/a.tsv,b.tsv,c.tsv"))


def test_one_file_as_both_splits_is_refused(tmp_path):
    write(tmp_path, {"all.tsv": table()})
    with pytest.raises(UserError, match="is training set and dev set at once"):
        check_task("mine", {"source": f"dir:{tmp_path}/all.tsv,all.tsv"})


def test_a_relative_path_is_refused_wherever_it_is_read_from(tmp_path, monkeypatch):
    (tmp_path / "runs" / "mine").mkdir(parents=True)
    (tmp_path / "data").mkdir()
    write(tmp_path / "data", {"train.tsv": table(), "dev.tsv": table(ROWS[:8])})
    for folder in (tmp_path, tmp_path / "runs" / "mine"):
        monkeypatch.chdir(folder)
        with pytest.raises(
            UserError, match=f"expected an absolute path.*did you mean {tmp_path}/data"
        ) as error:
            check_task("mine", {"source": "dir:data"})
        assert "\n" not in str(error.value)


def test_a_row_is_named_by_its_line(tmp_path):
    for blank, line in (("", 9), ("\n\n", 11)):
        content = table(ROWS[:7]).decode() + blank + "\t0\n"
        write(tmp_path, {"train.tsv": content.encode(), "dev.tsv": table(ROWS[:8])})
        with pytest.raises(UserError, match=f"the first of them line {line}$"):
            check_task("mine", {"source": f"dir:{tmp_path}"})


def test_more_columns_in_one_file_than_in_the_other_do_no_harm(tmp_path):
    train = [(i, text, "extra", label) for i, (text, label) in enumerate(ROWS)]
    files = {
        "train.tsv": table(train, ("id", "sentence", "note", "label")),
        "dev.tsv": table([(y, t) for t, y in ROWS[:8]], ("label", "sentence")),
    }
    assert read(write(tmp_path, files)).dev["sentence"].tolist() == TEXTS[:8]


def test_texts_that_are_numbers_are_written_out(tmp_path):
    rows = [{"sentence": value, "label": i % 2} for i, value in enumerate([12, 1.5, True, "x"])]
    task = read(write(tmp_path, {"train.jsonl": objects(rows), "dev.jsonl": objects(rows)}))
    assert task.train["sentence"].tolist() == ["12", "1.5", "True", "x"]


def test_a_large_file_is_read_in_part_at_planning(tmp_path, monkeypatch):
    monkeypatch.setattr("workflow_scripts.data.checks.WHOLE_BYTES", 1000)
    monkeypatch.setattr("workflow_scripts.data.checks.LARGE_ROWS", (10, 100))
    late = [*ROWS, ("", 1)]  # a mistake behind what is read
    for name, content in (
        ("train.tsv", table(late * 3)),
        ("train.csv", table(late * 3, separator=",")),
        ("train.jsonl", objects([{"sentence": t, "label": y} for t, y in late * 3])),
        (
            "train.parquet",
            parquet(sentence=[t for t, _ in late * 30], label=LABELS * 30 + [1] * 30),
        ),
    ):
        source = write(tmp_path, {name: content, "dev.tsv": table(labelled([0, 1, 7]))})
        assert check_task("mine", {"source": source, "train": 15})
        (tmp_path / name).unlink()


def test_the_number_of_rows_is_checked_in_large_files(tmp_path, monkeypatch):
    monkeypatch.setattr("workflow_scripts.data.checks.WHOLE_BYTES", 100)
    monkeypatch.setattr("workflow_scripts.data.checks.LARGE_ROWS", (10, 100))
    for name, content in (
        ("train.tsv", table()),
        ("train.parquet", parquet(sentence=TEXTS, label=LABELS)),
    ):
        source = write(tmp_path, {name: content, "dev.tsv": table(ROWS[:8])})
        with pytest.raises(UserError, match="train asks for 99 examples, the file has 24"):
            check_task("mine", {"source": source, "train": 99})
        (tmp_path / name).unlink()


def test_a_subset_that_would_lack_a_class_is_drawn_stratified(tmp_path, caplog):
    rare = [(f"rare {i}", f"class {i:02d}") for i in range(20)]
    rows = labelled(["common"] * 1000 + ["other"] * 500) + rare
    source = write(tmp_path, {"train.tsv": table(rows), "dev.tsv": table(rows[:8])})
    with caplog.at_level(logging.INFO, "tunescape"):
        task = read(source, train=100)
    assert "drawn stratified" in caplog.text
    counts = dict(zip(task.card["labels"], task.card["label_counts"]["train"], strict=True))
    assert sum(counts.values()) == 100
    assert {name: n for name, n in counts.items() if n != 1} == {"common": 53, "other": 27}
    order = [text for text, _ in rows]
    kept = task.train["sentence"].tolist()
    assert kept == sorted(kept, key=order.index)
    assert read(source, train=100).card["digest"] == task.card["digest"]
    assert read(source, train=100, seed=1).card["digest"] != task.card["digest"]
    # As many rows as classes: one of each. Fewer: as chance has it, with a warning.
    assert set(read(source, train=22).card["label_counts"]["train"]) == {1}
    caplog.clear()
    assert read(source, train=10, seed=3).card["train"] == 10
    assert "of 22 classes have no example in it" in caplog.text


def test_a_subset_that_has_every_class_is_the_random_one(tmp_path):
    from workflow_scripts.data.subset import subset, with_every_class

    whole = pd.DataFrame({"sentence": TEXTS, "label": np.array(LABELS)})
    drawn = subset(whole, 10, 0, "train", "here")
    assert with_every_class(drawn, whole, 0, "train") is drawn


def test_a_source_is_parsed_without_a_look_at_the_disk():
    assert parse_source("dir:/a, b/{c}") == Files("/a, b/{c}")


def test_json_lines_may_name_columns_in_any_order(tmp_path):
    rows = [json.dumps({"label": y, "id": i, "sentence": t}) for i, (t, y) in enumerate(ROWS)]
    rows[0] = json.dumps({"sentence": TEXTS[0], "label": LABELS[0]})
    content = ("\n\n".join(rows) + "\n").encode()
    task = read(write(tmp_path, {"train.jsonl": content, "dev.tsv": table(ROWS[:8])}))
    assert task.train["label"].tolist() == LABELS


def test_a_path_that_looks_like_a_wildcard_is_no_input_of_a_rule():
    for place in ("/a/{x}/train.tsv", "/a/{x,[0-9]+}", "/{ x }"):
        assert as_inputs([Path("/plain"), Path(place)]) == []
    for place in ("/a b/it's, {}.tsv", "/a{", "/}b{", "/{a b}"):
        assert as_inputs([Path(place)]) == [place]


def test_types_of_parquet_columns_that_hold_text(tmp_path):
    table = pa.table({
        "sentence": pa.array(TEXTS, pa.large_string()).dictionary_encode(),
        "label": pa.array([f"{y}.0" for y in LABELS]).dictionary_encode(),
    })  # fmt: skip
    for split in ("train", "dev"):
        pq.write_table(table, tmp_path / f"{split}.PARQUET")
    task = read(f"dir:{tmp_path}")
    assert (task.train["sentence"].tolist(), task.train["label"].tolist()) == (TEXTS, LABELS)
    assert task.card["labels"] == ["0.0", "1.0"]
