"""Further tasks that are trained together with the run's own: their batches, one with each step of the run."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from bench_lib.harness.batches import collate, epoch_order
from bench_lib.harness.formats.features import Batch, Feature
from bench_lib.techniques.interface.context import Training


@dataclass(eq=False)
class JointTask:
    """A further task: its `training` has the body and the steps of the `run`, and its loss a `weight`."""

    run: Training
    training: Training
    features: Sequence[Feature]
    pad_id: int
    weight: float
    read: int = -1
    present: list[Feature] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.order = self._endless()

    def micro_batches(self, parts: int) -> list[Batch]:
        """The batch that joins the run's present step, in at most so many parts; the same one when asked again."""
        if self.read != self.run.step:
            self.read, self.present = self.run.step, next(self.order)
            for name in ("step", "total_steps", "steps_per_epoch", "optimizer"):
                setattr(self.training, name, getattr(self.run, name))
        shares = np.array_split(np.arange(len(self.present)), min(parts, len(self.present)))
        return [self._collated([self.present[i] for i in share]) for share in shares]

    def _collated(self, features: Sequence[Feature]) -> Batch:
        return collate(features, self.training.format, self.pad_id, self.training.device)

    def _endless(self) -> Iterator[list[Feature]]:
        lengths, profile = [len(feature) for feature in self.features], self.training.profile
        for epoch in itertools.count():
            order = self.training.generator("order", epoch)
            for indices in epoch_order(lengths, profile.batch_size, profile.bucket, order):
                yield [self.features[i] for i in indices]
