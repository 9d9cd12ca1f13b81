from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import rankdata

from bench_lib.core.errors import BadValue
from bench_lib.stats.flips import all_signs, sign_flip
from bench_lib.stats.paired import distance_rank_test, distance_ranks, midranks, spread_contributions

NAN = math.nan
SCORE = st.one_of(st.integers(-5, 5), st.just(NAN))
PAIRS = st.lists(st.tuples(SCORE, SCORE), min_size=3, max_size=9)
NOISE = 1e-9


def generator(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def samples(pairs):
    """The two samples on a lattice whose multiples have rounding errors."""
    first, second = zip(*pairs, strict=True)
    return np.array(first) / 7, np.array(second) / 7


def rank_sums(a, b):
    """Sum of the centred ranks of the distances within a, less those within b."""
    scores, seeds = np.concatenate([a, b]), np.tile(np.arange(a.size), 2)
    left, right = np.triu_indices(scores.size, 1)
    distances = np.abs(scores[left] - scores[right])
    usable = (seeds[left] != seeds[right]) & ~np.isnan(distances)
    left, right = left[usable], right[usable]
    ranks = rankdata(np.round(distances[usable], 6))
    ranks = ranks - ranks.mean() if ranks.size else ranks
    within_a, within_b = right < a.size, left >= a.size
    return 2 * float(ranks[within_a].sum() - ranks[within_b].sum())


@given(PAIRS, st.randoms(use_true_random=False))
def test_contributions_add_up_to_the_rank_sums_of_any_swapped_samples(pairs, random):
    a, b = samples(pairs)
    contributions = distance_ranks(a, b, NOISE)
    for _ in range(5):
        swapped = np.array([random.random() < 0.5 for _ in pairs])
        first, second = np.where(swapped, b, a), np.where(swapped, a, b)
        expected = np.where(swapped, -contributions, contributions)
        assert distance_ranks(first, second, NOISE) == pytest.approx(expected, abs=1e-9)
        assert expected.sum() == pytest.approx(rank_sums(first, second), abs=1e-9)


@pytest.mark.parametrize("seeds", [3, 4, 30])
def test_contributions_are_the_differences_of_rank_sums(seeds):
    a, b = generator(seeds).integers(0, 9, (2, seeds)) / 7
    a[0] = b[1] = NAN
    places = [(i, j) for i in range(2 * seeds) for j in range(i) if (i - j) % seeds]
    scores = np.concatenate([a, b])
    distances = {pair: abs(scores[pair[0]] - scores[pair[1]]) for pair in places}
    known = {pair: distance for pair, distance in distances.items() if not math.isnan(distance)}
    ranks = rankdata(np.round([*known.values()], 6)) - (len(known) + 1) / 2
    sums = np.zeros(2 * seeds)
    for pair, rank in zip(known, ranks, strict=True):
        sums[list(pair)] += rank
    assert distance_ranks(a, b, NOISE).tolist() == (sums[:seeds] - sums[seeds:]).tolist()


def test_distances_of_billions_of_steps_are_ranked_as_others():
    # The farthest that can come: scores of opposite sign, one sample moved by their difference.
    a, b = generator(1).integers(0, 400, (2, 40)) / 1000
    a[0] = NAN
    contributions = distance_ranks(a - 2, b + 2, 1e-9)
    assert contributions.sum() == pytest.approx(rank_sums(a - 2, b + 2), abs=1e-6)
    assert contributions.tolist() == distance_ranks((a - 2) / 8, (b + 2) / 8, 1e-9).tolist()


def test_more_seeds_than_places_are_refused():
    with pytest.raises(BadValue, match="number of seeds is 8192; allowed: at most 8191"):
        distance_ranks(np.zeros(8192), np.zeros(8192), NOISE)


def test_three_pairs_by_hand():
    # The twelve distances: 0 five times, 1 three times, 2 once, 3 three times; centred ranks -3.5, 0.5, 2.5 and 4.5.
    # The score 1 has distances 1, 2, 1, 1 to those of the other seeds, and the 0 of its seed has 0, 3, 0, 0.
    assert distance_ranks(np.array([0.0, 1.0, 3.0]), np.zeros(3), NOISE).tolist() == [0, 10, 26]


@given(PAIRS)
@settings(max_examples=60)
def test_neither_unit_nor_place_nor_order_nor_side_matters(pairs):
    a, b = samples(pairs)
    expected = distance_rank_test(a, b, generator())
    mixed = generator(1).permutation(len(pairs))
    for first, second in (
        (b, a),
        (a[mixed], b[mixed]),
        (-a, -b),
        (a + 0.7, b + 0.7),
        (1000 * a, 1000 * b),
        (1e-80 * a, 1e-80 * b),
    ):
        assert distance_rank_test(first, second, generator()) == pytest.approx(expected, nan_ok=True)


@given(PAIRS, st.integers(-40, 40))
@settings(max_examples=60)
def test_moving_one_sample_leaves_the_contributions_at_a_common_location(pairs, steps):
    a, b = samples(pairs)
    moved, unmoved = spread_contributions(a + steps / 7, b), spread_contributions(a, b)
    assert len(moved) == len(unmoved)
    assert all(np.allclose(one, other) for one, other in zip(moved[1:], unmoved[1:], strict=True))


@pytest.mark.parametrize("failed", [0, 3])
def test_it_keeps_to_any_level_where_the_samples_are_alike(failed):
    # Every arrangement of one set of pairs has its p: no more than a share p of them may have one as small.
    a, b = -np.exp(generator(2).normal(size=(2, 7)))
    a[:failed] = NAN
    swaps = all_signs(7) > 0
    arrangements = [(np.where(s, a, b), np.where(s, b, a)) for s in swaps]
    found = np.array([distance_rank_test(*pair, generator()) for pair in arrangements])
    as_they_are = np.array([sign_flip(spread_contributions(*pair)[0], generator()) for pair in arrangements])
    for p in np.unique(as_they_are):
        assert np.mean(as_they_are <= p) == pytest.approx(p)
        assert np.mean(found <= p) <= p + 1e-12


SHAPES = {
    "normal": lambda draws: draws,
    "skewed": lambda draws: -np.exp(draws),
    "lattice": lambda draws: np.round(2 * draws),
    "higher": lambda draws: draws + np.array([[3], [0]]),
    "skewed and lower": lambda draws: -np.exp(draws) - np.array([[6], [0]]),
    "failing": lambda draws: np.where(np.abs(draws) < 0.3, NAN, draws),
    "one failing": lambda draws: np.where((np.abs(draws) < 0.3) & np.array([[True], [False]]), NAN, draws),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_false_alarms_keep_to_the_level(shape):
    draws = SHAPES[shape](generator(11).normal(size=(400, 2, 16)))
    found = np.mean([distance_rank_test(a, b, generator(i), 199) <= 0.05 for i, (a, b) in enumerate(draws)])
    assert found < 0.085  # 0.05 and what 400 repetitions may add


@pytest.mark.parametrize("shared", [0.0, 0.7])
@pytest.mark.parametrize("higher", [0, 3])
def test_a_wider_sample_is_found_and_equal_samples_are_not(shared, higher):
    draws = generator(5).normal(size=(3, 40))
    a, b = math.sqrt(1 - shared) * draws[:2] + math.sqrt(shared) * draws[2]
    assert distance_rank_test(3 * a + higher, b, generator()) < 0.001
    assert distance_rank_test(a + higher, b, generator()) > 0.05


def test_a_run_counts_though_the_other_of_its_seed_failed():
    a, b = generator(3).normal(size=(2, 24)) * [[8], [1]]
    pairs = slice(6)
    a[6:15], b[15:] = NAN, NAN
    assert distance_rank_test(a, b, generator()) < 0.01 < distance_rank_test(a[pairs], b[pairs], generator())


def test_seeds_on_which_both_failed_change_nothing():
    a, b = generator(3).normal(size=(2, 9))
    more = [NAN, NAN]
    expected = distance_rank_test(a, b, generator())
    assert distance_rank_test([*a, *more], [*b, *more], generator()) == expected


def test_degenerate_inputs_have_an_answer():
    assert math.isnan(distance_rank_test([1, 2], [3, 4], generator()))
    assert math.isnan(distance_rank_test([], [], generator()))
    assert math.isnan(distance_rank_test([1, 2, NAN, 4, 5], [1, 2, 3, NAN, NAN], generator()))
    assert distance_rank_test([0.5] * 6, [0.7] * 6, generator()) == 1
    assert distance_rank_test([0.1 + 0.2] * 6, [0.3] * 6, generator()) == 1
    same = generator(0).normal(size=8)
    assert distance_rank_test(same, same, generator()) == 1
    assert distance_rank_test(same, [0.7] * 8, generator()) < 0.05


@pytest.mark.parametrize("bad", [[1, 2, math.inf], [[1, 2, 3]], [1, 2, 1e200]])
def test_what_is_no_score_is_refused(bad):
    with pytest.raises(BadValue, match="scores"):
        distance_rank_test(bad, [1, 2, 3], generator())


def test_samples_of_unequal_length_are_refused():
    with pytest.raises(BadValue, match="number of scores to pair is 2; allowed: 3"):
        distance_rank_test([1, 2, 3], [1, 2], generator())


@given(st.lists(st.integers(0, 6), max_size=30))
def test_midranks_are_mean_ranks_and_blind_to_rounding(values):
    exact = np.array(values, dtype=np.float64)
    rounded = exact + generator(0).uniform(-1e-13, 1e-13, exact.size)
    assert midranks(rounded, NOISE).tolist() == rankdata(exact).tolist()
