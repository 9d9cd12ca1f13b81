"""Kernels of this CPU: products in bfloat16, native or emulated in fp32, and the kernels of lesser processors."""

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
"""The environment variable that overrides the measurement."""

SLOWEST = 1.2
"""Maximum time of a native bf16 product relative to fp32."""

ROWS, WIDTH, TRIES = 128, 384, 5
"""The product that is timed: a layer of a small model on a few sentences, some milliseconds in all."""


class Products(StrEnum):
    """Products by the processor's bf16 kernels, or by operands rounded to bf16 and fp32 sums."""

    NATIVE = "native"
    EMULATED = "emulated"


LESSER = {
    "SSE4.1": {"ATEN_CPU_CAPABILITY": "default", "ONEDNN_MAX_CPU_ISA": "SSE41", "MKL_CBWR": "COMPATIBLE"},
    "AVX2": {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2", "MKL_CBWR": "AVX2"},
}
"""Environments of new processes in which torch, oneDNN and MKL compute as on a processor with these instructions.

MKL takes its own way with SSE4.1 on processors of some makers; COMPATIBLE is the one that all have.
"""


def lesser_processors() -> dict[str, dict[str, str]]:
    """The environments of `LESSER` below the instructions that torch uses in this process; none but on x86."""
    known = {"AVX2": 1, "AVX512": 2}.get(torch.backends.cpu.get_cpu_capability(), 0)
    # Without AVX-512 there are no native products in bf16.
    return {name: {**LESSER[name], VARIABLE: Products.EMULATED.value} for name in list(LESSER)[:known]}


@functools.cache
def bf16_products() -> Products:
    """How products in bf16 are computed on this CPU, found by timing both once a process.

    The variable `VARIABLE` overrides the measurement; an invalid value raises `BadValue`. The result is stored there,
    so that the workers of this process use the same products.
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
    """The time of a product in bf16 relative to fp32, each the best of a few alternating tries."""
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
