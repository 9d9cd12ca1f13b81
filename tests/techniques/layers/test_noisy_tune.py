from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bench_lib.core.errors import Unsupported
from bench_lib.techniques.layers.noisy_tune import NoisyTune

HEAD = {"classifier.weight", "classifier.bias"}


def noise(toy, technique):
    before = {n: p.detach().clone() for n, p in toy.model.named_parameters()}
    technique.prepare(toy)
    return {n: p.detach() - before[n] for n, p in toy.model.named_parameters()}, before


def test_the_formula_with_the_draws_by_hand(toy):
    found, before = noise(toy, NoisyTune(0.4))
    for name, change in found.items():
        uniform = torch.rand(change.shape, generator=toy.generator("init", "noisy_tune", name))  # 0 to 1
        values = before[name].flatten()
        spread = ((values - values.mean()) ** 2).mean().sqrt()
        expected = torch.zeros_like(change) if name in HEAD else (0.4 * uniform - 0.2) * spread
        torch.testing.assert_close(change, expected, rtol=0, atol=1e-6)
    assert all(change.abs().max() > 0 for name, change in found.items() if name not in HEAD)


@given(strength=st.floats(0, 10), value=st.floats(-100, 100), spread=st.floats(0, 100))
@settings(max_examples=30, deadline=None, derandomize=True)
def test_the_noise_is_within_half_the_strength_of_the_spread(strength, value, spread):
    weight = value + spread * torch.linspace(-1, 1, 500).double().reshape(50, 10)
    model = torch.nn.Linear(10, 50, bias=False).double()
    with torch.no_grad():
        model.weight.copy_(weight)
    NoisyTune(strength).prepare(
        type("Run", (), {"model": model, "pretrained": {"weight": weight}, "generator": _generator})()
    )
    deviation = ((weight - weight.mean()) ** 2).mean().sqrt()
    assert ((model.weight - weight).abs() <= strength / 2 * deviation + 1e-12).all()


def _generator(_run, *_names):
    return torch.Generator().manual_seed(0)


def test_a_single_value_has_no_spread_and_stays(toy):
    toy.model.body.scale = torch.nn.Parameter(torch.tensor([2.0]))
    toy.pretrained["body.scale"] = torch.tensor([2.0])
    NoisyTune(10.0).prepare(toy)
    assert toy.model.body.scale.item() == 2.0


def test_what_is_frozen_gets_its_noise_and_stays_frozen(toy):
    weight = toy.model.get_input_embeddings().weight.requires_grad_(False)
    found, _ = noise(toy, NoisyTune())
    assert found["body.embeddings.weight"].abs().max() > 0
    assert not weight.requires_grad


def test_only_before_training_and_the_order_of_freezing_does_not_matter(train):
    changes = {"learning_rate": 0.0, "train_examples": 8, "eval_examples": 4}
    one, other = (train("sst2", s, **changes) for s in ("noisy_tune+freeze_bottom", "freeze_bottom+noisy_tune"))
    assert all(torch.equal(p, other.parameters[n]) for n, p in one.parameters.items())
    assert not torch.equal(
        one.parameters["bert.pooler.dense.weight"], one.training.pretrained["bert.pooler.dense.weight"]
    )


def test_it_says_so_where_nothing_is_pre_trained(toy):
    toy.pretrained = {}
    with pytest.raises(Unsupported, match="noisy_tune finds no pre-trained parameter"):
        NoisyTune().prepare(toy)
