from __future__ import annotations

import pytest

from bench_lib.core.errors import BadValue
from bench_lib.stats.compare import boschloo
from bench_lib.stats.design import Design, Margins, Shares, looks_up_to, staged
from bench_lib.stats.sequential import nominal_levels

DESIGN = Design(looks_up_to(30))


def test_looks_begin_at_ten_and_end_at_the_last_seed():
    assert looks_up_to(30) == (10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30)
    assert looks_up_to(13) == (10, 12, 13)
    assert looks_up_to(10) == (10,)
    assert looks_up_to(5) == (5,)
    with pytest.raises(BadValue, match="greatest number of seeds is 2"):
        looks_up_to(2)


def test_alpha_is_shared_by_tests_and_tasks():
    three = Design(DESIGN.looks, tasks=3)
    for design in (DESIGN, three):
        alpha = design.alpha / design.tasks
        levels = design.levels(30, failures=30)
        assert levels.failure == nominal_levels(DESIGN.looks, 0.15 * alpha, 2.5)[-1]
        assert levels.spread == nominal_levels(DESIGN.looks, 0.8 * alpha, 2.5)[-1]
        assert levels.location == nominal_levels(DESIGN.looks, 0.05 * alpha, 2.5)[-1]
        assert levels.same == nominal_levels(DESIGN.looks, alpha, 2.5)[-1]
    levels = DESIGN.levels(30, failures=30)
    assert levels.equivalence == nominal_levels(range(20, 31, 2), DESIGN.alpha, 2.5)[-1]


def test_nothing_is_equivalent_below_twenty_seeds():
    levels = [DESIGN.levels(look, 0) for look in (18, 20, 22)]
    assert [level.equivalence > 0 for level in levels] == [level.same > 0 for level in levels] == [False, True, True]


def test_equivalence_spends_alpha_only_where_seeds_without_failures_could_show_it():
    many = staged((30, 50), tasks=20)
    levels = [many.levels(look, 0).equivalence for look in many.looks]
    assert [look for look, level in zip(many.looks, levels, strict=True) if level] == [38, 40, 42, 44, 46, 48, 50]
    assert 0.85**36 > many.alpha / 20 > 0.85**38
    # The stage to 30 seeds spent nothing, so that the one to 50 spends as a first one does.
    assert levels[-7:] == [*nominal_levels(range(38, 51, 2), many.alpha / 20, 2.5, (50,))]
    assert sum(staged((30,), tasks=20).levels(look, 0).equivalence for look in looks_up_to(30)) == 0


@pytest.mark.parametrize(("look", "failures"), [(10, 0), (10, 3), (30, 0), (30, 4)])
def test_the_share_of_a_test_that_cannot_err_goes_to_the_others(look, failures):
    assert boschloo(failures, look, 0, look) > DESIGN.levels(look, look).failure
    levels = DESIGN.levels(look, failures)
    place = DESIGN.looks.index(look)
    assert levels.failure == 0
    assert levels.spread == pytest.approx(nominal_levels(DESIGN.looks, 0.05 * 0.8 / 0.85, 2.5)[place])
    assert levels.location == pytest.approx(nominal_levels(DESIGN.looks, 0.05 * 0.05 / 0.85, 2.5)[place])


def test_more_failures_than_one_sample_holds_can_be_significant():
    assert DESIGN.levels(10, 12).failure > 0


@pytest.mark.parametrize(
    "make",
    [
        lambda: Design(()),
        lambda: Design((10, 10)),
        lambda: Design((10,), tasks=0),
        lambda: Design((10,), alpha=0),
        lambda: Margins(ratio=1),
        lambda: Margins(ratio=float("inf")),
        lambda: Margins(superiority=0.5),
        lambda: Margins(failures=0),
        lambda: Shares(0.5, 0.5, 0.5),
        lambda: Shares(0, 0.9, 0.1),
    ],
)
def test_bad_designs_are_refused(make):
    with pytest.raises(BadValue):
        make()


def test_a_look_that_was_not_declared_is_refused():
    with pytest.raises(BadValue, match="look is 11"):
        DESIGN.levels(11, 0)


def test_a_continued_design_has_the_looks_of_all_its_stages():
    assert staged((13, 30)).looks == (10, 12, 13, 14, 16, 18, 20, 22, 24, 26, 28, 30)
    assert staged((5, 12)).looks == (5, 10, 12)
    begun = staged((30,), tasks=3, alpha=0.1)
    assert begun.continued(60) == staged((30, 60), tasks=3, alpha=0.1)
    assert begun.continued(20) == begun
    assert DESIGN.continued(60).stages == (30, 60)
    for look in begun.looks:
        assert begun.levels(look, 0).spread == pytest.approx(begun.continued(60).levels(look, 0).spread, rel=1e-6)


def test_only_low_levels_need_all_permutations():
    assert [staged((30,)).is_fine(look) for look in (10, 30)] == [False, False]
    assert [staged((30,), tasks=80).is_fine(look) for look in (10, 30)] == [True, True]
