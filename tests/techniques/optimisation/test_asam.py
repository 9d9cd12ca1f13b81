from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from bench_lib.techniques.optimisation.asam import ASAM


class Batch:
    """A batch of one layer, whose loss has a given slope in each weight and bias; the weights of passes are noted."""

    def __init__(self, weight, bias, slopes):
        layer = nn.Linear(1, 1)
        layer.weight, layer.bias = nn.Parameter(torch.tensor([weight])), nn.Parameter(torch.tensor(bias))
        self.training = SimpleNamespace(model=layer, trainable=lambda: dict(layer.named_parameters()))
        self.slopes, self.points = torch.tensor(slopes), []

    def flat(self):
        return torch.cat([p.flatten() for p in self.training.trainable().values()])

    def backward(self):
        self.training.model.zero_grad(set_to_none=True)
        self.points.append(self.flat().detach())
        loss = (self.flat() * self.slopes).sum()
        loss.backward()
        return loss.detach()

    def climb(self):
        return self.points[1] - self.points[0]


def test_the_climb_by_hand():
    batch = Batch(weight=[2.0, 0.0, -1.0], bias=[5.0, 7.0], slopes=[1.0, 3.0, 2.0, 1.0, 0.0])
    loss = ASAM(rho=0.3, eta=0.0).update(batch)
    # T = (2, 0, 1, 1, 1), T g = (2, 0, 2, 1, 0) of norm 3, T^2 g = (4, 0, 2, 1, 0).
    torch.testing.assert_close(batch.climb(), torch.tensor([0.4, 0.0, 0.2, 0.1, 0.0]))
    assert loss.item() == 2 - 2 + 5
    assert batch.flat().tolist() == [2.0, 0.0, -1.0, 5.0, 7.0]


def test_eta_by_hand():
    batch = Batch(weight=[2.0, 0.0], bias=[9.0], slopes=[1.0, 4.0, 0.0])
    ASAM(rho=0.5, eta=1.0).update(batch)
    # T = (3, 1, 1), T g = (3, 4, 0) of norm 5, T^2 g = (9, 4, 0).
    torch.testing.assert_close(batch.climb(), torch.tensor([0.9, 0.4, 0.0]))


def test_the_gradient_is_that_of_the_climbed_weights():
    batch = Batch(weight=[2.0], bias=[0.0], slopes=[0.0, 0.0])
    model = batch.training.model

    def backward():
        model.zero_grad(set_to_none=True)
        batch.points.append(batch.flat().detach())
        (model.weight**2).sum().backward()
        return torch.zeros(())

    batch.backward = backward
    ASAM(rho=0.5, eta=0.0).update(batch)
    # g = 2 w = 4, T = 2: e = 0.5 * 4 * 4 / 8 = 1.
    assert batch.points[1].tolist() == [3.0, 0.0]
    assert model.weight.grad.item() == 6.0


numbers = st.floats(-10, 10, width=32).filter(lambda v: abs(v) > 1e-2)


@given(weights=st.lists(numbers, min_size=2, max_size=2), slopes=st.lists(numbers, min_size=3, max_size=3))
def test_in_units_of_the_weights_it_climbs_rho_far_and_returns_to_the_bit(weights, slopes):
    batch = Batch(weights, [1.0], slopes)
    ASAM(rho=0.5, eta=0.01).update(batch)
    sizes = torch.tensor([*(abs(w) + 0.01 for w in weights), 1.0])
    assert (batch.climb() / sizes).norm().item() == pytest.approx(0.5, rel=1e-3)
    assert torch.equal(batch.flat(), batch.points[0])


@given(scale=st.sampled_from([0.25, 2.0, 1024.0]))
def test_a_rescaled_layer_climbs_as_far_on_its_own_scale(scale):
    one = Batch([2.0, -1.0], [0.0], [1.0, 3.0, 0.0])
    other = Batch([2.0 * scale, -1.0 * scale], [0.0], [1.0 / scale, 3.0 / scale, 0.0])
    for batch in (one, other):
        ASAM(eta=0.0).update(batch)
    torch.testing.assert_close(other.climb(), one.climb() * scale)


@pytest.mark.parametrize("slopes", [[0.0] * 3, [1.0, float("inf"), 0.0], [float("nan")] * 3])
def test_a_gradient_without_direction_is_left_as_it_is(slopes):
    batch = Batch([1.0, 2.0], [0.0], slopes)
    ASAM().update(batch)
    assert len(batch.points) == 1
    gradient = torch.cat([p.grad.flatten() for p in batch.training.model.parameters()])
    assert torch.equal(gradient.nan_to_num(7.0), torch.tensor(slopes).nan_to_num(7.0))


def test_a_pass_in_which_nothing_has_a_gradient_is_the_only_one(toy):
    calls = []
    update = SimpleNamespace(training=toy, backward=lambda: (calls.append(1), torch.zeros(()))[1])
    ASAM().update(update)
    assert calls == [1]


def test_without_rho_there_is_one_pass():
    batch = Batch([1.0], [0.0], [1.0, 1.0])
    ASAM(rho=0.0).update(batch)
    assert len(batch.points) == 1
    assert (ASAM(rho=0.0).passes(), ASAM().passes()) == ((1, 1), (2, 2))
