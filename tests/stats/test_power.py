from __future__ import annotations

import math

import numpy as np
import pytest

from bench_lib.core.errors import BadValue
from bench_lib.stats import power
from bench_lib.stats.paired import distance_rank_test
from bench_lib.stats.power import RATIOS, SEEDS, detectable_ratio, seeds_needed, spread_power

SCORES = np.random.default_rng(4).normal(0.9, 0.01, size=200)


def generator(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


SHAPES = {"normal": SCORES, "skewed": -np.exp(80 * SCORES), "lattice": np.round(100 * SCORES), "few": SCORES[:12]}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("seeds", [12, 25])
def test_it_foretells_the_test(seeds, shape):
    scores = SHAPES[shape] - np.median(SHAPES[shape])
    draws = scores[generator(1).integers(0, scores.size, (500, 2, seeds))]
    found = np.mean([distance_rank_test(a, 2 * b, generator(i), 199) <= 0.05 for i, (a, b) in enumerate(draws)])
    assert spread_power(scores, seeds, 2, 0.05, generator(), 2000) == pytest.approx(found, abs=0.08)


def test_without_a_difference_the_level_is_found():
    assert spread_power(SCORES, 30, 1, 0.05, generator(), 4000) == pytest.approx(0.05, abs=0.015)


def test_it_rises_with_seeds_and_ratio_and_is_the_same_for_its_inverse():
    seeds = [spread_power(SCORES, n, 2, 0.05, generator()) for n in (5, 10, 20, 40, 80)]
    ratios = [spread_power(SCORES, 20, r, 0.05, generator()) for r in (1, 1.5, 2, 4)]
    assert seeds == sorted(seeds)
    assert ratios == sorted(ratios)
    assert spread_power(SCORES, 20, 0.5, 0.05, generator(), 4000) == pytest.approx(ratios[2], abs=0.05)


def test_location_and_unit_of_the_scores_do_not_matter():
    expected = spread_power(SCORES, 20, 2, 0.05, generator())
    assert spread_power(100 * SCORES - 7, 20, 2, 0.05, generator()) == pytest.approx(expected, abs=0.01)


def test_the_detectable_ratio_is_the_first_that_is_found():
    ratio = detectable_ratio(SCORES, 30, 0.05, generator())
    below = RATIOS[RATIOS.index(ratio) - 1]
    assert 1.6 < ratio < 2.4
    assert spread_power(SCORES, 30, below, 0.05, generator(3), 4000) < 0.83
    assert spread_power(SCORES, 30, ratio, 0.05, generator(3), 4000) > 0.77
    assert detectable_ratio(SCORES, 5, 0.001, generator()) == math.inf


def test_the_seeds_needed_are_the_first_that_find_it(monkeypatch):
    seeds = seeds_needed(SCORES, 2, 0.05, generator())
    assert seeds in (25, 30)
    assert seeds_needed(SCORES, 1.5, 0.05, generator()) > seeds
    monkeypatch.setattr(power, "SEEDS", SEEDS[: SEEDS.index(80)])
    assert seeds_needed(SCORES, 1.01, 0.05, generator()) == math.inf


def test_equal_seeds_give_equal_bits():
    assert len({spread_power(SCORES, 15, 1.7, 0.05, generator(5)) for _ in range(3)}) == 1


@pytest.mark.parametrize("scores", [[], [1.0], [1, 2, 3, 4], [0.5] * 30])
def test_nothing_can_be_told_from_too_few_scores_or_from_equal_ones(scores):
    assert math.isnan(spread_power(scores, 10, 2, 0.05, generator()))
    assert math.isnan(detectable_ratio(scores, 10, 0.05, generator()))
    assert math.isnan(seeds_needed(scores, 2, 0.05, generator()))


@pytest.mark.parametrize(("seeds", "ratio", "level"), [(2, 2, 0.05), (10, 0, 0.05), (10, 2, 1)])
def test_bad_input_is_refused(seeds, ratio, level):
    with pytest.raises(BadValue):
        spread_power(SCORES, seeds, ratio, level, generator())


def test_what_is_tried_rises():
    assert list(SEEDS) == sorted(SEEDS)
    assert list(RATIOS) == sorted(RATIOS)
