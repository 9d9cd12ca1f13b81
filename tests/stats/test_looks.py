from __future__ import annotations

import math

import numpy as np

from bench_lib.stats.design import staged
from bench_lib.stats.looks import FamilyVerdicts, permutation_seed, power_generator
from bench_lib.stats.verdict import PairedSamples, Stability, look_generator, permutation_evidence

DRAWS = np.random.default_rng(3)
BASE, OTHER = 0.8 + 0.01 * DRAWS.normal(size=20), 0.8 + 0.01 * DRAWS.normal(size=20)


def family(calm: float = 0.05) -> FamilyVerdicts[str]:
    """Two contrasts after a look at ten seeds: one much calmer than its baseline, and one alike."""
    known = FamilyVerdicts(staged((20,), 2), {"calm": 1, "alike": 2})
    samples = {"calm": PairedSamples(0.8 + calm * (OTHER - 0.8), BASE), "alike": PairedSamples(OTHER, BASE)}
    known.judge({name: own.first(10) for name, own in samples.items()}, 10)
    return known


def test_before_a_look_nothing_is_known() -> None:
    known = FamilyVerdicts(staged((20,), 2), {"a": 1, "b": 2})
    assert known.undecided() == ["a", "b"]
    assert {verdict.seeds for verdict in known.verdicts.values()} == {0}
    assert math.isnan(known.seeds_to_add("a", np.empty(0), power_generator("sst2")))


def test_what_a_look_decides_gets_no_further_one() -> None:
    known = family()
    assert known.verdicts["calm"].stability is Stability.MORE
    assert known.undecided() == ["alike"]
    assert known.looked == {"calm": 10, "alike": 10}
    assert known.seeds_to_add("calm", BASE, power_generator("sst2")) == 0


def test_an_open_contrast_needs_more_seeds_and_equal_generators_say_equally_many() -> None:
    known = family()
    first, again = (known.seeds_to_add("alike", BASE, power_generator("sst2")) for _ in range(2))
    assert first == again >= 2


def test_the_evidence_is_that_of_the_look_and_the_seed_of_the_contrast() -> None:
    samples = PairedSamples(OTHER, BASE).first(10)
    expected = permutation_evidence(samples, look_generator(2, 10))
    assert family().verdicts["alike"].p_spread == expected.p_spread


def test_the_last_look_gives_nothing_up() -> None:
    known = family()
    known.give_up_hopeless(["alike"], 20)
    assert known.given_up == set()


def test_names_tell_the_seeds_of_permutations_apart() -> None:
    assert len({permutation_seed(*names) for names in (("a", "b", "c"), ("a", "c", "b"), ("ab", "", "c"))}) == 3
