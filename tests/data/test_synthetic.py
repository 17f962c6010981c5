"""The synthetic tasks: the same sentences anywhere, balanced, nothing leaked, no giveaway."""

import re
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import hstack
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression

from workflow_scripts.common.errors import UserError
from workflow_scripts.data import synthetic
from workflow_scripts.data.grammars import classes, nli, paraphrase, sentiment
from workflow_scripts.data.synthetic import GRAMMARS, MOST, generate
from workflow_scripts.data.tasks import digest

TASKS = tuple(GRAMMARS)
PAIRS = ("nli", "entailment", "paraphrase")
# Digests of 30 + 20 examples with seed 7: another value is another data set under the same name.
DIGESTS = {
    "nli": "f1fbd848f144fc57412170e59797398ab36b508b8cfce03aa2dff7e30f5ada59",
    "entailment": "3665ea0d637df3b93b0c6cb7106c75de2bcefbb253a2a2447973ddd8691a8b98",
    "sentiment": "e9e250f6f062568537cfe278abd1bca908e0abc6727485ce245f14f05bada190",
    "paraphrase": "bbc2881ad94e3af5fc7c18d6405176019ef1c35cc09fada461e02406adbe88ea",
}


def texts(table: pd.DataFrame) -> list[tuple[str, ...]]:
    columns = [name for name in table if name != "label"]
    return list(table[columns].itertuples(index=False, name=None))


def words(*tables: pd.DataFrame) -> set[str]:
    return {
        word
        for table in tables
        for example in texts(table)
        for sentence in example
        for word in re.findall(r"[a-z]+", sentence.lower())
    }


@pytest.mark.parametrize("task", TASKS)
def test_a_seed_gives_the_same_sentences_everywhere(task):
    assert digest(*generate(task, 30, 20, seed=7)) == DIGESTS[task]
    assert digest(*generate(task, 30, 20, seed=8)) != DIGESTS[task]


def test_sentences_do_not_depend_on_the_hash_seed_of_python():
    code = (
        "from workflow_scripts.data.synthetic import *; from workflow_scripts.data.tasks import "
        "digest; print(*(digest(*generate(t, 30, 20, seed=7)) for t in GRAMMARS))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONHASHSEED": "123", "PYTHONPATH": "."},
        cwd=synthetic.__file__.rsplit("/workflow_scripts", 1)[0],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == [DIGESTS[task] for task in TASKS]


@pytest.mark.parametrize("task", TASKS)
def test_a_smaller_set_is_the_beginning_of_a_larger_one_and_the_other_set_stays(task):
    small, large = generate(task, 50, 40, seed=1), generate(task, 120, 90, seed=1)
    pd.testing.assert_frame_equal(small[0], large[0].head(50))
    pd.testing.assert_frame_equal(small[1], large[1].head(40))


@pytest.mark.parametrize("task", TASKS)
def test_labels_are_balanced(task):
    train, dev, names = generate(task, 600, 401, seed=3)
    for table in (train, dev):
        counts = np.bincount(table["label"], minlength=len(names))
        assert table["label"].dtype == np.int64
        assert counts.max() - counts.min() <= 1
    assert names == sorted(names)


@pytest.mark.parametrize("task", TASKS)
def test_no_example_comes_twice_and_none_is_in_both_sets(task):
    train, dev, _ = generate(task, MOST["train"], MOST["dev"], seed=0)
    assert (len(train), len(dev)) == (MOST["train"], MOST["dev"])
    unordered = [{tuple(sorted(example)) for example in texts(table)} for table in (train, dev)]
    assert [len(found) for found in unordered] == [len(train), len(dev)]
    first = [{example[0] for example in texts(table)} for table in (train, dev)]
    assert not first[0] & first[1], "a premise is in both sets"
    if task in PAIRS:
        assert not unordered[0] & unordered[1]
        assert (train["sentence1"] != train["sentence2"]).all()


@pytest.mark.parametrize("task", TASKS)
def test_words_and_relations_are_held_out_of_training(task):
    train, _, _ = generate(task, MOST["train"], 3, seed=0)
    for seed in (0, 1):
        _, dev, _ = generate(task, 3, 400, seed)
        known = words(train)
        new = [bool(words(dev.iloc[[row]]) - known) for row in range(len(dev))]
        # Not every held-out relation has a new word: a known word may be in a new scale.
        assert 0.35 < np.mean(new) < 0.65
        # As often under each label, or novelty alone would predict it.
        by_label = pd.Series(new).groupby(dev["label"]).mean()
        assert by_label.max() - by_label.min() < 0.2


def test_word_lists_are_consistent():
    for lists in (sentiment.ADJECTIVES, sentiment.NOUNS, sentiment.VERBS):
        assert len(lists[0]) == len(lists[1])
        assert len({*lists[0], *lists[1]}) == 2 * len(lists[0]), "a word in two lists, or twice"
    members = [m for part in (classes.KNOWN, classes.NEW) for c in part.values() for m in c]
    assert len(members) == len(set(members)), "a member of two classes"
    for kind, scales in nli.KINDS.items():
        for held_out in (True, False):
            topics = {scale.topic for scale in scales if scale.held_out == held_out}
            assert len(topics) > 1, f"{kind}: nothing unrelated to say"
        for scale in scales:
            both = [word for end in scale.ends for word in end]
            assert len(both) == len(set(both)), f"{kind}: {scale}"
            # With one word alone there is no paraphrase, and the word would reveal the label.
            assert min(len(scale.words(end, False)) for end in (0, 1)) > 1, f"{kind}: {scale}"
    for kind, parts in paraphrase.KINDS.items():
        both = [word for part in parts for pair in part for word in pair]
        assert len(both) == len(set(both)), f"{kind}: a word in two sets"
        assert len(parts[0]) == 2 * len(parts[1])


@pytest.mark.parametrize("task", TASKS)
def test_sentences_are_short_and_well_formed(task):
    train, dev, _ = generate(task, 600, 400, seed=2)
    for table in (train, dev):
        for sentence in (s for example in texts(table) for s in example):
            assert re.fullmatch(r"[A-Z][A-Za-z ,]*\.", sentence), sentence
            assert "  " not in sentence
            assert not re.search(r"\ba [aeiou]|\ban [^aeiou]", sentence.lower()), sentence
            assert 3 <= len(sentence.split()) <= 16, sentence


def bag_of_words(train: pd.DataFrame, dev: pd.DataFrame, parts: list[list[str]]) -> float:
    """Dev accuracy of logistic regression on word counts, one vocabulary for each part."""
    counters = [CountVectorizer(token_pattern=r"\w+") for _ in parts]
    joined = [[table[part].agg(" ".join, axis=1) for part in parts] for table in (train, dev)]
    features = [
        hstack(
            [counter.fit_transform(text) for counter, text in zip(counters, joined[0], strict=True)]
        ),
        hstack(
            [counter.transform(text) for counter, text in zip(counters, joined[1], strict=True)]
        ),
    ]
    model = LogisticRegression(max_iter=2000).fit(features[0], train["label"])
    return model.score(features[1], dev["label"])


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("task", PAIRS)
def test_single_words_do_not_give_the_label_away(task, seed):
    train, dev, names = generate(task, 1000, 800, seed)
    both = ["sentence1", "sentence2"]
    scores = {
        "both sentences": bag_of_words(train, dev, [both]),
        "each with its own vocabulary": bag_of_words(train, dev, [["sentence1"], ["sentence2"]]),
        "second sentence only": bag_of_words(train, dev, [["sentence2"]]),
    }
    assert max(scores.values()) < 0.75, scores
    # The grammars aim at chance, not just below the limit.
    assert max(scores.values()) < 1 / len(names) + 0.12, scores


def test_sentiment_of_words_not_trained_on_is_beyond_a_bag_of_words():
    train, dev, _ = generate("sentiment", 600, 800, seed=0)
    assert 0.5 < bag_of_words(train, dev, [["sentence"]]) < 0.75


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("nil", 10, 10), "got synthetic task 'nil', allowed: nli, entailment, sentiment, "
         "paraphrase; did you mean 'nli'?"),
        (("nli", 20_001, 10), "source 'synthetic:nli': train asks for 20001 examples, "
         "allowed: 3 to 20000"),
        (("nli", 10, 2), "source 'synthetic:nli': dev asks for 2 examples, allowed: 3 to 4000"),
    ],
)  # fmt: skip
def test_what_cannot_be_generated_is_refused_in_one_line(arguments, message):
    with pytest.raises(UserError) as error:
        generate(*arguments, seed=0)
    assert str(error.value) == message
