from __future__ import annotations

import dataclasses

import pytest
import torch
from torch import nn

from bench_lib.models.interventions import embedding_changed
from bench_lib.techniques.interface.context import Output
from bench_lib.techniques.regularisation.lnsr import LNSR

IDS, REAL = [[3, 1, 2, 0], [3, 2, 0, 0]], [[False, True, True, False], [False, True, False, False]]
COUNTED = [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1)]
"""The real tokens and the first of each row, which the head reads."""


class Doubling:
    """A micro-batch of a model whose blocks give out twice and six times what is embedded."""

    number = 0

    def __init__(self, training):
        self.training, self.real_tokens, self.asked = training, torch.tensor(REAL), []

    def forward(self, repeat=0, hidden=False, full_precision=False):
        self.asked.append((repeat, hidden, full_precision))
        embedded = self.training.model.get_input_embeddings()(torch.tensor(IDS))
        places = torch.zeros(2, 4, dtype=torch.bool)
        places[:, 0] = True
        states = (embedded, 2 * embedded, 6 * embedded) if hidden else ()
        return Output((embedded[:, 0],), (torch.tensor([0, 1]),), places, states)

    def loss(self, output):
        return nn.functional.cross_entropy(output.logits[0], output.targets[0])

    def backward(self, loss):
        loss.backward()


def test_the_loss_by_hand(toy):
    weight = toy.model.get_input_embeddings().weight.detach().clone()
    draws = torch.randn(2, 4, 2, generator=toy.generator("dropout", "smoothness", 0, 0))
    total = 0.0
    for row, place in COUNTED:
        x, y = weight[IDS[row][place]].tolist()
        size = ((x * x + y * y) / 2) ** 0.5
        noise = [0.1 * size * REAL[row][place] * d for d in draws[row, place].tolist()]
        total += sum(n * n for n in noise)
    penalty = (2**2 + 6**2) * total / (len(COUNTED) * 2)
    step = Doubling(toy)
    plain = step.loss(step.forward()).item()
    loss = LNSR(weight=5.0, noise=0.1).backward(step)
    assert penalty > 0.01
    assert loss.item() == pytest.approx(plain + 5.0 * penalty, rel=1e-5)
    assert not loss.requires_grad
    assert step.asked[1:] == [(0, True, True), (0, True, True)]


def test_the_gradient_reaches_the_blocks_from_both_passes_by_hand(toy):
    """One linear block h = W x: the penalty is the mean of (W z)^2, its gradient 2 W z z' over the count."""
    block = nn.Linear(2, 2, bias=False)
    step = Doubling(toy)
    forward = step.forward

    def through_block(*args, **kwargs):
        output = forward(*args, **kwargs)
        return dataclasses.replace(output, hidden=(output.hidden[0], block(output.hidden[0])))

    step.forward = through_block
    LNSR(weight=3.0, noise=0.2).backward(step)
    embedded = toy.model.get_input_embeddings().weight.detach()[torch.tensor(IDS)]
    draws = torch.randn(2, 4, 2, generator=toy.generator("dropout", "smoothness", 0, 0))
    size = (embedded.square().sum(-1, keepdim=True) / 2).sqrt()
    noise = (0.2 * size * draws)[torch.tensor(REAL)]  # (tokens, 2)
    expected = 3.0 * 2 * block.weight.detach() @ noise.T @ noise / (len(COUNTED) * 2)
    torch.testing.assert_close(block.weight.grad, expected, rtol=1e-4, atol=1e-6)


def test_the_noise_is_a_constant_for_the_gradient(toy):
    """What the blocks do here is linear in the embeddings, so that their change depends on the noise alone."""
    weight, gradients = toy.model.get_input_embeddings().weight, []
    for technique in (LNSR(weight=0.0), LNSR(weight=50.0)):
        technique.backward(Doubling(toy))
        gradients.append(weight.grad.clone())
        weight.grad = None
    torch.testing.assert_close(gradients[1], gradients[0], atol=1e-4, rtol=1e-4)


def test_without_weight_it_is_one_ordinary_pass(toy):
    step = Doubling(toy)
    LNSR(weight=0.0).backward(step)
    assert step.asked == [(0, False, False)]
    assert (LNSR(weight=0.0).passes(), LNSR().passes()) == ((1, 1), (2, 1))


@pytest.mark.parametrize("task", ["sst2", "conll2003", "squad"])
@pytest.mark.parametrize("stack", ["lnsr", "freeze_bottom+lnsr"])
def test_on_a_model_every_block_counts_and_the_embeddings_do_not(micro_step, task, stack):
    step = micro_step(task, stack)
    plain = step.loss(step.forward()).item()
    seen, technique = [], LNSR(weight=10.0, noise=0.3)
    draw = technique._draw
    object.__setattr__(technique, "_draw", lambda e, g: seen.append(draw(e, g)) or seen[0])
    loss = technique.backward(step).item()
    clean = step.forward(hidden=True)
    with embedding_changed(step.training.model, lambda e: e + seen[0] * step.real_tokens[..., None]):
        noisy = step.forward(hidden=True)
    counted = step.real_tokens | clean.places
    assert counted[:, 0].all() == (task != "conll2003"), "the head reads [CLS] unless it tags words"
    changes = [((b - a) ** 2)[counted].mean().item() for a, b in zip(clean.hidden, noisy.hidden, strict=True)]
    assert len(changes) == 3
    assert loss - plain == pytest.approx(10 * sum(changes[1:]), rel=1e-3)
    assert all(p.grad.isfinite().all() for p in step.training.model.parameters() if p.grad is not None)


def test_the_noise_is_a_share_of_each_embeddings_size():
    embedded = torch.tensor([[[3.0, -4.0], [300.0, 400.0]]]).expand(2000, 2, 2)
    drawn = LNSR(noise=0.05)._draw(embedded, torch.Generator().manual_seed(0))
    spread = drawn.square().mean((0, 2)).sqrt()
    assert spread.tolist() == pytest.approx([0.05 * 12.5**0.5, 5 * 12.5**0.5], rel=0.05)
