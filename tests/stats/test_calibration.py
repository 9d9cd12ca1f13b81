from __future__ import annotations

import dataclasses
import math
import pickle

import numpy as np
import pytest

from bench_lib.core.errors import BadValue
from bench_lib.stats.calibration import SCENARIOS, Scenario, calibrate, claimed, resampled
from bench_lib.stats.design import Design, looks_up_to
from bench_lib.stats.spread import mad
from bench_lib.stats.verdict import PairedSamples, sequential_verdict

DESIGN = Design(looks_up_to(12))
BY_NAME = {scenario.name: scenario for scenario in SCENARIOS}
SURVIVED = {"one failure in ten": 0.81, "three failures in ten": 0.49}


def identical(generator, seeds, _ratio):
    return np.tile(generator.normal(size=seeds), (2, 1))


def shifted(generator, seeds, _ratio):
    return generator.normal(size=(2, seeds)) + np.array([[0], [50]])


def wider_and_shifted(generator, seeds, _ratio):
    return shifted(generator, seeds, 1) * np.array([[40], [1]])


def test_identical_samples_never_differ_and_are_not_equivalent_below_twenty_seeds():
    found = calibrate(Scenario("same", identical), DESIGN, 1, 20)
    assert (found.claims, found.equivalent, found.seeds) == (0, 0, 12)
    assert math.isnan(found.found)
    assert 0 == found.low < found.high < 0.2


def test_samples_far_apart_always_claim_and_are_not_counted_as_spread():
    found = calibrate(Scenario("apart", shifted), DESIGN, 2, 10)
    assert (found.claims, found.found, found.seeds) == (
        1,
        0,
        12,
    )  # which sample is higher decides nothing about stability


def test_a_higher_sample_is_no_false_alarm_where_the_samples_are_shifted():
    found = calibrate(Scenario("apart", shifted, shifted=True), DESIGN, 1, 20)
    assert found.claims < 0.2
    assert calibrate(Scenario("apart", wider_and_shifted, shifted=True), DESIGN, 2, 10).claims == 1


def test_a_large_ratio_is_found_in_its_direction():
    for ratio in (20, 1 / 20):
        found = calibrate(SCENARIOS[0], DESIGN, ratio, 20)
        assert found.found > 0.8
        assert found.seeds < 12


def test_several_tasks_claim_when_any_does():
    one = calibrate(SCENARIOS[0], DESIGN, 4, 30)
    four = calibrate(SCENARIOS[0], dataclasses.replace(DESIGN, tasks=4), 4, 30)
    assert four.found < one.found == one.claims  # a fourth of alpha is left for the first task
    assert four.claims > four.found


def test_a_repetition_is_the_comparison_itself():
    found = calibrate(SCENARIOS[1], DESIGN, 3, 1, seed=5)
    generator = np.random.default_rng([5, 0])
    samples = PairedSamples(*SCENARIOS[1].draw(generator, 12, 3))
    verdict = sequential_verdict(samples, DESIGN, int(generator.integers(2**31)))
    assert (found.claims, found.seeds) == (claimed(verdict), verdict.seeds)


def test_equal_seeds_give_equal_bits():
    assert calibrate(SCENARIOS[2], DESIGN, 2, 10) == calibrate(SCENARIOS[2], DESIGN, 2, 10)
    assert calibrate(SCENARIOS[2], DESIGN, 2, 40) != calibrate(SCENARIOS[2], DESIGN, 2, 40, seed=1)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_scenarios_stretch_the_first_sample_about_a_common_median(scenario):
    first, second = scenario.draw(np.random.default_rng(0), 100_000, 3)
    survived = ~np.isnan(first) & ~np.isnan(second)
    assert survived.mean() == pytest.approx(SURVIVED.get(scenario.name, 1), abs=0.01)
    assert mad(first[survived]) / mad(second[survived]) == pytest.approx(3, rel=0.1)
    higher = np.median(first[survived]) - np.median(second[survived])
    assert higher == pytest.approx(3 if scenario.shifted else 0, abs=0.05)
    assert pickle.loads(pickle.dumps(scenario)).name == scenario.name


def test_ties_are_as_of_four_hundred_items():
    scores = BY_NAME["heavy ties"].draw(np.random.default_rng(0), 1000, 1)
    assert np.allclose(scores * 400, np.round(scores * 400))
    assert len(np.unique(scores)) < 12


def test_a_pool_draws_its_scores_and_failures():
    scenario = resampled("mine", [0.5, 0.6, 0.7], 1)
    first, second = scenario.draw(np.random.default_rng(0), 4000, 2)
    assert np.isnan(first).mean() == pytest.approx(0.25, abs=0.03)
    assert set(np.round(second[~np.isnan(second)], 9)) == {0.5, 0.6, 0.7}
    assert set(np.round(first[~np.isnan(first)], 9)) == {0.4, 0.6, 0.8}
    assert pickle.loads(pickle.dumps(scenario)).name == "mine"


@pytest.mark.parametrize(
    "make",
    [
        lambda: calibrate(SCENARIOS[0], DESIGN, 0, 10),
        lambda: calibrate(SCENARIOS[0], DESIGN, 1, 0),
        lambda: resampled("mine", [0.5, 0.6], 3),
        lambda: resampled("mine", [0.5, 0.6, math.nan], 0),
    ],
)
def test_bad_input_is_refused(make):
    with pytest.raises(BadValue):
        make()
