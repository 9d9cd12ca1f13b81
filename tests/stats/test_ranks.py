from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scikit_posthocs import posthoc_nemenyi_friedman
from scipy.stats import f, friedmanchisquare, rankdata, spearmanr, studentized_range

from bench_lib.core.errors import BadValue
from bench_lib.stats.ranks import Friedman, average_ranks, cliques, critical_difference, friedman, kendall_w

SHAPES = st.tuples(st.integers(2, 12), st.integers(3, 8))
UNTIED = SHAPES.flatmap(lambda shape: arrays(np.float64, shape, elements=st.floats(-1, 1)))
LATTICE = SHAPES.flatmap(lambda shape: arrays(np.int64, shape, elements=st.integers(0, 3)))
TABLES = st.one_of(UNTIED, LATTICE)

# AUC of C4.5 and its three variants on 14 data sets: Demsar 2006, table 6. On the last but one he prints .975 twice but
# ranks the first of them before the second: .9751 here.
DEMSAR = np.array(
    [
        [0.763, 0.768, 0.771, 0.798],
        [0.599, 0.591, 0.590, 0.569],
        [0.954, 0.971, 0.968, 0.967],
        [0.628, 0.661, 0.654, 0.657],
        [0.882, 0.888, 0.886, 0.898],
        [0.936, 0.931, 0.916, 0.931],
        [0.661, 0.668, 0.609, 0.685],
        [0.583, 0.583, 0.563, 0.625],
        [0.775, 0.838, 0.866, 0.875],
        [1.000, 1.000, 1.000, 1.000],
        [0.940, 0.962, 0.965, 0.962],
        [0.619, 0.666, 0.614, 0.669],
        [0.972, 0.981, 0.9751, 0.975],
        [0.957, 0.978, 0.946, 0.970],
    ]
)


def random_scores(tasks: int, techniques: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(tasks, techniques)) + np.linspace(0, 1, techniques)


def test_ranks_by_hand() -> None:
    scores = [[0.9, 0.8, 0.7], [0.5, 0.5, 0.6], [0.1, 0.1, 0.1]]
    assert average_ranks(scores) == pytest.approx([(1 + 2.5 + 2) / 3, (2 + 2.5 + 2) / 3, (3 + 1 + 2) / 3], abs=1e-12)


@given(UNTIED)
def test_ranks_are_those_of_scipy(scores: np.ndarray) -> None:
    scores = np.round(scores, 6)
    expected = rankdata(scores, axis=1)
    assert average_ranks(scores, higher_is_better=False) == pytest.approx(expected.mean(axis=0), abs=1e-9)
    assert average_ranks(scores) == pytest.approx(rankdata(-scores, axis=1).mean(axis=0), abs=1e-9)


@given(TABLES)
def test_ranks_add_up(scores: np.ndarray) -> None:
    k = scores.shape[1]
    assert average_ranks(scores).sum() == pytest.approx(k * (k + 1) / 2, abs=1e-9)


def test_rounding_is_a_tie_in_the_unit_of_its_own_task() -> None:
    assert average_ranks([[0.1 + 0.2, 0.3]]).tolist() == [1.5, 1.5]
    # The second task's scores are no smaller than rounding would make them, seen beside the first's.
    assert average_ranks([[1e20, 0], [1e-3, 2e-3]]).tolist() == [1.5, 1.5]
    assert average_ranks([[1e20, 0], [2e-3, 1e-3]]).tolist() == [1, 2]


def test_no_task_ranks_nothing() -> None:
    assert np.isnan(average_ranks(np.zeros((0, 3)))).all()
    assert average_ranks(np.zeros((0, 3))).shape == (3,)
    assert average_ranks(np.zeros((2, 0))).shape == (0,)


def test_demsars_worked_example() -> None:
    # Section 3.2.2: chi-square 9.28 without the correction for ties, which are three pairs and a four of them.
    assert average_ranks(DEMSAR) == pytest.approx([3.143, 2.000, 2.893, 1.964], abs=5e-4)
    assert friedman(DEMSAR).statistic == pytest.approx(9.28 / (1 - (3 * 6 + 60) / (14 * 60)), abs=0.01)
    assert critical_difference(4, 14) == pytest.approx(1.25, abs=0.005)
    assert critical_difference(4, 14, 0.1) == pytest.approx(1.12, abs=0.005)


@pytest.mark.parametrize(("techniques", "q05", "q10"), [(2, 1.960, 1.645), (5, 2.728, 2.459), (10, 3.164, 2.920)])
def test_the_quantiles_are_demsars(techniques: int, q05: float, q10: float) -> None:
    error = math.sqrt(techniques * (techniques + 1) / (6 * 7))
    assert critical_difference(techniques, 7) == pytest.approx(q05 * error, abs=5e-4 * error)
    assert critical_difference(techniques, 7, 0.1) == pytest.approx(q10 * error, abs=1.1e-3 * error)


@given(TABLES)
def test_friedman_is_that_of_scipy(scores: np.ndarray) -> None:
    scores = np.round(scores, 6)
    if (np.ptp(scores, axis=1) > 0).any():
        expected = friedmanchisquare(*scores.T)
        found = friedman(scores)
        assert found.statistic == pytest.approx(expected.statistic, rel=1e-9, abs=1e-9)
        assert found.p == pytest.approx(expected.pvalue, abs=1e-9)


@given(TABLES)
def test_the_f_form_is_iman_and_davenports(scores: np.ndarray) -> None:
    found, (n, k) = friedman(scores), scores.shape
    if 0 < found.statistic < n * (k - 1) * (1 - 1e-9):
        expected = (n - 1) * found.statistic / (n * (k - 1) - found.statistic)
        assert found.f_statistic == pytest.approx(expected, rel=1e-9)
        limit = f.sf(expected, k - 1, (k - 1) * (n - 1))
        assert found.f_p == pytest.approx(max(limit, math.factorial(k) ** (1 - n)), abs=1e-9)


def test_the_f_form_is_the_analysis_of_variance_of_the_ranks() -> None:
    ranks = rankdata(DEMSAR, axis=1)
    n, k = ranks.shape
    columns = n * ((ranks.mean(axis=0) - (k + 1) / 2) ** 2).sum()
    rest = ((ranks - (k + 1) / 2) ** 2).sum() - columns
    expected = (columns / (k - 1)) / (rest / ((k - 1) * (n - 1)))
    assert friedman(DEMSAR).f_statistic == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(("tasks", "techniques"), [(2, 3), (5, 4), (30, 8)])
def test_tasks_that_all_agree_have_no_p_below_their_chance(tasks: int, techniques: int) -> None:
    found = friedman(np.tile(np.arange(techniques), (tasks, 1)))
    assert found.statistic == pytest.approx(tasks * (techniques - 1), abs=1e-9)
    assert found.f_statistic == math.inf
    assert found.f_p == pytest.approx(math.factorial(techniques) ** (1.0 - tasks), rel=1e-9)


def test_two_techniques_are_the_sign_test() -> None:
    scores = [[1, 0], [2, 1], [3, 5], [4, 1], [5, 2], [0, 0]]
    # 4 against 1, and a tie.
    found = friedman(scores)
    assert found.statistic == pytest.approx((4 - 1) ** 2 / 5, abs=1e-12)
    assert found.p == pytest.approx(math.erfc(math.sqrt(9 / 5 / 2)), abs=1e-9)


@pytest.mark.parametrize("shape", [(0, 0), (0, 4), (1, 4), (4, 1), (4, 0), (1, 1)])
def test_fewer_than_two_tasks_or_techniques_are_not_tested(shape: tuple[int, int]) -> None:
    found = friedman(random_scores(*shape))
    assert all(math.isnan(x) for x in (found.statistic, found.p, found.f_statistic, found.f_p))


@pytest.mark.parametrize("value", [0.0, 0.7, -1e100])
@pytest.mark.parametrize("shape", [(2, 2), (2, 3), (9, 5)])
def test_nothing_but_ties_speak_for_no_difference(value: float, shape: tuple[int, int]) -> None:
    assert friedman(np.full(shape, value)) == Friedman(0.0, 1.0, 0.0, 1.0)


@pytest.mark.parametrize("alpha", [0.1, 0.05, 0.001])
@pytest.mark.parametrize(("techniques", "tasks"), [(2, 1), (3, 6), (25, 40)])
def test_the_critical_difference_has_a_p_of_alpha(alpha: float, techniques: int, tasks: int) -> None:
    distance = critical_difference(techniques, tasks, alpha)
    error = math.sqrt(techniques * (techniques + 1) / (12 * tasks))
    assert studentized_range.sf(distance / error, techniques, np.inf) == pytest.approx(alpha, abs=1e-9)


@pytest.mark.parametrize(
    ("ranks", "difference", "expected"),
    [
        ([], 1.0, []),
        ([1.0], 1.0, []),
        ([1.0, 2.0], 1.0, []),  # different from the critical difference on
        ([1.0, 2.0], 1.5, [(0, 1)]),
        ([3.0, 1.0, 2.0], 1.5, [(1, 2), (2, 0)]),
        ([3.0, 1.0, 2.0], 2.5, [(1, 2, 0)]),
        ([1.0, 1.2, 1.4, 4.0, 4.1], 0.5, [(0, 1, 2), (3, 4)]),
        ([1.0, 1.5, 1.6, 2.2, 5.0], 0.8, [(0, 1, 2), (1, 2, 3)]),
        ([2.0, 2.0, 2.0], 0.5, [(0, 1, 2)]),
        ([2.0, 2.0, 2.0], 0.0, []),
        ([1.0, 2.0], math.inf, [(0, 1)]),
    ],
)
def test_cliques_by_hand(ranks: list[float], difference: float, expected: list[tuple[int, ...]]) -> None:
    assert cliques(ranks, difference) == expected


@given(st.lists(st.floats(1, 9), max_size=12), st.floats(0.01, 9))
def test_cliques_hold_every_pair_that_does_not_differ_and_no_other(ranks: list[float], difference: float) -> None:
    groups = cliques(ranks, difference)
    pairs = {frozenset((i, j)) for group in groups for i in group for j in group if i != j}
    close = {frozenset((i, j)) for i, a in enumerate(ranks) for j, b in enumerate(ranks[:i]) if abs(a - b) < difference}
    assert pairs == close
    assert not any(set(one) < set(other) for one in groups for other in groups)
    assert len(set(groups)) == len(groups)


@given(TABLES)
@settings(max_examples=30)
def test_a_bar_joins_what_nemenyi_finds_no_difference_between(scores: np.ndarray) -> None:
    tasks, techniques = scores.shape
    groups = cliques(average_ranks(scores), critical_difference(techniques, tasks))
    joined = np.eye(techniques, dtype=bool)
    for group in groups:
        joined[np.ix_(group, group)] = True
    assert (joined == (posthoc_nemenyi_friedman(scores).to_numpy() > 0.05)).all()


def test_the_scores_are_left_alone() -> None:
    scores = np.array([[3.0, 1.0, 2.0], [1.0, 2.0, 3.0]])
    friedman(scores)
    average_ranks(scores)
    assert scores.tolist() == [[3, 1, 2], [1, 2, 3]]


@pytest.mark.parametrize(
    ("scores", "message"),
    [
        ([[0.1, math.nan]], r"scores\[0, 1\] is nan"),
        ([[0.1], [math.inf]], r"scores\[1, 0\]"),
        ([[1e101, 0]], r"scores\[0, 0\]"),
        ([0.1, 0.2], "two dimensions"),
        ([[0.1], [0.1, 0.2]], "of one length"),
        ([["a"]], "scores"),
    ],
)
def test_scores_that_cannot_be_ranked_are_refused(scores: object, message: str) -> None:
    with pytest.raises(BadValue, match=message):
        average_ranks(scores)


def test_settings_out_of_range_are_refused() -> None:
    with pytest.raises(BadValue, match="techniques is 1"):
        critical_difference(1, 5)
    with pytest.raises(BadValue, match="tasks is 0"):
        critical_difference(3, 0)
    with pytest.raises(BadValue, match="alpha is 5"):
        critical_difference(3, 5, 5)
    with pytest.raises(BadValue, match="critical difference"):
        cliques([1, 2], -0.1)
    with pytest.raises(BadValue, match=r"scores\[0\]"):
        cliques(average_ranks(np.zeros((0, 3))), 1.0)


def test_kendall_w_is_one_for_equal_rankings_and_zero_for_reversed_ones() -> None:
    assert kendall_w([[1, 2, 3, 4], [10, 20, 30, 40], [0.1, 0.2, 0.3, 0.4]]) == pytest.approx(1)
    assert kendall_w([[1, 2, 3], [3, 2, 1]]) == 0
    assert kendall_w([[1, 1, 1], [2, 2, 2]]) == 0


def test_kendall_w_of_two_raters_is_spearmans_correlation() -> None:
    draws = np.random.default_rng(0)
    for _ in range(20):
        first, second = draws.permutation(9), draws.permutation(9)
        assert kendall_w([first, second]) == pytest.approx((spearmanr(first, second).statistic + 1) / 2)


@pytest.mark.parametrize("scores", [[[1, 2, 3]], [[1], [2]], np.empty((0, 3)), np.empty((2, 0))])
def test_kendall_w_of_too_little_is_not_known(scores: Any) -> None:
    assert math.isnan(kendall_w(scores))
