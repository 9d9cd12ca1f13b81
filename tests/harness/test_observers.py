from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pytest
import torch

from bench_lib.core.record import Predictions
from bench_lib.harness.evaluate import Scored
from bench_lib.harness.formats.features import Batch
from bench_lib.harness.observers import ObserverRun, Progress
from bench_lib.instruments.timing import Stopwatch
from bench_lib.techniques.interface.stack import Stack
from bench_lib.techniques.interface.technique import Technique


@dataclass(frozen=True)
class Best(Technique):
    """Keeps the best evaluation and stops at a score."""

    name = "best"
    paper = "none"
    identity = None
    observer = True

    target: float = 2.0

    def stop(self, history: Sequence[float]) -> bool:
        return history[-1] >= self.target

    def select(self, history: Sequence[float]) -> int:
        return history.index(max(history))

    def selects_on_dev(self) -> bool:
        return False


@dataclass(frozen=True)
class OnDev(Technique):
    """Keeps the best on the dev set."""

    name = "on_dev"
    paper = "none"
    identity = None
    observer = True

    def stop(self, history: Sequence[float]) -> bool:
        return False

    def select(self, history: Sequence[float]) -> int:
        return history.index(max(history))


def timed_on_nothing(size: int) -> Batch:
    raise AssertionError("what is not compressed is not timed")


def after(scores: list[float], *observers: Technique) -> ObserverRun:
    run = ObserverRun(
        Stack(observers), Stopwatch(torch.device("cpu")), Stopwatch(torch.device("cpu")), timed_on_nothing
    )
    for number, value in enumerate(scores, start=1):
        if run.running:
            found = Scored({"f1": value, "em": value / 2}, Predictions(np.array([[value]], np.float32)), dev=1 - value)
            run.add(found, Progress(10 * number, 0, 0, 0, 0, 0.0))
    return run


def test_without_observers_the_last_evaluation_counts() -> None:
    run = after([0.2, 0.9, 0.4])
    assert run.selected is not None
    assert (run.selected.metrics["f1"], run.steps, run.scores) == (0.4, [10, 20, 30], [0.2, 0.9, 0.4])
    assert run.running


def test_an_observer_selects_by_the_dev_set_unless_it_says_otherwise() -> None:
    run = after([0.2, 0.9, 0.4], OnDev())
    assert run.selected is not None
    assert run.selected.metrics["f1"] == 0.2
    assert run.dev_scores == [0.8, pytest.approx(0.1), 0.6]


@pytest.mark.parametrize(
    ("scores", "kept"), [([0.2, 0.9, 0.4], 0.9), ([0.9, 0.1], 0.9), ([0.1, 0.2, 0.3], 0.3), ([0.5, 0.5], 0.5)]
)
def test_an_observer_may_keep_an_earlier_one_with_its_predictions(scores: list[float], kept: float) -> None:
    run = after(scores, Best())
    assert run.selected is not None
    assert run.selected.metrics == {"f1": kept, "em": kept / 2}
    assert run.selected.predictions.values.tolist() == [[pytest.approx(kept)]]


def test_an_observer_may_stop_the_track() -> None:
    run = after([0.2, 0.8, 0.9], Best(0.8))
    assert not run.running
    assert run.scores == [0.2, 0.8]
    assert run.stopped is not None
    assert run.stopped.steps == 20
