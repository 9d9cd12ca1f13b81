from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

from bench_lib.core.errors import BadValue
from bench_lib.report.analysis.evidence import Limits, evidence, needed, unproven
from bench_lib.stats.failure import wilson


@pytest.mark.parametrize("limits", [(0.0, 0.5), (-1.0, 0.5), (math.nan, 0.5), (1.0, -0.1), (1.0, 1.1), (1.0, math.nan)])
def test_limits_are_checked(limits: tuple[float, float]) -> None:
    with pytest.raises(BadValue):
        Limits(*limits)


@pytest.mark.parametrize("limit", [0.5, 0.1, 0.02, 0.001])
@pytest.mark.parametrize("failed", [0, 1, 3, 17])
def test_so_many_runs_are_needed_and_no_fewer(failed: int, limit: float) -> None:
    runs = int(needed(failed, limit))
    assert wilson(failed, runs)[1] <= limit < wilson(failed, runs - 1)[1]


def test_known_numbers_of_runs() -> None:
    assert needed(0, 0.02) == 189
    assert needed(0, 0.0) == math.inf


@pytest.mark.parametrize(("missing", "said"), [(12.0, "; about 12 more would"), (math.nan, "")])
def test_looks_that_left_a_contrast_open_say_what_would_decide_it(
    cell: Callable[..., dict[str, Any]], base: Callable[..., dict[str, Any]], missing: float, said: str
) -> None:
    row = {"stack": "s"}
    ours, theirs = cell(basis="looks", shared=14, missing=missing, **row), base(**row)
    found = list(unproven(evidence(ours, theirs), Limits(), theirs))
    assert f"spread against adamw on sst2 is undecided: looks at 14 seeds do not settle it{said}" in found
