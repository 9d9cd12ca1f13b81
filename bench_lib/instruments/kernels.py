"""How this processor multiplies in bfloat16: by kernels of its own, or rounded and summed in fp32."""

from __future__ import annotations

import functools
import math
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum

import torch
from torch import Tensor
from torch.nn import functional as F

from bench_lib.core.errors import require

VARIABLE = "STABBENCH_BF16"
"""The environment variable that decides in place of the measurement."""

SLOWEST = 1.2
"""Times of a product in fp32 up to which the processor's own bf16 counts as fast."""

ROWS, WIDTH, TRIES = 128, 384, 5
"""The product that is timed: a layer of a small model on a few sentences, some milliseconds in all."""


class Products(StrEnum):
    """Who rounds the operands of a product and adds up: the processor's kernels, or we in fp32."""

    NATIVE = "native"
    EMULATED = "emulated"


@functools.cache
def bf16_products() -> Products:
    """How products in bf16 are computed on this CPU, found by timing both once a process.

    The variable `VARIABLE` decides instead where it is set; a value that it cannot have raises `BadValue`. What was
    found is put there, so that the workers of this process compute as it does.
    """
    asked = os.environ.get(VARIABLE, "")
    if asked:
        require(asked in list(Products), f"the environment variable {VARIABLE}", asked, " or ".join(Products))
        return Products(asked)
    found = Products.NATIVE if _slowdown() <= SLOWEST else Products.EMULATED
    os.environ[VARIABLE] = found.value
    return found


@torch.inference_mode()
def _slowdown() -> float:
    """The time of a product in bf16 over that in fp32, of each the best of a few tries that take turns."""
    # A flag would not do: processors without such kernels report them, and oneDNN can be told not to use those it has.
    fp32, bf16 = math.inf, math.inf
    with torch.autocast("cpu", enabled=False), _one_thread():
        exact = torch.full((ROWS, WIDTH), 0.5), torch.full((WIDTH, WIDTH), 0.5)
        rounded = exact[0].bfloat16(), exact[1].bfloat16()
        for attempt in range(1 + TRIES):
            seconds = _timed(*exact), _timed(*rounded)
            if attempt:  # at the first one, kernels are chosen
                fp32, bf16 = min(fp32, seconds[0]), min(bf16, seconds[1])
    return bf16 / fp32


@contextmanager
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _timed(rows: Tensor, weight: Tensor) -> float:
    # Of the thread and not of the clock: on a busy machine that would tell of other processes.
    start = time.thread_time()
    F.linear(rows, weight)
    return time.thread_time() - start
