import filecmp
import hashlib
import json
import shutil
import time

import pytest
import torch
from transformers import AutoConfig, AutoModelForSequenceClassification

from workflow_scripts.common.errors import UserError
from workflow_scripts.common.tables import set_record
from workflow_scripts.model.draw_scratch import draw_scratch
from workflow_scripts.model.encoder import (
    build_classifier,
    draw_encoder,
    encoder_names,
    encoder_weights,
    head_names,
    layer_count,
    layer_of,
    load_weights,
    names_in_layers,
    names_with_prefix,
    part_of,
    quiet,
    read_config,
    read_weights,
    shares_layers,
    start_weights,
    write_weights,
)
from workflow_scripts.model.layers import layer_groups
from workflow_scripts.model.text import collate, encode, load_tokenizer


def equal(a: dict, b: dict) -> bool:
    return set(a) == set(b) and all(torch.equal(a[name], b[name]) for name in a)


def started(model_dir, labels=3, init=0, **options):
    module = build_classifier(model_dir, labels, **options)
    weights = start_weights(module, read_weights(model_dir / "model.safetensors"), init)
    return module, weights


def test_all_weights_survive_a_round_trip(model_dir, tmp_path):
    module, weights = started(model_dir)
    write_weights(weights, tmp_path / "epoch00.safetensors")
    load_weights(module, read_weights(tmp_path / "epoch00.safetensors"))
    held = dict(module.named_parameters())
    assert list(held) == list(weights)
    assert all(torch.equal(held[name], weights[name]) for name in held)
    assert set(module.state_dict()) == set(held)
    assert not module.training


@pytest.mark.parametrize("step", [{}, {"code": "ab12", "Größe": {"b": 1, "a": [2, "ü\n"]}}])
def test_the_same_weights_give_the_same_bytes(bert_dir, tmp_path, step):
    set_record(step)
    weights = read_weights(bert_dir / "model.safetensors")
    write_weights(weights, tmp_path / "a.safetensors")
    (tmp_path / "usual").touch()
    assert (tmp_path / "a.safetensors").stat().st_mode == (tmp_path / "usual").stat().st_mode
    backwards = {name: weights[name] for name in reversed(weights)}
    first = hashlib.sha256((tmp_path / "a.safetensors").read_bytes()).hexdigest()
    for _ in range(20):  # the library alone writes the metadata's keys in any order
        write_weights(backwards, tmp_path / "b.safetensors")
        assert hashlib.sha256((tmp_path / "b.safetensors").read_bytes()).hexdigest() == first
    held = read_weights(tmp_path / "b.safetensors")
    assert all(torch.equal(held[name], weights[name]) for name in weights)


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("kind", ["singles", "pairs"])
def test_logits_are_those_of_a_plain_hugging_face_model(
    model_dir, tmp_path, attention, kind, request
):
    module, weights = started(model_dir, attention=attention)
    load_weights(module, weights)
    config = AutoConfig.from_pretrained(model_dir, num_labels=3)
    with quiet():
        plain = AutoModelForSequenceClassification.from_config(config)
        plain.load_state_dict(weights)
        plain.save_pretrained(tmp_path)
        plain = AutoModelForSequenceClassification.from_pretrained(
            tmp_path, attn_implementation=attention
        ).eval()
    tokenizer = load_tokenizer(model_dir)
    table = request.getfixturevalue(kind)
    inputs = collate(encode(tokenizer, table, 64), range(len(table)), tokenizer.pad_token_id)
    with torch.no_grad():
        ours, theirs = module(**inputs).logits, plain(**inputs).logits
    assert ours.shape == (len(table), 3)
    assert torch.equal(ours, theirs)
    assert ours.isfinite().all()
    assert ours.std() > 0
    assert module.config._attn_implementation == attention


def test_every_parameter_belongs_to_one_part(model_dir):
    module = build_classifier(model_dir, 3)
    prefix = module.base_model_prefix
    names = [name for name, _ in module.named_parameters()]
    assert sorted(encoder_names(module) + head_names(module)) == sorted(names)
    parts = {name: part_of(name, prefix) for name in names}
    assert {name for name in names if parts[name] == "head"} == set(head_names(module))
    assert head_names(module)
    layers = 1 if shares_layers(module) else 3
    expected = {"embeddings", "head"} | {f"layer{i:02d}" for i in range(layers)}
    assert expected <= set(parts.values()) <= expected | {"pooler", "other"}
    assert all(not part.startswith("layer") or layer_of(n) is not None for n, part in parts.items())
    # The same without the prefix, as the encoder's own file has the names.
    for name in encoder_names(module):
        assert part_of(name.removeprefix(f"{prefix}."), "") == parts[name]


def test_layers_are_counted_and_grouped(model_dir):
    module = build_classifier(model_dir, 3)
    if shares_layers(module):
        assert layer_count(module) == 1
        with pytest.raises(UserError, match="ALBERT's layers share one set of weights"):
            names_in_layers(module, range(1))
        with pytest.raises(UserError, match="3 layers or more"):
            layer_groups(layer_count(module))
        return
    assert layer_count(module) == layer_count(encoder_names(module)) == 3
    groups = layer_groups(layer_count(module))
    assert groups == {"low": range(0, 1), "middle": range(1, 2), "high": range(2, 3)}
    chosen = [names_in_layers(module, layers) for layers in groups.values()]
    assert len({len(names) for names in chosen}) == 1
    assert sum(map(len, chosen)) == sum(layer_of(n) is not None for n in encoder_names(module))


@pytest.mark.parametrize(
    ("name", "layer", "part"),
    [
        ("bert.encoder.layer.11.attention.self.query.weight", 11, "layer11"),
        ("bert.embeddings.LayerNorm.bias", None, "embeddings"),
        ("bert.pooler.dense.weight", None, "pooler"),
        ("distilbert.transformer.layer.0.ffn.lin1.weight", 0, "layer00"),
        ("albert.encoder.albert_layer_groups.0.albert_layers.0.ffn.weight", 0, "layer00"),
        ("albert.encoder.embedding_hidden_mapping_in.weight", None, "other"),
        ("electra.embeddings_project.weight", None, "other"),
        ("model.layers.7.mlp.Wi.weight", 7, "layer07"),
        ("classifier.weight", None, "head"),
        ("pre_classifier.weight", None, "head"),
    ],
)
def test_names_of_known_architectures(name, layer, part):
    prefix = next(
        (
            p
            for p in ("bert", "distilbert", "albert", "electra", "model")
            if name.startswith(f"{p}.")
        ),
        "bert",
    )
    assert layer_of(name) == layer
    assert part_of(name, prefix) == part


@pytest.mark.parametrize("count", [3, 4, 5, 6, 12, 24])
def test_thirds_hold_each_layer_once(count):
    groups = layer_groups(count)
    assert [layer for layers in groups.values() for layer in layers] == list(range(count))
    sizes = [len(layers) for layers in groups.values()]
    assert max(sizes) - min(sizes) <= 1


def test_thirds_of_bert_large_are_the_papers():
    assert layer_groups(24) == {"low": range(8), "middle": range(8, 16), "high": range(16, 24)}


def test_a_group_of_more_layers_than_the_model_has_is_refused():
    assert layer_groups(6, {"top": [4, 5]}) == {"top": range(4, 6)}
    with pytest.raises(UserError, match=r"layer group top: got \[4, 6\], .* layers 0 to 5"):
        layer_groups(6, {"top": [4, 6]})


def test_weights_that_do_not_fit_are_refused_and_nothing_is_copied(model_dir):
    module, weights = started(model_dir)
    load_weights(module, weights)
    name = head_names(module)[0]
    changed = {n: t + 1 for n, t in weights.items()}
    without = {n: t for n, t in changed.items() if n != name}
    reshaped = changed | {name: torch.zeros(7)}
    for wrong, message in (
        (without, f"{name} missing"),
        (changed | {"bert.odd": torch.zeros(1)}, "bert.odd unknown"),
        (reshaped, rf"{name} has shape \[7\], expected \["),
    ):
        with pytest.raises(UserError, match=message) as error:
            load_weights(module, wrong)
        assert "\n" not in str(error.value)
    assert all(torch.equal(p, weights[n]) for n, p in module.named_parameters())


def test_an_encoder_of_another_shape_is_refused(bert_dir, fetched):
    other = read_weights(fetched("random:bert:num_hidden_layers=2") / "model.safetensors")
    with pytest.raises(UserError, match=r"do not fit BertForSequenceClassification: .* missing"):
        start_weights(build_classifier(bert_dir, 2), other, 0)


def test_the_head_depends_on_its_seed_alone(model_dir):
    module, weights = started(model_dir, init=4)
    heads = head_names(module)
    torch.manual_seed(123)
    torch.randn(17)
    state = torch.get_rng_state()
    load_weights(module, weights)
    encoder = {n: t + 1 for n, t in read_weights(model_dir / "model.safetensors").items()}
    again = start_weights(module, encoder, 4)
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(again[name], weights[name]) for name in heads)
    assert equal(encoder_weights(module, again), encoder)
    other = start_weights(module, encoder, 5)
    assert not all(torch.equal(other[name], weights[name]) for name in heads)
    for name in heads:
        if name.endswith("bias"):
            assert not weights[name].any()
        else:  # 32 x 32 or 3 x 32 numbers of standard deviation 0.02
            assert weights[name].std().item() == pytest.approx(0.02, rel=0.25)


def test_scratch_weights_are_the_same_to_the_bit(model_dir, tmp_path):
    pretrained = read_weights(model_dir / "model.safetensors")
    threads = torch.get_num_threads()
    for name, used in (("a", 1), ("b", 2)):
        torch.manual_seed(used)
        torch.set_num_threads(used)
        state = torch.get_rng_state()
        draw_scratch(model_dir / "config.json", tmp_path / f"{name}.safetensors", init=3)
        assert torch.equal(torch.get_rng_state(), state)
    torch.set_num_threads(threads)
    assert filecmp.cmp(tmp_path / "a.safetensors", tmp_path / "b.safetensors", shallow=False)
    drawn = read_weights(tmp_path / "a.safetensors")
    assert {n: t.shape for n, t in drawn.items()} == {n: t.shape for n, t in pretrained.items()}
    words = "embeddings.word_embeddings.weight"
    assert drawn[words].std().item() == pytest.approx(0.02, rel=0.05)
    assert not torch.equal(drawn[words], pretrained[words])
    norms = [t for n, t in drawn.items() if "norm" in n.lower() and n.endswith("weight")]
    assert norms
    assert all((t == 1).all() for t in norms)
    other = draw_encoder(read_config(model_dir), 4)
    assert not torch.equal(other[words], drawn[words])


def test_head_and_scratch_weights_share_no_numbers(bert_dir):
    weights = started(bert_dir, init=0)[1]
    scratch = draw_encoder(read_config(bert_dir), 0)["embeddings.word_embeddings.weight"]
    head = weights["classifier.weight"].flatten()
    assert not torch.isin(head, scratch).any()


def test_dropout_of_the_recipe_is_used_everywhere(model_dir):
    own = build_classifier(model_dir, 2)
    with torch.no_grad():
        load_weights(own, started(model_dir, 2)[1])
    for probability in (0.0, 0.35):
        module = build_classifier(model_dir, 2, dropout=probability)
        found = [m.p for m in module.modules() if isinstance(m, torch.nn.Dropout)]
        found += [
            v
            for k, v in vars(module.config).items()
            if "dropout" in k and v is not None and k != "qa_dropout"
        ]
        assert len(found) > 4
        assert set(found) == {probability}
    # Without any dropout, training mode gives the logits of evaluation.
    still = build_classifier(model_dir, 2, dropout=0.0)
    load_weights(still, dict(own.named_parameters()))
    ids = torch.arange(5, 25).reshape(2, 10)
    torch.testing.assert_close(still.train()(ids).logits, own(ids).logits, rtol=0, atol=0)


def test_unset_dropout_is_the_models_own(bert_dir):
    module = build_classifier(bert_dir, 2)
    assert {m.p for m in module.modules() if isinstance(m, torch.nn.Dropout)} == {0.1}


def test_names_with_prefix_are_the_modules_own(model_dir):
    module, weights = started(model_dir)
    encoder = read_weights(model_dir / "model.safetensors")
    assert sorted(names_with_prefix(encoder, weights)) == sorted(encoder_names(module))
    with pytest.raises(UserError, match="lack parameters of its encoder"):
        names_with_prefix([*encoder, "embeddings.more.weight"], weights)


def test_a_forgotten_load_is_detected(bert_dir):
    logits = build_classifier(bert_dir, 2)(torch.tensor([[2, 3]])).logits
    assert logits.isnan().all()


def test_building_is_quick_and_silent(fetched, capfd):
    model_dir = fetched(
        "random:bert:num_hidden_layers=12,hidden_size=512,num_attention_heads=8,"
        "intermediate_size=2048"
    )
    capfd.readouterr()
    began = time.perf_counter()
    module = build_classifier(model_dir, 2)
    # Drawing its 38 million numbers takes longer than that.
    assert time.perf_counter() - began < 1
    load_weights(module, start_weights(module, read_weights(model_dir / "model.safetensors"), 0))
    assert capfd.readouterr() == ("", "")


def test_wrong_requests_are_refused_in_one_line(bert_dir, tmp_path):
    with pytest.raises(UserError, match="got 1 classes"):
        build_classifier(bert_dir, 1)
    with pytest.raises(UserError, match="attention: got 'flash', allowed: sdpa, eager"):
        build_classifier(bert_dir, 2, attention="flash")
    with pytest.raises(UserError, match=r"none\.safetensors: no such file"):
        read_weights(tmp_path / "none.safetensors")
    (tmp_path / "half.safetensors").write_bytes(
        (bert_dir / "model.safetensors").read_bytes()[:-100]
    )
    with pytest.raises(UserError, match=r"half\.safetensors: cannot be read as safetensors"):
        read_weights(tmp_path / "half.safetensors")


def test_code_that_comes_with_a_model_is_not_run(bert_dir, tmp_path):
    shutil.copy(bert_dir / "config.json", tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    trap = tmp_path / "trap.py"
    trap.write_text(f"open({str(tmp_path / 'sprung')!r}, 'w')\n")
    config["auto_map"] = {"AutoConfig": "trap.Config"}
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert type(build_classifier(tmp_path, 2)).__name__ == "BertForSequenceClassification"
    (tmp_path / "config.json").write_text(json.dumps(config | {"model_type": "trap"}))
    with pytest.raises(UserError, match=r"config\.json") as error:
        build_classifier(tmp_path, 2)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "sprung").exists()
