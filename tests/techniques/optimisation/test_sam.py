from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from bench_lib.techniques.optimisation.sam import SAM


class Batch:
    """A batch whose loss is the sum of a function of all weights; the weights of every pass are noted."""

    def __init__(self, training, loss, failing=None):
        self.training, self.loss, self.failing, self.points = training, loss, failing, []

    def backward(self):
        self.training.model.zero_grad(set_to_none=True)
        self.points.append(flat(self.training))
        if len(self.points) == self.failing:
            raise RuntimeError("out of luck")
        loss = sum(self.loss(p).sum() for p in self.training.trainable().values())
        loss.backward()
        return loss.detach()


def flat(training):
    return torch.cat([p.detach().flatten() for p in training.trainable().values()])


def of(*values):
    """A training of parameters with these values."""
    model = nn.ParameterList([torch.tensor(value) for value in values])
    return SimpleNamespace(model=model, trainable=lambda: dict(model.named_parameters()))


def test_the_gradient_of_the_climbed_weights_by_hand():
    training = of([3.0], [[4.0]])
    batch = Batch(training, lambda p: p**3)
    loss = SAM(rho=0.5).update(batch)
    # g = 3 w^2 = (27, 48) = 3 * (9, 16), ||g|| = 3 * sqrt(337); w + e = (3 + 4.5 / sqrt(337), 4 + 8 / sqrt(337)).
    above = torch.tensor([3 + 4.5 / 337**0.5, 4 + 8 / 337**0.5])
    torch.testing.assert_close(batch.points[1], above)
    torch.testing.assert_close(torch.cat([p.grad.flatten() for p in training.model]), 3 * above**2)
    assert loss.item() == 27 + 64, "the loss of the weights as they are"
    assert flat(training).tolist() == [3.0, 4.0]


values = st.lists(st.floats(-10, 10, width=32), min_size=1, max_size=5)


@given(first=values, second=values, rho=st.floats(1e-2, 2))
def test_it_climbs_rho_far_and_returns_to_its_point_to_the_bit(first, second, rho):
    training = of(first, [second])
    batch = Batch(training, lambda p: (p - 0.3) ** 2 + 100 * p)
    SAM(rho).update(batch)
    before, above = batch.points
    assert (above.double() - before.double()).norm().item() == pytest.approx(rho, rel=1e-3)
    assert torch.equal(flat(training), before)


def test_a_second_pass_that_raises_leaves_the_weights_as_they_were(toy):
    before = flat(toy)
    batch = Batch(toy, torch.square, failing=2)
    with pytest.raises(RuntimeError, match="out of luck"):
        SAM().update(batch)
    assert not torch.equal(batch.points[1], before)
    assert torch.equal(flat(toy), before)


@pytest.mark.parametrize("slope", [0.0, float("inf"), float("nan")])
def test_a_gradient_without_direction_is_left_as_it_is(slope):
    training = of([1.0, 2.0])
    batch = Batch(training, lambda p: p * slope)
    SAM().update(batch)
    assert len(batch.points) == 1
    assert torch.equal(training.model[0].grad.nan_to_num(7.0), torch.full((2,), slope).nan_to_num(7.0))


def test_the_loss_scale_of_fp16_does_not_move_the_climb(toy):
    plain, scaled = Batch(toy, lambda p: p**2), Batch(toy, lambda p: 65536 * p**2)
    SAM().update(plain)
    gradient = toy.model.classifier.bias.grad.clone()
    SAM().update(scaled)
    torch.testing.assert_close(scaled.points[1], plain.points[1])
    torch.testing.assert_close(toy.model.classifier.bias.grad, 65536 * gradient)


def test_what_is_frozen_or_has_no_gradient_does_not_climb(toy):
    frozen = toy.model.get_input_embeddings().weight.requires_grad_(False)
    spared, seen = toy.model.classifier.bias, []

    def loss(parameter):
        seen.append((frozen.clone(), spared.detach().clone()))
        return parameter**2 if parameter is not spared else torch.zeros(1)

    batch = Batch(toy, loss)
    SAM(rho=1.0).update(batch)
    assert all(torch.equal(f, frozen) and torch.equal(s, spared) for f, s in seen)
    assert spared.grad is None
    assert (batch.points[1] - batch.points[0]).norm().item() == pytest.approx(1.0, rel=1e-5)


def test_without_rho_there_is_one_pass(toy):
    batch = Batch(toy, torch.square)
    SAM(rho=0.0).update(batch)
    assert len(batch.points) == 1
    assert (SAM(0.0).passes(), SAM().passes()) == ((1, 1), (2, 2))


def test_a_run_records_the_loss_of_its_own_weights(train):
    few = {"train_examples": 8, "eval_examples": 4}
    usual, sharp = train("sst2", **few).record, train("sst2", "sam", **few).record
    assert sharp.curve.loss[0] == usual.curve.loss[0]
    assert sharp.curve.grad_norm[0] != usual.curve.grad_norm[0]
    assert (sharp.cost.tokens, sharp.cost.examples) == (usual.cost.tokens, usual.cost.examples)
