from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bench_lib.core.spec import SCHEDULES, Profile
from bench_lib.harness.optim import build_optimizer, build_schedule
from bench_lib.tasks.formats import TEXT_CLASSIFICATION
from bench_lib.techniques.interface.context import Group, Training
from bench_lib.techniques.interface.stack import Stack
from bench_lib.techniques.interface.technique import Technique

Prepare = Callable[..., Training]
PEAK = 1e-3
NOTHING = Stack(())


def rates(profile: Profile, steps: int) -> list[float]:
    """The learning rate at every step, and what is left after the last."""
    weight = torch.zeros(1, requires_grad=True)
    optimizer = torch.optim.SGD([weight], lr=profile.learning_rate)
    schedule = build_schedule(optimizer, profile, steps)
    found = []
    for _ in range(steps + 1):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return found


def test_linear_rises_over_the_warmup_and_falls_to_zero() -> None:
    found = rates(Profile(learning_rate=PEAK, warmup=0.1), 50)
    assert found[:6] == pytest.approx([PEAK * i / 5 for i in range(6)])
    assert found[5:] == pytest.approx([PEAK * (50 - i) / 45 for i in range(5, 51)])
    assert found[50] == 0


def test_cosine_falls_along_half_a_wave() -> None:
    found = rates(Profile(learning_rate=PEAK, warmup=0.2, schedule="cosine"), 50)
    assert found[10:] == pytest.approx([PEAK * (1 + math.cos(math.pi * i / 40)) / 2 for i in range(41)])


@given(
    schedule=st.sampled_from(SCHEDULES), warmup=st.floats(0, 0.4), steps=st.integers(2, 60), peak=st.floats(1e-6, 1e-2)
)
@settings(deadline=None, max_examples=60, derandomize=True)
def test_schedules_start_peak_and_end_where_they_say(schedule: str, warmup: float, steps: int, peak: float) -> None:
    found = rates(Profile(learning_rate=peak, warmup=warmup, schedule=schedule), steps)
    top = round(warmup * steps)
    assert found[0] == (0.0 if top else peak)
    assert found[top] == pytest.approx(peak)
    assert max(found) == pytest.approx(peak)
    assert found[: top + 1] == sorted(found[: top + 1])
    assert found[top:] == sorted(found[top:], reverse=True)
    assert found[steps] == pytest.approx(peak if schedule == "constant_with_warmup" else 0.0, abs=peak * 1e-9)


def test_constant_stays_at_its_peak() -> None:
    found = rates(Profile(learning_rate=PEAK, warmup=0.1, schedule="constant_with_warmup"), 50)
    assert found[4] < PEAK
    assert found[5:] == [PEAK] * 46


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("steps", [1, 2, 7, 100])
@pytest.mark.parametrize("warmup", [0.0, 0.1, 0.5])
def test_every_schedule_peaks_at_the_end_of_its_warmup(schedule: str, steps: int, warmup: float) -> None:
    found = rates(Profile(learning_rate=PEAK, warmup=warmup, schedule=schedule), steps)
    top = round(warmup * steps)
    assert max(found) == pytest.approx(PEAK)
    assert found[top] == pytest.approx(PEAK)
    assert found[:top] == sorted(found[:top])
    assert found[top:] == sorted(found[top:], reverse=True)


def test_biases_and_norms_do_not_decay(prepare: Prepare) -> None:
    training = prepare(TEXT_CLASSIFICATION, weight_decay=0.02)
    names = {id(p): name for name, p in training.trainable().items()}
    groups = build_optimizer(training, NOTHING).param_groups
    assert [group["weight_decay"] for group in groups] == [0.02, 0.0]
    decayed, spared = ([names[id(p)] for p in group["params"]] for group in groups)
    assert all(name.endswith("bias") or "LayerNorm" in name for name in spared)
    assert not any(name.endswith("bias") or "LayerNorm" in name for name in decayed)
    assert sorted(decayed + spared) == sorted(training.trainable())


def test_the_baseline_is_adamw_with_the_profiles_settings(prepare: Prepare) -> None:
    optimizer = build_optimizer(prepare(TEXT_CLASSIFICATION, beta1=0.8, beta2=0.95, eps=1e-7), NOTHING)
    assert isinstance(optimizer, torch.optim.AdamW)
    for group in optimizer.param_groups:
        assert (group["betas"], group["eps"], group["lr"]) == ((0.8, 0.95), 1e-7, 1e-3)


def test_frozen_parameters_are_not_optimised(prepare: Prepare) -> None:
    training = prepare(TEXT_CLASSIFICATION)
    for name, parameter in training.model.named_parameters():
        parameter.requires_grad_(name == "classifier.bias")
    (group,) = build_optimizer(training, NOTHING).param_groups
    assert [p.shape for p in group["params"]] == [torch.Size([2])]
    assert group["weight_decay"] == 0.0


@dataclass(frozen=True)
class Splits(Technique):
    """Gives the head a rate of its own."""

    name = "splits"
    paper = "none"
    identity = None

    def groups(self, groups: list[Group], training: Training) -> list[Group]:
        found = []
        for group in groups:
            for head, factor in ((False, 1.0), (True, 10.0)):
                chosen = {n: p for n, p in group.parameters.items() if n.startswith("classifier") == head}
                found.append(Group(chosen, group.learning_rate * factor, group.weight_decay))
        return found


@dataclass(frozen=True)
class Plain(Technique):
    """Builds another optimiser."""

    name = "plain"
    paper = "none"
    identity = None

    def optimizer(self, groups: list[Group], profile: Profile) -> torch.optim.Optimizer:
        return torch.optim.SGD([{"params": list(g.parameters.values()), "lr": g.learning_rate} for g in groups])


@pytest.mark.parametrize("stack", [Stack((Splits(),)), Stack((Splits(), Plain()))], ids=["adamw", "own"])
def test_groups_have_their_rates_and_the_schedule_scales_them_alike(prepare: Prepare, stack: Stack) -> None:
    training = prepare(TEXT_CLASSIFICATION, warmup=0.0)
    optimizer = build_optimizer(training, stack)
    assert type(optimizer) is (torch.optim.SGD if len(stack.techniques) > 1 else torch.optim.AdamW)
    assert [group["lr"] for group in optimizer.param_groups] == pytest.approx([1e-3, 1e-2, 1e-3, 1e-2])
    schedule = build_schedule(optimizer, training.profile, 4)
    optimizer.step()
    schedule.step()
    assert [group["lr"] for group in optimizer.param_groups] == pytest.approx([7.5e-4, 7.5e-3, 7.5e-4, 7.5e-3])
