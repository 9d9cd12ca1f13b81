from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench_lib.core.errors import BadValue
from bench_lib.stats.dynamics import EXPLOSION, GradientHealth, drift_summary, fluctuation, gradient_health

INF, NAN = math.inf, math.nan
NORM = st.one_of(st.floats(0, 1e30), st.sampled_from([INF, NAN]))


# ---- fluctuation -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("evaluations", "expected"),
    [([0.5, 0.7], 0.2), ([0.5, 0.7, 0.6], 0.15), ([0.5, 0.5, 0.5], 0.0), ([0.9, -0.1], 1.0)],
)
def test_fluctuation_by_hand(evaluations: list[float], expected: float) -> None:
    assert fluctuation(evaluations) == pytest.approx(expected, abs=1e-12)


@given(st.lists(st.floats(-1, 1), min_size=2, max_size=30))
def test_fluctuation_has_no_direction_and_is_no_smaller_than_the_way_made(evaluations: list[float]) -> None:
    found = fluctuation(evaluations)
    assert fluctuation(evaluations[::-1]) == pytest.approx(found, abs=1e-12)
    assert found >= abs(evaluations[-1] - evaluations[0]) / (len(evaluations) - 1) - 1e-12


@pytest.mark.parametrize("evaluations", [[], [0.5]])
def test_fewer_than_two_evaluations_do_not_fluctuate(evaluations: list[float]) -> None:
    assert math.isnan(fluctuation(evaluations))


def test_an_evaluation_without_score_is_refused() -> None:
    with pytest.raises(BadValue, match=r"scores\[1\]"):
        fluctuation([0.5, NAN])


# ---- gradients -------------------------------------------------------------------------------------------------------


def test_gradients_by_hand() -> None:
    # The median of the finite norms 1 1 1 10 10.5 is 1: only 10.5 exceeds ten times as much.
    found = gradient_health(
        [1, INF, 1, 10, 1, 10.5],
        first=[1, 1, 1e-4, 1e-3, NAN, 0],
        last=[1, 1, 1, 1, 1, 1],
        clipped_steps=2,
        skipped_steps=1,
    )
    assert found == GradientHealth(6, 10.5, 2 / 6, 1 / 6, explosions=1, vanishing=2 / 5)


@pytest.mark.parametrize(("factor", "explosions"), [(EXPLOSION, 0), (EXPLOSION * 1.01, 1)])
def test_an_explosion_exceeds_ten_times_the_median(factor: float, explosions: int) -> None:
    assert gradient_health([2, 2, 2, 2 * factor], [], [], None, None).explosions == explosions


def test_of_a_median_of_zero_every_norm_is_an_explosion() -> None:
    assert gradient_health([0, 0, 0, 1e-6], [], [], 0, 0).explosions == 1
    assert gradient_health([0, 0, 0, 0], [], [], 0, 0).explosions == 0


@pytest.mark.parametrize(("fraction", "expected"), [(0.05, 0.0), (0.2, 0.5), (0.6, 1.0)])
def test_the_fraction_that_has_vanished_can_be_chosen(fraction: float, expected: float) -> None:
    assert gradient_health([1, 1], [0.1, 0.5], [1, 1], 0, 0, fraction).vanishing == expected


def test_what_is_not_known_is_nan() -> None:
    found = gradient_health([1, 2], [], [], None, None)
    assert (found.steps, found.largest, found.explosions) == (2, 2, 0)
    assert all(math.isnan(share) for share in (found.clipped, found.skipped, found.vanishing))
    assert math.isnan(gradient_health([1, 2], [1, 1], [], 0, 0).vanishing)


def test_no_steps_have_no_shares() -> None:
    found = gradient_health([], [], [], 0, 0)
    assert (found.steps, found.explosions) == (0, 0)
    assert all(math.isnan(share) for share in (found.largest, found.clipped, found.skipped, found.vanishing))


def test_nothing_but_skipped_steps_are_no_explosion() -> None:
    found = gradient_health([INF, NAN], [INF, NAN], [1, 1], 0, 2)
    assert (found.skipped, found.clipped, found.explosions) == (1, 0, 0)
    assert math.isnan(found.largest)
    assert math.isnan(found.vanishing)


def test_a_frozen_block_has_not_vanished() -> None:
    assert math.isnan(gradient_health([1, 1], [0, 0], [1, 1], 0, 0).vanishing)
    assert math.isnan(gradient_health([1, 1], [1, 1], [0, 0], 0, 0).vanishing)
    assert gradient_health([1, 1], [0, 1], [1, 1], 0, 0).vanishing == 0.5
    assert gradient_health([1, 1], [0, 1], [0, 1], 0, 0).vanishing == 0


@given(st.lists(st.tuples(NORM, NORM, NORM), min_size=1, max_size=30))
def test_no_curve_is_beyond_it(curve: list[tuple[float, float, float]]) -> None:
    norms, first, last = zip(*curve, strict=True)
    finite = [norm for norm in norms if math.isfinite(norm)]
    found = gradient_health(norms, first, last, 0, len(norms) - len(finite))
    assert found.largest == max(finite) if finite else math.isnan(found.largest)
    assert 0 <= found.explosions <= len(finite) / 2
    assert found.skipped == pytest.approx(1 - len(finite) / len(norms), abs=1e-12)
    assert math.isnan(found.vanishing) or 0 <= found.vanishing <= 1


@given(st.lists(st.floats(1e-3, 1e3), min_size=1, max_size=20), st.integers(-9, 9))
def test_the_unit_of_the_norms_does_not_matter(norms: list[float], power: int) -> None:
    scaled = [norm * 2.0**power for norm in norms]
    one, other = (gradient_health(n, n, n[::-1], 0, 0) for n in (norms, scaled))
    assert (one.explosions, one.vanishing) == (other.explosions, other.vanishing)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([-1.0], [], [], 0, 0), r"norms\[0\] is -1"),
        (([1.0, -INF], [], [], 0, 0), r"norms\[1\]"),
        (([1e200], [], [], 0, 0), r"norms\[0\]"),
        (([[1.0]], [], [], 0, 0), "one dimension"),
        ((["a"], [], [], 0, 0), "norms"),
        (([1.0], [1, 1], [], 0, 0), "norms of the first block is 2; allowed: 1,"),
        (([1.0], [1], [1, 1], 0, 0), "norms of the last block is 2"),
        (([1.0], [1], [-2], 0, 0), r"norms of the last block\[0\]"),
        (([1.0], [], [], 2, 0), "clipped steps is 2"),
        (([1.0], [], [], 0, -1), "skipped steps is -1"),
        (([1.0], [], [], 0.5, 0), r"clipped steps is 0\.5"),
        (([1.0], [], [], 0, 0, 0.0), "vanishing fraction"),
        (([1.0], [], [], 0, 0, 1.0), "vanishing fraction"),
    ],
)
def test_gradients_that_cannot_be_are_refused(arguments: tuple[object, ...], message: str) -> None:
    with pytest.raises(BadValue, match=message):
        gradient_health(*arguments)


# ---- drift -----------------------------------------------------------------------------------------------------------


def test_drift_by_hand() -> None:
    found = drift_summary([(0.1, 0.2, 0.6), (0.3, 0.4, 0.8), (), (0.5, NAN, 0.5), (INF, 0.1, 0.1)])
    assert (found.runs, found.dropped) == (2, 3)
    assert found.per_layer == pytest.approx([0.2, 0.3, 0.7], abs=1e-12)
    assert found.overall == pytest.approx(0.4, abs=1e-12)


def test_drift_of_an_array() -> None:
    found = drift_summary(np.array([[0.1, 0.3]]))
    assert (found.runs, found.dropped, found.overall) == (1, 0, pytest.approx(0.2, abs=1e-12))


@pytest.mark.parametrize(
    ("drift", "dropped", "layers"), [([], 0, 0), ([()], 1, 0), ([(), (NAN, 0.1)], 2, 2), (np.zeros((0, 3)), 0, 0)]
)
def test_drift_of_no_run_is_not_known(drift: list[tuple[float, ...]], dropped: int, layers: int) -> None:
    found = drift_summary(drift)
    assert (found.runs, found.dropped, found.per_layer.shape) == (0, dropped, (layers,))
    assert np.isnan(found.per_layer).all()
    assert math.isnan(found.overall)


@pytest.mark.parametrize(
    ("drift", "message"),
    [
        ([(0.1, 0.2), (0.1,)], "numbers of layers"),
        ([(0.1, -0.2)], r"drift of layer 1 is -0\.2"),
        ([(1e200,)], "drift of layer 0"),
        ([0.1, 0.2], "one dimension"),
        ([("a",)], "drift of a run"),
    ],
)
def test_drift_that_cannot_be_is_refused(drift: list[tuple[float, ...]], message: str) -> None:
    with pytest.raises(BadValue, match=message):
        drift_summary(drift)
