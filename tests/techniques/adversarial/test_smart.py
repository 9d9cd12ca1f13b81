from __future__ import annotations

import dataclasses
import math

import pytest
import torch

from bench_lib.techniques.adversarial.smart import SMART, penalty
from bench_lib.techniques.interface.context import Output

IDS, REAL, TARGETS = [[1, 2, 0], [3, 3, 2]], [[True, True, False], [True, True, True]], [0, 1]
TOKENS = [2, 3]
SIGMA, ETA = 0.3, 0.05
SIGNS = torch.tensor([1.0, -1.0])


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


def odds(weight):
    """The difference of the two logits of each row."""
    return (weight[torch.tensor(IDS)].sum(1) @ SIGNS).tolist()


def divergence(pairs):
    """Of two classes with log-odds a and b, KL(a || b) + KL(b || a) = (sigmoid(a) - sigmoid(b)) (a - b)."""
    return sum((sigmoid(a) - sigmoid(b)) * (a - b) for a, b in pairs) / len(TARGETS)


def cross_entropy(clean):
    return sum(math.log(1 + math.exp(-a if t == 0 else a)) for a, t in zip(clean, TARGETS, strict=True)) / 2


def attacked(toy, clean, steps=1):
    """The odds at the shift: the noise moves them, and each step by eta up and down on every token, the same way on."""
    noise = torch.empty(2, 3, 2).normal_(0, SIGMA, generator=toy.generator("dropout", "smart", 0, 0))
    moved = ((noise * torch.tensor(REAL)[..., None]).sum(1) @ SIGNS).tolist()
    ways = [math.copysign(2 * ETA * n * steps, m) for n, m in zip(TOKENS, moved, strict=True)]
    return [a + m + way for a, m, way in zip(clean, moved, ways, strict=True)]


def test_the_penalty_on_numbers_is_the_squared_difference_and_not_twice_that():
    places = torch.ones(2, 1, dtype=torch.bool)
    one, other = (
        Output((torch.tensor(values)[:, None],), (torch.zeros(2),), places, numbers=True)
        for values in ([1.0, 2.0], [1.0, 5.0])
    )
    assert penalty(one, other).item() == pytest.approx(9 / 2)


@pytest.mark.parametrize("steps", [1, 2])
def test_the_smoothness_by_hand(toy, two_classes, steps):
    weight = toy.model.get_input_embeddings().weight
    clean = odds(weight.detach())
    noisy = attacked(toy, clean, steps)
    step, smart = two_classes(IDS, REAL), SMART(alpha=0.7, mu=0.0, steps=steps, sigma=SIGMA, eta=ETA)
    penalty = divergence(zip(clean, noisy, strict=True))
    assert penalty > 0.01
    loss = smart.backward(step)
    assert loss.item() == pytest.approx(cross_entropy(clean) + 0.7 * penalty, rel=1e-5)
    assert not loss.requires_grad
    assert step.asked == [(0, True)] * smart.passes()[0]
    expected = torch.zeros(4, 2)
    for row, (a, b) in enumerate(zip(clean, noisy, strict=True)):
        p, q, truth = sigmoid(a), sigmoid(b), 1 - TARGETS[row]
        # A weight moves a and b alike; the climb to b adds nothing.
        slope = ((p - truth) + 0.7 * (p * (1 - p) - q * (1 - q)) * (a - b)) / 2
        for token in IDS[row]:
            expected[token] += slope * SIGNS
    torch.testing.assert_close(weight.grad, expected)


@pytest.mark.parametrize("updates", [10, 15])
def test_the_proximal_term_by_hand(toy, two_classes, updates):
    """The averaged weights follow the first decay for a tenth of the updates, and the later one then."""
    weight, smart = toy.model.get_input_embeddings().weight, SMART(alpha=0.0, mu=0.7, beta=0.75, late_beta=0.5)
    toy.total_steps, start = updates, weight.detach().clone()
    first = smart.backward(two_classes(IDS, REAL))
    assert first.item() == pytest.approx(cross_entropy(odds(start)), rel=1e-6), "nothing has moved yet"
    for toy.step, value in ((0, 2.0), (1, -1.0)):
        with torch.no_grad():
            weight.copy_(start + value * SIGNS)
        smart.after_update(toy)
    # 0.75 * 0 + 0.25 * 2 = 0.5 after the first update, 0.5 * 0.5 + 0.5 * -1 = -0.25 after the second.
    average, here = start - 0.25 * SIGNS, start - 1.0 * SIGNS
    weight.grad = None
    step, clean, earlier = two_classes(IDS, REAL), odds(here), odds(average)
    penalty = divergence(zip(clean, earlier, strict=True))
    assert penalty > 0.1
    assert smart.backward(step).item() == pytest.approx(cross_entropy(clean) + 0.7 * penalty, rel=1e-5)
    assert step.asked == [(0, True)] * 2
    expected = torch.zeros(4, 2)
    for row, (a, c) in enumerate(zip(clean, earlier, strict=True)):
        p, q, truth = sigmoid(a), sigmoid(c), 1 - TARGETS[row]
        # Only the present weights learn: d S / d a = p (1 - p) (a - c) + p - q.
        slope = ((p - truth) + 0.7 * (p * (1 - p) * (a - c) + p - q)) / 2
        for token in IDS[row]:
            expected[token] += slope * SIGNS
    torch.testing.assert_close(weight.grad, expected)
    assert torch.equal(weight, here)


def test_both_terms_add_up_and_a_step_leaves_the_average_alone(micro_step):
    step = micro_step("squad")
    plain = step.loss(step.forward()).item()
    alone = [SMART(alpha=a, mu=m, sigma=0.01, eta=0.05) for a, m in ((50.0, 0.0), (0.0, 50.0), (50.0, 50.0))]
    for smart in alone:
        smart.backward(step)
    step.training.step = 5
    with torch.no_grad():
        for parameter in step.training.trainable().values():
            parameter.add_(0.01 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(0)))
    moved = step.loss(step.forward()).item()
    smooth, proximal, both = ([s.backward(step).item() for _ in range(2)] for s in alone)
    assert moved != plain
    assert smooth[0] == smooth[1]
    assert proximal[0] == proximal[1]
    assert min(smooth[0], proximal[0]) > moved + 1e-4
    assert both[0] == pytest.approx(smooth[0] + proximal[0] - moved, rel=1e-4)


def test_the_averaged_weights_have_the_same_dropout_masks(micro_step):
    """As long as nothing moved, both answers are the same to the bit."""
    step = micro_step("conll2003")
    assert step.training.profile.precision == "fp32"
    assert SMART(alpha=0.0).backward(step).item() == step.loss(step.forward()).item()


def test_in_lower_precision_the_small_shift_still_counts(micro_step):
    step, losses = micro_step("sst2"), []
    for precision in ("fp32", "bf16"):
        step.training.profile = dataclasses.replace(step.training.profile, precision=precision)
        losses.append(SMART(alpha=1e4).backward(step).item())
    assert losses[0] == losses[1]
    assert losses[0] > step.loss(step.forward(full_precision=True)).item()


def test_without_either_term_it_is_one_ordinary_pass_and_keeps_nothing(toy, two_classes):
    step, smart = two_classes(IDS, REAL), SMART(alpha=0.0, mu=0.0)
    smart.backward(step)
    smart.after_update(toy)
    assert step.asked == [(0, False)]
    assert not toy.memory


def test_it_declares_its_passes():
    passes = [SMART(), SMART(steps=3), SMART(mu=0.0), SMART(alpha=0.0), SMART(alpha=0.0, mu=0.0)]
    assert [made.passes() for made in passes] == [(4, 2), (6, 4), (3, 2), (2, 1), (1, 1)]
