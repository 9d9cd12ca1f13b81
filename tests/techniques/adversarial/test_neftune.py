from __future__ import annotations

import math

import pytest
import torch

from bench_lib.models.architecture import word_embeddings
from bench_lib.techniques.adversarial.neftune import NEFTune

IDS, REAL = [[1, 2, 0], [3, 3, 2]], [[True, True, False], [True, True, True]]


def test_the_loss_by_hand(toy, toy_step):
    step, weight = toy_step(IDS, REAL), toy.model.get_input_embeddings().weight
    loss = NEFTune(alpha=3.0).backward(step)
    draws = torch.empty(2, 3, 2).uniform_(-1, 1, generator=toy.generator("dropout", "neftune", 0, 0))
    # L is 2 tokens in the first text, whose padding does not count, and 3 in the second; d is 2. Each once.
    noise = draws[0, :2].sum().item() * 3 / math.sqrt(2 * 2) + draws[1].sum().item() * 3 / math.sqrt(3 * 2)
    clean = weight.detach()[torch.tensor(IDS)].sum((1, 2)).mean().item()
    assert abs(noise) > 0.1
    assert loss.item() == pytest.approx(clean + noise / 2, rel=1e-5)
    assert not loss.requires_grad
    # The noise is a constant: the gradient is that of the clean sum, occurrences / 2 texts.
    torch.testing.assert_close(weight.grad, torch.tensor([1.0, 1.0, 2.0, 2.0])[:, None].expand(4, 2) / 2)
    assert step.repeats == [0]


def test_it_is_added_once_a_pass_and_gone_afterwards(micro_step):
    step = micro_step("conll2003")
    model, sums = step.training.model, []
    model.get_submodule("bert.embeddings.LayerNorm").register_forward_pre_hook(
        lambda _module, inputs: sums.append(inputs[0].detach())
    )
    step.forward()
    NEFTune(alpha=5.0).backward(step)
    step.forward()
    clean, noisy, after = sums
    assert torch.equal(after, clean)
    size = 5.0 / (step.real_tokens.sum(1) * clean.shape[-1]).sqrt()
    largest = (noisy - clean).abs().amax((1, 2))
    assert (largest <= size * (1 + 1e-5)).all()
    assert (largest > 0.9 * size).all(), "uniform to the bounds"
    assert not word_embeddings(model)._forward_hooks


def test_another_part_of_a_batch_draws_other_noise_and_the_same_one_the_same(micro_step):
    step = micro_step("sst2")
    losses = [NEFTune(alpha=50.0).backward(step).item() for _ in range(2)]
    step.number += 1
    assert losses[0] == losses[1]
    assert NEFTune(alpha=50.0).backward(step).item() != losses[0]


def test_it_declares_its_passes():
    assert NEFTune().passes() == NEFTune(alpha=0.0).passes() == (1, 1)
