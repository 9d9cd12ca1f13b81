from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from bench_lib.core.seeds import derive
from bench_lib.core.spec import Profile
from bench_lib.tasks.formats import TEXT_CLASSIFICATION
from bench_lib.techniques.interface.context import Training
from bench_lib.techniques.regularisation.child_tuning_f import ChildTuningF, draw_mask

N, SIGMAS = 20_000, 6


def after(toy, technique, value=6.0):
    for parameter in toy.model.parameters():
        parameter.grad = torch.full_like(parameter, value)
    technique.after_backward(toy)
    return {n: p.grad for n, p in toy.model.named_parameters()}


def test_by_hand(toy):
    gradients = after(toy, ChildTuningF(0.5), 3.0)
    assert set(torch.cat([g.flatten() for g in gradients.values()]).tolist()) == {0.0, 6.0}


def test_each_step_has_a_mask_of_its_own_and_the_same_seed_the_same(toy):
    one = torch.cat([g.flatten() for g in after(toy, ChildTuningF()).values()])
    again = torch.cat([g.flatten() for g in after(toy, ChildTuningF()).values()])
    toy.step = 1
    other = torch.cat([g.flatten() for g in after(toy, ChildTuningF()).values()])
    assert torch.equal(one, again)
    assert not torch.equal(one, other)


def test_the_global_generator_is_untouched_and_what_has_no_gradient_gets_none(toy):
    for parameter in toy.model.body.parameters():
        parameter.grad = torch.ones_like(parameter)
    state = torch.get_rng_state()
    ChildTuningF().after_backward(toy)
    assert torch.equal(torch.get_rng_state(), state)
    assert all(p.grad is None for p in toy.model.classifier.parameters())


@given(p=st.floats(0.02, 1.0), value=st.floats(-3, 3), seed=st.integers(0, 2**32))
@settings(deadline=None, max_examples=30, derandomize=True)
def test_the_gradient_is_unbiased(p, value, seed):
    model = nn.Linear(N, 1, bias=False).double()
    model.weight.grad = torch.full_like(model.weight, value)
    training = Training(
        model, None, TEXT_CLASSIFICATION, Profile(), {}, lambda stream, *names: derive(seed, stream, *names)
    )
    ChildTuningF(p).after_backward(training)
    spread = abs(value) * ((1 - p) / p / N) ** 0.5
    assert abs(model.weight.grad.mean().item() - value) <= SIGMAS * spread + 1e-12


@given(kept=st.integers(1, 2**16 - 1), size=st.integers(1, 9), seed=st.integers(0, 2**32))
@settings(deadline=None, max_examples=30, derandomize=True)
def test_the_mask_compares_sixteen_bits_an_element(kept, size, seed):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        mask = draw_mask(size, kept, torch.device("cpu"))
        torch.manual_seed(seed)
        numbers = torch.empty(-(-size // 4), dtype=torch.int64).random_(-(2**63), None).tolist()
    parts = [((number >> shift) + 2**15) % 2**16 for number in numbers for shift in (0, 16, 32, 48)]
    assert mask.tolist() == [part < kept for part in parts[:size]]
