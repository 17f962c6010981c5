import os
from collections import Counter
from pathlib import Path

import pytest

from workflow_scripts.common.errors import UserError
from workflow_scripts.data.corpora import (
    Sentence,
    Target,
    read_conllu,
    read_token_table,
)

pytest.importorskip("conllu")

TWO = """\
# sent_id = first
# text = I'm here.
1-2\tI'm\t_\t_\t_\t_\t_\t_\t_\t_
1\tI\tI\tPRON\tPRP\tCase=Nom|Number=Sing\t3\tnsubj\t3:nsubj\t_
2\t'm\tbe\tAUX\tVBP\t_\t3\tcop\t3:cop\t_
3\there\there\tADV\tRB\t_\t0\troot\t0:root\tSpaceAfter=No
3.1\tnow\tnow\tADV\t_\t_\t_\t_\t3:advmod\t_
4\t.\t.\tPUNCT\t.\t_\t3\tpunct\t3:punct\t_

# sent_id = second
1\t10  000\t10000\t_\tCD\t_\t0\troot\t0:root\t_
"""


def write(folder: Path, text: str, name: str = "words.conllu") -> Path:
    path = folder / name
    path.write_bytes(text.encode())
    return path


def test_words_and_tags_are_read_without_contractions_and_empty_nodes(tmp_path):
    corpus = read_conllu(write(tmp_path, TWO))
    first, second = corpus.sentences
    assert first == Sentence(
        "first",
        ("I", "'m", "here", "."),
        tuple(Target((k,), tag) for k, tag in enumerate(("PRON", "AUX", "ADV", "PUNCT"))),
    )
    assert second == Sentence("second", ("10  000",), ())
    assert (corpus.unit, corpus.left_out) == ("word", 1)
    assert corpus.labels == ("ADV", "AUX", "PRON", "PUNCT")


def test_relations_are_of_dependent_and_head_and_roots_are_left_out(tmp_path):
    corpus = read_conllu(write(tmp_path, TWO), "deprel")
    assert corpus.sentences[0].targets == (
        Target((0, 2), "nsubj"),
        Target((1, 2), "cop"),
        Target((3, 2), "punct"),
    )
    assert (corpus.unit, corpus.left_out) == ("pair", 2)


@pytest.mark.parametrize("change", ["\r\n", "\ufeff", "no end"])
def test_line_ends_and_a_byte_order_mark_change_nothing(tmp_path, change):
    text = {
        "\r\n": TWO.replace("\n", "\r\n"), "\ufeff": "\ufeff" + TWO, "no end": TWO.rstrip("\n")
    }[change]  # fmt: skip
    expected = read_conllu(write(tmp_path, TWO))
    assert read_conllu(write(tmp_path, text, "other.conllu")) == expected


@pytest.mark.parametrize(
    ("old", "new", "line", "message"),
    [
        ("2\t'm\tbe\t", "2\t'm be\t", 5, "got 9 columns, expected 10 with tabs between"),
        ("2\t'm\tbe", "2\t\tbe", 5, "column form is empty"),
        ("2\t'm", "x\t'm", 5, "'x' is not a valid ID"),
        ("2\t'm", "_\t'm", 5, "got id '_', expected a number"),
        ("2\t'm", "3\t'm", 5, "got word 3, expected word 2"),
        ("_\t3\tcop", "_\tthree\tcop", 5, "'three' is not a valid value"),
        ("_\t3\tcop", "_\t9\tcop", 5, "got head 9, the sentence has words 1 to 4"),
        ("# sent_id = second\n", "some text\n", 10, "got 1 columns, expected 10"),
    ],
)
def test_a_broken_line_is_named(tmp_path, old, new, line, message):
    assert TWO.count(old) == 1
    path = write(tmp_path, TWO.replace(old, new))
    with pytest.raises(UserError) as error:
        read_conllu(path, "deprel")
    assert str(error.value).startswith(f"{path}:{line}: ")
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_a_file_that_is_not_a_corpus_is_refused(tmp_path):
    with pytest.raises(UserError, match="has no sentences"):
        read_conllu(write(tmp_path, "\n# nothing\n\n"))
    with pytest.raises(UserError, match="cannot be read"):
        read_conllu(tmp_path / "absent.conllu")
    with pytest.raises(UserError, match=r"got 'upso', allowed: upos, xpos, deprel; did you mean"):
        read_conllu(write(tmp_path, TWO), "upso")
    (tmp_path / "latin.conllu").write_bytes(b"1\t\xe9\n")
    with pytest.raises(UserError, match="cannot be read"):
        read_conllu(tmp_path / "latin.conllu")


TABLE = """\
sent_id\ttext\tstart\tlength\thead\trole
a\tmy " dog\t0\t1\t2\tOwner
a\tmy " dog\t2\t1\t0\tThing
b\tas far as it\t0\t3\t3\tExtent
c\tmy " dog\t1\t1\t1\tQuote
"""


def test_a_token_table_has_a_row_per_label(tmp_path):
    corpus = read_token_table(write(tmp_path, TABLE), "role")
    assert corpus.sentences == (
        Sentence("a", ("my", '"', "dog"), (Target((0,), "Owner"), Target((2,), "Thing"))),
        Sentence("b", ("as", "far", "as", "it"), ()),
        Sentence("c", ("my", '"', "dog"), (Target((1,), "Quote"),)),
    )
    assert (corpus.unit, corpus.left_out) == ("word", 1)


def test_a_token_table_may_label_pairs(tmp_path):
    corpus = read_token_table(write(tmp_path, TABLE), "role", head="head", length=None)
    assert corpus.unit == "pair"
    assert corpus.sentences[0].targets[0] == Target((0, 2), "Owner")
    assert corpus.left_out == 0


def test_a_token_table_needs_neither_names_nor_lengths(tmp_path):
    text = "text\tstart\tlabel\nA cat\t1\tN\nA cat\t0\tD\n\nB\t0\tX\n"
    corpus = read_token_table(write(tmp_path, text), "label")
    assert [s.name for s in corpus.sentences] == ["2", "5"]
    assert corpus.sentences[0].targets == (Target((1,), "N"), Target((0,), "D"))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("a\tmy \" dog\t2\t", "a\tmy \" dog\t3\t", ":3: start: got '3', expected a word's place"),
        ("a\tmy \" dog\t2\t", "a\tmy \" dog\t-1\t", ":3: start: got '-1', expected a word's place"),
        ("\t2\t1\t0\tThing", "\t2\tThing", ":3: got 4 fields, expected 6"),
        ("\trole\n", "\troles\n", "got 0 columns 'role', expected one"),
        ("\thead\t", "\trole\t", "got 2 columns 'role', expected one"),
    ],
)  # fmt: skip
def test_a_broken_row_of_a_table_is_named(tmp_path, old, new, message):
    assert TABLE.count(old) == 1
    with pytest.raises(UserError) as error:
        read_token_table(write(tmp_path, TABLE.replace(old, new)), "role")
    assert message in str(error.value)
    assert "words.conllu" in str(error.value)


def test_a_table_without_rows_is_refused(tmp_path):
    with pytest.raises(UserError, match="has no rows"):
        read_token_table(write(tmp_path, "text\tstart\trole\n"), "role")


DATA = os.environ.get("TUNESCAPE_DATA")


@pytest.mark.skipif(not DATA, reason="TUNESCAPE_DATA is not set")
def test_real_corpora_have_the_counts_of_their_papers():
    pud = Path(DATA) / "UD_English-PUD" / "en_pud-ud-test.conllu"
    tags, relations = read_conllu(pud), read_conllu(pud, "deprel")
    assert len(tags.sentences) == 1000
    assert sum(len(s.words) for s in tags.sentences) == 21_180
    assert len(tags.labels) == 17
    counts = Counter(t.label for s in tags.sentences for t in s.targets)
    assert counts["INTJ"] == 1
    assert len(relations.labels) == 46
    assert relations.left_out == 1000
    streusle = read_token_table(Path(DATA) / "STREUSLE" / "snacs_train.tsv", "role")
    assert sum(len(s.targets) for s in streusle.sentences) + streusle.left_out == 4512
