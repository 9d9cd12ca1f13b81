"""What all shifts of the embedded sequence have in common, those of `fgm`, `pgd`, `freelb`, `smart` and `neftune`."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from bench_lib.models.architecture import word_embeddings
from bench_lib.techniques.adversarial.fgm import FGM
from bench_lib.techniques.adversarial.freelb import FreeLB
from bench_lib.techniques.adversarial.hype import HyPe
from bench_lib.techniques.adversarial.neftune import NEFTune
from bench_lib.techniques.adversarial.pgd import PGD
from bench_lib.techniques.adversarial.smart import SMART
from bench_lib.techniques.toolkit.embedding_perturbation import (
    embedding_watched,
    gradient_at,
    gradient_of,
    normal_noise,
    steepest,
    steepest_by_token,
    uniform_noise,
    weights_spared,
    within,
)

BY_EXAMPLE = [FGM(scope="example"), PGD(scope="example", init=1.0)]
TOKENS = [*BY_EXAMPLE, FreeLB(), SMART(sigma=1e-3), NEFTune()]
ALL = [FGM(), PGD(), *BY_EXAMPLE, FreeLB(), SMART(), NEFTune(), HyPe()]
REAL = torch.tensor([[True, True, False], [False, False, False]])


def named(techniques):
    return pytest.mark.parametrize("technique", techniques, ids=lambda t: t.spec().label)


def test_the_steepest_shift_by_hand():
    gradient = torch.tensor([[[3.0, 0.0], [0.0, 4.0], [100.0, 100.0]], [[1.0, 1.0], [1.0, 1.0], [1.0, 1.0]]])
    # ||(3, 0, 0, 4)|| = 5; what stands on padding does not count, and a sequence without real tokens stays.
    expected = torch.tensor([[[0.3, 0.0], [0.0, 0.4], [0.0, 0.0]], [[0.0, 0.0]] * 3])
    torch.testing.assert_close(steepest(gradient, REAL, 0.5), expected)
    by_token = torch.tensor([[[0.5, 0.0], [0.0, 0.5], [0.0, 0.0]], [[0.0, 0.0]] * 3])
    torch.testing.assert_close(steepest_by_token(gradient, REAL, 0.5), by_token)
    torch.testing.assert_close(steepest_by_token(torch.tensor([[[2.0, -4.0]]]), REAL[:1, :1], 1.0)[0, 0, 0].item(), 0.5)


@given(
    values=st.lists(st.integers(-1000, 1000), min_size=6, max_size=6).filter(any),
    exponent=st.integers(-30, 30),
    epsilon=st.floats(1e-3, 10),
)
def test_the_scale_of_the_loss_cancels_to_the_bit_and_the_length_is_epsilon(values, exponent, epsilon):
    """As for the loss scale of fp16, a power of two."""
    gradient, real = torch.tensor(values).view(1, 3, 2) / 7, torch.ones(1, 3, dtype=torch.bool)
    shift = steepest(gradient, real, epsilon)
    assert torch.equal(steepest(gradient * 2.0**exponent, real, epsilon), shift)
    assert shift.norm().item() == pytest.approx(epsilon, rel=1e-5)
    assert torch.equal(
        steepest_by_token(gradient * 2.0**exponent, real, epsilon), steepest_by_token(gradient, real, epsilon)
    )


@pytest.mark.parametrize("value", [0.0, 1e-30, math.inf, math.nan])
def test_a_gradient_without_direction_shifts_its_own_sequence_only(value):
    gradient = torch.ones(2, 3, 2)
    gradient[0, 1, 1] = value
    gradient[0] *= value if value < 1 else 1
    shift = steepest(gradient, torch.ones(2, 3, dtype=torch.bool), 1.0)
    assert not shift[0].any()
    assert shift[1].norm().item() == pytest.approx(1.0)


@given(
    values=st.lists(st.floats(-10, 10, width=32), min_size=6, max_size=6),
    radius=st.one_of(st.floats(0, 20), st.just(math.inf)),
)
def test_within_is_the_projection_onto_the_ball(values, radius):
    shift = torch.tensor([values, [0.0] * 6]).view(2, 3, 2)
    length, projected = shift[0].norm().item(), within(shift, radius)
    assert projected[0].norm().item() == pytest.approx(min(length, radius), rel=1e-5, abs=1e-20)
    if length < radius * (1 - 1e-5):
        assert torch.equal(projected, shift)
    assert not projected[1].any()


def test_the_noise_by_hand(toy_step, toy):
    step = toy_step([[1, 2, 0], [3, 3, 2]], REAL.tolist())
    draws = torch.empty(2, 3, 2).uniform_(-1, 1, generator=toy.generator("dropout", "some", 0, 0))
    # Two real tokens of two values: the magnitude is divided by sqrt(4).
    expected = draws * REAL[..., None] * 3.0 / 2
    torch.testing.assert_close(uniform_noise(step, 3.0, "some"), expected)
    step.number = 1
    assert not torch.equal(uniform_noise(step, 3.0, "some"), expected)
    normal = torch.empty(2, 3, 2).normal_(0, 0.1, generator=toy.generator("dropout", "some", 0, 1))
    assert torch.equal(normal_noise(step, 0.1, "some"), normal * REAL[..., None])


@pytest.mark.parametrize("frozen", [False, True])
def test_the_gradient_at_a_shift_is_that_of_the_shifted_loss(toy, toy_step, frozen):
    """The loss here is the mean over both texts of the sum of what is embedded: a slope of 1/2 everywhere."""
    toy.model.get_input_embeddings().weight.requires_grad_(not frozen)
    step = toy_step([[1, 2, 0], [3, 3, 2]], REAL.tolist())
    plain = step.loss(step.forward()).item()
    loss, gradient = gradient_at(step, torch.full((2, 3, 2), 0.5), 0.25)
    assert loss.item() == pytest.approx(plain + 3.0, rel=1e-5)
    assert step.losses == pytest.approx([0.25 * (plain + 3.0)], rel=1e-5)
    assert torch.equal(gradient, torch.full((2, 3, 2), 0.125))
    assert (toy.model.get_input_embeddings().weight.grad is None) == frozen


def test_weights_that_are_spared_get_no_gradient_and_learn_again(micro_step):
    step = micro_step("sst2", "freeze_bottom")
    model = step.training.model
    before = [p.requires_grad for p in model.parameters()]
    with weights_spared(model), embedding_watched(model) as embedded:
        step.backward(step.loss(step.forward()))
    alone = gradient_of(embedded).clone()
    assert all(p.grad is None for p in model.parameters())
    assert [p.requires_grad for p in model.parameters()] == before
    assert torch.equal(alone, gradient_at(step)[1])
    assert any(p.grad is not None for p in model.parameters())


def inputs_of_norm(step):
    """What the sum of all embeddings is in every forward pass from here on."""
    seen, modules = [], step.training.model.named_modules()
    norm = next(module for name, module in modules if name.endswith("bert.embeddings.LayerNorm"))
    norm.register_forward_pre_hook(lambda _module, inputs: seen.append(inputs[0].detach()))
    return seen


@pytest.mark.parametrize("task", ["sst2", "conll2003", "squad"])
@named(TOKENS)
def test_real_tokens_move_and_nothing_else(micro_step, technique, task):
    step = micro_step(task)
    seen = inputs_of_norm(step)
    step.forward()
    technique.backward(step)
    clean, *passes = seen
    assert len(passes) == technique.passes()[0]
    moved = [(each - clean).abs().amax(-1) > 0 for each in passes]
    assert torch.equal(torch.stack(moved).any(0), step.real_tokens)
    assert (~step.real_tokens).any()


def failing(step, monkeypatch, method, call):
    """Let a method of a step raise at its so-manieth call, after it did its work."""
    original, calls = getattr(type(step), method), []

    def raising(self, *args, **kwargs):
        result = original(self, *args, **kwargs)
        calls.append(1)
        if len(calls) == call:
            raise RuntimeError("out of luck")
        return result

    monkeypatch.setattr(type(step), method, raising)


def state(model):
    hooks = [name for name, module in model.named_modules() if module._forward_hooks or module._forward_pre_hooks]
    return hooks, [(p.data_ptr(), p.requires_grad) for p in model.parameters()]


@named(ALL)
def test_a_step_that_raises_at_any_pass_leaves_all_as_it_was(micro_step, technique):
    step = micro_step("squad")
    model = step.training.model
    weights, before = [p.detach().clone() for p in model.parameters()], state(model)
    forward, backward = technique.passes()
    for method, count in (("forward", forward), ("backward", backward)):
        for call in range(1, count + 1):
            with pytest.MonkeyPatch.context() as patch:
                failing(step, patch, method, call)
                with pytest.raises(RuntimeError, match="out of luck"):
                    technique.backward(step)
            assert state(model) == before
            assert all(torch.equal(p, weight) for p, weight in zip(model.parameters(), weights, strict=True))
    technique.backward(step)
    assert state(model) == before
    assert torch.equal(word_embeddings(model).weight, weights[0])


@pytest.mark.parametrize("stack", ["freeze_bottom", "lora", "linear_probe"])
@named(TOKENS)
def test_frozen_embeddings_are_shifted_all_the_same(micro_step, technique, stack):
    step = micro_step("conll2003", stack)
    model = step.training.model
    seen = inputs_of_norm(step)
    step.forward()
    technique.backward(step)
    clean, *passes = seen
    assert torch.equal(torch.stack([(each - clean).abs().amax(-1) > 0 for each in passes]).any(0), step.real_tokens)
    trained = {name for name, p in model.named_parameters() if p.requires_grad}
    assert 0 < len(trained) < len(list(model.parameters()))
    gradients = {name: p.grad for name, p in model.named_parameters() if p.grad is not None}
    assert gradients.keys() == trained
    assert all(gradient.isfinite().all() for gradient in gradients.values())


@named(ALL)
def test_the_loss_scale_of_fp16_scales_the_gradients_and_moves_no_shift(micro_step, technique):
    found = []
    for scale in (1.0, 2.0**16):
        step = micro_step("sst2")
        step.scaler = torch.amp.GradScaler("cpu", init_scale=scale)
        loss = technique.backward(step)
        found.append((loss.item(), word_embeddings(step.training.model).weight.grad / scale))
    assert found[0][0] == found[1][0]
    assert torch.equal(found[0][1], found[1][1])


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
@named(ALL)
def test_lower_precision_trains(train, technique, precision):
    record = train(
        "sst2", technique.spec().label, train_examples=16, eval_examples=8, precision=precision, epochs=2
    ).record
    assert record.status in ("converged", "collapsed"), record.reason
    assert record.curve.nonfinite_steps < record.cost.steps
