"""Training on words and pairs of words, against plain loops over transformers in float64."""

import numpy as np
import pandas as pd
import pytest
import torch
from torch.nn.functional import cross_entropy

from tests.finetune.toy import arguments, call, recipe_of, write_model
from workflow_scripts.common.tables import read_table, write_json, write_table
from workflow_scripts.finetune.batches import epoch_batches
from workflow_scripts.finetune.packed import forward_of
from workflow_scripts.finetune.schedule import factor
from workflow_scripts.model.encoder import build_word_classifier, read_weights, start_weights
from workflow_scripts.model.text import encode, load_tokenizer

CPU = torch.device("cpu")
WORDS = {"word": 1, "pair": 2}


def word_table(sentences: int, seed: int, unit: str) -> pd.DataFrame:
    """Some words of each sentence; a word of several letters is cut into its letters.

    The label says which letter a word begins with; of a pair, whether both begin alike.
    """
    random = np.random.default_rng(seed)
    rows = []
    for number in range(sentences):
        words = ["".join(random.choice(list("abcde"), random.integers(1, 4))) for _ in range(5)]
        starts = np.cumsum([0, *(len(word) + 1 for word in words)])
        chosen = random.permutation(5)[: random.integers(1, 5)]
        for k in chosen:
            row = {"sentence": " ".join(words), "sentence_id": number}
            row |= {"start": starts[k], "stop": starts[k] + len(words[k])}
            label = "abcde".index(words[k][0])
            if unit == "pair":
                other = int(random.integers(5))
                row |= {"head_start": starts[other], "head_stop": starts[other] + len(words[other])}
                label = int(words[k][0] == words[other][0])
            rows.append({**row, "label": label})
    return pd.DataFrame(rows)


@pytest.fixture(scope="module", params=["BertConfig", "RobertaConfig", "DistilBertConfig"])
def model(request, tmp_path_factory):
    """Folder of a random encoder whose tokenizer cuts words into letters."""
    from tokenizers import Tokenizer, pre_tokenizers

    folder = tmp_path_factory.mktemp(request.param)
    write_model(folder, request.param)
    core = Tokenizer.from_file(str(folder / "tokenizer.json"))
    letters = pre_tokenizers.Split("", "isolated")
    core.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Whitespace(), letters])
    core.save(str(folder / "tokenizer.json"))
    return folder


def plain_loss(model, head, table, label_of):
    """Loss of the labelled words of some sentences, one sentence and one word at a time."""
    losses = []
    for _, group in table.groupby("sentence_id", sort=False):
        text = group["sentence"].iloc[0]
        ids, owner = [2], [-1]  # [CLS]
        for place, letter in enumerate(text):
            if letter != " ":
                ids.append(label_of[letter])
                owner.append(place)
        states = model(input_ids=torch.tensor([[*ids, 3]])).last_hidden_state[0]
        for row in group.itertuples():
            vectors = []
            for start, stop in [(row.start, row.stop)] + (
                [(row.head_start, row.head_stop)] if "head_start" in table else []
            ):
                pieces = [k for k, place in enumerate(owner) if start <= place < stop]
                vectors.append(torch.stack([states[k] for k in pieces]).mean(dim=0))
            logits = head[0] @ torch.cat(vectors) + head[1]
            losses.append(cross_entropy(logits[None], torch.tensor([row.label])))
    return torch.stack(losses).mean()


def letters_of(folder):
    tokenizer = load_tokenizer(folder)
    return {letter: tokenizer.backend.token_to_id(letter) for letter in "abcde"}


@pytest.mark.parametrize("unit", WORDS)
def test_loss_and_all_gradients_are_those_of_a_plain_loop(model, unit):
    from transformers import AutoModel

    table = word_table(9, 0, unit)
    labels = int(table["label"].max()) + 1
    module = build_word_classifier(model, labels, WORDS[unit], dropout=0.0)
    weights = start_weights(module, read_weights(model / "model.safetensors"), 0)
    module.load_state_dict(weights)
    module.double().train()
    encoded = encode(load_tokenizer(model), table, 32)
    assert len(encoded) == 9
    chosen = np.array([7, 0, 3, 5])
    logits = forward_of(module, 0, CPU)(encoded, chosen)
    loss = cross_entropy(logits, torch.tensor(encoded.labels[encoded.labels_of(chosen)]))
    loss.backward()

    plain = AutoModel.from_pretrained(model, dtype=torch.float64).eval()
    prefix = f"{module.base_model_prefix}."
    inner = {n.removeprefix(prefix): t for n, t in weights.items() if n.startswith(prefix)}
    plain.load_state_dict({n: t.double() for n, t in inner.items()}, strict=False)
    head = [weights[f"classifier.{n}"].double().requires_grad_() for n in ("weight", "bias")]
    of_chosen = table[table["sentence_id"].isin(chosen)]
    expected = plain_loss(plain, head, of_chosen, letters_of(model))
    expected.backward()
    assert loss.item() == pytest.approx(expected.item(), rel=1e-10)
    found = dict(module.named_parameters())
    compared = 0
    for name, parameter in plain.named_parameters():
        if parameter.grad is not None:
            torch.testing.assert_close(found[prefix + name].grad, parameter.grad, rtol=1e-8,
                                       atol=1e-11)  # fmt: skip
            compared += 1
    assert compared > 20
    torch.testing.assert_close(found["classifier.weight"].grad, head[0].grad, rtol=1e-8, atol=1e-11)
    torch.testing.assert_close(found["classifier.bias"].grad, head[1].grad, rtol=1e-8, atol=1e-11)


@pytest.mark.parametrize("unit", WORDS)
def test_a_run_ends_where_a_plain_loop_in_float64_ends(model, tmp_path, unit):
    from transformers import AutoModel

    tables = {split: word_table(size, k, unit) for k, (split, size) in
              enumerate((("train", 22), ("dev", 8)))}  # fmt: skip
    labels = 5 if unit == "word" else 2
    toy = tmp_path / "toy"
    toy.mkdir()
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json", "model.safetensors"):
        (toy / name).write_bytes((model / name).read_bytes())
    for split, table in tables.items():
        write_table(table, toy / f"{split}.parquet")
    write_json({"labels": list("abcde")[:labels], "unit": unit}, toy / "card.json")
    recipe = recipe_of(batch_size=6, epochs=2, dropout=0.0, learning_rate=1e-3, weight_decay=0.05)
    out = tmp_path / "run"
    call(arguments(toy, out, recipe))

    first = read_weights(out / "epoch00.safetensors")
    plain = AutoModel.from_pretrained(toy, dtype=torch.float64).eval()
    prefix = next(n for n in first if "layer" in n).split(".")[0] + "."
    inner = {n.removeprefix(prefix): t for n, t in first.items() if n.startswith(prefix)}
    plain.load_state_dict({n: t.double() for n, t in inner.items()}, strict=False)
    head = [torch.nn.Parameter(first[f"classifier.{name}"].double()) for name in ("weight", "bias")]
    train = tables["train"]
    lengths = train.drop_duplicates("sentence_id")["sentence"].str.replace(" ", "").str.len() + 2
    every = [*plain.parameters(), *head]
    groups = [
        {"params": [p for p in every if p.ndim > 1], "weight_decay": 0.05},
        {"params": [p for p in every if p.ndim <= 1], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=1.0, betas=recipe.betas, eps=recipe.eps)
    step, steps, losses = 0, 8, []
    for epoch in (1, 2):
        for batch in epoch_batches(lengths.to_numpy(), 6, recipe.bucket_batches, 0, epoch):
            step += 1
            for group in optimizer.param_groups:
                group["lr"] = 1e-3 * factor(step, steps, recipe.schedule, recipe.warmup)
            of_batch = train[train["sentence_id"].isin(batch)]
            loss = plain_loss(plain, head, of_batch, letters_of(toy))
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(every, recipe.gradient_clip)
            optimizer.step()
            losses.append(loss.item())
    history = read_table(out / "history.parquet")
    assert history["loss"].tolist() == pytest.approx(losses, rel=1e-4)
    last = read_weights(out / "epoch02.safetensors")
    for name, parameter in plain.named_parameters():
        # The keys' biases have no gradient except for rounding, which Adam makes large.
        if parameter.grad is not None and not name.endswith(("key.bias", "k_lin.bias")):
            moved = (parameter.detach() - first[prefix + name].double()).norm()
            error = (last[prefix + name].double() - parameter.detach()).norm()
            assert error <= 5e-3 * moved + 1e-5, name
    torch.testing.assert_close(last["classifier.weight"].double(), head[0].detach(), rtol=1e-3,
                               atol=1e-4)  # fmt: skip
    scores = read_table(out / "scores.parquet")
    with torch.no_grad():
        dev = plain_loss(plain, head, tables["dev"], letters_of(toy)).item()
    assert scores["dev_loss"].iloc[-1] == pytest.approx(dev, rel=1e-4)


def test_words_cut_away_are_left_out_and_said(model, caplog):
    table = word_table(9, 0, "word")
    tokenizer = load_tokenizer(model)
    whole, short = encode(tokenizer, table, 32), encode(tokenizer, table, 6)
    assert (whole.targets.cut, len(whole.labels)) == (0, len(table))
    assert short.targets.cut == len(table) - len(short.labels) > 0
    assert f"{short.targets.cut} are cut away at max_length 6" in caplog.text
    assert short.lengths.max() == 6
    # A word is left out if one of its letters is beyond the 4 that fit between the special tokens.
    letters_before = [
        len(text[:stop].replace(" ", "")) for text, stop in zip(table["sentence"], table["stop"],
                                                              strict=True)
    ]  # fmt: skip
    expected = [row for row, count in enumerate(letters_before) if count <= 4]
    assert sorted(short.targets.rows.tolist()) == expected
    assert short.labels.tolist() == table["label"].to_numpy()[short.targets.rows].tolist()
