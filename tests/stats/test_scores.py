from __future__ import annotations

import math

import numpy as np
import pytest

from bench_lib.core.errors import BadValue
from bench_lib.stats.claims import claims, exact_evidence
from bench_lib.stats.scores import ScoreSettings, SeedScores, compare_scores
from bench_lib.stats.verdict import Location, PairedSamples, Stability

DRAWS = np.random.default_rng(0).normal(size=(2, 30))


def scores(values: np.ndarray, first: int | None = 0, lost: int = 0) -> SeedScores:
    return SeedScores(values, None if first is None else tuple(range(first, first + len(values))), lost)


def test_shared_seeds_are_judged_as_in_a_report() -> None:
    ours, theirs = DRAWS[0], 3 * DRAWS[1]
    found = compare_scores({"a": (scores(ours), scores(theirs)), "b": (scores(theirs), scores(theirs[::-1]))})
    evidence = [exact_evidence(PairedSamples(*pair)) for pair in ((ours, theirs), (theirs, theirs[::-1]))]
    assert [one.verdict for one in found] == claims(evidence)
    assert found[0].verdict.stability is Stability.MORE
    assert all(one.paired and one.tested for one in found)


def test_seeds_are_matched_by_number_and_not_by_place() -> None:
    order = np.random.default_rng(1).permutation(30)
    shuffled = SeedScores(DRAWS[0][order], tuple(int(seed) for seed in order))
    (found,) = compare_scores({"a": (shuffled, scores(DRAWS[1]))})
    (expected,) = compare_scores({"a": (scores(DRAWS[0]), scores(DRAWS[1]))})
    assert found.verdict == expected.verdict


def test_only_shared_seeds_are_paired() -> None:
    (found,) = compare_scores({"a": (scores(DRAWS[0]), scores(DRAWS[1], first=15))})
    assert (found.paired, found.verdict.sizes) == (True, (15, 15))
    assert [side.unused for side in found.sides] == [15, 15]


@pytest.mark.parametrize(("first", "paired"), [(None, None), (25, None), (0, False)])
def test_the_others_are_not(first: int | None, paired: bool | None) -> None:
    (found,) = compare_scores({"a": (scores(DRAWS[0]), scores(DRAWS[1], first))}, ScoreSettings(paired=paired))
    assert (found.paired, found.verdict.sizes) == (False, (30, 30))
    (again,) = compare_scores({"a": (scores(DRAWS[0]), scores(DRAWS[1], first))}, ScoreSettings(paired=paired))
    assert found == again


def test_what_is_not_finite_has_failed_and_what_is_no_better_than_a_constant_too() -> None:
    ours = DRAWS[0].copy()
    ours[:3] = [math.nan, math.inf, -math.inf]
    (found,) = compare_scores({"a": (scores(ours, lost=2), scores(DRAWS[1]))})
    assert found.verdict.failures == (3, 0)
    assert (found.sides[0].failed, found.sides[0].lost, found.sides[0].runs) == (3, 2, 30)
    (found,) = compare_scores({"a": (scores(ours), scores(DRAWS[1]))}, ScoreSettings(constant_baseline=-0.5))
    assert found.verdict.failures == (3 + int((ours[3:] <= -0.5).sum()), int((DRAWS[1] <= -0.5).sum()))


def test_lower_may_be_better() -> None:
    pair = {"a": (scores(DRAWS[0] - 2), scores(DRAWS[1]))}
    (higher,), (lower,) = (compare_scores(pair, ScoreSettings(higher_is_better=way)) for way in (True, False))
    assert (higher.verdict.location, lower.verdict.location) == (Location.WORSE, Location.BETTER)
    assert lower.superiority()[0] == pytest.approx(1 - higher.superiority()[0])
    assert lower.sides[0].worst == (DRAWS[0] - 2).max()
    assert lower.sides[0].mean == higher.sides[0].mean
    (found,) = compare_scores(pair, ScoreSettings(higher_is_better=False, constant_baseline=0.0))
    assert found.verdict.failures[1] == int((DRAWS[1] >= 0).sum())


def test_few_seeds_are_not_tested() -> None:
    few = {"a": (scores(DRAWS[0][:9]), scores(100 * DRAWS[1][:9]))}
    for paired in (None, False):
        (found,) = compare_scores(few, ScoreSettings(paired=paired))
        assert not found.tested
        assert found.verdict.stability is Stability.UNDERPOWERED
    assert math.isnan(compare_scores({"a": (scores(DRAWS[0][:1]), scores(DRAWS[1][:1]))})[0].detectable)


def test_an_open_verdict_says_what_would_decide_it() -> None:
    (found,) = compare_scores({"a": (scores(DRAWS[0][:12]), scores(DRAWS[1][:12], None))})
    assert found.verdict.stability is Stability.UNDERPOWERED
    assert found.detectable > 1
    assert found.missing >= 1


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (lambda: SeedScores(DRAWS), "shape of the scores"),
        (lambda: SeedScores(np.zeros(2001)), "number of runs is 2001; allowed: 2,000 on a task at most"),
        (lambda: SeedScores(DRAWS[0], (1, 2)), "number of seeds is 2; allowed: one for each of the 30"),
        (lambda: SeedScores(DRAWS[0][:3], (1, 2, 1)), "a seed that stands twice is 1"),
        (lambda: compare_scores({}), "tasks"),
        (lambda: ScoreSettings(alpha=0.7), "alpha"),
        (lambda: ScoreSettings(constant_baseline=math.nan), "constant baseline"),
        (
            lambda: compare_scores({"a": (scores(DRAWS[0]), scores(DRAWS[1], None))}, ScoreSettings(paired=True)),
            "number of shared seeds to pair by is 0",
        ),
    ],
)
def test_bad_input_is_named(made: object, said: str) -> None:
    with pytest.raises(BadValue, match=said):
        made()  # type: ignore[operator]
