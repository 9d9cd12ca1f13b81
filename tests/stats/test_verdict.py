from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from bench_lib.core.errors import BadValue
from bench_lib.stats.design import Design, looks_up_to
from bench_lib.stats.verdict import Location, PairedSamples, Stability, judge, look_generator, sequential_verdict

DESIGN = Design(looks_up_to(30))
NAN = math.nan


def drawn(
    seed: int = 0, wider: float = 1.0, higher: float = 0.0, failing: tuple[float, float] = (0, 0)
) -> PairedSamples:
    draws = np.random.default_rng(seed)
    technique, baseline = draws.normal(size=(2, 30))
    samples = [wider * technique + higher, baseline]
    for sample, rate in zip(samples, failing, strict=True):
        sample[draws.random(30) < rate] = NAN
    return PairedSamples(*samples)


def ended(samples: PairedSamples):
    return judge(samples, DESIGN, samples.seeds, look_generator(0, samples.seeds))


def test_failures_decide_first():
    more = ended(drawn(failing=(0.6, 0), wider=0.2))
    assert (more.stability, more.decided_by) == (Stability.LESS, "failures")
    assert more.regression
    fewer = ended(drawn(failing=(0, 0.6)))
    assert (fewer.stability, fewer.decided_by) == (Stability.MORE, "failures")
    assert not fewer.regression


@pytest.mark.parametrize(("wider", "expected"), [(3, Stability.LESS), (1 / 3, Stability.MORE)])
def test_spread_decides_then(wider, expected):
    found = ended(drawn(wider=wider))
    assert (found.stability, found.decided_by) == (expected, "spread")
    assert found.p_spread < 0.01
    assert math.exp(found.log_ratio.estimate) == pytest.approx(wider, rel=0.5)
    assert found.sure


def test_samples_of_the_same_spread_and_place_are_equivalent_within_the_margin():
    same = drawn()
    near = PairedSamples(same.baseline + 0.01 * same.technique, same.baseline)
    found = ended(near)
    assert (found.stability, found.location, found.decided_by) == (Stability.EQUIVALENT, Location.SAME, "equivalence")
    itself = ended(PairedSamples(same.baseline, same.baseline))
    assert itself.stability is Stability.EQUIVALENT


def test_a_shift_is_seen_and_is_no_matter_of_stability():
    better, worse = ended(drawn(higher=3)), ended(drawn(higher=-3))
    assert (better.location, worse.location) == (Location.BETTER, Location.WORSE)
    assert better.stability is worse.stability is Stability.UNDERPOWERED
    assert worse.regression
    assert worse.sure
    assert not better.regression
    assert not better.sure


def test_a_shift_that_is_significant_but_not_meaningful_is_not_worse():
    technique = np.linspace(0, 1, 30)
    found = ended(PairedSamples(technique - 0.02, technique))
    assert found.p_location < 0.001
    assert found.location is Location.SAME


@pytest.mark.parametrize(
    ("technique", "baseline"),
    [
        ([NAN] * 30, [NAN] * 30),
        ([NAN] * 28 + [0.1, 0.2], [0.3] * 30),
        ([0.5] * 30, [0.5] * 30),
        ([0.5] * 30, list(np.linspace(0, 1, 30))),
        ([0.5] * 15 + [0.6] * 15, [0.5, 0.6] * 15),
    ],
)
def test_degenerate_samples_have_a_verdict(technique, baseline):
    found = ended(PairedSamples(np.array(technique), np.array(baseline)))
    assert isinstance(found.stability, Stability)
    assert 0 <= found.p_failure <= 1


def test_degenerate_verdicts_are_right():
    flat = ended(PairedSamples(np.full(30, 0.5), np.linspace(0, 1, 30)))
    assert flat.stability is Stability.MORE
    assert flat.log_ratio.estimate == -math.inf
    assert ended(PairedSamples(np.full(30, 0.5), np.full(30, 0.5))).stability is Stability.EQUIVALENT
    dead = ended(PairedSamples(np.full(30, NAN), np.full(30, NAN)))
    assert (dead.stability, dead.location) == (Stability.UNDERPOWERED, Location.OPEN)
    assert math.isnan(dead.p_spread)
    assert ended(PairedSamples(np.full(30, NAN), np.linspace(0, 1, 30))).decided_by == "failures"


def test_looks_stop_at_the_first_that_is_sure_and_give_the_same_bits_again():
    wide = drawn(wider=4)
    found = sequential_verdict(wide, DESIGN, seed=3)
    assert found.seeds < 30
    assert found == sequential_verdict(wide, DESIGN, seed=3)
    last, before = found.seeds, found.seeds - 2
    assert found == judge(wide.first(last), DESIGN, last, look_generator(3, last))
    assert not judge(wide.first(before), DESIGN, before, look_generator(3, before)).sure
    assert sequential_verdict(drawn(seed=1, wider=1.8), DESIGN, seed=3).seeds == 30


def test_swapping_the_samples_turns_the_verdict_round():
    samples = drawn(wider=3, higher=2)
    there, back = ended(samples), ended(PairedSamples(samples.baseline, samples.technique))
    assert (there.stability, back.stability) == (Stability.LESS, Stability.MORE)
    assert back.log_ratio.estimate == pytest.approx(-there.log_ratio.estimate)
    assert back.superiority.estimate == pytest.approx(1 - there.superiority.estimate)


@pytest.mark.exhaustive
def test_false_alarms_over_all_looks_and_tests_keep_to_alpha():
    claims = 0
    for seed in range(250):
        found = sequential_verdict(drawn(seed), DESIGN, seed)
        settled = found.stability in (Stability.MORE, Stability.LESS)
        claims += settled or found.location in (Location.BETTER, Location.WORSE)
    assert claims / 250 < 0.09  # 0.05, and what 250 repetitions may add; benchmarks/test_calibration.py measures it


def test_verdicts_are_values():
    first, second = ended(drawn()), ended(drawn())
    assert first == second
    assert dataclasses.asdict(first)["seeds"] == 30


def test_runs_that_were_lost_leave_fewer_seeds_than_the_look_has():
    samples = drawn(wider=3).first(27)
    assert judge(samples, DESIGN, 30, look_generator(0, 30)).seeds == 27
    with pytest.raises(BadValue, match="seeds of the paired samples is 27; allowed: at most 20"):
        judge(samples, DESIGN, 20, look_generator(0, 20))


def test_samples_of_different_shapes_are_refused():
    with pytest.raises(BadValue, match="shapes of the paired samples"):
        PairedSamples(np.zeros(3), np.zeros(4))
