"""The same batches and masks give the same losses in the harness, in a Trainer and in a loop of one's own."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

from bench_lib import StabilisedLoop, stabilise
from bench_lib.core.spec import Profile
from bench_lib.integrations.mapped import MAPPED, REASONS
from bench_lib.techniques import TECHNIQUES
from bench_lib.techniques.interface.hooks import HOOKS, has

CORE = {
    "Configures, Prepares": "lora",
    "Prepares": "mixout",
    "Groups": "llrd",
    "Estimates": "child_tuning_d",
    "Phases": "lp_ft",
    "BuildsOptimizer": "lion",
    "ComputesLoss": "label_smoothing",
    "RunsBackward": "freelb",
    "RunsUpdate": "sam",
    "AfterBackward": "adagc",
    "AfterUpdate, EvaluatesUnder": "ema",
    "several": "llrd+mixout+fgm",
}
"""A technique for each kind of hook."""


def of_trainer(world: Any, techniques: str, profile: Profile) -> tuple[list[float], dict[str, torch.Tensor]]:
    class Replays(transformers.Trainer):
        """A Trainer that reads the harness's batches."""

        def get_train_dataloader(self) -> Any:
            if not hasattr(self, "loader"):
                self.loader = world.replayed(self.stabilised.training, techniques)
            return self.loader

    trainer = stabilise(Replays, techniques)(
        model=world.model(),
        args=world.arguments(profile),
        train_dataset=world.features,
        processing_class=world.tokenizer,
    )
    trainer.train()
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    return losses, {name: p.detach() for name, p in trainer.model.named_parameters()}


def of_loop(world: Any, techniques: str, profile: Profile) -> tuple[list[float], dict[str, torch.Tensor]]:
    stable = StabilisedLoop(world.model(), techniques, profile, world.tokenizer, seed=3)
    loader = world.replayed(stable.stabilised.training, techniques)
    losses = [float(stable.step(micro_batches)) for micro_batches in stable.batches(loader)]
    return losses, {name: p.detach() for name, p in stable.model.named_parameters()}


def check(world: Any, of: Callable[..., Any], techniques: str, profile: Profile) -> None:
    expected, weights = world.harness(techniques, profile)
    losses, found = of(world, techniques, profile)
    assert len(expected) >= 20
    assert losses == pytest.approx(expected, abs=1e-6)
    assert found.keys() == weights.keys()
    for name, weight in weights.items():
        torch.testing.assert_close(found[name], weight, rtol=0, atol=1e-6, msg=name)


@pytest.mark.parametrize("techniques", CORE.values(), ids=CORE.keys())
def test_a_trainer_trains_as_the_harness_does(world: Any, profile: Callable[..., Profile], techniques: str) -> None:
    check(world, of_trainer, techniques, profile())


@pytest.mark.parametrize("techniques", ["fgm", "sam", "adagc"])
def test_so_it_does_under_accumulation_in_bf16(world: Any, profile: Callable[..., Profile], techniques: str) -> None:
    check(world, of_trainer, techniques, profile(accumulate=4, precision="bf16"))


@pytest.mark.parametrize("techniques", ["llrd+mixout+fgm", "lp_ft", "child_tuning_d"])
@pytest.mark.parametrize("accumulate", [1, 4])
def test_a_loop_of_ones_own_trains_as_the_harness_does(
    world: Any, profile: Callable[..., Profile], techniques: str, accumulate: int
) -> None:
    check(world, of_loop, techniques, profile(accumulate=accumulate))


@pytest.mark.exhaustive
@pytest.mark.parametrize("of", [of_trainer, of_loop])
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("accumulate", [1, 4])
@pytest.mark.parametrize("techniques", CORE.values(), ids=CORE.keys())
def test_every_kind_of_hook_does_so_everywhere(
    world: Any, profile: Callable[..., Profile], techniques: str, accumulate: int, precision: str, of: Any
) -> None:
    check(world, of, techniques, profile(accumulate=accumulate, precision=precision))


def runs(technique: str) -> bool:
    """Whether a technique, at its defaults, is one for a loop of one's own.

    In fp16 a Trainer has accelerate's loss scale, which is another one on a processor, and no steps of the schedule
    where an update is skipped.
    """
    if technique == "fp16":
        return False
    made = TECHNIQUES.get(technique)()
    return not any(has(made, hook) for hook in REASONS) and not made.predicts_by_several()


@pytest.mark.exhaustive
@pytest.mark.parametrize("of", [of_trainer, of_loop])
@pytest.mark.parametrize("technique", sorted(name for name in TECHNIQUES.own() if runs(name)))
def test_every_technique_does_so(world: Any, profile: Callable[..., Profile], technique: str, of: Any) -> None:
    batch = {"batch_size": 2} if technique == "grad_accumulation" else {}
    check(world, of, technique, profile(accumulate=2, **batch))


def test_the_page_names_every_technique_that_cannot_run() -> None:
    page = (Path(__file__).parents[2] / "docs" / "own-training.md").read_text()
    rows = re.findall(r"^\| (`.*?) \| ", page, re.MULTILINE)
    named = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    assert named == {name for name in TECHNIQUES.own() if name != "fp16" and not runs(name)}


def test_every_hook_runs_or_has_a_reason() -> None:
    assert {*MAPPED} | REASONS.keys() == {*HOOKS}
    assert not {*MAPPED} & REASONS.keys()
