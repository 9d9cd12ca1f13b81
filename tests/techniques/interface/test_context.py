from __future__ import annotations

import pytest
import torch

from bench_lib.techniques.interface.context import Group, with_gradients
from bench_lib.techniques.interface.optimizers import decoupled_adam
from bench_lib.techniques.optimisation.ema import EMA


def test_state_is_made_once_for_each_technique(toy):
    one, other = EMA(), EMA()
    assert one == other
    kept = toy.keep(one, list)
    assert toy.keep(one, lambda: pytest.fail("made twice")) is kept
    assert toy.keep(other, list) is not kept


def test_state_of_none_is_state_too(toy):
    toy.keep(toy.architecture, lambda: None)
    assert toy.keep(toy.architecture, lambda: "made again") is None


def test_generators_are_those_of_the_stream_and_name(toy):
    def draw(*names):
        return torch.randn(3, generator=toy.generator(*names)).tolist()

    assert draw("init", "head") == draw("init", "head")
    assert len({tuple(draw(*names)) for names in (("init", "head"), ("init", "lora"), ("dropout", "head"))}) == 3


@pytest.mark.parametrize("raising", [False, True])
def test_code_that_draws_globally_draws_from_the_stream(toy, raising):
    before = torch.get_rng_state()
    drawn = []
    for _ in range(2):
        try:
            with toy.seeded("init", "part"):
                drawn.append(torch.randn(3))
                if raising:
                    raise RuntimeError("out of luck")
        except RuntimeError:
            assert raising
        torch.testing.assert_close(torch.get_rng_state(), before, rtol=0, atol=0)
        torch.randn(1)
        before = torch.get_rng_state()
    assert torch.equal(*drawn)


def test_trainable_leaves_out_what_is_frozen(toy):
    toy.model.body.pooler.requires_grad_(False)
    names = {n for n, _ in toy.model.named_parameters()}
    assert toy.trainable().keys() == names - {"body.pooler.weight", "body.pooler.bias"}


def test_learning_rates_follow_the_groups(toy):
    named = dict(toy.model.named_parameters())
    head = {n: p for n, p in named.items() if n.startswith("classifier")}
    body = {n: p for n, p in named.items() if n not in head}
    toy.optimizer = decoupled_adam([Group(body, 0.1, 0.0), Group(head, 0.2, 0.0)], toy.profile)
    toy.optimizer.param_groups[0]["lr"] = 0.05
    rates = toy.learning_rates()
    assert {n: rates[id(p)] for n, p in named.items()} == {n: 0.2 if n in head else 0.05 for n in named}


def test_trained_parameters_with_the_gradients_that_they_have(toy):
    for parameter in toy.model.parameters():
        parameter.grad = torch.ones_like(parameter)
    toy.model.classifier.bias.grad = None
    toy.model.body.requires_grad_(False)
    pairs = with_gradients(toy)
    assert pairs.keys() == {"classifier.weight"}
    weight, gradient = pairs["classifier.weight"]
    assert weight is toy.model.classifier.weight
    assert gradient is toy.model.classifier.weight.grad
