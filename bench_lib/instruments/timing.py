"""Clocks that wait for the device."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch

UNTIMED_STEPS = 2
"""Optimiser steps at the start of a run that the throughput leaves out: kernels are chosen and memory mapped there."""


@dataclass
class Stopwatch:
    """Adds up wall-clock seconds of timed intervals."""

    device: torch.device
    seconds: float = field(default=0.0, init=False)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Time an interval, also if it raises."""
        start = self._now()
        try:
            yield
        finally:
            self.seconds += self._now() - start

    def _now(self) -> float:
        # CUDA returns before the work is done: a clock read without waiting times the launching only.
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        return time.perf_counter()


@dataclass
class Throughput:
    """Real tokens and examples per second of training, from the steps after the untimed ones."""

    seconds: float = 0.0
    tokens: int = 0
    examples: int = 0

    def add(self, seconds: float, tokens: int, examples: int) -> None:
        self.seconds += seconds
        self.tokens += tokens
        self.examples += examples

    def tokens_per_second(self) -> float | None:
        return self.tokens / self.seconds if self.seconds > 0 else None

    def examples_per_second(self) -> float | None:
        return self.examples / self.seconds if self.seconds > 0 else None
