from __future__ import annotations

import math

import pytest
import torch

from bench_lib.techniques.regularisation.r3f import R3F
from bench_lib.techniques.toolkit.consistency import disagreement

IDS, REAL, TARGETS = [[1, 2, 0], [3, 3, 2]], [[True, True, False], [True, True, True]], [0, 1]
EPSILON = 0.5


def odds(toy):
    """For both rows the difference of the two logits, without and with the noise that the run draws."""
    weight = toy.model.get_input_embeddings().weight.detach()
    generator = toy.generator("dropout", "smoothness", 0, 0)
    noise = torch.empty(2, 3, 2).uniform_(-EPSILON, EPSILON, generator=generator)
    clean = weight[torch.tensor(IDS)].sum(1)
    noisy = clean + (noise * torch.tensor(REAL)[..., None]).sum(1)
    return [[(row[0] - row[1]).item() for row in logits] for logits in (clean, noisy)]


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


def test_the_loss_by_hand(toy, two_classes):
    clean, noisy = odds(toy)
    cross_entropy = (math.log(1 + math.exp(-clean[0])) + math.log(1 + math.exp(clean[1]))) / 2
    # Of two classes with log-odds a and b, KL(a || b) + KL(b || a) = (sigmoid(a) - sigmoid(b)) (a - b).
    divergence = sum((sigmoid(a) - sigmoid(b)) * (a - b) for a, b in zip(clean, noisy, strict=True)) / 2
    assert divergence > 0.01
    step = two_classes(IDS, REAL)
    loss = R3F(weight=0.7, epsilon=EPSILON, same_masks=True).backward(step)
    assert loss.item() == pytest.approx(cross_entropy + 0.7 * divergence, rel=1e-5)
    assert not loss.requires_grad
    assert step.asked == [(0, True), (0, True)]
    R3F().backward(step)
    assert step.asked[2:] == [(0, True), (1, True)]


def test_the_gradient_of_both_passes_by_hand(toy, two_classes):
    clean, noisy = odds(toy)
    R3F(weight=0.7, epsilon=EPSILON, same_masks=True).backward(two_classes(IDS, REAL))
    expected = torch.zeros(4, 2)
    for row, (a, b) in enumerate(zip(clean, noisy, strict=True)):
        p, q, truth = sigmoid(a), sigmoid(b), 1 - TARGETS[row]
        # An embedding moves a and b alike: d KL / d a + d KL / d b = (p (1 - p) - q (1 - q)) (a - b).
        slope = ((p - truth) + 0.7 * (p * (1 - p) - q * (1 - q)) * (a - b)) / 2
        for token in IDS[row]:
            expected[token] += torch.tensor([slope, -slope])
    torch.testing.assert_close(toy.model.get_input_embeddings().weight.grad, expected)


def test_without_weight_it_is_one_ordinary_pass(toy, two_classes):
    step = two_classes(IDS, REAL)
    R3F(weight=0.0).backward(step)
    assert step.asked == [(0, False)]
    assert R3F(weight=0.0).passes() == (1, 1)
    assert R3F().passes() == (2, 1)


@pytest.mark.parametrize("task", ["conll2003", "squad"])
@pytest.mark.parametrize("stack", ["r3f", "freeze_bottom+r3f"])
def test_the_noise_alone_makes_the_difference(micro_step, task, stack):
    """With dropout on and the same masks in both passes a shift of nearly nothing changes nothing."""
    step = micro_step(task, stack)
    plain = step.loss(step.forward()).item()
    alone = (R3F(epsilon=e, weight=1e4, same_masks=True) for e in (1e-6, 0.02))
    small, large = (technique.backward(step).item() - plain for technique in alone)
    assert abs(small) < 1e-3 < large
    assert R3F(epsilon=1e-6, weight=1e4).backward(step).item() - plain > large, "other masks make more of a difference"
    with torch.no_grad():
        assert disagreement(step.forward(), step.forward(repeat=1)).item() > 0
    assert all(p.grad.isfinite().all() for p in step.training.model.parameters() if p.grad is not None)
