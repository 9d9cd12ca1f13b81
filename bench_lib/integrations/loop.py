"""A training loop of one's own, with accelerate or without, that runs the hooks of a stack of techniques."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from transformers import PreTrainedTokenizerBase

from bench_lib.core.errors import BenchError, Unsupported
from bench_lib.core.spec import Profile
from bench_lib.harness.updates import Updates
from bench_lib.integrations.arguments import CHANGED
from bench_lib.integrations.mapped import mapped_stack
from bench_lib.integrations.stabilised import StabilisedTraining, UserModel
from bench_lib.runner.resolved import configured

Inputs = Mapping[str, Any]


class Loader(Protocol):
    """What gives micro-batches, again for every epoch."""

    def __iter__(self) -> Iterator[Inputs]: ...

    def __len__(self) -> int: ...


class StabilisedLoop:
    """The updates of a training with techniques, such as `llrd+mixout`, for a loop of one's own.

    The profile says what a Trainer's arguments would: rates, schedule, `epochs`, `accumulate`, `clip_norm`, precision,
    as the techniques configure it. Of its sizes, `batch_size` only has to be a multiple of `accumulate`. `new` names
    the modules without pre-trained weights, as for `stabilise`. Raises `Unsupported`, by name and reason, for a
    technique that cannot run in a loop of one's own::

        stable = StabilisedLoop(model, "llrd+sam", Profile(learning_rate=2e-5, epochs=3), tokenizer, seed=3)
        for micro_batches in stable.batches(accelerator.prepare(loader)):
            loss = stable.step(micro_batches)
        with stable.evaluated():
            ...
    """

    def __init__(
        self,
        model: nn.Module,
        techniques: str,
        profile: Profile,
        tokenizer: PreTrainedTokenizerBase | None = None,
        seed: int = 0,
        new: tuple[str, ...] | None = None,
    ) -> None:
        stack = mapped_stack(techniques)
        self.profile = configured(profile, stack)
        changed = {f.name for f in dataclasses.fields(Profile) if _of(profile, f) != _of(self.profile, f)}
        if strange := sorted(changed - CHANGED):
            raise Unsupported(f"{techniques} changes {', '.join(strange)}, which a loop of one's own does not have")
        device = next(model.parameters()).device
        self.stabilised = StabilisedTraining(UserModel(model, tokenizer, device, new), stack, self.profile, seed)
        self._updates: Updates | None = None

    @property
    def model(self) -> nn.Module:
        """The model in training, which a technique may have wrapped."""
        return self.stabilised.training.model

    @property
    def learning_rate(self) -> float:
        """The rate of the next update, of the group of the head where rates differ."""
        return self._begun().optimization.learning_rate

    def batches(self, loader: Loader) -> Iterator[list[Inputs]]:
        """The micro-batches of every update: `epochs` times through the loader, `accumulate` at a time."""
        if self._updates is not None:
            raise BenchError("this training has begun already; make another StabilisedLoop for another training")
        parts, epochs = self.profile.accumulate, self.profile.epochs
        steps = math.ceil(len(loader) / parts)
        scaler = torch.amp.GradScaler(self._device.type, enabled=self.profile.precision == "fp16")
        self._updates = self.stabilised.start(steps, epochs * steps, scaler)
        self.stabilised.estimate(self._updates, lambda: (self.stabilised.read(self._moved(each)) for each in loader))
        for _ in range(epochs):
            yield from _grouped(loader, parts)

    def step(self, micro_batches: Sequence[Inputs]) -> Tensor:
        """One update from the micro-batches of a batch: passes, clipping, optimiser, schedule; the loss of the batch.

        Raises `Diverged` after many updates in a row whose gradients were not finite, which are skipped.
        """
        updates, training = self._begun(), self.stabilised.training
        training.model.train()
        updates.optimization.start_step()
        with self.stabilised.generators_kept():
            loss = updates.backward([self.stabilised.read(self._moved(each)) for each in micro_batches])
        norms = updates.settle()
        updates.apply(norms)
        updates.end()
        if not norms.usable:
            updates.gradients.check(training.step)
        return loss

    def evaluated(self) -> AbstractContextManager[None]:
        """A context in which the model has the weights that count, such as an average, and computes as in training."""
        return self.stabilised.evaluated(self._updates is not None)

    def _begun(self) -> Updates:
        if self._updates is None:
            raise BenchError("the training has not begun: take the batches from StabilisedLoop.batches(loader)")
        return self._updates

    @property
    def _device(self) -> torch.device:
        return self.stabilised.training.device

    def _moved(self, inputs: Inputs) -> Inputs:
        return {name: each.to(self._device) if isinstance(each, Tensor) else each for name, each in inputs.items()}


def _of(profile: Profile, field: dataclasses.Field[Any]) -> object:
    return getattr(profile, field.name)


def _grouped(loader: Iterable[Inputs], size: int) -> Iterator[list[Inputs]]:
    """So many at a time, the last time fewer."""
    entries = iter(loader)
    while group := list(itertools.islice(entries, size)):
        yield group
