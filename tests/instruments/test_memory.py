from __future__ import annotations

import gc
import os
import weakref

import pytest
import torch

from bench_lib.instruments import memory
from bench_lib.instruments.memory import CLEAR_REFS, PeakMemory

CPU = torch.device("cpu")
MB = 10**6

resettable = pytest.mark.skipif(not os.access(CLEAR_REFS, os.W_OK), reason="the high-water mark cannot be reset here")


def touch(megabytes: int) -> int:
    """Hold so much memory for a moment."""
    block = torch.ones(megabytes * MB // 4)
    return int(block[-1])


def test_what_was_freed_again_is_seen() -> None:
    peak = PeakMemory(CPU)
    before = peak.peak()
    touch(200)
    assert 190 * MB < peak.peak() - before < 260 * MB


@resettable
def test_what_came_before_is_not() -> None:
    touch(300)
    earlier = PeakMemory(CPU)
    touch(300)
    high = earlier.peak()
    assert high - PeakMemory(CPU).peak() > 250 * MB


def test_a_peak_is_bytes_of_the_whole_process() -> None:
    peak = PeakMemory(CPU).peak()
    assert 50 * MB < peak < 10**11


def test_without_proc_the_peak_of_the_process_stands_in(monkeypatch: pytest.MonkeyPatch) -> None:
    exact = PeakMemory(CPU).peak()
    for name in ("CLEAR_REFS", "STATUS"):
        monkeypatch.setattr(memory, name, memory.Path("/nonexistent/file"))
    assert PeakMemory(CPU).peak() >= 0.9 * exact


class Ring:
    """Refers to itself: freed by the collector alone."""

    def __init__(self) -> None:
        self.itself = self


def test_what_a_run_leaves_is_collected_though_what_was_loaded_is_set_aside() -> None:
    PeakMemory(CPU)
    assert gc.get_freeze_count() > 0
    ring = Ring()
    PeakMemory(CPU)
    left = weakref.ref(ring)
    del ring
    PeakMemory(CPU)
    assert left() is None
