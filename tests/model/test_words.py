import numpy as np
import pytest
import torch

from workflow_scripts.common.errors import UserError
from workflow_scripts.data.corpora import joined
from workflow_scripts.model.words import pieces_of_words, target_means, target_rows

SPECIAL = (0, 0)


def split(words, sizes):
    """Offsets of a tokenizer that cuts the words into pieces of these sizes."""
    text, spans = joined(words)
    offsets = [SPECIAL]
    for (start, _), pieces in zip(spans, sizes, strict=True):
        for size in pieces:
            offsets.append((start, start + size))
            start += size
    assert all(text[a:b].strip() for a, b in offsets[1:])
    return np.array([*offsets, SPECIAL]), spans


def test_a_sentence_is_its_words_with_spaces_between():
    text, spans = joined(["un", "deux", "3"])
    assert text == "un deux 3"
    assert [text[a:b] for a, b in spans] == ["un", "deux", "3"]
    assert joined([]) == ("", [])


def test_a_words_vector_is_the_mean_of_its_pieces():
    offsets, spans = split(["play", "ing", "unbelievable"], [[4], [1, 2], [2, 5, 5]])
    pieces = pieces_of_words(offsets, spans, kept=len(offsets))
    assert pieces.first.tolist() == [1, 2, 4]
    assert pieces.stop.tolist() == [2, 4, 7]
    assert pieces.whole.all()
    hidden = np.random.default_rng(0).normal(size=(len(offsets), 5))
    expected = [hidden[1], hidden[2:4].mean(axis=0), hidden[4:7].mean(axis=0)]
    assert means_of(hidden, pieces, [(2,), (0,)]) == pytest.approx(np.stack(expected)[[2, 0]])
    pair = means_of(hidden, pieces, [(1, 0)])
    assert pair == pytest.approx(np.concatenate([expected[1], expected[0]])[None])


def means_of(hidden, pieces, targets):
    """Vectors of targets, whose words are numbers, of one sentence that begins in row 3."""
    words = np.array(targets)
    rows, owner = target_rows(pieces.first[words], pieces.stop[words], np.full(len(words), 3))
    states = torch.from_numpy(np.concatenate([np.full((3, hidden.shape[1]), np.nan), hidden]))
    return target_means(states, rows, owner, words.shape).numpy()


def test_a_word_that_the_longest_input_cuts_is_left_out_and_counted():
    offsets, spans = split(["one", "second", "last"], [[3], [3, 3], [4]])
    pieces = pieces_of_words(offsets, spans, kept=3)  # special token, "one", "sec"
    assert pieces.cut.tolist() == [False, True, True]
    assert not pieces.empty.any()
    assert pieces.whole.tolist() == [True, False, False]


def test_a_word_without_pieces_is_not_taken_for_one_that_is_cut():
    text, spans = joined(["a", "\u200b", "b"])
    offsets = np.array([SPECIAL, (0, 1), (4, 5), SPECIAL])
    pieces = pieces_of_words(offsets, spans, kept=4)
    assert text[4] == "b"
    assert pieces.empty.tolist() == [False, True, False]
    assert not pieces.cut.any()
    assert pieces.first.tolist() == [1, 0, 2]


def test_a_piece_with_its_leading_space_or_over_two_words_belongs_to_all_it_touches():
    _, spans = joined(["ab", "cd"])
    spaced = pieces_of_words(np.array([(0, 2), (2, 5)]), spans, kept=2)
    assert (spaced.first.tolist(), spaced.stop.tolist()) == ([0, 1], [1, 2])
    both = pieces_of_words(np.array([(0, 5)]), spans, kept=1)
    assert (both.first.tolist(), both.stop.tolist()) == ([0, 0], [1, 1])


def test_a_sentence_of_special_tokens_only_has_no_words():
    pieces = pieces_of_words(np.array([SPECIAL, SPECIAL]), joined(["\x00"])[1], kept=2)
    assert pieces.empty.tolist() == [True]
    assert not pieces.whole.any()


def test_offsets_that_go_back_are_refused():
    with pytest.raises(UserError, match="go back in the text"):
        pieces_of_words(np.array([(3, 5), (0, 2)]), joined(["ab", "cd"])[1], kept=2)


def test_a_real_tokenizer_agrees_with_its_own_word_numbers():
    tokenizers = pytest.importorskip("tokenizers")
    words = ["Unbelievably", ",", "it", "'s", "naïve", "日本", "e-mail", "10,000"]
    vocabulary = {"[UNK]": 0, **{c: k + 1 for k, c in enumerate(sorted(set("".join(words))))}}

    pieces = [*vocabulary, *(f"##{c}" for c in sorted(set("".join(words))))]
    model = tokenizers.models.WordPiece({p: k for k, p in enumerate(pieces)}, unk_token="[UNK]")
    tokenizer = tokenizers.Tokenizer(model)
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.BertPreTokenizer()
    text, spans = joined(words)
    plain = tokenizer.encode(text)
    by_word = tokenizer.encode(words, is_pretokenized=True)
    assert plain.ids == by_word.ids
    found = pieces_of_words(np.array(plain.offsets), spans, kept=len(plain.ids))
    for word in range(len(words)):
        own = [k for k, w in enumerate(by_word.word_ids) if w == word]
        assert list(range(found.first[word], found.stop[word])) == own
