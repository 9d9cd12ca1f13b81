"""How long runs take, by those that are stored; `test_status` has what follows for a plan."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench_lib.plans.times import WINDOW, estimated, rate

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)
TYPICAL = {("sst2", "desk", "adamw"): 3.0, ("sst2", "desk"): 4.0, ("sst2",): 5.0, (): 6.0}


@pytest.mark.parametrize(
    ("cell", "seconds"),
    [
        (("sst2", "desk", "adamw"), 3.0),
        (("sst2", "desk", "sam"), 4.0),
        (("sst2", "full", "adamw"), 5.0),
        (("rte", "desk", "adamw"), 6.0),
    ],
)
def test_the_nearest_trainings_tell(cell: tuple[str, ...], seconds: float) -> None:
    assert estimated(cell, TYPICAL) == seconds
    assert estimated(cell, {}) is None


def test_without_a_date_there_is_no_rate() -> None:
    assert rate(np.array([]), np.array([]), NOON) is None
    assert rate(np.array([math.nan]), np.array([60.0]), NOON) is None
    assert rate(np.array([NOON.timestamp()]), np.array([0.0]), None) is None


@given(st.lists(st.tuples(st.floats(-2e5, 0), st.floats(1, 1e4)), min_size=1, max_size=20), st.booleans())
def test_the_rate_counts_what_ended_within_the_window(runs: list[tuple[float, float]], until_now: bool) -> None:
    started = [NOON + timedelta(seconds=at) for at, _ in runs]
    ended = [begin + timedelta(seconds=length) for begin, (_, length) in zip(started, runs, strict=True)]
    stamps = np.array([begin.timestamp() for begin in started])
    found = rate(stamps, np.array([length for _, length in runs]), NOON if until_now else None)
    last = NOON if until_now else max(ended)
    first = max(last - WINDOW, min(started))
    if found is None:
        assert last <= first
    else:
        hours = (last - first).total_seconds() / 3600
        near = timedelta(milliseconds=1)
        least = sum(first + near < end < last - near for end in ended)
        most = sum(first - near < end < last + near for end in ended)
        assert least - 1e-6 <= found * hours <= most + 1e-6
