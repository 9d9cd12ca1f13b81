from __future__ import annotations

import pytest
import torch
from torch import nn

from bench_lib.core.errors import Unsupported
from bench_lib.core.spec import Profile
from bench_lib.techniques.interface.context import Group
from bench_lib.techniques.interface.optimizers import decoupled_adam
from bench_lib.techniques.optimisation.muon import Muon, _Matrices

FEW = {"train_examples": 8, "eval_examples": 4}


def split(toy, technique=None):
    toy.trained = dict(toy.model.named_parameters())
    return (technique or Muon()).groups([Group(dict(toy.model.named_parameters()), 0.1, 0.5)], toy)


def step(groups, technique, gradients, profile=None):
    optimizer = technique.optimizer(groups, profile or Profile())
    for gradient in gradients:
        for group in groups:
            for name, parameter in group.parameters.items():
                parameter.grad = gradient(name, parameter)
        optimizer.step()
    return optimizer


def drawn(name, parameter):
    return torch.randn(parameter.shape, generator=torch.Generator().manual_seed(len(name)))


def test_matrices_of_blocks_are_muons_and_all_else_is_adamws(toy):
    first, second = split(toy)
    assert {*first.parameters} == {"body.layer.0.weight", "body.layer.1.weight"}
    assert len(first.parameters) + len(second.parameters) == len(dict(toy.model.named_parameters()))
    assert (first.learning_rate, first.weight_decay) == (second.learning_rate, second.weight_decay) == (0.1, 0.5)


def test_what_is_adamws_moves_as_adamw_moves_it(toy):
    groups = split(toy)
    start = {n: p.detach().clone() for n, p in groups[1].parameters.items()}
    step(groups, Muon(), [drawn, drawn])
    again = Group({n: nn.Parameter(p) for n, p in start.items()}, 0.1, 0.5)
    optimizer = decoupled_adam([again], Profile())
    for _ in range(2):
        for name, parameter in again.parameters.items():
            parameter.grad = drawn(name, parameter)
        optimizer.step()
    for name, parameter in again.parameters.items():
        assert torch.equal(parameter, groups[1].parameters[name]), name


def test_a_step_by_hand(toy):
    """The direction is orthogonal, as far as five steps go: singular values between 0.6 and 1.3."""
    groups = split(toy)
    weight = groups[0].parameters["body.layer.0.weight"]
    before = weight.detach().clone()
    gradient = torch.tensor([[3.0, 1.0], [0.5, -2.0]])
    step(groups, Muon(0.95), [lambda name, p: gradient if p is weight else torch.zeros_like(p)])
    moved = (before * (1 - 0.1 * 0.5) - weight.detach()) / (0.1 * 0.2 * 2**0.5)
    u, _, v = torch.linalg.svd(gradient)
    torch.testing.assert_close(moved, u @ v, rtol=0.0, atol=0.4)
    assert 0.6 < torch.linalg.svdvals(moved).min() <= torch.linalg.svdvals(moved).max() < 1.3


@pytest.mark.parametrize("shape", [(4, 6), (6, 4), (5, 5)])
def test_it_moves_as_torchs_own_does_up_to_the_precision_of_its_steps(shape):
    muon = getattr(torch.optim, "Muon", None)
    if muon is None:
        pytest.skip("torch has it from 2.9 on")
    draws = torch.Generator().manual_seed(0)
    start, *gradients = (torch.randn(shape, generator=draws) for _ in range(4))
    ours, theirs = nn.Parameter(start.clone()), nn.Parameter(start.clone())
    optimizer = Muon().optimizer([_Matrices({"w": ours}, 0.1, 0.5)], Profile())
    other = muon([theirs], lr=0.1, weight_decay=0.5, adjust_lr_fn="match_rms_adamw")
    for gradient in gradients:
        ours.grad, theirs.grad = gradient.clone(), gradient.clone()
        optimizer.step()
        other.step()
    torch.testing.assert_close(ours.detach(), theirs.detach(), rtol=0.0, atol=0.02)
    assert not torch.allclose(ours.detach(), start, atol=0.1)


def test_rates_of_the_schedule_reach_both(toy):
    groups = split(toy)
    optimizer = Muon().optimizer(groups, Profile())
    for group in optimizer.param_groups:
        group["lr"] = 0.0
    before = [p.detach().clone() for p in toy.model.parameters()]
    for parameter in toy.model.parameters():
        parameter.grad = torch.ones_like(parameter)
    optimizer.step()
    assert all(map(torch.equal, before, toy.model.parameters()))
    assert {*optimizer.state} == {*toy.model.parameters()}


def test_without_a_matrix_it_declines(toy):
    vectors = {n: p for n, p in toy.model.named_parameters() if p.dim() == 1}
    with pytest.raises(Unsupported, match="muon finds no matrix in the blocks that trains"):
        Muon().groups([Group(vectors, 0.1, 0.0)], toy)


def test_it_moves_the_factors_of_lora(train):
    training = train("sst2", "lora+muon", warmup=0.0, **FEW).training
    moved = training.optimizer.param_groups[0]["params"]
    assert {id(p) for p in moved} == {id(p) for n, p in training.trainable().items() if ".lora_" in n}
    assert all("momentum_buffer" in training.optimizer.state[p] for p in moved)
