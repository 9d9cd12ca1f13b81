"""A loop of one's own with accelerate."""

from __future__ import annotations

from typing import Any

import accelerate
import pytest
import torch
from torch.utils.data import DataLoader
from transformers import DataCollatorWithPadding

from bench_lib import StabilisedLoop
from bench_lib.core.errors import BenchError


def loader_of(world: Any) -> Any:
    rows = [{"input_ids": f.input_ids.tolist(), "labels": int(f.targets[0])} for f in world.features]
    loader = DataLoader(rows, batch_size=2, shuffle=True, collate_fn=DataCollatorWithPadding(world.tokenizer))
    return accelerate.Accelerator(cpu=True).prepare(loader)


def test_an_accelerate_loop_trains_and_evaluates_the_weights_that_count(world: Any, profile: Any) -> None:
    stable = StabilisedLoop(world.model(), "ema+fgm", profile(accumulate=2, epochs=2), world.tokenizer, seed=3)
    losses, rates = [], []
    for micro_batches in stable.batches(loader_of(world)):
        assert len(micro_batches) == 2
        rates.append(stable.learning_rate)
        losses.append(stable.step(micro_batches))
    assert len(losses) == 10
    assert torch.stack(losses).isfinite().all()
    assert rates[0] == 0 < rates[1], "the warm-up begins at 0"
    last = {name: p.detach().clone() for name, p in stable.model.named_parameters()}
    with stable.evaluated():
        assert any(not torch.equal(p, last[name]) for name, p in stable.model.named_parameters())
    assert all(torch.equal(p, last[name]) for name, p in stable.model.named_parameters())


def test_steps_come_from_batches_and_a_training_is_done_once(world: Any, profile: Any) -> None:
    stable = StabilisedLoop(world.model(), "llrd", profile(epochs=1), seed=3)
    with pytest.raises(BenchError, match=r"take the batches from StabilisedLoop\.batches"):
        stable.step([])
    loader = loader_of(world)
    next(stable.batches(loader))
    with pytest.raises(BenchError, match="has begun already"):
        next(stable.batches(loader))
