from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from bench_lib.tasks.formats.correlations import pearson, spearman

NUMBERS = arrays.arrays(np.float64, st.integers(2, 20), elements=st.integers(-100, 100))


def test_pearson_by_hand() -> None:
    # Deviations -1, 0, 1 and -2, 1, 1: the sum of products 3, of squares 2 and 6.
    assert pearson((), [1, 2, 3], [0, 3, 3]) == pytest.approx(3 / 12**0.5)


def test_spearman_by_hand() -> None:
    # Ranks 1, 2, 3 and 1, 2.5, 2.5.
    assert spearman((), [1, 2, 90], [0, 3, 3]) == pytest.approx(1.5 / 3**0.5)
    assert spearman((), [1, 2, 4, 8], [1, 10, 11, 1000]) == 1.0


@pytest.mark.parametrize("metric", [pearson, spearman])
@pytest.mark.parametrize(
    "constant", [[2.0, 2.0, 2.0], [2.0, 2.0 + 1e-9, 2.0], [0.0] * 3, [1.0, np.nan, 2.0], [1.0, np.inf, 2.0]]
)
def test_what_is_undefined_is_nothing(metric, constant) -> None:
    assert metric((), constant, [1.0, 2.0, 3.0]) == 0.0
    assert metric((), [1.0, 2.0, 3.0], constant) == 0.0
    assert metric((), [1.0], [1.0]) == 0.0


@pytest.mark.parametrize("metric", [pearson, spearman])
@given(values=NUMBERS, scale=st.sampled_from([0.25, 3, 64]), shift=st.integers(-10, 10))
def test_neither_scale_nor_offset_counts(metric, values, scale, shift) -> None:
    assume(np.ptp(values) > 0)
    assert metric((), list(scale * values + shift), list(values)) == pytest.approx(1, abs=1e-6)
    assert metric((), list(-values), list(values)) == pytest.approx(-1, abs=1e-6)
