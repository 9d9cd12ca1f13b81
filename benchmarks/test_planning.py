"""Time and memory of planning a sweep, and of `stabbench status` of its plan.

`pytest benchmarks/test_planning.py --benchmark-only --bench-overhead` takes a million runs; without the option ten
thousand, which only shows that it works. Memory is the peak of the process.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from generated import write_runs

from bench_lib.plans.plan_file import read_plan
from bench_lib.pytest_plugin import Benchmark
from bench_lib.store import Store

SMALL = 10_000
SIZES = (SMALL, 1_000_000)
STORED = ((SMALL, 1_000), (1_000_000, 10_000), (1_000_000, 1_000_000))
MEMORY = 2.0
"""GiB that planning and status stay below."""
STORED_MEMORY = 4.0
"""The same where a million runs are stored."""
SECONDS = {"planning": 60, "status": 5}
"""Seconds to stay below, recorded and not asserted."""

PLAN = """
title = "So many runs"
model = "tiny"
data = "embedded"

[[sweep]]
name = "all"
tasks = ["sst2", "imdb", "conll2003", "squad"]
techniques = [
    "adamw", "ema", "early_stopping", "swa", "mixout", "mixout:p=0.5", "llrd", "reinit", "llrd+reinit", "r_drop",
    "r_drop:alpha=2.0", "sam", "lora", "l2_sp", "low_lr", "longer", "warmup", "freelb", "child_tuning_d", "scl",
]
profiles = ["smoke", "smoke-stress", "quick", "quick-stress"]
seeds = "0-{last}"
"""
CELLS = 320

MEASURED = """
import resource, sys
from bench_lib.cli import main

class Stopped(Exception):
    pass

def stop(self, function, jobs):
    raise Stopped(next(iter(jobs)))

if __name__ == "__main__":
    from bench_lib.executors import InlineExecutor
    InlineExecutor.run = stop
    try:
        code = main(sys.argv[1:])
    except Stopped as first:
        code, _ = 0, print("first training:", first)
    used = resource.getrusage(resource.RUSAGE_SELF)
    print("used", used.ru_utime + used.ru_stime, used.ru_maxrss)
    sys.exit(code)
"""
"""`stabbench` in a process that ends where the first training would begin, and says its seconds and memory."""


def measured(benchmark: Benchmark, folder: Path, *command: str) -> tuple[float, str]:
    """The peak GiB of a command, and what it wrote."""
    script = folder / "measured.py"
    script.write_text(MEASURED)
    said: list[str] = []

    def run() -> None:
        asked = [sys.executable, str(script), *command]
        said.append(subprocess.run(asked, check=True, capture_output=True, text=True).stdout)

    benchmark.pedantic(run, setup=tuple, rounds=1, iterations=1)
    seconds, peak = map(float, said[-1].split()[-2:])
    gib = peak / 2**20
    benchmark.extra_info.update(
        cpu_seconds=round(seconds, 1),
        gib=round(gib, 2),
        asked_seconds=SECONDS["status" if command[0] == "status" else "planning"],
    )
    return gib, said[-1]


def plan_of(folder: Path, runs: int, request: pytest.FixtureRequest) -> Path:
    if runs > SMALL and not request.config.getoption("--bench-overhead"):
        pytest.skip("takes up to a minute and 2.4 GiB: ask for it with --bench-overhead")
    path = folder / "plan.toml"
    path.write_text(PLAN.format(last=-(-runs // CELLS) - 1))
    return path


@pytest.mark.parametrize("runs", SIZES, ids=lambda runs: f"{runs} runs")
def test_a_sweep_of_so_many_runs_is_planned(
    benchmark: Benchmark, runs: int, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    path = plan_of(tmp_path, runs, request)
    gib, said = measured(benchmark, tmp_path, "run", str(path), "--store", str(tmp_path / "store"))
    benchmark.extra_info.update(runs=runs)
    assert "first training:" in said
    assert gib < MEMORY


@pytest.mark.parametrize("size", STORED, ids=lambda size: f"{size[0]} runs, {size[1]} stored")
def test_the_status_of_a_plan_of_so_many_runs(
    benchmark: Benchmark, size: tuple[int, int], tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    runs, stored = size
    path = plan_of(tmp_path, runs, request)
    (cells,) = read_plan(path).cells(Store(tmp_path / "store")).values()
    store = write_runs(tmp_path / "store", cells, stored)
    gib, said = measured(benchmark, tmp_path, "status", str(path), "--store", str(store))
    benchmark.extra_info.update(runs=runs, stored=stored)
    assert f"{stored:,}" in said
    assert gib < (MEMORY if stored < runs else STORED_MEMORY)
