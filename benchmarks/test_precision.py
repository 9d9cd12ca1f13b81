"""What bf16 costs on this processor: short runs in it against the same runs in fp32, ratios within one run.

`pytest benchmarks/test_precision.py --benchmark-only --bench-overhead`; two minutes on one core. Seconds are of the
processor and not of the clock, the two precisions take turns, and a ratio is of their medians.
"""

from __future__ import annotations

import dataclasses
import statistics
import time

import pytest

from bench_lib.core.spec import RunSpec, Scalar
from bench_lib.instruments.kernels import bf16_products
from bench_lib.pytest_plugin import Benchmark
from bench_lib.runner.execute import execute
from bench_lib.runner.grid import Grid, plan

ROUNDS = 3
FEW: dict[str, Scalar] = {"train_examples": 64, "eval_examples": 32, "epochs": 1, "evaluations": 1}
WORK: dict[str, tuple[str, str, dict[str, Scalar]]] = {
    "training of texts": ("sst2", "adamw", {}),
    "training of words": ("conll2003", "adamw", {}),
    "training of spans": ("squad", "adamw", {}),
    "evaluation": ("sst2", "adamw", {"train_examples": 0, "eval_examples": 200}),
    "pass before the training": ("sst2", "child_tuning_d", {}),
    "attack": ("sst2", "adamw", {"train_examples": 0, "eval_examples": 100, "attack": 1.0}),
    "compression": ("sst2", "quantize_dynamic_int8", {}),
}
"""What is measured: a task, a technique, and settings of the profile."""


@pytest.mark.parametrize("what", WORK)
def test_bf16_against_fp32(
    benchmark: Benchmark, what: str, request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]
) -> None:
    if not request.config.getoption("--bench-overhead"):
        pytest.skip("takes minutes of the processor: ask for it with --bench-overhead")
    task, technique, settings = WORK[what]
    (spec,) = plan(Grid((task,), (technique,), (0,)))
    runs = {
        precision: dataclasses.replace(
            spec, profile=dataclasses.replace(spec.profile, **{**FEW, **settings, "precision": precision})
        )
        for precision in ("fp32", "bf16")
    }
    seconds: dict[str, list[float]] = {precision: [] for precision in runs}
    for run in runs.values():
        _seconds(run)  # tokenises, loads and chooses kernels for nothing

    def once() -> None:
        for precision, run in runs.items():
            seconds[precision].append(_seconds(run))

    benchmark.pedantic(once, setup=tuple, rounds=ROUNDS, iterations=1)
    fp32, bf16 = (statistics.median(times) for times in seconds.values())
    benchmark.extra_info.update(seconds, ratio=bf16 / fp32, products=bf16_products().value)
    with capsys.disabled():
        print(f"\n{what}: bf16 ({bf16_products()}) / fp32 {bf16 / fp32:.2f} (at most 1.2); {fp32:.1f} s in fp32")


def _seconds(spec: RunSpec) -> float:
    start = time.process_time()
    (record,) = execute([spec])
    assert record.status in ("converged", "collapsed"), record.reason
    return time.process_time() - start
