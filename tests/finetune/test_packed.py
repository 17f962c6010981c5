import logging

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy, linear

from tests.landscape.conftest import CONFIGS, KNOWN, classifier, sentences
from workflow_scripts.finetune import packed
from workflow_scripts.model.families import FAMILIES, GENERAL
from workflow_scripts.model.text import Encoded, collate

CPU = torch.device("cpu")
PACKED = KNOWN
TYPES = {name for name, family in FAMILIES.items() if family.token_types > 1}


def with_dropout(module: torch.nn.Module, probability: float) -> torch.nn.Module:
    """The module in training mode, with this dropout everywhere."""
    for part in module.modules():
        if isinstance(part, torch.nn.Dropout):
            part.p = probability
    return module.train()


def examples_of(kind: str, architecture: str) -> Encoded:
    found = sentences(20, kind == "pairs" and architecture in TYPES)
    if kind != "one length":
        return found
    return Encoded(
        [[*ids, *ids, *ids][:9] for ids in found.input_ids],
        None,
        0 * found.lengths + 9,
        found.labels,
    )


def padded_logits(module, encoded, indices) -> torch.Tensor:
    kind = module.config.model_type
    record = FAMILIES.get(kind) or GENERAL[kind]
    return module(**collate(encoded, indices, int(record.positions_after_padding))).logits


def gradients(module, logits, labels) -> tuple[float, dict[str, torch.Tensor]]:
    module.zero_grad()
    loss = cross_entropy(logits, labels)
    loss.backward()
    return loss.item(), {name: p.grad.clone() for name, p in module.named_parameters()}


@pytest.mark.parametrize("kind", ["pairs", "singles", "one length"])
@pytest.mark.parametrize("architecture", PACKED)
def test_loss_and_all_gradients_are_those_of_the_padded_forward(architecture, kind):
    module = with_dropout(classifier(architecture), 0.0).double()
    encoded = examples_of(kind, architecture)
    indices = np.random.default_rng(1).permutation(20)[:13]  # not sorted by length
    labels = torch.tensor(encoded.labels[indices])
    expected = gradients(module, padded_logits(module, encoded, indices), labels)
    forward = packed.forward_of(module, 0, CPU)
    found = gradients(module, forward(encoded, indices), labels)
    assert found[0] == pytest.approx(expected[0], rel=1e-10)
    norm = sum(float(g.square().sum()) for g in expected[1].values()) ** 0.5
    for name, gradient in expected[1].items():
        # Those of the keys' biases are zero except for rounding.
        scale = max(gradient.norm(), 1e-3 * norm)
        assert (found[1][name] - gradient).norm() <= 1e-10 * scale, name


def test_float32_agrees_for_all_shapes_of_products():
    torch.manual_seed(0)
    for outs, ins in ((64, 64), (96, 32), (32, 96)):
        shapes = ((50, ins), (outs, ins), (outs,))
        given = [torch.randn(shape, requires_grad=True) for shape in shapes]
        same = [tensor.detach().clone().requires_grad_() for tensor in given]
        direction = torch.randn(50, outs)
        for product, tensors in ((packed._Linear.apply, given), (linear, same)):
            product(*tensors).backward(direction)
        for one, other in zip(given, same, strict=True):
            torch.testing.assert_close(one.grad, other.grad, rtol=1e-5, atol=1e-4)


PLACES = {
    "embeddings": ("embeddings.dropout",),
    "attention": ("attention.self.dropout", "attention.dropout", "attention_dropout"),
    "after attention": ("attention.output.dropout", "output_dropout"),
    "after the outer layer": ("output.dropout", "ffn.dropout"),
    "head": ("classifier.dropout", "dropout"),
}


def one_place(module: torch.nn.Module, place: str) -> torch.nn.Module:
    """The module in training mode, with dropout 0.5 in one place (of every layer) only."""
    with_dropout(module, 0.0)
    found = False
    for name, part in module.named_modules():
        if not isinstance(part, torch.nn.Dropout):
            continue
        of_attention = "attention.output" in name
        mine = any(name == p or name.endswith(f".{p}") for p in PLACES[place])
        if place == "head":
            mine = name in PLACES[place]
        if place == "after the outer layer" and of_attention:
            mine = False
        if mine:
            part.p, found = 0.5, True
    return module if found else pytest.skip("the architecture has no dropout there")


@pytest.mark.parametrize("place", [*PLACES])
@pytest.mark.parametrize("architecture", PACKED)
def test_dropout_in_each_place_has_the_padded_forwards_distribution(architecture, place):
    module = one_place(classifier(architecture), place)
    one = sentences(4, architecture in TYPES)
    draws = 250  # the same examples so many times in one batch: a mask for each
    many = np.tile(np.arange(4), draws)
    forward = packed.forward_of(module, 0, CPU)
    torch.manual_seed(0)
    with torch.no_grad():
        expected = padded_logits(module, one, many).view(draws, -1)
        found = forward(one, many).view(draws, -1)
    spread = expected.std(0)
    assert (spread > 1e-4).all()
    error = (2 / draws) ** 0.5 * spread
    assert ((found.mean(0) - expected.mean(0)).abs() < 4.5 * error).all()
    # The error of a ratio of two standard deviations; more for tails that are not those of a bell.
    assert (found.std(0) / spread - 1).abs().max() < 0.25
    module.eval()
    with torch.no_grad():
        found, expected = forward(one, many[:4]), padded_logits(module, one, many[:4])
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("dropped", [0.05, 0.1, 0.5])
def test_masks_drop_as_often_as_they_should_and_keep_the_mean(dropped):
    torch.manual_seed(0)
    mask = packed._mask(torch.empty(1001, 999), dropped)
    assert mask.dtype == torch.float32
    assert mask.unique().tolist() == pytest.approx([0, 1 / (1 - dropped)])
    spread = (dropped * (1 - dropped)) ** 0.5
    assert abs(float((mask == 0).double().mean()) - dropped) < 4 * spread / mask.numel() ** 0.5
    # No number follows from its neighbours, in a row or in a column.
    lots = ((mask == 0).double() - dropped) / spread
    for one, other in ((lots[1:], lots[:-1]), (lots[:, 1:], lots[:, :-1])):
        assert abs(float((one * other).mean())) < 4 / mask.numel() ** 0.5
    assert packed._mask(torch.empty(3, dtype=torch.bfloat16), dropped).dtype == torch.float32


def test_gradients_flow_through_the_masks_that_were_drawn():
    module = with_dropout(classifier("bert"), 0.3).double()
    encoded = sentences(6, True)
    forward, parameters = packed.forward_of(module, 0, CPU), dict(module.named_parameters())

    def loss() -> torch.Tensor:
        torch.manual_seed(5)
        return forward(encoded, np.arange(6)).square().sum()

    loss().backward()
    for name in (
        "bert.encoder.layer.0.attention.self.query.weight",
        "bert.encoder.layer.1.attention.self.value.weight",
        "bert.encoder.layer.2.attention.self.key.weight",
    ):
        parameter, step = parameters[name], 1e-6
        direction = torch.randn_like(parameter)
        with torch.no_grad():
            parameter += step * direction
            above = loss()
            parameter -= 2 * step * direction
            below = loss()
            parameter += step * direction
        expected = float((above - below) / (2 * step))
        assert float((parameter.grad * direction).sum()) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("architecture", PACKED)
def test_a_training_has_the_losses_of_a_plain_loop(architecture):
    losses = []
    encoded = sentences(40, architecture in TYPES)
    for way in (padded_logits, None):
        module = with_dropout(classifier(architecture), 0.0)
        forward = packed.forward_of(module, 0, CPU)
        optimizer = torch.optim.SGD(module.parameters(), lr=0.1)
        order = np.random.default_rng(0)
        losses.append([])
        for _ in range(8):
            indices = order.permutation(40)[:8]
            logits = way(module, encoded, indices) if way else forward(encoded, indices)
            loss = cross_entropy(logits, torch.tensor(encoded.labels[indices]))
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(module.parameters(), 1.0)
            optimizer.step()
            losses[-1].append(loss.item())
    assert np.ptp(losses[0]) > 0.01
    assert losses[1] == pytest.approx(losses[0], abs=1e-5)


@pytest.mark.parametrize("architecture", PACKED)
def test_autocast_rounds_products_and_keeps_gradients_near(architecture):
    module = with_dropout(classifier(architecture), 0.0)
    encoded, indices = sentences(20, False), np.arange(20)
    forward, labels = packed.forward_of(module, 0, CPU), torch.tensor(encoded.labels)
    exact = gradients(module, forward(encoded, indices), labels)
    with torch.autocast("cpu", torch.bfloat16):
        logits = forward(encoded, indices)
        own = padded_logits(module, encoded, indices)
    assert logits.dtype == own.dtype == torch.bfloat16
    rounded, plain = (
        gradients(module, logits.float(), labels),
        gradients(module, own.float(), labels),
    )
    assert rounded[0] != exact[0]

    def gap(other) -> float:
        squares = [(other[1][n] - g).square().sum() for n, g in exact[1].items()]
        return float(sum(squares)) ** 0.5

    assert 0 < gap(rounded) < 1.5 * gap(plain)


def test_the_same_seed_gives_the_same_bits():
    module, encoded = with_dropout(classifier("bert"), 0.1), sentences(20, True)
    forward, runs = packed.forward_of(module, 0, CPU), []
    for _ in range(2):
        torch.manual_seed(3)
        logits = forward(encoded, np.arange(20))
        runs.append(gradients(module, logits, torch.tensor(encoded.labels)))
    assert runs[0][0] == runs[1][0]
    assert all(torch.equal(g, runs[1][1][name]) for name, g in runs[0][1].items())


def test_the_registered_architectures_on_a_cpu_train_without_padding(caplog):
    caplog.set_level(logging.INFO, "tunescape")
    for architecture in CONFIGS:
        caplog.clear()
        module = classifier(architecture)
        assert packed.can_train_packed(module, CPU) == (architecture in PACKED)
        assert not packed.can_train_packed(module, torch.device("cuda"))
        encoded = sentences(7, False)
        found = packed.forward_of(module, 0, CPU)(encoded, np.arange(7))
        how = (
            "without padding" if architecture in PACKED else "through its own forward pass, padded"
        )
        assert f"ForSequenceClassification: trained {how}" in caplog.text
        torch.testing.assert_close(
            found, padded_logits(module, encoded, np.arange(7)), rtol=1e-4, atol=1e-5
        )
    module = classifier("bert")
    module.config.is_decoder = True
    assert not packed.can_train_packed(module, CPU)
