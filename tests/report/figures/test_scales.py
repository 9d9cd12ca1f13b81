"""The main panel shows the bulk of the scores; the rest has a panel below it, and nothing falls between."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from bench_lib.report.figures.scales import Range, Scales, scales


def shown(found: Scales) -> list[Range]:
    return [limits for limits in (found.low, found.main) if limits]


SCORES = st.lists(st.floats(0, 100), min_size=1, max_size=30)


def test_a_collapsed_run_does_not_hide_the_spread() -> None:
    found = scales(np.array([80.0, 80.5, 81.0, 81.5]), np.array([50.9]))
    assert found.main is not None
    assert found.low is not None
    assert 79 < found.main[0] < 80
    assert found.main[1] < 82.5
    assert found.low[0] < 50.9 < found.low[1] == found.main[0]


def test_a_far_survivor_is_in_the_low_panel() -> None:
    found = scales(np.array([55.0, 80.0, 80.5, 81.0, 81.5]), np.array([]))
    assert found.main is not None
    assert found.low is not None
    assert found.main[0] > 79
    assert found.low[0] < 55


def test_no_low_panel_where_all_fits() -> None:
    assert scales(np.array([50.0, 55.0]), np.array([49.9])).low is None


def test_failures_only_have_the_low_panel_only() -> None:
    found = scales(np.array([]), np.array([50.0]))
    assert found.main is None
    assert found.low == (49.0, 51.0)


def test_nothing_to_show() -> None:
    assert scales(np.array([]), np.array([])) == Scales(None, None)


@settings(deadline=None)
@given(SCORES, st.lists(st.floats(0, 100), max_size=10))
def test_every_score_lies_in_a_panel(survivors: list[float], others: list[float]) -> None:
    limits = shown(scales(np.array(survivors), np.array(others)))
    for value in [*survivors, *(o for o in others if o <= max(survivors))]:
        assert any(low - 1e-3 <= value < high + 1e-3 for low, high in limits)
