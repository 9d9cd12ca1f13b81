from __future__ import annotations

import time
from types import SimpleNamespace

import pytest
import torch

from bench_lib.instruments import timing
from bench_lib.instruments.timing import Stopwatch, Throughput

CPU = torch.device("cpu")


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time of day as the stopwatch reads it, one reading after another."""
    readings: list[float] = []
    monkeypatch.setattr(timing, "time", SimpleNamespace(perf_counter=lambda: readings.pop(0)))
    return readings


def test_stretches_add_up_and_what_lies_between_does_not_count(clock: list[float]) -> None:
    clock += [10.0, 12.5, 100.0, 101.0]
    watch = Stopwatch(CPU)
    assert watch.seconds == 0
    with watch.running():
        pass
    assert watch.seconds == 2.5
    with watch.running():
        pass
    assert watch.seconds == 3.5


def test_a_stretch_that_raises_counts(clock: list[float]) -> None:
    clock += [1.0, 4.0]
    watch = Stopwatch(CPU)
    with pytest.raises(ValueError, match="inside"), watch.running():
        raise ValueError("inside")
    assert watch.seconds == 3.0


def test_seconds_are_of_the_wall() -> None:
    watch = Stopwatch(CPU)
    with watch.running():
        time.sleep(0.05)
    assert 0.05 <= watch.seconds < 60


def test_throughput_is_what_was_done_over_the_time_it_took() -> None:
    throughput = Throughput()
    throughput.add(2.0, 100, 10)
    throughput.add(3.0, 400, 15)
    assert throughput.tokens_per_second() == 100.0
    assert throughput.examples_per_second() == 5.0


def test_without_a_timed_step_there_is_no_throughput() -> None:
    assert Throughput().tokens_per_second() is None
    assert Throughput().examples_per_second() is None
