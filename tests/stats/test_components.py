from __future__ import annotations

import itertools
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chi2
from statsmodels.formula.api import ols
from statsmodels.stats.anova import anova_lm

from bench_lib.core.errors import BadValue
from bench_lib.stats.components import crossed, random_effects
from bench_lib.stats.variance import Component

NAMES = ("init", "order")
LATTICE = st.integers(0, 400).map(lambda k: k / 400)


def generator(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def grid(rows: int, columns: int, runs: int = 1) -> np.ndarray:
    return np.array([(i, j) for i in range(rows) for j in range(columns) for _ in range(runs)])


def drawn(levels: np.ndarray, deviations: list[float], rest: float, source: np.random.Generator) -> np.ndarray:
    """Scores with normal effects of these standard deviations."""
    scores = rest * source.normal(size=len(levels))
    for column, deviation in zip(levels.T, deviations, strict=True):
        known, places = np.unique(column, return_inverse=True)
        scores += deviation * source.normal(size=len(known))[places]
    return scores


def variances(found: tuple[Component, ...]) -> list[float]:
    return [one.variance for one in found]


def test_a_grid_by_hand() -> None:
    # Rows' means 2 and 6, columns' 2, 4 and 6, grand mean 4; what is left are +-1 in the first and last column.
    # Mean squares 3 * 8 / 1 = 24, 2 * 8 / 2 = 8 and 4 / 2 = 2, so (24 - 2) / 3, (8 - 2) / 2 and 2.
    scores = [1.0, 2.0, 3.0, 3.0, 6.0, 9.0]
    init, order, rest, total = crossed(grid(2, 3), scores, NAMES, generator())
    assert variances((init, order, rest)) == pytest.approx([22 / 3, 3.0, 2.0], abs=1e-9)
    assert total.variance == pytest.approx(22 / 3 + 5, abs=1e-9)
    assert [init.share, order.share, rest.share] == pytest.approx([22 / 37, 9 / 37, 6 / 37], abs=1e-9)
    assert rest.note == "holds init x order: no cell has two runs"


@pytest.mark.parametrize(("rows", "columns"), [(2, 2), (3, 7), (10, 4)])
@pytest.mark.parametrize("ties", [False, True])
def test_a_full_grid_is_the_analysis_of_variance_of_statsmodels(rows: int, columns: int, ties: bool) -> None:
    levels = grid(rows, columns)
    scores = drawn(levels, [1.0, 0.3], 0.5, generator(rows))
    scores = np.round(scores) if ties else scores
    table = anova_lm(ols("y ~ C(a) + C(b)", pd.DataFrame({"a": levels[:, 0], "b": levels[:, 1], "y": scores})).fit())
    a, b, rest = table["sum_sq"] / table["df"]
    expected = [(a - rest) / columns, (b - rest) / rows, rest]
    assert variances(crossed(levels, scores, NAMES, generator()))[:3] == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(("rows", "columns", "runs"), [(2, 2, 2), (3, 5, 4)])
def test_a_grid_of_repeated_runs_has_an_interaction(rows: int, columns: int, runs: int) -> None:
    levels = grid(rows, columns, runs)
    scores = drawn(levels, [1.0, 0.3], 0.5, generator(rows)) + generator(1).normal(size=rows * columns).repeat(runs)
    table = anova_lm(ols("y ~ C(a) * C(b)", pd.DataFrame({"a": levels[:, 0], "b": levels[:, 1], "y": scores})).fit())
    a, b, both, rest = table["sum_sq"] / table["df"]
    expected = [(a - both) / (columns * runs), (b - both) / (rows * runs), (both - rest) / runs, rest]
    found = crossed(levels, scores, NAMES, generator())
    assert [one.source for one in found] == ["init", "order", "init x order", "rest", "total"]
    assert variances(found) == pytest.approx([*expected, sum(expected)], abs=1e-9)
    assert all(one.note == "" for one in found)


def test_one_balanced_factor_is_the_one_way_analysis() -> None:
    scores = generator(3).normal(size=(6, 4))
    within = scores.var(axis=1, ddof=1).mean()
    between = (4 * scores.mean(axis=1).var(ddof=1) - within) / 4
    found = random_effects(np.arange(6).repeat(4)[:, None], scores.ravel(), ["init"], generator())
    assert variances(found) == pytest.approx([between, within, between + within], abs=1e-9)


def by_definition(levels: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Rao's equations with equal weights, in dense matrices; the mean is fitted by generalised least squares."""
    n = len(scores)
    shared = [*(np.equal.outer(column, column).astype(float) for column in levels.T), np.eye(n)]
    inverse = np.linalg.inv(sum(shared))
    ones = np.ones((n, 1))
    q = inverse - inverse @ ones @ np.linalg.inv(ones.T @ inverse @ ones) @ ones.T @ inverse
    left = [[np.trace(q @ v @ q @ w) for w in shared] for v in shared]
    return np.linalg.solve(left, [scores @ q @ v @ q @ scores for v in shared])


@pytest.mark.parametrize("seed", range(4))
def test_an_unbalanced_table_follows_raos_equations(seed: int) -> None:
    levels = generator(seed).integers(0, 7, (25, 3))
    scores = drawn(levels, [1.0, 0.5, 0.0], 1.0, generator(seed))
    found = random_effects(levels, scores, ["init", "order", "dropout"], generator())
    assert variances(found)[:-1] == pytest.approx(by_definition(levels, scores), abs=1e-9)


def test_a_grid_with_gaps_is_estimated_without_bias() -> None:
    levels = np.delete(grid(3, 3), [1, 5], axis=0)
    n = len(levels)

    def estimate(scores: np.ndarray) -> np.ndarray:
        return np.array(variances(crossed(levels, scores, NAMES, generator(), resamples=100))[:3])

    # The estimates are y'Ay: their matrices by polarisation, and E[y'Ay] = tr(A V) for each component's V.
    units = np.eye(n)
    alone = np.array([estimate(row) for row in units])
    forms = np.zeros((3, n, n))
    for i, j in itertools.combinations(range(n), 2):
        forms[:, i, j] = forms[:, j, i] = (estimate(units[i] + units[j]) - alone[i] - alone[j]) / 2
    forms[:, range(n), range(n)] = alone.T
    shared = [*(np.equal.outer(column, column).astype(float) for column in levels.T), np.eye(n)]
    expected = [[np.trace(form @ v) for v in shared] for form in forms]
    assert np.array(expected) == pytest.approx(np.eye(3), abs=1e-9)


@given(st.lists(LATTICE, min_size=12, max_size=12), st.sampled_from([0.1, -9.9, 1e6]), st.sampled_from([0.01, -1, 90]))
@settings(max_examples=30)
def test_it_stays_where_scores_move_and_scales_with_their_square(
    scores: list[float], shift: float, factor: float
) -> None:
    before = crossed(grid(3, 4), scores, NAMES, generator(), resamples=100)
    after = crossed(grid(3, 4), np.array(scores) * factor + shift, NAMES, generator(), resamples=100)
    width = 1e-6 * factor**2
    for one, other in zip(before, after, strict=True):
        assert other.variance == pytest.approx(one.variance * factor**2, abs=width)
        assert other.low == pytest.approx(one.low * factor**2, rel=1e-3, abs=width)
        assert other.high == pytest.approx(one.high * factor**2, rel=1e-3, abs=width)


@given(st.lists(LATTICE, min_size=12, max_size=12))
@settings(max_examples=30)
def test_intervals_are_of_variances_and_shares_add_up(scores: list[float]) -> None:
    *parts, total = crossed(grid(3, 4), scores, NAMES, generator(), resamples=100)
    assert all(0 <= one.low <= one.high for one in (*parts, total))
    assert sum(variances(tuple(parts))) == pytest.approx(total.variance, abs=1e-9)
    if len(set(scores)) > 1:
        assert sum(one.share for one in parts) == pytest.approx(1.0, abs=1e-9)


@given(st.permutations(range(12)))
@settings(max_examples=10)
def test_neither_the_order_of_runs_nor_the_names_of_levels_matter(order: list[int]) -> None:
    levels, scores = grid(3, 4), generator(1).normal(size=12)
    found = crossed(levels[order] * 7 - 3, scores[order], NAMES, generator())
    assert variances(found) == pytest.approx(variances(crossed(levels, scores, NAMES, generator())), abs=1e-9)


def test_equal_seeds_give_equal_bits_and_others_do_not() -> None:
    levels, scores = grid(5, 5), generator(1).normal(size=25)
    first = crossed(levels, scores, NAMES, generator(2))
    assert crossed(levels, scores, NAMES, generator(2)) == first
    assert crossed(levels, scores, NAMES, generator(3)) != first
    assert variances(crossed(levels, scores, NAMES, generator(3))) == variances(first)


def test_without_factors_that_vary_the_interval_is_that_of_a_variance() -> None:
    scores = generator(5).normal(size=12)
    init, rest, total = random_effects(np.zeros((12, 1), int), scores, ["init"], generator(), resamples=20_000)
    assert init.note == "has one level"
    assert math.isnan(init.variance)
    assert rest.variance == total.variance == pytest.approx(scores.var(ddof=1), abs=1e-9)
    expected = 11 * rest.variance / chi2.ppf([0.975, 0.025], 11)
    assert (rest.low, rest.high) == pytest.approx(expected, rel=0.04)
    assert (total.low, total.high) == pytest.approx((rest.low, rest.high), abs=1e-9)


def test_intervals_cover_known_components_about_as_often_as_they_say() -> None:
    source, truth = generator(7), np.array([1.0, 0.25, 0.49, 1.74])
    covered, found = np.zeros(4), np.zeros(4)
    for _ in range(150):
        scores = drawn(grid(6, 5), [1.0, 0.5], 0.7, source)
        components = crossed(grid(6, 5), scores, NAMES, source, resamples=299)
        covered += [one.low <= true <= one.high for one, true in zip(components, truth, strict=True)]
        found += variances(components)
    assert np.all(covered / 150 >= 0.89)
    assert found / 150 == pytest.approx(truth, rel=0.25)


def test_runs_with_streams_frozen_in_turn_can_be_told_apart_together() -> None:
    # Twelve seeds alone in each stream, the others at 0, and twelve runs in which all vary.
    seeds = np.arange(1, 13)[:, None]
    levels = np.vstack([*(np.where(np.arange(3) == k, seeds, 0) for k in range(3)), np.repeat(seeds, 3, axis=1)])
    source = generator(2)
    total = np.zeros(5)
    for _ in range(100):
        scores = drawn(levels, [1.0, 0.3, 0.6], 0.4, source)
        total += variances(random_effects(levels, scores, ["init", "order", "dropout"], source, resamples=100))
    assert total / 100 == pytest.approx([1.0, 0.09, 0.36, 0.16, 1.61], abs=0.15)


def test_streams_that_vary_together_cannot_be_told_apart() -> None:
    tied = np.arange(5).repeat(4)
    levels = np.column_stack([tied, tied * 2, np.tile(np.arange(4), 5)])
    scores = drawn(levels[:, [0, 2]], [1.0, 1.0], 0.5, generator(4))
    init, order, dropout, rest, total = random_effects(levels, scores, ["init", "order", "dropout"], generator())
    assert (init.note, order.note) == ("cannot be told from order", "cannot be told from init")
    assert all(math.isnan(value) for one in (init, order) for value in (one.variance, one.low, one.high, one.share))
    # What they share, the rest and the total are known all the same.
    _, other, left, whole = random_effects(levels[:, [0, 2]], scores, ["init", "dropout"], generator())
    assert variances((dropout, rest, total)) == pytest.approx(variances((other, left, whole)), abs=1e-9)
    assert dropout.share == pytest.approx(other.share, abs=1e-9)
    assert math.isnan(total.low)
    assert total.note == ""


def test_plain_seeds_tell_the_total_and_nothing_else() -> None:
    scores = generator(8).normal(size=10)
    *parts, total = random_effects(np.arange(10)[:, None].repeat(2, axis=1), scores, NAMES, generator())
    assert [one.note for one in parts] == [
        "cannot be told from order, rest",
        "cannot be told from init, rest",
        "cannot be told from init, order",
    ]
    assert total.variance == pytest.approx(scores.var(ddof=1), abs=1e-9)


def test_a_total_that_hangs_on_the_division_is_not_told() -> None:
    # Each of three pairs of runs shares one stream: V1 + V2 + V3 = 11' + 2 I, and the mean takes 11' away.
    *parts, total = random_effects([[0, 0, 0], [0, 1, 1], [1, 1, 0]], [0.1, 0.4, 0.2], ["a", "b", "c"], generator())
    assert parts[0].note == "cannot be told from b, c, rest"
    assert math.isnan(total.variance)
    assert total.note == "hangs on what cannot be told apart: a, b, c, rest"


@pytest.mark.parametrize("runs", [0, 1])
def test_fewer_than_two_runs_say_nothing(runs: int) -> None:
    found = crossed(grid(1, 1)[:runs], [0.5] * runs, NAMES, generator())
    assert [one.source for one in found] == ["init", "order", "rest", "total"]
    assert all(one.note == "fewer than two runs" for one in found)
    assert all(math.isnan(value) for one in found for value in (one.variance, one.low, one.high, one.share))


@pytest.mark.parametrize("value", [0.0, 0.1 + 0.2, 1e100])
def test_no_spread_is_zero_without_shares(value: float) -> None:
    found = crossed(grid(3, 3, 2), [value] * 18, NAMES, generator())
    assert [(one.variance, one.low, one.high) for one in found] == [(0.0, 0.0, 0.0)] * 5
    assert all(math.isnan(one.share) for one in found)


def test_shares_are_of_the_components_as_truncated() -> None:
    # Only the interaction: mean squares 0, 0 and 1, so components -1/2, -1/2 and 1.
    init, order, rest, total = crossed(grid(2, 2), [0.0, 1.0, 1.0, 0.0], NAMES, generator())
    assert variances((init, order, rest)) == pytest.approx([-0.5, -0.5, 1.0], abs=1e-9)
    assert total.variance == pytest.approx(0.0, abs=1e-9)
    assert [one.share for one in (init, order, rest, total)] == pytest.approx([0, 0, 1, 1], abs=1e-9)


def test_effects_that_add_up_leave_no_rest() -> None:
    levels = grid(4, 5)
    found = crossed(levels, 0.7 + 0.1 * levels[:, 0] + 0.03 * levels[:, 1], NAMES, generator())
    assert found[2].variance == found[2].low == found[2].high == 0.0
    assert variances(found[:2]) == pytest.approx([0.01 * 5 / 3, 0.0009 * 2.5], abs=1e-12)


def test_sizes_at_the_edge_do_not_overflow() -> None:
    for scores in ([1e100, -1e100, 0.0, 5.0], [5e-324, 0.0, 0.0, 0.0]):
        found = crossed(grid(2, 2), scores, NAMES, generator())
        assert all(math.isfinite(value) for one in found for value in (one.variance, one.low, one.high))


@pytest.mark.parametrize(
    ("levels", "match"),
    [
        ([[0.5, 1.0]] * 3, "type of the levels"),
        ([[0, 1]] * 2, "runs in the table"),
        ([[0, 1, 2]] * 3, "shape of the levels"),
        ([0, 1, 2], "shape of the levels"),
        ([[0, 1], [0], [1, 2]], "levels is"),
    ],
)
def test_levels_that_are_no_table_are_refused(levels: list[object], match: str) -> None:
    with pytest.raises(BadValue, match=match):
        random_effects(levels, [0.1, 0.2, 0.3], NAMES, generator())


def test_what_cannot_be_planned_is_refused() -> None:
    levels, scores = grid(2, 2), [0.1, 0.2, 0.3, 0.5]
    with pytest.raises(BadValue, match="factors of a grid"):
        crossed(levels, scores, ["init"], generator())
    with pytest.raises(BadValue, match="sources of variance"):
        random_effects(levels, scores, ["init", "init"], generator())
    with pytest.raises(BadValue, match="confidence"):
        random_effects(levels, scores, NAMES, generator(), confidence=95)
    with pytest.raises(BadValue, match="resamples"):
        random_effects(levels, scores, NAMES, generator(), resamples=10)
    with pytest.raises(BadValue, match=r"scores\[0\]"):
        random_effects(levels, [math.nan, 0.1, 0.2, 0.3], NAMES, generator())
    with pytest.raises(BadValue, match="number of runs"):
        random_effects(np.zeros((1001, 2), int), np.zeros(1001), NAMES, generator())
