from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from bench_lib.errors import Unsupported
from bench_lib.techniques.mixout import Mixout, MixoutLinear, mix

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


def test_the_published_formula_and_its_gradient():
    weight = torch.tensor([[1.0, 2.0, -3.0], [4.0, 0.5, 6.0]], requires_grad=True)
    start = torch.tensor([[0.0, 1.0, -1.0], [2.0, 0.0, 6.0]])
    p = 0.4
    kept = mask_of(weight.shape, p)
    assert 0 < kept.sum() < 6, "the mask must show both cases"
    mixed = mix(weight, start, p)
    torch.testing.assert_close(mixed, (kept * weight + (1 - kept) * start - p * start) / (1 - p))
    mixed.backward(torch.full_like(mixed, 3.0))
    torch.testing.assert_close(weight.grad, 3.0 * kept / (1 - p))


def test_by_hand():
    # Kept: u + (w - u) / (1 - p) = 1 + 2 / 0.5 = 5; replaced: u = 1.
    assert set(mix(torch.full((50,), 3.0), torch.ones(50), 0.5).tolist()) == {1.0, 5.0}


@given(p=st.floats(0.01, 0.9), weight=st.floats(-3, 3), start=st.floats(-3, 3), seed=st.integers(0, 2**32))
@settings(deadline=None, max_examples=30, derandomize=True)
def test_the_mixed_weight_is_unbiased(p, weight, start, seed):
    torch.manual_seed(seed)
    mixed = mix(torch.full((N,), weight, dtype=torch.float64), torch.full((N,), start, dtype=torch.float64), p)
    spread = abs(weight - start) * (p / (1 - p) / N) ** 0.5
    assert abs(mixed.mean().item() - weight) <= SIGMAS * spread + 1e-12


def test_a_weight_at_its_start_stays_there_to_the_bit():
    weight = torch.randn(100)
    assert torch.equal(mix(weight, weight.clone(), 0.7), weight)


def test_evaluation_uses_the_weight_as_it_is():
    linear = nn.Linear(3, 2)
    layer, inputs = MixoutLinear(linear, torch.zeros(2, 3), 0.5), torch.randn(4, 3)
    assert not torch.equal(layer(inputs), linear(inputs))
    assert torch.equal(layer.eval()(inputs), linear(inputs))


def test_the_layer_shares_the_parameters_and_leaves_the_bias_alone():
    linear = nn.Linear(3, 2)
    layer = MixoutLinear(linear, torch.zeros(2, 3), 0.5)
    assert layer.weight is linear.weight
    assert layer.bias is linear.bias
    assert {name for name, _ in layer.named_parameters()} == {"weight", "bias"}
    assert not layer.state_dict().keys() - {"weight", "bias"}


@pytest.mark.parametrize("task", ["sst2", "conll2003", "squad"])
def test_all_linear_layers_of_the_blocks_and_none_of_pooler_and_head(train, task):
    training = train(task, "mixout:p=0.9", train_examples=8, eval_examples=4).training
    mixed = {n for n, m in training.model.named_modules() if isinstance(m, MixoutLinear)}
    linear = {n for n, m in training.model.named_modules() if isinstance(m, nn.Linear)}
    assert len(mixed) == 2 * 6
    assert all(name.startswith("bert.encoder.layer.") for name in mixed)
    assert linear == {"sst2": {"bert.pooler.dense", "classifier"}, "squad": {"qa_outputs"}}.get(task, {"classifier"})


def test_the_starting_point_is_the_loaded_weight(train):
    training = train("sst2", "reinit+mixout", train_examples=8, eval_examples=4).training
    layers = {n: m for n, m in training.model.named_modules() if isinstance(m, MixoutLinear)}
    assert layers
    assert all(torch.equal(m.get_buffer("pretrained"), training.pretrained[f"{n}.weight"]) for n, m in layers.items())


@pytest.mark.parametrize("stack", ["lora+mixout", "mixout+lora"])
def test_frozen_weights_under_lora_cannot_be_mixed(train, stack):
    record = train("sst2", stack, train_examples=8, eval_examples=4).record
    assert record.status == "unsupported"
    assert "mixout" in record.reason.lower()


def test_it_says_so_where_there_is_nothing_to_mix(toy):
    toy.pretrained = {}
    with pytest.raises(Unsupported, match="mixout finds no linear layer"):
        Mixout().prepare(toy)


def test_in_bf16_a_small_difference_from_the_start_would_be_lost():
    """After some steps at 2e-5 a weight is some 1e-4 from its start, less than bf16 tells apart at that size."""
    start, p = torch.linspace(0.05, 0.1, 1000), 0.5
    weight = (start + 1e-4).requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        mixed = mix(weight, start, p)
        mixed.sum().backward()
    kept = weight.grad > 0
    assert set(weight.grad.tolist()) == {0.0, 2.0}
    exact = (weight.detach().double() - start.double()) * kept / (1 - p)
    torch.testing.assert_close((mixed - start)[kept].double(), exact[kept], rtol=1e-3, atol=0)
    assert not (mixed - start)[~kept].any()

    w, u, keep = weight.detach().bfloat16(), start.bfloat16(), kept.bfloat16()
    coarse = ((keep * w + (1 - keep) * u - p * u) / (1 - p) - u).double()
    assert ((coarse - exact).abs()[kept] > exact[kept] / 2).float().mean() > 0.5


def test_a_mixed_layer_under_bf16_keeps_its_weight_in_fp32(monkeypatch):
    layer, seen = MixoutLinear(nn.Linear(64, 2), torch.zeros(2, 64), 0.5), []
    monkeypatch.setattr("bench_lib.techniques.mixout.mix", lambda *args: seen.append(mix(*args)) or seen[0])
    with torch.autocast("cpu", torch.bfloat16):
        assert layer(torch.randn(3, 64)).dtype == torch.bfloat16
    assert seen[0].dtype == torch.float32
