from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import permutation_test

from bench_lib.core.errors import BadValue
from bench_lib.stats.claims import claims
from bench_lib.stats.unpaired import UnpairedSamples, permutation_tests, unpaired_evidence
from bench_lib.stats.verdict import Location, Stability

SCORES = st.lists(st.integers(0, 50).map(lambda n: n / 50), min_size=3, max_size=12)


def p_values(a: object, b: object, seed: int = 0, resamples: int = 499) -> tuple[float, float]:
    return permutation_tests(np.asarray(a, float), np.asarray(b, float), np.random.default_rng(seed), resamples)


def test_the_location_is_tested_as_by_scipy() -> None:
    draws = np.random.default_rng(1)
    a, b = draws.normal(0.8, 1, 14), draws.normal(0, 2, 25)

    def welch(x: np.ndarray, y: np.ndarray, axis: int = -1) -> np.ndarray:
        errors = x.var(axis=axis, ddof=1) / x.shape[axis] + y.var(axis=axis, ddof=1) / y.shape[axis]
        return (x.mean(axis=axis) - y.mean(axis=axis)) / np.sqrt(errors)

    rng = np.random.default_rng(2)
    sizes = permutation_test(
        (a, b), lambda *xy, axis: np.abs(welch(*xy, axis)), alternative="greater", rng=rng, vectorized=True
    )
    assert p_values(a, b, resamples=9999)[1] == pytest.approx(sizes.pvalue, abs=0.01)


def test_what_differs_is_found() -> None:
    draws = np.random.default_rng(3)
    base = draws.normal(size=30)
    wide = p_values(4 * draws.normal(size=24), base)
    assert wide[0] == 1 / 500
    assert wide[1] > 0.05
    higher = p_values(draws.normal(size=24) + 3, base)
    assert higher[0] > 0.05
    assert higher[1] == 1 / 500


def test_equal_scores_say_nothing() -> None:
    assert p_values([0.5] * 5, [0.5] * 8) == (1.0, 1.0)
    assert p_values([0.5] * 12, [0.7] * 12)[1] == pytest.approx(1 / 500, abs=0.01)
    assert all(map(math.isnan, p_values([0.1, 0.2], [0.1, 0.2, 0.3])))


def test_few_resamples_are_refused() -> None:
    with pytest.raises(BadValue, match="resamples"):
        p_values([1, 2, 3], [1, 2, 3], resamples=10)


@settings(max_examples=40, deadline=None)
@given(SCORES, SCORES)
def test_p_values_are_shares_and_do_not_depend_on_unit_and_origin(a: list[float], b: list[float]) -> None:
    found = p_values(a, b, resamples=199)
    assert all(1 / 200 <= p <= 1 for p in found)
    moved = p_values(np.multiply(a, 100) + 7, np.multiply(b, 100) + 7, resamples=199)
    assert moved == pytest.approx(found, abs=0.011)


def test_the_same_generator_gives_the_same_bits() -> None:
    draws = np.random.default_rng(4).normal(size=(2, 15))
    assert p_values(*draws, seed=7) == p_values(*draws, seed=7)


def test_samples_of_different_sizes_are_judged() -> None:
    draws = np.random.default_rng(5)
    steady, wild = draws.normal(size=40), 5 * draws.normal(size=20)
    wild[:12] = math.nan
    evidence = unpaired_evidence(UnpairedSamples(steady, wild), np.random.default_rng(0), 999)
    (verdict,) = claims([evidence])
    assert verdict.sizes == (40, 20)
    assert verdict.failures == (0, 12)
    assert (verdict.stability, verdict.decided_by) == (Stability.MORE, "failures")
    mirrored = unpaired_evidence(UnpairedSamples(wild, steady), np.random.default_rng(0), 999)
    assert claims([mirrored])[0].stability is Stability.LESS


def test_as_many_failures_of_fewer_runs_are_more() -> None:
    ours, theirs = np.zeros(200), np.zeros(20)
    ours[:12], theirs[:12] = math.nan, math.nan
    (verdict,) = claims([unpaired_evidence(UnpairedSamples(ours, theirs), np.random.default_rng(0), 99)])
    assert (verdict.stability, verdict.decided_by) == (Stability.MORE, "failures")


def test_equivalence_takes_both_numbers_of_runs() -> None:
    draws = np.random.default_rng(6)
    samples = UnpairedSamples(draws.normal(size=150), draws.normal(size=140))
    (verdict,) = claims([unpaired_evidence(samples, np.random.default_rng(0), 999)])
    assert (verdict.stability, verdict.location) == (Stability.EQUIVALENT, Location.SAME)


DRAWS = {
    "normal": lambda rng, n: rng.normal(size=n),
    "heavy tails": lambda rng, n: rng.standard_t(3, n),
    "skewed": lambda rng, n: -rng.exponential(size=n),
    "on a lattice": lambda rng, n: np.round(3 * rng.normal(size=n)),
}


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", DRAWS)
@pytest.mark.parametrize("sizes", [(10, 10), (20, 20), (12, 40), (40, 12)])
def test_false_alarms_are_as_rare_as_the_level_says(name: str, sizes: tuple[int, int]) -> None:
    rng, draw = np.random.default_rng(8), DRAWS[name]
    for shift in (0.0, 2.0):
        found = [permutation_tests(draw(rng, sizes[0]) + shift, draw(rng, sizes[1]), rng, 199) for _ in range(500)]
        rates = np.mean(np.array(found) <= 0.05, axis=0)
        assert rates[0] < 0.085  # 0.05 and three and a half standard errors
        assert shift or rates[1] < 0.085
