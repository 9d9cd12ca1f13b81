"""What observers cost: one training with five that ride on it against the training alone.

`pytest benchmarks/test_observers.py --benchmark-only --bench-overhead [--bench-profile desk --bench-data DIR]`. Seconds
are of the processor and not of the clock, the two ways take turns, and the ratio is of their medians.
"""

from __future__ import annotations

import dataclasses
import statistics
import time

import pytest

from bench_lib.core.spec import RunSpec
from bench_lib.pytest_plugin import Benchmark
from bench_lib.runner.execute import execute
from bench_lib.runner.grid import Grid, plan

OBSERVERS = ("early_stopping", "best_checkpoint", "ema", "swa", "lawa")
ROUNDS = 3


@pytest.mark.parametrize("task", ["sst2", "conll2003", "squad"])
def test_five_observers(
    benchmark: Benchmark, task: str, request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]
) -> None:
    if not request.config.getoption("--bench-overhead"):
        pytest.skip("takes minutes of the processor: ask for it with --bench-overhead")
    profile, data = (str(request.config.getoption(f"--bench-{name}")) for name in ("profile", "data"))
    specs = plan(Grid((task,), ("adamw", *OBSERVERS), (0,), profile, data=data))
    alone: list[float] = []
    watched: list[float] = []

    def once() -> None:
        alone.append(_seconds(specs[:1]))
        watched.append(_seconds(specs))

    _seconds([dataclasses.replace(specs[0], profile=dataclasses.replace(specs[0].profile, epochs=1))])
    benchmark.pedantic(once, setup=tuple, rounds=ROUNDS, iterations=1)
    ratio = statistics.median(watched) / statistics.median(alone)
    benchmark.extra_info.update(alone=alone, watched=watched, ratio=ratio)
    with capsys.disabled():
        print(f"\n{task}, {profile}: base and five observers / base alone {ratio:.2f} (at most 1.15)")


def _seconds(specs: list[RunSpec]) -> float:
    start = time.process_time()
    execute(specs)
    return time.process_time() - start
