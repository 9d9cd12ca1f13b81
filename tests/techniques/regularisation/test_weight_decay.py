from __future__ import annotations

import pytest
import torch

from bench_lib.core.spec import Profile
from bench_lib.harness.optim import build_optimizer
from bench_lib.techniques.interface.context import Group
from bench_lib.techniques.interface.optimizers import decoupled_adam
from bench_lib.techniques.interface.stack import Stack
from bench_lib.techniques.regularisation.weight_decay import WeightDecay


def test_only_the_decay_changes():
    assert WeightDecay(0.3).configure(Profile()) == Profile(weight_decay=0.3)
    assert WeightDecay(None).configure(Profile(weight_decay=0.02)) == Profile(weight_decay=0.02)
    assert WeightDecay().configure(Profile()) != Profile(), "the published strength must differ from the baseline's"


def test_one_update_by_hand(toy):
    """theta <- theta - lr * (step + strength * theta), where a gradient of zero makes no step."""
    toy.profile = WeightDecay(0.5).configure(Profile(learning_rate=0.1))
    optimizer = build_optimizer(toy, Stack(()))
    start = {name: p.detach().clone() for name, p in toy.model.named_parameters()}
    for parameter in toy.model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    toy.model.classifier.weight.grad.fill_(-3.0)
    optimizer.step()
    moved = {name: p.detach() for name, p in toy.model.named_parameters()}
    # The first step of Adam is the sign of the gradient, which is apart from the decay: 1 - 0.1 * 0.5 = 0.95 is left.
    classifier = start["classifier.weight"] * 0.95 + 0.1
    torch.testing.assert_close(moved["classifier.weight"], classifier, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(moved["body.embeddings.weight"], start["body.embeddings.weight"] * 0.95)
    assert torch.equal(moved["classifier.bias"], start["classifier.bias"]), "biases do not decay"


def test_more_decay_leaves_smaller_weights(train):
    changes = {"eval_examples": 4, "learning_rate": 0.01, "schedule": "constant_with_warmup", "warmup": 0.0}
    weak, strong = (train("sst2", f"weight_decay:strength={s}", **changes).parameters for s in (0.0, 10.0))
    name = "bert.embeddings.word_embeddings.weight"
    # Words that no text holds have no gradient: 4 steps leave 0.9^4 of them.
    unseen = torch.isclose(strong[name], weak[name] * 0.9**4, rtol=1e-4).all(1)
    assert unseen.float().mean() > 0.9


@pytest.mark.parametrize(
    ("rate", "strength", "ratio"),
    [(2e-5, 0.1, 1.01), (2e-5, 0.01, 0.95), (5e-6, 0.01, 1.72), (3.1e-6, 0.01, 2.77), (2.9e-6, 0.01, 0.0)],
)
def test_how_much_of_a_small_decay_fp32_leaves(rate, strength, ratio):
    """What the docstring says: 1 - rate * strength moves in steps of 6e-8, and is 1 below half of one."""
    draws = torch.Generator().manual_seed(0)
    start = torch.randn(200, 200, generator=draws) * 0.05
    weight = torch.nn.Parameter(start.clone())
    optimizer = decoupled_adam([Group({"w": weight}, rate, strength)], Profile())
    for _ in range(100):
        weight.grad = torch.zeros_like(weight)
        optimizer.step()
    lost = ((start - weight).double() * start).sum() / start.double().square().sum()
    assert lost.item() / (100 * rate * strength) == pytest.approx(ratio, abs=0.05)
