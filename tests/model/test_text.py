import itertools
import json
import shutil
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import torch
from transformers import AutoTokenizer

from workflow_scripts.common.errors import UserError
from workflow_scripts.model.encoder import build_classifier, read_weights
from workflow_scripts.model.families import FAMILIES
from workflow_scripts.model.source import fetch
from workflow_scripts.model.text import collate, encode, load_tokenizer, token_batches


@pytest.mark.parametrize("kind", ["singles", "pairs"])
@pytest.mark.parametrize("max_length", [12, 100])
def test_batches_are_those_of_transformers(model_dir, kind, max_length, request):
    table = request.getfixturevalue(kind)
    tokenizer, theirs = load_tokenizer(model_dir), AutoTokenizer.from_pretrained(model_dir)
    encoded = encode(tokenizer, table, max_length)
    texts = [table[column].tolist() for column in table.columns if column != "label"]
    own = theirs(*texts, truncation=True, max_length=max_length, padding=True, return_tensors="pt")
    ours = collate(encoded, np.arange(len(table)), tokenizer.pad_token_id)
    assert set(ours) == set(own)
    assert all(torch.equal(ours[name], own[name]) for name in own)
    assert encoded.lengths.tolist() == own["attention_mask"].sum(1).tolist()
    assert encoded.lengths.max() <= max_length
    assert encoded.labels.tolist() == table["label"].tolist()
    assert len(encoded) == len(table)


def test_a_batch_is_as_wide_as_its_longest_example(bert_dir, singles):
    tokenizer = load_tokenizer(bert_dir)
    encoded = encode(tokenizer, singles, 64)
    batch = collate(encoded, np.array([1, 0]), tokenizer.pad_token_id)
    assert batch["input_ids"].shape == (2, encoded.lengths[0])
    assert batch["attention_mask"].sum(1).tolist() == encoded.lengths[[1, 0]].tolist()
    assert (batch["input_ids"][0, encoded.lengths[1] :] == tokenizer.pad_token_id).all()


def test_types_are_given_where_the_model_takes_them(model_dir, pairs):
    encoded = encode(load_tokenizer(model_dir), pairs, 64)
    kind = build_classifier(model_dir, 2).config.model_type
    if FAMILIES[kind].token_types < 2:
        assert encoded.token_type_ids is None
    else:
        assert {t for row in encoded.token_type_ids for t in row} == {0, 1}


def test_jobs_read_text_without_torch_and_transformers(bert_dir):
    code = (
        "import sys, pandas; from workflow_scripts.model.text import encode, load_tokenizer\n"
        "table = pandas.DataFrame({'sentence': ['a'], 'label': 0})\n"
        "assert len(encode(load_tokenizer(sys.argv[1]), table, 9)) == 1\n"
        "assert not {'torch', 'transformers'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code, str(bert_dir)], check=True)


def test_no_text_is_unknown_to_the_random_models_tokenizer(model_dir, pairs):
    tokenizer = load_tokenizer(model_dir)
    for row in encode(tokenizer, pairs, 128).input_ids:
        assert tokenizer.backend.token_to_id("[UNK]") not in row
    assert len(tokenizer.backend.encode("the farmer sold a horse", add_special_tokens=False)) == 5


def test_the_model_limits_the_length(model_dir, singles):
    tokenizer = load_tokenizer(model_dir)
    kind = build_classifier(model_dir, 2).config.model_type
    longest = 128 if FAMILIES[kind].positions_after_padding else 130
    encode(tokenizer, singles, longest)
    with pytest.raises(UserError, match=f"max_length: got 131, .* at most {longest}"):
        encode(tokenizer, singles, 131)
    # And the model takes as many tokens as that.
    ids = torch.full((1, longest), 7)
    assert build_classifier(model_dir, 2)(ids).logits.shape == (1, 2)


def test_an_empty_table_gives_no_examples(bert_dir, singles):
    encoded = encode(load_tokenizer(bert_dir), singles[:0], 64)
    assert len(encoded) == 0
    assert token_batches(encoded.lengths, 64) == []


@pytest.mark.parametrize("budget", [1, 64, 1000, 10**9])
def test_batches_hold_each_index_once_within_the_budget(budget):
    lengths = np.random.default_rng(0).integers(1, 100, size=500)
    batches = token_batches(lengths, budget)
    order = np.concatenate(batches)
    assert sorted(order) == list(range(500))
    assert (order == np.argsort(lengths, kind="stable")).all()
    for batch in batches:
        assert len(batch) == 1 or len(batch) * lengths[batch].max() <= budget
    # No batch could have taken the next example too.
    for batch, following in itertools.pairwise(batches):
        assert (len(batch) + 1) * lengths[following[0]] > budget


def test_a_folder_without_a_tokenizer_is_refused_in_one_line(tmp_path, bert_dir):
    (tmp_path / "config.json").write_bytes((bert_dir / "config.json").read_bytes())
    with pytest.raises(UserError, match=r"tokenizer\.json") as error:
        load_tokenizer(tmp_path)
    assert "\n" not in str(error.value)
    (tmp_path / "tokenizer_config.json").write_bytes(
        (bert_dir / "tokenizer_config.json").read_bytes()
    )
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(UserError, match=r"tokenizer\.json: cannot be read as a tokenizer") as error:
        load_tokenizer(tmp_path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("side", ["right", "left"])
def test_the_settings_of_the_tokenizer_are_kept(bert_dir, tmp_path, pairs, side):
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json"):
        (tmp_path / name).write_bytes((bert_dir / name).read_bytes())
    settings = json.loads((tmp_path / "tokenizer_config.json").read_text())
    settings |= {"truncation_side": side, "split_special_tokens": side == "left"}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(settings))
    pairs.loc[0, "sentence1"] = "The [SEP] token [CLS] " + pairs.loc[0, "sentence1"]
    tokenizer, theirs = load_tokenizer(tmp_path), AutoTokenizer.from_pretrained(tmp_path)
    for name in ("pad_token_id", "cls_token_id", "sep_token_id", "model_max_length"):
        assert getattr(tokenizer, name) == getattr(theirs, name)
    for longest in (12, 100):
        own = theirs(
            pairs["sentence1"].tolist(),
            pairs["sentence2"].tolist(),
            truncation="longest_first",
            max_length=longest,
        )
        encoded = encode(tokenizer, pairs, longest)
        assert encoded.input_ids == own["input_ids"]
        assert encoded.token_type_ids == own["token_type_ids"]


def test_numbers_among_the_texts_are_read_as_text(bert_dir):
    table = pd.DataFrame({"sentence": [1999, "the horse"], "label": [0, 1]})
    assert encode(load_tokenizer(bert_dir), table, 64).lengths.min() > 2


def test_a_tokenizer_that_was_not_fetched_is_named_with_what_reads_it(bert_dir, tmp_path):
    folder = tmp_path / "checkpoint-500"
    shutil.copytree(bert_dir, folder)
    settings = json.loads((folder / "tokenizer_config.json").read_text())
    del settings["model_input_names"]  # transformers 5 writes it without
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    with pytest.raises(UserError) as error:
        load_tokenizer(folder)
    message = str(error.value)
    assert message.startswith(f"{folder}/tokenizer_config.json: has no model_input_names")
    assert f"fetch('dir:{folder}').tokenizer" in message
    assert fetch(f"dir:{folder}").tokenizer.pad_token_id is not None


def test_a_folder_in_place_of_a_weight_file_is_named(bert_dir):
    with pytest.raises(UserError, match="is a folder, expected a safetensors file"):
        read_weights(bert_dir)
