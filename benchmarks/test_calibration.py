"""The comparison's false alarms and power, measured: a row of the calibration at a time.

`pytest benchmarks/test_calibration.py --benchmark-only --bench-overhead`, a quarter of an hour on two cores; without
the option a hundredth of the repetitions, which only shows that it runs. `stabbench check --calibrate` prints the same.
"""

from __future__ import annotations

import pytest

from bench_lib.pytest_plugin import Benchmark
from bench_lib.stats.calibration import SCENARIOS, Calibration, calibrate
from bench_lib.stats.design import staged

REPETITIONS, BRIEF = 2000, 20
FALSE_ALARMS, POWER, SEEDS = 0.06, 0.8, 22.5
"""At most, of baselines against themselves; at least, for an SD ratio of 2; on average then: a quarter below 30."""

NAMES = [scenario.name for scenario in SCENARIOS]
ASKED = {(1, 2.0): NAMES, (1, 1.0): NAMES, (4, 1.0): NAMES}


@pytest.mark.parametrize(("tasks", "ratio", "name"), [(*case, name) for case, names in ASKED.items() for name in names])
def test_the_comparison_itself(
    benchmark: Benchmark, tasks: int, ratio: float, name: str, request: pytest.FixtureRequest
) -> None:
    whole = bool(request.config.getoption("--bench-overhead"))
    scenario = SCENARIOS[NAMES.index(name)]
    found: list[Calibration] = []

    def measure() -> None:
        design = staged((30,), tasks)
        found.append(calibrate(scenario, design, ratio, REPETITIONS if whole else BRIEF))

    benchmark.pedantic(measure, setup=tuple, rounds=1, iterations=1)
    row = found[-1]
    benchmark.extra_info.update(claims=row.claims, found=row.found, seeds=row.seeds, repetitions=row.repetitions)
    if whole and ratio == 1:
        assert row.claims <= FALSE_ALARMS, row
    if whole and ratio == 2 and name.startswith("normal"):
        assert row.found >= POWER, row
        assert row.seeds <= SEEDS, row
