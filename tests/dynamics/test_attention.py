import math
import threading
import weakref

import numpy as np
import pytest
import torch
from scipy.special import rel_entr
from transformers import AutoConfig, AutoModel

from tests.dynamics.conftest import ATTENTION, attention_pair
from tests.landscape.conftest import CONFIGS, KNOWN, light, sentences, takes_pairs
from workflow_scripts.common.errors import UserError
from workflow_scripts.dynamics import attention as code
from workflow_scripts.dynamics.attention import (
    attentions,
    js_divergence,
    js_layers,
    js_per_query,
    mean_of_queries,
    query_types,
)
from workflow_scripts.dynamics.reading import equal_batches
from workflow_scripts.model.encoder import classifier_of, draw_encoder, load_weights, start_weights
from workflow_scripts.model.text import collate


def tensors(pair, dtype=torch.float32):
    p, q, mask = pair
    return torch.tensor(p, dtype=dtype), torch.tensor(q, dtype=dtype), torch.tensor(mask)


def drawn(drift=0.1, seed=5, lens=(9, 12, 4, 1), T=12, dtype=torch.float32):
    return tensors(attention_pair(seed, len(lens), 2, T, list(lens), drift), dtype)


def model(architecture: str, seed: int = 0, attention: str = "eager", **changes):
    config = CONFIGS[architecture]
    if changes:
        config = type(config).from_dict(config.to_dict() | changes)
    module = classifier_of(config, labels=2, attention=attention)
    encoder = {
        # Ten times the usual spread: attention of a fresh model is nearly uniform.
        name: t * 10 if t.ndim > 1 else t
        for name, t in draw_encoder(config, seed).items()
    }
    load_weights(module, start_weights(module, encoder, seed))
    return module


def inputs(n: int = 6, pad_to: int | None = None) -> dict:
    batch = collate(sentences(n, pairs=False), np.arange(n), pad_id=0)
    if pad_to:
        gap = pad_to - batch["input_ids"].shape[1]
        batch = {name: torch.nn.functional.pad(t, (0, gap)) for name, t in batch.items()}
    return batch


def layer_means(first, second, batch) -> np.ndarray:
    rows = js_layers(first, second, batch)
    return torch.stack([mean_of_queries(r, batch["attention_mask"]) for r in rows]).numpy()


# --- the divergence ---


@pytest.mark.parametrize("name", ATTENTION["fixtures"])
def test_it_gives_the_reference_numbers(name):
    fixture = ATTENTION["fixtures"][name]
    expected = np.array(fixture["per_example_head"])
    pair = attention_pair(**fixture["kwargs"])
    exact = js_divergence(*tensors(pair, torch.float64))
    assert exact.numpy() == pytest.approx(expected, rel=1e-11)
    single = js_divergence(*tensors(pair)).double()
    # Single values carry the rounding of the probabilities themselves.
    assert single.numpy() == pytest.approx(expected, rel=2e-6)
    assert single.mean(dim=0).numpy() == pytest.approx(fixture["per_head"], rel=1e-6)
    assert single.mean().item() == pytest.approx(fixture["layer_mean_nats"], rel=1e-6)


@pytest.mark.parametrize("drift", [1e-5, 1e-3, 0.1, 1.0, 5.0, 30.0])
def test_float32_is_precise_however_small_or_large_the_divergence(drift):
    p, q, mask = drawn(drift, lens=(12, 12), T=12)
    # The same probabilities in float64, where the definition can be used for large differences.
    exact = js_divergence(p.double(), q.double(), mask).numpy()
    if drift > 1e-2:
        a, b = p.double().numpy(), q.double().numpy()
        middle = (a + b) / 2
        by_definition = (rel_entr(a, middle) + rel_entr(b, middle)).sum(axis=-1) / 2
        assert exact == pytest.approx(by_definition.mean(axis=-1), rel=1e-8)
    assert js_divergence(p, q, mask).numpy() == pytest.approx(exact, rel=3e-7)


def test_a_tiny_difference_has_the_value_of_its_leading_term():
    p = torch.full((1, 1, 8, 8), 1 / 8)
    step = torch.tensor([1.0, -1.0] * 4) * 2**-20
    got = js_divergence(p * (1 + step), p * (1 - step), torch.ones(1, 8))
    # (p − q)² / (8 p̄), summed: the leading term of the series.
    assert got.item() == pytest.approx(2.0**-41, rel=1e-6)


def test_equal_attention_has_exactly_no_divergence():
    p, _, mask = drawn()
    assert (js_divergence(p, p.clone(), mask) == 0).all()


def test_it_is_symmetric_bit_for_bit():
    for drift in (1e-4, 1.0, 30.0):
        p, q, mask = drawn(drift)
        assert torch.equal(js_divergence(p, q, mask), js_divergence(q, p, mask))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_it_is_ln_2_where_nothing_is_shared_and_never_more(dtype):
    T = 12
    p = torch.zeros(1, 1, T, T, dtype=dtype)
    p[..., : T // 2] = torch.rand(T, T // 2, generator=torch.Generator().manual_seed(0))
    q = p.flip(-1)
    p, q = p / p.sum(-1, keepdim=True), q / q.sum(-1, keepdim=True)
    got = js_per_query(p, q, torch.ones(1, T))
    assert got.double().max().item() <= math.log(2)
    assert got.min().item() == pytest.approx(math.log(2), rel=2e-7)


def test_padding_does_not_count():
    p, q, mask = drawn(lens=(9, 12, 4, 1), T=12)
    alone = [
        js_divergence(p[n : n + 1, :, :w, :w], q[n : n + 1, :, :w, :w], torch.ones(1, w))[0]
        for n, w in enumerate((9, 12, 4, 1))
    ]
    assert js_divergence(p, q, mask) == pytest.approx(torch.stack(alone), rel=1e-6)
    # What the queries of padding attend to, NaN or no probabilities at all, is not looked at.
    broken = p.masked_fill(~mask[:, None, :, None], torch.nan)
    assert torch.equal(js_divergence(broken, q, mask), js_divergence(p, q, mask))
    assert (js_per_query(p, q, mask).movedim(1, 2)[~mask] == 0).all()


def test_attention_to_padding_is_removed():
    p, q, mask = drawn(dtype=torch.float64)
    pad = (~mask)[:, None, None].expand_as(p)
    share = 1e-3
    leaked = p * (1 - share) + pad * share / pad.sum(-1, keepdim=True).clamp(min=1)
    leaked = torch.where(pad.any(-1, keepdim=True), leaked, p)
    assert js_divergence(leaked, q, mask) == pytest.approx(js_divergence(p, q, mask), rel=1e-11)


def test_the_types_of_query_share_the_mean():
    p, q, mask = drawn(lens=(9, 12, 4, 3))
    ids = torch.full((4, 12), 7)
    ids[:, 0] = 2
    for row, ends in enumerate([(4, 8), (5, 11), (3,), (2,)]):
        ids[row, list(ends)] = 3
    types = query_types(ids, mask, cls_id=2, sep_id=3)
    counts = {name: chosen.sum(dim=1)[:, None] for name, chosen in types.items()}
    assert counts["sep"].flatten().tolist() == [2, 2, 1, 1]
    assert torch.equal(sum(chosen.int() for chosen in types.values()), mask.int())
    rows = js_per_query(p, q, mask)
    parts = {name: mean_of_queries(rows, chosen) for name, chosen in types.items()}
    whole = sum(parts[name] * counts[name] for name in types) / mask.sum(dim=1)[:, None]
    assert js_divergence(p, q, mask) == pytest.approx(whole, rel=1e-6)
    assert torch.equal(parts["cls"], rows[:, :, 0])
    assert mean_of_queries(rows, torch.zeros_like(mask)).isnan().all()


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda p, q, m: (p[:, :1], q, m), r"one shape .* got \[4, 1, 12, 12\] and \[4, 2, 12, 12"),
        (lambda p, q, m: (p, q, m[:, :5]), r"mask: got shape \[4, 5\], expected \[4, 12\]"),
        (lambda p, q, m: (p, q, m * 0), "an example has no tokens"),
        (lambda p, q, m: (p.log(), q, m), "has a negative value, expected probabilities"),
        (lambda p, q, m: (p, q * 0.9, m), r"1 ± 0\.1.*within 1e-05"),
        (lambda p, q, m: (p, q.roll(1, 2) * torch.nan, m), "contains NaN: the model's activations"),
        (lambda p, q, m: (p, q.bfloat16(), m), r"expected probabilities .* as in float32"),
        (lambda p, q, m: (p.flip(-1), q, m), "is on padding only"),
    ],
)
def test_wrong_input_is_refused_in_one_line(spoil, message):
    with pytest.raises(UserError, match=message) as error:
        js_divergence(*spoil(*drawn()))
    assert "\n" not in str(error.value)


# --- the attention of a model ---


def test_layers_come_as_transformers_gives_them(architecture):
    module = model(architecture)
    batch = inputs()
    with torch.no_grad():
        expected = module(**batch, output_attentions=True).attentions
    got = list(attentions(module, batch))
    assert len(got) == len(expected) == 3
    for layer, other in zip(got, expected, strict=True):
        assert torch.equal(layer, other)


def same_inputs(pairs: bool) -> dict:
    """Examples of one length."""
    examples = sentences(40, pairs)
    return collate(examples, equal_batches(examples.lengths, 999)[2], pad_id=0)


@pytest.mark.parametrize("pairs", [False, True])
@pytest.mark.parametrize("architecture", KNOWN)
def test_known_architectures_give_the_attention_of_transformers(architecture, pairs):
    module = model(architecture)
    batch = same_inputs(pairs and takes_pairs(module))
    assert len(batch["input_ids"]) > 1
    with torch.no_grad():
        expected = module(**batch, output_attentions=True).attentions
    got = list(attentions(light(module), batch))
    assert len(got) == len(expected) == 3
    for layer, other in zip(got, expected, strict=True):
        torch.testing.assert_close(layer, other, rtol=1e-4, atol=1e-6)
    other = model(architecture, seed=1)
    np.testing.assert_allclose(
        layer_means(light(module), light(other), batch),
        layer_means(module, other, batch),
        rtol=1e-4,
    )


def test_known_architectures_take_no_padding():
    with pytest.raises(ValueError, match="this one is padded"):
        next(attentions(light(model("bert")), inputs()))


@pytest.mark.parametrize("architecture", ["mpnet", "deberta-v2", "roformer", "xlm-roberta"])
def test_modules_of_transformers_give_their_own_attention(architecture):
    config = AutoConfig.for_model(
        architecture,
        vocab_size=99,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=64,
        max_position_embeddings=40,
        embedding_size=32,
    )
    torch.manual_seed(0)
    module = AutoModel.from_config(config, attn_implementation="eager").eval()
    batch = inputs()
    with torch.no_grad():
        expected = module(**batch, output_attentions=True).attentions
    for layer, other in zip(attentions(module, batch), expected, strict=True):
        assert torch.equal(layer, other)


def test_a_layer_is_freed_after_its_turn(monkeypatch):
    seen, computing, comparing = [], [], []

    def alive() -> int:
        return sum(reference() is not None for reference in seen)

    def counted(module, batch):
        for attention in attentions(module, batch):
            seen.append(weakref.ref(attention))
            comparing.append(alive())
            yield attention
            del attention

    monkeypatch.setattr(code, "attentions", counted)
    models = model("bert"), model("bert", seed=1)
    for module in models:
        for layer in module.bert.encoder.layer:
            layer.attention.self.register_forward_pre_hook(lambda *_: computing.append(alive()))
    assert len(list(js_layers(*models, inputs()))) == 3
    # While one model computes a layer, nothing of it is left but what the other is waiting with.
    assert computing == [0, 1, 1, 1, 1, 1]
    assert comparing == [1, 2, 2, 2, 2, 2]


def test_an_abandoned_pass_leaves_nothing_behind():
    module = model("bert")
    before = threading.active_count()
    layers = attentions(module, inputs())
    next(layers)
    assert threading.active_count() == before + 1
    layers.close()
    assert threading.active_count() == before
    assert not any(part._forward_hooks for part in module.modules())


def test_an_error_of_the_model_reaches_the_caller():
    module = model("bert")
    with pytest.raises(IndexError):
        list(attentions(module, {"input_ids": torch.full((1, 4), 1000)}))
    assert not any(part._forward_hooks for part in module.modules())


def test_a_model_has_no_divergence_from_itself(architecture):
    module, batch = model(architecture), inputs()
    module.train()  # dropout would give one
    assert (layer_means(module, module, batch) == 0).all()
    assert (layer_means(module, model(architecture), batch) == 0).all()


def test_layers_are_those_of_the_whole_outputs(architecture):
    first, second, batch = model(architecture), model(architecture, seed=1), inputs()
    with torch.no_grad():
        outputs = [m(**batch, output_attentions=True).attentions for m in (first, second)]
    expected = [js_divergence(p, q, batch["attention_mask"]) for p, q in zip(*outputs, strict=True)]
    got = layer_means(first, second, batch)
    assert got.shape == (3, 6, 4)
    assert (got == torch.stack(expected).numpy()).all()
    assert got.min() > 1e-6


def test_neither_padding_nor_batch_size_changes_it(architecture):
    first, second = model(architecture), model(architecture, seed=1)
    batch = inputs()
    got = layer_means(first, second, batch)
    padded = layer_means(first, second, inputs(pad_to=38))
    assert padded == pytest.approx(got, rel=1e-4, abs=1e-9)
    for n, length in enumerate(batch["attention_mask"].sum(dim=1).tolist()):
        one = {name: t[n : n + 1, :length] for name, t in batch.items()}
        assert layer_means(first, second, one)[:, 0] == pytest.approx(got[:, n], rel=1e-4, abs=1e-9)


def test_a_model_without_probabilities_is_refused():
    with pytest.raises(UserError, match=r"'sdpa' attention; expected .* 'eager'"):
        list(attentions(model("bert", attention="sdpa"), inputs()))
    config = AutoConfig.for_model(
        "fnet", vocab_size=99, hidden_size=32, num_hidden_layers=2, intermediate_size=64
    )
    fourier = AutoModel.from_config(config)
    with pytest.raises(UserError, match="FNetModel returns no attention"):
        list(attentions(fourier, {"input_ids": inputs()["input_ids"]}))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"num_hidden_layers": 2}, "3 layers, the other 2"),
        ({"num_attention_heads": 2}, "4 attention heads, the other 2"),
        ({"vocab_size": 120}, "99 tokens in the vocabulary, the other 120"),
    ],
)
def test_models_that_do_not_match_are_refused(changes, message):
    with pytest.raises(UserError, match=message):
        list(js_layers(model("bert"), model("bert", **changes), inputs()))


def test_broken_activations_are_reported_with_their_layer():
    module = model("bert")
    with torch.no_grad():
        module.bert.encoder.layer[1].attention.self.query.weight[0, 0] = torch.nan
    with pytest.raises(UserError, match="layer 1: attention contains NaN"):
        list(js_layers(model("bert"), module, inputs()))
