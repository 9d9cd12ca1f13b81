from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from bench_lib.core.errors import BadValue
from bench_lib.stats.calibration import SCENARIOS, Scenario
from bench_lib.stats.claims import exact_evidence
from bench_lib.stats.design import staged
from bench_lib.stats.family import conclude_together
from bench_lib.stats.family_calibration import Techniques, _Sweep, calibrate_family, is_false
from bench_lib.stats.verdict import Location, PairedSamples, Stability

DESIGN = staged((20,), tasks=8)


@pytest.mark.exhaustive
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_a_repetition_decides_what_the_comparison_itself_decides(scenario):
    """The approximations only spare the tests that cannot decide."""
    for number in range(3):
        sweep = _Sweep.drawn(scenario, DESIGN, Techniques(4, 2, 4.0), np.random.default_rng(number))
        sure: dict[int, object] = {}
        for look in DESIGN.looks:
            evidence = {
                index: exact_evidence(PairedSamples(ours[:look], theirs[:look]))
                for index, (ours, theirs) in enumerate(zip(sweep.ours, sweep.theirs, strict=True))
                if index not in sure
            }
            found = conclude_together(evidence, look, DESIGN, sure.values())
            sure |= {index: verdict for index, verdict in found.items() if verdict.sure}
        alarm, right, decided, runs = sweep.outcome()
        assert decided == len(sure)
        spread = [
            i for i, v in sure.items() if v.decided_by == "spread" and v.stability is Stability.LESS and i % 4 < 2
        ]
        assert right == len(spread)
        assert alarm == any(is_false(v, 4.0 if i % 4 < 2 else 1.0) for i, v in sure.items())
        assert runs <= 10 * 20


def test_techniques_share_the_baseline_of_a_task():
    sweep = _Sweep.drawn(SCENARIOS[0], DESIGN, Techniques(4), np.random.default_rng(0))
    assert sweep.ours.shape == sweep.theirs.shape == (8, 20)
    assert (sweep.theirs[:4] == sweep.theirs[0]).all()
    assert (sweep.theirs[4:] == sweep.theirs[4]).all()
    assert not (sweep.theirs[0] == sweep.theirs[4]).any()
    assert len(np.unique(sweep.ours)) == 8 * 20


def test_large_differences_are_found_with_fewer_runs():
    found = calibrate_family(SCENARIOS[0], DESIGN, Techniques(4, 2, 20.0), 5)
    assert found.found == 1
    assert found.alarms == 0
    assert found.runs < 1
    assert math.isnan(calibrate_family(SCENARIOS[0], DESIGN, Techniques(4), 2).found)


def test_what_cannot_be_decided_is_given_up_and_spares_runs():
    whole = calibrate_family(SCENARIOS[0], DESIGN, Techniques(4), 5)
    spared = calibrate_family(SCENARIOS[0], dataclasses.replace(DESIGN, least_chance=0.1), Techniques(4), 5)
    assert spared.runs < 0.8 < whole.runs


def test_identical_samples_raise_no_alarm():
    def identical(generator, seeds, ratio):
        return np.tile(generator.normal(size=seeds), (len(ratio) + 1, 1))

    found = calibrate_family(Scenario("same", identical), DESIGN, Techniques(4), 5)
    assert (found.alarms, found.scenario) == (0, "same")


def test_equal_seeds_give_equal_bits():
    once, again = (calibrate_family(SCENARIOS[3], DESIGN, Techniques(4, 1, 3.0), 3) for _ in range(2))
    assert once == again
    other = calibrate_family(SCENARIOS[3], DESIGN, Techniques(4, 1, 3.0), 3, seed=1)
    assert once != other


def test_false_alarms_of_a_family_keep_to_alpha():
    design = staged((14,), tasks=10)
    found = calibrate_family(SCENARIOS[1], design, Techniques(5), 150)
    assert found.alarms < 0.11  # 0.05, and what 150 repetitions may add


def test_a_claim_on_what_differs_is_false_only_in_the_wrong_direction():
    drawn = np.random.default_rng(0).normal(size=(2, 10))
    base = exact_evidence(PairedSamples(*drawn))
    less = dataclasses.replace(base, stability=Stability.LESS, decided_by="spread")
    failing = dataclasses.replace(less, decided_by="failures")
    better = dataclasses.replace(base, location=Location.BETTER)
    assert [is_false(verdict, 1.0) for verdict in (base, less, failing, better)] == [False, True, True, True]
    assert [is_false(verdict, 2.0) for verdict in (base, less, failing, better)] == [False, False, True, False]
    assert is_false(less, 0.5)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Techniques(0),
        lambda: Techniques(2, 3),
        lambda: Techniques(2, 1, 0.0),
        lambda: calibrate_family(SCENARIOS[0], DESIGN, Techniques(3), 2),
        lambda: calibrate_family(SCENARIOS[0], DESIGN, Techniques(4), 0),
    ],
)
def test_bad_input_is_refused(make):
    with pytest.raises(BadValue):
        make()
