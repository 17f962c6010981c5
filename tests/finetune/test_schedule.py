import pytest
import torch

from workflow_scripts.finetune.schedule import RATIO, factor, warmup_steps


def hugging_face(name, steps, rise):
    from transformers import get_scheduler

    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    scheduler = get_scheduler(name, optimizer, rise, steps)
    rates = []
    for _ in range(steps):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return rates


@pytest.mark.parametrize("steps", [1, 7, 40])
@pytest.mark.parametrize("warmup", [0.0, 0.1, 0.5, 1.0])
@pytest.mark.parametrize(
    ("ours", "theirs"),
    [("linear", "linear"), ("cosine", "cosine"), ("constant", "constant_with_warmup")],
)
def test_every_step_has_the_rate_of_hugging_face(ours, theirs, warmup, steps):
    rates = [factor(step, steps, ours, warmup) for step in range(1, steps + 1)]
    expected = hugging_face(theirs, steps, warmup_steps(steps, warmup))
    assert rates == pytest.approx(expected, abs=1e-12)


def test_warmup_is_rounded_up_but_not_by_rounding_errors():
    assert warmup_steps(690, 0.1) == 69
    assert warmup_steps(691, 0.1) == 70
    assert warmup_steps(30, 0.1) == 3  # 0.1 * 3 is 0.30000000000000004


def test_slanted_triangle_is_the_published_formula():
    steps, share = 100, 0.1
    cut = 10
    for step in range(1, steps + 1):
        t = step - 1
        p = t / cut if t < cut else 1 - (t - cut) / (cut * (1 / share - 1))
        expected = (1 + p * (RATIO - 1)) / RATIO
        assert factor(step, steps, "slanted_triangular", share) == pytest.approx(expected)
    assert factor(1, steps, "slanted_triangular", share) == 1 / 32
    assert factor(11, steps, "slanted_triangular", share) == 1


@pytest.mark.parametrize("share", [0.0, 0.1, 0.37, 1.0])
@pytest.mark.parametrize("steps", [1, 5, 19, 25])
def test_slanted_triangle_stays_between_its_ends(steps, share):
    rates = [factor(step, steps, "slanted_triangular", share) for step in range(1, steps + 1)]
    assert min(rates) >= 1 / 32 - 1e-12
    assert max(rates) <= 1


def test_an_unknown_schedule_is_refused():
    with pytest.raises(ValueError, match="got 'stairs', allowed: linear"):
        factor(1, 10, "stairs", 0)
