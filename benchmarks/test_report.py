"""Time and memory of `stabbench report` on generated stores.

`pytest benchmarks/test_report.py --benchmark-only --bench-overhead` also takes 100,000 runs and a million; without the
option a thousand, which only shows that it works. Memory is the peak of the reporting process and its workers.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from generated import write_store

from bench_lib.pytest_plugin import Benchmark

LIMITS = {
    (1_000, 30): (60, 2.0),
    (10_500, 30): (60, 2.0),
    (100_000, 286): (60, 2.0),
    (100_000, 30): (60, 2.0),
    (1_000_000, 286): (120, 16.0),
    (1_000_000, 30): (600, 16.0),
}
"""Seconds to stay below on two cores, recorded and not asserted, and GiB at most, by numbers of runs and of seeds.

Of 50 techniques on 7 tasks, 10,500 runs are 30 seeds of one group, and 100,000 runs are 286 seeds of one group or 30
seeds of nine groups, which have nine times the tables and figures; a million are ten groups or 95.
"""

PAGE = 3 * 10**6
"""Bytes of the page at most, at 10,500 runs."""

MEASURED = """
import resource, sys
from bench_lib.cli import main
if __name__ == "__main__":
    code = main(sys.argv[1:])
    parts = [resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    print("peak", parts[0], parts[1])
    sys.exit(code)
"""


@pytest.mark.parametrize("size", LIMITS, ids=lambda size: f"{size[0]} runs of {size[1]} seeds")
def test_a_report_of_so_many_runs(
    benchmark: Benchmark, size: tuple[int, int], tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    runs, seeds = size
    if runs > 1_000 and not request.config.getoption("--bench-overhead"):
        pytest.skip("takes minutes, and for a million runs gigabytes: ask for it with --bench-overhead")
    store, out = write_store(tmp_path / "store", runs, seeds), tmp_path / "reports"
    script = tmp_path / "measured.py"
    script.write_text(MEASURED)
    command = [sys.executable, str(script), "report", "--store", str(store), "--out", str(out), "--workers", "2"]
    said: list[str] = []

    def report() -> None:
        said.append(subprocess.run(command, check=True, capture_output=True, text=True).stdout)

    benchmark.pedantic(report, setup=tuple, rounds=1, iterations=1)
    own, worker = (int(part) / 2**20 for part in said[-1].split()[-2:])
    page = (out / "index.html").stat().st_size
    benchmark.extra_info.update(runs=runs, seeds=seeds, gib=round(own + 2 * worker, 2), page_bytes=page)
    seconds, memory = LIMITS[size]
    benchmark.extra_info.update(asked_seconds=seconds)
    assert own + 2 * worker < memory
    assert runs != 10_500 or page < PAGE
