from __future__ import annotations

import math

import pytest

from bench_lib.core.errors import BadValue
from bench_lib.runner.limits import Limits


@pytest.mark.parametrize("wrong", [{"runs": 0}, {"runs": -1}, {"hours": 0.0}, {"hours": math.nan}, {"hours": math.inf}])
def test_a_limit_is_above_nothing(wrong: dict[str, float]) -> None:
    with pytest.raises(BadValue, match=f"--max-{next(iter(wrong))}"):
        Limits(**wrong)


def test_without_limits_nothing_is_reached() -> None:
    assert not Limits().reached(10**9, 1e12)
    assert Limits().rest(10**9, 1e12) == Limits()


def test_what_is_spent_is_taken_off() -> None:
    assert Limits(5, 2.0).rest(3, 1_800) == Limits(2, 1.5)
    assert Limits(5, 2.0).rest(5, 0) is None
    assert Limits(5, 2.0).rest(6, 0) is None
    assert Limits(5, 2.0).rest(0, 7_200) is None
    assert Limits(5, 2.0).reached(5, 0)
    assert not Limits(5, 2.0).reached(4, 7_199)
