"""The gradients of a batch: measured, changed by the techniques, clipped, and checked to be finite."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.utils import clip_grads_with_norm_, get_total_norm

from bench_lib.core.errors import Diverged
from bench_lib.techniques.interface.context import Training
from bench_lib.techniques.interface.hooks import AfterBackward
from bench_lib.techniques.interface.stack import Stack

MOST_SKIPPED = 20
"""Updates in a row that may be skipped; fp16 skips a few at first, until its loss scale fits."""


@dataclass(frozen=True, eq=False)
class Norms:
    """Norms of a batch's gradient before anything clips; `clipped` and `usable` are truth values."""

    whole: Tensor
    first_block: Tensor
    last_block: Tensor
    clipped: Tensor
    usable: bool


class Gradients:
    """The gradients of one training, batch by batch."""

    def __init__(self, training: Training, stack: Stack) -> None:
        named = training.trainable()
        depth = training.architecture.depth
        self.training, self.hooks = training, stack.having(AfterBackward)
        self.parameters = list(named.values())
        self.first_block = [p for name, p in named.items() if training.architecture.layer_index(name) == 1]
        self.last_block = [p for name, p in named.items() if training.architecture.layer_index(name) == depth]
        self.skipped = 0
        self.skipped_in_a_row = 0

    def settle(self) -> Norms:
        """Measure the gradients, let the techniques change them, and clip them as the profile says."""
        whole = after = self._norm(self.parameters)
        first_block, last_block = self._norm(self.first_block), self._norm(self.last_block)
        for hook in self.hooks:
            hook.after_backward(self.training)
        if self.hooks:
            after = self._norm(self.parameters)
        limit = self.training.profile.clip_norm
        if math.isfinite(limit):
            clip_grads_with_norm_(self.parameters, limit, after)
        # One number is read from the device at every step, since a non-finite update would end the run.
        usable = bool(torch.isfinite(whole + after))
        self._count(usable)
        return Norms(whole, first_block, last_block, after > limit, usable)

    def check(self, step: int) -> None:
        """Raise `Diverged` where too many updates in a row, or all of them, were skipped."""
        if self.skipped_in_a_row >= MOST_SKIPPED or self.skipped == step == self.training.total_steps:
            raise Diverged(step, f"the gradient, after {self.skipped_in_a_row} such steps in a row,")

    def _count(self, usable: bool) -> None:
        self.skipped += not usable
        self.skipped_in_a_row = 0 if usable else self.skipped_in_a_row + 1

    def _norm(self, parameters: list[nn.Parameter]) -> Tensor:
        # For no gradients, as of a frozen block, torch returns a zero on the CPU.
        return get_total_norm([p.grad for p in parameters if p.grad is not None]).to(self.training.device)
