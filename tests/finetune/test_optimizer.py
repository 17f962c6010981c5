import numpy as np
import pytest
import torch

from tests.finetune.toy import recipe_of
from workflow_scripts.finetune.optimizer import load_state, make_optimizer, set_step, state_tensors

RATES = [1e-4, 5e-4, 1e-3, 8e-4, 0.0, 2e-4, 1e-4, 1e-3]


class Weights(torch.nn.Module):
    """A matrix, which decays, and a vector, which does not."""

    def __init__(self, scale=1e-3):
        super().__init__()
        random = torch.Generator().manual_seed(0)
        self.matrix = torch.nn.Parameter(scale * torch.randn(7, 5, generator=random))
        self.vector = torch.nn.Parameter(scale * torch.randn(11, generator=random))


def gradients(size, scale):
    """Gradients of 8 steps for a matrix and a vector."""
    random = np.random.default_rng(1)
    return [
        [scale * random.standard_normal(shape).astype(np.float32) for shape in ((7, 5), (11,))]
        for _ in range(size)
    ]


def train(module, optimizer, recipe, steps, first=1):
    for step, (rate, found) in enumerate(steps, start=first):
        module.matrix.grad, module.vector.grad = (torch.from_numpy(g.copy()) for g in found)
        set_step(optimizer, step, rate, recipe)
        optimizer.step()


def by_formula(recipe, scale):
    """The recipe's steps as its paper writes them, in float64."""
    weights = [p.detach().double().numpy() for p in Weights().parameters()]
    first, second = ([np.zeros_like(w) for w in weights] for _ in range(2))
    beta1, beta2 = recipe.betas
    for t, (rate, found) in enumerate(zip(RATES, gradients(8, scale), strict=True), start=1):
        for i, g in enumerate(np.float64(x) for x in found):
            decay = recipe.weight_decay if weights[i].ndim > 1 else 0.0
            if recipe.optimizer == "adamw":
                weights[i] = weights[i] - rate * decay * weights[i]
            else:
                g = g + decay * weights[i]
            first[i] = beta1 * first[i] + (1 - beta1) * g
            second[i] = beta2 * second[i] + (1 - beta2) * g * g
            c1, c2 = 1 - beta1**t, 1 - beta2**t
            if not recipe.bias_correction:
                change = first[i] / (np.sqrt(second[i]) + recipe.eps)
            elif recipe.eps_placement == "before":
                change = np.sqrt(c2) / c1 * first[i] / (np.sqrt(second[i]) + recipe.eps)
            else:
                change = first[i] / c1 / (np.sqrt(second[i] / c2) + recipe.eps)
            weights[i] = weights[i] - rate * change
    return weights


def trained(recipe, scale=1.0):
    module = Weights()
    train(
        module,
        make_optimizer(module.parameters(), recipe),
        recipe,
        zip(RATES, gradients(8, scale), strict=True),
    )
    return module


@pytest.mark.parametrize("optimizer", ["adamw", "adam"])
@pytest.mark.parametrize("placement", ["after", "before"])
@pytest.mark.parametrize("correction", [True, False])
# Gradients of 3e-8 are far below eps: its placement then decides the length of the steps.
@pytest.mark.parametrize("scale", [1.0, 3e-8])
def test_adam_follows_its_formula(optimizer, placement, correction, scale):
    recipe = recipe_of(
        optimizer=optimizer,
        eps=1e-6,
        eps_placement=placement,
        bias_correction=correction,
        weight_decay=0.1,
        betas=[0.9, 0.98],
    )
    module = trained(recipe, scale)
    for parameter, expected in zip(module.parameters(), by_formula(recipe, scale), strict=True):
        np.testing.assert_allclose(parameter.detach().numpy(), expected, rtol=2e-5, atol=1e-9)


def test_the_placement_of_eps_matters_where_gradients_vanish():
    after, before = (
        by_formula(recipe_of(eps=1e-6, eps_placement=p, weight_decay=0), 3e-8)[0]
        for p in ("after", "before")
    )
    start = Weights().matrix.detach().numpy()
    assert np.linalg.norm(after - start) > 3 * np.linalg.norm(before - start)


def test_the_plain_case_is_torchs_own_adamw():
    recipe = recipe_of(weight_decay=0.1)
    ours = trained(recipe)
    theirs = Weights()
    optimizer = torch.optim.AdamW(
        [
            {"params": [theirs.matrix], "weight_decay": 0.1},
            {"params": [theirs.vector], "weight_decay": 0.0},
        ],
        foreach=False,
        fused=False,
    )
    for rate, found in zip(RATES, gradients(8, 1.0), strict=True):
        theirs.matrix.grad, theirs.vector.grad = (torch.from_numpy(g.copy()) for g in found)
        for group in optimizer.param_groups:
            group["lr"] = rate
        optimizer.step()
    for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-6, atol=1e-10)


@pytest.mark.parametrize(("correction", "factor"), [(True, 1.0), (False, 0.1 / 0.001**0.5)])
def test_the_first_step_is_3_16_times_as_long_without_correction(correction, factor):
    recipe = recipe_of(bias_correction=correction, weight_decay=0, eps=1e-12)
    module = Weights()
    start = module.matrix.detach().clone()
    train(
        module, make_optimizer(module.parameters(), recipe), recipe, [(1e-4, gradients(1, 1.0)[0])]
    )
    lengths = (module.matrix - start).abs().detach().numpy()
    np.testing.assert_allclose(lengths, 1e-4 * factor, rtol=1e-4)
    assert factor in (1.0, pytest.approx(3.1623, abs=1e-4))


def test_plain_gradient_descent():
    recipe = recipe_of(optimizer="sgd", weight_decay=0.1)
    module, expected = Weights(), [p.detach().double().numpy() for p in Weights().parameters()]
    steps = list(zip(RATES, gradients(8, 1.0), strict=True))
    train(module, make_optimizer(module.parameters(), recipe), recipe, steps)
    for rate, (matrix, vector) in steps:
        expected[0] = (1 - rate * 0.1) * expected[0] - rate * matrix
        expected[1] = expected[1] - rate * vector
    for parameter, value in zip(module.parameters(), expected, strict=True):
        np.testing.assert_allclose(parameter.detach().numpy(), value, rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_a_restored_state_continues_to_the_same_bits(optimizer, tmp_path):
    from workflow_scripts.model.encoder import read_weights, write_weights

    recipe = recipe_of(optimizer=optimizer, bias_correction=False)
    steps = list(zip(RATES, gradients(8, 1.0), strict=True))
    whole = Weights()
    train(whole, make_optimizer(whole.parameters(), recipe), recipe, steps)

    half = Weights()
    optimizer = make_optimizer(half.parameters(), recipe)
    train(half, optimizer, recipe, steps[:4])
    write_weights(state_tensors(optimizer), tmp_path / "optimizer.safetensors")
    later = make_optimizer(half.parameters(), recipe)
    load_state(later, read_weights(tmp_path / "optimizer.safetensors"))
    train(half, later, recipe, steps[4:], first=5)
    for a, b in zip(whole.parameters(), half.parameters(), strict=True):
        assert torch.equal(a, b)


def test_threads_do_not_change_a_bit():
    threads = torch.get_num_threads()
    found = []
    try:
        for count in (1, 2):
            torch.set_num_threads(count)
            module = torch.nn.Linear(700, 500)
            with torch.no_grad():
                for i, p in enumerate(module.parameters()):
                    p.normal_(generator=torch.Generator().manual_seed(i))
                    p.grad = torch.sin(1e3 * p)
            optimizer = make_optimizer(module.parameters(), recipe_of())
            for step in (1, 2, 3):
                set_step(optimizer, step, 1e-2, recipe_of())
                optimizer.step()
            found.append(module.weight.detach())
    finally:
        torch.set_num_threads(threads)
    assert torch.equal(*found)
