"""The harness against a bare loop and transformers' Trainer: the same work side by side, ratios within one run.

`pytest benchmarks/test_overhead.py --benchmark-only --bench-overhead [--bench-data DIR]`; a quarter of an hour on two
cores. Each way runs in processes of its own, the ways take turns, and the fastest time of each counts, since what else
a machine does only adds. A sweep is the harness in as many processes of one thread as there are cores.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import overhead
import pytest

from bench_lib.executors.local import LocalExecutor
from bench_lib.pytest_plugin import Benchmark
from bench_lib.runner.execute import execute

SINGLE = ("bare", "harness", "trimmed", "trainer-fp32", "trainer-bf16")
TURNS = 2
RUNS_PER_WORKER = 3
HOUR = 3600.0
Figures = dict[str, Any]


@pytest.fixture(scope="module")
def figures(request: pytest.FixtureRequest) -> dict[str, Figures]:
    """What each way took, filled by the tests in order."""
    if not request.config.getoption("--bench-overhead"):
        pytest.skip("takes minutes of an otherwise idle machine: ask for it with --bench-overhead")
    return {}


@pytest.mark.parametrize("mode", SINGLE)
@pytest.mark.parametrize("turn", range(TURNS))
def test_one_run(
    benchmark: Benchmark, turn: int, mode: str, figures: dict[str, Figures], request: pytest.FixtureRequest
) -> None:
    command = [sys.executable, str(Path(overhead.__file__)), mode, str(request.config.getoption("--bench-data"))]

    own: Figures = {}

    def measure() -> None:
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        own.update(json.loads(done.stdout.splitlines()[-1]))

    benchmark.pedantic(measure, setup=tuple, rounds=1, iterations=1)
    figures[mode] = min(figures.get(mode, own), own, key=lambda one: one["seconds"])
    benchmark.extra_info.update(own, turn=turn)


def test_sweep(benchmark: Benchmark, figures: dict[str, Figures], request: pytest.FixtureRequest) -> None:
    data, workers = str(request.config.getoption("--bench-data")), os.cpu_count() or 1
    jobs = [(overhead.spec_of(data, seed),) for seed in range(workers * (RUNS_PER_WORKER + 1))]
    ends: list[float] = []
    peaks: list[int] = []

    def measure() -> None:
        for done in LocalExecutor(workers).run(execute, jobs):
            assert done.result is not None, done.failure
            ends.append(time.perf_counter())
            peaks.append(int(done.result[0].timing.peak_memory_bytes or 0))

    benchmark.pedantic(measure, setup=tuple, rounds=1, iterations=1)
    # From the end of each worker's first run on: a sweep pays once for starting its processes.
    seconds = (ends[-1] - ends[workers - 1]) / (len(ends) - workers)
    figures["sweep"] = {"seconds": seconds, "peak_memory_bytes": max(peaks)}
    benchmark.extra_info.update(figures["sweep"])


def test_ratios(benchmark: Benchmark, figures: dict[str, Figures], capsys: pytest.CaptureFixture[str]) -> None:
    assert set(figures) == {*SINGLE, "sweep"}, "run the whole file: the ratios need every way of it"
    ratios = {
        "harness / bare, time (at most 1.05)": figures["harness"]["seconds"] / figures["bare"]["seconds"],
        "harness, trimmed vocabulary / bare, time": figures["trimmed"]["seconds"] / figures["bare"]["seconds"],
        "sweep / Trainer fp32, runs an hour (at least 3)": _faster(figures, "trainer-fp32"),
        "sweep / Trainer bf16, runs an hour (at least 2)": _faster(figures, "trainer-bf16"),
        "worker / Trainer fp32, peak memory (at most 1)": figures["sweep"]["peak_memory_bytes"]
        / figures["trainer-fp32"]["peak_memory_bytes"],
        "trimmed / Trainer fp32, peak memory": figures["trimmed"]["peak_memory_bytes"]
        / figures["trainer-fp32"]["peak_memory_bytes"],
    }
    benchmark.pedantic(lambda: ratios, setup=tuple, rounds=1, iterations=1)
    benchmark.extra_info.update(ratios)
    with capsys.disabled():
        print(f"\n{'':>14} {'s a run':>9} {'runs/h':>8} {'MiB':>7}")
        for name, row in figures.items():
            mebibytes = row["peak_memory_bytes"] / 2**20
            print(f"{name:>14} {row['seconds']:>9.1f} {HOUR / row['seconds']:>8.0f} {mebibytes:>7.0f}")
        print(*(f"{value:>9.2f}  {name}" for name, value in ratios.items()), sep="\n")


def _faster(figures: dict[str, Figures], other: str) -> float:
    return float(figures[other]["seconds"] / figures["sweep"]["seconds"])
