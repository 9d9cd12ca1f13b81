from __future__ import annotations

import torch
from torch import nn

from bench_lib.core.spec import Profile
from bench_lib.techniques.interface.context import Group
from bench_lib.techniques.optimisation.adafactor import Adafactor

START = torch.tensor([[0.3, -0.1, 0.2], [0.5, 0.4, -0.6]])
GRADIENTS = (torch.tensor([[1.0, 2.0, -1.0], [0.5, 0.0, 3.0]]), torch.tensor([[-2.0, 1.0, 1.0], [1.5, 4.0, 0.0]]))


def published(theta, gradients, rate, decay):
    """Algorithms 4 and 5 of the paper, with decoupled decay, for a matrix."""
    rows, columns = torch.zeros(theta.shape[0]), torch.zeros(theta.shape[1])
    for t, g in enumerate(gradients, 1):
        beta2 = 1 - t**-0.8
        rows = beta2 * rows + (1 - beta2) * (g**2 + 1e-30).mean(1)
        columns = beta2 * columns + (1 - beta2) * (g**2 + 1e-30).mean(0)
        u = g / (rows[:, None] * columns[None, :] / rows.mean()).sqrt()
        u = u / max(1.0, (u**2).mean().sqrt().item())
        size = min(rate, t**-0.5) * max(1e-3, (theta**2).mean().sqrt().item())
        theta = theta - rate * decay * theta - size * u
    return theta


def trained(start, gradients, rate=0.01, decay=0.5, technique=None):
    weight = nn.Parameter(start.clone())
    optimizer = (technique or Adafactor(4.0)).optimizer([Group({"w": weight}, rate, decay)], Profile())
    for gradient in gradients:
        weight.grad = gradient.clone()
        optimizer.step()
    return weight.detach()


def test_two_steps_by_the_papers_equations():
    # Rate and decay are multiplied: 4 times the one, a quarter of the other.
    torch.testing.assert_close(trained(START, GRADIENTS), published(START, GRADIENTS, 0.04, 0.125))


def test_one_step_by_hand():
    # Equal gradients: R = C = mean(R) = 4, u = 1, RMS(theta) = 0.5; two hundredths of that.
    moved = trained(torch.full((2, 2), 0.5), [torch.full((2, 2), 2.0)], rate=0.001, decay=0.0, technique=Adafactor())
    torch.testing.assert_close(moved, torch.full((2, 2), 0.5 - 0.02 * 0.5))


def test_small_gradients_are_not_hidden_by_a_floor():
    """A second gradient of a tenth of the first makes a smaller step; torch's own floor would make it a whole one."""
    falling = (GRADIENTS[0], GRADIENTS[1] / 10)
    tiny = trained(START, [g * 1e-5 for g in falling])
    torch.testing.assert_close(tiny, published(START, falling, 0.04, 0.125))


def test_rows_without_a_gradient_do_not_move():
    gradient = torch.tensor([[1.0, 2.0, -1.0], [0.0, 0.0, 0.0]])
    moved = trained(START, [gradient, gradient], decay=0.0)
    assert torch.equal(moved[1], START[1])
    assert moved.isfinite().all()
