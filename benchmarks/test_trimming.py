"""What a trimmed vocabulary saves: a run with it against the same run without, in time and in memory.

`pytest benchmarks/test_trimming.py --benchmark-only --bench-overhead [--bench-profile desk --bench-data DIR]`. Each run
is a process of its own, since memory that one has freed counts for the next; seconds are of its processor and not of
the clock, the two ways take turns, and the ratios are of their medians.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from pathlib import Path

import pytest

from bench_lib.pytest_plugin import Benchmark

ROUNDS = 3
ONE = Path(__file__).with_name("trimming.py")
KINDS = ("whole", "trimmed")


def test_a_trimmed_vocabulary(
    benchmark: Benchmark, request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]
) -> None:
    if not request.config.getoption("--bench-overhead"):
        pytest.skip("takes minutes of the processor: ask for it with --bench-overhead")
    profile, data = (str(request.config.getoption(f"--bench-{name}")) for name in ("profile", "data"))
    found: dict[str, list[dict[str, float]]] = {kind: [] for kind in KINDS}

    def once() -> None:
        for kind in KINDS:
            found[kind].append(_measured(kind, profile, data))

    benchmark.pedantic(once, setup=tuple, rounds=ROUNDS, iterations=1)
    medians = {
        kind: {name: statistics.median(each[name] for each in rounds) for name in rounds[0]}
        for kind, rounds in found.items()
    }
    ratios = {name: medians["trimmed"][name] / medians["whole"][name] for name in medians["whole"]}
    benchmark.extra_info.update(found=found, ratios=ratios)
    told = ", ".join(f"{name} {ratio:.2f}" for name, ratio in ratios.items())
    with capsys.disabled():
        print(f"\nsst2, {profile}, minilm: trimmed / whole {told}")


def _measured(kind: str, profile: str, data: str) -> dict[str, float]:
    done = subprocess.run([sys.executable, str(ONE), kind, profile, data], check=True, capture_output=True, text=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found
