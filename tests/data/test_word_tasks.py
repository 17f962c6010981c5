"""Tasks whose labels belong to words: their sources, their tables, and what is refused."""

import json
from collections import Counter, defaultdict

import pandas as pd
import pytest

from workflow_scripts.common.errors import UserError
from workflow_scripts.data.checks import check_task
from workflow_scripts.data.prepare_task import prepare_task
from workflow_scripts.data.tasks import read_task


def conllu(sentences: int) -> str:
    """Sentences of a determiner and a noun, and a verb for every third."""
    blocks = []
    for k in range(sentences):
        lines = [
            "1\tThe\tthe\tDET\t_\t_\t2\tdet\t_\t_",
            f"2\tcat{k}\tcat\tNOUN\t_\t_\t0\troot\t_\t_",
        ]
        if k % 3 == 0:
            lines.append("3\tran\trun\tVERB\t_\t_\t2\tacl\t_\t_")
        blocks.append("\n".join(lines) + "\n")
    return "\n".join(blocks)


def words_of(table: pd.DataFrame, prefix: str = "") -> list[str]:
    spans = zip(table["sentence"], table[f"{prefix}start"], table[f"{prefix}stop"], strict=True)
    return [text[first:stop] for text, first, stop in spans]


@pytest.fixture
def corpus(tmp_path):
    (tmp_path / "all.conllu").write_text(conllu(50))
    return tmp_path


def test_one_file_is_divided_by_sentence_into_four_fifths_and_one(corpus):
    task = read_task(f"dir:{corpus}", label="upos", unit="word")
    assert task.card["sentences"] == {"train": 40, "dev": 10}
    assert task.card["divided"]
    assert not set(task.train["sentence"]) & set(task.dev["sentence"])
    assert task.train["sentence_id"].nunique() == 40
    every = pd.concat([task.train, task.dev])
    assert len(every) == 50 * 2 + 17
    names = pd.Series(task.card["labels"])[every["label"]].tolist()
    tags = Counter(zip(words_of(every), names, strict=True))
    assert tags["The", "DET"] == 50
    assert tags["ran", "VERB"] == 17
    assert sum(count for (_, name), count in tags.items() if name == "NOUN") == 50
    again = read_task(f"dir:{corpus}/all.conllu", label="upos", unit="word")
    assert again.card["digest"] == task.card["digest"]
    other = read_task(f"dir:{corpus}", label="upos", unit="word", seed=1)
    assert set(other.dev["sentence"]) != set(task.dev["sentence"])


def test_pairs_have_the_spans_of_dependent_and_head(corpus):
    task = read_task(f"dir:{corpus}", label="deprel", unit="pair")
    names = pd.Series(task.card["labels"])[task.train["label"]]
    for word, head, name in zip(
        words_of(task.train), words_of(task.train, "head_"), names, strict=True
    ):
        assert word == {"det": "The", "acl": "ran"}[name]
        assert head.startswith("cat")
    assert task.card["left_out"] == {"train": 50, "dev": 0}  # roots


def test_sizes_are_sentences_and_a_subset_keeps_their_order(corpus):
    whole = read_task(f"dir:{corpus}", label="upos", unit="word")
    small = read_task(f"dir:{corpus}", label="upos", unit="word", train_examples=7, dev_examples=5)
    assert small.card["sentences"] == {"train": 7, "dev": 5}
    kept = [
        text for text in whole.train["sentence"].unique() if text in set(small.train["sentence"])
    ]
    assert small.train["sentence"].unique().tolist() == kept
    with pytest.raises(UserError, match="train asks for 41 sentences, there are 40 with labels"):
        read_task(f"dir:{corpus}", label="upos", unit="word", train_examples=41)


def test_labels_of_one_split_only_are_kept_and_counted(tmp_path, caplog):
    (tmp_path / "train.conllu").write_text(conllu(6))
    (tmp_path / "dev.conllu").write_text(conllu(6).replace("VERB", "INTJ"))
    task = read_task(f"dir:{tmp_path}", label="upos", unit="word")
    assert task.card["labels"] == ["DET", "INTJ", "NOUN", "VERB"]
    assert task.card["label_counts"] == {"train": [6, 0, 6, 2], "dev": [6, 2, 6, 0]}
    assert "train: no word has the label INTJ" in caplog.text
    assert "dev: no word has the label VERB" in caplog.text


def test_tags_have_ambiguous_words_and_hold_some_out_of_training():
    task = read_task("synthetic:tags", unit="word", train_examples=800, dev_examples=300)
    assert 10 <= len(task.card["labels"]) <= 12
    tags = defaultdict(set)
    for word, label in zip(words_of(task.train), task.train["label"], strict=True):
        tags[word.lower()].add(label)
    assert sum(len(labels) > 1 for labels in tags.values()) >= 20
    unseen = [word.lower() not in tags for word in words_of(task.dev)]
    assert 0.03 < sum(unseen) / len(unseen) < 0.5
    assert not set(task.train["sentence"]) & set(task.dev["sentence"])
    small = read_task("synthetic:tags", unit="word", train_examples=100, dev_examples=50)
    begins = task.train[task.train["sentence_id"] < 100]
    pd.testing.assert_frame_equal(small.train[["sentence", "start"]], begins[["sentence", "start"]])


def test_a_prepared_task_of_words_holds_their_places(corpus, tmp_path):
    out = {name: tmp_path / "out" / f"{name}.parquet" for name in ("train", "dev")}
    card = tmp_path / "out" / "card.json"
    prepare_task(
        **out, card=card, name="pos", source=f"dir:{corpus}", label="upos", unit="word",
        files=[corpus / "all.conllu"],
    )  # fmt: skip
    written = json.loads(card.read_text())
    assert (written["unit"], written["name"]) == ("word", "pos")
    table = pd.read_parquet(out["train"])
    assert list(table.columns) == ["sentence", "sentence_id", "start", "stop", "label"]
    assert set(words_of(table)) >= {"The", "ran"}


def test_cards_of_sentences_are_as_they_were():
    card = read_task("synthetic:nli", train_examples=30, dev_examples=12).card
    assert not {"unit", "sentences", "left_out", "divided"} & set(card)


@pytest.mark.parametrize(
    ("definition", "message"),
    [
        ({"source": "synthetic:tags"}, "unit: got 'sentence', expected 'word'"),
        ({"source": "synthetic:tag", "unit": "word"}, "got 'tag', allowed where the unit"),
        ({"source": "synthetic:tags", "unit": "pair"}, "got 'pair', tags has labels of words"),
        ({"source": "synthetic:tags", "unit": "word", "train": 99_999}, "allowed: 2 to 20000"),
        ({"source": f"hub:a/b@{'0' * 40}", "unit": "word"}, "got a hub source"),
        ({"source": "dir:{}", "unit": "word"}, "got 'label', allowed: upos, xpos, deprel"),
        ({"source": "dir:{}", "unit": "word", "label": "deprel"}, "'pair': deprel belongs"),
        ({"source": "dir:{}", "unit": "word", "label": "upos", "dev": 11}, "asks for 11 sentences"),
        ({"source": "dir:{}/all.txt", "unit": "word"}, "allowed: .conllu, .tsv"),
    ],
)  # fmt: skip
def test_a_definition_that_cannot_work_is_refused_before_any_job(corpus, definition, message):
    (corpus / "all.txt").write_text("x")
    source = definition["source"].format(corpus)
    with pytest.raises(UserError) as error:
        check_task("mine", {**definition, "source": source})
    assert str(error.value).startswith("task mine: ")
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_a_broken_line_is_named_before_any_job(corpus):
    path = corpus / "all.conllu"
    path.write_text(path.read_text().replace("2\tcat1\tcat", "2\tcat1 cat", 1))
    with pytest.raises(UserError, match=rf"task pos: {path}:6: got 9 columns, expected 10"):
        check_task("pos", {"source": f"dir:{corpus}", "unit": "word", "label": "upos"})
