"""A Trainer's arguments as a profile, and what techniques change of them."""

from __future__ import annotations

import math
from typing import Any

import pytest

from bench_lib.core.errors import Unsupported
from bench_lib.core.spec import Profile
from bench_lib.integrations.arguments import check_arguments, profile_of, warmup_share, with_changes
from bench_lib.runner.resolved import configured
from bench_lib.techniques import TECHNIQUES
from bench_lib.techniques.interface.stack import parse_stack


def test_arguments_read_as_the_profile_they_were_made_of(world: Any, profile: Any) -> None:
    found = profile_of(world.arguments(profile(accumulate=2, precision="bf16", schedule="cosine", clip_norm=0.5)))
    names = ("epochs", "batch_size", "accumulate", "learning_rate", "schedule", "warmup", "weight_decay", "eps")
    wanted = profile(accumulate=2, precision="bf16", schedule="cosine", clip_norm=0.5)
    for name in (*names, "clip_norm", "precision", "beta1", "beta2"):
        assert getattr(found, name) == getattr(wanted, name), name


def test_no_clipping_and_a_constant_rate(world: Any) -> None:
    found = profile_of(world.arguments(max_grad_norm=0.0, lr_scheduler_type="constant", warmup_steps=5))
    assert found.clip_norm == math.inf
    assert (found.schedule, found.warmup) == ("constant_with_warmup", 0.0)


@pytest.mark.parametrize(
    ("techniques", "expected"),
    [
        ("clip_norm:max_norm=0.25", {"max_grad_norm": 0.25}),
        ("constant", {"lr_scheduler_type": "constant_with_warmup"}),
        ("warmup:share=0.3", {"warmup_steps": 0.3}),
        ("longer:epochs=9", {"num_train_epochs": 9.0}),
        ("bf16", {"bf16": True, "fp16": False, "mixed_precision": "bf16"}),
        ("lora", {"learning_rate": 5e-4}),
        ("grad_accumulation", {"per_device_train_batch_size": 1, "gradient_accumulation_steps": 4}),
        ("adamw", {"num_train_epochs": 4, "max_grad_norm": 1.0, "logging_nan_inf_filter": False}),
    ],
)
def test_what_techniques_change_is_in_a_copy(world: Any, techniques: str, expected: dict[str, Any]) -> None:
    given = world.arguments()
    before = vars(given).copy()
    profile = profile_of(given)
    found = with_changes(given, profile, configured(profile, parse_stack(techniques, TECHNIQUES)))
    assert {name: getattr(found, name) for name in expected} == expected
    assert vars(given) == before


def test_changes_without_an_argument_are_refused(world: Any) -> None:
    given = world.arguments()
    before = profile_of(given)
    with pytest.raises(Unsupported, match="changes max_length, for which a Trainer has no argument"):
        with_changes(given, before, Profile(**{**vars(before), "max_length": 256}))


@pytest.mark.parametrize(("asked", "steps"), [(0.1, 3), (7, 7), (0, 0)])
def test_the_warmup_is_the_trainers_own(world: Any, asked: float, steps: int) -> None:
    given = world.arguments(warmup_steps=asked)
    before = profile_of(given)
    share = warmup_share(given, before, before, 21).warmup
    assert round(share * 21) == steps
    chosen = configured(before, parse_stack("warmup:share=0.5", TECHNIQUES))
    assert warmup_share(given, chosen, before, 21).warmup == 0.5


def test_all_reasons_are_given_at_once(world: Any) -> None:
    given = world.arguments(label_smoothing_factor=0.1, optim="sgd")
    with pytest.raises(Unsupported, match=r"label_smoothing_factor=0\.1: .*; optim='sgd': "):
        check_arguments(given)
