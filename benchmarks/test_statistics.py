"""A million resamples of two samples of 30 seeds: what bootstrap, permutation and sign flips take on one core.

`pytest benchmarks/test_statistics.py --benchmark-only`; asked for: under three seconds each.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from bench_lib.pytest_plugin import Benchmark
from bench_lib.stats.bootstrap import bca_interval
from bench_lib.stats.flips import sign_flip
from bench_lib.stats.location import paired_permutation
from bench_lib.stats.paired import distance_rank_test

MILLION = 1_000_000
SAMPLES = np.random.default_rng(0).normal(size=(2, 30))


def _mads(scores: np.ndarray) -> np.ndarray:
    """Mean absolute deviations of the rows."""
    return np.asarray(np.abs(scores - scores.mean(axis=-1, keepdims=True)).mean(axis=-1))


WAYS: dict[str, Callable[[np.random.Generator], object]] = {
    "sign flips": lambda draws: sign_flip(SAMPLES[0] - SAMPLES[1], draws, MILLION),
    "spread": lambda draws: distance_rank_test(*SAMPLES, draws, MILLION),
    "paired permutation": lambda draws: paired_permutation(*SAMPLES, draws, MILLION),
    "BCa interval of the MAD": lambda draws: bca_interval(_mads, SAMPLES[0], draws, resamples=MILLION),
}


@pytest.mark.parametrize("way", WAYS)
def test_a_million_resamples(benchmark: Benchmark, way: str) -> None:
    benchmark.pedantic(lambda: WAYS[way](np.random.default_rng(0)), setup=tuple, rounds=3, iterations=1)
