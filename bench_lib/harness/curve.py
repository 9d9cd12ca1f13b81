"""The training curve, read from the device in intervals."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from bench_lib.core.errors import Diverged
from bench_lib.harness.gradients import Norms

FLUSH_STEPS = 10
"""Optimiser steps between two readings: each reading waits for the device."""


class Curve:
    """Loss, learning rate and gradient norms before clipping, at every optimiser step."""

    def __init__(self) -> None:
        self.loss: list[float] = []
        self.learning_rate: list[float] = []
        self.grad_norm: list[float] = []
        self.grad_norm_first: list[float] = []
        self.grad_norm_last: list[float] = []
        self.clipped: list[bool] = []
        self.skipped: list[bool] = []
        self._pending: list[tuple[Tensor, float, Norms]] = []

    def add(self, loss: Tensor, learning_rate: float, norms: Norms) -> None:
        """Add a step; every few steps the values are read and checked."""
        self._pending.append((loss.detach(), learning_rate, norms))
        if len(self._pending) >= FLUSH_STEPS:
            self.flush()

    def flush(self) -> None:
        """Read the pending values; a non-finite loss raises `Diverged` at its step, where the curve ends."""
        if not self._pending:
            return
        pending, rates, norms = zip(*self._pending, strict=True)
        self._pending.clear()
        losses = torch.stack(pending).tolist()
        bad = next((i for i, loss in enumerate(losses) if not math.isfinite(loss)), None)
        kept = len(losses) if bad is None else bad + 1
        self.loss += losses[:kept]
        self.learning_rate += rates[:kept]
        self._read(norms[:kept])
        if bad is not None:
            raise Diverged(len(self.loss))

    def _read(self, norms: tuple[Norms, ...]) -> None:
        self.grad_norm += torch.stack([n.whole for n in norms]).tolist()
        self.grad_norm_first += torch.stack([n.first_block for n in norms]).tolist()
        self.grad_norm_last += torch.stack([n.last_block for n in norms]).tolist()
        self.skipped += [not n.usable for n in norms]
        clipped = torch.stack([n.clipped for n in norms]).tolist()
        self.clipped += [cut and n.usable for cut, n in zip(clipped, norms, strict=True)]
