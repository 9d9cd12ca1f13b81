from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.multitest import multipletests

from bench_lib.core.errors import BadValue
from bench_lib.stats.claims import claims, exact_evidence
from bench_lib.stats.design import Design, Margins, Shares
from bench_lib.stats.verdict import Location, PairedSamples, Stability, Verdict, judge, permutation_evidence

NAN = math.nan
BASE = np.random.default_rng(5).normal(size=30)
PLAIN = exact_evidence(PairedSamples(1.5 * BASE[::-1], BASE))
P_VALUES = st.lists(st.floats(1e-7, 1), min_size=1, max_size=12)


def drawn(seed: int, wider: float = 1.0, higher: float = 0.0, failing: float = 0.0, seeds: int = 30) -> PairedSamples:
    draws = np.random.default_rng(seed)
    technique, baseline = draws.normal(size=(2, seeds))
    technique = wider * technique + higher
    technique[draws.random(seeds) < failing] = NAN
    return PairedSamples(technique, baseline)


KINDS = [{}, {"wider": 3.0}, {"wider": 0.3}, {"higher": 2.0}, {"higher": -2.0}, {"failing": 0.5}, {"seeds": 12}]


def spread(p: float) -> Verdict:
    """Evidence that has this p-value of spread and nothing else to claim."""
    return dataclasses.replace(PLAIN, p_failure=1.0, p_spread=p, p_location=1.0)


def differs(verdict: Verdict) -> bool:
    settled = verdict.stability in (Stability.MORE, Stability.LESS)
    return settled or verdict.location in (Location.BETTER, Location.WORSE)


@pytest.mark.parametrize("kind", KINDS, ids=str)
@pytest.mark.parametrize("alpha", [0.05, 0.2])
def test_one_contrast_is_judged_as_at_an_only_look(kind: dict[str, float], alpha: float) -> None:
    for seed in range(4):
        samples = drawn(seed, **kind)
        margins, shares = Margins(ratio=2.5), Shares(0.2, 0.6, 0.2)
        design = Design((samples.seeds,), 1, alpha, shares=shares, margins=margins)
        expected = judge(samples, design, samples.seeds, np.random.default_rng(1))
        evidence = permutation_evidence(samples, np.random.default_rng(1))
        assert claims([evidence], margins, alpha, shares) == [expected]


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_counting_finds_what_drawing_estimates(kind: dict[str, float]) -> None:
    samples = drawn(3, **kind)
    found, estimated = exact_evidence(samples), permutation_evidence(samples, np.random.default_rng(0))
    for name in ("p_spread", "p_location"):
        assert getattr(found, name) == pytest.approx(getattr(estimated, name), abs=0.02)
    same = dataclasses.replace(found, p_spread=estimated.p_spread, p_location=estimated.p_location)
    assert same == estimated


def test_evidence_of_too_few_pairs_says_nothing() -> None:
    found = exact_evidence(PairedSamples(np.array([NAN, 0.1, 0.2]), np.array([0.1, 0.2, 0.3])))
    assert math.isnan(found.p_spread)
    assert math.isnan(found.p_location)
    assert claims([found])[0].stability is Stability.UNDERPOWERED


@given(st.lists(st.tuples(st.integers(0, 10), st.integers(0, 10)), min_size=1, max_size=8))
@settings(max_examples=40)
def test_of_failures_alone_it_is_holms_test(counts: list[tuple[int, int]]) -> None:
    alike = {"p_spread": 1.0, "p_location": 1.0}
    evidence = []
    for ours, theirs in counts:
        samples = PairedSamples(np.full(10, 0.5), np.full(10, 0.5))
        samples.technique[:ours], samples.baseline[:theirs] = NAN, NAN
        evidence.append(dataclasses.replace(exact_evidence(samples), **alike))
    reject = multipletests([one.p_failure for one in evidence], 0.05 * Shares().failure, "holm")[0]
    assert [one.decided_by == "failures" for one in claims(evidence)] == reject.tolist()


@given(P_VALUES, st.floats(0.01, 0.3))
@settings(max_examples=30)
def test_of_spread_alone_it_is_holms_test_too(p_values: list[float], alpha: float) -> None:
    # Without failures the test of failures cannot err, and its share goes to the others.
    share = Shares().spread / (Shares().spread + Shares().location)
    reject = multipletests(p_values, alpha * share, "holm")[0]
    found = claims([spread(p) for p in p_values], alpha=alpha)
    assert [one.decided_by == "spread" for one in found] == reject.tolist()


@given(P_VALUES, st.floats(0.001, 0.2), st.floats(1, 2))
@settings(max_examples=25)
def test_a_larger_alpha_takes_no_claim_back(p_values: list[float], alpha: float, factor: float) -> None:
    evidence = [spread(p) for p in p_values]
    few, many = claims(evidence, alpha=alpha), claims(evidence, alpha=alpha * factor)
    assert all(differs(more) for less, more in zip(few, many, strict=True) if differs(less))


@given(st.permutations(range(8)))
@settings(max_examples=20)
def test_the_order_of_the_contrasts_does_not_matter(order: list[int]) -> None:
    evidence = [exact_evidence(drawn(seed, **KINDS[seed % len(KINDS)])) for seed in range(8)]
    found = claims(evidence)
    assert claims([evidence[i] for i in order]) == [found[i] for i in order]


def test_a_claim_leaves_its_alpha_to_the_others() -> None:
    clear, near = spread(1e-6), spread(0.03)
    assert [one.decided_by for one in claims([near, near])] == ["", ""]
    assert [one.decided_by for one in claims([clear, near])] == ["spread", "spread"]


def test_equivalence_is_judged_at_the_level_of_the_last_step() -> None:
    like = exact_evidence(PairedSamples(BASE + 0.25 * np.random.default_rng(0).normal(size=30), BASE))
    tight, dull, clear = Margins(ratio=1.15), spread(1.0), spread(1e-9)
    p = like.log_ratio.equivalence(-math.log(tight.ratio), math.log(tight.ratio))
    many = math.ceil(0.05 / p)
    assert 0.001 < p < 0.05
    assert claims([like], tight)[0].stability is Stability.EQUIVALENT
    assert claims([like] + [dull] * many, tight)[0].stability is Stability.UNDERPOWERED
    crowd = claims([like] + [clear] * many, tight)
    assert [one.decided_by for one in crowd] == ["equivalence"] + ["spread"] * many


def test_of_many_techniques_that_do_not_differ_hardly_any_is_claimed_in_any_family() -> None:
    families = [claims([exact_evidence(drawn(1000 * f + i, seeds=12)) for i in range(8)]) for f in range(80)]
    # 4, and what 80 families may add: one in a thousand has more
    assert sum(any(map(differs, family)) for family in families) <= 11


def test_no_contrast_has_no_verdict() -> None:
    assert claims([]) == []


def test_contrasts_without_seeds_and_a_bad_alpha_are_refused() -> None:
    nothing = exact_evidence(PairedSamples(np.array([]), np.array([])))
    with pytest.raises(BadValue, match="seeds of contrast 1 is 0"):
        claims([PLAIN, nothing])
    for evidence in ([], [PLAIN]):
        with pytest.raises(BadValue, match=r"alpha is 0\.7"):
            claims(evidence, alpha=0.7)
