"""Every task x technique of the `--bench-...` options: one row a cell, one round a seed, the runs also in the store."""

from __future__ import annotations

from bench_lib.pytest_plugin import BenchCell, Benchmark


def test_stability(benchmark: Benchmark, bench_cell: BenchCell) -> None:
    bench_cell.train(benchmark)
