"""The training curve, read from the device in stretches."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from bench_lib.errors import Diverged

FLUSH_STEPS = 10
"""Optimiser steps between two readings: a reading waits for the device, so not at every step."""


class Curve:
    """Loss, learning rate and gradient norm before clipping, at every optimiser step."""

    def __init__(self) -> None:
        self.loss: list[float] = []
        self.learning_rate: list[float] = []
        self.grad_norm: list[float] = []
        self._pending: list[tuple[Tensor, float, Tensor]] = []

    def add(self, loss: Tensor, learning_rate: float, grad_norm: Tensor) -> None:
        """Add a step; every few steps the values are read and checked."""
        self._pending.append((loss.detach(), learning_rate, grad_norm.detach()))
        if len(self._pending) >= FLUSH_STEPS:
            self.flush()

    def flush(self) -> None:
        """Read what is pending; a loss that is not finite raises `Diverged` at its step, where the curve then ends."""
        if not self._pending:
            return
        pending, rates, pending_norms = zip(*self._pending, strict=True)
        self._pending.clear()
        losses, norms = torch.stack(pending).tolist(), torch.stack(pending_norms).tolist()
        bad = next((i for i, loss in enumerate(losses) if not math.isfinite(loss)), None)
        kept = len(losses) if bad is None else bad + 1
        self.loss += losses[:kept]
        self.learning_rate += rates[:kept]
        self.grad_norm += norms[:kept]
        if bad is not None:
            raise Diverged(len(self.loss))
