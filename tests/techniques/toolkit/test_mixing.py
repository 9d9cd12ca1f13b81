from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from bench_lib.core.errors import Unsupported
from bench_lib.techniques.toolkit.mixing import MixedLinear, mix, mix_layers, pretrained_layers

N = 20_000
SIGMAS = 6


@pytest.fixture(autouse=True)
def own_random_state():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


def mask_of(shape, p, seed=3):
    """1 - M as `mix` draws it after the same seed."""
    torch.manual_seed(seed)
    kept = torch.empty(shape).bernoulli_(1 - p)
    torch.manual_seed(seed)
    return kept


@pytest.mark.parametrize(("by_input", "shape", "seed"), [(True, (1, 3), 3), (False, (2, 3), 3)])
def test_the_published_formula_and_its_gradient(by_input, shape, seed):
    weight = torch.tensor([[1.0, 2.0, -3.0], [4.0, 0.5, 6.0]], requires_grad=True)
    start = torch.tensor([[0.0, 1.0, -1.0], [2.0, 0.0, 6.0]])
    p = 0.4
    kept = mask_of(shape, p, seed)
    assert 0 < kept.sum() < kept.numel(), "the mask must show both cases"
    mixed = mix(weight, start, p, by_input)
    torch.testing.assert_close(mixed, (kept * weight + (1 - kept) * start - p * start) / (1 - p))
    mixed.backward(torch.full_like(mixed, 3.0))
    torch.testing.assert_close(weight.grad, (3.0 * kept / (1 - p)).expand_as(weight))


@pytest.mark.parametrize("by_input", [True, False])
def test_by_hand(by_input):
    # Kept: u + (w - u) / (1 - p) = 1 + 2 / 0.5 = 5; replaced: u = 1.
    mixed = mix(torch.full((3, 50), 3.0), torch.ones(3, 50), 0.5, by_input)
    assert set(mixed.flatten().tolist()) == {1.0, 5.0}
    assert torch.equal(mixed, mixed[:1].expand_as(mixed)) == by_input


@given(
    p=st.floats(0.01, 0.9),
    weight=st.floats(-3, 3),
    start=st.floats(-3, 3),
    seed=st.integers(0, 2**32),
    by_input=st.booleans(),
)
@settings(deadline=None, max_examples=30, derandomize=True)
def test_the_mixed_weight_is_unbiased(p, weight, start, seed, by_input):
    torch.manual_seed(seed)
    mixed = mix(*(torch.full((1, N), value, dtype=torch.float64) for value in (weight, start)), p, by_input)
    spread = abs(weight - start) * (p / (1 - p) / N) ** 0.5
    assert abs(mixed.mean().item() - weight) <= SIGMAS * spread + 1e-12


@pytest.mark.parametrize("by_input", [True, False])
def test_a_weight_at_its_start_stays_there_to_the_bit(by_input):
    weight = torch.randn(10, 10)
    assert torch.equal(mix(weight, weight.clone(), 0.7, by_input), weight)


def test_evaluation_uses_the_weight_as_it_is():
    linear = nn.Linear(3, 2)
    layer, inputs = MixedLinear(linear, torch.zeros(2, 3), 0.5, True), torch.randn(4, 3)
    assert not torch.equal(layer(inputs), linear(inputs))
    assert torch.equal(layer.eval()(inputs), linear(inputs))


def test_a_neuron_at_its_start_passes_on_what_it_did_and_what_the_others_lack_is_made_up_for():
    """With a start of 0 and no bias, it is Dropout on the inputs."""
    linear = nn.Linear(8, 5, bias=False)
    layer, inputs = MixedLinear(linear, torch.zeros(5, 8), 0.4, True), torch.randn(3, 8)
    kept = mask_of((1, 8), 0.4)
    torch.testing.assert_close(layer(inputs), linear(inputs * kept / 0.6))


def test_the_layer_shares_the_parameters_and_leaves_the_bias_alone():
    linear = nn.Linear(3, 2)
    layer = MixedLinear(linear, torch.zeros(2, 3), 0.5, False)
    assert layer.weight is linear.weight
    assert layer.bias is linear.bias
    assert {name for name, _ in layer.named_parameters()} == {"weight", "bias"}
    assert not layer.state_dict().keys() - {"weight", "bias"}


def test_layers_of_the_body_that_were_loaded_are_mixed_once(toy):
    assert pretrained_layers(toy).keys() == {"body.layer.0", "body.layer.1", "body.pooler"}
    toy.pretrained = {n: p for n, p in toy.pretrained.items() if "pooler" not in n}
    mix_layers(toy, pretrained_layers(toy), 0.5, True, "someone")
    assert {n for n, m in toy.model.named_modules() if isinstance(m, MixedLinear)} == {"body.layer.0", "body.layer.1"}
    with pytest.raises(Unsupported, match="another finds the layers mixed already"):
        mix_layers(toy, pretrained_layers(toy), 0.5, False, "another")


def test_it_says_so_where_there_is_nothing_to_mix(toy):
    toy.pretrained = {}
    with pytest.raises(Unsupported, match="someone finds no linear layer"):
        mix_layers(toy, pretrained_layers(toy), 0.5, True, "someone")


def test_in_bf16_a_small_difference_from_the_start_would_be_lost():
    """After some steps at 2e-5 a weight is some 1e-4 from its start, less than bf16 tells apart at that size."""
    start, p = torch.linspace(0.05, 0.1, 1000)[None], 0.5
    weight = (start + 1e-4).requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        mixed = mix(weight, start, p, True)
        mixed.sum().backward()
    kept = weight.grad > 0
    assert set(weight.grad.flatten().tolist()) == {0.0, 2.0}
    exact = (weight.detach().double() - start.double()) * kept / (1 - p)
    torch.testing.assert_close((mixed - start)[kept].double(), exact[kept], rtol=1e-3, atol=0)
    assert not (mixed - start)[~kept].any()

    w, u, keep = weight.detach().bfloat16(), start.bfloat16(), kept.bfloat16()
    coarse = ((keep * w + (1 - keep) * u - p * u) / (1 - p) - u).double()
    assert ((coarse - exact).abs()[kept] > exact[kept] / 2).float().mean() > 0.5


def test_a_mixed_layer_under_bf16_keeps_its_weight_in_fp32(monkeypatch):
    layer, seen = MixedLinear(nn.Linear(64, 2), torch.zeros(2, 64), 0.5, True), []
    monkeypatch.setattr("bench_lib.techniques.toolkit.mixing.mix", lambda *args: seen.append(mix(*args)) or seen[0])
    with torch.autocast("cpu", torch.bfloat16):
        assert layer(torch.randn(3, 64)).dtype == torch.bfloat16
    assert seen[0].dtype == torch.float32
