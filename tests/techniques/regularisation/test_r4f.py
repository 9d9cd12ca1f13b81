from __future__ import annotations

import dataclasses

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrize

from bench_lib.core.errors import Unsupported
from bench_lib.techniques.regularisation.r4f import R4F, last_layer
from bench_lib.techniques.toolkit.consistency import noisy_loss

HEADS = {"sst2": "classifier", "conll2003": "classifier", "squad": "qa_outputs"}
FEW = {"train_examples": 8, "eval_examples": 4}


def largest(weight):
    return torch.linalg.matrix_norm(weight.detach(), 2).item()


def state(layer):
    chain = layer.parametrizations.weight[0].inner
    return torch.cat([chain._u, chain._v])


def test_by_hand(toy):
    with torch.no_grad():
        toy.model.classifier.weight.copy_(torch.diag(torch.tensor([4.0, 1.0])))
    R4F().prepare(toy)
    weight = toy.model.classifier.weight
    torch.testing.assert_close(weight, torch.diag(torch.tensor([1.0, 0.25])), atol=1e-4, rtol=1e-4)
    # W = V / sigma, sigma = u' V v with u and v the first axis: dW/dV = 1/4 but for the first value, which cancels.
    weight.sum().backward()
    gradient = toy.model.classifier.parametrizations.weight.original.grad
    expected = torch.full((2, 2), 0.25)
    expected[0, 0] = 0.25 - (4 + 1) / 4**2
    torch.testing.assert_close(gradient, expected, atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("task", HEADS)
def test_only_the_heads_last_layer_is_normalised(train, task):
    model = train(task, "r4f", **FEW).training.model
    changed = [name for name, module in model.named_modules() if parametrize.is_parametrized(module)]
    assert changed == [HEADS[task]]
    layer = model.get_submodule(HEADS[task]).eval()
    assert largest(layer.weight) == pytest.approx(1, rel=0.02)
    assert abs(largest(layer.parametrizations.weight.original) - 1) > 0.05


@pytest.mark.parametrize("stack", ["r4f+lora", "lora+r4f"])
def test_with_lora_it_is_the_copy_in_training(train, stack):
    run = train("sst2", stack, **FEW)
    assert run.record.status in ("converged", "collapsed"), run.record.reason
    layer = last_layer(run.training)
    assert parametrize.is_parametrized(layer)
    assert layer.parametrizations.weight.original.requires_grad


def test_a_pass_in_training_takes_one_power_iteration_for_both_and_evaluation_none(micro_step):
    step = micro_step("sst2", "r4f")
    model = step.training.model
    layer, seen = model.classifier, []
    layer.register_forward_hook(lambda module, _inputs, _output: seen.append(module.weight.detach().clone()))
    with torch.no_grad():
        layer.parametrizations.weight.original[0] += 0.5 * torch.randn(32, generator=torch.Generator().manual_seed(0))
    before = state(layer).clone()
    R4F().backward(step)
    after = state(layer).clone()
    assert len(seen) == 2
    assert torch.equal(*seen)
    assert not torch.equal(after, before)
    model.eval()
    with torch.inference_mode():
        assert torch.equal(layer.weight, layer.weight)
    assert torch.equal(state(layer), after)


def test_the_gradient_is_that_of_the_normalised_loss(micro_step):
    step = micro_step("conll2003", "r4f")
    R4F(weight=2.0, epsilon=0.01, same_masks=True).backward(step)
    found = {n: p.grad.clone() for n, p in step.training.model.named_parameters()}
    step.training.model.zero_grad()
    original = step.training.model.classifier.parametrizations.weight.original
    step.training.model.classifier.eval()  # the vectors as they are now
    with parametrize.cached():
        noisy_loss(step, 0.01, 2.0, same_masks=True).backward()
    torch.testing.assert_close(original.grad, found["classifier.parametrizations.weight.original"])
    # Scaling V does not change W, so the gradient is at right angles to V.
    turned = (original * original.grad).sum() / (original.norm() * original.grad.norm())
    assert abs(turned.item()) < 1e-3


@pytest.mark.parametrize("weight", [0.0, 1.0])
def test_without_the_norm_it_is_r3f_to_the_bit(train, weight):
    plain, other = (train("sst2", f"{s}:weight={weight}", **FEW) for s in ("r3f", "r4f:spectral=False"))
    assert plain.record.curve.loss == other.record.curve.loss
    assert all(torch.equal(p, other.parameters[n]) for n, p in plain.parameters.items())


def test_the_norm_is_taken_in_fp32_under_autocast(toy):
    """On CUDA, autocast would take the products behind the largest singular value in bf16."""
    R4F().prepare(toy)
    layer, seen = toy.model.classifier, []
    chain = layer.parametrizations.weight[0].inner
    chain.register_forward_hook(lambda *_: seen.append(torch.is_autocast_enabled("cpu")))
    with torch.autocast("cpu", torch.bfloat16):
        assert layer.weight.dtype == torch.float32
        assert torch.is_autocast_enabled("cpu")
    assert seen == [False]


def test_of_several_layers_it_is_the_last_in_training(toy):
    toy.model.classifier = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2), nn.Linear(2, 2).requires_grad_(False))
    assert last_layer(toy) is toy.model.classifier[1]


def test_without_weight_the_norm_stays_and_the_precision_is_the_profiles(micro_step):
    step = micro_step("sst2", "r4f:weight=0.0")
    step.training.profile = dataclasses.replace(step.training.profile, precision="bf16")
    R4F(weight=0.0).backward(step)
    assert step.passes.forward == 1
    assert step.training.model.classifier.parametrizations.weight.original.grad.isfinite().all()


def test_the_draws_are_the_runs_own(toy):
    before = torch.get_rng_state()
    R4F().prepare(toy)
    assert torch.equal(torch.get_rng_state(), before)


def test_it_says_so_where_there_is_nothing_to_normalise(toy):
    toy.model.classifier = nn.Identity()
    with pytest.raises(Unsupported, match="r4f finds no linear layer"):
        R4F().prepare(toy)
