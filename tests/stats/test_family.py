from __future__ import annotations

import dataclasses
from itertools import pairwise

import numpy as np
import pytest

from bench_lib.stats.design import Design, Rejections, staged
from bench_lib.stats.family import conclude_together, rejections
from bench_lib.stats.verdict import Location, PairedSamples, Stability, conclude, evidence_from

DESIGN = staged((30,), tasks=4)
LEVEL = DESIGN.levels(30, 0).spread


def evidence(p_spread: float, p_location: float = 1.0):
    drawn = np.random.default_rng(0).normal(size=(2, 30)) * [[3], [1]]
    return evidence_from(PairedSamples(*drawn), p_spread, p_location)


def together(*p_values: float, decided=(), design: Design = DESIGN):
    found = conclude_together(dict(enumerate(map(evidence, p_values))), 30, design, decided)
    return [verdict.stability is Stability.LESS for verdict in found.values()]


def test_alone_a_contrast_is_concluded_as_before():
    alone = staged((30,))
    one = evidence(0.01)
    found = conclude_together({"a": one}, 30, alone, ())["a"]
    assert found == conclude(one, alone.levels(30, 0), alone.margins)


def test_what_one_contrast_is_decided_by_raises_the_levels_of_the_others():
    between = (LEVEL + DESIGN.levels(30, 0, Rejections(spread=1)).spread) / 2
    assert together(between, 1, 1, 1) == [False] * 4
    assert together(between, LEVEL / 2, 1, 1) == [True, True, False, False]
    sure = conclude(evidence(LEVEL / 2), DESIGN.levels(30, 0), DESIGN.margins)
    assert together(between, 1, 1, decided=[sure]) == [True, False, False]


def test_alpha_passes_on_from_contrast_to_contrast_until_nothing_changes():
    levels = [DESIGN.levels(30, 0, Rejections(spread=count)).spread for count in range(4)]
    assert levels == sorted(levels)
    assert together(*(0.999 * level for level in reversed(levels))) == [True] * 4
    assert together(*(1.001 * level for level in levels)) == [False] * 4


def test_a_test_leaves_its_alpha_to_the_same_test_alone():
    plain, spread = DESIGN.levels(30, 30), DESIGN.levels(30, 30, Rejections(spread=2))
    assert spread.spread > plain.spread
    assert dataclasses.replace(spread, spread=plain.spread) == plain
    assert DESIGN.levels(30, 30, Rejections(4, 4, 4, 4)) == DESIGN.levels(30, 30, Rejections(3, 3, 3, 3))


def test_the_share_of_failures_stays_in_its_family():
    # Without failures their share goes to the other tests, as much as the failures of other contrasts leave of it.
    alone = DESIGN.levels(30, 0)
    assert DESIGN.levels(30, 0, Rejections(failure=2)).spread > alone.spread
    assert alone.failure == 0
    total = staged((30,), tasks=2).levels(30, 0)
    both = DESIGN.levels(30, 0, Rejections(2, 2, 2, 2))
    # Looks at equivalence are those of the whole family.
    both = dataclasses.replace(both, equivalence=total.equivalence)
    assert dataclasses.astuple(both) == pytest.approx(dataclasses.astuple(total))


def test_only_sure_verdicts_reject():
    base = evidence(1.0)
    better = dataclasses.replace(base, location=Location.BETTER)
    worse = dataclasses.replace(base, location=Location.WORSE)
    equivalent = dataclasses.replace(base, stability=Stability.EQUIVALENT, decided_by="equivalence")
    wild = dataclasses.replace(better, stability=Stability.LESS, decided_by="spread")
    failing = dataclasses.replace(base, stability=Stability.LESS, decided_by="failures")
    assert rejections([base, better]) == Rejections()
    assert rejections([worse, equivalent, wild, failing]) == Rejections(1, 1, 2, 1)


@pytest.mark.parametrize("stages", [(30,), (12, 30), (14, 40)])
def test_levels_rise_with_alpha_at_every_look(stages):
    # Without this a step-down at later looks would not keep to alpha.
    designs = [staged(stages, alpha=alpha) for alpha in (0.0005, 0.005, 0.05, 0.2)]
    for look in designs[0].looks:
        levels = [design.levels(look, 0).spread for design in designs]
        assert all(a < b for a, b in pairwise(levels))
