from __future__ import annotations

import pytest
import torch
from torch import nn

from bench_lib.core.errors import Unsupported
from bench_lib.techniques.interface.context import Group
from bench_lib.techniques.toolkit.pretrained_anchors import SlowPull, anchors, matrices, pull, with_start, without_decay

MATRICES = {f"body.{part}.weight" for part in ("embeddings", "layer.0", "layer.1", "pooler")}
BODY = MATRICES | {f"body.{part}.bias" for part in ("layer.0", "layer.1", "pooler")}


def moved(toy, rate):
    """Anchors of the toy, whose parameters are one above them, under an optimiser at one rate."""
    toy.optimizer = torch.optim.SGD(toy.model.parameters(), lr=rate)
    with torch.no_grad():
        for parameter in toy.model.parameters():
            parameter += 1.0
    return anchors(toy, with_start(toy, "someone"))


def test_the_body_has_a_start_if_it_was_loaded_and_the_head_has_none(toy):
    assert with_start(toy, "someone").keys() == BODY
    assert with_start(toy, "someone", matrices_only=True).keys() == MATRICES
    toy.pretrained = {n: p for n, p in toy.pretrained.items() if "pooler" not in n}
    assert with_start(toy, "someone").keys() == {n for n in BODY if "pooler" not in n}


def test_matrices_are_what_has_two_dimensions(toy):
    named = dict(toy.model.named_parameters())
    assert matrices(named).keys() == MATRICES | {"classifier.weight"}
    assert all(parameter is named[name] for name, parameter in matrices(named).items())


def test_the_pull_by_hand_ends_at_the_anchor(toy):
    for rate, left in ((0.1, 0.8), (0.5, 0.0), (3.0, 0.0)):
        anchored = moved(toy, rate)
        parameter, start = anchored[0]
        with torch.no_grad():
            parameter.copy_(start + 1.0)
        pull(toy, anchored, 2.0)
        torch.testing.assert_close(parameter.detach(), start + left)


def test_what_a_phase_has_frozen_is_not_pulled(toy):
    anchored = moved(toy, 0.1)
    frozen, free = anchored[0][0], anchored[1][0]
    before = frozen.detach().clone(), free.detach().clone()
    frozen.requires_grad_(False)
    pull(toy, anchored, 1.0)
    assert torch.equal(frozen, before[0])
    assert not torch.equal(free, before[1])


def test_groups_keep_their_rates_and_lose_their_decay_where_they_are_named(toy):
    parameters = dict(toy.model.named_parameters())
    lower = {n: p for n, p in parameters.items() if "layer.0" in n}
    upper = {n: p for n, p in parameters.items() if n not in lower}
    groups = without_decay([Group(lower, 0.1, 0.3), Group(upper, 0.2, 0.3)], MATRICES)
    assert all(group.parameters for group in groups)
    assert {n: (g.learning_rate, g.weight_decay) for g in groups for n in g.parameters} == {
        n: (0.1 if n in lower else 0.2, 0.0 if n in MATRICES else 0.3) for n in parameters
    }


def test_without_any_start_the_technique_is_named(toy):
    toy.trained = {n: p for n, p in toy.model.named_parameters() if n.endswith("bias")}
    with pytest.raises(Unsupported, match="someone finds no matrix in training"):
        with_start(toy, "someone", matrices_only=True)
    toy.pretrained = {}
    with pytest.raises(Unsupported, match="someone finds no parameter in training"):
        with_start(toy, "someone")


RATE, STRENGTH, STEPS = 2e-5, 1e-3, 400


def shrunk(toy, dtype, technique):
    """By which part of itself a pull brings the drift of weights down, whose size, rate and steps are a run's."""
    draws = torch.Generator().manual_seed(0)
    start = torch.randn(300, 300, generator=draws).mul_(0.05).to(dtype)
    pulled, free = (nn.Parameter(start.clone()) for _ in range(2))
    step = technique([(pulled, start)])
    toy.optimizer = torch.optim.SGD([pulled], lr=RATE)
    direction = torch.randn(300, 300, generator=draws)
    for _ in range(STEPS):
        move = (RATE * (direction + torch.randn(300, 300, generator=draws)) / 2).to(dtype)
        with torch.no_grad():
            pulled.add_(move)
            free.add_(move)
        step()
    drift, less = (free - start).double(), (free - pulled).double()
    return ((less * drift).sum() / (drift * drift).sum()).item()


def test_a_pull_below_the_weights_precision_is_lost_at_once_and_kept_when_summed(toy):
    def naive(anchored):
        return lambda: pull(toy, anchored, STRENGTH)

    def slow(anchored):
        kept = SlowPull(anchored)
        return lambda: kept.step(toy, STRENGTH)

    exact = shrunk(toy, torch.float64, naive)
    # Half of what the whole drift would lose, which grew over the steps.
    assert exact == pytest.approx(RATE * STRENGTH * STEPS / 2, rel=0.02)
    assert shrunk(toy, torch.float32, slow) == pytest.approx(exact, rel=0.02)
    assert abs(shrunk(toy, torch.float32, naive)) < 0.1 * exact


def test_a_pull_that_counts_at_once_is_the_plain_one(toy):
    for strength in (2.0, 30.0):
        anchored = moved(toy, 0.1)
        parameter, start = anchored[0]
        with torch.no_grad():
            parameter.copy_(start + 1.0)
        SlowPull(anchored).step(toy, strength)
        torch.testing.assert_close(parameter.detach(), start + max(0.0, 1 - 0.1 * strength))


def test_what_is_owed_outlasts_a_frozen_phase_and_steps_that_are_skipped(toy):
    start = torch.full((1,), 1.0)
    parameter = nn.Parameter(start + 2**-10)
    toy.optimizer, kept = torch.optim.SGD([parameter], lr=1.0), SlowPull([(parameter, start)])
    pull_of = 2**-15  # of 2**-10: a quarter of what fp32 tells apart at 1, of which more than half counts as one
    for frozen, left in ((False, 0), (True, 0), (True, 0), (False, 0), (True, 0), (False, 1)):
        parameter.requires_grad_(not frozen)
        kept.step(toy, pull_of)
        assert parameter.item() == 1 + 2**-10 - left * 2**-23
    # 3 of 4 quarters were pulled, and a whole is gone.
    torch.testing.assert_close(kept.owed[0], torch.tensor([-(2**-25)]), rtol=1e-2, atol=0)


def test_by_default_nothing_is_owed_twice(toy):
    anchored = moved(toy, 0.1)
    kept = SlowPull(anchored)
    for _ in range(200):
        kept.step(toy, 1.0)
    for parameter, start in anchored:
        torch.testing.assert_close(parameter.detach() - start, torch.full_like(start, 0.9**200), rtol=1e-2, atol=1e-9)
